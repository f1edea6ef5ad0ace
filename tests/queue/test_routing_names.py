"""Which queue mail waits in: gateways, routes and the forms of a routing domain."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.config.records import OutboundOptions
from angarium.config.values import Gateway, Route, Where, stanza_domain
from angarium.queue.destination import (
    Destination,
    numeric,
    parse_destination,
    routing_domain,
)


@dataclass
class Resolved:
    scope: str = "default"
    where: Where | None = None


@dataclass(eq=False)
class Config:
    """Options by domain; `*` for the rest. `scopes` says which stanza set an option."""

    options: dict[str, OutboundOptions]
    scopes: dict[tuple[str, str], str] = field(default_factory=dict)

    def outbound(self, binding: str, domain: str) -> OutboundOptions:
        return self.options.get(domain) or self.options.get("*") or OutboundOptions()

    def resolve(self, option: str, *, binding: str | None = None, domain: str | None = None) -> Resolved:
        return Resolved(
            self.scopes.get((option, domain or "")) or self.scopes.get((option, "*")) or "default"
        )


@pytest.mark.parametrize(
    ("gateway", "queue"),
    [
        (None, "example.com"),
        (Gateway("relay.test"), "relay.test"),
        (Gateway("relay.test", 587), "relay.test:587"),
        (Gateway("192.0.2.1"), "192.0.2.1:25"),
        (Gateway("192.0.2.1", 2525), "192.0.2.1:2525"),
        (Gateway("2001:db8::1"), "[2001:db8::1]:25"),
        (Gateway("2001:db8::1", 26), "[2001:db8::1]:26"),
    ],
)
def test_mail_queues_under_the_name_of_its_gateway(gateway: Gateway | None, queue: str) -> None:
    config = Config({"example.com": OutboundOptions(gateway=gateway)})
    assert routing_domain(config, "default", "example.com") == queue


def test_the_gateways_own_stanza_decides_its_port() -> None:
    everything = OutboundOptions(gateway=Gateway("192.0.2.1"))
    own = OutboundOptions(delivery_method="LMTP", lmtp_port=24)
    config = Config({"*": everything, "192.0.2.1": own})
    assert routing_domain(config, "default", "example.com") == "192.0.2.1:24"


def test_a_name_with_a_port_was_chosen_by_the_operator_and_stays() -> None:
    config = Config({"*": OutboundOptions(gateway=Gateway("relay.test"))})
    assert routing_domain(config, "default", "other.test:2525") == "other.test:2525"
    assert routing_domain(config, "default", "[IPv6:2001:db8::1]") == "relay.test"


def test_routes_of_a_domain_win_over_a_gateway_for_everything() -> None:
    both = OutboundOptions(gateway=Gateway("relay.test"), routes=(Route("192.0.2.1"),))
    scopes = {("Gateway", "*"): "global", ("Routes", "*"): "global"}
    for routes_scope, gateway_scope, queue in [
        ("domain local.test", "global", "local.test"),
        ("domain local.test", "binding b", "local.test"),
        ("domain local.test", "domain local.test", "relay.test"),
        ("domain local.test", "g::b::domain local.test", "relay.test"),
        ("global", "global", "relay.test"),
        ("global", "binding b", "relay.test"),
    ]:
        scopes |= {("Routes", "local.test"): routes_scope, ("Gateway", "local.test"): gateway_scope}
        assert routing_domain(Config({"*": both}, scopes), "b", "local.test") == queue


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("example.com", Destination("example.com")),
        ("_odd-name.test", Destination("_odd-name.test")),
        ("relay.test:587", Destination("relay.test", 587, False, True)),
        ("192.0.2.1", Destination("192.0.2.1", None, True, False)),
        ("192.0.2.1:25", Destination("192.0.2.1", 25, True, True)),
        ("[192.0.2.1]", Destination("192.0.2.1", None, True, False)),
        ("[IPv6:2001:DB8::1]", Destination("2001:db8::1", None, True, False)),
        ("[2001:db8::1]:25", Destination("2001:db8::1", 25, True, True)),
        ("2001:db8::1", Destination("2001:db8::1", None, True, False)),
        ("relay.test:0", None),
        ("relay.test:x", None),
        ("relay.test:²", None),
        (":25", None),
        ("[]", None),
        ("[example.com]", None),
        ("a b", None),
        ("Example.com", None),
        ("x" * 64 + ".test", None),
        (".".join(["a"] * 128), None),
    ],
)
def test_the_forms_of_a_routing_domain(text: str, expected: Destination | None) -> None:
    assert parse_destination(text) == expected


@given(st.text(max_size=40))
def test_no_recipients_domain_passes_for_an_operators_name(text: str) -> None:
    found = parse_destination(text)
    assert found is None or not found.is_trusted or ":" in text


def test_the_configuration_speaks_of_a_gateway_without_its_port() -> None:
    assert stanza_domain("relay.test:587") == "relay.test"
    assert stanza_domain("192.0.2.1:25") == "192.0.2.1"
    assert stanza_domain("[2001:db8::1]:25") == "2001:db8::1"
    assert stanza_domain("example.com") == "example.com"
    assert stanza_domain("[IPv6:2001:db8::1]") == "[IPv6:2001:db8::1]"


def test_an_ipv4_address_in_ipv6_clothing_is_seen_as_ipv4() -> None:
    assert numeric("::ffff:127.0.0.1") == "127.0.0.1"
    assert numeric("fe80::1%eth0") is None
    assert numeric("example.com") is None
