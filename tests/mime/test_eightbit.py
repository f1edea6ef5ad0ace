"""Conversion to 7 bit: the same content, readable by the standard library's parser."""

import email
import email.policy
import time
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.mime.eightbit import base64_lines, downgrade, is_seven_bit, quoted_printable
from angarium.mime.header import HeaderBlock

TEXT = "Grüße, \N{SNOWMAN}!\r\n.\r\ntrailing blank \r\n".encode()


def message(*lines: str | bytes) -> bytes:
    return b"\r\n".join(line.encode() if isinstance(line, str) else line for line in lines)


def leaves(data: bytes) -> list[tuple[str, bytes | None]]:
    """Return type and decoded content of every part that has some."""
    parsed: Message = email.message_from_bytes(data, policy=email.policy.compat32)
    return [
        (part.get_content_type(), part.get_payload(decode=True))  # type: ignore[misc]
        for part in parsed.walk()
        if not part.is_multipart()
    ]


def body_of(data: bytes) -> bytes:
    return data[HeaderBlock.scan(data).body_at :]


def converted(data: bytes) -> bytes:
    result = downgrade(data)
    assert result is not None
    assert is_seven_bit(body_of(result))
    assert leaves(result) == leaves(data)
    return result


def test_a_body_of_seven_bits_is_left_alone() -> None:
    plain = message("Subject: x", "Content-Transfer-Encoding: 8bit", "", "only ASCII", "")
    assert downgrade(plain) is plain


def test_text_becomes_quoted_printable_and_its_fields_stay() -> None:
    before = message(
        "X-Content-Transfer-Encoding: 8bit",
        "Subject:  odd   spacing",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "X-After: yes",
        "",
        TEXT,
    )
    after = converted(before)
    assert after.startswith(before[: before.index(b"\r\nContent-Transfer") + 2])
    assert b"Content-Transfer-Encoding: quoted-printable\r\nX-After: yes\r\n\r\nGr=C3=BC" in after


def test_text_mostly_beyond_ascii_and_other_content_become_base64() -> None:
    russian = message("MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "", "привет" * 50)
    assert b"Content-Transfer-Encoding: base64\r\n" in converted(russian)
    image = message("MIME-Version: 1.0", "Content-Type: image/png", "", b"abc\x80\x00\r\n" * 50)
    assert b"Content-Transfer-Encoding: base64\r\n" in converted(image)


def test_a_message_without_mime_is_told_to_be_of_unknown_charset() -> None:
    after = downgrade(message("Subject: x", "", TEXT))
    assert after is not None
    assert after.startswith(
        b"Subject: x\r\nContent-Transfer-Encoding: quoted-printable\r\n"
        b"Content-Type: text/plain; charset=unknown-8bit\r\nMIME-Version: 1.0\r\n\r\n"
    )


def test_only_the_parts_that_need_it_are_converted() -> None:
    before = message(
        "MIME-Version: 1.0",
        'Content-Type: multipart/mixed; boundary="=_out"',
        "Content-Transfer-Encoding: 8bit",
        "",
        "preamble ä",
        "--=_out",
        "Content-Type: multipart/alternative; boundary=in",
        "",
        "--in",
        "",
        "plain ASCII",
        "--in",
        "Content-Type: text/html; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        TEXT,
        "--in--",
        "--=_out  ",
        "Content-Type: application/octet-stream",
        "Content-Transfer-Encoding: base64",
        "",
        "AAEC",
        "--=_out--",
        "epilogue ö",
    )
    after = converted(before)
    assert b"Content-Transfer-Encoding: 7bit\r\n\r\npreamble ??\r\n" in after
    assert b"--in\r\n\r\nplain ASCII\r\n--in\r\n" in after
    assert b"\r\nAAEC\r\n--=_out--\r\nepilogue ??" in after
    assert after.count(b"quoted-printable") == 1


def test_an_encapsulated_message_is_converted_inside() -> None:
    inner = message("Subject: inner", "Content-Type: text/plain; charset=utf-8", "", TEXT)
    after = converted(message("MIME-Version: 1.0", "Content-Type: message/rfc822", "", inner))
    assert (
        b"Subject: inner\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quot"
        in after
    )


def test_eight_bits_inside_a_declared_encoding_are_put_right() -> None:
    head = ("MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8")
    quoted = message(*head, "Content-Transfer-Encoding: quoted-printable", "", b"=C3=BC and \xc3\xbc")
    assert body_of(downgrade(quoted) or b"") == b"=C3=BC and =C3=BC"
    base64 = message(*head, "Content-Transfer-Encoding: base64", "", b"YWJj\xff\r\n")
    assert body_of(downgrade(base64) or b"") == b"YWJj\r\n"


def test_overlong_lines_are_broken_softly() -> None:
    converted(message("MIME-Version: 1.0", "Content-Type: text/plain", "", b"x" * 5000))


@pytest.mark.parametrize(
    "lines",
    [
        ('Content-Type: multipart/signed; boundary="b"', "", "--b", "", "ä", "--b--"),
        ("Content-Type: multipart/mixed", "", "--b", "", "ä", "--b--"),
        ("Content-Type: text/plain", "Content-Type: text/html", "", "ä"),
        ("Content-Type: text/plain", "Content-Transfer-Encoding: x-uuencode", "", "ä"),
        ("Content-Type: message/rfc822", "", "Subject: ä", "", "x"),
        ("Content-Type: message/partial; id=x", "", "ä"),
        (
            "Content-Type: multipart/mixed; boundary=b",
            "",
            "--b",
            'Content-Type: text/x; name="ä"',
            "",
            "x",
            "--b--",
        ),
    ],
    ids=["signed", "no boundary", "two types", "odd encoding", "inner header", "partial", "part header"],
)
def test_what_cannot_be_converted_faithfully_is_not_converted(lines: tuple[str, ...]) -> None:
    assert downgrade(message("MIME-Version: 1.0", *lines)) is None


def test_nesting_without_end_is_refused() -> None:
    nested = message(
        *(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}" for n in range(100)), "", "ä"
    )
    assert downgrade(nested) is None


@given(st.binary(max_size=500))
def test_quoted_printable_and_base64_give_back_what_went_in(data: bytes) -> None:
    carrier = "Content-Type: application/x\r\nContent-Transfer-Encoding: {}\r\n\r\n"
    for name, encoded in [("quoted-printable", quoted_printable(data)), ("base64", base64_lines(data))]:
        assert is_seven_bit(encoded)
        assert all(len(line) <= 76 for line in encoded.split(b"\r\n"))
        assert leaves(carrier.format(name).encode() + encoded) == [("application/x", data)]


tokens = st.sampled_from(
    [
        b"\r\n",
        b"\r\n\r\n",
        b"--b",
        b"--",
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: message/rfc822",
        b"Content-Type: text/plain",
        b"Content-Transfer-Encoding: 8bit",
        b"\xc3\xa4",
        b"\0",
        b"a",
        b" ",
    ]
)


@given(st.lists(tokens, max_size=40).map(b"".join))
def test_whatever_comes_in_comes_out_with_seven_bits_or_not_at_all(data: bytes) -> None:
    result = downgrade(data)
    assert result is None or body_of(result).isascii()
    if result is not None:
        assert downgrade(result) is not None


@pytest.mark.parametrize("piece", [b"--b\r\n", b"--b ", b"\r\n--b", b"--b--\r\n", b"\n", b"\xc3\xa4"])
def test_a_large_body_takes_time_in_proportion(piece: bytes) -> None:
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n\xc3\xa4"

    def seconds(size: int) -> float:
        data = head + piece * (size // len(piece))
        start = time.process_time()
        downgrade(data)
        return time.process_time() - start

    assert seconds(500_000) < 50 * max(seconds(50_000), 0.002)
