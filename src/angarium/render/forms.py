"""Forms: what one recipient gets of fields in a template language, and of the data that is its own.

Pure, and the same each time for a message and a recipient: id, boundaries and all. Compiled once for each content.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import msgspec

from angarium.core.fields import Fields, Form, NamedMailbox, Personal, personal_at, read_form
from angarium.core.ids import format_id
from angarium.core.options import Options
from angarium.core.records import Message, Recipient
from angarium.mime.build.message import compose, file_part
from angarium.render.css import inlined_css
from angarium.render.failure import GenerationFailure, GenerationRejection
from angarium.render.html.text import text_of
from angarium.render.languages.compiled import TemplateSurroundings, compile_template
from angarium.render.languages.escaping import Context
from angarium.render.languages.problem import TemplateFailure, TemplateProblems
from angarium.smtp.address import AddressError, parse_mailbox

MOST_KEPT_BYTES: Final = 32 << 20
"""So many bytes of forms are kept compiled."""
_AMP: Final = "amp"
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode

_Write = Callable[[Mapping[str, Any]], str]
"""Returns a text as one recipient gets it. Raises TemplateFailure."""


class FormProblems(TemplateProblems):
    """A *part* of a form cannot be compiled."""

    def __init__(self, part: str, problems: TemplateProblems) -> None:
        super().__init__(problems.problems)
        self.part = part


class CompiledForm:
    """A form that is ready to be filled in. Used by several threads."""

    def __init__(self, form: Form, options: Options) -> None:
        """*options* say what is done to its HTML for all. Raises FormProblems, and MsgspecError for data that is
        no JSON object.
        """
        fields = form.fields
        self._form = form
        self._shared = _decode_object(form.shared) if form.shared else {}
        self._author = [self._mailbox(each, "from") for each in fields.author]
        self._lists = {
            "reply_to": [self._mailbox(each, "reply_to") for each in fields.reply_to],
            "to": [self._mailbox(each, "to") for each in fields.to],
            "cc": [self._mailbox(each, "cc") for each in fields.cc],
        }
        self._subject = self._text(fields.subject, "header", "subject")
        self._headers = [
            (name, text, self._text(text, "header", f"headers/{name}")) for name, text in fields.headers
        ]
        self._plain = self._part(fields.text, "text", "text")
        html = fields.html
        if html is not None and options.inline_css:
            html = inlined_css(html.encode("utf-8", "replace"), "utf-8").decode()
        self._html = self._part(html, "html", "html")
        self._amp = self._part(fields.amp, "html", _AMP)
        self._text_from_html = bool(options.text_from_html) and fields.text is None
        self._file_part = cache(file_part)  # base64 is the same for all

    def mail(self, recipient: Recipient, personal: Personal) -> bytes:
        """Return what *recipient* gets. Raises GenerationFailure."""
        try:
            fields = self._filled(recipient, personal, self._data(recipient, personal))
            seed = f"{format_id(recipient.message.id)}{recipient.index}"
            return compose(fields, seed=seed, file_part=self._file_part)
        except (TemplateFailure, ValueError, msgspec.MsgspecError) as failure:
            raise GenerationFailure(str(failure)) from failure

    def _filled(self, recipient: Recipient, personal: Personal, data: Mapping[str, Any]) -> Fields:
        lists = {name: _addressed(mailboxes, data) for name, mailboxes in self._lists.items()}
        author = _addressed(self._author, data)
        _check_author(author, recipient.message)
        own = NamedMailbox(personal.to or recipient.path.address, personal.name)
        html = self._html(data) if self._html is not None else None
        text = self._plain(data) if self._plain is not None else None
        if html is not None and self._text_from_html:
            text = text_of(html.encode("utf-8", "replace"), "utf-8")
        return Fields(
            author=author,
            subject=self._subject(data),
            to=lists["to"] or (own,),
            cc=lists["cc"],
            reply_to=lists["reply_to"],
            headers=self._all_headers(recipient, data),
            text=text,
            html=html,
            amp=self._amp(data) if self._amp is not None else None,
            attachments=self._form.fields.attachments,
        )

    def _all_headers(self, recipient: Recipient, data: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        """Return the further header fields; those of which nothing is left for this recipient are not there."""
        found = [(name, write(data), text) for name, text, write in self._headers]
        headers = [(name, value) for name, value, text in found if value.strip() or not text.strip()]
        if not any(name.lower() == "message-id" for name, _ in headers):
            message_id = f"<{format_id(recipient.message.id)}.{recipient.index}@{self._form.hostname}>"
            headers.append(("Message-ID", message_id))
        return tuple(headers)

    def _data(self, recipient: Recipient, personal: Personal) -> Mapping[str, Any]:
        """Return what the templates see: what the node knows of the recipient, what all have, what this one has."""
        address = recipient.path.address
        known: dict[str, Any] = {"address": {"email": address, "name": personal.name}, "email": address}
        own = _decode_object(personal.data) if personal.data else {}
        match self._form.language:
            case "substitution":  # these names are the node's (sparkpost.md §3)
                return {**self._shared, **own, **known}
            case "smarty":
                known = {"recipient": address, "envelope": recipient.message.reverse_path}
                return {**self._shared, **own, **known}
            case _:
                return {**known, **self._shared, **own}

    # -- compiling

    def _mailbox(self, mailbox: NamedMailbox, part: str) -> tuple[_Write, _Write]:
        return self._text(mailbox.address, "header", part), self._text(mailbox.name, "header", part)

    def _part(self, text: str | None, context: Context, part: str) -> _Write | None:
        return None if text is None else self._text(text, context, part)

    def _text(self, text: str, context: Context, part: str) -> _Write:
        """Return what writes one text of the form. Raises FormProblems."""
        form = self._form
        if not form.language:
            return lambda data: text
        try:
            template = compile_template(form.language, text, context, is_strict=form.is_strict)
        except TemplateProblems as problems:
            raise FormProblems(part, problems) from problems
        around = TemplateSurroundings(self._shared, lambda name: form.snippets.get(name, {}).get(part))

        def write(data: Mapping[str, Any]) -> str:
            try:
                return template.render(data, around)
            except TemplateFailure as failure:
                raise TemplateFailure(f"{part}: {failure}") from failure

        return write


def _addressed(mailboxes: list[tuple[_Write, _Write]], data: Mapping[str, Any]) -> tuple[NamedMailbox, ...]:
    """Return the mailboxes as one recipient sees them, without those of which nothing is left."""
    written = [NamedMailbox(address(data).strip(), name(data)) for address, name in mailboxes]
    return tuple(each for each in written if each.address)


def _check_author(author: tuple[NamedMailbox, ...], message: Message) -> None:
    """A template may say who writes, but for the domain: by that the message was taken, and by that it is signed."""
    if not author:
        raise GenerationFailure("from: nothing is left of the author's address")
    try:
        domain = parse_mailbox(author[0].address, smtputf8=True).domain
    except AddressError as error:
        raise GenerationFailure(f"from: {author[0].address[:80]!r} is no address: {error}") from error
    if domain != message.author_domain:
        raise GenerationRejection(f"from: the author would be at {domain}, not at {message.author_domain}")


def steps_of_form(options: Options) -> Options:
    """Return only what decides what a form is compiled to."""
    return Options(inline_css=options.inline_css, text_from_html=options.text_from_html)


class Forms:
    """Forms of which several recipients are waiting, compiled. Used by several threads."""

    def __init__(self, most_bytes: int = MOST_KEPT_BYTES) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[bytes, Options], tuple[CompiledForm, int]] = OrderedDict()
        self._most_bytes = most_bytes
        self._bytes = 0

    def mail(self, recipient: Recipient, stored: bytes, own: bytes) -> bytes:
        """Return what *recipient* gets of the form that is *stored*, with what its message has of its *own*. Raises
        GenerationFailure.
        """
        try:
            personal = personal_at(own, recipient.index)
        except (ValueError, msgspec.MsgspecError) as error:
            raise GenerationFailure(f"the recipient's data cannot be read: {error}") from error
        return self._compiled(recipient.message, stored).mail(recipient, personal)

    def _compiled(self, message: Message, stored: bytes) -> CompiledForm:
        key = (message.content, steps_of_form(message.options))
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept[0]
        try:
            form = CompiledForm(read_form(stored), key[1])
        except FormProblems as problems:
            raise GenerationRejection(f"{problems.part}: {problems}".replace("\n", "; ")) from problems
        except (ValueError, msgspec.MsgspecError) as error:
            raise GenerationRejection(str(error)) from error
        self._keep(key, form, len(stored))
        return form

    def _keep(self, key: tuple[bytes, Options], form: CompiledForm, size: int) -> None:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = form, size
                self._bytes += size
            while self._bytes > self._most_bytes and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1][1]
