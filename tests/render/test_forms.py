"""What one recipient gets of a form: of the form, of what all have, and of its own data; the same at each attempt."""

import email
import email.policy
from email.message import EmailMessage
from typing import Any

import msgspec
import pytest

from angarium.core.fields import (
    Attachment,
    Fields,
    Form,
    Language,
    NamedMailbox,
    Personal,
    packed,
    written_form,
)
from angarium.core.options import Options
from angarium.core.records import ForwardPath, Message, Recipient
from angarium.render.failure import GenerationFailure, GenerationRejection
from angarium.render.pipeline import Renderer, goes_alone, is_changed
from angarium.testing.spool import make_message

SHOP = (NamedMailbox("shop@shop.example", "The {{what}} shop"),)
HELLO = Form(
    fields=Fields(
        author=SHOP,
        subject="Hello {{name}}",
        headers=(("X-Order", "{{order}}"),),
        text="Dear {{name}},\nyour {{what}}.\n",
        html="<p>Dear {{name}}</p>",
    ),
    language="mustachio",
    shared=b'{"what": "tea", "name": "friend"}',
    hostname="mail.shop.example",
)


def slice_of(*addresses: str, **how: Any) -> Message:
    paths = tuple(ForwardPath(address=each, domain=each.partition("@")[2]) for each in addresses)
    return msgspec.structs.replace(
        make_message(content=bytes(16)),
        recipients=paths or (ForwardPath(address="ann@one.example", domain="one.example"),),
        is_form=True,
        author_domain="shop.example",
        **how,
    )


def text_for(form: Form, *personal: Personal, index: int = 0, message: Message | None = None) -> bytes:
    recipient = Recipient(message or slice_of(), index, "default", "one.example")
    return Renderer().render(recipient, written_form(form, b"Subject: x\r\n"), packed(personal))


def mail_for(form: Form, data: dict[str, Any], name: str = "") -> EmailMessage:
    wire = text_for(form, Personal(name, msgspec.json.encode(data) if data else b""))
    read = email.message_from_bytes(wire, policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    assert not read.defects
    return read


def form_in(language: Language, subject: str, **how: Any) -> Form:
    fields = Fields(author=(NamedMailbox("a@shop.example"),), subject=subject, text="x")
    return Form(fields=fields, language=language, hostname="h.example", **how)


def parts_of(mail: EmailMessage) -> tuple[str, str]:
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    texts = (part.get_content().replace("\r\n", "\n") if part is not None else "" for part in (plain, html))
    return next(texts), next(texts)


def test_what_one_has_goes_before_what_all_have() -> None:
    mail = mail_for(HELLO, {"name": "Ann & Co", "order": 7}, name="Ann Smith")
    assert mail["From"] == "The tea shop <shop@shop.example>"
    assert mail["To"] == "Ann Smith <ann@one.example>"
    assert (mail["Subject"], mail["X-Order"]) == ("Hello Ann & Co", "7")
    assert parts_of(mail) == ("Dear Ann & Co,\nyour tea.\n", "<p>Dear Ann &amp; Co</p>\n")
    plain, _ = parts_of(mail_for(HELLO, {}))
    assert plain == "Dear friend,\nyour tea.\n"


def test_a_header_field_of_which_nothing_is_left_is_not_there() -> None:
    assert mail_for(HELLO, {})["X-Order"] is None


def test_the_same_message_and_recipient_are_the_same_bytes_at_each_attempt() -> None:
    message = slice_of("ann@one.example", "bob@two.example")
    people = [Personal("Ann", b'{"name": "Ann"}'), Personal("Bob", b'{"name": "Bob"}')]
    first = [text_for(HELLO, *people, index=index, message=message) for index in (0, 1)]
    assert [text_for(HELLO, *people, index=index, message=message) for index in (0, 1)] == first
    ids = [email.message_from_bytes(each)["Message-ID"] for each in first]
    assert ids == [f"<{message.id.hex()}.{index}@mail.shop.example>" for index in (0, 1)]
    assert b"Bob" not in first[0]
    assert b"Ann" not in first[1]


def test_a_form_is_made_anew_for_each_and_each_goes_alone() -> None:
    assert is_changed(slice_of())
    assert goes_alone(slice_of())


@pytest.mark.parametrize(
    ("language", "subject", "said"),
    [
        ("substitution", "{{address.name}} {{email}} {{what}}", "Ann ann@one.example own"),
        ("smarty", "{$recipient} {$envelope} {$what}", "ann@one.example from@example.org own"),
        ("mustachio", "{{address.name}} {{email}} {{what}}", "Ann ann@one.example own"),
    ],
)
def test_what_the_node_knows_of_the_recipient(language: Language, subject: str, said: str) -> None:
    form = form_in(language, subject, shared=b'{"what": "all"}')
    assert mail_for(form, {"what": "own"}, name="Ann")["Subject"] == said


def test_names_of_the_node_are_not_the_senders_in_the_substitution_language() -> None:
    assert mail_for(form_in("substitution", "{{email}}"), {"email": "x"})["Subject"] == "ann@one.example"


def test_dynamic_content_is_of_what_all_have_and_never_of_ones_own() -> None:
    form = form_in(
        "substitution",
        "{{render_dynamic_content(dynamic_html.a)}}",
        shared=b'{"dynamic_html": {"a": "{{x}}"}}',
    )
    assert mail_for(form, {"x": "1", "dynamic_html": {"a": "no"}})["Subject"] == "1"


def test_snippets_come_with_the_form() -> None:
    form = form_in("substitution", "x", snippets={"foot": {"text": "by {{who}}"}})
    form = msgspec.structs.replace(
        form, fields=msgspec.structs.replace(form.fields, text="{{render_snippet('foot')}}")
    )
    assert parts_of(mail_for(form, {"who": "us"}))[0] == "by us\n"


def test_without_a_language_nothing_is_a_template() -> None:
    form = msgspec.structs.replace(HELLO, language="")
    assert mail_for(form, {"name": "Ann"})["Subject"] == "Hello {{name}}"


def test_a_name_with_a_line_end_begins_no_other_field() -> None:
    mail = mail_for(
        HELLO, {"name": "a\r\nBcc: b@c.example", "order": "1\r\nX-Two: 2"}, name="a\r\nX-Three: 3"
    )
    assert {"Bcc", "X-Two", "X-Three"}.isdisjoint(mail)


def test_who_stands_in_to_may_be_another() -> None:
    wire = text_for(HELLO, Personal("", b"", "list@shop.example"))
    assert b"To: list@shop.example\r\n" in wire


def test_files_and_style_sheets_are_in_it_for_all() -> None:
    fields = msgspec.structs.replace(
        HELLO.fields,
        html="<style>p {color: red}</style><p>{{#name}}Dear {{name}}{{/name}}</p>",
        text=None,
        attachments=(Attachment("a.txt", "text/plain", b"file"),),
    )
    form = msgspec.structs.replace(HELLO, fields=fields)
    message = slice_of(options=Options(inline_css=True, text_from_html=True))
    mail = email.message_from_bytes(
        text_for(form, Personal("", b'{"name": {"name": "Ann"}}'), message=message),
        policy=email.policy.default,
    )
    assert isinstance(mail, EmailMessage)
    plain, html = parts_of(mail)
    assert 'style="color: red' in html
    assert plain.strip() == "Dear Ann"
    assert [each.get_content() for each in mail.iter_attachments()] == ["file"]


def with_fields(**fields: Any) -> Form:
    return msgspec.structs.replace(HELLO, fields=msgspec.structs.replace(HELLO.fields, **fields))


FAILURES = {
    "a value that is strictly asked for": (
        msgspec.structs.replace(HELLO, is_strict=True, shared=b""), b'{"name": "x"}', GenerationFailure, "from: line 1",
    ),
    "data that is no object": (HELLO, b"[1]", GenerationFailure, "Expected `object`"),
    "an address that is none": (
        with_fields(to=(NamedMailbox("{{order}}"),)),
        b'{"order": "a b"}', GenerationFailure, "is no address",
    ),
    "no author": (
        with_fields(author=(NamedMailbox("{{me}}"),)),
        b"", GenerationFailure, "nothing is left",
    ),
    "an author elsewhere": (
        with_fields(author=(NamedMailbox("a@{{at}}"),)),
        b'{"at": "bank.example"}', GenerationRejection, "at bank.example, not at shop.example",
    ),
    "a template that is none": (form_in("mustachio", "{{#open}}"), b"", GenerationRejection, "line 1"),
}  # fmt: skip


@pytest.mark.parametrize(("form", "data", "kind", "why"), FAILURES.values(), ids=FAILURES)
def test_what_cannot_be_made_is_said(
    form: Form, data: bytes, kind: type[GenerationFailure], why: str
) -> None:
    with pytest.raises(GenerationFailure, match=why) as failure:
        text_for(form, Personal("", data))
    assert type(failure.value) is kind


def test_what_is_no_form_is_rejected() -> None:
    recipient = Recipient(slice_of(), 0, "default", "one.example")
    with pytest.raises(GenerationRejection, match="no form"):
        Renderer().render(recipient, b"Subject: x\r\n", b"")
    with pytest.raises(GenerationFailure, match="data cannot be read"):
        Renderer().render(recipient, written_form(HELLO, b"A: b\r\n"), b"\xff")
