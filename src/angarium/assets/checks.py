"""What the fields of templates, snippets and lists may be: each check returns the value as it is kept, or raises
Invalid.
"""

import re
from functools import partial
from typing import Any, Final

from angarium.assets.templates.records import ALIAS, LONGEST_NAME
from angarium.sql.checks import Check, text
from angarium.sql.errors import Invalid

_ALIAS: Final = re.compile(ALIAS)


def alias(field: str, value: Any) -> str:
    """The id of something as a text."""
    if not isinstance(value, str) or not _ALIAS.fullmatch(value):
        raise Invalid(
            field,
            "write 1 to 100 letters, digits, dots, - and _, beginning with a letter or digit, not all digits",
        )
    return value


def alias_or_none(field: str, value: Any) -> str:
    """The same, or nothing."""
    return "" if value in ("", None) else alias(field, value)


def name(field: str, value: Any) -> str:
    """A name for people."""
    line = text(field, value, LONGEST_NAME)
    if not line:
        raise Invalid(field, f"write a name of 1 to {LONGEST_NAME} characters")
    return line


description: Final[Check] = partial(text, longest=LONGEST_NAME)
