"""Conversion to 7 bit: the same content, readable by the standard library's parser."""

import email
import email.policy
import time
from base64 import b64decode
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.mime.eightbit import base64_lines, downgrade, is_seven_bit, quoted_printable
from angarium.mime.header import HeaderBlock
from angarium.mime.words import encode_words

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


@pytest.mark.parametrize("end", ["\r\n\r\nmore", ""])
def test_a_part_without_a_blank_line_has_a_header_as_others_see_it(end: str) -> None:
    before = message(
        "MIME-Version: 1.0",
        "Content-Type: multipart/mixed; boundary=b",
        "",
        "--b",
        "Content-Type: text/plain; charset=utf-8",
        f"Grüße: all else is ASCII, as is usual{end}",
        "--b--",
        "",
    )
    assert "\r\n\r\nGr=C3=BC=C3=9Fe: all else" in converted(before).decode()


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


def field(kind: str, *more: str) -> tuple[str, ...]:
    return ("MIME-Version: 1.0", f"Content-Type: {kind}", *more, "")


@pytest.mark.parametrize(
    "encoding",
    [
        "8BIT (as is)",
        "(really) 8bit",
        " 8bit ; ",
        '"8bit"',
        "8-bit",
        "UTF-8",
        "x-uuencode",
        "quoted",
        "",
        "8bit 7bit",
    ],
)
def test_comments_and_encodings_that_nobody_knows_leave_the_content_as_it_is(encoding: str) -> None:
    head = field("text/plain; charset=utf-8", f"Content-Transfer-Encoding: {encoding}")
    after = downgrade(message(*head, TEXT))
    assert after is not None
    assert leaves(after) == [("text/plain", TEXT)]
    assert after.lower().count(b"content-transfer-encoding") == 1


@pytest.mark.parametrize(
    "kind",
    [
        'multipart/mixed; boundary*0="b"; boundary*1="1"',
        "multipart/mixed; boundary*=us-ascii'en'%621",
        "multipart/mixed; boundary*0*=''%62; boundary*1=1",
        'multipart/mixed (two; parts); (a "b" \\) c) boundary (=) = (x) "b\\1" (y)',
        'Multipart / Mixed\r\n\t; charset="x; boundary=no"\r\n\t; BOUNDARY="b1 "',
        "multipart/mixed boundary=b1",
        "multipart/mixed; boundary=b1; boundary=other",
        "multipart/mixed; boundary=b1(unended",
        'multipart/mixed; boundary="b1',
    ],
)
def test_a_boundary_is_read_by_the_grammar(kind: str) -> None:
    head = field(kind.replace("\\r\\n", "\r\n"), "Content-Transfer-Encoding: 8bit")
    after = downgrade(message(*head, "--b1", *field("text/plain; charset=utf-8"), TEXT, "--b1--"))
    assert after is not None
    assert b"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n--b1\r\n" in after
    assert b"Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC" in after
    assert after.endswith(b"\r\n--b1--")


@pytest.mark.parametrize("depth", [30, 100, 900])
def test_parts_may_lie_deep(depth: int) -> None:
    opening = [line for n in range(depth) for line in (*field(f"multipart/mixed; boundary=b{n}"), f"--b{n}")]
    closing = [f"--b{n}--" for n in reversed(range(depth))]
    after = downgrade(message(*opening, *field("text/plain; charset=utf-8"), TEXT, *closing, ""))
    assert after is not None
    assert is_seven_bit(body_of(after))
    assert body_of(after).count(b"Gr=C3=BC=C3=9Fe") == 1
    assert after.endswith("".join(f"\r\n--b{n}--" for n in reversed(range(depth))).encode() + b"\r\n")


@pytest.mark.parametrize("depth", [30, 900])
def test_messages_may_lie_deep_in_each_other(depth: int) -> None:
    head = "".join("\r\n".join(field("message/rfc822", "")) for _ in range(depth))
    after = downgrade(head.encode() + message(*field("text/plain; charset=utf-8"), TEXT))
    assert after is not None
    assert is_seven_bit(body_of(after))
    assert body_of(after).count(b"message/rfc822") == depth - 1
    assert after.endswith(quoted_printable(TEXT))


def test_a_multipart_in_a_known_encoding_has_parts_all_the_same() -> None:
    """No reader decodes it, since RFC 2045 §6.4 does not allow it."""
    head = field("multipart/mixed; boundary=b", "Content-Transfer-Encoding: base64")
    after = downgrade(message(*head, "--b", *field("text/plain; charset=utf-8"), TEXT, "--b--"))
    assert after is not None
    assert b"Content-Transfer-Encoding: 7bit\r\n\r\n--b\r\n" in after


@pytest.mark.parametrize(
    "kind", ["multipart/mixed", "multipart/mixed; boundary=other", 'multipart/mixed; boundary=" "']
)
def test_a_multipart_without_parts_is_its_text(kind: str) -> None:
    after = downgrade(message(*field(kind), "--b", "", "ä", "--b--"))
    assert after is not None
    encoded = after.partition(b"Content-Transfer-Encoding: base64\r\n\r\n")[2]
    assert b64decode(encoded) == "--b\r\n\r\nä\r\n--b--".encode()


def test_an_inner_boundary_that_is_the_outer_one_ends_nothing() -> None:
    before = message(
        *field("multipart/mixed; boundary=b"),
        *("--b", *field("multipart/mixed; boundary=b"), "never shown"),
        *("--b", *field("text/plain; charset=utf-8"), TEXT),
        "--b--",
    )
    after = downgrade(before)
    assert after is not None
    assert after.count(b"--b\r\n") == 2
    assert b"\r\n\r\nnever shown\r\n--b\r\n" in after
    assert b"Gr=C3=BC" in after


def test_what_a_digest_holds_is_messages() -> None:
    inner = message("Subject: inner", "Content-Type: text/plain; charset=utf-8", "", TEXT)
    after = downgrade(message(*field("multipart/digest; boundary=b"), "--b", "", inner, "--b--"))
    assert after is not None
    assert b"--b\r\n\r\nSubject: inner\r\n" in after
    assert (
        b"charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\n\r\nGr"
        in after
    )


@pytest.mark.parametrize(
    ("line", "converted"),
    [
        (
            'Content-Type: text/x; name="Größe und Maß.txt"',
            'Content-Type: text/x; name="{Größe und Maß.txt}"',
        ),
        ("Content-Description: die Größe (cm)", "Content-Description: die {Größe} (cm)"),
        (
            "Content-Disposition: inline; filename=Größe.txt; size=1",
            "Content-Disposition: inline; filename={Größe.txt}; size=1",
        ),
    ],
)
def test_a_part_may_be_called_anything(line: str, converted: str) -> None:
    after = downgrade(message(*field("multipart/mixed; boundary=b"), "--b", line, "", "x", "--b--"))
    assert after is not None
    text, _, rest = converted.partition("{")
    name, _, rest = rest.partition("}")
    assert f"--b\r\n{text}{encode_words(name)}{rest}\r\n\r\nx\r\n--b--".encode() in after


def test_an_encapsulated_message_may_have_anything_in_its_header() -> None:
    latin1 = "Grüße".encode("latin-1")
    inner = message("Subject: Grüße an alle", b"X-Odd: " + latin1, "", "text", "")
    after = downgrade(message(*field("message/rfc822"), inner))
    assert after is not None
    [parsed] = email.message_from_bytes(after, policy=email.policy.default).get_payload()  # type: ignore[misc]
    assert isinstance(parsed, Message)
    assert (parsed["Subject"], parsed["X-Odd"]) == ("Grüße an alle", "Grüße")


@pytest.mark.parametrize(
    "lines",
    [
        ('Content-Type: multipart/signed; boundary="b"', "", "--b", "", "ä", "--b--"),
        (
            'Content-Type: multipart/signed; boundary="b"',
            "",
            "--b",
            'Content-Type: text/x; name="ä"',
            "",
            "x",
            "--b--",
        ),
        ("Content-Type: text/plain", "Content-Type: text/html", "", "ä"),
        ("Content-Transfer-Encoding: 8bit", "Content-Transfer-Encoding: base64", "", "ä"),
        ("Content-Type: message/partial; id=x", "", "ä"),
        ("Content-Type: multipart/mixed; boundary=ä", "", "--ä", "", "x", "--ä--"),
    ],
    ids=["signed", "signed header", "two types", "two encodings", "partial", "boundary"],
)
def test_what_cannot_be_converted_faithfully_is_not_converted(lines: tuple[str, ...]) -> None:
    assert downgrade(message("MIME-Version: 1.0", *lines)) is None


def test_two_fields_that_say_the_same_say_one_thing() -> None:
    twice = ("Content-Transfer-Encoding: 8bit", "Content-Transfer-Encoding: 8BIT (again)")
    after = converted(message("Content-Type: text/plain; charset=utf-8", *twice, "", TEXT))
    assert after.count(b"Content-Transfer-Encoding") == 1


def test_nesting_without_end_is_refused() -> None:
    nested = message(
        *(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}" for n in range(5000)), "", "ä"
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
        b"Content-Type: multipart/signed; boundary=b",
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


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        *(b"--b\r\n", b"--b ", b"\r\n--b", b"--b--\r\n", b"\n", b"\xc3\xa4", b"--", b"a\xc3\xa4 "),
        b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n",
        b"--b\r\nX: (((\xc3\xa4\r\n",
    ],
)
def test_a_large_body_takes_time_in_proportion(piece: bytes) -> None:
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n\xc3\xa4"

    def seconds(size: int) -> float:
        data = head + piece * (size // len(piece))
        start = time.process_time()
        downgrade(data)
        return time.process_time() - start

    assert seconds(500_000) < 50 * max(seconds(50_000), 0.002)
