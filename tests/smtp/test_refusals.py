"""What a refusal is about, where that is not the mail."""

import pytest

from angarium.core.reply import Reply, reply_from_lines
from angarium.smtp.refusals import (
    is_about_chunks,
    is_about_command,
    is_about_encryption,
    is_about_number,
    is_about_parameters,
    is_about_pipelining,
    is_about_session,
    names_number,
    temporary,
)


def said(text: str) -> Reply:
    code, _, rest = text.partition(" ")
    return reply_from_lines(int(code), [rest])


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("500 what?", True),
        ("502 5.5.1 command not implemented", True),
        ("503 bad sequence", True),
        ("554 5.5.1 no valid recipients", True),
        ("501 5.5.4 syntax", False),
        ("550 5.1.1 no such user", False),
        ("450 4.5.1 later", False),
    ],
)
def test_a_command(text: str, is_it: bool) -> None:
    assert is_about_command(said(text)) == is_it


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("555 5.5.4 unsupported option", True),
        ("501 syntax error in parameters", True),
        ("504 parameter not implemented", True),
        ("501 5.1.7 bad sender address syntax", False),
        ("553 5.1.8 no such domain", False),
        ("450 later", False),
    ],
)
def test_parameters(text: str, is_it: bool) -> None:
    assert is_about_parameters(said(text)) == is_it


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("503 nested MAIL", True),
        ("451 4.4.2 idle", True),
        ("550 5.4.2 bad connection", True),
        ("452 4.5.3 too many messages", True),
        ("452 Too many messages", True),
        ("450 4.7.1 Too many messages in this connection", True),
        ("550 5.7.0 maximum number of messages per session exceeded", True),
        ("554 Transaction limit reached, reconnect", True),
        ("451 4.7.1 no more mail for this session", True),
        ("552 5.3.4 message size exceeds fixed limit", False),
        ("451 4.7.1 session rejected by policy", False),
        ("450 4.2.0 greylisted", False),
        ("550 5.7.1 no", False),
    ],
)
def test_a_session(text: str, is_it: bool) -> None:
    assert is_about_session(said(text)) == is_it


@pytest.mark.parametrize(
    ("text", "is_it", "in_words"),
    [
        ("452 4.5.3 too many", True, True),
        ("451 4.5.3 too many", True, True),
        ("552 5.5.3 too many", True, True),
        ("550 5.5.3 too many", True, True),
        ("450 Too many recipients", True, True),
        ("550 5.7.1 Too many recipients in this message", True, True),
        ("452 4.3.1 Too many RCPT commands", True, True),
        ("550 Maximum number of recipients exceeded", True, True),
        ("450 4.7.0 recipient limit reached", True, True),
        ("550 5.2.2 recipients over their limit", False, False),
        ("452 come again", True, False),
        ("552 come again", True, False),
        ("552 5.2.2 mailbox full: too many recipients love you", False, False),
        ("452 4.3.1 disk full", False, False),
        ("450 4.2.0 greylisted", False, False),
        ("451 try again", False, False),
    ],
)
def test_the_number_of_recipients(text: str, is_it: bool, in_words: bool) -> None:
    assert is_about_number(said(text)) == is_it
    assert names_number(said(text)) == in_words


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("530 5.7.0 Must issue a STARTTLS command first", True),
        ("530 no", True),
        ("530 5.7.0 Authentication required", False),
        ("530 5.7.0 Authentication required, after STARTTLS", True),
        ("538 encryption required for requested authentication mechanism", True),
        ("550 5.7.10 not like this", True),
        ("554 5.7.1 <b@to.example>: Recipient address rejected: TLS required", True),
        ("451 4.7.3 session is not encrypted", True),
        ("550 please use STARTTLS", True),
        ("503 5.5.1 must STARTTLS first", True),
        ("550 SSL connection required", True),
        ("554 5.7.1 Sender must use secure connection", True),
        ("550 5.7.1 relaying denied", False),
        ("550 5.1.1 <tls@to.example> is unknown", False),
    ],
)
def test_encryption(text: str, is_it: bool) -> None:
    assert is_about_encryption(said(text)) == is_it


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("503 5.5.0 Improper use of SMTP command pipelining", True),
        ("554 SMTP synchronization error", True),
        ("550 5.5.0 protocol synchronisation error", True),
        ("421 4.5.1 pipelined too early", True),
        ("554 5.7.1 no", False),
        ("550 5.1.1 no such user", False),
    ],
)
def test_pipelining(text: str, is_it: bool) -> None:
    assert is_about_pipelining(said(text)) == is_it


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("500 5.3.3 unrecognized command", True),
        ("451 4.5.0 no BDAT", True),
        ("550 chunking is off", True),
        ("451 4.5.1 what?", True),
        ("451 4.7.1 greylisted", False),
        ("550 5.7.1 spam", False),
    ],
)
def test_chunks(text: str, is_it: bool) -> None:
    assert is_about_chunks(said(text)) == is_it


def test_what_is_temporary_keeps_its_subject_and_its_words() -> None:
    assert str(temporary(said("553 5.6.7 no"), "why")) == "451 4.6.7 [internal] why: 553 5.6.7 no"
    assert str(temporary(said("530 no"), "why")) == "451 [internal] why: 530 no"
