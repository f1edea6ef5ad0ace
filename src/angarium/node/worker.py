"""One worker process: a complete engine on one event loop, with its own spool partitions.

Started by the supervisor with three inherited descriptors: the link, the socket over which listening sockets come,
and the counts of sessions. It ends when told to drain, or when the supervisor is gone.
"""

import asyncio
import gc
import os
import pickle
import random
import signal
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import uvloop

from angarium.config.model import Config
from angarium.core.clock import SystemClock
from angarium.core.errors import AngariumError
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.records import Recipient
from angarium.core.tasks import Tasks
from angarium.delivery.router import Router
from angarium.dns.resolver import Resolver
from angarium.engine.engine import Engine
from angarium.node.assemble import Ports, assemble
from angarium.node.http.worker import WorkerHttp
from angarium.node.identities import WorkerIdentities
from angarium.node.leasing import SupervisorLeases
from angarium.node.link import Link
from angarium.node.memory import ProcessMemory
from angarium.node.session_counts import SessionCounts
from angarium.node.sockets import receive
from angarium.node.spools import open_spools, partition_folders
from angarium.node.surroundings import LOOK_S, Surroundings
from angarium.node.waiting_mail import count_recovered, count_stored, stored_mail
from angarium.node.worker_operations import Operation, WorkerOperations
from angarium.spool.port import RecoveryReport
from angarium.submission.intake.admission import Load, refusal
from angarium.submission.intake.intake import Intake
from angarium.submission.replies import reply_to
from angarium.submission.session.listener import Acceptor, door_of
from angarium.submission.session.reception import Reception
from angarium.submission.session.session import Session
from angarium.tls.server.contexts import TlsContexts
from angarium.tls.server.own import own_pair

_SWEEP_S = 1.0
_ALONE_S, _LAST_S = 5, 10
"""A worker whose supervisor is gone drains that long. A signal ends it then: none is left to kill one that hangs."""
_RECORD_BYTES = 2048
"""About what a recipient in memory takes, with its share of its message; and an outcome that waits for the disk."""


class Worker:
    """The engine's parts, put together by `start`, taken apart by `stop`."""

    def __init__(self, link_socket: socket.socket, sockets: socket.socket, counts_fd: int) -> None:
        self._link_socket = link_socket
        self._sockets = sockets
        self._counts_fd = counts_fd
        self._memory = ProcessMemory()
        self._clock = SystemClock()
        self._counters = Counters()
        self._acceptors: dict[tuple[str, str], Acceptor] = {}
        self._started = asyncio.Event()
        self._stopped = asyncio.Event()
        self._draining = False
        self._sweeper: asyncio.TimerHandle | None = None
        self._http: WorkerHttp
        self._identities: WorkerIdentities
        self._link: Link
        self._log: Log
        self._engine: Engine
        self._operations: dict[str, Operation]
        self._reception: Reception
        self._intake: Intake
        self._tls: TlsContexts
        self._surroundings: Surroundings
        self._resolver: Resolver
        self._looking: asyncio.Task[NoReturn]
        self._report: RecoveryReport

    async def run(self) -> None:
        """Serve until drained, or until the supervisor is gone."""
        self._link = await Link.connect(self._link_socket, self._handle, self._fast, self._supervisor_lost)
        await self._stopped.wait()

    # -- start and stop

    async def start(self, spec: dict[str, Any]) -> None:
        """Recover the partition and put the engine together; listening sockets come afterwards."""
        loop = asyncio.get_running_loop()
        config: Config = pickle.loads(spec["config"])
        data = Path(spec["data"])
        self._index, self._workers = spec["index"], spec["workers"]
        self._log = make_log(config, worker=self._index)
        self._log.soon = lambda: loop.call_later(0.05, self._log.flush)  # type: ignore[assignment]
        self._session_counts = SessionCounts(self._counts_fd, self._workers, self._index)
        self._identities = WorkerIdentities(
            config, data, self._clock, self._log, self._login_failed, self._login_new, self._session_counts
        )
        rng = random.Random()
        folders = partition_folders(data, config, self._index, self._workers)
        self._engine = await self._assemble(config, folders, rng)
        recipients = self._recover(folders)
        await self._identities.start()
        self._open_way_in(config, data, rng)
        self._open_desk()
        # What answers http.front.WORKER_PATHS goes into the table.
        self._http = WorkerHttp({}, data, self._workers, self._session_counts.http, self._clock, self._log)
        await self._http.start()
        self._engine.acceptance.add(recipients)
        self._log.info("recovered", self._clock.now(), **self._report._asdict())
        loop.add_reader(self._sockets.fileno(), self._take_sockets)
        self._sweep()
        self._looking = Tasks(self._log, self._clock).regularly(LOOK_S, self._look_around)
        # What start-up made stays for good: spare the collector from walking it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        self._started.set()

    async def _assemble(self, config: Config, folders: list[Path], rng: random.Random) -> Engine:
        self._surroundings = Surroundings(self._clock, self._log)
        await self._surroundings.look(config.globals)
        self._resolver = Resolver(self._surroundings.settings(config.globals), self._clock)
        return await assemble(
            config,
            Ports(
                clock=self._clock,
                log=self._log,
                counters=self._counters,
                open_spool=partial(open_spools, folders, log=self._log, clock=self._clock),
                routes=Router(self._resolver, config, rng, local_addresses=self._surroundings.seen.addresses),
                leases=lambda scheduler: SupervisorLeases(self._link),
                workers=self._workers,
                waiting=self._session_counts,
                keys=self._identities.directory,
                rng=rng,
            ),
        )

    def _recover(self, folders: list[Path]) -> list[Recipient]:
        """Recover the partitions; return the recipients that their journals hold."""
        self._report, recipients = self._engine.recover()
        count_recovered(self._session_counts, recipients)
        stored = stored_mail(folders, self._clock, self._log)  # now, before anything else settles
        counting = count_stored(self._session_counts, stored, self._clock, self._log)
        self._counting = asyncio.get_running_loop().create_task(counting)
        return recipients

    def _open_way_in(self, config: Config, data: Path, rng: random.Random) -> None:
        """Put together what takes mail; it takes none before it has sockets."""
        self._intake = Intake(
            config,
            self._engine.acceptance,
            self._engine.spool,
            self._clock,
            self._log,
            rng,
            self._counters,
            self._identities.quota,
        )
        self._tls = TlsContexts(own_pair(data), self._clock, self._log)
        self._tls.follow(config)
        self._reception = Reception(
            config,
            self._intake,
            self._session_counts,
            self._clock,
            self._log,
            self._counters,
            self._identities.access,
            self._tls,
        )

    def _open_desk(self) -> None:
        """Put together what answers the supervisor."""
        desk = WorkerOperations(self._index, self._link, self._engine, self._clock, self._counters)
        self._operations = {
            "config": self._follow_config,
            "certificates": self._follow_certificates,
            "health": self._health,
            **desk.operations(),
        }

    def _login_failed(self, address: str, mark: str, listener: str) -> None:
        self._link.tell("login_failed", address=address, mark=mark, listener=listener)

    def _login_new(self, network: str, mark: str) -> None:
        self._link.tell("login_new", network=network, mark=mark)

    async def drain(self, seconds: float) -> None:
        """Take no more mail, finish what must be finished, keep the rest in the spool, and end.

        Called again, it waits for no more than *seconds* from then on.
        """
        if self._draining:
            if self._started.is_set():
                self._engine.drain.hurry(seconds)
            return
        self._draining = True
        for acceptor in self._acceptors.values():
            acceptor.close()
        self._acceptors.clear()
        if self._started.is_set():
            self._http.close()
            await self._close(seconds)
        self._stopped.set()

    async def _close(self, seconds: float) -> None:
        self._reception.shutdown()
        await asyncio.gather(self._engine.drain.drain(seconds), self._http.stop())
        await self._intake.settled()
        self._reception.cut_off()
        self._looking.cancel()
        if self._sweeper is not None:
            self._sweeper.cancel()
        await self._identities.close()
        await self._engine.spool.close()
        self._log.info("stopped", self._clock.now())
        self._log.flush()

    def _supervisor_lost(self) -> None:
        signal.alarm(_LAST_S)
        if not self._draining:
            self._ending = asyncio.get_running_loop().create_task(self.drain(_ALONE_S))

    # -- each second

    def _sweep(self) -> None:
        # First, since whatever goes wrong below, the next second comes.
        self._sweeper = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)
        now = self._clock.now()
        self._reception.sweep(now)
        self._engine.sweeper.sweep()
        self._admit()
        self._link.tell("alive")  # last: a worker in which one of these fails for long is replaced

    def _admit(self) -> str:
        """Decide whether mail is taken from now on; return why not."""
        refuses = self._intake.refuses = refusal(self._engine.spool.status(), self._load())
        return "" if refuses is None else str(reply_to(refuses))

    def _load(self) -> Load:
        options = self._engine.view.config.globals
        held = self._held_bytes()
        resident = self._memory.resident_bytes(options.memory_limit, self._clock.now())
        self._counters.set("memory_held_bytes", held)
        self._counters.set("memory_resident_bytes", resident)
        return Load(
            self._engine.spool.status().settled_recipients + self._engine.scheduler.census.resident,
            options.max_queued_recipients // self._workers,
            held,
            resident,
            options.memory_limit,
        )

    def _held_bytes(self) -> int:
        """Return about what is in memory for mail and connections."""
        status, sent = self._engine.spool.status(), self._engine.way_out.held_bytes
        records = self._engine.scheduler.census.resident + status.backlog
        return status.resident_bodies_bytes + self._reception.held_bytes + sent + records * _RECORD_BYTES

    # -- listening sockets

    def _take_sockets(self) -> None:
        try:
            received = receive(self._sockets)
        except BlockingIOError:
            return
        if received is None:
            asyncio.get_running_loop().remove_reader(self._sockets.fileno())
            return
        for key in [key for key in self._acceptors if key not in received.smtp]:
            self._acceptors.pop(key).close()
        for key, fd in received.smtp.items():
            if key in self._acceptors or self._draining:
                os.close(fd)
            else:
                self._acceptors[key] = self._acceptor(key, socket.socket(fileno=fd))
        self._http.listen(received.http)
        if self._draining:
            self._http.close()

    def _acceptor(self, key: tuple[str, str], sock: socket.socket) -> Acceptor:
        listener, listen = key
        reception = self._reception

        def make_session(peer: tuple[str, int] | None) -> Session:
            return Session(reception, listener, listen, peer)

        door = door_of(self._engine.view.config, self._tls, key)
        return Acceptor(sock, make_session, door, self._session_counts, self._clock, self._log)

    # -- what the supervisor says

    def _fast(self, op: str, args: dict[str, Any]) -> bool:
        if op == "granted":
            self._engine.scheduler.granted(**args)
        elif op == "recall":
            self._engine.scheduler.recall(**args)
        elif op == "login_failed":
            self._reception.auth_failed(args["address"], args["mark"], args["listener"])
        elif op == "login_new":
            self._reception.auth_succeeded(args["network"], args["mark"])
        else:
            return False
        return True

    async def _handle(self, op: str, args: dict[str, Any]) -> Any:
        if op == "start":
            await self.start(args)
            return self._report._asdict()
        if op == "drain":
            return await self.drain(args["seconds"])
        await self._started.wait()
        if op not in self._operations:
            raise AngariumError(f"unknown operation {op!r}")
        try:
            return await self._operations[op](args)
        except ValueError as error:
            raise AngariumError(str(error)) from error

    async def _follow_config(self, args: dict[str, Any]) -> None:
        config: Config = pickle.loads(args["config"])
        self._engine.view.follow(config)
        await self._look_around()
        self._log.level = config.globals.log_level
        self._tls.follow(config)
        for key, acceptor in self._acceptors.items():
            acceptor.door = door_of(config, self._tls, key)
        self._reception.reconfigure(config, set(args["changed"]))
        self._engine.reconfigure(config)

    async def _look_around(self) -> None:
        options = self._engine.view.config.globals
        has_moved = await self._surroundings.look(options)
        self._resolver.reconfigure(self._surroundings.settings(options))
        if has_moved:
            self._engine.way_finder.has_moved(self._surroundings.seen.addresses)

    async def _follow_certificates(self, args: dict[str, Any]) -> None:
        self._tls.follow(self._engine.view.config)

    async def _health(self, args: dict[str, Any]) -> Any:
        status = self._engine.spool.status()
        return {
            "accepting": self._admit(),  # ready means that the next client is not refused
            "unwell": status.unwell,
            "note": self._surroundings.seen.note,
            "recovered": True,
            "listening": len(self._acceptors),
        }


def make_log(config: Config, **fields: Any) -> Log:
    """Make the log that the configuration asks for, on standard error."""
    fmt = config.globals.log_format
    return Log(2, fmt=None if fmt == "auto" else fmt, level=config.globals.log_level, fields=fields)


def main() -> None:
    """Entry of the worker process: `python -m angarium.node.worker LINK_FD SOCKETS_FD COUNTS_FD`."""
    # Signals are the supervisor's business: Ctrl-C on a terminal reaches all processes of the group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    link, sockets, counts = (int(arg) for arg in sys.argv[1:4])
    sockets_end = socket.socket(fileno=sockets)
    sockets_end.setblocking(False)

    async def serve() -> None:
        await Worker(socket.socket(fileno=link), sockets_end, counts).run()

    uvloop.run(serve())


if __name__ == "__main__":
    main()
