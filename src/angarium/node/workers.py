"""The workers as processes: started, kept running, watched, told things, ended."""

import asyncio
import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.tasks import Tasks
from angarium.node.link import CallFailed, Link, LinkLost, refuse_calls
from angarium.node.restarts import Restarts, how_ended, pause
from angarium.node.session_counts import SessionCounts

_GRACE_S = 10.0


@dataclass(slots=True)
class WorkerProcess:
    """One worker as its supervisor knows it."""

    index: int
    process: asyncio.subprocess.Process
    link: Link
    sockets: socket.socket
    recovered: dict[str, Any] | None = None
    heard_at: float = 0.0

    def kill(self) -> None:
        """Kill it, unless it has ended already."""
        if self.process.returncode is None:
            self.process.kill()


class WorkersOwner(Protocol):
    """What the workers ask of the supervisor."""

    def told(self, index: int, op: str, args: dict[str, Any]) -> bool:
        """A worker says something; return whether it was understood."""
        ...

    async def bring_up(self, worker: WorkerProcess) -> None:
        """Have a new worker start its engine. Raises LinkLost when it is gone, CallFailed when it cannot."""
        ...

    def gone(self, index: int) -> None:
        """A worker has ended."""
        ...

    def worker_timeout_s(self) -> float:
        """How long a worker may be silent."""
        ...


class Workers:
    """All workers of a node, each on the partition of its number. One that dies is started again."""

    def __init__(self, owner: WorkersOwner, count: int, clock: Clock, log: Log, counters: Counters) -> None:
        self.counts_fd = SessionCounts.make_fd(count)
        self._owner = owner
        self._count = count
        self._clock = clock
        self._log = log
        self._counters = counters
        self._counts = SessionCounts(self.counts_fd, count, 0)
        self._workers: dict[int, WorkerProcess] = {}
        self._tasks = Tasks(log, clock)
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Start all of them, in the background."""
        for index in self.numbers:
            self._tasks.start(self._keep_running(index))
        self._tasks.start(self._watch())

    @property
    def numbers(self) -> range:
        """The workers' numbers."""
        return range(self._count)

    def running(self) -> list[WorkerProcess]:
        """Those whose engine is up."""
        return [worker for worker in self._workers.values() if worker.recovered is not None]

    def away(self) -> dict[int, str]:
        """Return why a worker cannot be asked anything, for those that cannot."""
        reasons = {}
        for index in self.numbers:
            worker = self._workers.get(index)
            if worker is None:
                reasons[index] = "not running; it is started again"
            elif worker.recovered is None:
                reasons[index] = "reading its spool"
            elif self._stopping.is_set():
                reasons[index] = "shutting down"
        return reasons

    def http_taken(self) -> tuple[int, ...]:
        """See HttpCounts.taken."""
        return self._counts.http.taken()

    def tell(self, index: int, op: str, **args: Any) -> None:
        """Tell one worker something, if it is there."""
        worker = self._workers.get(index)
        if worker is not None:
            worker.link.tell(op, **args)

    def tell_others(self, index: int, op: str, args: dict[str, Any]) -> None:
        """Tell all workers but *index* something."""
        for worker in self.running():
            if worker.index != index:
                worker.link.tell(op, **args)

    async def ask(self, index: int, op: str, args: dict[str, Any]) -> Any:
        """Ask one worker something. Raises LinkLost when it is not there, CallFailed when it could not answer."""
        if index not in self._workers:
            raise LinkLost("not running; it is started again")
        return await self._workers[index].link.call(op, **args)

    async def stop(self, seconds: float, hurry: asyncio.Event) -> None:
        """Tell all workers to drain, and wait until they have; a worker that does not come to an end is killed.

        Once *hurry* is set, nothing is waited for any more but what must be written down.
        """
        self._stopping.set()
        workers = list(self._workers.values())
        ended = asyncio.gather(*(worker.process.wait() for worker in workers))
        hurried = self._tasks.start(hurry.wait())
        _tell_to_drain(workers, seconds)
        await asyncio.wait((ended, hurried), timeout=seconds + _GRACE_S, return_when=asyncio.FIRST_COMPLETED)
        if hurried.done() and not ended.done():
            _tell_to_drain(workers, 0)
            await asyncio.wait((ended,), timeout=_GRACE_S)
        self._kill(worker for worker in workers if worker.process.returncode is None)
        await ended
        hurried.cancel()

    def _kill(self, workers: Iterable[WorkerProcess]) -> None:
        for worker in workers:
            self._say_error(worker.index, error="did not drain; killed")
            worker.kill()

    async def _keep_running(self, index: int) -> None:
        restarts = Restarts()
        while not self._stopping.is_set():
            began_at = self._clock.now()
            ended = await self._live(index)
            if self._stopping.is_set():
                return
            lived_s = self._clock.now() - began_at
            wait_s = restarts.after(lived_s)
            self._counters.add("worker_restarts_total")
            self._say_error(index, ended=ended, lived_s=lived_s, again_in_s=wait_s)
            await pause(wait_s, self._stopping)

    async def _live(self, index: int) -> str:
        """Start a worker and wait for its end; return how it ended."""
        try:
            worker = await self._spawn(index)
        except Exception as error:  # noqa: BLE001 - no descriptors, no processes: there will be some again
            return f"not started: {error!r}"
        self._tasks.start(self._bring_up(worker))
        code = await worker.process.wait()
        self._forget(worker)
        return how_ended(code)

    async def _spawn(self, index: int) -> WorkerProcess:
        link_ours, link_theirs = socket.socketpair()
        sockets_ours, sockets_theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._counts.clear(index)
        fds = (link_theirs.fileno(), sockets_theirs.fileno(), self.counts_fd)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "angarium.node.worker", *map(str, fds), pass_fds=fds
        )
        link_theirs.close()
        sockets_theirs.close()
        link = await Link.connect(link_ours, refuse_calls, self._hears(index), lambda: None)
        worker = WorkerProcess(index, process, link, sockets_ours)
        self._workers[index] = worker
        return worker

    def _hears(self, index: int) -> Callable[[str, dict[str, Any]], bool]:
        def hear(op: str, args: dict[str, Any]) -> bool:
            if op == "alive":
                self._workers[index].heard_at = asyncio.get_running_loop().time()
            else:
                return self._owner.told(index, op, args)
            return True

        return hear

    async def _bring_up(self, worker: WorkerProcess) -> None:
        try:
            await self._owner.bring_up(worker)
        except LinkLost:
            return
        except Exception as error:  # noqa: BLE001 - half of an engine takes no mail: the next one is whole
            self._say_error(worker.index, error=str(error) if isinstance(error, CallFailed) else repr(error))
            worker.kill()
            return
        self._log.info(
            "worker", self._clock.now(), worker=worker.index, pid=worker.process.pid, state="ready"
        )

    async def _watch(self) -> None:
        """Kill a worker that says nothing any more: it is stuck, and its mail moves only in a new process."""
        loop = asyncio.get_running_loop()
        while True:
            limit_s = self._owner.worker_timeout_s()
            before = loop.time()
            await asyncio.sleep(limit_s / 4)
            if loop.time() - before > limit_s / 2:
                continue  # this process stood still itself, and has not read yet what the workers say
            for worker in self._workers.values():
                silent_s = loop.time() - worker.heard_at
                if worker.heard_at and silent_s > limit_s:
                    self._say_error(worker.index, error=f"silent for {silent_s:.0f} s; killed")
                    worker.heard_at = 0.0
                    worker.kill()

    def _forget(self, worker: WorkerProcess) -> None:
        self._workers.pop(worker.index, None)
        worker.link.close()
        worker.sockets.close()
        self._counts.clear(worker.index)
        self._owner.gone(worker.index)

    def _say_error(self, index: int, **what: Any) -> None:
        self._log.error("worker", self._clock.now(), worker=index, **what)


def _tell_to_drain(workers: Iterable[WorkerProcess], seconds: float) -> None:
    for worker in workers:
        worker.link.tell("drain", seconds=seconds)
