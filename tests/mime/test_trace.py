"""The lines put before a message."""

import email
import email.policy
import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.records import Origin
from angarium.mime.trace import address_literal, date_line, date_text, message_id_line, received_line

NOW = 1_795_255_782.9
ORIGIN = Origin(
    listener="default", peer="192.0.2.1:4567", helo="mail.example.com", protocol="ESMTP", session="s1"
)


def test_received_says_from_by_with_id_for_and_when() -> None:
    assert received_line(ORIGIN, "mx.test", "abc", "to@example.org", NOW) == (
        b"Received: from mail.example.com ([192.0.2.1])\r\n"
        b"\tby mx.test with ESMTP id abc\r\n"
        b"\tfor <to@example.org>;\r\n"
        b"\tSat, 21 Nov 2026 10:09:42 +0000\r\n"
    )


def test_received_says_how_the_session_was_encrypted() -> None:
    tls = "TLSv1.3 TLS_AES_256_GCM_SHA384"
    origin = Origin(
        listener="default",
        peer="192.0.2.1:4567",
        helo="mail.example.com",
        protocol="ESMTPSA",
        session="s1",
        tls=tls,
    )
    assert received_line(origin, "mx.test", "abc", "to@example.org", NOW) == (
        b"Received: from mail.example.com ([192.0.2.1])\r\n"
        b"\tby mx.test with ESMTPSA (TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"
        b"\tid abc\r\n"
        b"\tfor <to@example.org>;\r\n"
        b"\tSat, 21 Nov 2026 10:09:42 +0000\r\n"
    )


def test_several_recipients_do_not_learn_of_each_other() -> None:
    assert b"\tfor" not in received_line(ORIGIN, "mx.test", "abc", "", NOW)


def test_smtputf8_has_its_own_keyword_and_keeps_the_address() -> None:
    line = received_line(ORIGIN, "mx.test", "abc", "bücher@example.org", NOW, smtputf8=True)
    assert b"with UTF8SMTP id" in line
    assert "for <bücher@example.org>".encode() in line
    assert received_line(ORIGIN, "mx.test", "abc", "bücher@example.org", NOW).isascii()


@pytest.mark.parametrize(
    ("peer", "helo", "start"),
    [
        ("[2001:db8::1]:25", "x.test", b"Received: from x.test ([IPv6:2001:db8::1])\r\n"),
        ("192.0.2.1:25", "", b"Received: from [192.0.2.1] ([192.0.2.1])\r\n"),
        ("192.0.2.1:25", "[192.0.2.9]", b"Received: from [192.0.2.9] ([192.0.2.1])\r\n"),
        ("192.0.2.1:25", "a b;(\r\nX: y", b"Received: from a?b????X:?y ([192.0.2.1])\r\n"),
        ("", "x.test", b"Received: from x.test\r\n"),
        ("", "", b"Received: by mx.test"),
    ],
)
def test_the_from_clause_tells_what_is_known_and_nothing_harmful(peer: str, helo: str, start: bytes) -> None:
    origin = Origin(listener="default", peer=peer, helo=helo, protocol="ESMTP", session="s")
    assert received_line(origin, "mx.test", "abc", "", NOW).startswith(start)


@given(helo=st.text(), recipient=st.text(), smtputf8=st.booleans())
def test_nothing_that_a_peer_says_breaks_out_of_the_field(helo: str, recipient: str, smtputf8: bool) -> None:
    origin = Origin(listener="default", peer="192.0.2.1:25", helo=helo, protocol="ESMTP", session="s")
    line = received_line(origin, "mx.test", "abc", recipient, NOW, smtputf8)
    lines = line.split(b"\r\n")
    assert lines.pop() == b""
    assert all(each.startswith(b"\t") for each in lines[1:])
    assert b"\n" not in b"".join(lines)
    assert b"\r" not in b"".join(lines)


@given(st.integers(0, 2**33))
def test_dates_mean_what_they_say(second: int) -> None:
    assert email.utils.parsedate_to_datetime(date_text(second)).timestamp() == second


def test_missing_fields_are_whole_lines() -> None:
    assert date_line(NOW) == b"Date: Sat, 21 Nov 2026 10:09:42 +0000\r\n"
    assert message_id_line("abc", "mx.test") == b"Message-ID: <abc@mx.test>\r\n"
    assert address_literal("2001:db8::1") == "[IPv6:2001:db8::1]"
