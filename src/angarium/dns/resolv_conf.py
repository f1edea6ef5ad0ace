"""Reads a resolv.conf: its `nameserver` lines, and nothing else of it. Pure.

The other lines are for programs that are given short names by people. A name in mail is whole (RFC 5321 §2.3.5), so
`search`, `domain` and `ndots` do not apply. `timeout` and `attempts` are what `DNS_Timeout` and `DNS_Deadline` say. The
server that answered last is asked first, which does more than `rotate`, and EDNS is always tried, as by `edns0`.
"""

import ipaddress

from angarium.config.values import SocketAddress

DNS_PORT = 53


def name_servers(text: str) -> tuple[SocketAddress, ...]:
    """Return the servers in the order of their lines, each once. Like the C library, pass over lines that name none.

    An IPv6 address may have a zone: `fe80::1%eth0`.
    """
    found: dict[SocketAddress, None] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver" and _is_address(words[1]):
            found[SocketAddress(words[1], DNS_PORT)] = None
    return tuple(found)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
