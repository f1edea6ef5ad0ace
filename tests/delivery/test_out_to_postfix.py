"""Encryption, logins and XCLIENT against a server not written here: Debian's Postfix, with Dovecot for the logins."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from angarium.config.records import OutboundOptions
from angarium.config.values import Secret
from angarium.core.address import Address
from angarium.core.records import Origin
from angarium.testing.authority import CertificateAuthority
from angarium.testing.caller import LOOPS, OutboundCaller, a_message, run_on
from angarium.testing.dovecot_auth import DovecotAuth
from angarium.testing.peers import Postfix

pytestmark = pytest.mark.peer

PASSWORD = "correct horse=battery"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def postfix(authority: CertificateAuthority) -> Iterator[Postfix]:
    issued = authority.issue("postfix.to.test")
    with DovecotAuth("me", PASSWORD, "plain login cram-md5 scram-sha-256") as logins:
        settings = {
            "smtpd_tls_security_level": "may",
            "smtpd_tls_chain_files": str(issued.both),
            "smtpd_tls_received_header": "yes",
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": str(logins.socket),
            "smtpd_sasl_security_options": "noanonymous",
            "smtpd_sasl_authenticated_header": "yes",
            "smtpd_authorized_xclient_hosts": "127.0.0.0/8",
            "inet_protocols": "all",  # else it knows of no such address as XCLIENT may name
        }
        with Postfix(domain="to.test", settings=settings) as running:
            yield running


@pytest.fixture
def options(authority: CertificateAuthority) -> OutboundOptions:
    return OutboundOptions(
        tls="required", tls_verify="host", tls_ca=authority.file, ehlo_hostname="node.test"
    )


def caller_of(postfix: Postfix, options: OutboundOptions) -> OutboundCaller:
    return OutboundCaller(Address("postfix.to.test", "127.0.0.1", postfix.port), options)


def received(postfix: Postfix, count: int) -> str:
    """The topmost Received field of the *count*-th mail since Postfix was started, unfolded."""
    text = postfix.messages(count)[count - 1].decode()
    found = re.search(r"^Received: .*(?:\n[ \t].*)*", text, re.MULTILINE)
    assert found is not None
    return " ".join(found[0].split())


class Count:
    """How many mails Postfix has got from this file."""

    mails = 0


def after(messages: int) -> int:
    Count.mails += messages
    return Count.mails


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
def test_postfix_resumes_our_session(
    postfix: Postfix, options: OutboundOptions, loop: str, protocol: str
) -> None:
    async def work() -> list[bool]:
        caller = caller_of(postfix, replace(options, tls_protocols=(protocol,)))
        for number in (1, 2, 3):
            connection = await caller.call(a_message(number))
            assert connection is not None
            connection.quit()
        facts = [result.attempt.tls_facts for result in caller.results]
        return [each.resumed for each in facts if each is not None and each.verified == "host"]

    assert run_on(loop, work()) == [False, True, True]
    assert f"using {protocol} with cipher" in received(postfix, after(3))


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"])
def test_postfix_lets_us_in(postfix: Postfix, options: OutboundOptions, mechanism: str) -> None:
    login = replace(
        options,
        outbound_smtp_auth_type=mechanism,
        outbound_smtp_auth_user="me",
        outbound_smtp_auth_pass=Secret(PASSWORD),
    )

    async def work() -> None:
        caller = caller_of(postfix, login)
        assert await caller.call() is not None
        guessing = caller_of(postfix, replace(login, outbound_smtp_auth_pass=Secret("guessed")))
        assert await guessing.call() is None
        [failure] = guessing.failures
        assert (failure.fault, failure.attempt.stage, failure.reply.code) == ("host", "auth", 535)
        assert failure.on_terms

    run_on("uvloop", work())
    assert "(Authenticated sender: me)" in received(postfix, after(1))


def test_postfix_believes_whom_we_speak_for(postfix: Postfix, options: OutboundOptions) -> None:
    one = Origin(listener="default", peer="192.0.2.7:4711", helo="app.test", protocol="ESMTP")
    other = Origin(listener="default", peer="[2001:db8::7]:4712", helo="six.test", protocol="SMTP")
    customer = Origin(listener="default", peer="192.0.2.8:4713", helo="shop.test", protocol="ESMTPSA")

    async def work() -> None:
        caller = caller_of(postfix, replace(options, xclient="required"))
        connection = await caller.call(a_message(1, one))
        assert connection is not None
        # Postfix asks the address that we speak for whether it is to be trusted with another XCLIENT.
        refused = await caller.deliver(connection, a_message(2, other))
        assert (refused.verdict, refused.reply.enhanced) == ("untried", "4.7.6")
        for each in (a_message(2, other), a_message(3, customer, 7), a_message(4, Origin())):
            await caller.call(each)
        verdicts = [result.verdict for result in caller.results]
        assert verdicts == ["delivered", "untried", "delivered", "delivered", "delivered"]

    run_on("uvloop", work())
    mails = after(4)
    fields = [received(postfix, number) for number in range(mails - 3, mails + 1)]  # one may overtake another
    for words in (
        "from app.test (unknown [192.0.2.7])",
        "from six.test (unknown [IPv6:2001:db8::7])",
        "(Authenticated sender: account-7)",
        "from node.test (unknown [127.0.0.1])",
    ):
        assert sum(words in field for field in fields) == 1, words
