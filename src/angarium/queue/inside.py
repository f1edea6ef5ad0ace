"""Whether an address that others name leads to where only we should: inside, or to ourselves. Pure."""

import ipaddress
from collections.abc import Iterator
from functools import lru_cache

from angarium.config.values import CidrSet

_LOW_32 = [
    ipaddress.IPv6Network(text)
    for text in (
        "64:ff9b::/96",  # NAT64 (RFC 6052)
        "64:ff9b:1::/48",  # NAT64 of a site's own (RFC 8215)
        "::/96",  # IPv4-compatible (RFC 4291 §2.5.5.1)
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
    )
]
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


@lru_cache(maxsize=4096)
def faces(ip: str) -> tuple[str, ...]:
    """Return the numeric address *ip*, and the IPv4 addresses inside it that a gateway may send its packets on to."""
    return (ip, *map(str, _carried(ipaddress.IPv6Address(ip)))) if ":" in ip else (ip,)


def _carried(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    number = int(address)
    low = ipaddress.IPv4Address(number & 0xFFFF_FFFF)
    if number < 2:  # :: and ::1 carry nothing
        return
    if any(address in network for network in _LOW_32) or (number >> 32) & 0xFFFF_FFFF in _ISATAP:
        yield low
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour  # RFC 3056
    if address.teredo is not None:
        yield from address.teredo  # RFC 4380: its server, and itself


def range_of(hosts: CidrSet, ip: str) -> str | None:
    """Return the item of *hosts*, as written, that holds *ip* in any of its faces; None when none does."""
    return next((found for face in faces(ip) if (found := hosts.match(face)) is not None), None)
