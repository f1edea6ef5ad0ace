"""What fields in a vendor's words are made of, for every vendor. Values only."""

from typing import Any

from angarium.core.submission import Problem, Reason
from angarium.mime.header import Field
from angarium.mime.words import decode_words


class OptionError(ValueError):
    """A field cannot be obeyed. The arguments are those of a `Problem`."""

    def __init__(self, reason: Reason, **facts: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self._facts = facts

    def problem(self, dialect: str) -> Problem:
        """Return it as a problem of *dialect*."""
        return Problem(self.reason, dialect=dialect, **self._facts)


def line_of(field: Field) -> str:
    """Return a field's value as one line, a blank for each fold. What is no UTF-8 is taken for Latin-1.

    Encoded words stay as they are: what a value is made of is seen before any part of it is decoded, or text in it
    could pass for more.
    """
    value = b" ".join(filter(None, (line.strip() for line in field.value.split(b"\n"))))
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def text_of(field: Field) -> str:
    """Return a field's value where it is one text, encoded words decoded."""
    return decode_words(line_of(field))


def name_of(field: Field) -> str:
    """Return a field's name as it was written."""
    return field.raw[: len(field.name)].decode("ascii")


_WORDS = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}


def switch(field: Field) -> bool | None:
    """Return what a field that is `true` or `false` says, None when it is empty. Raises OptionError."""
    text = text_of(field).lower()
    if not text:
        return None
    try:
        return _WORDS[text]
    except KeyError:
        raise not_among(field, "true or false", text) from None


def not_among(field: Field, allowed: str, text: str) -> OptionError:
    """Return the error of a field that says *text*, where only *allowed* is known."""
    return OptionError(Reason.OPTION_VALUE, field=name_of(field), value=text, facts={"allowed": allowed})


def shown(text: str) -> str:
    """Return what was written, short enough and safe for a reply."""
    short = text if len(text) <= 40 else text[:37] + "..."
    return "'" + "".join(c if c.isprintable() and c.isascii() else "?" for c in short) + "'"
