"""Delivery reports, read back with the standard library's parser."""

import email
import email.policy
import quopri
import re
from email.message import Message
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.reply import Reply
from angarium.mime.dsn import DsnRecipient, build_dsn
from angarium.mime.header import HeaderBlock

NOW = 1_795_255_782.0
ORIGINAL = (
    b"Received: from a by b; now\r\nMessage-ID: <original@example.com>\r\nSubject: hello\r\n\r\nthe body\r\n"
)


def build(*recipients: DsnRecipient, **changes: Any) -> bytes:
    arguments: dict[str, Any] = {
        "action": "failed",
        "hostname": "mx.test",
        "mailer_daemon": "mailer-daemon@mx.test",
        "to": "sender@example.com",
        "message_id": "<0123456789abcdef@mx.test>",
        "at": NOW,
        "envelope_id": "",
        "arrived_at": NOW - 60,
        "recipients": recipients or (DsnRecipient(address="gone@example.org"),),
        "original": ORIGINAL,
    }
    return build_dsn(**(arguments | changes))


def parts(text: bytes) -> list[Message]:
    parsed: Message = email.message_from_bytes(text, policy=email.policy.compat32)
    assert not parsed.defects
    payload = parsed.get_payload()
    assert isinstance(payload, list)
    return payload


def groups(text: bytes) -> list[dict[str, str]]:
    """Return the fields of the delivery-status part: per message, then per recipient."""
    status = parts(text)[1]
    payload = status.get_payload()
    assert isinstance(payload, list)
    blocks = payload if status.get_content_subtype() == "delivery-status" else _global_blocks(text)
    return [{name: " ".join(value.split()) for name, value in block.items()} for block in blocks]


def _global_blocks(text: bytes) -> list[Message]:
    """Read a message/global-delivery-status, which the standard library takes for a message, still encoded."""
    content = re.search(
        rb"\r\nContent-Type: message/global-delivery[^\n]+\n([^\n]+\n)?\r\n(.*?)\r\n--=_", text, re.S
    )
    assert content is not None
    fields = (quopri.decodestring(content[2]) if content[1] else content[2]).decode()
    return [email.message_from_string(block) for block in fields.strip().split("\r\n\r\n")]


def decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


REFUSED = DsnRecipient(
    address="gone@example.org",
    original="rfc822;Gone@Example.org",
    reply=Reply(550, "5.1.1", "no such user\nask the postmaster"),
    remote="mx.example.org",
    last_attempt_at=NOW,
)


def test_a_report_is_a_mail_to_the_sender_that_nobody_answers_automatically() -> None:
    parsed = email.message_from_bytes(build(REFUSED))
    assert parsed["To"] == "<sender@example.com>"
    assert parsed["From"] == "Mail Delivery System <mailer-daemon@mx.test>"
    assert parsed["Subject"] == "Your mail could not be delivered"
    assert parsed["Auto-Submitted"] == "auto-replied"
    assert parsed["Message-ID"] == "<0123456789abcdef@mx.test>"
    assert parsed["In-Reply-To"] == parsed["References"] == "<original@example.com>"
    assert parsed["Date"] == "Sat, 21 Nov 2026 10:09:42 +0000"
    assert parsed.get_content_type() == "multipart/report"
    assert parsed.get_param("report-type") == "delivery-status"


def test_a_program_reads_what_happened_to_whom() -> None:
    per_message, refused, silent = groups(
        build(REFUSED, DsnRecipient(address="other@example.org"), envelope_id="QQ314159")
    )
    assert per_message == {
        "Reporting-MTA": "dns; mx.test",
        "Original-Envelope-Id": "QQ314159",
        "Arrival-Date": "Sat, 21 Nov 2026 10:08:42 +0000",
    }
    assert refused == {
        "Original-Recipient": "rfc822; Gone@Example.org",
        "Final-Recipient": "rfc822; gone@example.org",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.example.org",
        "Diagnostic-Code": "smtp; 550 5.1.1 no such user ask the postmaster",
        "Last-Attempt-Date": "Sat, 21 Nov 2026 10:09:42 +0000",
    }
    assert silent == {"Final-Recipient": "rfc822; other@example.org", "Action": "failed", "Status": "5.0.0"}


def test_a_person_reads_it_in_words() -> None:
    text = decoded(
        parts(build(REFUSED, DsnRecipient(address="b@example.org", note="failed by the operator")))[0]
    )
    assert "This is the mail system at mx.test." in text
    assert "<gone@example.org>\r\n    mx.example.org said: 550 5.1.1 no such user ask the postmaster" in text
    assert "<b@example.org>\r\n    failed by the operator\r\n" in text


@pytest.mark.parametrize(
    ("action", "status", "subject"),
    [
        ("failed", "5.0.0", "Your mail could not be delivered"),
        ("delayed", "4.0.0", "Your mail is delayed"),
        ("delivered", "2.0.0", "Your mail was delivered"),
        ("relayed", "2.0.0", "Your mail was passed on"),
        ("expanded", "2.0.0", "Your mail was passed on to a list"),
    ],
)
def test_each_action_has_its_subject_and_status(action: str, status: str, subject: str) -> None:
    text = build(action=action)
    assert email.message_from_bytes(text)["Subject"] == subject
    assert (groups(text)[1]["Action"], groups(text)[1]["Status"]) == (action, status)


def test_a_delay_says_until_when_tries_go_on() -> None:
    recipient = DsnRecipient(address="slow@example.org", retry_until=NOW + 3600)
    text = build(recipient, action="delayed")
    assert groups(text)[1]["Will-Retry-Until"] == "Sat, 21 Nov 2026 11:09:42 +0000"
    assert "until Sat, 21 Nov 2026 11:09:42 +0000" in " ".join(decoded(parts(text)[0]).split())
    assert "Will-Retry-Until" not in groups(build(recipient))[1]


def test_our_own_words_are_not_passed_off_as_a_servers() -> None:
    own = DsnRecipient(address="a@b.test", reply=Reply(554, "5.4.7", "[internal] not delivered in time"))
    assert groups(build(own))[1]["Diagnostic-Code"] == "x-angarium; 554 5.4.7 not delivered in time"


def test_the_original_comes_back_as_header_whole_or_not_at_all() -> None:
    header_only, full, none = build(), build(full=True), build(include=False)
    assert parts(header_only)[2].get_content_type() == "text/rfc822-headers"
    assert decoded(parts(header_only)[2]) == HeaderBlock.scan(ORIGINAL).raw.decode()
    assert parts(full)[2].get_content_type() == "message/rfc822"
    assert ORIGINAL in full
    assert len(parts(none)) == 2


def test_an_original_of_eight_bits_comes_back_in_seven() -> None:
    eight = ORIGINAL.replace(b"the body", "Grüße an alle, die das lesen".encode())
    text = build(original=eight, full=True)
    assert text.isascii()
    assert "Gr=C3=BC=C3=9Fe" in parts(text)[2].as_string()


def test_an_original_that_cannot_be_made_seven_bit_comes_back_without_its_body() -> None:
    for broken in (
        ORIGINAL.replace(b"hello", "Grüße".encode()),
        ORIGINAL.replace(b"the body", b"bare\rCR"),
        ORIGINAL.replace(b"the body", b"bare\nLF\n.\nMAIL FROM:<evil@example.com>"),
    ):
        text = build(original=broken, full=True)
        assert text.isascii()
        assert text.count(b"\n") == text.count(b"\r") == text.count(b"\r\n")
        part = parts(text)[2]
        assert part.get_content_type() == "text/rfc822-headers"
        assert part.get_payload(decode=True) == HeaderBlock.scan(broken).raw


def test_addresses_beyond_ascii_make_a_global_report() -> None:
    recipient = DsnRecipient(address="дмитрий@example.org", original="utf-8;дмитрий@example.org")
    text = build(recipient, smtputf8=True, original=ORIGINAL.replace(b"hello", "привет".encode()))
    assert text.isascii()
    assert parts(text)[1].get_content_type() == "message/global-delivery-status"
    assert groups(text)[1]["Final-Recipient"] == "utf-8; дмитрий@example.org"
    assert parts(text)[2].get_content_type() == "message/global-headers"
    full = build(recipient, smtputf8=True, full=True, original=ORIGINAL.replace(b"hello", "привет".encode()))
    assert b"Content-Type: message/global\r\n" in full


def test_an_address_beyond_ascii_is_spelt_out_for_a_sender_of_plain_mail() -> None:
    recipient = DsnRecipient(address="a@example.org", original="utf-8;jürgen@example.org")
    text = build(recipient)
    assert parts(text)[1].get_content_type() == "message/delivery-status"
    assert groups(text)[1]["Original-Recipient"] == r"utf-8; j\x{FC}rgen@example.org"


def test_a_senders_own_address_beyond_ascii_stands_in_the_header() -> None:
    assert "To: <jürgen@example.com>\r\n".encode() in build(to="jürgen@example.com", smtputf8=True)


hostile = st.text(st.sampled_from("\r\n\0\x85\u2028 ab<>@;:-=ä\udc80"), max_size=60) | st.text(max_size=40)


@given(
    address=hostile,
    original=hostile,
    text=hostile,
    remote=hostile,
    note=hostile,
    envelope_id=hostile,
    to=hostile,
)
def test_nothing_from_outside_makes_a_line_of_its_own(
    address: str, original: str, text: str, remote: str, note: str, envelope_id: str, to: str
) -> None:
    recipient = DsnRecipient(
        address=address, original=original, reply=Reply(550, "5.1.1", text), remote=remote, note=note
    )
    for smtputf8 in (False, True):
        report = build(recipient, envelope_id=envelope_id, to=to, smtputf8=smtputf8)
        assert report.count(b"\n") == report.count(b"\r") == report.count(b"\r\n")
        assert all(len(line) <= 998 for line in report.split(b"\r\n"))
        header = HeaderBlock.scan(report)
        assert report[header.body_at :].isascii()
        assert [field.name for field in header.fields()] == [
            b"from",
            b"to",
            b"subject",
            b"date",
            b"message-id",
            b"in-reply-to",
            b"references",
            b"auto-submitted",
            b"mime-version",
            b"content-type",
        ]
        found = groups(report)
        assert len(found) == 2
        assert set(found[1]) <= {
            "Original-Recipient",
            "Final-Recipient",
            "Action",
            "Status",
            "Remote-MTA",
            "Diagnostic-Code",
        }
        assert found[1]["Action"] == "failed"


@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_any_original_can_be_reported(original: bytes, full: bool, smtputf8: bool) -> None:
    report = build(original=original, full=full, smtputf8=smtputf8)
    assert report.isascii()
    assert report.count(b"\n") == report.count(b"\r") == report.count(b"\r\n")


def test_the_boundary_does_not_occur_in_what_it_separates() -> None:
    trap = ORIGINAL + b"--=_0123456789abcdefmxtest--\r\n--=_0123456789abcdefmxtest=\r\n"
    report = build(original=trap, full=True)
    assert len(parts(report)) == 3
    assert trap in report
