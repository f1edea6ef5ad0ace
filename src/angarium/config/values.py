"""The values that options can have beyond numbers and words."""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain
from typing import Final, Literal, NamedTuple

from angarium.config.patterns import Pattern, glob_pattern


class Where(NamedTuple):
    """The place in a configuration file that set a value."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Throttle:
    """At most *count* per *seconds*, shared by all that fall back to the same *scope*.

    *scope* names the stanza instance that set the throttle (`binding_group g`, `global`): the key of its
    one bucket.
    """

    count: int
    seconds: int = 1
    scope: str = "global"
    where: Where | None = None

    def __str__(self) -> str:
        return f"{self.count}/{self.seconds}"


@dataclass(frozen=True, slots=True)
class SharedLimit:
    """A number of connections that all who fall back to the same *scope* share one counter for."""

    limit: int
    scope: str = "global"
    where: Where | None = None

    def __str__(self) -> str:
        return str(self.limit)


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """An IP address without brackets, and a TCP or UDP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return join_host_port(self.host, self.port)


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where a listener takes connections: TCP *host* and *port*, or the Unix socket *path* (then no host).

    *host* is an IP address without brackets; `0.0.0.0` stands for `*`, `::` for `[*]`. *name* is the stanza's
    own name, as it is given to `Config.inbound`.
    """

    name: str
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        return self.path or join_host_port(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A relay that all mail goes through: *host* is a name or an IP address without brackets, lower case.

    *port* None means the port of the delivery method.
    """

    host: str
    port: int | None = None

    def __str__(self) -> str:
        return self.host if self.port is None else join_host_port(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Route:
    """One item of `Routes`.

    *host* is a name, an IP address without brackets, or `__mx__` for the domain's real MX set. *preference*
    is None where the place in the list decides. *port* None means the port of the delivery method, *ttl_s*
    None the TTL that DNS gives. *type* says how the name is looked up, None: MX, then addresses.
    """

    host: str
    port: int | None = None
    preference: int | None = None
    ttl_s: int | None = None
    type: Literal["mx", "a"] | None = None

    @property
    def is_mx(self) -> bool:
        """Whether this stands for the domain's own MX records."""
        return self.host == "__mx__"

    def __str__(self) -> str:
        pairs = {"pref": self.preference, "ttl": self.ttl_s, "port": self.port, "type": self.type}
        query = "&".join(f"{key}={value}" for key, value in pairs.items() if value is not None)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"smtp://{host}?{query}" if query else host


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_INSIDE: Final[dict[str, tuple[str, ...]]] = {
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "loopback": ("127.0.0.0/8", "::1/128"),
    # Where clouds answer their machines, beside 169.254.169.254: Amazon, Google, Azure, Oracle, Alibaba.
    "metadata": ("fd00:ec2::254", "fd20:ce::254", "168.63.129.16", "192.0.0.192", "100.100.100.200"),
    "unspecified": ("0.0.0.0/8", "::/128"),
}
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15")
_PRIVATE_6 = ("fc00::/7", "fec0::/10")

NAMED_RANGES: Final[dict[str, tuple[str, ...]]] = _INSIDE | {
    "private": (*chain(*_INSIDE.values()), *_PRIVATE, *_PRIVATE_6)
}
"""Words for ranges in which no host on the Internet can be reached (RFC 6890); *private* is all of them."""


@dataclass(frozen=True)
class CidrSet:
    """A set of address ranges, of both families. Asking costs one look-up per distinct prefix length.

    Some may be words of `NAMED_RANGES`; a range that is written as well stands before such a word.
    """

    ranges: tuple[str, ...] = ()

    @cached_property
    def _index(self) -> dict[int, list[tuple[int, dict[int, str]]]]:
        index: dict[int, dict[int, dict[int, str]]] = {4: {}, 6: {}}
        words = [text for text in self.ranges if text in NAMED_RANGES]
        named = [(word, text) for word in words for text in NAMED_RANGES[word]]
        written = [(text, text) for text in self.ranges if text not in NAMED_RANGES]
        for name, text in named + written:
            network = _plain(ipaddress.ip_network(text))
            shift = network.max_prefixlen - network.prefixlen
            index[network.version].setdefault(shift, {})[int(network.network_address) >> shift] = name
        return {family: sorted(shifts.items()) for family, shifts in index.items()}

    def match(self, ip: str) -> str | None:
        """Return the longest range that holds the numeric address *ip*, as written; None if there is none.

        An IPv4-mapped IPv6 address counts as IPv4. What is not an address, such as the empty peer of a Unix
        socket, is in no range.
        """
        version, number = _numeric(ip)
        for shift, found in self._index.get(version, ()):
            if number >> shift in found:
                return found[number >> shift]
        return None

    def contains(self, ip: str) -> bool:
        """Whether the numeric address *ip* is in one of the ranges, as `match` has it."""
        return self.match(ip) is not None

    def __bool__(self) -> bool:
        return bool(self.ranges)


@dataclass(frozen=True)
class DomainSet:
    """Domain patterns: `example.com`, `*.example.com` (not example.com itself), other globs with `*`, `?`."""

    patterns: tuple[str, ...] = ()

    @cached_property
    def _exact(self) -> frozenset[str]:
        return frozenset(pattern for pattern in self.patterns if not _is_glob(pattern))

    @cached_property
    def _parents(self) -> frozenset[str]:
        """The domains whose subdomains are all meant, `x.com` of `*.x.com`."""
        return frozenset(pattern[2:] for pattern in self.patterns if _is_subdomains(pattern))

    @cached_property
    def _globs(self) -> tuple[Pattern, ...]:
        others = (pattern for pattern in self.patterns if _is_glob(pattern) and not _is_subdomains(pattern))
        return tuple(map(glob_pattern, others))

    def contains(self, domain: str) -> bool:
        """Whether *domain*, in lower-case A-labels, matches one of the patterns."""
        if domain in self._exact:
            return True
        if self._parents and any(parent in self._parents for parent in _parents_of(domain)):
            return True
        return any(glob.is_in(domain) for glob in self._globs)

    def __bool__(self) -> bool:
        return bool(self.patterns)


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that is never shown: not by `repr`, not by `str`, not in the configuration as it is printed, where
    *shown* stands for it.
    """

    value: str
    shown: str = "(secret)"

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


NOWHERE = CidrSet()
INSIDE = CidrSet(tuple(sorted(_INSIDE)))
NO_DOMAINS = DomainSet()


@lru_cache(maxsize=4096)
def _numeric(ip: str) -> tuple[int, int]:
    """Return version and value of an address; version 0 of what is none. Cached: the same peers come again."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return 0, 0
    if address.version == 6 and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.version, int(address)


def _plain(network: _Network) -> _Network:
    """Return a range of IPv4-mapped addresses as one of IPv4, which is what such peers count as."""
    if network.version == 4 or network.prefixlen < 96 or network.network_address.ipv4_mapped is None:
        return network
    return ipaddress.IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - 96))


def _is_subdomains(pattern: str) -> bool:
    return pattern.startswith("*.") and not _is_glob(pattern[2:])


def _parents_of(domain: str) -> Iterator[str]:
    at = domain.find(".")
    while at >= 0:
        yield domain[at + 1 :]
        at = domain.find(".", at + 1)


def _is_glob(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern


def join_host_port(host: str, port: int) -> str:
    """Write *host* and *port* together, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def stanza_domain(domain: str) -> str:
    """Return the name under which the configuration speaks of a routing domain: without a gateway's port.

    `relay.example:587` is spoken of as `relay.example`, `[2001:db8::1]:25` as `2001:db8::1`.
    """
    if ":" not in domain or domain.endswith("]"):
        return domain
    return domain.rpartition(":")[0].strip("[]")


def cidrs(*ranges: str) -> CidrSet:
    """Make a set from ranges or single addresses. Raises ValueError when one is neither or has host bits."""
    return CidrSet(tuple(str(ipaddress.ip_network(text)) for text in ranges))


def domains(*patterns: str) -> DomainSet:
    """Make a set of domain patterns."""
    return DomainSet(tuple(pattern.lower() for pattern in patterns))


def show_value(value: object) -> str:
    """Write a value as it may stand in a configuration file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if re.fullmatch(r"[A-Za-z0-9_.:@*-]+", value) else quoted(value)
    if isinstance(value, Secret):
        return quoted(value.shown)
    if isinstance(value, frozenset):
        value = sorted(value)
    if isinstance(value, CidrSet):
        value = value.ranges
    if isinstance(value, DomainSet):
        value = value.patterns
    if isinstance(value, Iterable):
        return " ".join(("(", *map(show_value, value), ")"))
    if isinstance(value, bool | int):
        return str(value)
    return show_value(str(value))


def quoted(text: str) -> str:
    """Write *text* in double quotes."""
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"'
