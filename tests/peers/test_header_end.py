"""A header ends for us where it ends for Postfix."""

import smtplib

import pytest

from angarium.mime.header import HeaderBlock, mended
from angarium.testing.peers import Postfix

ODD = {
    "whole": b"From: a@b.test\r\nSubject: s\r\n\r\nhi\r\n",
    "mailbox": b"From a@b Mon Nov 30 10:00:00 2026\r\n>From c@d Tue\r\nFrom: a@b.test\r\nSubject: s\r\n\r\nhi\r\n",
    "mailbox line later": b"Subject: s\r\nFrom a@b Mon\r\nFrom: a@b.test\r\n\r\nhi\r\n",
    "no colon": b"From: a@b.test\r\nno colon here\r\nSubject: s\r\n\r\nhi\r\n",
    "no blank line": b"From: a@b.test\r\nhello,\r\nBcc: is how\r\n\r\nbye\r\n",
    "blank first": b" stray\r\nFrom: a@b.test\r\n\r\nhi\r\n",
    "colon on the next line": b"Subject: s\r\nFrom\r\n : a@b.test\r\n\r\nhi\r\n",
    "a line of blanks": b"From: a@b.test\r\n \r\nSubject: s\r\n\r\nhi\r\n",
    "no name": b"From: a@b.test\r\n: x\r\nSubject: s\r\n\r\nhi\r\n",
    "eight bits in a name": b"From: a@b.test\r\nS\xfcb: x\r\nSubject: s\r\n\r\nhi\r\n",
    "blanks before the colon": b"From: a@b.test\r\nSubject \t: s\r\n\r\nhi\r\n",
    "nothing but a header": b"From: a@b.test\r\nSubject: s\r\n",
}


def test_it_ends_there_for_odd_messages(postfix: Postfix) -> None:
    for number, text in enumerate(ODD.values(), 1):
        with smtplib.SMTP("127.0.0.1", postfix.port) as client:
            client.ehlo("client.test")
            client.mail("a@b.test")
            client.rcpt("b@example.com")
            assert client.docmd("DATA")[0] == 354
            client.send(text + b".\r\n")
            assert client.getreply()[0] == 250
        postfix.messages(number)
    for text, data in zip(ODD.values(), postfix.messages(len(ODD)), strict=True):
        ours = mended(text)
        body = ours[HeaderBlock.scan(ours).body_at :]
        assert data.partition(b"\n\n")[2] == body.replace(b"\r\n", b"\n"), text


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_what_is_mended_is_whole(text: bytes) -> None:
    assert not HeaderBlock.scan(mended(text)).lacks_blank_line
