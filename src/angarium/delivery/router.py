"""Drives the route planner with the resolver, and keeps its plans while they hold."""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Collection, Iterable
from random import Random
from typing import Protocol, TypeVar

from angarium.config.records import GlobalOptions, ListenerConfig, OutboundOptions
from angarium.config.values import stanza_domain
from angarium.core.records import QueueKey
from angarium.dns.records import Answer, Question, RecordType
from angarium.queue.destination import RoutingConfig
from angarium.queue.plan import RouteFailure, RoutePlan
from angarium.queue.routing import Ourselves, Planning, plan_route

V = TypeVar("V")

DNS_SILENT = "4.4.3"
"""The enhanced code of failures that MX_Failures_Fallback_To_A counts."""


class RouterConfig(RoutingConfig, Protocol):
    """The part of `Config` that the router needs."""

    @property
    def globals(self) -> GlobalOptions:
        """The node's own options."""
        ...

    @property
    def gateways(self) -> Collection[str]:
        """The hosts that stand in a Gateway, with their port where it is written."""
        ...

    @property
    def listeners(self) -> Iterable[ListenerConfig]:
        """Where this node takes mail: not to be routed to."""
        ...


class Asks(Protocol):
    """What answers DNS questions; `dns.resolver.Resolver` in the program."""

    async def query(self, name: str, type: RecordType) -> Answer:
        """Return what DNS says; a failure is an answer."""
        ...


class Router:
    """Finds the way for queues. One per worker."""

    def __init__(
        self,
        resolver: Asks,
        config: RouterConfig,
        rng: Random | None = None,
        *,
        local_addresses: Iterable[str] = ("127.0.0.1", "::1"),
        max_plans: int = 50_000,
    ) -> None:
        """*local_addresses* are this machine's own, for listeners that take connections on all of them."""
        self._resolver = resolver
        self._rng = rng or Random()
        self._local_addresses = tuple(local_addresses)
        self._max_plans = max_plans
        self._plans: OrderedDict[QueueKey, RoutePlan] = OrderedDict()
        self._silences: OrderedDict[QueueKey, int] = OrderedDict()
        self.reconfigure(config)

    def reconfigure(self, config: RouterConfig) -> None:
        """Plan by *config* from now on."""
        self._config = config
        self._ourselves = ourselves_of(config, self._local_addresses)
        self._plans.clear()

    def forget(self, domain: str | None = None) -> int:
        """Drop the plans for *domain*, or all. Returns how many."""
        gone = [queue for queue in self._plans if domain is None or queue.domain == domain]
        for queue in gone:
            del self._plans[queue]
        return len(gone)

    async def resolve(self, queue: QueueKey, now: float) -> RoutePlan | RouteFailure:
        """Return the plan for *queue*, from memory while it holds, or why there is none."""
        plan = self._plans.get(queue)
        if plan is not None and plan.expires_at > now:
            self._plans.move_to_end(queue)
            return plan
        outcome = await self._plan(queue, now)
        if isinstance(outcome, RoutePlan):
            self._silences.pop(queue, None)
            _keep(self._plans, queue, outcome, self._max_plans)
        else:
            self._plans.pop(queue, None)
            silences = self._silences.pop(queue, 0) + 1 if outcome.reply.enhanced == DNS_SILENT else 0
            if silences:
                _keep(self._silences, queue, silences, self._max_plans)
        return outcome

    async def _plan(self, queue: QueueKey, now: float) -> RoutePlan | RouteFailure:
        config = self._config
        options = config.outbound(queue.binding, queue.domain)
        planning = plan_route(
            queue.domain,
            options,
            config.globals,
            now,
            self._rng,
            ourselves=self._ourselves,
            is_gateway=queue.domain in config.gateways,
            mx_failures=self._silences.get(queue, 0),
            why=_why(config, queue, options),
        )
        return await self._drive(planning)

    async def _drive(self, planning: Planning) -> RoutePlan | RouteFailure:
        try:
            questions = next(planning)
            while True:
                questions = planning.send(tuple(await asyncio.gather(*map(self._ask, questions))))
        except StopIteration as end:
            outcome: RoutePlan | RouteFailure = end.value
            return outcome

    async def _ask(self, question: Question) -> Answer:
        return await self._resolver.query(question.name, question.type)


def ourselves_of(config: RouterConfig, local_addresses: Iterable[str]) -> Ourselves:
    """Return what mail must not be routed to: our name and our listeners' sockets."""
    local = tuple(local_addresses)
    sockets = [listen for listener in config.listeners for listen in listener.listens if not listen.path]
    everywhere = {listen.port for listen in sockets if listen.host in ("0.0.0.0", "::")}
    endpoints = {(listen.host, listen.port) for listen in sockets}
    endpoints |= {(ip, port) for ip in local for port in everywhere}
    return Ourselves(
        frozenset((config.globals.hostname.lower(),)), frozenset(endpoints), frozenset(everywhere)
    )


def local_addresses() -> tuple[str, ...]:
    """Return the addresses that this machine's own name has, and loopback. Blocks on the system's DNS."""
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)
    except OSError:
        found = []
    return tuple(dict.fromkeys(("127.0.0.1", "::1", *(str(entry[4][0]) for entry in found))))


def _why(config: RouterConfig, queue: QueueKey, options: OutboundOptions) -> str:
    """Say where the option stands that made the route, empty for plain DNS."""
    domain = stanza_domain(queue.domain)
    if options.gateway is not None and options.gateway.host == domain:
        option = "Gateway"
    elif options.routes and domain == queue.domain:
        option = "Routes"
    else:
        return ""
    where = config.resolve(option, binding=queue.binding, domain=domain).where
    return f"{option} at {where}" if where else option


def _keep(kept: OrderedDict[QueueKey, V], queue: QueueKey, value: V, limit: int) -> None:
    kept[queue] = value
    kept.move_to_end(queue)
    if len(kept) > limit:
        kept.popitem(last=False)
