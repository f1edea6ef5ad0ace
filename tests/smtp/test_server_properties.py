"""What holds for every dialog: reads may end anywhere, nothing raises, nothing grows without bound."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from angarium.smtp.stuffing import DotStuffer
from angarium.testing.server_peer import ServerPeer

ENVELOPE = b"EHLO client.example\r\nMAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.net>\r\n"
LET_PIPELINE = "option refuse_unauthorised_pipelining false"

COMMANDS = st.sampled_from(
    [
        b"MAIL FROM:<alice@example.org>\r\n",
        b"RCPT TO:<bob@example.net>\r\n",
        b"RCPT TO:<bob@example.net> NOTIFY=NEVER\r\n",
        b"DATA\r\n",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"HELO client.example\r\n",
        b"BDAT 7\r\none\r\ntw",
        b"BDAT 4 LAST\r\n.\r\nx",
        b"BDAT 0 LAST\r\n",
        b"BDAT 200\r\n",
        b"\r\n.\r\n",
        b"0123456789" * 12,
    ]
)
SCRAPS = st.sampled_from(
    [b"\r\n", b"\r", b"\n", b".", b"..", b"\0", b"text", b"\r\n.\r\n", b"\r\n..", b"x" * 40]
)
POLICIES = st.sampled_from(["auto", "refuse", "mend", "fix", "ignore"])


@st.composite
def peers(draw: st.DrawFn) -> tuple[str, ...]:
    """Settings of a server with small limits and any policies."""
    return (
        LET_PIPELINE,
        f"option lone_lf_in_commands {draw(st.sampled_from(['refuse', 'start', 'fix']))}",
        f"option lone_lf_in_headers {draw(POLICIES)}",
        f"option lone_lf_in_body {draw(POLICIES)}",
        f"option lone_cr {draw(POLICIES)}",
        f"limit max_message_size {draw(st.sampled_from([0, 30, 100]))}",
        f"limit max_text_line_length {draw(st.sampled_from([0, 10, 41]))}",
        f"limit swallow_limit {draw(st.sampled_from([20, 150, 100_000]))}",
        "limit max_command_length 100",
    )


def outcome(settings: tuple[str, ...], writes: list[bytes]) -> tuple[bytes, list[str], list[bytes]]:
    """Return replies, events and bodies. How large bodies are cut into pieces is left out."""
    peer = ServerPeer(*settings)
    for write in writes:
        peer.send(write)
    events = [event for event in peer.take_events() if not event.startswith("chunk")]
    return peer.take_output(), events, peer.handler.bodies


def cut(wire: bytes, draw: st.DataObject) -> list[bytes]:
    """Return *wire* in pieces."""
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(wire)), max_size=12)))
    return [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]


@pytest.mark.slow
@settings(max_examples=400)
@given(peers(), st.lists(COMMANDS | SCRAPS, max_size=12), st.data())
def test_any_split_of_commands_gives_the_same(
    peer: tuple[str, ...], parts: list[bytes], data: st.DataObject
) -> None:
    wire = ENVELOPE + b"".join(parts)
    assert outcome(peer, cut(wire, data)) == outcome(peer, [wire])


@pytest.mark.slow
@settings(max_examples=400)
@given(peers(), st.sampled_from([b"DATA\r\n", b"BDAT 40 LAST\r\n"]), st.lists(SCRAPS, max_size=16), st.data())
def test_any_split_of_a_body_gives_the_same(
    peer: tuple[str, ...], opening: bytes, parts: list[bytes], data: st.DataObject
) -> None:
    wire = ENVELOPE + opening + b"".join(parts) + b"\r\n.\r\nNOOP\r\n"
    whole = outcome(peer, [wire])
    assert outcome(peer, cut(wire, data)) == whole
    assert outcome(peer, [wire[i : i + 1] for i in range(len(wire))]) == whole


@pytest.mark.parametrize("opening", [b"DATA\r\n", b"BDAT 200 LAST\r\n"])
@pytest.mark.parametrize("returns", [1, 2, 7, 8, 9, 10, 20])
@pytest.mark.parametrize("policy", ["mend", "fix"])
def test_any_split_of_many_crs_gives_the_same(opening: bytes, returns: int, policy: str) -> None:
    run = b"\r" * returns
    body = b"Subject: x" + run + b"\n" + run + b"\r\nprogress" + run + b"text" + run
    wire = ENVELOPE + opening + body.ljust(198, b"x") + b"\r\n.\r\n"
    peer = (LET_PIPELINE, f"option lone_cr {policy}", f"option lone_lf_in_body {policy}")
    whole = outcome(peer, [wire])
    (taken,) = whole[2]
    assert taken.startswith(b"Subject: x\r\n" * (returns <= 8))
    assert b"\r" not in taken.replace(b"\r\n", b"")
    for size in range(1, 30):
        assert outcome(peer, [wire[i : i + size] for i in range(0, len(wire), size)]) == whole


def test_a_line_end_that_is_fixed_is_none_beside_one_that_is_mended_however_they_come() -> None:
    """A dot behind an LF that is fixed is a line of the text, even if a CR to be mended came in the same read."""
    peer = (LET_PIPELINE, "option lone_cr mend", "option lone_lf_in_body fix")
    wire = ENVELOPE + b"DATA\r\n"
    text = b"\r\na\rb\n.\r\n.\r\n"
    whole = outcome(peer, [wire, text])
    assert whole[2] == [b"\r\na\r\nb\r\n.\r\n"]
    assert outcome(peer, [wire, *(text[i : i + 1] for i in range(len(text)))]) == whole


@settings(max_examples=200)
@given(peers(), st.lists(st.binary(max_size=300), max_size=20))
def test_random_bytes_never_raise_and_are_not_hoarded(peer: tuple[str, ...], reads: list[bytes]) -> None:
    server = ServerPeer(*peer)
    for read in (ENVELOPE, *reads):
        server.send(read)
        assert server.machine.buffered < 100
        server.take_output()


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=200), max_size=20), st.booleans())
def test_input_behind_a_question_waits_within_bounds(reads: list[bytes], in_data: bool) -> None:
    server = ServerPeer(LET_PIPELINE, "answer mail: later")
    server.send(ENVELOPE)
    for read in reads:
        if server.machine.wants_read:
            server.send(read)
    assert server.machine.state == "waiting"


ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\n", b"\r", b"\n\r", b"\r\r\n"])
DOTTED = st.sampled_from([b".", b"..", b"", b"text", b".text", b"QUIT", b"MAIL FROM:<root@example.org>"])
NAIVE = re.compile(rb"\r\n|\n|\r")
"""What the least careful of hosts take for the end of a line."""


@settings(max_examples=500)
@given(
    st.sampled_from(["auto", "mend", "fix"]),
    st.sampled_from([b"DATA\r\n", b"BDAT %d LAST\r\n"]),
    st.lists(st.tuples(DOTTED, ENDS), max_size=12),
    st.data(),
)
def test_whatever_line_ends_are_mended_nothing_is_smuggled_in_or_out(
    policy: str, opening: bytes, lines: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    """One message comes in where one was sent, and the next host sees one end in it, however it reads."""
    body = b"Subject: x\r\n\r\n" + b"".join(line + end for line, end in lines) + b"end\r\n"
    in_data = opening.startswith(b"DATA")
    if in_data:
        body = body.replace(b"\r\n.", b"\r\n..") + b".\r\n"
    else:
        opening %= len(body)
    kinds = ("lone_lf_in_headers", "lone_lf_in_body", "lone_cr")
    peer = ServerPeer(*(f"option {kind} {policy}" for kind in kinds), LET_PIPELINE)
    for write in cut(ENVELOPE + opening + body, data):
        peer.send(write)
    assert sum(event.startswith("mail ") for event in peer.take_events()) == 1
    assert len(peer.handler.bodies) <= 1
    for taken in peer.handler.bodies:
        assert b"\r" not in taken.replace(b"\r\n", b"")
        assert b"\n" not in taken.replace(b"\r\n", b"")
        stuffer = DotStuffer()
        wire = stuffer.stuff(taken) + stuffer.line_end() + b".\r\n"
        assert NAIVE.split(wire).index(b".") == len(NAIVE.split(wire)) - 2
    lone = re.sub(rb"\r\n", b"", body)
    if not in_data or policy == "fix" or not (b"\r" in lone or b"\n" in lone):
        assert len(peer.handler.bodies) == 1


LINES = st.lists(st.binary(max_size=30).map(lambda line: line.translate(None, b"\r\n\0")), max_size=20)


@settings(max_examples=300)
@given(LINES, st.data())
def test_a_body_of_lines_arrives_as_it_was_sent(lines: list[bytes], data: st.DataObject) -> None:
    body = b"".join(line + b"\r\n" for line in lines)
    by_data = ENVELOPE + b"DATA\r\n" + DotStuffer().stuff(body) + b".\r\n"
    by_bdat = ENVELOPE + b"BDAT %d LAST\r\n" % len(body) + body
    for wire in (by_data, by_bdat):
        assert outcome((LET_PIPELINE,), cut(wire, data))[2] == [body]


@settings(max_examples=100)
@given(st.data())
def test_a_large_body_comes_in_pieces_and_whole(data: st.DataObject) -> None:
    line = b"." + b"x" * 75 + b"\r\n"
    body = line * 3000
    peer = ServerPeer(LET_PIPELINE)
    for write in cut(ENVELOPE + b"DATA\r\n" + body.replace(b".x", b"..x") + b".\r\n", data):
        peer.send(write)
    assert peer.handler.bodies == [body]
    pieces = [int(event.split()[1]) for event in peer.take_events() if event.startswith("chunk")]
    assert pieces
    assert min(pieces) >= 65_536


def test_memory_stays_bounded_when_a_body_drips_in() -> None:
    peer = ServerPeer("limit max_message_size 1000000")
    for write in (b"EHLO x\r\n", ENVELOPE[ENVELOPE.index(b"MAIL") :], b"DATA\r\n"):
        peer.send(write)
    body = peer.machine._body._reader
    for _ in range(100_000):
        peer.send(b"ab")
        assert len(body.pieces) <= 257
        assert body.kept <= 131_072 + 65_536


@pytest.mark.slow
@pytest.mark.parametrize(
    "scrap", [b"\r\n.", b"\r\n..", b"\r", b"\n", b".\n", b"\r\n\r", b"\0", b"\r\n.\r", b"x"]
)
@pytest.mark.parametrize("policy", ["refuse", "mend", "fix", "ignore"])
@pytest.mark.parametrize("read_size", [1 << 20, 1 << 12, 7])
def test_hostile_bodies_cost_linear_time(scrap: bytes, policy: str, read_size: int) -> None:
    kinds = ("lone_lf_in_headers", "lone_lf_in_body", "lone_cr")
    size = 1 << 20 if read_size > 7 else 1 << 16
    wire = (scrap * (size // len(scrap)))[:size]
    peer = ServerPeer(
        *(f"option {kind} {policy}" for kind in kinds), LET_PIPELINE, "limit max_text_line_length 998"
    )
    peer.send(ENVELOPE + b"DATA\r\n")
    began = time.process_time()
    for start in range(0, size, read_size):
        peer.send(wire[start : start + read_size])
    assert time.process_time() - began < 10.0
