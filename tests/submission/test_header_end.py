"""Where the header ends for those who get a message, it ends for us: what follows is text, whatever it looks like."""

import asyncio
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from angarium.core.options import Options
from angarium.identity.limits import Limits
from angarium.identity.principal import Principal
from angarium.mime.header import HeaderBlock
from angarium.testing.intake import STRANGER, IntakeDesk, Taken, a_principal

HEADER = b"From: Shop <a@example.org>\r\nTo: you@far.test\r\nDate: d\r\nMessage-ID: <1@example.org>\r\n"
LOGIN = a_principal()


NO_HEADER = (
    "the message does not begin with a header: its first line is empty, or is no field such as From: ..."
)


def take(folder: Path, text: bytes, **how: Any) -> Taken:
    async def story() -> Taken:
        return await IntakeDesk(folder).submit(text, **how)

    return asyncio.run(story())


ENDS = {
    "a line of a mailbox file first": (
        b"From a@example.org Mon Nov 30\r\n" + HEADER + b"\r\nHello\r\n",
        HEADER + b"\r\nHello\r\n",
    ),
    "several of them": (
        b"From a Mon\r\n>From b Tue\r\n" + HEADER + b"\r\nHello\r\n",
        HEADER + b"\r\nHello\r\n",
    ),
    "a line without colon": (
        HEADER + b"wrapped without a blank\r\nSubject: s\r\n\r\nHello\r\n",
        HEADER + b"\r\nwrapped without a blank\r\nSubject: s\r\n\r\nHello\r\n",
    ),
    "no blank line": (
        HEADER + b"Hello,\r\nNote: text\r\n\r\nmore\r\n",
        HEADER + b"\r\nHello,\r\nNote: text\r\n\r\nmore\r\n",
    ),
    "no blank line at all": (HEADER + b"Hello,\r\nNote: text\r\n", HEADER + b"\r\nHello,\r\nNote: text\r\n"),
    "instructions in the text": (
        HEADER + b"Dear all,\r\nBcc: is how we hide people\r\nX-PM-Tag: t\r\nX-MSYS-API: {\r\nthanks\r\n",
        HEADER + b"\r\nDear all,\r\nBcc: is how we hide people\r\nX-PM-Tag: t\r\nX-MSYS-API: {\r\nthanks\r\n",
    ),
    "a name on a line of its own": (
        HEADER + b"Bcc\r\n : x@far.test\r\n\r\nHello\r\n",
        HEADER + b"\r\nBcc\r\n : x@far.test\r\n\r\nHello\r\n",
    ),
    "a name that is none": (
        HEADER + b"Gr\xfc\xdfe: x\r\n\r\nHello\r\n",
        HEADER + b"\r\nGr\xfc\xdfe: x\r\n\r\nHello\r\n",
    ),
}


@pytest.mark.parametrize("pieces", [None, 1, 7, 100_000])
@pytest.mark.parametrize(("sent", "left"), ENDS.values(), ids=ENDS)
def test_a_header_is_mended_before_anything_is_read(
    tmp_path: Path, sent: bytes, left: bytes, pieces: int | None
) -> None:
    for who in ({"principal": LOGIN}, {}, {"peer": STRANGER}):
        taken = take(tmp_path, sent, pieces=pieces, **who)
        assert (taken.reply.code, taken.sent) == (250, left)
        assert taken.message.body_size == len(left)
        assert taken.message.eight_bit == (not left.isascii())
        assert taken.message.options in (Options(), Options(stream="outbound"), Options(sign=False))


@pytest.mark.parametrize("pieces", [None, 1, 100_000])
@pytest.mark.parametrize("first", [b"\tstray\r\n", b" stray: x\r\n", b" \r\n"])
def test_nothing_of_ours_stands_before_a_line_that_would_go_on_with_it(
    tmp_path: Path, first: bytes, pieces: int | None
) -> None:
    text = first + HEADER + b"\r\nHello\r\n"
    taken = take(tmp_path, text, pieces=pieces)
    assert taken.entered[0][1] == b"\r\n" + text
    assert taken.sent.startswith(b"Date: ")
    assert taken.message.author_domain == ""
    reply = take(tmp_path, text, principal=LOGIN, pieces=pieces).reply
    assert str(reply) == f"550 5.6.0 {NO_HEADER}"


@pytest.mark.parametrize("text", [b"", b"\r\n" + HEADER, b"\xef\xbb\xbf" + HEADER, b"--b\r\n" + HEADER])
def test_who_has_no_header_at_all_is_told_so(tmp_path: Path, text: bytes) -> None:
    assert take(tmp_path, text, principal=LOGIN).reply.text == NO_HEADER


@pytest.mark.parametrize("pieces", [None, 3])
def test_an_author_in_the_text_is_none(tmp_path: Path, pieces: int | None) -> None:
    who = a_principal(limits=Limits(sender_domains="verified"))
    for text in (
        b"To: x\r\nFrom\r\n : boss@bank.test\r\n\r\n",
        b"To: x\r\ntext\r\nFrom: a@example.org\r\n\r\n",
    ):
        taken = take(tmp_path, text, principal=who, pieces=pieces)
        assert taken.reply.text.startswith("the message has no From field")


@pytest.mark.parametrize("end", [b"\r\nbody\r\n", b"body\r\n"])
@pytest.mark.parametrize("pieces", [None, 1, 1024])
def test_a_header_at_its_limit_is_taken_however_it_comes(
    tmp_path: Path, end: bytes, pieces: int | None
) -> None:
    header = HEADER + b"X: " + b"x" * (1024 - len(HEADER) - 5) + b"\r\n"
    assert len(header) == 1024
    taken = take(tmp_path, header + end, pieces=pieces, max_header_size=1024)
    assert (taken.reply.code, taken.sent) == (250, header + b"\r\nbody\r\n")
    reply = take(tmp_path, b"Y:" + header + end, pieces=pieces, max_header_size=1024).reply
    assert str(reply) == "552 5.3.4 the header is too large"


lines = st.lists(
    st.sampled_from(
        [
            *(
                b"From: a@example.org\r\n",
                b"From a Mon\r\n",
                b">From a\r\n",
                b"From\r\n",
                b" : x\r\n",
                b"\t\r\n",
            ),
            *(
                b"Bcc: x@far.test\r\n",
                b"X-PM-Tag: t\r\n",
                b"text\r\n",
                b": x\r\n",
                b"Subject: s\r\n folded\r\n",
            ),
            *(b"\r\n", b"a b: c\r\n", b"Date:\r\n", b"\xfc: x\r\n"),
        ]
    ),
    max_size=8,
).map(b"".join)


@pytest.mark.slow
@given(lines, st.sampled_from([LOGIN, None]), st.integers(1, 40) | st.none())
@settings(max_examples=200)
def test_a_reader_sees_the_body_that_was_sent_to_him(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, who: Principal | None, pieces: int | None
) -> None:
    """The header that is stored ends where Python's own parser sees it end, and nothing behind it is changed."""
    for message, body in take(
        tmp_path_factory.mktemp("desk"), text + b"end\r\n", principal=who, pieces=pieces
    ).entered:
        header = HeaderBlock.scan(body)
        read = message_from_bytes(message.trace + body)
        assert read.get_payload(decode=True) == body[header.body_at :]
        assert (text + b"end\r\n").endswith(body[header.body_at :])
        assert not header.has(b"bcc")
        assert read["Received"] is not None
        assert " : x" not in str(read["Received"])


@pytest.mark.parametrize(
    "line", [b"Bcc:\r\n", b"Date :\r\n", b"From: a@b\r\n", b"X-PM-Tag: a\r\n", b"a:\r\n \r\n"]
)
@pytest.mark.parametrize("pieces", [None, 20_000])
def test_a_header_of_more_lines_than_can_be_looked_at_is_refused(
    tmp_path: Path, line: bytes, pieces: int | None
) -> None:
    text = HEADER + line * 10_000 + b"\r\nbody\r\n"
    reply = take(tmp_path, text, principal=LOGIN, pieces=pieces).reply
    assert str(reply) == "552 5.3.4 the header is too large"
    folded = HEADER + b"X:" + b" x\r\n" * 9_000 + b"\r\nbody\r\n"
    assert take(tmp_path, folded, principal=LOGIN, pieces=pieces).sent == folded
