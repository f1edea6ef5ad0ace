"""Lines of more than 998 octets: found however they come, and made shorter without a change of what they say."""

import email
import email.policy
import quopri
import time
from base64 import b64decode, b64encode
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from angarium.mime.eightbit import shorten_lines
from angarium.mime.header import HeaderBlock
from angarium.mime.lines import LineMeter, folded, has_long_line, in_short_lines

LONG = b"x" * 3000


def longest(data: bytes) -> int:
    """The octets of the longest line, seen the slow way."""
    return max(len(line.removesuffix(b"\r")) for line in data.split(b"\n"))


lines = st.lists(st.integers(0, 3) | st.integers(990, 1005) | st.just(3000), max_size=6).map(
    lambda sizes: b"".join(b"x" * size + b"\r\n" for size in sizes)
)


@given(lines, st.lists(st.integers(0, 8000), max_size=5))
def test_long_lines_are_seen_in_whole_bodies_and_in_pieces(body: bytes, cuts: list[int]) -> None:
    is_long = longest(body) > 998
    assert has_long_line(body) == is_long
    meter = LineMeter()
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    for begin, end in pairwise(places):
        meter.add(body[begin:end])
    assert meter.has_long_line == is_long


def parts(data: bytes) -> list[tuple[str, bytes]]:
    """Type and content of every part that has some, as the standard library reads them."""
    parsed = email.message_from_bytes(data, policy=email.policy.compat32)
    return [
        (part.get_content_type(), part.get_payload(decode=True))
        for part in parsed.walk()
        if not part.is_multipart()
    ]


def shortened(message: bytes) -> bytes:
    found = shorten_lines(message)
    assert found is not None
    assert longest(found) <= 998
    assert parts(found) == parts(message)
    assert shorten_lines(found) == found
    return found


def test_a_text_of_long_lines_becomes_quoted_printable() -> None:
    found = shortened(b"Subject: s\r\nContent-Type: text/html\r\n\r\n<p>" + LONG + b"</p>\r\nend\r\n")
    header = HeaderBlock.scan(found)
    assert header.raw == (
        b"Subject: s\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\n"
    )
    assert longest(found) <= 80


def test_text_that_says_nothing_of_itself_stays_plain_ascii() -> None:
    found = shortened(b"Subject: s\r\n\r\n" + LONG + b"\r\n")
    assert email.message_from_bytes(found).get_content_charset() is None


def test_only_the_part_that_has_them_is_encoded_anew() -> None:
    short = "--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n".encode()
    head = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    found = shortened(head + short + b"--b\r\nContent-Type: text/html\r\n\r\n" + LONG + b"\r\n--b--\r\n")
    assert found.startswith(head + short)
    assert found.endswith(b"\r\n--b--\r\n")


@pytest.mark.parametrize("encoding", [b"base64", b"quoted-printable"])
def test_what_has_an_encoding_gets_shorter_lines_of_it(encoding: bytes) -> None:
    content = ("Grüße = " * 400).encode()
    text = (
        b64encode(content)
        if encoding == b"base64"
        else content.replace(b"=", b"=3D").replace(b"\xc3", b"=C3")
    )
    text = text.replace(b"\xbc", b"=BC").replace(b"\x9f", b"=9F")
    head = (
        b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: "
        + encoding
        + b"\r\n\r\n"
    )
    assert shortened(head + text + b"\r\nend=\r\n\r\n" * (encoding != b"base64")).startswith(head)


def test_other_content_becomes_base64() -> None:
    found = shortened(b"MIME-Version: 1.0\r\nContent-Type: application/json\r\n\r\n" + LONG + b"\r\n")
    assert b"\r\nContent-Transfer-Encoding: base64\r\n" in found


def test_what_is_signed_inside_is_left_alone() -> None:
    inner = (
        b"--b\r\n\r\n" + LONG + b"\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n"
    )
    assert (
        shorten_lines(b"MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n" + inner)
        is None
    )


def test_what_nobody_is_shown_is_cut_off() -> None:
    head = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    found = shortened(head + LONG + b"--b\r\n--b\r\n\r\ntext\r\n--b--\r\n" + LONG + b"\r\n")
    assert found == head + LONG[:998] + b"\r\n--b\r\n\r\ntext\r\n--b--\r\n" + LONG[:998] + b"\r\n"


@pytest.mark.parametrize(
    ("field", "lines"),
    [
        (b"To: " + b"a@b.test, " * 300 + b"c@d.test\r\n", 4),
        (b"X: one\r\n two " + LONG + b" three\r\n", 3),
        (b"X:" + LONG + b"\r\n", 1),  # no blank: it stays as it is
        (b"X: " + b" " * 3000 + b"y\r\n", 1),  # a line of blanks would end the header for some
        (b"X: short\r\n y\r\n", 2),
    ],
)
def test_a_header_is_folded_at_its_blanks(field: bytes, lines: int) -> None:
    found = folded(field)
    assert found.count(b"\n") == lines
    assert found.replace(b"\r\n", b"") == field.replace(b"\r\n", b"")
    assert all(line.strip() for line in found.split(b"\r\n")[:-1])
    assert HeaderBlock.scan(found + b"\r\n").raw == found


texts = st.text(st.sampled_from("aäß €=.\t "), max_size=40).map(lambda text: (text * 200).encode())


@given(texts, st.sampled_from([b"text/plain; charset=utf-8", b"application/x-y"]), st.booleans())
@settings(max_examples=60)
def test_nothing_of_the_content_changes(text: bytes, kind: bytes, is_part: bool) -> None:
    part = b"Content-Type: " + kind + b"\r\n\r\n" + text + b"\r\nend\r\n"
    outer = (
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + part + b"--b--\r\n"
    )
    shortened(outer if is_part else b"MIME-Version: 1.0\r\n" + part)


@given(texts)
def test_encoded_lines_say_the_same_when_they_are_shorter(text: bytes) -> None:
    assert b64decode(in_short_lines(b"base64", b64encode(text))) == text
    encoded = quopri.encodestring(text).replace(b"=\n", b"")
    assert quopri.decodestring(in_short_lines(b"quoted-printable", encoded)) == quopri.decodestring(encoded)


@pytest.mark.parametrize("piece", [b"x", b" ", b"=", b"a b ", b"\r\n", b"--b\r\n"])
def test_it_takes_time_in_proportion(piece: bytes) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        start = time.process_time()
        shorten_lines(b"X: " + text + b"\r\n\r\n" + text)
        return time.process_time() - start

    assert seconds(400_000) < 50 * max(seconds(40_000), 0.005)
