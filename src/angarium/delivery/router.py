"""Drives the route planner with the resolver, and keeps its plans while they hold."""

import asyncio
import fcntl
import ipaddress
import socket
import struct
from array import array
from collections import OrderedDict
from collections.abc import Collection, Iterable
from pathlib import Path
from random import Random
from typing import NamedTuple, Protocol, TypeVar

from angarium.config.records import GlobalOptions, ListenerConfig, OutboundOptions
from angarium.config.values import ListenAddress, stanza_domain
from angarium.core.records import QueueKey
from angarium.dns.records import DnsResolver
from angarium.queue.destination import RoutingConfig
from angarium.queue.plan import DNS_SILENT, RouteFailure, RoutePlan
from angarium.queue.routing import Ourselves, Planning, plan_route

_SIOCGIFCONF = 0x8912
_IFREQ = struct.Struct("20x 4s 16x")
_MAX_INTERFACES = 4096

K = TypeVar("K")
V = TypeVar("V")


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

    @property
    def http_listens(self) -> Iterable[ListenAddress]:
        """Where it speaks HTTP: no mail host either."""
        ...


class _Kept(NamedTuple):
    asked_at: float
    plan: RoutePlan


class Router:
    """Finds the way for queues. One per worker."""

    def __init__(
        self,
        resolver: DnsResolver,
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
        self._plans: OrderedDict[QueueKey, _Kept] = OrderedDict()
        self._silences: OrderedDict[QueueKey, int] = OrderedDict()
        self._since = 0.0
        self._since_of: OrderedDict[str, float] = OrderedDict()
        self.reconfigure(config)

    def reconfigure(self, config: RouterConfig, local_addresses: Iterable[str] | None = None) -> None:
        """Plan by *config*, and by this machine's addresses if they are given, from now on."""
        self._config = config
        if local_addresses is not None:
            self._local_addresses = tuple(local_addresses)
        self._ourselves = ourselves_of(config, self._local_addresses)
        self._plans.clear()

    def forget(self, *domains: str, since: float = 0.0) -> int:
        """Drop the plans for *domains*, or all, and make new ones by nothing that was learnt before *since*.

        Returns how many were dropped.
        """
        gone = [queue for queue in self._plans if not domains or queue.domain in domains]
        for queue in gone:
            del self._plans[queue]
        for domain in domains:
            _keep(self._since_of, domain, since, self._max_plans)
        if not domains:
            self._since = max(since, self._since)
        return len(gone)

    def known(self, queue: QueueKey) -> RoutePlan | None:
        """Return the plan for *queue* that was made last, None if there is none. Asks nothing."""
        kept = self._plans.get(queue)
        return None if kept is None else kept.plan

    async def resolve(self, queue: QueueKey, now: float, since: float = 0.0) -> RoutePlan | RouteFailure:
        """Return the plan for *queue*, from memory while it holds, or why there is none.

        What was learnt before *since*, in epoch seconds, is used no longer.
        """
        since = max(since, self._since, self._since_of.get(queue.domain, 0.0))
        kept = self._plans.get(queue)
        if kept is not None and kept.plan.expires_at > now and kept.asked_at >= since:
            self._plans.move_to_end(queue)
            return kept.plan
        outcome = await self._plan(queue, now, since)
        if isinstance(outcome, RoutePlan):
            self._silences.pop(queue, None)
            _keep(self._plans, queue, _Kept(now, outcome), self._max_plans)
        else:
            self._plans.pop(queue, None)
            silences = self._silences.pop(queue, 0) + 1 if outcome.reply.enhanced == DNS_SILENT else 0
            if silences:
                _keep(self._silences, queue, silences, self._max_plans)
        return outcome

    async def _plan(self, queue: QueueKey, now: float, since: float) -> RoutePlan | RouteFailure:
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
        return await self._drive(planning, since)

    async def _drive(self, planning: Planning, since: float) -> RoutePlan | RouteFailure:
        try:
            questions = next(planning)
            while True:
                asking = [self._resolver.query(name, type_, since) for name, type_ in questions]
                questions = planning.send(tuple(await asyncio.gather(*asking)))
        except StopIteration as end:
            outcome: RoutePlan | RouteFailure = end.value
            return outcome


def ourselves_of(config: RouterConfig, local_addresses: Iterable[str]) -> Ourselves:
    """Return what mail must not be routed to: our name and our listeners' sockets."""
    local = tuple(local_addresses)
    listens = [listen for listener in config.listeners for listen in listener.listens]
    sockets = [listen for listen in (*listens, *config.http_listens) if not listen.path]
    everywhere = {listen.port for listen in sockets if listen.host in ("0.0.0.0", "::")}
    endpoints = {(listen.host, listen.port) for listen in sockets}
    endpoints |= {(ip, port) for ip in local for port in everywhere}
    return Ourselves(
        frozenset((config.globals.hostname.lower(),)), frozenset(endpoints), frozenset(everywhere)
    )


def local_addresses() -> tuple[str, ...]:
    """Return the addresses of this machine's interfaces, and those of loopback. Asks the kernel, never the DNS.

    IPv6 addresses of one link only are left out: nothing that DNS says leads to them.
    """
    found = ("127.0.0.1", "::1", *_local_ipv4(), *_local_ipv6())
    return tuple(dict.fromkeys(found))


def _local_ipv4() -> Iterable[str]:
    """Have the kernel fill in SIOCGIFCONF's struct ifconf: records of a name and a sockaddr_in (netdevice(7))."""
    room = array("B", bytes(_MAX_INTERFACES * _IFREQ.size))
    place, size = room.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        filled = struct.unpack("iL", fcntl.ioctl(sock, _SIOCGIFCONF, struct.pack("iL", size, place)))[0]
    return [socket.inet_ntoa(address) for (address,) in _IFREQ.iter_unpack(bytes(room[:filled]))]


def _local_ipv6() -> Iterable[str]:
    try:
        lines = Path("/proc/net/if_inet6").read_text("ascii").splitlines()
    except OSError:  # a kernel without IPv6
        return ()
    found = (ipaddress.IPv6Address(bytes.fromhex(line.split()[0])) for line in lines)
    return [str(ip) for ip in found if not ip.is_link_local]


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


def _keep(kept: OrderedDict[K, V], key: K, value: V, limit: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > limit:
        kept.popitem(last=False)
