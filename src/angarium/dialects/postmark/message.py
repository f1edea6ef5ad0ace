"""Messages as Postmark's clients send them: from a body to what a submission is made of. Pure."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from angarium.core.fields import Attachment, Fields, NamedMailbox
from angarium.core.options import Options
from angarium.core.records import ForwardPath
from angarium.core.submission import Wishes
from angarium.dialects.postmark.errors import BAD_REQUEST
from angarium.dialects.postmark.headers import (
    LINKS,
    MAX_KEY,
    MAX_KEYS,
    MAX_STREAM,
    MAX_TAG,
    MAX_VALUE,
    NAME,
)
from angarium.dialects.postmark.problem import BAD_FIELD, PostmarkProblem
from angarium.dialects.postmark.reading import Given
from angarium.mime.addresses import read_mailboxes
from angarium.smtp.address import AddressError, parse_mailbox

MOST_RECIPIENTS: Final = 50
MOST_SUBJECT: Final = 2_000
MOST_TEXT_BYTES: Final = 5 << 20
FORBIDDEN_COMBINATION: Final = 1123

_SERVERS_OWN: Final = frozenset(
    (
        *("return-path", "received", "dkim-signature", "mime-version", "content-type", "delivered-to"),
        *("content-transfer-encoding", "content-disposition", "content-id"),
    )
)
"""Fields that frameworks send along and the server writes itself."""
_CONTROLS: Final = re.compile(r"[\r\n\0]")
_ROLES: Final[dict[str, Literal["", "cc", "bcc"]]] = {"To": "", "Cc": "cc", "Bcc": "bcc"}
_ENCODED: Final = re.compile(r"[\s]+")


class GivenHeader(Given):
    """A further header field; frameworks write numbers as values, too."""

    name: str | None = None
    value: str | int | float | bool | None = None


class GivenAttachment(Given):
    """A file in base64. *content_id* with `cid:` before it makes it an image of the HTML part."""

    name: str | None = None
    content: str | None = None
    content_type: str | None = None
    content_id: str | None = None


class GivenMessage(Given):
    """A message, with its texts or with a template."""

    from_: str | None = None
    to: str | None = None
    cc: str | None = None
    bcc: str | None = None
    subject: str | None = None
    html_body: str | None = None
    text_body: str | None = None
    tag: str | None = None
    reply_to: str | None = None
    headers: list[GivenHeader] | None = None
    track_opens: bool | None = None
    track_links: str | None = None
    metadata: dict[str, Any] | None = None
    attachments: list[GivenAttachment] | None = None
    message_stream: str | None = None
    template_id: int | str | None = None
    template_alias: str | None = None
    template_model: dict[str, Any] | list[Any] | None = None
    inline_css: bool | None = None


class AskedMessage(NamedTuple):
    """What a message is made of. *template* is the id or the alias of one, whose texts go into *fields*; None: these
    are whole. *model* is what is put into it. *echo* are the recipients as they were written, for the answer.
    """

    fields: Fields
    recipients: tuple[ForwardPath, ...]
    wishes: Wishes
    echo: Mapping[str, str]
    template: str | None = None
    model: Mapping[str, Any] = {}


def asked_of(body: GivenMessage, *, is_templated: bool = False) -> AskedMessage:
    """Return what *body* asks for. Raises PostmarkProblem for the first thing that is wrong, in the order in which
    Postmark looks.
    """
    author = _author(body.from_)
    named = {field: _mailboxes(field, value) for field, value in _lists(body)}
    recipients = _recipients(named)
    _check_texts(body, is_templated=is_templated)
    wishes = Wishes(NAME, _options(body, inlines_css=is_templated))
    fields = Fields(
        author=(author,),
        subject=body.subject or "",
        to=tuple(named.get("To", ())),
        cc=tuple(named.get("Cc", ())),
        reply_to=tuple(_mailboxes("ReplyTo", body.reply_to)) if body.reply_to else (),
        headers=tuple(_headers(body.headers or [])),
        text=body.text_body,
        html=body.html_body,
        attachments=tuple(map(_attachment, body.attachments or [])),
    )
    echo = dict(_lists(body))
    if not is_templated:
        return AskedMessage(fields, recipients, wishes, echo)
    return AskedMessage(fields, recipients, wishes, echo, _template(body), _model(body))


def _lists(body: GivenMessage) -> Iterator[tuple[str, str]]:
    for field, value in zip(_ROLES, (body.to, body.cc, body.bcc), strict=True):
        if value is not None:
            yield field, value


# -- addresses


def _author(value: str | None) -> NamedMailbox:
    if value is None:
        raise _wrong("The 'From' address is missing.")
    found = read_mailboxes(_one_line("From", value))
    if len(found.mailboxes) != 1 or not found.is_whole or not _is_deliverable(found.mailboxes[0].address):
        raise _wrong(f"Invalid 'From' address: '{value[:255]}'.")
    if len(found.mailboxes[0].address) > 255:
        raise _wrong("The 'From' address may have 255 characters.")
    return NamedMailbox(found.mailboxes[0].address, found.mailboxes[0].name)


def _mailboxes(field: str, value: str) -> list[NamedMailbox]:
    found = read_mailboxes(_one_line(field, value), takes_local=True)
    for mailbox in found.mailboxes:
        address = mailbox.address[:255]
        if not mailbox.domain:
            raise _wrong(
                f"Error parsing '{field}': Illegal email address '{address}'. It must contain the '@' symbol."
            )
        if not _is_deliverable(mailbox.address):
            domain = address.rpartition("@")[2]
            raise _wrong(f"Error parsing '{field}': Illegal email domain '{domain}' in address '{address}'.")
    if not found.is_whole or not found.mailboxes:
        raise _wrong(f"Invalid '{field}' address: '{value[:255]}'.")
    return [NamedMailbox(mailbox.address, mailbox.name) for mailbox in found.mailboxes]


def _is_deliverable(address: str) -> bool:
    try:
        return "." in parse_mailbox(address, smtputf8=True).domain
    except AddressError:
        return False


def _recipients(named: Mapping[str, list[NamedMailbox]]) -> tuple[ForwardPath, ...]:
    everybody = [(_ROLES[field], mailbox) for field, mailboxes in named.items() for mailbox in mailboxes]
    if not everybody:
        raise _wrong("Zero recipients specified")
    if len(everybody) > MOST_RECIPIENTS:
        raise _wrong(f"A message may have {MOST_RECIPIENTS} recipients, not {len(everybody)}.")
    paths: dict[str, ForwardPath] = {}
    for role, each in everybody:
        mailbox = parse_mailbox(each.address, smtputf8=True)
        path = ForwardPath(address=mailbox.address, domain=mailbox.domain, role=role)
        paths.setdefault(each.address.lower(), path)
    return tuple(paths.values())


def _one_line(field: str, value: str) -> str:
    if _CONTROLS.search(value):
        raise _wrong(f"The '{field}' must not have line breaks.")
    return value


# -- texts


def _check_texts(body: GivenMessage, *, is_templated: bool) -> None:
    if is_templated:
        if body.subject or body.html_body or body.text_body:
            said = "The 'Subject', 'HtmlBody' and 'TextBody' come from the template; leave them out."
            raise PostmarkProblem(FORBIDDEN_COMBINATION, said)
        return
    if body.html_body is None and body.text_body is None:
        raise _wrong("Provide either email TextBody or HtmlBody or both.")
    for field, text in (("HtmlBody", body.html_body), ("TextBody", body.text_body)):
        if text is not None and len(text) > MOST_TEXT_BYTES // 4 and len(text.encode()) > MOST_TEXT_BYTES:
            raise _wrong(f"The '{field}' may have {MOST_TEXT_BYTES >> 20} MB.")
    if len(_one_line("Subject", body.subject or "")) > MOST_SUBJECT:
        raise _wrong(f"The 'Subject' may have {MOST_SUBJECT} characters.")


def _template(body: GivenMessage) -> str:
    named = str(body.template_id or "")
    if named in ("", "0"):
        named = body.template_alias or ""
    if not named:
        raise PostmarkProblem(BAD_FIELD, "A 'TemplateId' or a 'TemplateAlias' is required.")
    return named


def _model(body: GivenMessage) -> Mapping[str, Any]:
    if body.template_model is None:
        raise PostmarkProblem(BAD_FIELD, "A 'TemplateModel' is required.")
    if isinstance(body.template_model, list):
        if body.template_model:
            raise PostmarkProblem(BAD_FIELD, "Invalid request field(s): 'TemplateModel'.")
        return {}  # as PHP writes an empty object
    return body.template_model


# -- what goes with it


def _options(body: GivenMessage, *, inlines_css: bool) -> Options:
    """Return what is asked for. *inlines_css*: style sheets go into the elements where nobody says otherwise."""
    tag = body.tag
    if tag is not None and len(tag) > MAX_TAG:
        raise _wrong(f"The 'Tag' may have {MAX_TAG} characters.")
    stream = body.message_stream
    if stream is not None and len(stream) > MAX_STREAM:
        raise PostmarkProblem(1235, f"The stream provided: '{stream[:100]}' does not exist on this server.")
    links = None
    if body.track_links is not None:
        links = LINKS.get(body.track_links.lower())
        if links is None:
            raise _wrong("The 'TrackLinks' must be None, HtmlAndText, HtmlOnly or TextOnly.")
    return Options(
        stream=stream,
        tags=(tag,) if tag else None,
        metadata=_metadata(body.metadata) if body.metadata else None,
        track_opens=body.track_opens,
        track_links=links,
        inline_css=inlines_css or None if body.inline_css is None else body.inline_css,
    )


def _metadata(said: Mapping[str, Any]) -> dict[str, Any]:
    if len(said) > MAX_KEYS:
        raise _wrong(f"Invalid metadata content. There may be {MAX_KEYS} fields, not {len(said)}.")
    if len({name.lower() for name in said}) < len(said):
        raise _wrong("Invalid metadata content. Field names must differ by more than their case.")
    found: dict[str, Any] = {}
    for name, value in said.items():
        text = _text(value)
        if not name or len(name) > MAX_KEY:
            raise _wrong(f"Invalid metadata content. Field names are limited to {MAX_KEY} characters.")
        if len(text) > MAX_VALUE:
            raise _wrong(f"Invalid metadata content. Field values are limited to {MAX_VALUE} characters.")
        found[name] = text
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        raise _wrong("Invalid metadata content. Field values must be texts.")
    return "" if value is None else str(value)


def _headers(said: list[GivenHeader]) -> Iterator[tuple[str, str]]:
    for each in said:
        name, value = (each.name or "").strip(), _text(each.value)
        if not name:
            raise _wrong("A header needs a 'Name'.")
        if _CONTROLS.search(value) or _CONTROLS.search(name):
            raise _wrong(f"The header '{_CONTROLS.sub(' ', name)[:100]}' must not have line breaks.")
        if name.lower() not in _SERVERS_OWN:
            yield name, value


def _attachment(said: GivenAttachment) -> Attachment:
    name = said.name or ""
    try:
        content = base64.b64decode(_ENCODED.sub("", said.content or ""), validate=True)
    except (binascii.Error, ValueError):
        raise _wrong(f"The content of the attachment '{name[:200]}' is not base64.") from None
    kind = _one_line("ContentType", said.content_type or "application/octet-stream")
    return Attachment(name, kind.partition(";")[0].strip(), content, _content_id(said.content_id or ""))


def _content_id(said: str) -> str:
    name = said.strip().strip("<>")
    return _one_line("ContentID", name[4:] if name.lower().startswith("cid:") else name)


def _wrong(said: str) -> PostmarkProblem:
    return PostmarkProblem(BAD_REQUEST, said)
