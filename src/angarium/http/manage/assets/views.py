"""What is answered of templates, snippets and lists. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from angarium.assets.lists.records import ListedRecipient, StoredList
from angarium.assets.templates.preview import TemplatePreview
from angarium.assets.templates.problems import PartProblem
from angarium.assets.templates.records import (
    MissingRule,
    Snippet,
    StoredTemplate,
    TemplateKind,
    TemplateVersion,
)
from angarium.core.fields import Language, NamedMailbox
from angarium.core.options import as_mapping


class TemplateView(msgspec.Struct, frozen=True, kw_only=True):
    """A template. *draft* and *published* are the numbers of its versions, null where there is none of the kind."""

    id: int
    account: int
    server: int | None
    alias: str
    name: str
    description: str
    kind: TemplateKind
    language: Language
    layout: int | None
    draft: int | None
    published: int | None
    created_at: datetime
    changed_at: datetime


class MailboxView(msgspec.Struct, frozen=True):
    """An address, and the name beside it."""

    address: str
    name: str


class ProblemView(msgspec.Struct, frozen=True):
    """What is wrong, or odd. *line* and *column* are from 1, null where the part as a whole is meant."""

    part: str
    problem: str
    line: int | None
    column: int | None


class TemplateText(msgspec.Struct, frozen=True, kw_only=True, rename={"author": "from"}):
    """A template with one version of what it says; null parts are not there. *warnings* are of what was saved now."""

    id: int
    account: int
    server: int | None
    alias: str
    name: str
    description: str
    kind: TemplateKind
    language: Language
    layout: int | None
    draft: int | None
    published: int | None
    created_at: datetime
    changed_at: datetime
    version: int
    is_draft: bool
    subject: str
    author: MailboxView | None
    reply_to: list[MailboxView]
    headers: dict[str, str]
    text: str | None
    html: str | None
    amp: str | None
    missing: MissingRule
    variables: dict[str, Any]
    options: dict[str, Any]
    warnings: list[ProblemView]


class PreviewView(msgspec.Struct, frozen=True, rename={"author": "from"}):
    """What a template has made of data. *failures* say by part why it could not be rendered."""

    subject: str
    author: MailboxView | None
    reply_to: list[MailboxView]
    headers: dict[str, str]
    text: str | None
    html: str | None
    amp: str | None
    failures: dict[str, str]


class TemplateCheck(msgspec.Struct, frozen=True):
    """Whether a template could be saved, and what it makes of the data; null where it could not. *suggested* is an
    object with what it asks for, where it is in Mustachio.
    """

    valid: bool
    problems: list[ProblemView]
    warnings: list[ProblemView]
    preview: PreviewView | None
    suggested: dict[str, Any] | None


class SnippetView(msgspec.Struct, frozen=True):
    """A snippet; null parts are not there."""

    id: int
    account: int
    alias: str
    name: str
    html: str | None
    text: str | None
    amp: str | None
    created_at: datetime
    changed_at: datetime


class ListView(msgspec.Struct, frozen=True):
    """A list, with *count* recipients on it."""

    id: int
    account: int
    alias: str
    name: str
    description: str
    attributes: dict[str, Any]
    count: int
    created_at: datetime
    changed_at: datetime


class RecipientView(msgspec.Struct, frozen=True):
    """Somebody on a list."""

    address: str
    name: str
    to: str
    tags: list[str]
    metadata: dict[str, Any]
    data: dict[str, Any]


class RecipientsPut(msgspec.Struct, frozen=True):
    """How many are on the list now, and how many were left out or taken off, for they had the address of another."""

    count: int
    duplicates: int


class RecipientsTaken(msgspec.Struct, frozen=True):
    """How many rows were taken off the list."""

    removed: int


_decode = msgspec.json.Decoder(dict[str, Any]).decode


def template_view(template: StoredTemplate) -> TemplateView:
    """Return a template as it is listed."""
    return TemplateView(**_fields(template))


def template_text(
    template: StoredTemplate, version: TemplateVersion, warnings: Sequence[PartProblem] = ()
) -> TemplateText:
    """Return a template with what one version says."""
    content = version.content
    return TemplateText(
        **{**_fields(template), "language": content.language, "layout": content.layout},
        version=version.number,
        is_draft=version.is_draft,
        subject=content.subject,
        author=mailbox_view(content.author),
        reply_to=_mailboxes(content.reply_to),
        headers=dict(content.headers),
        text=content.text,
        html=content.html,
        amp=content.amp,
        missing=content.missing,
        variables=dict(content.variables),
        options=dict(as_mapping(content.options)),
        warnings=problem_views(warnings),
    )


def preview_view(preview: TemplatePreview) -> PreviewView:
    """Return what a template has made of data."""
    return PreviewView(
        preview.subject,
        mailbox_view(preview.author),
        _mailboxes(preview.reply_to),
        dict(preview.headers),
        preview.text,
        preview.html,
        preview.amp,
        dict(preview.failures),
    )


def problem_views(problems: Sequence[PartProblem]) -> list[ProblemView]:
    """Return what is wrong, each with its place."""
    found = []
    for part, problem, at in problems:
        line, column = at.place if at is not None else (None, None)
        found.append(ProblemView(part, problem, line, column))
    return found


def snippet_view(snippet: Snippet) -> SnippetView:
    """Return a snippet."""
    return SnippetView(**_fields(snippet))


def list_view(found: StoredList) -> ListView:
    """Return a list."""
    fields = _fields(found)
    del fields["edition"]
    return ListView(**fields)


def recipient_view(recipient: ListedRecipient) -> RecipientView:
    """Return somebody on a list."""
    address, name, to, tags, metadata, data = recipient
    objects = (_decode(each) if each else {} for each in (metadata, data))
    return RecipientView(address, name, to, list(tags), *objects)


def mailbox_view(mailbox: NamedMailbox | None) -> MailboxView | None:
    """Return an address and its name."""
    return None if mailbox is None else MailboxView(*mailbox)


def _mailboxes(mailboxes: Sequence[NamedMailbox]) -> list[MailboxView]:
    return [MailboxView(*each) for each in mailboxes]


def _fields(record: msgspec.Struct) -> dict[str, Any]:
    fields: Mapping[str, Any] = msgspec.structs.asdict(record)
    return {
        name: datetime.fromtimestamp(value, UTC) if name.endswith("_at") else value
        for name, value in fields.items()
    }
