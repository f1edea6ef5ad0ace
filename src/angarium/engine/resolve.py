"""The way to a destination is found when the scheduler asks for it, and anew when what was learnt holds no longer."""

from collections.abc import Iterable
from typing import Protocol

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.records import QueueKey
from angarium.core.reply import Reply
from angarium.core.tasks import Tasks
from angarium.engine.live import LiveScheduler
from angarium.engine.view import ConfigView
from angarium.queue.commands import Resolve
from angarium.queue.plan import RouteFailure, RoutePlan

_AGAIN_S = 60


class Routes(Protocol):
    """Finds the way for queues; `delivery.router.Router` is one."""

    async def resolve(self, queue: QueueKey, now: float, since: float = 0.0) -> RoutePlan | RouteFailure:
        """Return the plan for *queue* by nothing that was learnt before *since*, or why there is none."""
        ...

    def forget(self, *domains: str, since: float = 0.0) -> int:
        """Plan the way to *domains*, or to all, by nothing that was learnt before *since*."""
        ...

    def known(self, queue: QueueKey) -> RoutePlan | None:
        """Return the plan for *queue* that is at hand, None if there is none. Asks nothing."""
        ...

    def reconfigure(self, config: Config, local_addresses: Iterable[str] | None = None) -> None:
        """Plan by *config*, and by this machine's addresses if they are given, from now on."""
        ...


class WayFinder:
    """Answers `Resolve`."""

    def __init__(
        self, view: ConfigView, routes: Routes, scheduler: LiveScheduler, clock: Clock, log: Log
    ) -> None:
        self._view = view
        self._routes = routes
        self._scheduler = scheduler
        self._clock = clock
        self._log = log
        self._tasks = Tasks(log, clock)

    def resolve(self, command: Resolve) -> None:
        """Find the way; the scheduler is answered in any case."""
        self._tasks.start(self._resolve(command))

    async def _resolve(self, command: Resolve) -> None:
        outcome: RoutePlan | RouteFailure
        try:
            outcome = await self._routes.resolve(command.queue, self._clock.now(), command.since)
        except Exception as error:  # noqa: BLE001 - a fault of ours never bounces mail, and never stops a queue
            self._log.fault(self._clock.now(), error, domain=command.queue.domain)
            retry_at = self._clock.now() + _AGAIN_S
            outcome = RouteFailure(Reply(451, "4.3.0", "[internal] routing failed; see the log"), retry_at)
        self._scheduler.resolved(command.queue, outcome)

    def known(self, queue: QueueKey) -> RoutePlan | None:
        """Return the way to *queue* as it was found last, None when it is to be asked for."""
        return self._routes.known(queue)

    def reconfigure(self) -> None:
        """Obey the configuration in force from now on, and ask the DNS anew."""
        self._routes.reconfigure(self._view.config)
        self.ask_anew()

    def has_moved(self, local_addresses: Iterable[str]) -> None:
        """Plan by this machine's addresses of now, and by what its name servers of now say."""
        self._routes.reconfigure(self._view.config, local_addresses)
        self.ask_anew()

    def ask_anew(self, *domains: str) -> None:
        """Ask the DNS anew about the queues of *domains*, or all, before anything more is sent to them."""
        self._routes.forget(*domains, since=self._clock.now())
        self._scheduler.ask_anew(domains)
