"""A process beside the workers as the supervisor's: started, started again when it has died or stands still, ended."""

import asyncio
import pickle
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.errors import AngariumError
from angarium.core.log import Log
from angarium.core.tasks import Tasks
from angarium.node.link import Link
from angarium.node.restarts import Restarts, how_ended, pause

USUAL_S = 5.0
"""Such a process tells how it is doing each second; what is older than this is a silence."""
SILENT_S = 60.0
"""One that is silent for so long is stuck."""


class KeptOf(Protocol):
    """Whose process it is: who hears of it, answers it, and writes of it to the log."""

    async def answer(self, op: str, args: dict[str, Any]) -> Any:
        """Answer what the process asks."""
        ...

    def hear(self, args: dict[str, Any]) -> None:
        """Take what it tells of itself."""
        ...

    def complain(self, error: str) -> None:
        """Write to the log why it does not work."""
        ...

    def died(self, ended: str, lived_s: float, again_in_s: float) -> None:
        """Note how it has ended, and that it is started again."""
        ...

    def killed(self) -> None:
        """Note that it did not finish in time, and was killed."""
        ...


class KeptProcess:
    """Keeps one process running: the module *module*, which tells of itself by *name*, for *owner*. *spec* are the
    folders that it is told of. One that says nothing for *silent_s* is killed.
    """

    def __init__(
        self,
        module: str,
        name: str,
        spec: Mapping[str, Path],
        config_of: Callable[[], Config],
        clock: Clock,
        log: Log,
        owner: KeptOf,
        silent_s: float = SILENT_S,
    ) -> None:
        self._module = module
        self._name = name
        self._spec = {key: str(path) for key, path in spec.items()}
        self._config_of = config_of
        self._clock = clock
        self._owner = owner
        self._silent_s = silent_s
        self._tasks = Tasks(log, clock)
        self._stopping = asyncio.Event()
        self._link: Link | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._has_told = False
        self.heard_at = 0.0
        """When it told of itself last, by the loop's clock; 0: it was never started."""
        self.problem = ""
        """Why it does not work; empty: it does, or has just been started."""

    @property
    def pid(self) -> int:
        """Its process id, 0 while it is not running."""
        return self._process.pid if self._process is not None else 0

    @property
    def has_told(self) -> bool:
        """Whether it runs, and has told of itself."""
        return self._has_told

    @property
    def is_started(self) -> bool:
        """Whether it is kept running."""
        return self.heard_at > 0

    @property
    def silent_s(self) -> float:
        """For how long it has told nothing, 0 as long as that is usual, or it was never started."""
        silent_s = asyncio.get_running_loop().time() - self.heard_at if self.heard_at else 0.0
        return silent_s if silent_s > USUAL_S else 0.0

    def start(self) -> None:
        """Start it, in the background."""
        self.heard_at = asyncio.get_running_loop().time()
        self._tasks.start(self._keep_running())
        self._tasks.start(self._watch())

    def configure(self) -> None:
        """Have it obey the configuration that is in force now."""
        if self._link is not None:
            self._link.tell("config", config=pickle.dumps(self._config_of()))

    async def stop(self, last_s: float) -> None:
        """Have it finish, within *last_s*."""
        self._stopping.set()
        process, link = self._process, self._link
        if process is None or link is None:
            return
        link.tell("stop")
        try:
            await asyncio.wait_for(process.wait(), last_s)
        except TimeoutError:
            self._owner.killed()
            process.kill()
            await process.wait()

    async def _keep_running(self) -> None:
        restarts = Restarts()
        while not self._stopping.is_set():
            began_at = self._clock.now()
            try:
                ended = await self._live()
            except Exception as error:  # noqa: BLE001 - no descriptors, no processes: there will be some again
                ended = f"not started: {error!r}"
            if self._stopping.is_set():
                return
            self.problem = self.problem or f"it ended ({ended}) and is started again"
            lived_s = self._clock.now() - began_at
            wait_s = restarts.after(lived_s)
            self._owner.died(ended, lived_s, wait_s)
            await pause(wait_s, self._stopping)

    async def _live(self) -> str:
        """Start the process and wait for its end; return how it ended."""
        ours, theirs = socket.socketpair()
        fd = theirs.fileno()
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self._module, str(fd), pass_fds=(fd,)
        )
        theirs.close()
        self._link = link = await Link.connect(ours, self._owner.answer, self._take, lambda: None)
        self._tasks.start(self._bring_up(link, process))
        code = await process.wait()
        link.close()
        self._link = self._process = None
        self._has_told = False
        return how_ended(code)

    async def _watch(self) -> None:
        """Kill one that says nothing any more."""
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            before = loop.time()
            await pause(self._silent_s / 4, self._stopping)
            stood_still = loop.time() - before > self._silent_s / 2  # and has not read yet what it was told
            silent_s = loop.time() - self.heard_at
            if self._process is None or not self._has_told or stood_still or silent_s <= self._silent_s:
                continue
            self.problem = f"it was silent for {silent_s:.0f} s, and is started again"
            self._owner.complain(self.problem)
            self._has_told = False
            self._process.kill()

    async def _bring_up(self, link: Link, process: asyncio.subprocess.Process) -> None:
        try:
            await link.call("start", **self._spec, config=pickle.dumps(self._config_of()))
        except AngariumError as error:
            self.problem = str(error)
            self._owner.complain(self.problem)
            if process.returncode is None:
                process.kill()

    def _take(self, op: str, args: dict[str, Any]) -> bool:
        if op != self._name:
            return False
        self.heard_at = asyncio.get_running_loop().time()
        before, self.problem = self.problem, str(args.get("error", ""))
        self._has_told = True
        self._owner.hear(args)
        if self.problem and self.problem != before:
            self._owner.complain(self.problem)
        return True
