"""Which addresses are one peer, where sessions and failed logins are counted. Pure."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network


@lru_cache(4096)
def network_of(address: str, ipv4_prefix: int = 32, ipv6_prefix: int = 64) -> str:
    """Return what *address* is counted under: the network of so many bits that it is in, which is one customer's.

    A whole IPv4 address and one of this machine stand for themselves, an IPv4-mapped address for its IPv4 address. Text
    that is no address, such as the empty peer of a Unix socket, or a network already, is returned as it is.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or ip
    prefix = ipv4_prefix if ip.version == 4 else ipv6_prefix
    if ip.is_loopback or prefix >= ip.max_prefixlen:
        return str(ip)
    return str(ip_network(f"{ip}/{prefix}", strict=False))


def is_own(network: str) -> bool:
    """Whether what `network_of` returned is this machine itself, as its programs reach it: all its users share it."""
    return network in _OWN


_OWN = frozenset(("", "127.0.0.1", "::1"))
