"""How a routing domain becomes a route plan: MX, Gateway, Routes and the rules around them.

Pure: `plan_route` is a generator that yields batches of DNS questions, is sent their answers, and returns
the plan or the failure. `delivery.router` drives it. Nothing that DNS says makes it raise.

Replies of our own (enhanced codes of RFC 3463; 4xx is tried again):

    550 5.4.4   the domain says that it takes no mail (null MX, RFC 7505)
    554 5.4.4   the domain does not exist
    554 5.1.2   the domain cannot be a domain
    554 5.4.6   the best host for the domain is this one (RFC 5321 §5.1)
    551 5.4.6   a host of the domain has an address in Prohibited_Hosts
    451 4.4.3   DNS did not answer
    451 4.4.6   the configuration routes the mail to this host itself
    454 4.4.4   no host of the domain has an address, or Skip_Hosts leaves none
"""

import hashlib
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from angarium.config.records import GlobalOptions, OutboundOptions
from angarium.config.values import Route
from angarium.core.reply import Reply
from angarium.dns.records import Answer, Mx, Question
from angarium.queue.destination import (
    Destination,
    default_port,
    is_host_name,
    numeric,
    parse_destination,
    routing_domain,
)
from angarium.queue.plan import Address, Level, RouteFailure, RoutePlan

__all__ = ["Ourselves", "Planning", "plan_route", "routing_domain"]

MAX_HOSTS = 50
"""Hosts of one plan whose addresses are asked for, best first; more is not needed and may be an attack."""

MAX_ADDRESSES_PER_HOST = 20
STATIC_TTL_S = 3600
"""How long a plan of addresses only is kept, which DNS gives no TTL for."""

RETRY_FAILED_S = 60
"""A failure, or a plan in which some host failed, is asked again no sooner and no later than this."""

Planning = Generator[tuple[Question, ...], tuple[Answer, ...], RoutePlan | RouteFailure]


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


class _Source(NamedTuple):
    """One place that hosts come from: the domain itself or an item of Routes."""

    rank: int
    host: str
    port: int
    ask_mx: bool
    is_trusted: bool  # stands in the configuration
    ttl_s: int | None = None


class _Entry(NamedTuple):
    """One host. *rank*: that of its source, then the MX preference. *is_listed*: it stands in the MX set."""

    rank: tuple[int, int]
    host: str
    port: int
    is_trusted: bool
    is_listed: bool


@dataclass(slots=True)
class _Draft:
    """What is known so far. *failures*, in the order of finding, matter only without any address."""

    now: float
    entries: list[_Entry] = field(default_factory=list)
    ttls_s: list[int] = field(default_factory=list)
    failures: list[Reply] = field(default_factory=list)
    loop_rank: tuple[int, int] | None = None
    loop_is_ours: bool = False

    def cut(self, rank: tuple[int, int]) -> None:
        """Use nothing as bad as *rank* or worse: that is where we are ourselves."""
        self.loop_rank = rank if self.loop_rank is None else min(rank, self.loop_rank)

    def fail(self, code: int, enhanced: str, text: str) -> None:
        self.failures.append(Reply(code, enhanced, f"[internal] {text}"))


def plan_route(
    domain: str,
    options: OutboundOptions,
    settings: GlobalOptions,
    now: float,
    rng: Random,
    *,
    ourselves: Ourselves = NOBODY,
    mx_failures: int = 0,
    why: str = "",
) -> Planning:
    """Plan the way to the queue *domain* (see `destination` for its forms); drive it with `send`.

    *options* are those of the domain. *mx_failures* counts the plans in a row that failed because DNS did
    not answer (MX_Failures_Fallback_To_A). *why* says where Routes or Gateway were set, for the operator; it
    is kept in the plan.
    """
    draft = _Draft(now)
    destination = parse_destination(domain)
    if destination is None:
        draft.fail(554, "5.1.2", "the domain is not one that mail can be sent to")
        return _failure(draft)
    sources = _sources(destination, options)
    asking = [source for source in sources if source.ask_mx and numeric(source.host) is None]
    answers = (yield tuple(Question(source.host, "MX") for source in asking)) if asking else ()
    found = dict(zip(asking, answers, strict=True))
    for source in sources:
        _expand(draft, source, found.get(source), ourselves, _may_fall_back(options, mx_failures))
    hosts = _best_hosts(draft, rng)
    questions = tuple(
        Question(host, type_)
        for host in hosts
        if numeric(host) is None
        for type_ in (("A", "AAAA") if settings.use_ipv6 else ("A",))
    )
    replies = (yield questions) if questions else ()
    addresses = _addresses(draft, hosts, zip(questions, replies, strict=True), rng)
    levels = _levels(draft, addresses, settings, ourselves, rng)
    if levels is None:
        return _failure(draft)
    return RoutePlan(
        levels=levels,
        method=options.delivery_method,
        site=_site(options.delivery_method, levels),
        expires_at=now + min(draft.ttls_s, default=STATIC_TTL_S),
        why=_why(destination, sources, draft, why),
    )


def _sources(destination: Destination, options: OutboundOptions) -> list[_Source]:
    port = destination.port or default_port(options)
    if destination.is_address or destination.is_trusted or not options.routes:
        return [_Source(0, destination.host, port, not destination.is_address, destination.is_trusted)]
    sources: list[_Source] = []
    worst = -1
    for route in options.routes:
        rank = worst + 1 if route.preference is None else route.preference
        worst = max(worst, rank)
        sources.append(_route_source(route, rank, destination, options))
    return sources


def _route_source(route: Route, rank: int, destination: Destination, options: OutboundOptions) -> _Source:
    port = route.port or default_port(options)
    if route.is_mx:
        return _Source(rank, destination.host, port, route.type != "a", False, route.ttl_s)
    return _Source(rank, route.host, port, route.type != "a", True, route.ttl_s)


def _may_fall_back(options: OutboundOptions, mx_failures: int) -> bool:
    """Whether this many failed MX look-ups, and one now, are enough to try the addresses (0: never)."""
    allowed = options.mx_failures_fallback_to_a
    return allowed != 0 and mx_failures + 1 >= abs(allowed)


def _expand(
    draft: _Draft, source: _Source, answer: Answer | None, ourselves: Ourselves, fall_back: bool
) -> None:
    """Note the hosts that *source* stands for, given the *answer* to its MX question (None: not asked)."""
    itself = _Entry((source.rank, 0), source.host, source.port, source.is_trusted, False)
    if source.ttl_s is not None:
        draft.ttls_s.append(source.ttl_s)
    if answer is None:
        draft.entries.append(itself)
        return
    if source.ttl_s is None:
        draft.ttls_s.append(answer.ttl_s if answer.status != "failure" else RETRY_FAILED_S)
    if answer.status == "nodata" or (answer.status == "failure" and fall_back):
        draft.entries.append(itself)  # RFC 5321 §5.1: the implicit MX
    elif answer.status == "nxdomain":
        draft.fail(554, "5.4.4", f"the domain {source.host} does not exist")
    elif answer.status == "failure":
        draft.fail(451, "4.4.3", f"DNS gives no answer about the mail hosts of {source.host}: {answer.note}")
    elif not any(record.host for record in answer.mx):
        draft.fail(550, "5.4.4", f"the domain {source.host} takes no mail (null MX)")
    else:
        _expand_mx(draft, source, answer.mx, ourselves)


def _expand_mx(draft: _Draft, source: _Source, records: Iterable[Mx], ourselves: Ourselves) -> None:
    for record in records:
        rank = (source.rank, record.preference)
        if record.host in ourselves.names:
            draft.cut(rank)
        elif numeric(record.host) or is_host_name(record.host):
            draft.entries.append(_Entry(rank, record.host, source.port, False, True))


def _best_hosts(draft: _Draft, rng: Random) -> list[str]:
    """Put the entries in order, equal ones at random (RFC 5321 §5.1), and return the hosts to ask about."""
    rng.shuffle(draft.entries)
    draft.entries.sort(key=lambda entry: entry.rank)
    if draft.loop_rank is not None:
        draft.entries = [entry for entry in draft.entries if entry.rank < draft.loop_rank]
    return list(dict.fromkeys(entry.host for entry in draft.entries))[:MAX_HOSTS]


def _addresses(
    draft: _Draft, hosts: Sequence[str], answers: Iterable[tuple[Question, Answer]], rng: Random
) -> dict[str, list[str]]:
    """Return the addresses of each host that has some, noting TTLs and failures."""
    found: dict[str, list[str]] = {host: [ip] for host in hosts if (ip := numeric(host)) is not None}
    for (host, _), answer in answers:
        if answer.status == "failure":
            draft.ttls_s.append(RETRY_FAILED_S)
            draft.fail(451, "4.4.3", f"DNS gives no answer about the addresses of {host}: {answer.note}")
        elif answer.status == "found":
            draft.ttls_s.append(answer.ttl_s)
            ips = [ip for text in answer.texts if (ip := numeric(text)) is not None]
            found.setdefault(host, []).extend(rng.sample(ips, min(len(ips), MAX_ADDRESSES_PER_HOST)))
    return found


def _levels(
    draft: _Draft,
    addresses: dict[str, list[str]],
    settings: GlobalOptions,
    ourselves: Ourselves,
    rng: Random,
) -> tuple[Level, ...] | None:
    """Sort the usable addresses into levels. None, a failure noted, without any or with a prohibited one."""
    ranked: dict[tuple[int, int], dict[tuple[str, int], Address]] = {}
    seen: set[tuple[str, int]] = set()
    skipped = 0
    for entry in draft.entries:
        for ip in addresses.get(entry.host, ()):
            place = (ip, entry.port)
            is_written = entry.is_trusted and entry.host == ip
            if ourselves.listen_at(ip, entry.port):
                draft.cut(entry.rank)
                draft.loop_is_ours |= entry.is_trusted
            elif not is_written and settings.prohibited_hosts.contains(ip):
                draft.failures = []
                draft.fail(551, "5.4.6", f"{entry.host} has the prohibited address {ip}")
                return None
            elif _is_nowhere(ip) or (not is_written and settings.skip_hosts.contains(ip)):
                skipped += 1
            elif place not in seen:
                seen.add(place)
                ranked.setdefault(entry.rank, {})[place] = Address(entry.host, ip, entry.port)
    levels: list[Level] = []
    for rank in sorted(ranked):
        if draft.loop_rank is None or rank < draft.loop_rank:
            preference = rank[1] if rank[0] == 0 else rank[0]
            levels += _split(preference, list(ranked[rank].values()), settings.prefer_ipv6_mxs, rng)
    if not levels:
        _note_empty(draft, skipped)
    return tuple(levels) or None


def _split(preference: int, addresses: list[Address], prefer_ipv6: bool, rng: Random) -> list[Level]:
    """Make one level, or two of the same preference where IPv6 goes first."""
    rng.shuffle(addresses)
    if not prefer_ipv6:
        return [Level(preference, tuple(addresses))]
    families = (
        [address for address in addresses if ":" in address.ip],
        [address for address in addresses if ":" not in address.ip],
    )
    return [Level(preference, tuple(family)) for family in families if family]


def _is_nowhere(ip: str) -> bool:
    """Whether no host can have this address: unspecified (that is ourselves), multicast or broadcast."""
    if ":" in ip:
        return ip == "::" or ip.startswith("ff")
    return ip.startswith("0.") or int(ip.split(".", 1)[0]) >= 224


def _note_empty(draft: _Draft, skipped: int) -> None:
    """Note the failure that explains best why there is no address."""
    if draft.loop_rank is not None:
        draft.failures = []
        if draft.loop_is_ours:  # a mistake in our configuration does not bounce anybody's mail
            draft.fail(451, "4.4.6", "the configured route leads back to this host")
        else:
            draft.fail(554, "5.4.6", "mail for this domain loops back to this host")
    elif skipped:
        draft.fail(454, "4.4.4", "all addresses of the domain's hosts are to be skipped")
    elif not draft.failures or draft.entries:
        draft.fail(454, "4.4.4", "no host of the domain has an address")


def _failure(draft: _Draft) -> RouteFailure:
    """A temporary failure speaks before a permanent one: where one source may come back, all is not lost."""
    transient = [reply for reply in draft.failures if reply.is_transient]
    permanent = [reply for reply in draft.failures if reply.is_permanent]
    wait_s = max(RETRY_FAILED_S, min(draft.ttls_s, default=STATIC_TTL_S))
    return RouteFailure((transient or permanent)[0], draft.now + wait_s)


def _site(method: str, levels: Sequence[Level]) -> str:
    """Name the destination by its hosts and their order: domains with the same MX set get the same name."""
    names = (
        ",".join(sorted({f"{address.host}:{address.port}" for address in level.addresses}))
        for level in levels
    )
    site = f"{method} {' '.join(names)}"
    if len(site) <= 200:
        return site
    return f"{site[:160]}… {hashlib.sha256(site.encode()).hexdigest()[:16]}"


def _why(destination: Destination, sources: Sequence[_Source], draft: _Draft, why: str) -> str:
    where = f", {why}" if why else ""
    if destination.is_address:
        return f"address{where}"
    if len(sources) > 1 or sources[0].host != destination.host:
        return why or "Routes"
    listed = any(entry.is_listed for entry in draft.entries)
    return f"{'MX' if listed else 'address'} of {destination.host}{where}"
