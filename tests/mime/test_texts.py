"""Texts edited in place: what is found, what is left alone, and that every other byte stays."""

import email
from email import policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.fields import Attachment, Fields, NamedMailbox
from angarium.mime.build.message import compose
from angarium.mime.texts import ShownText, edit_texts


def swapped(text: ShownText) -> bytes | None:
    return text.data.replace(b"OLD", b"NEWER")


def edited(message: str | bytes) -> bytes:
    wire = message.replace("\n", "\r\n").encode("latin-1") if isinstance(message, str) else message
    return edit_texts(wire, swapped)


def kinds(message: bytes) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    edit_texts(message, lambda text: found.append((text.kind, text.charset)))
    return found


def part(header: str, body: str) -> str:
    return f"{header}\n\n{body}"


EDITED = [
    ("Subject: OLD\n\nOLD\n", "Subject: OLD\n\nNEWER\n"),
    ("Content-Type: text/html\n\n<p>OLD</p>", "Content-Type: text/html\n\n<p>NEWER</p>"),
    (
        "Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n=4FLD=E9=\n x\n",
        "Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nNEWER=E9 x\n",
    ),
    ("Content-Transfer-Encoding: base64\n\nT0xE\n", "Content-Transfer-Encoding: base64\n\nTkVXRVI=\n"),
    ("Content-Transfer-Encoding: BASE64 (x)\n\nT0\nxE", "Content-Transfer-Encoding: BASE64 (x)\n\nTkVXRVI="),
    ("Content-Transfer-Encoding: 8bit\n\nOLD \xe9\n", "Content-Transfer-Encoding: 8bit\n\nNEWER \xe9\n"),
]


@pytest.mark.parametrize(("before", "after"), EDITED)
def test_a_text_keeps_its_encoding(before: str, after: str) -> None:
    assert edited(before) == after.replace("\n", "\r\n").encode("latin-1")


TREE = """Content-Type: multipart/mixed; boundary="===1=="

OLD preamble --===1== in mid-line
--===1==
Content-Type: multipart/alternative; boundary="===1==2"

--===1==2

OLD plain --===1==2
--===1==2
Content-Type: multipart/related; boundary=r

--r
Content-Type: text/html

<p>OLD</p>
--r
Content-Type: image/png

OLD
--r--
--===1==2--
--===1==
Content-Type: text/plain
Content-Disposition: attachment; filename=OLD.txt

OLD
--===1==
Content-Type: message/rfc822

Subject: x

OLD
--===1==--
OLD epilogue
"""


def test_only_shown_texts_of_a_tree_are_edited() -> None:
    after = (
        TREE.replace("OLD plain", "NEWER plain").replace("<p>OLD", "<p>NEWER").replace("\n", "\r\n").encode()
    )
    assert edited(TREE) == after


UNTOUCHED = [
    "Content-Type: multipart/signed; boundary=b\n\n--b\nContent-Type: text/html\n\nOLD\n--b\n\nOLD\n--b--\n",
    "Content-Type: multipart/encrypted; boundary=b\n\n--b\nContent-Type: application/octet-stream\n\nOLD\n--b--\n",
    "Content-Type: application/pkcs7-mime\n\nOLD\n",
    "\n-----BEGIN PGP SIGNED MESSAGE-----\n\nOLD\n",
    "Content-Type: text/html; charset=utf-16\n\nOLD",
    "Content-Type: text/html; charset=iso-2022-jp\n\nOLD",
    "Content-Type: text/html; charset=rot13\n\nOLD",
    "Content-Type: text/html; charset=nosuch\n\nOLD",
    "Content-Type: text/calendar\n\nOLD",
    "Content-Transfer-Encoding: x-uuencode\n\nOLD",
    "Content-Transfer-Encoding: base64\n\nT0xET\n",
    "Content-Type: text/plain\nContent-Type: text/html\n\nOLD\n",
    "Content-Disposition: ATTACHMENT\n\nOLD\n",
    "Content-Type: multipart/mixed; boundary=b\n\nno parts: OLD",
]


@pytest.mark.parametrize("message", UNTOUCHED)
def test_what_is_left_alone(message: str) -> None:
    wire = message.replace("\n", "\r\n").encode()
    assert edit_texts(wire, swapped) is wire


def test_a_line_that_becomes_too_long_is_encoded() -> None:
    wire = b"Content-Type: text/html; charset=utf-8\r\nX: y\r\n\r\n" + b"x" * 990 + b"OLD\r\n"
    after = edit_texts(wire, lambda text: text.data.replace(b"OLD", b"http://t.test/"))
    assert max(map(len, after.split(b"\r\n"))) <= 998
    message = email.message_from_bytes(after, policy=policy.default)
    assert message["X"] == "y"
    assert message.get_content().rstrip("\r\n") == "x" * 990 + "http://t.test/"


def test_kinds_and_charsets() -> None:
    wire = compose(
        Fields(author=(NamedMailbox("a@b.test"),), text="é", html="<p>é", amp="<html ⚡4email>"), seed="x"
    )
    assert kinds(wire) == [("plain", "utf-8"), ("amp", "utf-8"), ("html", "utf-8")]
    assert kinds(b"Content-Type: text/plain; charset=Windows-1252\r\n\r\nx") == [("plain", "cp1252")]
    assert kinds(b"\r\nx") == [("plain", "utf-8")]


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=80)


@given(texts, texts, st.binary(max_size=50))
def test_decoded_texts_change_as_said_and_nothing_else_does(text: str, html: str, content: bytes) -> None:
    fields = Fields(
        author=(NamedMailbox("a@b.test"),),
        subject="OLD",
        text=f"{text}OLD",
        html=f"{html}OLD",
        attachments=(Attachment("f", "x/y", content),),
    )
    before = compose(fields, seed="x")
    found: dict[str, bytes] = {}
    after = edit_texts(before, lambda part: found.setdefault(part.kind, part.data) and swapped(part))
    again: dict[str, bytes] = {}
    assert edit_texts(after, lambda part: again.setdefault(part.kind, part.data) and None) is after
    assert again == {kind: data.replace(b"OLD", b"NEWER") for kind, data in found.items()}
    undone = edit_texts(after, lambda part: found[part.kind])
    assert [line for line in undone.split(b"\r\n") if line not in before.split(b"\r\n")] == []
