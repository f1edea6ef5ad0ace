"""A plain text beside an HTML part that has none."""

import email
from email import policy

import pytest

from angarium.mime.alternative import with_plain_text
from angarium.mime.texts import ShownText


def text_of(html: ShownText) -> str:
    return html.data.decode(html.charset).replace("<p>", "").strip() + "\n"


HTML = b"From: a@b.test\r\nContent-Type: text/html; charset=latin1\r\nSubject: x\r\n\r\n<p>\xe9\r\n"
ALTERNATIVE = b"""From: a@b.test\r
Subject: x\r
MIME-Version: 1.0\r
Content-Type: multipart/alternative; boundary="=_B"\r
\r
--=_B\r
Content-Type: text/plain; charset="utf-8"\r
Content-Transfer-Encoding: quoted-printable\r
\r
=C3=A9\r
--=_B\r
Content-Type: text/html; charset=latin1\r
\r
<p>\xe9\r
\r
--=_B--\r
"""


def test_a_mail_of_html_gets_both() -> None:
    made = with_plain_text(HTML, text_of)
    (boundary,) = {
        line[2:-2] for line in made.split(b"\r\n") if line.startswith(b"--") and line.endswith(b"--")
    }
    assert made == ALTERNATIVE.replace(b"=_B", boundary)
    assert with_plain_text(HTML, text_of) == made


RELATED = b"""MIME-Version: 1.0\r
Content-Type: multipart/related; boundary=b\r
\r
--b\r
Content-ID: <root>\r
Content-Type: text/html\r
Content-Transfer-Encoding: base64\r
\r
PHA+eA==\r
--b\r
Content-Type: image/png\r
Content-ID: <i>\r
\r
png\r
--b--\r
epilogue"""


def test_what_stands_around_the_html_stays() -> None:
    made = with_plain_text(RELATED, text_of)
    before, after = RELATED.split(
        b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPHA+eA=="
    )
    assert made.startswith(before + b"Content-Type: multipart/alternative;")
    assert made.endswith(b"--" + after)
    parsed = email.message_from_bytes(made, policy=policy.default)
    said = [part.get_content() for part in parsed.walk() if part.get_content_maintype() == "text"]
    assert (said, parsed.defects) == (["x", "<p>x"], [])


UNCHANGED = {
    "has a plain text": b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n"
    b"<p>x\r\n--b\r\n\r\nplain\r\n--b--\r\n",
    "has no html": b"Subject: x\r\n\r\ntext\r\n",
    "signed": b"Content-Type: multipart/signed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>x\r\n--b--\r\n",
    "attached": b"Content-Type: text/html\r\nContent-Disposition: attachment\r\n\r\n<p>x",
    "within a message": b"Content-Type: message/rfc822\r\n\r\nContent-Type: text/html\r\n\r\n<p>x",
    "says nothing": b"Content-Type: text/html\r\n\r\n<p>",
}  # fmt: skip


@pytest.mark.parametrize("mail", UNCHANGED.values(), ids=UNCHANGED)
def test_what_stays_as_it_is(mail: bytes) -> None:
    assert with_plain_text(mail, text_of) is mail
