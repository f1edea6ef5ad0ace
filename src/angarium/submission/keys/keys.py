"""The keys of requests, for one event loop: what is asked of the database is gathered and done in a thread."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn, TypeVar

from angarium.core.clock import Clock
from angarium.core.errors import AngariumError
from angarium.core.log import Log
from angarium.core.records import KeyedAnswer
from angarium.core.submission import Problem, Reason
from angarium.core.tasks import Tasks
from angarium.sql.threads import StoreThread
from angarium.submission.keys.claim import Found, KeyClaim
from angarium.submission.keys.database import KeyDatabase

_LOOK_S = 1.0
_FORGET_S = 10.0
_PATIENCE_S = 30.0
_MOST_WAITING = 5_000
_TRIES = 8
_AGAIN_S = 0.05

Kept = Callable[[], None]
T = TypeVar("T")


class RequestKeys:
    """Claims keys, frees them, and keeps the answers that the journal tells of. See the docstring of the room.

    While the database does not answer, requests with a key are put off, and answers stay in the journal.
    """

    def __init__(self, database: KeyDatabase, clock: Clock, log: Log) -> None:
        self._database = database
        self._clock = clock
        self._log = log
        self._thread = StoreThread("request keys")
        self._tasks = Tasks(log, clock)
        self._claims: list[tuple[KeyClaim, asyncio.Future[Found]]] = []
        self._freed: list[tuple[bytes, asyncio.Future[None]]] = []
        self._answers: list[tuple[KeyedAnswer, Kept]] = []
        self._left: list[str] = []
        self._is_busy = False
        self._working: asyncio.Task[None] | None = None
        self._regular: list[asyncio.Task[NoReturn]] = []

    async def start(self, partitions: Sequence[str]) -> None:
        """Keep the answers that were found in the journals of *partitions*, which have been told of, and free what was
        claimed for them and never answered. A database that is silent is asked again later.
        """
        self._left = list(partitions)
        await self._look()
        self._regular = [
            self._tasks.regularly(_LOOK_S, self._look),
            self._tasks.regularly(_FORGET_S, self._forget),
        ]

    async def close(self) -> None:
        """Keep what is still to be kept, if that can be done; the journal has it all the same."""
        for each in self._regular:
            each.cancel()
        if self._working is not None:
            await asyncio.wait((self._working,))
        await self._look()
        await self._thread.close()
        self._database.close()

    async def claim(self, claim: KeyClaim) -> Found:
        """Claim a key: None says that it is the caller's, who then commits an answer or frees it.

        What is being answered at this moment is waited for, a little.
        """
        for _ in range(_TRIES):
            found = await self._claim(claim)
            if not isinstance(found, Problem) or found.reason is not Reason.KEY_RUNNING:
                return found
            await asyncio.sleep(_AGAIN_S)
        return found

    async def free(self, key: bytes) -> None:
        """Give back a claim: nothing was taken for it. When this returns it can be claimed again; a database that does
        not answer is told later.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._freed.append((key, done))
        self._kick()
        await done

    def keep(self, answer: KeyedAnswer, kept: Kept) -> None:
        """See spool.port.OnAnswer."""
        self._answers.append((answer, kept))
        self._kick()

    async def _claim(self, claim: KeyClaim) -> Found:
        if len(self._claims) >= _MOST_WAITING:
            return Problem(Reason.KEYS_UNKNOWN)
        found: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._claims.append((claim, found))
        self._kick()
        return await found

    # -- one thing after the other

    def _kick(self) -> None:
        if not self._is_busy:
            self._is_busy = True
            self._working = self._tasks.start(self._work())

    async def _work(self) -> None:
        """Do what waits. What is freed comes before what is claimed, and both before what is kept."""
        try:
            while self._claims or self._freed or self._answers or self._left:
                if self._claims or self._freed:
                    await self._change()
                await self._keep_waiting()
        except AngariumError as error:
            self._log.error("request_keys", self._clock.now(), error=str(error))
        finally:
            self._is_busy = False
            if self._claims or any(not done.done() for _, done in self._freed):
                self._kick()

    async def _change(self) -> None:
        claims, self._claims = self._claims, []
        freed, self._freed = self._freed, []
        found: Sequence[Found] = [Problem(Reason.KEYS_UNKNOWN)] * len(claims)
        work = partial(
            self._database.change,
            [key for key, _ in freed],
            [claim for claim, _ in claims],
            self._clock.now(),
        )
        is_done = False
        try:
            found = await self._thread.ask(work, _PATIENCE_S)
            is_done = True
        finally:
            for _, told in freed:
                _tell(told, None)
            self._freed += [] if is_done else freed
            for (claim, answer), each in zip(claims, found, strict=True):
                if not _tell(answer, each) and each is None:  # who asked has gone
                    self._freed.append((claim.key, _told()))

    async def _keep_waiting(self) -> None:
        waiting = self._answers[:]
        if waiting:
            answers = [answer for answer, _ in waiting]
            await self._thread.ask(partial(self._database.keep, answers, self._clock.now()), _PATIENCE_S)
            del self._answers[: len(waiting)]
            for _, kept in waiting:
                kept()
        if self._left and not self._answers:
            await self._thread.ask(partial(self._database.free_left, self._left), _PATIENCE_S)
            self._left = []

    async def _look(self) -> None:
        if (self._answers or self._freed or self._left) and not self._is_busy:
            self._is_busy = True
            await self._work()

    async def _forget(self) -> None:
        try:
            await self._thread.ask(partial(self._database.forget, self._clock.now()), _PATIENCE_S)
        except AngariumError as error:
            self._log.error("request_keys", self._clock.now(), error=str(error))


def _tell(future: "asyncio.Future[T]", result: T) -> bool:
    """Give a result to who waits; returns whether somebody does."""
    if future.done():
        return False
    future.set_result(result)
    return True


def _told() -> "asyncio.Future[None]":
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future
