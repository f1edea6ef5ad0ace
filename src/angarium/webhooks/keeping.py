"""What is to be kept of a round of sending, written together by one thread: many endpoints share a commit."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.webhooks.ledger import LedgerError, WebhookLedger
from angarium.webhooks.records import CursorRow, KeptLetter, TailRow

Run = Callable[..., Awaitable[Any]]
"""Calls something that blocks, with its arguments, where it holds up nothing."""

_AGAIN_S: Final = 1.0

Picture = Callable[[set[int]], tuple[list[CursorRow], TailRow | None]]
"""Returns how far those webhooks are told as of now, and perhaps the others and how far the log was handed out."""


class Keeping:
    """Writes to *ledger* by *run*. *picture* is asked as late as possible, in the loop: it is of one moment, and so is
    what is written with it.
    """

    def __init__(self, ledger: WebhookLedger, run: Run, picture: Picture, clock: Clock, log: Log) -> None:
        self._ledger = ledger
        self._run = run
        self._picture = picture
        self._clock = clock
        self._log = log
        self._changed: set[int] = set()
        self._letters: list[KeptLetter] = []
        self._writing: list[KeptLetter] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._news = asyncio.Event()
        self.problem = ""
        """Why nothing can be kept at the moment; empty: it can."""

    def note(self, webhook: int, letters: Iterable[KeptLetter] = ()) -> None:
        """Say that something has changed; it is written with the next round."""
        self._changed.add(webhook)
        self._letters += letters
        self._news.set()

    def unkept(self, webhook: int) -> set[str]:
        """Return the ids of letters that were noted and are not kept yet."""
        return {each.id for each in (*self._letters, *self._writing) if each.webhook == webhook}

    def wake(self) -> None:
        """Have a round written, also if nothing has changed of a webhook."""
        self._news.set()

    async def kept(self) -> None:
        """Wait until all that was noted is kept."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._news.set()
        await future

    async def run(self) -> None:
        """Write, for ever."""
        while True:
            await self._news.wait()
            await self.flush()

    async def flush(self) -> None:
        """Write what there is; what cannot be written is written with the next round, a second later."""
        self._news.clear()
        changed, self._changed = self._changed, set()
        letters, self._letters = self._letters, []
        self._writing = letters
        waiting, self._waiting = self._waiting, []
        cursors, tail = self._picture(changed)
        try:
            if cursors or letters or tail is not None:
                await self._run(self._ledger.write, cursors, letters, tail)
        except LedgerError as error:
            self._changed |= changed
            self._letters, self._writing = letters + self._letters, []
            self._waiting = waiting + self._waiting
            self._tell(str(error))
            await asyncio.sleep(_AGAIN_S)
            self._news.set()
            return
        self._writing = []
        self._tell("")
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _tell(self, problem: str) -> None:
        if problem and problem != self.problem:
            self._log.error("webhooks", self._clock.now(), error=problem)
        self.problem = problem
