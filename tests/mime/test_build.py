"""Messages made from fields, read by the standard library."""

import email
from email import policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from angarium.core.fields import Attachment, Fields, NamedMailbox
from angarium.mime.build.fields import is_field_name, mailbox_field, parameter, text_field
from angarium.mime.build.message import compose

ANN = NamedMailbox("ann@example.com", "Ann")
PLAIN = Fields(
    author=(ANN,), subject="Hello", to=(NamedMailbox("bob@example.com"),), text="Dear Bob,\nhello.\n"
)


def read(wire: bytes) -> EmailMessage:
    message = email.message_from_bytes(wire, policy=policy.default)
    assert isinstance(message, EmailMessage)
    for part in message.walk():
        assert part.defects == []
    return message


def shape(message: EmailMessage) -> object:
    """The tree of content types."""
    if not message.is_multipart():
        return message.get_content_type()
    return (message.get_content_subtype(), *(shape(part) for part in message.iter_parts()))


def lines_of(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def test_a_plain_message() -> None:
    assert compose(PLAIN, seed="1") == (
        b"From: Ann <ann@example.com>\r\n"
        b"To: bob@example.com\r\n"
        b"Subject: Hello\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=us-ascii\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Dear Bob,\r\nhello.\r\n"
    )


PICTURE = Attachment("a.png", "image/png", b"\x89PNG", "logo")
FILE = Attachment("a.pdf", "application/pdf", b"%PDF")

SHAPES = [
    (replace(PLAIN, text=None), "text/plain"),
    (replace(PLAIN, html="<p>"), ("alternative", "text/plain", "text/html")),
    (replace(PLAIN, text=None, html="<p>"), "text/html"),
    (replace(PLAIN, amp="<html ⚡4email>", html="<p>"), ("alternative", "text/plain", "text/x-amp-html", "text/html")),
    (replace(PLAIN, attachments=(FILE,)), ("mixed", "text/plain", "application/pdf")),
    (
        replace(PLAIN, html="<p>", attachments=(PICTURE,)),
        ("alternative", "text/plain", ("related", "text/html", "image/png")),
    ),
    (
        replace(PLAIN, html="<p>", attachments=(FILE, PICTURE,)),
        ("mixed", ("alternative", "text/plain", ("related", "text/html", "image/png")), "application/pdf"),
    ),
    (replace(PLAIN, attachments=(PICTURE,)), ("mixed", "text/plain", "image/png")),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "tree"), SHAPES)
def test_the_tree_of_parts(fields: Fields, tree: object) -> None:
    assert shape(read(compose(fields, seed="x"))) == tree


def test_an_image_of_the_text_has_its_content_id() -> None:
    wire = compose(replace(PLAIN, html="<img src=cid:logo>", attachments=(PICTURE,)), seed="x")
    image = next(part for part in read(wire).walk() if part.get_content_type() == "image/png")
    assert (image["Content-ID"], image.get_content_disposition(), image.get_content()) == (
        "<logo>",
        "inline",
        b"\x89PNG",
    )
    foul = replace(PLAIN, html="", attachments=(PICTURE._replace(content_id="cid:<a>\r\nX: y ü"),))
    assert b"Content-ID: <a_X:_y__>\r\n" in compose(foul, seed="x")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain\n", "7bit"),
        ("x" * 998, "7bit"),
        ("x" * 999, "quoted-printable"),
        ("héllo, this is mostly ASCII\n", "quoted-printable"),
        ("привет\n", "base64"),
        ("a\0b, and so on", "quoted-printable"),
        ("trailing \t\n.\nFrom me\nü and so on\n", "quoted-printable"),
    ],
)
def test_text_is_encoded_as_fits(text: str, encoding: str) -> None:
    message = read(compose(replace(PLAIN, text=text), seed="x"))
    assert message["Content-Transfer-Encoding"] == encoding
    assert lines_of(message.get_content()).rstrip("\n") == text.rstrip("\n")


def test_a_message_within_is_not_encoded_unless_it_must_be() -> None:
    inner = Attachment("m.eml", "message/rfc822", b"Subject: x\n\ny\n")
    message = read(compose(replace(PLAIN, attachments=(inner,)), seed="x"))
    (part,) = message.iter_attachments()
    assert part.get_content()["Subject"] == "x"
    long = inner._replace(content=b"Subject: \xff\n\n" + b"y" * 2000)
    (part,) = read(compose(replace(PLAIN, attachments=(long,)), seed="x")).iter_attachments()
    assert (part.get_content_type(), part.get_content()) == ("application/octet-stream", long.content)


def test_a_boundary_never_stands_in_what_it_divides() -> None:
    one = compose(replace(PLAIN, attachments=(FILE,)), seed="x")
    boundary = read(one).get_boundary()
    foul = replace(PLAIN, text=f"a\n--{boundary}\n--{boundary}--\nb", attachments=(FILE,))
    message = read(compose(foul, seed="x"))
    assert shape(message) == ("mixed", "text/plain", "application/pdf")
    assert lines_of(next(message.iter_parts()).get_content()).rstrip("\n") == foul.text


def test_the_same_seed_makes_the_same_bytes() -> None:
    fields = replace(
        PLAIN,
        html="<p>",
        attachments=(
            FILE,
            PICTURE,
        ),
    )
    assert compose(fields, seed="x") == compose(fields, seed="x") != compose(fields, seed="y")


FOUL = "a\r\nBcc: all@example.com\r\n\r\n<script>\u2028\x85\0"


def test_nothing_begins_another_field() -> None:
    fields = Fields(
        author=(NamedMailbox("ann@example.com", FOUL),),
        subject=FOUL,
        headers=(("X-One", FOUL),),
        text="x",
        attachments=(Attachment(FOUL, FOUL, b"", FOUL),),
    )
    message = read(compose(fields, seed=FOUL))
    assert sorted(message) == ["Content-Type", "From", "MIME-Version", "Subject", "X-One"]
    (part,) = message.iter_attachments()
    assert sorted(part) == ["Content-Disposition", "Content-ID", "Content-Transfer-Encoding", "Content-Type"]


@pytest.mark.parametrize("address", ["", "a@b>\r\nBcc: c", "<a@b", "a b@c", "a@b\n"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        mailbox_field("To", [NamedMailbox(address)])


def test_names_of_fields() -> None:
    assert [is_field_name(name) for name in ("X-A", "a", "", "a b", "a:", "ä", "a\n", "x" * 77)] == [
        True,
        True,
    ] + [False] * 6


FIELDS = [
    ("short", "Subject: short\r\n"),
    (" two  blanks ", "Subject: two  blanks\r\n"),
    ("", "Subject: \r\n"),
    ("=?utf-8?q?no_word?=", "Subject: =?utf-8?b?PT91dGYtOD9xP25vX3dvcmQ/PQ==?=\r\n"),
    ("word " * 20, "Subject: " + "word " * 12 + "word\r\n " + "word " * 6 + "word\r\n"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "field"), FIELDS)
def test_fields_of_text(text: str, field: str) -> None:
    assert text_field("Subject", text) == field


def test_parameters() -> None:
    assert parameter("name", "a.png") == "; name=a.png"
    assert parameter("name", 'a "b".png') == ';\r\n name="a \\"b\\".png"'
    assert parameter("name", "ü.png") == ";\r\n name*=utf-8''%C3%BC.png"


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)
words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=100)


@given(texts, texts, words, words, st.binary(max_size=200), words)
def test_whatever_goes_in_comes_out(
    text: str, html: str, subject: str, name: str, content: bytes, file: str
) -> None:
    wire = compose(
        Fields(
            author=(NamedMailbox("ann@example.com", name),),
            subject=subject,
            to=(NamedMailbox("bob@example.com", name), NamedMailbox("c@example.com")),
            text=text,
            html=html,
            attachments=(Attachment(file, "application/x-a", content),),
        ),
        seed="s",
    )
    assert wire.isascii()
    assert max(map(len, wire.split(b"\r\n"))) <= 998
    assert b"\n" not in wire.replace(b"\r\n", b"")
    message = read(wire)
    body, alternative = message.get_body(("plain",)), message.get_body(("html",))
    assert body is not None
    assert alternative is not None
    assert lines_of(body.get_content()) in (lines_of(text), lines_of(text) + "\n")
    assert lines_of(alternative.get_content()) in (lines_of(html), lines_of(html) + "\n")
    assert message["Subject"].strip() == subject.strip()
    assert [mailbox.addr_spec for mailbox in message["To"].addresses] == ["bob@example.com", "c@example.com"]
    (part,) = message.iter_attachments()
    assert part.get_content() == content
