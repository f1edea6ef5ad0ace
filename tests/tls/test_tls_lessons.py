"""What is learnt of an address from its handshakes, for whom, and for how long."""

import asyncio
from dataclasses import replace

import pytest

from angarium.config.records import OutboundOptions
from angarium.core.address import Address
from angarium.core.log import Log
from angarium.tls.client.lessons import CLEAR, CLEAR_FOR_S, UNPROVED_FOR_S, TlsClient, Way
from angarium.tls.client.policy import TlsPolicy, tls_policy

HERE = Address("mx.test", "192.0.2.1", 25)
NOW = 1000.0


class Learner:
    """A client of TLS, asked without a loop around."""

    def __init__(self) -> None:
        self.tls = TlsClient(Log(2, level="error"))

    def way(self, policy: TlsPolicy, address: Address = HERE, now: float = NOW) -> Way:
        return asyncio.run(self.tls.way(policy, address, now))

    def fails(self, policy: TlsPolicy, problem: str = "broken", *, unproved: bool = False) -> bool:
        return self.tls.failed(policy, HERE, self.way(policy), problem, NOW, unproved=unproved)


@pytest.fixture
def learner() -> Learner:
    return Learner()


def policy(**options: object) -> TlsPolicy:
    return tls_policy(replace(OutboundOptions(), **options))  # type: ignore[arg-type]


def test_nothing_is_known_at_first(learner: Learner) -> None:
    way = learner.way(policy())
    assert (way.use, way.verified, way.problem) == ("ifavailable", False, "")
    assert way.context is not None
    assert learner.way(policy(tls="no")) is CLEAR


def test_clear_text_is_for_one_address_and_policy_and_passes(learner: Learner) -> None:
    assert learner.fails(policy(), "handshake failure")
    assert learner.way(policy()) == Way("no", problem="handshake failure")
    assert learner.way(policy(), now=NOW + CLEAR_FOR_S - 1).use == "no"
    assert learner.way(policy(), now=NOW + CLEAR_FOR_S).use == "ifavailable"
    assert learner.way(policy(), replace(HERE, ip="192.0.2.2")).use == "ifavailable"
    assert learner.way(policy(), replace(HERE, port=587)).use == "ifavailable"
    assert learner.way(policy(tls_protocols=("TLSv1.2",))).use == "ifavailable"


def test_clear_text_that_led_to_nothing_is_not_tried_again(learner: Learner) -> None:
    assert learner.fails(policy())
    learner.tls.in_vain(policy(), HERE)
    assert learner.way(policy()).use == "ifavailable"


@pytest.mark.parametrize(
    "options",
    [
        {"tls": "required"},
        {"tls_ifavailable_fallback": False},
        {"outbound_smtp_auth_type": "PLAIN"},
        {"outbound_smtp_auth_type": "XOAUTH2"},
    ],
    ids=str,
)
def test_who_may_not_fall_back_learns_nothing(learner: Learner, options: dict[str, object]) -> None:
    assert not learner.fails(policy(**options))
    assert learner.way(policy(**options)).context is not None


def test_a_login_that_hides_its_password_may_fall_back(learner: Learner) -> None:
    assert learner.fails(policy(outbound_smtp_auth_type="SCRAM-SHA-256"))


def test_an_issuer_that_is_not_known_is_not_looked_for_again_for_a_while(learner: Learner) -> None:
    optional = policy(tls="required", tls_verify="optional")
    assert learner.way(optional).verified
    assert learner.fails(optional, "self-signed", unproved=True)
    way = learner.way(optional)
    assert (way.use, way.verified, way.problem) == ("required", False, "self-signed")
    assert not learner.fails(optional)  # something else is wrong now
    assert learner.way(optional, now=NOW + UNPROVED_FOR_S).verified


@pytest.mark.parametrize("verify", ["ca", "host"])
def test_a_proof_that_is_demanded_is_looked_for_each_time(learner: Learner, verify: str) -> None:
    strict = policy(tls="required", tls_verify=verify)
    assert not learner.fails(strict, unproved=True)
    assert learner.way(strict).verified


def test_a_context_is_made_once_for_each_policy(learner: Learner) -> None:
    assert learner.way(policy()).context is learner.way(policy(retry_interval=7)).context
    assert learner.way(policy()).context is not learner.way(policy(tls_protocols=("TLSv1.2",))).context
