"""What is asked for of templates, snippets and lists, as JSON."""

from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import UNSET, UnsetType

from angarium.assets.lists.records import LONGEST_NAME as LONGEST_RECIPIENT_NAME
from angarium.assets.lists.records import DuplicateRule
from angarium.assets.templates.records import (
    ALIAS,
    LONGEST_NAME,
    MOST_SNIPPET_BYTES,
    MissingRule,
    TemplateKind,
)
from angarium.assets.templates.validation import LONGEST_LINE, MOST_HEADERS
from angarium.core.fields import Language
from angarium.http.manage.bodies import Body, Id, OptionsBody
from angarium.http.manage.call import LimitQuery

Alias = Annotated[str, msgspec.Meta(pattern=f"^{ALIAS}$")]
AliasOrNone = Annotated[str, msgspec.Meta(pattern=f"^({ALIAS})?$")]
Named = Annotated[
    str, msgspec.Meta(extra_json_schema={"minLength": 1, "maxLength": LONGEST_NAME, "format": "line"})
]
Described = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": LONGEST_NAME, "format": "line"})]
HeaderText = Annotated[str, msgspec.Meta(max_length=LONGEST_LINE, extra_json_schema={"format": "template"})]
AuthorText = Annotated[
    str, msgspec.Meta(max_length=LONGEST_LINE, extra_json_schema={"format": "template-address"})
]
"""An address, or a template that makes one."""
PartText = Annotated[str, msgspec.Meta(extra_json_schema={"format": "template"})]
ListedAddress = Annotated[
    str, msgspec.Meta(min_length=3, max_length=1_000, extra_json_schema={"format": "email"})
]
OtherAddress = Annotated[str, msgspec.Meta(max_length=1_000, extra_json_schema={"format": "email-or-none"})]
_HAS_PART: Final[dict[str, Any]] = {
    "anyOf": [
        {"properties": {part: {"type": "string", "minLength": 1}}, "required": [part]}
        for part in ("html", "text", "amp")
    ]
}
_NEEDS_VARIABLES: Final[dict[str, Any]] = {
    "if": {"properties": {"missing": {"const": "default"}}, "required": ["missing"]},
    "then": {"properties": {"variables": {"minProperties": 1}}, "required": ["variables"]},
}
_Headers = Annotated[
    dict[Annotated[str, msgspec.Meta(pattern="^[Xx]-[!-9;-~]{1,74}$|^[!-9;-~]{1,76}$")], HeaderText],
    msgspec.Meta(max_length=MOST_HEADERS),
]
SnippetPart = Annotated[
    str, msgspec.Meta(max_length=MOST_SNIPPET_BYTES, extra_json_schema={"format": "template"})
]
MOST_AT_ONCE: Final = 1_000


class TemplateMailbox(Body):
    """An address, and the name beside it; both may be templates."""

    address: AuthorText
    name: HeaderText = ""


class TemplateChange(Body, rename={"author": "from"}):
    """What to change of a template. What it says goes into its draft, and with `publish` is what mail is made of.

    Every text is in `language`; null takes a part away. `layout` is the id or alias of the layout that is put around.
    `variables` are an example of the data: what else the template asks for is refused. `missing` says what becomes of
    a value that is not in the data: nothing is written (`empty`), what `variables` have there (`default`), or the
    recipient's message fails (`strict`).
    """

    name: Named | UnsetType = UNSET
    alias: AliasOrNone | UnsetType | None = UNSET
    description: Described | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    subject: HeaderText | UnsetType = UNSET
    author: TemplateMailbox | UnsetType | None = UNSET
    reply_to: Annotated[tuple[TemplateMailbox, ...], msgspec.Meta(max_length=20)] | UnsetType = UNSET
    headers: _Headers | UnsetType = UNSET
    text: PartText | UnsetType | None = UNSET
    html: PartText | UnsetType | None = UNSET
    amp: PartText | UnsetType | None = UNSET
    layout: Id | AliasOrNone | UnsetType | None = UNSET
    missing: MissingRule | UnsetType = UNSET
    variables: dict[str, Any] | UnsetType = UNSET
    options: OptionsBody | UnsetType = UNSET
    publish: bool = False


class TemplateNew(TemplateChange, kw_only=True):
    """A new template; see `TemplateChange`. With a `server` it is that one's own, else one of the account's. A layout
    has `{{{ @content }}}` once in each part, and no header of its own.
    """

    RULE: ClassVar = {**_HAS_PART, **_NEEDS_VARIABLES}

    name: Named
    kind: TemplateKind = "standard"
    server: Id | None = None
    account: Id | UnsetType = UNSET


class TemplateTried(TemplateChange, kw_only=True):
    """A template that is looked at and not saved, and `data` that it is tried with, over its `variables`."""

    kind: TemplateKind = "standard"
    server: Id | None = None
    account: Id | UnsetType = UNSET
    data: dict[str, Any] = msgspec.field(default_factory=dict)


class PreviewBody(Body):
    """What a template is tried with, over its `variables`. `draft`: its newest version instead of what is published."""

    data: dict[str, Any] = msgspec.field(default_factory=dict)
    draft: bool = False


class TemplatesQuery(LimitQuery):
    """Which templates: of an `account` or all that the key may see, of a `server`, of a `kind`, with a `layout`."""

    after: Id | None = None
    account: Id | None = None
    server: Id | None = None
    kind: TemplateKind | None = None
    layout: Id | None = None


class TemplateQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which version: the draft, or what is published; without it the newest."""

    draft: bool | None = None


class SnippetChange(Body):
    """What to change of a snippet; null takes a part away."""

    name: Named | UnsetType = UNSET
    html: SnippetPart | UnsetType | None = UNSET
    text: SnippetPart | UnsetType | None = UNSET
    amp: SnippetPart | UnsetType | None = UNSET


class SnippetNew(Body):
    """A new snippet, in the substitution language; templates ask for it by its `alias`."""

    RULE: ClassVar = _HAS_PART

    alias: Alias
    name: Named | UnsetType = UNSET
    html: SnippetPart | UnsetType | None = UNSET
    text: SnippetPart | UnsetType | None = UNSET
    amp: SnippetPart | UnsetType | None = UNSET
    account: Id | UnsetType = UNSET


class RecipientNew(Body):
    """Somebody on a list. `to` is an address that stands in To in place of theirs; `data` is for templates, `metadata`
    for events.
    """

    address: ListedAddress
    name: Annotated[str, msgspec.Meta(max_length=LONGEST_RECIPIENT_NAME)] = ""
    to: OtherAddress = ""
    tags: Annotated[
        tuple[Annotated[str, msgspec.Meta(max_length=255)], ...], msgspec.Meta(max_length=10)
    ] = ()
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    data: dict[str, Any] = msgspec.field(default_factory=dict)


_Recipients = Annotated[tuple[RecipientNew, ...], msgspec.Meta(max_length=MOST_AT_ONCE)]


class ListChange(Body):
    """What to change of a list."""

    name: Named | UnsetType = UNSET
    alias: Alias | UnsetType = UNSET
    description: Described | UnsetType = UNSET
    attributes: dict[str, Any] | UnsetType = UNSET


class ListNew(Body):
    """A new list, with some `recipients` on it. Of those with one address the first stays, or what `keep` says."""

    alias: Alias
    name: Named | UnsetType = UNSET
    description: Described | UnsetType = UNSET
    attributes: dict[str, Any] | UnsetType = UNSET
    recipients: _Recipients = ()
    keep: DuplicateRule = "first"
    account: Id | UnsetType = UNSET


class RecipientsBody(Body):
    """Recipients to be put on a list: behind those on it, or with `replace` in place of them, at once. `keep` says
    which of those with one address stays; `last` takes off who was there.
    """

    recipients: _Recipients
    replace: bool = False
    keep: DuplicateRule = "first"


class RecipientsGone(Body):
    """Addresses to be taken off a list."""

    addresses: Annotated[
        tuple[ListedAddress, ...],
        msgspec.Meta(min_length=1, max_length=MOST_AT_ONCE),
    ]


class RecipientsQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where a list is looked at: `after` so many pages of up to 1,000; or those with an `address`."""

    after: Annotated[int, msgspec.Meta(ge=0, le=2**31)] = 0
    address: ListedAddress | None = None
