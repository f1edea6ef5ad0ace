"""Reading replies."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.reply import Reply, reply_from_lines
from angarium.smtp.replies import MAX_ENDLESS_BYTES, MAX_LINE_BYTES, MAX_REPLY_BYTES, ReplyParser

texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=40)
codes = st.integers(200, 599)
enhanced = st.builds(
    lambda c, s, d: f"{c}.{s}.{d}", st.sampled_from("245"), st.integers(0, 999), st.integers(0, 999)
)


@st.composite
def wires(draw: st.DrawFn) -> bytes:
    """Some replies of one or more lines, with CRLF or LF, with and without enhanced codes."""
    wire = ""
    for _ in range(draw(st.integers(1, 4))):
        code, end = draw(codes), draw(st.sampled_from(["\r\n", "\n"]))
        prefix = draw(st.one_of(st.just(""), enhanced.map(lambda e: e + " ")))
        lines = draw(st.lists(texts, min_size=1, max_size=3))
        wire += "".join(f"{code}-{prefix}{line}{end}" for line in lines[:-1])
        wire += f"{code} {prefix}{lines[-1]}{end}"
    return wire.encode()


def read(pieces: list[bytes]) -> tuple[list[Reply], str | None]:
    parser = ReplyParser()
    replies = [reply for piece in pieces for reply in parser.feed(piece)]
    return replies, parser.error


def split(wire: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(wire) + 1) for cut in cuts} | {0, len(wire)})
    return [wire[a:b] for a, b in pairwise(places)]


@given(wires(), st.lists(st.integers(0, 500), max_size=8))
def test_cuts_do_not_matter(wire: bytes, cuts: list[int]) -> None:
    assert read(split(wire, cuts)) == read([wire]) == read([wire[i : i + 1] for i in range(len(wire))])


@given(codes, enhanced, texts)
def test_a_single_line_is_read_as_reply_from_lines_does(code: int, status: str, text: str) -> None:
    for line in (text, f"{status} {text}", status):
        expected = reply_from_lines(code, [line])
        assert read([f"{code} {line}\r\n".encode()]) == ([expected], None)


@given(codes, enhanced, st.lists(texts.map(str.strip), min_size=1, max_size=3))
def test_reading_undoes_encode(code: int, status: str, lines: list[str]) -> None:
    reply = reply_from_lines(code, [f"{status} {line}" for line in lines])
    assert read([reply.encode()]) == ([reply], None)


@given(st.binary(max_size=200), st.lists(st.integers(0, 500), max_size=5))
def test_garbage_never_raises_and_is_told_once(noise: bytes, cuts: list[int]) -> None:
    replies, error = read(split(noise, cuts))
    assert (replies, error) == read([noise])


def test_replies_before_garbage_are_still_told() -> None:
    replies, error = read([b"250 ok\r\nHTTP/1.1 400\r\n250 ok\r\n"])
    assert replies == [Reply(250, "", "ok")]
    assert error == "not a reply line: 'HTTP/1.1 400'"


@pytest.mark.parametrize(
    "line", [b"199 low", b"600 high", b"25 short", b"2500 long", b"250ok", b"", b"-250 ok"]
)
def test_what_is_not_a_reply_line(line: bytes) -> None:
    assert read([line + b"\r\n"])[1] is not None


def test_a_bare_code_is_a_reply() -> None:
    assert read([b"250\r\n"]) == ([Reply(250)], None)


def test_the_last_lines_code_counts() -> None:
    assert read([b"250-a\r\n421 b\r\n"])[0] == [Reply(421, "", "a\nb")]
    assert read([b"450-a\r\n550 5.1.1 b\r\n"])[0][0].code == 550


def test_a_yes_after_a_no_is_a_temporary_failure() -> None:
    [reply] = read([b"550-5.1.1 a\r\n250 b\r\n"])[0]
    assert (reply.code, reply.enhanced) == (451, "4.5.0")
    assert "550 5.1.1 a / 250 b" in reply.text


def test_control_characters_and_bad_utf8_cannot_reach_a_terminal_or_a_header() -> None:
    assert read([b"250 a\rb\x1b[2Jc\x00\xff\t.\r\n"])[0] == [
        Reply(250, "", "a\ufffdb\ufffd[2Jc\ufffd\ufffd\t.")
    ]


@pytest.mark.parametrize("line", [b"250\tok", b"250 ok\r", b"250 ok\r\r"])
def test_odd_ends_of_lines_and_codes_are_tolerated(line: bytes) -> None:
    assert read([line + b"\r\n"]) == ([Reply(250, "", "ok")], None)
    assert read([b"250\r\r\n"]) == ([Reply(250)], None)


@given(st.integers(1, 20_000), st.lists(st.integers(0, 30_000), max_size=5))
def test_a_long_line_is_cut_and_its_code_counts(more: int, cuts: list[int]) -> None:
    wire = b"550 5.1.1 " + b"x" * (MAX_LINE_BYTES - 10 + more) + b"\r\n250 ok\r\n"
    replies, error = read(split(wire, cuts))
    assert replies == [Reply(550, "5.1.1", "x" * (MAX_LINE_BYTES - 10)), Reply(250, "", "ok")]
    assert error is None


def test_a_long_reply_is_cut_and_its_last_code_counts() -> None:
    line = b"-" + b"x" * 1000 + b"\r\n"
    [reply], error = read([b"550" + line] * 100 + [b"450" + line] * 100 + [b"550 5.1.1 end\r\n"])
    assert error is None
    assert (reply.code, reply.text[-9:]) == (550, "5.1.1 end")
    assert len(reply.text) < MAX_REPLY_BYTES + 2000
    [mixed], _ = read([b"250" + line] * 100 + [b"550" + line, b"250 end\r\n"])
    assert (mixed.code, mixed.enhanced) == (451, "4.5.0")


@pytest.mark.parametrize("piece", [b"x" * 10_000, b"250-" + b"x" * 1000 + b"\r\n", b"250-\r\n"])
def test_a_reply_without_end_is_none_and_fills_no_memory(piece: bytes) -> None:
    parser = ReplyParser()
    parser.feed(b"250 " if piece.startswith(b"x") else b"")
    for _ in range(MAX_ENDLESS_BYTES // len(piece) + 2):
        assert not parser.feed(piece)
    assert "more than 1048576 bytes" in str(parser.error)
    assert not parser.feed(b"\r\n250 ok\r\n")


@given(wires(), wires())
def test_what_was_heard_before_changes_nothing(wire: bytes, other: bytes) -> None:
    """Peers say the same few things all day, and what they mean is kept."""
    heard = read([wire])
    assert read([wire]) == heard
    parser = ReplyParser()
    unfinished = b"250-" + wire  # in which the same bytes are something else
    assert [*parser.feed(b"250-"), *parser.feed(wire), *parser.feed(other)] == read([unfinished + other])[0]
