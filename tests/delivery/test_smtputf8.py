"""Whether a message needs SMTPUTF8 is measured on its header, whatever its client declared."""

from pathlib import Path

import pytest

from angarium.core.ids import MessageId
from angarium.core.records import ForwardPath, Message, Recipient
from angarium.delivery.settings import transaction_of
from angarium.delivery.smtputf8 import is_measured, read_header, with_header
from angarium.smtp.envelope import needs_smtputf8
from angarium.spool.port import Body, LargeBody

ASCII = b"Subject: x\r\n\r\nhello\r\n"
BODY = "Subject: x\r\n\r\nh\u00e4llo\r\n".encode()
HEADER = "Subject: \u00e4\r\n\r\nhello\r\n".encode()
LONG = b"X: " + b"y" * 300_000 + b"\r\n" + HEADER


def mail(text: bytes, to: str = "you@to.test", *, declared: bool = True) -> Recipient:
    """Mail as a session takes it: SMTPUTF8 is what was said, eight_bit what was seen."""
    made = Message(
        id=MessageId(bytes(16)),
        received_at=1000.0,
        reverse_path="me@from.test",
        recipients=(ForwardPath(address=to, domain="to.test"),),
        binding="default",
        lane=0,
        tenant="a",
        trace=b"",
        body_size=len(text),
        eight_bit=not text.isascii(),
        smtputf8=declared,
    )
    return Recipient(made, 0, "default", "to.test")


def large(folder: Path, text: bytes) -> LargeBody:
    file = folder / "body"
    file.write_bytes(text)
    return LargeBody(file, len(text))


def needs(recipient: Recipient, body: Body) -> bool:
    return needs_smtputf8(transaction_of([recipient], body, b""))


@pytest.mark.parametrize(("text", "is_needed"), [(ASCII, False), (BODY, False), (HEADER, True), (LONG, True)])
def test_the_header_is_measured(tmp_path: Path, text: bytes, is_needed: bool) -> None:
    recipient = mail(text)
    assert needs(recipient, text) == is_needed
    assert needs(recipient, with_header(large(tmp_path, text))) == is_needed


def test_a_large_body_is_read_only_if_that_matters(tmp_path: Path) -> None:
    missing = LargeBody(tmp_path / "missing", 100)
    for recipient in (mail(ASCII), mail(HEADER, declared=False)):
        assert not is_measured(recipient.message)
        assert not needs(recipient, missing)
    assert is_measured(mail(BODY).message)
    assert needs(mail(BODY), missing)  # who has not looked does not promise anything


def test_what_nobody_declared_is_passed_on_as_it_is() -> None:
    assert not needs(mail(HEADER, declared=False), HEADER)


def test_an_address_needs_it_in_its_own_transaction() -> None:
    assert needs(mail(ASCII, "\u00e4@to.test", declared=False), ASCII)
    assert not needs(mail(ASCII), ASCII)


def test_a_header_without_end_is_read_to_the_end(tmp_path: Path) -> None:
    with large(tmp_path, b"x" * 1_000_000).path.open("rb") as file:
        block, start = read_header(file)
    assert (block.is_complete, len(start)) == (False, 1_000_000)
