"""How a routing domain becomes a route plan: MX, Gateway, Routes and the rules around them.

Pure: `plan_route` is a generator that yields batches of DNS questions, is sent their answers, and returns
the plan or the failure. `delivery.router` drives it. Nothing that DNS says makes it raise.

Our own replies (enhanced codes of RFC 3463; 4xx is tried again):

    550 5.4.4   the domain says that it takes no mail (null MX, RFC 7505)
    554 5.4.4   the domain does not exist
    554 5.1.2   the domain cannot be a domain
    554 5.4.6   the best host for the domain is this one (RFC 5321 §5.1)
    551 5.4.6   a host of the domain has an address in a range of Prohibited_Hosts, or all have one that a word covers
    451 4.4.3   DNS did not answer
    451 4.4.6   the configuration routes the mail to this host itself
    454 4.4.4   no host of the domain has an address, or none that Use_IPv6 or Skip_Hosts leaves
"""

from collections.abc import Generator, Iterable, Sequence
from random import Random

from angarium.config.records import GlobalOptions, OutboundOptions
from angarium.dns.records import Answer, Question, RecordType
from angarium.queue.destination import Destination, numeric, parse_destination, routing_domain
from angarium.queue.hosts import (
    NOBODY,
    RETRY_FAILED_S,
    HostDraft,
    NextHop,
    Ourselves,
    best_hosts,
    expand,
    may_fall_back,
    next_hops_of,
)
from angarium.queue.levels import addresses_of, levels_of, site_of
from angarium.queue.plan import RouteFailure, RoutePlan

__all__ = ["Ourselves", "Planning", "plan_route", "routing_domain"]

STATIC_TTL_S = 3600
"""How long a plan of addresses only is kept, which DNS gives no TTL for."""

Planning = Generator[tuple[Question, ...], tuple[Answer, ...], RoutePlan | RouteFailure]


def plan_route(
    domain: str,
    options: OutboundOptions,
    settings: GlobalOptions,
    now: float,
    rng: Random,
    *,
    ourselves: Ourselves = NOBODY,
    is_gateway: bool = False,
    mx_failures: int = 0,
    why: str = "",
) -> Planning:
    """Plan the way to the queue *domain* (see `destination` for its forms); drive it with `send`.

    *options* are those of the domain. *is_gateway*: it stands in a Gateway, whatever mail that is for. *mx_failures*
    counts the plans in a row that failed because DNS did not answer (MX_Failures_Fallback_To_A). *why* says where
    Routes or Gateway were set, for the operator; it is kept in the plan.
    """
    draft = HostDraft(now)
    destination = parse_destination(domain)
    if destination is None:
        draft.fail(554, "5.1.2", "the domain is not one that mail can be sent to")
        return _failure(draft)
    hops = next_hops_of(destination, options, is_gateway)
    asking = [hop for hop in hops if hop.ask_mx and numeric(hop.host) is None]
    answers = (yield tuple(Question(hop.host, "MX") for hop in asking)) if asking else ()
    found = dict(zip(asking, answers, strict=True))
    for hop in hops:
        expand(draft, hop, found.get(hop), ourselves, may_fall_back(options, mx_failures))
    hosts = best_hosts(draft, rng)
    questions = _questions(hosts, settings)
    replies = (yield questions) if questions else ()
    addresses = addresses_of(draft, hosts, zip(questions, replies, strict=True), rng)
    if questions and not addresses and not draft.failures and not settings.use_ipv6:
        sixes = tuple(Question(question.name, "AAAA") for question in questions)
        draft.ipv6_only = [
            question.name
            for question, answer in zip(sixes, (yield sixes), strict=True)
            if answer.status == "found"
        ]
    levels = levels_of(draft, addresses, settings, ourselves, rng)
    if levels is None:
        return _failure(draft)
    return RoutePlan(
        levels=levels,
        method=options.delivery_method,
        site=site_of(options.delivery_method, levels),
        expires_at=now + min(draft.ttls_s, default=STATIC_TTL_S),
        why=_why(destination, hops, draft, why),
    )


def _questions(hosts: Iterable[str], settings: GlobalOptions) -> tuple[Question, ...]:
    """Return what is asked about the addresses of *hosts*; some may be addresses themselves."""
    types: tuple[RecordType, ...] = ("A", "AAAA") if settings.use_ipv6 else ("A",)
    return tuple(Question(host, type_) for host in hosts if numeric(host) is None for type_ in types)


def _failure(draft: HostDraft) -> RouteFailure:
    """A temporary failure speaks before a permanent one: where one hop may come back, all is not lost."""
    transient = [reply for reply in draft.failures if reply.is_transient]
    permanent = [reply for reply in draft.failures if reply.is_permanent]
    wait_s = max(RETRY_FAILED_S, min(draft.ttls_s, default=STATIC_TTL_S))
    return RouteFailure((transient or permanent)[0], draft.now + wait_s)


def _why(destination: Destination, hops: Sequence[NextHop], draft: HostDraft, why: str) -> str:
    where = f", {why}" if why else ""
    if destination.is_address:
        return f"address{where}"
    if len(hops) > 1 or hops[0].host != destination.host:
        return why or "Routes"
    listed = any(entry.is_listed for entry in draft.entries)
    return f"{'MX' if listed else 'address'} of {destination.host}{where}"
