"""The supervisor: starts the workers and keeps them running, owns sockets, limits and configuration, ends in order.

It touches no mail. A worker that dies is started again on the same partition; the others go on meanwhile.
"""

import asyncio
import os
import pickle
import platform
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import uvloop

from angarium import __version__
from angarium.backup.unfinished import refuse_unfinished
from angarium.config.explain import needs_restart
from angarium.config.model import Config
from angarium.config.problems import ConfigErrors
from angarium.config.source import ConfigSource
from angarium.core.clock import Clock, SystemClock
from angarium.core.descriptors import descriptors, raise_limit
from angarium.core.errors import AngariumError
from angarium.core.files import make_folder
from angarium.core.ids import MessageId
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.operations import MessageArgs, NodeInfo, Stat
from angarium.core.tasks import Tasks
from angarium.http.autoconfig import make_autoconfig_routes
from angarium.identity.store.place import prepare_store
from angarium.node.conditions import NodeFacts, around, needs_of
from angarium.node.http.whole import NodeHttp
from angarium.node.link import CallFailed, LinkLost
from angarium.node.logs import hear_libraries, make_log
from angarium.node.operations import SOON_S, NodeOperations
from angarium.node.passed_sockets import passed_sockets
from angarium.node.recorder.keeper import RecorderKeeper
from angarium.node.service_manager import ServiceManager
from angarium.node.sockets import CannotListen, Sockets
from angarium.node.spools import spool_folder
from angarium.node.webhooks.keeper import WebhooksKeeper
from angarium.node.workers import WorkerProcess, Workers
from angarium.queue.authority import Authority, Grant
from angarium.queue.limits import Limit
from angarium.tls.client.check import check_tls
from angarium.tls.server import watch
from angarium.tls.server.watch import CertificateWatch

_COUNT_S = 5.0
_SAID_S: Final = 0.2
"""Workers write their logs in batches: what is said of the start comes after theirs."""


class Start(NamedTuple):
    """A node that starts: what by, where, and what it says things with."""

    config: Config
    data: Path
    clock: Clock
    log: Log


class Starter(Protocol):
    """Who starts the node, and is told how far it is."""

    async def sockets_are_open(self, start: Start) -> None:
        """The node has all that it needs, and has not served anybody yet. Raises AngariumError or OSError: then it
        does not start.
        """
        ...

    def is_ready(self, start: Start) -> None:
        """All workers take mail, for the first time."""
        ...

    async def has_stopped(self) -> None:
        """The node has come to its end, however far it came."""
        ...


class Supervisor:
    """The node. `run` returns when it has been told to stop and has stopped."""

    def __init__(
        self, source: ConfigSource, config: Config, data: Path, workers: int, log: Log, starter: Starter
    ) -> None:
        self.config = config
        self.data = data
        self.counters = Counters()
        self.clock = SystemClock()
        self.log = log
        self._source = source
        self._starter = starter
        self._was_ready = False
        self._manager = ServiceManager.from_environment(os.environ, os.getpid(), self.clock, log)
        self._tasks = Tasks(log, self.clock)
        self._workers = Workers(self, workers, self.clock, log, self.counters)
        self._authority = Authority()
        self._sockets = Sockets()
        self._certificates = CertificateWatch(data, self.clock, log, self.counters)
        self._recorder = RecorderKeeper(
            lambda: self.config,
            data,
            spool_folder(data, config),
            self.clock,
            log,
            self.counters,
            self.end_mail,
            lambda message: self._operations.message(MessageArgs(message), SOON_S),
            lambda message, note: self._operations.cancel(message, note),
        )
        self._webhooks = WebhooksKeeper(lambda: self.config, data, self.clock, log, self.counters)
        self._stopping = asyncio.Event()
        self._hurrying = asyncio.Event()
        self._unusable = ""
        self._started_at = self.clock.now()
        self._count_start()
        self._operations = NodeOperations(self)
        self._http = NodeHttp(
            data, self._operations, self._workers.http_taken, self._workers_listen, self.clock, log
        )

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises CannotListen, TlsProblem, or ControlError when another node runs on the same data, before anything
        has begun; and AngariumError when a worker has found a spool that no worker could use.
        """
        hear_libraries(self.log, self.clock)
        self._http.claim()
        try:
            self._open_sockets()
            self._certificates.prepare(self.config)
            await self._complain_of_tls()
            self._log_warnings()
            prepare_store(self.config, self.data)
            await self._starter.sockets_are_open(self._start)
            await self._http.start(make_autoconfig_routes(lambda: self.config))
            self._obey_signals()
            self._workers.start()
            self._tasks.start(self._manager.give_signs_of_life())
            self._recorder.start()
            self._tasks.regularly(_COUNT_S, self._operations.look)
            self._tasks.regularly(_COUNT_S, self._look_for_webhooks)
            self._tasks.regularly(watch.LOOK_S, self._look_at_certificates)
            self.log.info("listening", self.clock.now(), addresses=self.addresses())
            if unused := passed_sockets().unused():
                self.log.warning("listening", self.clock.now(), passed_in_vain=unused)
            await self._stopping.wait()
            seconds = self.config.globals.drain_timeout
            self.log.info("draining", self.clock.now(), seconds=seconds)
            self._manager.stopping()
            self._sockets.close()  # else the kernel goes on taking connections that no worker will greet
            await self._workers.stop(seconds, self._hurrying)
            await asyncio.gather(self._webhooks.stop(), self._recorder.stop())
            if self._unusable:
                raise AngariumError(self._unusable)
        finally:
            await self._http.stop()
            self._sockets.close()
            await self._starter.has_stopped()
            self.log.flush()

    @property
    def _start(self) -> Start:
        return Start(self.config, self.data, self.clock, self.log)

    def _open_sockets(self) -> None:
        """Open all, before anything is made or said that would be in vain. Where nobody has asked for a port, and
        another program has it, the next one that is free will do.
        """
        while True:
            try:
                self._sockets.follow(self.config)
                self._http.open(self.config)
                return
            except CannotListen as problem:
                beside = self._source.beside(problem.taken) if problem.taken is not None else None
                if beside is None:
                    raise
                self.log.warning("listening", self.clock.now(), problem=f"{problem}; the next port is taken")
            self._source = beside
            self.config = self._source.load()

    async def _complain_of_tls(self) -> None:
        """Log what outgoing TLS lacks: the destinations it is for wait, and the others are served."""
        try:
            await asyncio.to_thread(check_tls, self.config, self.clock.now())
        except ConfigErrors as errors:
            for problem in errors.problems:
                self.log.error("tls", self.clock.now(), error=str(problem))

    def _log_warnings(self) -> None:
        for warning in self.config.warnings:
            self.log.warning("config", self.clock.now(), text=str(warning))
        if self._source.path is not None:  # what is built in is for this machine alone
            found = around(self.config.globals.hostname, descriptors().most, needs_of(self.config))
            for each in found:
                self.log.warning(
                    "condition", self.clock.now(), name=each.name, text=each.text, advice=each.advice
                )

    def _workers_listen(self) -> bool:
        return bool(self._workers.running()) and not self._stopping.is_set()

    def _obey_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._tasks.start(self._reload_and_log()))

    def _told_to_stop(self) -> None:
        """Drain; when told again, do so without waiting for the peers."""
        if self._stopping.is_set():
            self._hurrying.set()
        self._stopping.set()

    # -- workers.WorkersOwner

    async def bring_up(self, worker: WorkerProcess) -> None:
        """See workers.WorkersOwner: have it recover its partition, then give it the sockets."""
        spec = {
            "index": worker.index,
            "workers": len(self._workers.numbers),
            "data": str(self.data),
            "config": pickle.dumps(self.config),
        }
        generation = self.config.generation
        worker.recovered = await worker.link.call("start", **spec)
        if self.config.generation != generation:  # there was a reload while it read its spool
            await worker.link.call("config", config=pickle.dumps(self.config), changed=[])
        self._sockets.send(worker.sockets, self._http.public)
        self._manager.ready(f"takes mail with {len(self._workers.running())} of {len(self.workers)} workers")
        if not self._was_ready and len(self._workers.running()) == len(self.workers):
            self._was_ready = True
            asyncio.get_running_loop().call_later(_SAID_S, self._starter.is_ready, self._start)

    def gone(self, index: int) -> None:
        """See workers.WorkersOwner."""
        self._authority.holder_gone(index)
        self._tell_holders()

    def worker_timeout_s(self) -> float:
        """See workers.WorkersOwner."""
        return self.config.globals.worker_timeout

    def told(self, index: int, op: str, args: dict[str, Any]) -> bool:
        """See workers.WorkersOwner."""
        if op == "lease":
            self._lease(index, args)
        elif op == "unusable":
            self._unusable = args["reason"]
            self._stopping.set()
        elif op == "give_back":
            self._authority.release(index, args["key"], args["count"])
            self._tell_holders()
        elif op in ("login_failed", "login_new"):
            self._workers.tell_others(index, op, args)
        else:
            return self._operations.heard(op, args)
        return True

    def _lease(self, index: int, args: dict[str, Any]) -> None:
        key, want, limit = args["key"], args["want"], Limit(*args["limit"])
        count, retry_at = self._authority.acquire(index, key, want, limit, self.clock.now(), args["rank"])
        if want:
            left = self._authority.left(key)
            self._workers.tell(index, "granted", key=key, count=count, retry_at=retry_at, left=left)
        self._tell_holders()

    def _tell_holders(self) -> None:
        for message in self._authority.take_messages():
            index = message.holder
            assert isinstance(index, int)
            key, count = message.key, message.units
            if isinstance(message, Grant):
                left = self._authority.left(key)
                self._workers.tell(index, "granted", key=key, count=count, retry_at=None, left=left)
            else:
                self._workers.tell(index, "recall", key=key, count=count, rank=message.rank)

    # -- what the recorder asks

    async def end_mail(self, read: list[Any]) -> list[MessageId]:
        """Have the workers write down what mail to this node says, and end it; return what has ended."""
        ended: list[MessageId] = []
        for index in self._workers.numbers:
            try:
                ended += await self._workers.ask(index, "end_mail", {"read": read})
            except (LinkLost, CallFailed) as error:
                self.log.warning("recorder", self.clock.now(), error=f"worker {index}: {error}")
        return ended

    # -- operations.NodePort

    @property
    def workers(self) -> Sequence[int]:
        """See NodePort."""
        return self._workers.numbers

    def away(self) -> Mapping[int, str]:
        """See NodePort."""
        return self._workers.away()

    async def ask(self, worker: int, op: str, args: dict[str, Any]) -> Any:
        """See NodePort."""
        return await self._workers.ask(worker, op, args)

    def describe(self) -> NodeInfo:
        """See NodePort."""
        return NodeInfo(
            __version__,
            os.getpid(),
            self._started_at,
            str(self.data),
            str(self._source.path or ""),
            self.config.generation,
            len(self.workers),
            self.addresses(),
            str(spool_folder(self.data, self.config).absolute()),
        )

    def stats(self) -> list[Stat]:
        """See NodePort."""
        self.counters.set("log_lost_lines_total", self.log.lost)
        self._count_disk()
        self._recorder.count_lag()
        self.counters.set("webhooks", self._recorder.told.webhooks)
        self.counters.set("webhooks_off", self._recorder.told.webhooks_off)
        return [(name, labels, value) for (name, *labels), value in self.counters.numbers()]

    def _count_disk(self) -> None:
        try:
            disk = os.statvfs(self.data)
        except OSError:  # of a disk that is not there the numbers are missing; whoever writes to it says why
            self.counters.forget("disk_free_bytes")
            self.counters.forget("disk_size_bytes")
        else:
            self.counters.set("disk_free_bytes", disk.f_bavail * disk.f_frsize)
            self.counters.set("disk_size_bytes", disk.f_blocks * disk.f_frsize)

    def _count_start(self) -> None:
        self.counters.set("build_info", 1, __version__, platform.python_version())
        self.counters.set("start_timestamp_seconds", self._started_at)
        self._count_config(self._started_at)

    def _count_config(self, loaded_at: float) -> None:
        self.counters.set("config_loaded_timestamp_seconds", loaded_at)
        self.counters.set("config_reload_failed", 0)

    def facts(self) -> NodeFacts:
        """See NodePort."""
        self.log.flush()  # it may be read again
        return NodeFacts(
            hostname=self.config.globals.hostname,
            needs=needs_of(self.config),
            descriptors=descriptors(),
            draining=self._stopping.is_set(),
            log_lost=self.log.unread,
            recorder=self._recorder.problem,
            held=self._recorder.told.held,
            unsuppressed=self._recorder.told.unsuppressed,
            event_day_dropped=self._recorder.told.event_day_dropped,
            webhooks=self._webhooks.problem,
            webhooks_off=self._recorder.told.webhooks_off,
        )

    async def _look_for_webhooks(self) -> None:
        """Have webhooks told as soon as there are any; a node without one does without the process."""
        if self._recorder.told.webhooks and not self._stopping.is_set():
            self._webhooks.want()

    def addresses(self) -> dict[str, str]:
        """Where each listener can be reached."""
        return {**self._sockets.addresses(), **self._http.addresses()}

    # -- configuration

    async def reload(self) -> dict[str, Any]:
        """Read the configuration anew and swap it in everywhere.

        Raises AngariumError with all problems; then the configuration and sockets that were in force still are.
        """
        if self._stopping.is_set():
            raise AngariumError("the node is stopping; what it is started with is read at the next start")
        with self._manager.reload():
            return await self._reload()

    async def _reload(self) -> dict[str, Any]:
        self.counters.set("config_reload_failed", 1)
        try:
            config = await asyncio.to_thread(self._read_config)
        except ConfigErrors as errors:
            raise AngariumError(f"{errors.render()}; the running configuration stays in force") from errors
        self._certificates.prepare(config)
        self._sockets.follow(config)
        self._count_config(self.clock.now())
        before = {listener.name: listener.digest for listener in self.config.listeners}
        after = {listener.name: listener.digest for listener in config.listeners}
        changed = sorted(name for name in before if before[name] != after.get(name))
        restart = needs_restart(self.config, config)
        self.config = config
        self.log.level = config.globals.log_level
        spec = {"config": pickle.dumps(config), "changed": changed}
        for worker in self._workers.running():
            if await self._done(worker, "config", **spec):
                self._sockets.send(worker.sockets, self._http.public)
        self._recorder.configure()
        self._webhooks.configure()
        return {
            "generation": config.generation,
            "changed_listeners": changed,
            "needs_restart": restart,
            "warnings": [str(warning) for warning in config.warnings],
        }

    async def _done(self, worker: WorkerProcess, op: str, **args: Any) -> bool:
        """Have *worker* take over something new. One that is gone takes it over when it starts again; one that could
        not is made to, so that it does not go on with half of it.
        """
        try:
            await worker.link.call(op, **args)
        except LinkLost:
            return False
        except CallFailed as error:
            self.log.error("worker", self.clock.now(), worker=worker.index, error=str(error))
            worker.kill()
            return False
        return True

    async def _look_at_certificates(self) -> None:
        await self._certificates.look(self.config, self._renew_certificates)

    def _read_config(self) -> Config:
        config = self._source.load(self.config.generation + 1)
        check_tls(config, self.clock.now())
        return config

    async def _renew_certificates(self) -> None:
        """Have the workers read the certificates' files, which have changed and are good."""
        for worker in self._workers.running():
            await self._done(worker, "certificates")
        self.log.info("tls", self.clock.now(), renewed=True)

    async def _reload_and_log(self) -> None:
        try:
            result = await self.reload()
        except AngariumError as error:
            self.log.error(
                "reload", self.clock.now(), kept_generation=self.config.generation, error=str(error)
            )
        else:
            self.log.info("reload", self.clock.now(), **result)


def run(source: ConfigSource, data: Path | None, workers: int | None, starter: Starter) -> int:
    """Run a node in the foreground; return the exit status: 0 after an orderly stop, 1 when it could not start."""
    log = Log(2)
    clock = SystemClock()
    try:
        config = source.load()
        folder = (data or config.globals.data_directory).absolute()
        refuse_unfinished(folder)
        _make(folder)
        count = workers or config.globals.workers or os.cpu_count() or 1
        log = make_log(config)
        raise_limit()
        uvloop.run(Supervisor(source, config, folder, count, log, starter).run())
    except (AngariumError, OSError) as error:
        text = error.render() if isinstance(error, ConfigErrors) else str(error)
        print(f"angarium: {text}", file=sys.stderr)
        log.error("start", clock.now(), error=str(error).splitlines()[0])
        return 1
    return 0


def _make(folder: Path) -> None:
    try:
        make_folder(folder)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise AngariumError(
            f"the data folder {folder} cannot be made: {reason}; choose another by --data"
        ) from error
