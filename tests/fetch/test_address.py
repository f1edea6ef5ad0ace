"""Which addresses may be reached by HTTP."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.config.values import NOWHERE, cidrs
from angarium.fetch.address import AddressGuard, special

PUBLIC = (
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "172.32.0.1",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00::1",
)
PRIVATE = (
    *("10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd00::1", "fec0::1"),
    *("127.0.0.1", "127.255.255.254", "::1", "0.0.0.0", "::", "0.1.2.3"),
    *("169.254.169.254", "fe80::1", "100.64.0.1", "100.127.255.255", "192.0.0.170"),
    *("224.0.0.1", "239.1.1.1", "255.255.255.255", "ff02::1", "240.0.0.1", "198.18.0.1"),
    *("::ffff:10.0.0.1", "::ffff:7f00:1", "::ffff:8.8.8.8", "::127.0.0.1", "::7f00:1"),
    *("2002:7f00:1::", "2002:0808:0808::1", "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b:1::a00:1"),
    *("2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "3fff::1", "5f00::1", "4000::1", "1::1"),
    *("2a00::5efe:7f00:1", "2a00::200:5efe:10.0.0.1"),
)


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_reached(text: str) -> None:
    assert special(ip_address(text)) == ""


@pytest.mark.parametrize("text", PRIVATE)
def test_what_is_not_everybodys_is_refused_in_any_spelling(text: str) -> None:
    assert AddressGuard(NOWHERE).refusal(ip_address(text)).startswith(str(ip_address(text)))


def test_any_such_address_among_several_refuses_all() -> None:
    guard = AddressGuard(NOWHERE)
    assert guard.allowed(["8.8.8.8", "2a00::1"]) == [ip_address("8.8.8.8"), ip_address("2a00::1")]
    with pytest.raises(ValueError, match=r"10\.0\.0\.1 is private"):
        guard.allowed(["8.8.8.8", "10.0.0.1", "9.9.9.9"])
    with pytest.raises(ValueError, match="NAT64"):
        guard.allowed(["8.8.8.8", "64:ff9b::8.8.8.8"])


def test_a_network_that_is_configured_is_reached_and_no_other_spelling_of_it() -> None:
    guard = AddressGuard(cidrs("127.0.0.0/8", "64:ff9b::/96"))
    assert guard.refusal(ip_address("127.0.0.9")) == ""
    assert guard.refusal(ip_address("64:ff9b::8.8.8.8")) == ""
    assert "IPv4 written as IPv6" in guard.refusal(ip_address("::ffff:127.0.0.9"))
    assert "6to4" in guard.refusal(ip_address("2002:7f00:1::"))
    assert guard.refusal(ip_address("::1")) != ""


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_is_reached_by_way_of_ipv6(address: IPv4Address) -> None:
    number = int(address)
    within = (0xFFFF << 32 | number, number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80)
    assert all(special(IPv6Address(each)) for each in within)


@given(st.ip_addresses())
def test_what_python_calls_not_global_is_never_reached(address: IPv4Address | IPv6Address) -> None:
    """The tables are ours; the library's are the oracle, in one direction: what it says is reserved, is."""
    if address.is_private or address.is_multicast or address.is_reserved or address.is_link_local:
        assert special(address)
