"""The recorder as the supervisor's: started, kept running, ended last of all."""

import asyncio
import pickle
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.tasks import Tasks
from angarium.node.link import Link, refuse_calls
from angarium.node.recorder.recorder import RecorderStatus
from angarium.node.restarts import Restarts, how_ended, pause

_LAST_S = 10.0
"""So long it may read on after the workers have ended; what it has not read then, it reads at the next start."""
_USUAL_S = 5.0
"""It tells how it is doing each second; what is older than this is a silence."""
_SILENT_S = 60.0
"""One that is silent for so long is stuck, and what has happened is recorded only by a new one."""


class RecorderKeeper:
    """Keeps one recorder process running on the journals in *spool*. It never holds up the mail.

    *config_of* returns the configuration in force; *end_mail* has the workers end mail that it has read. One that says
    nothing for *silent_s* is killed.
    """

    def __init__(
        self,
        config_of: Callable[[], Config],
        data: Path,
        spool: Path,
        clock: Clock,
        log: Log,
        counters: Counters,
        end_mail: Callable[[list[Any]], Awaitable[list[MessageId]]],
        silent_s: float = _SILENT_S,
    ) -> None:
        self._end_mail = end_mail
        self._config_of = config_of
        self._data = data
        self._spool = spool
        self._clock = clock
        self._log = log
        self._counters = counters
        self._silent_s = silent_s
        self._heard_at = self._lag_s = 0.0
        self._tasks = Tasks(log, clock)
        self._stopping = asyncio.Event()
        self._link: Link | None = None
        self._process: asyncio.subprocess.Process | None = None
        self.status: RecorderStatus | None = None
        """What it has told of itself last, None while it is not running."""
        self.problem = ""
        """Why it does not read; empty: it does, or has just been started."""

    @property
    def pid(self) -> int:
        """Its process id, 0 while it is not running."""
        return self._process.pid if self._process is not None else 0

    @property
    def told(self) -> RecorderStatus:
        """What it has told of itself last."""
        return self.status or RecorderStatus()

    def start(self) -> None:
        """Start it, in the background."""
        self._heard_at = asyncio.get_running_loop().time()
        self._tasks.start(self._keep_running())
        self._tasks.start(self._watch())

    def count_lag(self) -> None:
        """Bring `recorder_lag_seconds` up to date: that of one that is silent, or is not there, grows."""
        silent_s = asyncio.get_running_loop().time() - self._heard_at if self._heard_at else 0.0
        self._counters.set("recorder_lag_seconds", self._lag_s + (silent_s if silent_s > _USUAL_S else 0.0))

    def configure(self) -> None:
        """Have it obey the configuration that is in force now."""
        if self._link is not None:
            self._link.tell("config", config=pickle.dumps(self._config_of()))

    async def stop(self) -> None:
        """Have it read all that there is, and end it."""
        self._stopping.set()
        process, link = self._process, self._link
        if process is None or link is None:
            return
        link.tell("stop")
        try:
            await asyncio.wait_for(process.wait(), _LAST_S)
        except TimeoutError:
            self._log.warning("recorder", self._clock.now(), ended="killed: there is still something to read")
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
            self._counters.add("recorder_restarts_total")
            self._log.error("recorder", self._clock.now(), ended=ended, lived_s=lived_s, again_in_s=wait_s)
            await pause(wait_s, self._stopping)

    async def _live(self) -> str:
        """Start the process and wait for its end; return how it ended."""
        ours, theirs = socket.socketpair()
        fd = theirs.fileno()
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "angarium.node.recorder.process", str(fd), pass_fds=(fd,)
        )
        theirs.close()
        self._link = link = await Link.connect(ours, self._answer, self._hear, lambda: None)
        self._tasks.start(self._bring_up(link, process))
        code = await process.wait()
        link.close()
        self._link = self._process = self.status = None
        return how_ended(code)

    async def _watch(self) -> None:
        """Kill one that says nothing any more."""
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            before = loop.time()
            await pause(self._silent_s / 4, self._stopping)
            stood_still = loop.time() - before > self._silent_s / 2  # and has not read yet what it was told
            silent_s = loop.time() - self._heard_at
            if self._process is None or self.status is None or stood_still or silent_s <= self._silent_s:
                continue
            self.problem = f"it was silent for {silent_s:.0f} s, and is started again"
            self._log.error("recorder", self._clock.now(), error=self.problem)
            self.status = None
            self._process.kill()

    async def _bring_up(self, link: Link, process: asyncio.subprocess.Process) -> None:
        try:
            config = pickle.dumps(self._config_of())
            await link.call("start", data=str(self._data), spool=str(self._spool), config=config)
        except AngariumError as error:
            self.problem = str(error)
            self._log.error("recorder", self._clock.now(), error=self.problem)
            if process.returncode is None:
                process.kill()

    async def _answer(self, op: str, args: dict[str, Any]) -> Any:
        return await self._end_mail(args["read"]) if op == "end_mail" else await refuse_calls(op, args)

    def _hear(self, op: str, args: dict[str, Any]) -> bool:
        if op != "recorder":
            return False
        before = self.told
        self.status = now = msgspec.convert(args, RecorderStatus)
        self.problem = now.error
        self._heard_at, self._lag_s = asyncio.get_running_loop().time(), now.lag_s
        self._counters.set("suppressions_held", now.held)
        for name, count in now.types.items():
            self._counters.add("recorder_taken_total", name, amount=count - before.types.get(name, 0))
        for name, count in now.bounces.items():
            self._counters.add("bounces_total", name, amount=count - before.bounces.get(name, 0))
        self._counters.set("event_store_bytes", now.event_bytes)
        self._counters.add("events_too_late_total", amount=now.events_too_late - before.events_too_late)
        self._counters.set("kept_texts_bytes", now.text_bytes)
        self._counters.add("kept_texts_left_out_total", amount=now.texts_left_out - before.texts_left_out)
        if now.error and before.error != now.error:
            self._log.error("recorder", self._clock.now(), error=now.error)
        return True
