"""Which addresses may be reached by HTTP: the public ones, and no others unless a network is configured. Pure.

The tables are IANA's registries of special-purpose addresses, written out: what `ipaddress` calls global differs from
one version of Python to the next.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple

from angarium.config.values import CidrSet

Address = IPv4Address | IPv6Address


class _Special(NamedTuple):
    network: IPv4Network | IPv6Network
    called: str


def _v4(text: str, called: str) -> _Special:
    return _Special(IPv4Network(text), called)


def _v6(text: str, called: str) -> _Special:
    return _Special(IPv6Network(text), called)


_SPECIAL: Final = (
    _v4("0.0.0.0/8", "of this host"),
    _v4("10.0.0.0/8", "private"),
    _v4("100.64.0.0/10", "of a carrier's NAT"),
    _v4("127.0.0.0/8", "loopback"),
    _v4("169.254.0.0/16", "link-local"),
    _v4("172.16.0.0/12", "private"),
    _v4("192.0.0.0/24", "of protocols"),
    _v4("192.0.2.0/24", "for documentation"),
    _v4("192.88.99.0/24", "a relay of 6to4"),
    _v4("192.168.0.0/16", "private"),
    _v4("198.18.0.0/15", "for measuring"),
    _v4("198.51.100.0/24", "for documentation"),
    _v4("203.0.113.0/24", "for documentation"),
    _v4("224.0.0.0/4", "multicast"),
    _v4("240.0.0.0/4", "reserved"),
    _v6("::1/128", "loopback"),
    _v6("::/128", "of this host"),
    _v6("::ffff:0:0/96", "IPv4 written as IPv6"),
    _v6("::/96", "IPv4 written as IPv6"),
    _v6("64:ff9b::/96", "a translation to IPv4 (NAT64)"),
    _v6("64:ff9b:1::/48", "a translation to IPv4 (NAT64)"),
    _v6("2001::/32", "a tunnel (Teredo)"),
    _v6("2001::/23", "of protocols"),
    _v6("2001:db8::/32", "for documentation"),
    _v6("2002::/16", "a tunnel (6to4)"),
    _v6("3fff::/20", "for documentation"),
    _v6("fc00::/7", "private"),
    _v6("fe80::/10", "link-local"),
    _v6("fec0::/10", "private"),
    _v6("ff00::/8", "multicast"),
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_ISATAP: Final = (0x00005EFE, 0x02005EFE)


def special(address: Address) -> str:
    """Return what sort of address it is that is not everybody's, in words; empty: a public one."""
    for network, called in _SPECIAL:
        if address.version == network.version and address in network:
            return called
    if isinstance(address, IPv6Address):
        if address not in _GLOBAL_V6:
            return "reserved"
        if int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
            return "a tunnel (ISATAP)"
    return ""


class AddressGuard:
    """Says which addresses may be reached: public ones, and those in *networks*, whatever they are."""

    def __init__(self, networks: CidrSet) -> None:
        self._networks = networks

    def is_configured(self, address: Address) -> bool:
        """Whether it is in a network that may be reached since somebody has said so, and not since it is public.

        What carries an IPv4 address in another spelling is looked for as what it is: 127.0.0.0/8 does not let
        `::ffff:127.0.0.1` in.
        """
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            return False
        return self._networks.contains(str(address))

    def refusal(self, address: Address) -> str:
        """Return why *address* may not be reached, in words; empty: it may."""
        called = "" if self.is_configured(address) else special(address)
        return f"{address} is {called}" if called else ""

    def allowed(self, texts: list[str]) -> list[Address]:
        """Return the addresses that a name has, in order. Raises ValueError, with the reason, when there is *any* that
        may not be reached: whoever has one of those among others means to be led there.
        """
        addresses = [ip_address(text) for text in texts]
        refused = [why for why in map(self.refusal, addresses) if why]
        if refused:
            raise ValueError(refused[0])
        return addresses
