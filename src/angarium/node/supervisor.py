"""The supervisor: starts the workers and keeps them running, owns sockets, limits and configuration, ends in order.

It touches no mail. A worker that dies is started again on the same partition; the others go on meanwhile.
"""

import asyncio
import os
import pickle
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from angarium import __version__
from angarium.config.explain import needs_restart
from angarium.config.load import load_config
from angarium.config.model import Config
from angarium.config.problems import ConfigErrors
from angarium.config.records import ListenOptions
from angarium.core.clock import SystemClock
from angarium.core.errors import AngariumError
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.tasks import Tasks
from angarium.node.answers import NodeInfo, Stat
from angarium.node.board import Board
from angarium.node.console import Console
from angarium.node.control import ControlServer
from angarium.node.link import CallFailed, Link, LinkLost
from angarium.node.sockets import Sockets, open_listening
from angarium.node.spools import partitions_with_mail
from angarium.node.web import WebServer, make_app
from angarium.node.worker import make_log
from angarium.queue.authority import Authority, Grant
from angarium.queue.limits import Limit

_RESTART_S = (0.2, 10.0)
_STABLE_S = 30.0


@dataclass(slots=True)
class WorkerProcess:
    """One worker as its supervisor knows it."""

    index: int
    process: asyncio.subprocess.Process
    link: Link
    sockets: socket.socket
    started_at: float
    recovered: dict[str, Any] | None = None
    listening: bool = False
    heard_at: float = 0.0


class Supervisor:
    """The node. `run` returns when it has been told to stop and has stopped."""

    def __init__(self, config: Config, config_path: Path | None, data: Path, workers: int, log: Log) -> None:
        self.config = config
        self.data = data
        self.counters = Counters()
        self.clock = SystemClock()
        self.log = log
        self._config_path = config_path
        self._count = workers
        self._workers: dict[int, WorkerProcess] = {}
        self._tasks = Tasks(log, self.clock)
        self._authority = Authority()
        self._sockets = Sockets()
        self._board_fd = Board.make_fd(workers)
        self._board = Board(self._board_fd, workers, 0)
        self._stopping = asyncio.Event()
        self._started_at = self.clock.now()
        self._console = Console(self)
        self._control = ControlServer(data / "control.sock", self._console.handle)
        self._web = WebServer(make_app(self._console.health, self._console.stats), [])

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises CannotListen, or ControlError when another node runs on the same data, before anything has begun.
        """
        await self._control.start()
        try:
            self._sockets.follow(self.config)
            await self._serve_web()
            self._obey_signals()
            for index in range(self._count):
                self._tasks.start(self._keep_running(index))
            self.log.info("listening", self.clock.now(), **self.addresses())
            self._tasks.start(self._watch())
            await self._stopping.wait()
            await self._stop()
        finally:
            await self._web.stop()
            await self._control.stop()
            self._sockets.close()
            self.log.flush()

    async def _serve_web(self) -> None:
        sockets = [open_listening(address, ListenOptions()) for address in self.config.http_listens]
        self._web = WebServer(make_app(self._console.health, self._console.stats), sockets)
        await self._web.start()

    def _obey_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._tasks.start(self._reload_and_log()))

    # -- workers

    async def _keep_running(self, index: int) -> None:
        wait_s = _RESTART_S[0]
        while not self._stopping.is_set():
            worker = await self._spawn(index)
            self._tasks.start(self._bring_up(worker))
            code = await worker.process.wait()
            self._forget(worker)
            if self._stopping.is_set():
                return
            lived_s = self.clock.now() - worker.started_at
            wait_s = _RESTART_S[0] if lived_s > _STABLE_S else min(wait_s * 2, _RESTART_S[1])
            self.counters.add("worker_restarts_total")
            self.log.error(
                "worker", self.clock.now(), worker=index, ended=_how(code), lived_s=lived_s, again_in_s=wait_s
            )
            try:
                await asyncio.wait_for(self._stopping.wait(), wait_s)
            except TimeoutError:
                continue

    async def _spawn(self, index: int) -> WorkerProcess:
        link_ours, link_theirs = socket.socketpair()
        sockets_ours, sockets_theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._board.clear(index)
        fds = (link_theirs.fileno(), sockets_theirs.fileno(), self._board_fd)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "angarium.node.worker", *map(str, fds), pass_fds=fds
        )
        link_theirs.close()
        sockets_theirs.close()
        link = await Link.connect(
            link_ours,
            lambda op, args: self._worker_asks(index, op, args),
            lambda op, args: self._worker_tells(index, op, args),
            lambda: None,
        )
        worker = WorkerProcess(index, process, link, sockets_ours, self.clock.now())
        self._workers[index] = worker
        return worker

    async def _bring_up(self, worker: WorkerProcess) -> None:
        """Have it recover its partition, then give it the sockets."""
        spec = {
            "index": worker.index,
            "workers": self._count,
            "data": str(self.data),
            "config": pickle.dumps(self.config),
        }
        generation = self.config.generation
        try:
            worker.recovered = await worker.link.call("start", **spec)
            if self.config.generation != generation:  # there was a reload while it read its spool
                await worker.link.call("config", config=pickle.dumps(self.config), changed=[])
        except LinkLost:
            return
        except CallFailed as error:
            self.log.error("worker", self.clock.now(), worker=worker.index, error=str(error))
            worker.process.kill()
            return
        self._sockets.send(worker.sockets)
        self.log.info("worker", self.clock.now(), worker=worker.index, pid=worker.process.pid, state="ready")

    async def _watch(self) -> None:
        """Kill a worker that says nothing any more: it is stuck, and its mail moves only in a new process."""
        loop = asyncio.get_running_loop()
        while True:
            limit_s = self.config.globals.worker_timeout
            await asyncio.sleep(limit_s / 4)
            for worker in self._workers.values():
                silent_s = loop.time() - worker.heard_at
                if worker.heard_at and silent_s > limit_s:
                    error = f"silent for {silent_s:.0f} s; killed"
                    self.log.error("worker", self.clock.now(), worker=worker.index, error=error)
                    worker.heard_at = 0.0
                    worker.process.kill()

    def _forget(self, worker: WorkerProcess) -> None:
        self._workers.pop(worker.index, None)
        worker.link.close()
        worker.sockets.close()
        self._board.clear(worker.index)
        self._authority.holder_gone(worker.index, self.clock.now())
        self._tell_holders()

    # -- what workers say

    def _worker_tells(self, index: int, op: str, args: dict[str, Any]) -> bool:
        if op == "lease":
            self._lease(index, args)
        elif op == "give_back":
            self._authority.release(index, args["key"], args["count"], self.clock.now())
            self._tell_holders()
        elif op == "alive":
            self._workers[index].heard_at = asyncio.get_running_loop().time()
        elif op == "listening":
            self._workers[index].listening = True
        else:
            return self._console.heard(op, args)
        return True

    async def _worker_asks(self, index: int, op: str, args: dict[str, Any]) -> Any:
        raise AngariumError(f"the supervisor does not know {op!r}")

    def _lease(self, index: int, args: dict[str, Any]) -> None:
        key, want, limit = args["key"], args["want"], Limit(*args["limit"])
        count, retry_at = self._authority.acquire(index, key, want, limit, self.clock.now(), args["lane"])
        if want:
            self._tell(index, "granted", key=key, count=count, retry_at=retry_at)
        self._tell_holders()

    def _tell_holders(self) -> None:
        for message in self._authority.take_messages():
            index = message.holder
            assert isinstance(index, int)
            if isinstance(message, Grant):
                self._tell(index, "granted", key=message.key, count=message.units, retry_at=None)
            else:
                self._tell(index, "recall", key=message.key, count=message.units)

    def _tell(self, index: int, op: str, **args: Any) -> None:
        worker = self._workers.get(index)
        if worker is not None:
            worker.link.tell(op, **args)

    # -- console.NodePort

    @property
    def workers(self) -> Sequence[int]:
        """See NodePort."""
        return range(self._count)

    def away(self) -> Mapping[int, str]:
        """See NodePort."""
        reasons = {}
        for index in self.workers:
            worker = self._workers.get(index)
            if worker is None:
                reasons[index] = "not running; it is started again"
            elif worker.recovered is None:
                reasons[index] = "reading its spool"
            elif self._stopping.is_set():
                reasons[index] = "shutting down"
        return reasons

    async def ask(self, worker: int, op: str, args: dict[str, Any]) -> Any:
        """See NodePort."""
        if worker not in self._workers:
            raise LinkLost("not running; it is started again")
        return await self._workers[worker].link.call(op, **args)

    def describe(self) -> NodeInfo:
        """See NodePort."""
        return NodeInfo(
            __version__,
            os.getpid(),
            self._started_at,
            str(self.data),
            str(self._config_path or ""),
            self.config.generation,
            self._count,
            self.addresses(),
        )

    def stats(self) -> list[Stat]:
        """See NodePort."""
        return [(name, label, value) for (name, label), value in self.counters.values.items()]

    def addresses(self) -> dict[str, str]:
        """Where each listener can be reached."""
        http = {f"http {address.name}": str(address) for address in self.config.http_listens}
        return {**self._sockets.addresses(), **http}

    # -- configuration

    async def reload(self) -> dict[str, Any]:
        """Read the configuration anew and swap it in everywhere.

        Raises AngariumError with all problems; then the configuration and sockets that were in force still are.
        """
        try:
            config = await asyncio.to_thread(
                load_config, self._config_path, generation=self.config.generation + 1
            )
        except ConfigErrors as errors:
            raise AngariumError(f"{errors.render()}; the running configuration stays in force") from errors
        self._sockets.follow(config)
        before = {listener.name: listener.digest for listener in self.config.listeners}
        after = {listener.name: listener.digest for listener in config.listeners}
        changed = sorted(name for name in before if before[name] != after.get(name))
        restart = needs_restart(self.config, config)
        self.config = config
        self.log.level = config.globals.log_level
        spec = {"config": pickle.dumps(config), "changed": changed}
        for worker in self._running():
            try:
                await worker.link.call("config", **spec)
            except LinkLost:
                continue  # it starts again with the new configuration
            self._sockets.send(worker.sockets)
        return {"generation": config.generation, "changed_listeners": changed, "needs_restart": restart}

    def _running(self) -> list[WorkerProcess]:
        return [worker for worker in self._workers.values() if worker.recovered is not None]

    async def _reload_and_log(self) -> None:
        try:
            result = await self.reload()
        except AngariumError as error:
            self.log.error(
                "reload", self.clock.now(), kept_generation=self.config.generation, error=str(error)
            )
        else:
            self.log.info("reload", self.clock.now(), **result)

    # -- end

    async def _stop(self) -> None:
        """Tell all workers to drain, and wait until they have; a worker that does not come to an end is killed."""
        seconds = self.config.globals.drain_timeout
        self.log.info("draining", self.clock.now(), seconds=seconds)
        workers = list(self._workers.values())
        for worker in workers:
            worker.link.tell("drain", seconds=seconds)
        waits = asyncio.gather(*(worker.process.wait() for worker in workers))
        try:
            await asyncio.wait_for(asyncio.shield(waits), seconds + 10)
        except TimeoutError:
            for worker in workers:
                if worker.process.returncode is None:
                    self.log.error(
                        "worker", self.clock.now(), worker=worker.index, error="did not drain; killed"
                    )
                    worker.process.kill()
            await waits


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def run(config_path: Path | None, data: Path | None, workers: int | None) -> int:
    """Run a node in the foreground; return the exit status: 0 after an orderly stop, 1 when it could not start."""
    log = Log(2)
    clock = SystemClock()
    try:
        config = load_config(config_path)
        folder = (data or config.globals.data_directory).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        count = workers or config.globals.workers or os.cpu_count() or 1
        count = max(count, partitions_with_mail(folder, config))
        log = make_log(config)
        uvloop.run(Supervisor(config, config_path, folder, count, log).run())
    except (AngariumError, OSError) as error:
        print(f"angarium: {error}", file=sys.stderr)
        log.error("start", clock.now(), error=str(error).splitlines()[0])
        return 1
    return 0
