"""Relaxed canonicalisation is that of RFC 6376 §3.4, however the bytes come."""

import hashlib
import re
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.render.canonical import relaxed_body_hash, relaxed_field, relaxed_pieces_hash

EMPTY = hashlib.sha256(b"").digest()

BODIES = st.lists(
    st.sampled_from(
        [b"a", b"word", b".", b" ", b"  ", b"\t", b"\r\n", b"\r\n\r\n", b" \r\n", b"\r", b"\n", b"\xe4"]
    )
).map(b"".join)


def by_the_book(body: bytes) -> bytes:
    """RFC 6376 §3.4.4 line by line, for a body as it leaves: one that ends with CRLF."""
    if not body.endswith(b"\r\n"):
        body += b"\n" if body.endswith(b"\r") else b"\r\n"
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and lines[-1] == b"":
        lines.pop()
    return hashlib.sha256(b"".join(line + b"\r\n" for line in lines)).digest()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(marks)]


def test_the_example_of_the_rfc() -> None:
    assert relaxed_field(b"A", b" X") == b"a:X"
    assert relaxed_field(b"B", b" Y\t\r\n\tZ  ") == b"b:Y Z"
    assert relaxed_body_hash(b" C \r\nD \t E\r\n\r\n\r\n") == hashlib.sha256(b" C\r\nD E\r\n").digest()


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n\r\n", b" \t \r\n \r\n", b"  "])
def test_a_body_of_nothing_is_empty(body: bytes) -> None:
    assert relaxed_body_hash(body) == EMPTY


@pytest.mark.parametrize("body", [b"text", b"text\r", b"text\r\n", b"text \r\n\r\n", b"text\r\n \t\r\n"])
def test_a_body_ends_with_one_line_end(body: bytes) -> None:
    assert relaxed_body_hash(body) == hashlib.sha256(b"text\r\n").digest()


@given(BODIES)
def test_any_body_is_as_the_rfc_says(body: bytes) -> None:
    assert relaxed_body_hash(body) == by_the_book(body)


@given(BODIES, st.lists(st.integers(0, 1000)))
def test_pieces_do_not_matter(body: bytes, places: list[int]) -> None:
    assert relaxed_pieces_hash(cut(body, places)) == by_the_book(body)


@given(BODIES, BODIES)
def test_the_body_may_begin_anywhere(before: bytes, body: bytes) -> None:
    assert relaxed_body_hash(before + body, len(before)) == by_the_book(body)


@given(st.lists(st.sampled_from([b"a", b"B", b" ", b"\t", b"\r\n ", b"\r\n\t", b":"])).map(b"".join))
def test_folding_and_blanks_of_a_field_do_not_matter(value: bytes) -> None:
    plain = b" ".join(value.split())
    assert relaxed_field(b"X-Y", value) == b"x-y:" + plain


@pytest.mark.parametrize("unit", [b" ", b"\t", b"\r\n", b" \r\n", b"\n", b"\r", b"\r\n\n"])
def test_no_body_takes_more_than_its_length(unit: bytes) -> None:
    def seconds(size: int) -> float:
        body = b"x" + unit * (size // len(unit)) + b"y\n"
        start = time.process_time()
        relaxed_body_hash(body)
        return time.process_time() - start

    assert seconds(8_000_000) < 40 * max(min(seconds(1_000_000) for _ in range(3)), 0.002)
