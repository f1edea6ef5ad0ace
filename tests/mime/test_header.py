"""The header block as it lies in the message."""

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from angarium.mime.header import Field, HeaderBlock, cut, mended

MESSAGE = (
    b"Received: from a by b;\r\n\tSat, 21 Nov 2026 10:00:00 +0000\r\n"
    b"Subject: one\r\n two\r\n"
    b"RECEIVED: from c by d\r\n"
    b"X-Old \t: blanks before the colon\r\n"
    b"X-Empty:\r\n"
    b"X-Odd: \xff\xc3\xa4\r\n"
    b"\r\n"
    b"Date: in the body\r\n\r\nmore"
)


def test_the_block_ends_before_the_blank_line_and_the_body_begins_after_it() -> None:
    header = HeaderBlock.scan(MESSAGE)
    assert header.raw.endswith(b"X-Odd: \xff\xc3\xa4\r\n")
    assert MESSAGE[header.body_at :] == b"Date: in the body\r\n\r\nmore"
    assert header.size == len(header.raw)
    assert header.is_complete


def test_fields_are_found_whatever_their_case() -> None:
    header = HeaderBlock.scan(MESSAGE)
    assert header.received_count == 2
    assert header.has(b"subject")
    assert not header.has(b"date")


def test_a_name_inside_a_value_or_in_the_body_is_no_field() -> None:
    header = HeaderBlock.scan(b"X: received: date:\r\n received: folded\r\nXReceived: y\r\n\r\nDate: no\r\n")
    assert header.received_count == 0
    assert not header.has(b"date")


def test_the_first_value_comes_unfolded_and_stripped() -> None:
    header = HeaderBlock.scan(MESSAGE)
    assert header.first(b"subject") == "one two"
    assert header.first(b"x-old") == "blanks before the colon"
    assert header.first(b"x-empty") == ""
    assert header.first(b"x-none") == ""
    assert header.first(b"x-odd") == "�ä"
    assert header.first(b"received") == "from a by b;\tSat, 21 Nov 2026 10:00:00 +0000"


def test_all_fields_come_in_order_with_their_raw_bytes() -> None:
    fields = HeaderBlock.scan(MESSAGE).fields()
    assert [field.name for field in fields] == [
        b"received",
        b"subject",
        b"received",
        b"x-old",
        b"x-empty",
        b"x-odd",
    ]
    assert fields[1] == Field(b"subject", b"Subject: one\r\n two\r\n", b" one\r\n two")


@pytest.mark.parametrize(
    ("data", "raw", "body", "complete"),
    [
        (b"", b"", b"", False),
        (b"\r\nbody", b"", b"body", True),
        (b"\nbody", b"", b"body", True),
        (b"A: b\r\n", b"A: b\r\n", b"", False),
        (b"A: b", b"A: b", b"", False),
        (b"A: b\r\n\r\n", b"A: b\r\n", b"", True),
        (b"A: b\n\nbody\r\n\r\nmore", b"A: b\n", b"body\r\n\r\nmore", True),
        (b"A: b\n\r\nbody", b"A: b\n", b"body", True),
        (b"A: b\r\n \r\n\r\nbody", b"A: b\r\n \r\n", b"body", True),
        (b"A:\0:\xff\r\n\r\n\0", b"A:\0:\xff\r\n", b"\0", True),
        # a line that is no field ends the header, as it does for everybody who gets the message
        (b"A: b\r\nno field\r\nC: d\r\n\r\nbody", b"A: b\r\n", b"no field\r\nC: d\r\n\r\nbody", True),
        (b"A: b\r\nno field\r\nC: d\r\n", b"A: b\r\n", b"no field\r\nC: d\r\n", True),
        (b"A: b\nno field\nC: d\n\nbody", b"A: b\n", b"no field\nC: d\n\nbody", True),
        (b"A: b\r\nFrom\r\n : c\r\n\r\n", b"A: b\r\n", b"From\r\n : c\r\n\r\n", True),
        (b"A: b\r\n: c\r\n\r\n", b"A: b\r\n", b": c\r\n\r\n", True),
        (b"A: b\r\nS\xfcb: c\r\n\r\n", b"A: b\r\n", b"S\xfcb: c\r\n\r\n", True),
        (b"A: b\r\nS\0b: c\r\n\r\n", b"A: b\r\n", b"S\0b: c\r\n\r\n", True),
        (b"A: b\r\nC d: e\r\n\r\n", b"A: b\r\n", b"C d: e\r\n\r\n", True),
        (b" A: b\r\nC: d\r\n\r\n", b"", b" A: b\r\nC: d\r\n\r\n", True),
        (b"From a@b Mon\r\nC: d\r\n\r\n", b"", b"From a@b Mon\r\nC: d\r\n\r\n", True),
        # a line without its end may become one
        (b"no field", b"no field", b"", False),
        (b"A: b\r\nno field", b"A: b\r\nno field", b"", False),
    ],
)
def test_odd_messages_have_a_header_block_too(data: bytes, raw: bytes, body: bytes, complete: bool) -> None:
    header = HeaderBlock.scan(data)
    assert (header.raw, data[header.body_at :], header.is_complete) == (raw, body, complete)


@pytest.mark.parametrize(
    ("sent", "mended_to"),
    [
        (b"A: b\r\nno field\r\nBcc: c\r\n", b"A: b\r\n\r\nno field\r\nBcc: c\r\n"),
        (b" A: b\r\nC: d\r\n\r\nbody", b"\r\n A: b\r\nC: d\r\n\r\nbody"),
        (b"From a@b Mon\r\nA: b\r\n\r\nbody", b"A: b\r\n\r\nbody"),
        (b"From a\r\n>From b\r\n>>From c\r\nA: b\r\n\r\nbody", b"A: b\r\n\r\nbody"),
        (b"From a@b Mon\r\ntext\r\n", b"\r\ntext\r\n"),
        (b"From a@b Mon\r\n\r\ntext\r\n", b"\r\ntext\r\n"),
        (b"A: b\r\nFrom a@b Mon\r\nC: d\r\n", b"A: b\r\n\r\nFrom a@b Mon\r\nC: d\r\n"),
    ],
)
def test_a_header_that_others_see_end_ends_there(sent: bytes, mended_to: bytes) -> None:
    assert HeaderBlock.scan(sent).lacks_blank_line
    assert mended(sent) == mended_to


@pytest.mark.parametrize(
    "sent",
    [MESSAGE, b"", b"\r\nbody", b"A: b\r\n", b"A: b\r\n\r\nno field", b"From : a\r\n\r\n", b"From:a\r\n\r\n"],
)
def test_what_is_whole_is_not_touched(sent: bytes) -> None:
    assert not HeaderBlock.scan(sent).lacks_blank_line
    assert mended(sent) is sent


def test_a_field_without_a_value_says_nothing() -> None:
    text = b"Date:\r\nMessage-ID: \t\r\n \r\nSubject: \r\n x\r\nTo: \r\nTo: a\r\n\r\n"
    header = HeaderBlock.scan(text)
    assert [header.says(name) for name in (b"date", b"message-id", b"subject", b"to", b"cc")] == [
        *(False, False, True, True, False)
    ]
    assert cut(text, header.empty(b"date", b"message-id", b"subject", b"to")) == (
        b"Subject: \r\n x\r\nTo: a\r\n\r\n"
    )


def test_fields_are_cut_out_and_everything_else_stays() -> None:
    header = HeaderBlock.scan(MESSAGE)
    spans = header.spans(b"received", b"x-old")
    assert cut(MESSAGE, spans) == (
        b"Subject: one\r\n two\r\nX-Empty:\r\nX-Odd: \xff\xc3\xa4\r\n\r\nDate: in the body\r\n\r\nmore"
    )
    assert header.spans(b"date") == []


def test_cuts_may_overlap_and_come_in_any_order() -> None:
    assert cut(b"0123456789", [(6, 8), (1, 3), (2, 4), (6, 7)]) == b"04589"
    assert cut(b"0123456789", []) == b"0123456789"
    assert cut(b"0123456789", [(0, 10)]) == b""


def test_a_prefix_is_looked_for_at_the_beginning_of_lines() -> None:
    header = HeaderBlock.scan(b"X-PM-Tag: a\r\nSubject: x-smtpeter-\r\n\r\nx-msys-api: b\r\n")
    assert header.matches(re.compile(rb"\n(?:x-msys-api|x-pm-)"))
    assert not header.matches(re.compile(rb"\n(?:x-msys-api|x-smtpeter-)"))


lines = st.sampled_from(
    [
        b"From: a\r\n",
        b"Date : b\n",
        b" folded\r\n",
        b"\tfolded\n",
        b"X-A:\r\n",
        b"text\r\n",
        b"\r\n",
        b"\n",
        b" \r\n",
    ]
)
pieces = st.lists(
    st.sampled_from([b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"a", b"Received", b"Date: x", b"\0", b"\xff"])
).map(b"".join)


def _without(data: bytes, name: bytes) -> list[bytes]:
    """Return *data* in pieces, the fields called *name* left out, put together the slow way."""
    header = HeaderBlock.scan(data)
    kept, at = [], 0
    for start, field in header.placed():
        kept.append(data[at:start])
        if field.name != name:
            kept.append(field.raw)
        at = start + len(field.raw)
    return [*kept, data[at:]]


@given(pieces | st.binary())
def test_no_bytes_are_too_odd(data: bytes) -> None:
    header = HeaderBlock.scan(data)
    assert data.startswith(header.raw)
    assert header.size <= header.body_at <= len(data)
    fields = header.fields()
    assert header.received_count == sum(field.name == b"received" for field in fields)
    assert cut(data, header.spans(b"a")) == b"".join(_without(data, b"a"))
    assert b"".join(field.raw for field in fields) == header.raw or not header.is_complete
    for name in (b"date", b"a"):
        values = [field.value for field in fields if field.name == name]
        assert header.has(name) == bool(values)
        expected = values[0].decode("utf-8", "replace") if values else ""
        assert header.first(name).split() == expected.split()


@given(
    st.lists(lines, max_size=8).map(b"".join), st.sampled_from([b"", b"\r", b"\r\n", b"\n", b"text\r\n\r\n"])
)
@example(b"From: a\r\n\n", b"\r\n")
def test_the_end_is_where_line_by_line_reading_finds_it(head: bytes, rest: bytes) -> None:
    """Headers as nearly all are take a short way, whose end must be that of the long one."""
    data = head + rest
    at, is_first = 0, True
    for line in data.splitlines(keepends=True) if b"\r" not in data.replace(b"\r\n", b"") else []:
        is_field = re.match(rb"[!-9;-~]+[ \t]*:", line) is not None
        if not line.endswith(b"\n") or not (is_field or (line[:1] in b" \t" and not is_first)):
            break
        at, is_first = at + len(line), False
    else:
        return  # a lone CR is nobody's line end here; nor is there an end where all are fields
    header = HeaderBlock.scan(data)
    if header.is_complete:
        assert header.size == at
        blank = data[at:].startswith(b"\r\n") * 2 or data[at:].startswith(b"\n") * 1
        assert header.body_at == at + blank


@given(pieces | st.binary())
def test_what_was_mended_is_whole_and_readers_find_its_end_there(data: bytes) -> None:
    found = mended(data)
    header = HeaderBlock.scan(found)
    assert mended(found) is found
    assert not header.lacks_blank_line
    assert not found.startswith((b" ", b"\t")) or not header.is_complete
    assert b"".join(field.raw for field in header.fields()) == header.raw or not header.is_complete


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", [b"a:\r\n", b"received \t", b" \r\n", b"received:\n\t", b" :", b"a", b"a :\n"]
)
def test_a_huge_header_takes_time_in_proportion(piece: bytes) -> None:
    def seconds(size: int) -> float:
        data = piece * (size // len(piece))
        start = time.process_time()
        header = HeaderBlock.scan(data)
        header.first(b"received")
        header.fields()
        return time.process_time() - start + header.received_count * 0

    assert seconds(1_000_000) < 50 * max(seconds(100_000), 0.002)
