"""An engine on a spool that is open already, for tests: with every limit at hand."""

import asyncio
from collections.abc import Iterable
from random import Random

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.records import QueueKey
from angarium.dns.records import Answer, RecordType
from angarium.engine.engine import Engine
from angarium.engine.live import LiveScheduler
from angarium.engine.resolve import Routes
from angarium.node.assemble import Ports, assemble
from angarium.queue.commands import GiveBack, Lease
from angarium.queue.plan import RouteFailure, RoutePlan
from angarium.spool.port import Spool
from angarium.spool.settings import SpoolSettings


class Generous:
    """Gives whatever is asked for: an engine.pump.Leases."""

    def __init__(self, scheduler: LiveScheduler) -> None:
        self._scheduler = scheduler

    def ask(self, command: Lease) -> None:
        """See Leases."""
        asyncio.get_running_loop().call_soon(self._scheduler.granted, command.key, command.want, None, 0)

    def give_back(self, command: GiveBack) -> None:
        """See Leases."""


class NoDns:
    """Where routes name addresses there is nothing to ask: a dns.records.DnsResolver that must not be asked."""

    async def query(self, name: str, type: RecordType, since: float = 0.0) -> Answer:
        """Raise AssertionError."""
        raise AssertionError(f"{name} is looked up")


class NoWay:
    """Finds no way, ever: mail that is due stays in memory. *forgotten*: what is to be asked of the DNS anew."""

    def __init__(self) -> None:
        self.forgotten: list[tuple[str, ...]] = []

    async def resolve(self, queue: QueueKey, now: float, since: float = 0.0) -> RoutePlan | RouteFailure:
        """See engine.resolve.Routes."""
        never: asyncio.Future[RouteFailure] = asyncio.get_running_loop().create_future()
        return await never

    def known(self, queue: QueueKey) -> RoutePlan | None:
        """See engine.resolve.Routes."""
        return None

    def forget(self, *domains: str, since: float = 0.0) -> int:
        """See engine.resolve.Routes."""
        self.forgotten.append(domains)
        return 0

    def reconfigure(self, config: Config, local_addresses: Iterable[str] | None = None) -> None:
        """See engine.resolve.Routes."""


async def engine_on(
    spool: Spool, config: Config, clock: Clock, log: Log, counters: Counters, routes: Routes
) -> Engine:
    """Put an engine together on *spool*, whose settings stay what they are."""

    async def opened(settings: SpoolSettings) -> Spool:
        return spool

    ports = Ports(
        clock=clock,
        log=log,
        counters=counters,
        open_spool=opened,
        routes=routes,
        leases=Generous,
        rng=Random(1),
    )
    return await assemble(config, ports)
