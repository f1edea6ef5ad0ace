"""Entry of the process that tells webhooks: `python -m angarium.node.webhooks.process LINK_FD`.

It reads the event store and the identity store, sends, and writes how far it is to a file of its own. It ends when it
is told to stop and the answers under way have come, or when the supervisor is gone: then at once.
"""

import asyncio
import os
import pickle
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from angarium.config.model import Config
from angarium.core.clock import SystemClock
from angarium.core.errors import AngariumError
from angarium.core.tasks import Tasks
from angarium.dns.resolver import Resolver, resolver_settings
from angarium.events.place import open_event_store
from angarium.fetch.fetcher import Fetcher
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import key_file, open_database, store_url
from angarium.identity.store.store import IdentityStore
from angarium.node.link import Link
from angarium.node.logs import hear_libraries, make_log
from angarium.node.webhooks.settings import deliverer_settings, fetch_settings
from angarium.node.webhooks.status import WebhooksStatus
from angarium.webhooks.deliverer import WebhookDeliverer
from angarium.webhooks.ledger import FILE_NAME, WebhookLedger
from angarium.webhooks.requesting import Requester
from angarium.webhooks.source import LogSource

_TELL_S: Final = 1.0
_GRACE_S: Final = 10.0
_READERS: Final = 4
_NICE: Final = 10
"""Where the workers need all there is, mail goes first."""
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class WebhooksProcess:
    """Does as its supervisor says."""

    def __init__(self) -> None:
        self._link = Link(self._handle, lambda op, args: False, self._supervisor_lost)
        self._ended = asyncio.Event()
        self._clock = SystemClock()
        self._config: Config
        self._deliverer: WebhookDeliverer | None = None
        self._loop = asyncio.get_running_loop()
        self._readers = ThreadPoolExecutor(_READERS, "log")
        self._writer = ThreadPoolExecutor(1, "ledger")

    async def run(self, link: socket.socket) -> None:
        """Serve until `stop`."""
        await self._loop.connect_accepted_socket(lambda: self._link, link)
        telling = self._loop.create_task(self._tell())
        await self._ended.wait()
        telling.cancel()

    async def _handle(self, op: str, args: dict[str, Any]) -> Any:
        if op == "start":
            self._config = pickle.loads(args["config"])
            await self._start(Path(args["data"]))
        elif op == "config":
            self._config = pickle.loads(args["config"])
            self._log.level = self._config.globals.log_level
            self._resolver.reconfigure(await asyncio.to_thread(resolver_settings, self._config.globals))
        elif op == "stop":
            if self._deliverer is not None:
                await self._deliverer.end(_GRACE_S)
            self._ended.set()
        else:
            raise AngariumError(f"the process that tells webhooks does not know {op!r}")

    async def _start(self, data: Path) -> None:
        self._log = make_log(self._config)
        hear_libraries(self._log, self._clock)
        self._tasks = Tasks(self._log, self._clock)
        ring = KeyRing.load_or_create(key_file(self._config, data))
        store = IdentityStore(open_database(store_url(self._config, data)), ring, self._clock.now)
        self._resolver = Resolver(
            await asyncio.to_thread(resolver_settings, self._config.globals), self._clock
        )
        fetcher = Fetcher(self._resolver, lambda: fetch_settings(self._config))
        self._deliverer = WebhookDeliverer(
            store.webhooks,
            LogSource(open_event_store(self._config, data)),
            await self._run_ledger(WebhookLedger, data / FILE_NAME),
            Requester(fetcher, self._clock).tell,
            lambda: deliverer_settings(self._config),
            self._clock,
            self._log,
            self._run,
            self._run_ledger,
            _BOOT.read_text().strip() if _BOOT.exists() else "",
        )
        await self._deliverer.begin()
        self._tasks.start(self._deliverer.run())

    async def _run(self, what: Any, *arguments: Any) -> Any:
        return await self._loop.run_in_executor(self._readers, what, *arguments)

    async def _run_ledger(self, what: Any, *arguments: Any) -> Any:
        return await self._loop.run_in_executor(self._writer, what, *arguments)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(_TELL_S)
            if (deliverer := self._deliverer) is not None:
                counts = deliverer.counts
                status = WebhooksStatus(
                    error=deliverer.problem,
                    lag_s=deliverer.lag_s,
                    failing=sum(each.endpoint.open_until is not None for each in deliverer.served),
                    taken=counts.requests - counts.failed,
                    failed=counts.failed,
                    events=counts.delivered,
                    dead=counts.dead,
                )
                self._link.tell("webhooks", **msgspec.structs.asdict(status))

    def _supervisor_lost(self) -> None:
        os._exit(0)


def main() -> None:
    """Run until told to stop."""
    os.nice(_NICE)
    # Signals are the supervisor's business: Ctrl-C on a terminal reaches all processes of the group.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)

    async def serve() -> None:
        await WebhooksProcess().run(socket.socket(fileno=int(sys.argv[1])))

    uvloop.run(serve())


if __name__ == "__main__":
    main()
