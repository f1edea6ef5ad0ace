"""The real programs among themselves, so that a failure elsewhere is not theirs."""

import smtplib

import pytest

from angarium.testing.peers import DovecotLmtp, PeerMissing, Postfix, Sendmail, find_program, msmtp, swaks
from angarium.testing.programs import ProgramFailed

MAIL = b"Subject: dots\r\n\r\n..\r\n.one\r\n\r\nend\r\n"


def body_of(mail: bytes) -> bytes:
    return mail.partition(b"\n\n")[2]


def test_postfix_keeps_what_another_postfix_relays(postfix: Postfix) -> None:
    with (
        Postfix(transport=f"smtp:[127.0.0.1]:{postfix.port}") as source,
        smtplib.SMTP("127.0.0.1", source.port) as client,
    ):
        client.sendmail("a@example.org", ["b@example.com"], MAIL)
        assert body_of(postfix.messages(1)[0]) == b"..\n.one\n\nend\n"


def test_postfix_takes_mail_from_its_own_command(postfix: Postfix) -> None:
    with Postfix(transport=f"smtp:[127.0.0.1]:{postfix.port}") as source:
        source.sendmail("a@example.org", ["b@example.com"], b"Subject: x\n\n.\nend\n")
        assert body_of(postfix.messages(1)[0]) == b".\nend\n"


def test_sendmail_hands_over_what_its_command_and_its_listener_got(postfix: Postfix) -> None:
    with Sendmail(relay_port=postfix.port) as source:
        source.sendmail("a@example.org", ["b@example.com"], b"Subject: x\n\n.\nend\n")
        postfix.messages(1)  # or the second may overtake it
        with smtplib.SMTP("127.0.0.1", source.port) as client:
            client.sendmail("a@example.org", ["b@example.com"], MAIL)
        assert [body_of(mail) for mail in postfix.messages(2)] == [b".\nend\n", b"..\n.one\n\nend\n"]


def test_dovecot_keeps_mail_by_local_part(dovecot: DovecotLmtp) -> None:
    with smtplib.LMTP("127.0.0.1", dovecot.port) as client:
        client.sendmail("a@example.org", ["ann@example.com"], MAIL)
        client.sendmail("a@example.org", ["bob@local.example.com"], MAIL)
    for user in ("ann", "bob"):
        assert body_of(dovecot.messages(user, 1)[0]) == b"..\n.one\n\nend\n"


def test_swaks_and_msmtp_speak_to_postfix(postfix: Postfix) -> None:
    assert "Ok: queued" in swaks(postfix.port, "--from", "a@example.org", "--to", "b@example.com")
    postfix.messages(1)  # or the second may overtake it
    msmtp(postfix.port, "a@example.org", ["b@example.com"], b"Subject: x\n\nend\n")
    assert body_of(postfix.messages(2)[1]) == b"end\n"


def test_a_refusal_is_told_with_what_the_program_printed(postfix: Postfix) -> None:
    with pytest.raises(ProgramFailed, match="nowhere"):
        swaks(postfix.port, "--from", "a@example.org", "--to", "b@[nowhere")


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(PeerMissing, match="script/debian-packages installs Debian's nosuchpackage"):
        find_program("nosuchprogram", "nosuchpackage")
