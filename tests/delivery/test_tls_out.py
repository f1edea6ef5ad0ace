"""Payload connections and their encryption, each on a socket of its own against the sink."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from angarium.config.records import OutboundOptions
from angarium.core.address import Address
from angarium.core.log import Log
from angarium.core.records import TlsFacts
from angarium.testing.authority import CertificateAuthority, Issued
from angarium.testing.caller import LOOPS, OutboundCaller, a_message, run_on
from angarium.testing.sink import Sink
from angarium.tls.client.context import TlsSetupError
from angarium.tls.client.lessons import LOOK_AGAIN_S, TlsClient
from angarium.tls.client.policy import tls_policy

HOST = "mx1.test"
STARTTLS = f"hostname {HOST}\ntls starttls\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("stranger"), "Unknown Authority")


@asynccontextmanager
async def calling(
    options: OutboundOptions,
    script: str = STARTTLS,
    issued: Issued | None = None,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[OutboundCaller, Sink]]:
    """A sink that shows *issued*, and somebody who calls it by the name `mx1.test`."""
    if issued is not None:
        context = issued.server_context()
    async with Sink(script, context=context) as sink:
        host, port = sink.address
        yield OutboundCaller(Address(HOST, host, port), options), sink


def call_once(
    options: OutboundOptions,
    script: str = STARTTLS,
    issued: Issued | None = None,
    *,
    loop: str = "uvloop",
    context: ssl.SSLContext | None = None,
) -> tuple[OutboundCaller, Sink]:
    """Send one message, or fail to; return who did and who took it."""

    async def work() -> tuple[OutboundCaller, Sink]:
        async with calling(options, script, issued, context) as (caller, sink):
            connection = await caller.call()
            if connection is not None:
                connection.quit()
                await connection.gone.wait()
            return caller, sink

    return run_on(loop, work())


def facts(caller: OutboundCaller) -> TlsFacts:
    """What the attempt says of the encryption."""
    found = caller.results[-1].attempt.tls_facts
    assert found is not None
    return found


def problem(caller: OutboundCaller) -> str:
    """How the one connection failed."""
    [failure] = caller.failures
    return f"{failure.fault}, {failure.attempt.stage}: {failure.reply}"


# -- whether


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
def test_mail_goes_encrypted_where_that_is_offered(loop: str, protocol: str) -> None:
    caller, sink = call_once(OutboundOptions(tls_protocols=(protocol,)), loop=loop)
    attempt = caller.results[0].attempt
    assert caller.results[0].verdict == "delivered"
    assert attempt.tls.startswith(f"{protocol} ")
    assert sink.messages[0].tls == attempt.tls
    assert facts(caller).version == protocol
    assert facts(caller).names == (HOST,)
    assert facts(caller).not_after > datetime.now(UTC).timestamp()
    assert (facts(caller).verified, facts(caller).problem, facts(caller).resumed) == ("", "", False)
    assert [stage for stage, _ in attempt.timings][:4] == ["banner", "ehlo", "tls", "mail"]


@pytest.mark.parametrize("tls", ["no", "ifavailable"])
def test_mail_goes_in_clear_text_where_it_is_not_offered(tls: str) -> None:
    caller, sink = call_once(replace(OutboundOptions(), tls=tls), "")
    assert sink.messages[0].tls == ""
    assert caller.results[0].attempt.tls == ""
    assert caller.results[0].attempt.tls_facts is None


def test_an_offer_is_passed_over_when_nobody_wants_it() -> None:
    caller, sink = call_once(OutboundOptions(tls="no"))
    assert sink.messages[0].tls == ""
    assert "STARTTLS" not in caller.said("C")


def test_mail_waits_where_it_is_required_and_not_offered() -> None:
    caller, sink = call_once(OutboundOptions(tls="required"), "")
    assert problem(caller) == "address, ehlo: 451 4.7.6 [internal] STARTTLS required but not advertised"
    assert sink.messages == []


def test_a_peer_that_cannot_encrypt_now_gets_clear_text_over_the_same_connection() -> None:
    _, sink = call_once(OutboundOptions(), STARTTLS + "on starttls: reply 454 4.7.0 not now")
    assert sink.messages[0].tls == ""
    assert sink.counters.connections == 1


def test_lmtp_is_encrypted_as_well() -> None:
    async def work() -> None:
        async with calling(OutboundOptions(tls="required"), STARTTLS + "protocol lmtp") as (caller, sink):
            caller.method = "LMTP"
            await caller.call()
            assert sink.messages[0].tls != ""

    run_on("uvloop", work())


@pytest.mark.parametrize("loop", LOOPS)
def test_several_messages_share_one_encryption(loop: str) -> None:
    async def work() -> None:
        async with calling(OutboundOptions()) as (caller, sink):
            await caller.call(*(a_message(number) for number in range(1, 6)))
            assert [message.session for message in sink.messages] == [1] * 5
            stages = [[stage for stage, _ in each.attempt.timings] for each in caller.results]
            assert "tls" in stages[0]
            assert "tls" not in stages[1]  # the time of the handshake is told once

    run_on(loop, work())


def test_ciphers_are_chosen_by_option() -> None:
    options = OutboundOptions(tls_protocols=("TLSv1.2",), tls_ciphers="ECDHE-ECDSA-CHACHA20-POLY1305")
    assert call_once(options)[0].results[0].attempt.tls == "TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305"


# -- who it is


def verifying(verify: str, authority: CertificateAuthority, **more: object) -> OutboundOptions:
    """Options that want a certificate of *authority*."""
    return replace(OutboundOptions(tls="required"), tls_verify=verify, tls_ca=authority.file, **more)


@pytest.mark.parametrize("verify", ["ca", "host", "optional"])
@pytest.mark.parametrize("name", [HOST, "to.test"])
def test_a_certificate_for_the_host_or_the_domain_proves_all(
    authority: CertificateAuthority, verify: str, name: str
) -> None:
    caller, _ = call_once(verifying(verify, authority), issued=authority.issue(name))
    assert caller.results[0].verdict == "delivered"
    assert (facts(caller).verified, facts(caller).problem) == ("host", "")


@pytest.mark.parametrize(
    ("verify", "is_taken"), [("no", True), ("ca", True), ("host", False), ("optional", True)]
)
def test_a_certificate_for_another_name(authority: CertificateAuthority, verify: str, is_taken: bool) -> None:
    caller, sink = call_once(verifying(verify, authority), issued=authority.issue("mx.elsewhere.test"))
    assert len(sink.messages) == is_taken
    sentence = "the certificate is not for mx1.test or to.test but for mx.elsewhere.test"
    if is_taken:
        assert facts(caller).verified == ("" if verify == "no" else "ca")
        assert facts(caller).problem == (sentence if verify == "optional" else "")
    else:
        assert problem(caller) == f"address, tls: 451 4.7.5 [internal] TLS negotiation failed: {sentence}"


@pytest.mark.parametrize("verify", ["ca", "host"])
def test_an_unknown_issuer_is_not_believed(
    authority: CertificateAuthority, stranger: CertificateAuthority, verify: str
) -> None:
    caller, sink = call_once(verifying(verify, authority), issued=stranger.issue(HOST))
    assert sink.messages == []
    assert problem(caller).startswith(
        "address, tls: 451 4.7.5 [internal] TLS negotiation failed: the certificate does not prove its issuer: "
    )


def test_a_certificate_out_of_date_is_not_believed(authority: CertificateAuthority) -> None:
    now = datetime.now(UTC)
    old = authority.issue(HOST, begins=now - timedelta(days=9), ends=now - timedelta(days=1))
    caller, _ = call_once(verifying("ca", authority), issued=old)
    assert problem(caller).endswith("certificate has expired")


@pytest.mark.parametrize("loop", LOOPS)
def test_optional_looks_and_sends_anyway(
    authority: CertificateAuthority, stranger: CertificateAuthority, loop: str
) -> None:
    async def work() -> None:
        issued = stranger.issue(HOST)
        async with calling(verifying("optional", authority), issued=issued) as (caller, sink):
            for _ in range(2):
                await caller.call()
                assert facts(caller).verified == ""
                assert "does not prove its issuer" in facts(caller).problem
                assert facts(caller).names == (HOST,)
            assert [message.tls != "" for message in sink.messages] == [True, True]
            assert len(caller.retries) == 1  # what was seen of an address is remembered
            assert sink.counters.failed_handshakes == 1

    run_on(loop, work())


def test_a_certificate_for_the_address_is_one_for_the_host_where_that_has_no_name(
    authority: CertificateAuthority,
) -> None:
    async def work() -> None:
        issued = authority.issue("127.0.0.1")
        async with calling(verifying("host", authority), issued=issued) as (caller, _):
            caller.address = replace(caller.address, host="127.0.0.1")
            caller.domain = "[127.0.0.1]"
            await caller.call()
            assert facts(caller).verified == "host"

    run_on("uvloop", work())


@pytest.mark.parametrize("domain", ["relay.test:587", "relay.test"])
def test_a_certificate_for_the_gateway_is_one_for_the_host(
    authority: CertificateAuthority, domain: str
) -> None:
    async def work() -> None:
        async with calling(verifying("host", authority), issued=authority.issue("relay.test")) as (caller, _):
            caller.domain = domain
            await caller.call()
            assert facts(caller).verified == "host"

    run_on("uvloop", work())


# -- who we are


def test_a_certificate_is_shown_to_peers_that_ask_for_one(authority: CertificateAuthority) -> None:
    context = authority.issue(HOST).server_context(client_ca=authority.file)
    ours = authority.issue("node.test")
    options = OutboundOptions(tls="required", tls_certificate=ours.certificate, tls_key=ours.key)
    assert call_once(options, context=context)[1].messages[0].tls != ""
    both_in_one = OutboundOptions(tls="required", tls_certificate=ours.both)
    assert call_once(both_in_one, context=context)[1].messages[0].tls != ""


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
def test_a_peer_that_wants_one_and_gets_none_gets_clear_text(
    authority: CertificateAuthority, loop: str, protocol: str
) -> None:
    context = authority.issue(HOST).server_context(client_ca=authority.file)
    caller, sink = call_once(OutboundOptions(tls_protocols=(protocol,)), context=context, loop=loop)
    assert sink.messages[0].tls == ""
    assert len(caller.retries) == 1


def broken_files(authority: CertificateAuthority, folder: Path) -> dict[str, tuple[OutboundOptions, str]]:
    """Options whose files will not do, and what is said of them."""
    good, other = authority.issue("node.test"), authority.issue("other.test")
    now = datetime.now(UTC)
    old = authority.issue("node.test", begins=now - timedelta(days=9), ends=now - timedelta(days=1))
    nonsense = folder / "nonsense.pem"
    nonsense.write_text("nothing of the kind")
    gone = folder / "gone.pem"
    options = OutboundOptions(tls_verify="ca", tls_ca=authority.file)
    day = (now - timedelta(days=1)).date().isoformat()
    return {
        "missing": (replace(options, tls_certificate=gone), "TLS_Certificate cannot be read: no such file"),
        "nonsense": (
            replace(options, tls_certificate=nonsense),
            "TLS_Certificate holds no certificate in PEM",
        ),
        "expired": (
            replace(options, tls_certificate=old.both),
            f"TLS_Certificate expired on {day}; renew it",
        ),
        "no key": (replace(options, tls_certificate=good.certificate), "TLS_Certificate lacks its key"),
        "wrong key": (
            replace(options, tls_certificate=good.certificate, tls_key=other.key),
            "TLS_Key does not belong to TLS_Certificate",
        ),
        "missing key": (
            replace(options, tls_certificate=good.certificate, tls_key=gone),
            "TLS_Key cannot be read: no such file",
        ),
        "missing authority": (replace(options, tls_ca=gone), "TLS_CA cannot be read: no such file"),
        "empty authority": (replace(options, tls_ca=nonsense), "TLS_CA holds no certificate in PEM"),
        "ciphers": (replace(options, tls_ciphers="NONSENSE"), "TLS_Ciphers names no cipher that OpenSSL has"),
    }


KINDS = (
    *("missing", "nonsense", "expired", "no key", "wrong key", "missing key"),
    *("missing authority", "empty authority", "ciphers"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_files_that_will_not_do_hold_the_mail_and_are_named(
    authority: CertificateAuthority, tmp_path: Path, kind: str
) -> None:
    options, sentence = broken_files(authority, tmp_path)[kind]
    caller, sink = call_once(options)
    assert problem(caller).startswith(f"site, connect: 451 4.7.5 [internal] {sentence}")
    assert str(tmp_path) not in problem(caller)  # the sender may see it
    assert sink.counters.connections == 0


def test_a_certificate_that_was_renewed_is_used_without_a_restart(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    path = tmp_path / "ours.pem"
    policy = tls_policy(OutboundOptions(tls_certificate=path))
    address = Address(HOST, "127.0.0.1", 25)

    async def work() -> None:
        tls = TlsClient(Log(2, level="error"))
        with pytest.raises(TlsSetupError):
            await tls.way(policy, address, 1000.0)
        path.write_bytes(authority.issue("node.test").both.read_bytes())
        with pytest.raises(TlsSetupError):  # believed for a while
            await tls.way(policy, address, 1000.0 + LOOK_AGAIN_S / 2)
        first = await tls.way(policy, address, 1000.0 + LOOK_AGAIN_S)
        assert first.context is not None
        unchanged = await tls.way(policy, address, 1000.0 + 3 * LOOK_AGAIN_S)
        assert unchanged.context is first.context
        path.write_bytes(authority.issue("node.test", "more.test").both.read_bytes())
        second = await tls.way(policy, address, 1000.0 + 5 * LOOK_AGAIN_S)
        assert second.context is not first.context

    asyncio.run(work())


# -- when it fails


BREAKS: dict[str, str] = {
    "hangs up at STARTTLS": "on starttls: close",
    "hangs up instead of a handshake": "on handshake: close",
    "hangs up with its answer": "on starttls: reply 220 go; close",
}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("rule", BREAKS.values(), ids=BREAKS)
def test_a_handshake_that_fails_is_followed_by_clear_text_at_once(loop: str, rule: str) -> None:
    async def work() -> None:
        async with calling(OutboundOptions(), STARTTLS + rule) as (caller, sink):
            for _ in range(3):
                connection = await caller.call()
                assert connection is not None
                connection.quit()
            assert [message.tls for message in sink.messages] == ["", "", ""]
            assert caller.failures == []
            [retry] = caller.retries  # the others need not try
            assert str(retry.reply).startswith("451 4.7.5 [internal] TLS negotiation failed: ")
            assert sink.counters.connections == 4
            assert caller.results[0].attempt.tls == ""
            assert facts(caller).problem.startswith("sent in clear text: TLS negotiation failed: ")
            assert caller.counters.values["connections_total", "retried"] == 1

    run_on(loop, work())


@pytest.mark.parametrize(
    "options",
    [OutboundOptions(tls="required"), OutboundOptions(tls_ifavailable_fallback=False)],
    ids=["required", "no fallback"],
)
def test_without_leave_to_fall_back_the_mail_waits(options: OutboundOptions) -> None:
    caller, sink = call_once(options, STARTTLS + "on handshake: close")
    assert problem(caller).startswith("address, tls: 451 4.7.5 [internal] TLS negotiation failed: ")
    assert sink.messages == []
    assert sink.counters.connections == 1


def test_a_certificate_that_will_not_do_is_a_failed_handshake_as_well(
    authority: CertificateAuthority,
) -> None:
    options = replace(OutboundOptions(), tls_verify="host", tls_ca=authority.file)
    caller, sink = call_once(options, issued=authority.issue("mx.elsewhere.test"))
    assert sink.messages[0].tls == ""
    assert "not for mx1.test" in facts(caller).problem
    strict = replace(options, tls_ifavailable_fallback=False)
    assert call_once(strict, issued=authority.issue("mx.elsewhere.test"))[1].messages == []


@pytest.mark.parametrize("loop", LOOPS)
def test_a_handshake_that_hangs_is_given_up(loop: str) -> None:
    async def work() -> None:
        async with calling(OutboundOptions(tls="required"), STARTTLS + "on handshake: hang") as (
            caller,
            _,
        ):
            opening = asyncio.create_task(caller.open())
            await caller.heard("220 2.0.0 go ahead")
            [connection] = caller.dialer.connections.values()
            while not caller.failures:
                connection.check(time.time() + 61)
                await asyncio.sleep(0)
            assert await opening is None
            assert problem(caller) == (
                "address, tls: 451 4.7.5 [internal] TLS negotiation failed: "
                "timed out after 60 s waiting for the TLS handshake"
            )

    run_on(loop, work())


@pytest.mark.parametrize("loop", LOOPS)
def test_nothing_is_heard_of_a_connection_that_was_given_up_in_its_handshake(loop: str) -> None:
    async def work() -> None:
        async with calling(OutboundOptions(), STARTTLS + "on handshake: hang") as (caller, sink):
            opening = asyncio.create_task(caller.open())
            await caller.heard("220 2.0.0 go ahead")
            [connection] = caller.dialer.connections.values()
            [dialing] = [task for task in asyncio.all_tasks() if "Connection.open" in repr(task.get_coro())]
            for _ in range(5):
                await asyncio.sleep(0)  # a few turns of the loop, and the handshake is under way
            connection.quit()
            await dialing
            opening.cancel()
            assert (caller.failures, caller.retries) == ([], [])
            assert sink.counters.connections == 1

    run_on(loop, work())


# -- again


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
def test_a_session_is_resumed(authority: CertificateAuthority, loop: str, protocol: str) -> None:
    async def work() -> None:
        options = verifying("host", authority, tls_protocols=(protocol,))
        async with calling(options, issued=authority.issue(HOST)) as (caller, sink):
            for _ in range(3):
                connection = await caller.call()
                assert connection is not None
                assert facts(caller).verified == "host"
                connection.quit()
            assert [each.attempt.tls_facts.resumed for each in caller.results] == [False, True, True]  # type: ignore[union-attr]
            assert [message.resumed for message in sink.messages] == [False, True, True]

    run_on(loop, work())


def test_a_session_is_resumed_with_nobody_else(authority: CertificateAuthority) -> None:
    async def work() -> None:
        issued = authority.issue(HOST, "mx2.test")
        async with calling(verifying("host", authority), issued=issued) as (caller, _):
            await caller.call()
            caller.address = replace(caller.address, host="mx2.test")
            await caller.call()
            assert not facts(caller).resumed

    run_on("uvloop", work())
