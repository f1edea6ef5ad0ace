"""The names of queues: what a routing domain can look like, and which one mail for a recipient's domain gets.

    example.com            a domain: its MX, else its addresses
    [192.0.2.1]            an address literal of a recipient (RFC 5321 §4.1.3), likewise [IPv6:2001:db8::1]
    relay.example          a gateway by name: looked up like a domain
    relay.example:587      a gateway by name with a port
    192.0.2.1:25           a gateway by address, always with a port; IPv6 as [2001:db8::1]:25

A colon outside brackets cannot occur in a recipient's domain. So a name with one stands in the configuration
or in an operator's command: it is meant, and lists of prohibited addresses do not speak against it.
"""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from angarium.config.reading import is_host_name
from angarium.config.records import OutboundOptions
from angarium.config.values import Gateway, Where, join_host_port

_DOMAIN_SCOPE = re.compile(r"(?:^|::)domain\b")


class ResolvedOption(Protocol):
    """Which stanza set the value in force, and where it stands."""

    @property
    def scope(self) -> str:
        """The stanza instance, such as `global`, `domain example.com` or `g::b::domain /x/`."""
        ...

    @property
    def where(self) -> Where | None:
        """File and line; None for a default."""
        ...


class RoutingConfig(Protocol):
    """The part of `Config` that routing needs."""

    def outbound(self, binding: str, domain: str) -> OutboundOptions:
        """What is in force for *binding* and *domain*."""
        ...

    def resolve(
        self, option: str, *, binding: str | None = None, domain: str | None = None
    ) -> ResolvedOption:
        """Where the value in force of *option* comes from."""
        ...

    def __hash__(self) -> int:
        """One generation of the configuration never changes: what follows from it is remembered."""
        ...


@dataclass(frozen=True, slots=True)
class Destination:
    """A routing domain taken apart.

    *host* is a name, or a numeric address when *is_address*. *port* None means the port of the delivery
    method. *is_trusted*: named by the operator, not by a recipient's address.
    """

    host: str
    port: int | None = None
    is_address: bool = False
    is_trusted: bool = False


def parse_destination(domain: str) -> Destination | None:
    """Take a routing domain apart. None when it is none of the forms above."""
    host, port, is_trusted = _split_port(domain)
    if port is not None and not 0 < port < 65_536:
        return None
    literal = host.startswith("[") and host.endswith("]")
    ip = numeric(host[1:-1].removeprefix("IPv6:").removeprefix("ipv6:") if literal else host)
    if ip is not None:
        return Destination(ip, port, is_address=True, is_trusted=is_trusted)
    return Destination(host, port, is_trusted=is_trusted) if not literal and is_host_name(host) else None


def routing_domain(config: RoutingConfig, binding: str, recipient_domain: str) -> str:
    """Return the queue for mail to *recipient_domain*: the gateway's name where one is in force.

    *recipient_domain* is in lower-case A-labels or a literal in brackets; a name with a port (an operator's)
    stays as it is. `Routes` of a domain stanza win over a `Gateway` that was set less specifically.
    """
    options = config.outbound(binding, recipient_domain)
    gateway = options.gateway
    if gateway is None or (":" in recipient_domain and _split_port(recipient_domain)[2]):
        return recipient_domain
    if options.routes and _routes_win(config, binding, recipient_domain):
        return recipient_domain
    return _gateway_name(gateway, default_port(config.outbound(binding, gateway.host)))


def default_port(options: OutboundOptions) -> int:
    """Return the port that the delivery method uses where nothing more specific is said."""
    return options.lmtp_port if options.delivery_method == "LMTP" else options.remote_smtp_port


def numeric(text: str) -> str | None:
    """Return *text* as a numeric address in its usual form, None when it is none.

    An IPv4-mapped IPv6 address comes back as IPv4, so that no list is passed by in disguise. Zones are
    refused.
    """
    if not text or not (text[0].isdigit() or ":" in text) or "%" in text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def _split_port(domain: str) -> tuple[str, int | None, bool]:
    """Split off a port. Returns host, port and whether there was one; a bare IPv6 address has none."""
    host, colon, port = domain.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not (is_bracketed or ":" not in host) or domain.endswith("]"):
        return domain, None, False
    return host, int(port) if port.isascii() and port.isdigit() and len(port) < 6 else -1, True


@lru_cache(maxsize=1024)
def _gateway_name(gateway: Gateway, default: int) -> str:
    if numeric(gateway.host) is None:
        return gateway.host if gateway.port is None else join_host_port(gateway.host, gateway.port)
    return join_host_port(gateway.host, gateway.port or default)


@lru_cache(maxsize=4096)
def _routes_win(config: RoutingConfig, binding: str, domain: str) -> bool:
    routes = config.resolve("Routes", binding=binding, domain=domain)
    gateway = config.resolve("Gateway", binding=binding, domain=domain)
    return bool(_DOMAIN_SCOPE.search(routes.scope)) and not _DOMAIN_SCOPE.search(gateway.scope)
