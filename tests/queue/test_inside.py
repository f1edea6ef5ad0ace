"""Mail goes to no address of the inside that strangers named, however it is spelt; what we wrote is meant."""

import ipaddress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.config.records import GlobalOptions, OutboundOptions
from angarium.config.values import NOWHERE, CidrSet, Gateway, Route
from angarium.queue.inside import faces, range_of
from angarium.queue.plan import RouteFailure, RoutePlan
from angarium.queue.routing import Ourselves, plan_route
from angarium.testing.dns import answer_question, parse_zone

PRIVATE = CidrSet(("private",))

ZONE = """
evil.test       MX 10 mx.evil.test
mx.evil.test    A 127.0.0.9
half.test       MX 10 mx.evil.test
half.test       MX 20 mx.good.test
mx.good.test    A 192.0.2.1
plain.test      A 169.254.169.254
number.test     MX 10 127.1
number.test     MX 20 mx.good.test
literal.test    MX 10 169.254.169.254
broken.test     MX 10 mx.evil.test
broken.test     MX 20 hang.test
hang.test       !servfail
relay.test      A 127.0.0.2
mxrelay.test    MX 10 relay.test
site.test       A 10.1.2.3
127.1           A 127.0.0.1
ours.test       MX 10 mx.good.test
ours.test       MX 20 self.test
ours.test       MX 30 backup.test
self.test       A 192.0.2.25
backup.test     A 192.0.2.3
selfonly.test   MX 10 mapped.test
mapped.test     AAAA 64:ff9b::192.0.2.25
"""
ME = Ourselves(endpoints=frozenset({("192.0.2.25", 25)}))


def route(
    domain: str, settings: GlobalOptions | None = None, *, is_gateway: bool = False, **options: object
) -> RoutePlan | RouteFailure:
    zone = parse_zone(ZONE)
    planning = plan_route(
        domain,
        OutboundOptions(**options),  # type: ignore[arg-type]
        settings or GlobalOptions(use_ipv6=True),
        0.0,
        Random(1),
        ourselves=ME,
        is_gateway=is_gateway,
    )
    try:
        questions = next(planning)
        while True:
            questions = planning.send(tuple(answer_question(zone, each) for each in questions))
    except StopIteration as end:
        return end.value


def show(outcome: RoutePlan | RouteFailure) -> str:
    if isinstance(outcome, RouteFailure):
        return str(outcome.reply)
    return " ".join(str(address) for level in outcome.levels for address in level.addresses)


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        (
            "evil.test",
            "551 5.4.6 [internal] mx.evil.test has the address 127.0.0.9, where Prohibited_Hosts (loopback) "
            "lets no mail go",
        ),
        (
            "plain.test",
            "551 5.4.6 [internal] plain.test has the address 169.254.169.254, where Prohibited_Hosts "
            "(link-local) lets no mail go",
        ),
        ("localhost", "551 5.4.6 "),
        ("literal.test", "551 5.4.6 "),
        ("[127.0.0.1]", "551 5.4.6 "),
        ("127.0.0.1", "551 5.4.6 "),
        ("[0.0.0.0]", "551 5.4.6 "),
        ("[IPv6:::]", "551 5.4.6 "),
        ("[IPv6:::1]", "551 5.4.6 "),
        ("[IPv6:fe80::1]", "551 5.4.6 "),
        ("[IPv6:fd00:ec2::254]", "551 5.4.6 "),
        ("half.test", "192.0.2.1:25"),
        ("site.test", "10.1.2.3:25"),
        # one host may yet come back
        ("broken.test", "451 4.4.3 "),
        # programs read these as addresses; they are no names
        ("number.test", "192.0.2.1:25"),
        ("127.1", "554 5.1.2 "),
        ("2130706433", "554 5.1.2 "),
        ("0x7f000001", "554 5.1.2 "),
        ("0177.0.0.1", "554 5.1.2 "),
        ("0x7f.0.0.1", "554 5.1.2 "),
        ("[127.1]", "554 5.1.2 "),
        ("[IPv6:fe80::1%lo]", "554 5.1.2 "),
        # ourselves: nothing as bad as we are, or worse
        ("ours.test", "192.0.2.1:25"),
        ("selfonly.test", "554 5.4.6 "),
    ],
)
def test_by_default_nobody_outside_sends_our_mail_inside(domain: str, expected: str) -> None:
    assert show(route(domain)).startswith(expected)


@pytest.mark.parametrize(
    ("domain", "options", "expected"),
    [
        ("127.0.0.2:25", {}, "127.0.0.2:25"),
        ("relay.test:587", {}, "127.0.0.2:587"),
        ("relay.test", {"gateway": Gateway("relay.test")}, "127.0.0.2:25"),
        ("mxrelay.test", {"gateway": Gateway("mxrelay.test")}, "127.0.0.2:25"),
        ("relay.test", {"is_gateway": True}, "127.0.0.2:25"),
        ("evil.test", {"routes": (Route("127.0.0.2", 24),)}, "127.0.0.2:24"),
        ("evil.test", {"routes": (Route("relay.test"),)}, "127.0.0.2:25"),
        # what the route takes from DNS is not written
        ("evil.test", {"routes": (Route("__mx__"),)}, "551 5.4.6 "),
        # somebody's literal, although a gateway has that address
        ("127.0.0.2", {"gateway": Gateway("127.0.0.2"), "is_gateway": True}, "551 5.4.6 "),
        ("[127.0.0.2]", {"gateway": Gateway("127.0.0.2")}, "551 5.4.6 "),
    ],
)
def test_what_stands_in_the_configuration_is_meant(
    domain: str, options: dict[str, object], expected: str
) -> None:
    assert show(route(domain, **options)).startswith(expected)  # type: ignore[arg-type]
    private = GlobalOptions(prohibited_hosts=PRIVATE)
    assert show(route(domain, private, **options)).startswith(expected)  # type: ignore[arg-type]


def test_the_word_private_covers_all_that_is_not_public() -> None:
    settings = GlobalOptions(prohibited_hosts=PRIVATE)
    for inside in ("10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254"):
        assert show(route(f"[{inside}]", settings)).startswith("551 5.4.6 "), inside
    for inside in ("fd00::1", "::1", "fe80::1", "fec0::1"):
        assert show(route(f"[IPv6:{inside}]", settings)).startswith("551 5.4.6 "), inside
    for public in ("172.32.0.1", "192.0.2.1", "100.128.0.1"):
        assert show(route(f"[{public}]", settings)) == f"{public}:25"


def test_without_any_word_mail_goes_where_dns_says() -> None:
    assert show(route("evil.test", GlobalOptions(prohibited_hosts=NOWHERE))) == "127.0.0.9:25"


def test_a_range_beside_a_word_fails_the_domain_as_it_does_alone() -> None:
    hosts = CidrSet(("loopback", "127.0.0.0/8"))
    assert show(route("half.test", GlobalOptions(prohibited_hosts=hosts))).startswith("551 5.4.6 ")


SPELLINGS = [
    "::ffff:{ip}",  # IPv4-mapped
    "::{ip}",  # IPv4-compatible
    "64:ff9b::{ip}",  # NAT64
    "64:ff9b:1::{ip}",
    "::ffff:0:{ip}",  # IPv4-translated
    "2001:db8::5efe:{ip}",  # ISATAP
    "2002:{high:x}:{low:x}::1",  # 6to4
    "2001:0:{high:x}:{low:x}::1",  # Teredo: its server
    "2001:0:203:405:0:ffff:{inverse_high:x}:{inverse_low:x}",  # Teredo: itself
]


@given(
    number=st.sampled_from(["127.0.0.0/8", "169.254.0.0/16"])
    .map(ipaddress.IPv4Network)
    .flatmap(lambda inside: st.integers(int(inside[0]), int(inside[-1]))),
    spelling=st.sampled_from(SPELLINGS),
)
def test_an_ipv4_address_of_the_inside_is_known_in_every_ipv6_address_that_carries_it(
    number: int, spelling: str
) -> None:
    high, low = number >> 16, number & 0xFFFF
    text = spelling.format(
        ip=ipaddress.IPv4Address(number),
        high=high,
        low=low,
        inverse_high=high ^ 0xFFFF,
        inverse_low=low ^ 0xFFFF,
    )
    assert show(route(f"[IPv6:{text}]")).startswith("551 5.4.6 "), text


@given(st.ip_addresses(v=6).map(str))
def test_an_address_is_always_among_its_own_faces(ip: str) -> None:
    assert faces(ip)[0] == ip
    assert all(":" not in carried or carried == ip for carried in faces(ip))
    assert range_of(NOWHERE, ip) is None
