"""From a body to the mail that it asks for. What is wrong with it is found all at once. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from angarium.core.fields import NOBODY, Attachment, Fields, Form, NamedMailbox, Personal
from angarium.core.options import Options
from angarium.core.records import BULK, TRANSACTIONAL, ForwardPath
from angarium.core.submission import Content, Problem, Raw, Reason, TemplateReference, Wishes
from angarium.http.manage.sending.bodies import AttachmentBody, MailboxBody, MessageNew, RecipientBody
from angarium.http.sending.dialect import Taking
from angarium.mime.addresses import mailboxes
from angarium.mime.header import HeaderBlock, unfold
from angarium.submission.requests.mail import Mail, mailbox_of

_LINE_END: Final = re.compile(rb"\r\n?|\n")
_LONGEST_WAIT_S: Final = 366 * 86_400
_OPTIONS: Final = tuple(
    name for name in Options.__struct_fields__ if name in MessageNew.__struct_fields__ and name != "lane"
)
_LANES: Final = {"transactional": TRANSACTIONAL, "bulk": BULK, None: None}
_OF_FIELDS: Final = ("sender", "subject", "text", "html", "amp")
_CONTENTS: Final = ("raw", "raw_base64", "template")

Role = Literal["", "cc", "bcc"]
_encode = msgspec.json.Encoder().encode


def mail_of(body: MessageNew, taking: Taking) -> Mail:
    """Return the mail that *body* asks for, with all that is wrong with it."""
    reading = _Reading(body)
    to, cc, bcc = (reading.mailboxes(name) for name in ("to", "cc", "bcc"))
    sender = reading.one("from", body.sender) if body.sender is not UNSET else None
    reply_to = tuple(mailbox for mailbox, _ in reading.mailboxes("reply_to"))
    content = reading.content(sender, to, cc, reply_to)
    paths = _paths(to, cc, bcc) or (_named_in(content) if isinstance(content, Raw) else [])
    reading.check_options()
    return Mail(
        recipients=paths,
        content=content,
        reverse_path=body.return_path if body.return_path is not UNSET else None,
        wishes=(Wishes("", _options(body)),),
        recipient_list=reading.recipient_list(),
        personal=_personal(to, len(paths)) if isinstance(content, Form | TemplateReference) else (),
        due_at=reading.due_at(taking.now),
        problems=tuple(reading.problems),
    )


Named = tuple[NamedMailbox, Personal]
"""A mailbox, and what a recipient there has of its own."""


class _Reading:
    """One body, and what was found wrong with it."""

    def __init__(self, body: MessageNew) -> None:
        self.body = body
        self.problems: list[Problem] = []

    def wrong(self, pointer: str, why: str) -> None:
        self.problems.append(Problem(Reason.FIELD, pointer, facts={"why": why}))

    # -- addresses

    def mailboxes(self, name: str) -> list[Named]:
        """Return what stands in a list of addresses."""
        given: Sequence[Any] = getattr(self.body, name)
        found = [
            (mailbox, _own(each, mailbox.name))
            for index, each in enumerate(given)
            for mailbox in self._read(f"{name}/{index}", each)
        ]
        return list({mailbox.address: (mailbox, own) for mailbox, own in reversed(found)}.values())[::-1]

    def one(self, pointer: str, given: str | MailboxBody) -> NamedMailbox | None:
        """Return the one mailbox of a field."""
        found = self._read(pointer, given)
        return found[0] if found else None

    def _read(self, pointer: str, given: str | MailboxBody | RecipientBody) -> list[NamedMailbox]:
        if not isinstance(given, str):
            found = [NamedMailbox(given.address, given.name)]
            pointer += "/address"
        else:
            text = unfold(given.encode("utf-8", "replace"))
            found = [NamedMailbox(each.address, each.name) for each in mailboxes(text)]
            if len(found) != 1:
                self.wrong(pointer, "is not one e-mail address; write it as Ann <ann@example.com>")
                return []
        mailbox = mailbox_of(found[0].address)
        if mailbox is None:
            self.wrong(pointer, "is no e-mail address")
            return []
        return [NamedMailbox(mailbox.address, found[0].name)]

    def recipient_list(self) -> str | None:
        """Return the stored list that it goes to, None where it names its recipients."""
        body = self.body
        if body.recipient_list is UNSET:
            return None
        for name in ("to", "cc", "bcc", "raw", "raw_base64"):
            if getattr(body, name) not in (UNSET, ()):
                self.wrong(name, "and recipient_list do not go together; give one")
        return str(body.recipient_list)

    # -- what it is made of

    def content(
        self,
        sender: NamedMailbox | None,
        to: list[Named],
        cc: list[Named],
        reply_to: tuple[NamedMailbox, ...],
    ) -> Content:
        body = self.body
        chosen = [name for name in _CONTENTS if getattr(body, name) is not UNSET]
        beside = [name for name in _OF_FIELDS if getattr(body, name) is not UNSET]
        if len(chosen) > 1:
            self.wrong(chosen[1], f"and {chosen[0]} do not go together; give one")
        if chosen and chosen[0] != "template":
            for name in beside[1:] if beside[:1] == ["sender"] else beside:
                self.wrong(name, f"and {chosen[0]} do not go together; a raw message has it in it")
            return self._raw()
        if body.sender is UNSET and body.template is UNSET:
            self.wrong("from", "is missing")
        if chosen:
            return self._template(sender, reply_to)
        if all(part is UNSET for part in (body.text, body.html, body.amp)):
            self.wrong("text", "is missing: give text, html or both")
        is_form = (
            body.separate
            or body.recipient_list is not UNSET
            or body.language is not UNSET
            or any(own.data for _, own in to)
            or body.data is not UNSET
        )
        fields = Fields(
            author=(sender,) if sender is not None else (),
            subject=body.subject if body.subject is not UNSET else "",
            to=() if is_form else tuple(mailbox for mailbox, _ in to),
            cc=() if is_form else tuple(mailbox for mailbox, _ in cc),
            reply_to=reply_to,
            headers=tuple(body.headers.items()),
            text=_given(body.text),
            html=_given(body.html),
            amp=_given(body.amp),
            attachments=tuple(map(_attachment, body.attachments)),
        )
        if not is_form:
            return fields
        if cc or self.body.bcc:
            self.wrong(
                "cc" if cc else "bcc", "does not go with messages of their own for each recipient; use to"
            )
        shared = _encode(body.data) if isinstance(body.data, dict) else b""
        has_data = bool(shared) or any(own.data for _, own in to) or body.recipient_list is not UNSET
        language = body.language if body.language is not UNSET else "mustachio" if has_data else ""
        return Form(fields=fields, language=language, shared=shared)

    def _template(self, sender: NamedMailbox | None, reply_to: tuple[NamedMailbox, ...]) -> TemplateReference:
        body = self.body
        for name in ("text", "html", "amp", "language", "cc", "bcc"):
            if getattr(body, name) not in (UNSET, ()):
                self.wrong(name, "does not go with a template, which has parts and a language of its own")
        fields = Fields(
            author=(sender,) if sender is not None else (),
            subject=body.subject if body.subject is not UNSET else "",
            reply_to=reply_to,
            headers=tuple(body.headers.items()),
            attachments=tuple(map(_attachment, body.attachments)),
        )
        data = body.data if isinstance(body.data, dict) else {}
        return TemplateReference(str(body.template), data, fields)

    def _raw(self) -> Raw:
        body = self.body
        text = body.raw_base64 if isinstance(body.raw_base64, bytes) else str(_given(body.raw) or "").encode()
        text = _LINE_END.sub(b"\r\n", text)
        for name in ("headers", "attachments", "reply_to"):
            if getattr(body, name):
                self.wrong(name, "does not go with a raw message, which has it in it")
        if body.separate or body.language is not UNSET or body.data is not UNSET:
            self.wrong("separate", "and templates do not go with a raw message; send one for each recipient")
        return Raw(text, text, not text.isascii())

    # -- what is asked for besides

    def due_at(self, now: float) -> float | None:
        """Return when it is to leave, None at once."""
        if not self.body.send_at:
            return None
        due_at = self.body.send_at.timestamp()
        if due_at - now > _LONGEST_WAIT_S:
            self.wrong("send_at", "is more than a year away")
        return due_at if due_at > now else None

    def check_options(self) -> None:
        """Look at what the options' types do not say."""
        metadata = self.body.metadata
        if metadata is not None and len(_encode(metadata)) > 10_000:
            self.wrong("metadata", "is longer than 10000 bytes of JSON")


def _given(text: str | UnsetType) -> str | None:
    return None if text is UNSET else str(text)


def _own(given: str | MailboxBody | RecipientBody, name: str) -> Personal:
    data = given.data if isinstance(given, RecipientBody) and isinstance(given.data, dict) else None
    return Personal(name, _encode(data) if data is not None else b"")


def _attachment(body: AttachmentBody) -> Attachment:
    return Attachment(body.name, body.type, body.content, body.content_id)


def _options(body: MessageNew) -> Options:
    given = {name: getattr(body, name) for name in _OPTIONS}
    return Options(**given, lane=_LANES[body.lane])


def _paths(to: Iterable[Named], cc: Iterable[Named], bcc: Iterable[Named]) -> list[ForwardPath]:
    roles: tuple[tuple[Role, Iterable[Named]], ...] = (("", to), ("cc", cc), ("bcc", bcc))
    found: dict[str, ForwardPath] = {}
    for role, named in roles:
        for path in _in_role(role, (mailbox.address for mailbox, _ in named)):
            found.setdefault(path.address, path)
    return list(found.values())


def _in_role(role: Role, addresses: Iterable[str]) -> Iterator[ForwardPath]:
    for address in addresses:
        mailbox = mailbox_of(address)
        if mailbox is not None:
            yield ForwardPath(address=mailbox.address, domain=mailbox.domain, role=role)


def _named_in(content: Raw) -> list[ForwardPath]:
    """Return the recipients that a raw message names itself."""
    header = HeaderBlock.scan(content.head)
    found: dict[str, ForwardPath] = {}
    roles: tuple[tuple[Role, bytes], ...] = (("", b"to"), ("cc", b"cc"), ("bcc", b"bcc"))
    for role, name in roles:
        for begin, end in header.spans(name):
            value = unfold(header.raw[begin:end].partition(b":")[2])
            for path in _in_role(role, (each.address for each in mailboxes(value))):
                found.setdefault(path.address, path)
    return list(found.values())


def _personal(to: Sequence[Named], count: int) -> Sequence[Personal]:
    own = [personal for _, personal in to]
    return own + [NOBODY] * (count - len(own)) if any(each != NOBODY for each in own) else ()
