"""The hosts that a routing domain stands for: its next hops, what DNS says of them, and what is to be left out."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from angarium.config.reading import is_host_name
from angarium.config.records import OutboundOptions
from angarium.config.values import Route
from angarium.core.reply import Reply
from angarium.dns.records import Answer, Mx
from angarium.queue.destination import Destination, default_port, numeric

MAX_HOSTS = 50
"""Hosts of one plan whose addresses are asked for, best first; more is not needed and may be an attack."""

RETRY_FAILED_S = 60
"""A failure, or a plan in which some host failed, is asked again no sooner and no later than this."""


class Ourselves(NamedTuple):
    """What mail must not be routed to: our host names, lower case, and (address, port) where we listen.

    *ports* are those where we listen on all addresses, so on all of loopback.
    """

    names: frozenset[str] = frozenset()
    endpoints: frozenset[tuple[str, int]] = frozenset()
    ports: frozenset[int] = frozenset()

    def listen_at(self, ip: str, port: int) -> bool:
        """Whether a connection there would reach ourselves."""
        return (ip, port) in self.endpoints or (port in self.ports and (ip == "::1" or ip.startswith("127.")))


NOBODY = Ourselves()


class NextHop(NamedTuple):
    """One place that hosts come from: the domain itself or an item of Routes."""

    rank: int
    host: str
    port: int
    ask_mx: bool
    is_trusted: bool  # stands in the configuration
    ttl_s: int | None = None


class MailHost(NamedTuple):
    """One host. *rank*: that of its hop, then the MX preference. *is_listed*: it stands in the MX set."""

    rank: tuple[int, int]
    host: str
    port: int
    is_trusted: bool
    is_listed: bool


@dataclass(slots=True)
class HostDraft:
    """What is known so far. *failures*, in the order of finding, matter only without any address. *ipv6_only* are hosts
    that have none but IPv6 addresses, which are not to be used.
    """

    now: float
    entries: list[MailHost] = field(default_factory=list)
    ttls_s: list[int] = field(default_factory=list)
    failures: list[Reply] = field(default_factory=list)
    loop_rank: tuple[int, int] | None = None
    loop_is_ours: bool = False
    ipv6_only: list[str] = field(default_factory=list)

    def cut(self, rank: tuple[int, int], is_trusted: bool) -> None:
        """Use nothing as bad as *rank* or worse: that is where we are ourselves."""
        self.loop_rank = rank if self.loop_rank is None else min(rank, self.loop_rank)
        self.loop_is_ours |= is_trusted

    def fail(self, code: int, enhanced: str, text: str) -> None:
        """Note why something cannot be used. *text* may hold what DNS said."""
        safe = "".join(each if each.isprintable() else "?" for each in text)
        self.failures.append(Reply(code, enhanced, f"[internal] {safe}"))

    def refuse(self, is_trusted: bool, code: int, enhanced: str, text: str) -> None:
        """Note a permanent failure, but a temporary one where the host stands in our configuration: a mistake there,
        or a slip in a relay's zone, bounces no mail.
        """
        if is_trusted:
            self.fail(454, "4.4.4", f"{text}, and it stands in the configuration")
        else:
            self.fail(code, enhanced, text)


def next_hops_of(
    destination: Destination, options: OutboundOptions, is_gateway: bool = False
) -> list[NextHop]:
    """Return where the hosts for *destination* come from: Routes where they are set and no port is, else itself."""
    port = destination.port or default_port(options)
    if destination.is_address or destination.is_trusted or not options.routes:
        gateway = options.gateway
        is_gateway |= gateway is not None and gateway.host == destination.host
        # A gateway by address is named with its port, so a bare address is a sender's literal.
        is_trusted = destination.is_trusted or (is_gateway and not destination.is_address)
        return [NextHop(0, destination.host, port, not destination.is_address, is_trusted)]
    hops: list[NextHop] = []
    worst = -1
    for route in options.routes:
        rank = worst + 1 if route.preference is None else route.preference
        worst = max(worst, rank)
        hops.append(_next_hop(route, rank, destination, options))
    return hops


def _next_hop(route: Route, rank: int, destination: Destination, options: OutboundOptions) -> NextHop:
    port = route.port or default_port(options)
    if route.is_mx:
        return NextHop(rank, destination.host, port, route.type != "a", False, route.ttl_s)
    return NextHop(rank, route.host, port, route.type != "a", True, route.ttl_s)


def may_fall_back(options: OutboundOptions, mx_failures: int) -> bool:
    """Whether this many failed MX look-ups, and one now, are enough to try the addresses (0: never)."""
    allowed = options.mx_failures_fallback_to_a
    return allowed != 0 and mx_failures + 1 >= abs(allowed)


def expand(
    draft: HostDraft, hop: NextHop, answer: Answer | None, ourselves: Ourselves, fall_back: bool
) -> None:
    """Note the hosts that *hop* stands for, given the *answer* to its MX question (None: not asked)."""
    itself = MailHost((hop.rank, 0), hop.host, hop.port, hop.is_trusted, False)
    if hop.ttl_s is not None:
        draft.ttls_s.append(hop.ttl_s)
    if answer is None:
        draft.entries.append(itself)
        return
    if hop.ttl_s is None:
        draft.ttls_s.append(answer.ttl_s if answer.status != "failure" else RETRY_FAILED_S)
    if answer.status == "nodata" or (answer.status == "failure" and fall_back):
        draft.entries.append(itself)  # RFC 5321 §5.1: the implicit MX
    elif answer.status == "nxdomain":
        draft.refuse(hop.is_trusted, 554, "5.4.4", f"the domain {hop.host} does not exist")
    elif answer.status == "failure":
        draft.fail(451, "4.4.3", f"DNS gives no answer about the mail hosts of {hop.host}: {answer.note}")
    elif not any(record.host for record in answer.mx):
        draft.refuse(hop.is_trusted, 550, "5.4.4", f"the domain {hop.host} takes no mail (null MX)")
    else:
        _expand_mx(draft, hop, answer.mx, ourselves)


def _expand_mx(draft: HostDraft, hop: NextHop, records: Iterable[Mx], ourselves: Ourselves) -> None:
    for record in records:
        rank = (hop.rank, record.preference)
        if record.host in ourselves.names:
            draft.cut(rank, hop.is_trusted)
        elif numeric(record.host) or is_host_name(record.host):
            draft.entries.append(MailHost(rank, record.host, hop.port, hop.is_trusted, True))


def best_hosts(draft: HostDraft, rng: Random) -> list[str]:
    """Put the entries in order, equal ones at random (RFC 5321 §5.1), and return the hosts to ask about."""
    rng.shuffle(draft.entries)
    draft.entries.sort(key=lambda entry: entry.rank)
    if draft.loop_rank is not None:
        draft.entries = [entry for entry in draft.entries if entry.rank < draft.loop_rank]
    return list(dict.fromkeys(entry.host for entry in draft.entries))[:MAX_HOSTS]
