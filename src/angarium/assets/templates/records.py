"""What is kept of templates and snippets, as values. Times are seconds of Unix time."""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from angarium.core.fields import Language, NamedMailbox
from angarium.core.options import NO_OPTIONS, Options

TemplateKind = Literal["standard", "layout"]
"""A layout is put around others, where it has `{{{ @content }}}`."""

MissingRule = Literal["empty", "default", "strict"]
"""What becomes of a value that is not in the data: nothing is written, what the template declares is written, or the
recipient's message fails.
"""

MOST_TEMPLATES: Final = 10_000
"""Of an account."""
MOST_SNIPPETS: Final = 500
LONGEST_NAME: Final = 1_024
MOST_CONTENT_BYTES: Final = 5_000_000
MOST_SNIPPET_BYTES: Final = 100_000
"""Of each of its parts."""
ALIAS: Final = "(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
"""An alias has a letter: a number alone is an id."""


class TemplateContent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a template says at one moment. Every text is in *language*, but for the names of *headers*; without *author*
    whoever sends names one. None of *text*, *html*, *amp*: there is no such part.

    *layout* is the id of the template that is put around; None: none is. *variables* are the values that it asks for,
    as an example of the data: what else it asks for is a mistake; empty: it may ask for anything. By the rule *missing*
    `default` they stand for what is missing, each by its first name. *options* are those of its mail, unless the
    message says otherwise.
    """

    language: Language = "mustachio"
    subject: str = ""
    author: NamedMailbox | None = None
    reply_to: tuple[NamedMailbox, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    text: str | None = None
    html: str | None = None
    amp: str | None = None
    layout: int | None = None
    missing: MissingRule = "empty"
    variables: Mapping[str, Any] = {}
    options: Options = NO_OPTIONS


CONTENT_FIELDS: Final = TemplateContent.__struct_fields__


class StoredTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A template without what it says. *alias* is its id as a text, unique among those of its *server*, or among those
    of the *account* that have none; empty: it has none. *draft* and *published* are the numbers of its versions, None:
    there is none of the kind. *language* and *layout* are those of its newest version.
    """

    id: int
    account: int
    name: str
    created_at: float
    changed_at: float
    server: int | None = None
    alias: str = ""
    description: str = ""
    kind: TemplateKind = "standard"
    language: Language = "mustachio"
    layout: int | None = None
    draft: int | None = None
    published: int | None = None


class TemplateVersion(NamedTuple):
    """What a template said from *made_at* on, until its version had another *number*."""

    number: int
    is_draft: bool
    made_at: float
    content: TemplateContent


class Snippet(msgspec.Struct, frozen=True, kw_only=True):
    """A piece that templates of an account ask for by its *alias*. A part that is None is one that it has not."""

    id: int
    account: int
    alias: str
    name: str
    created_at: float
    changed_at: float
    html: str | None = None
    text: str | None = None
    amp: str | None = None

    def parts(self) -> dict[str, str]:
        """Return the parts that it has, as `Form.snippets` holds them."""
        found = {"html": self.html, "text": self.text, "amp": self.amp}
        return {name: text for name, text in found.items() if text is not None}
