"""A thread of its own for work that the event loop must not wait for, with bounds on how much waits for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from angarium.sql.errors import StoreError

T = TypeVar("T")

ANSWER_S = 5.0


class StoreThread:
    """One thread, called *name* in what is raised. *most_waiting* calls wait for it at most."""

    def __init__(self, name: str, most_waiting: int = 5000) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name.replace(" ", "-"))
        self._name = name
        self._most = most_waiting
        self._waiting = 0

    async def ask(self, work: Callable[[], T], timeout_s: float = ANSWER_S) -> T:
        """Return what *work* returns. Raises what it raises, and StoreError at the latest after *timeout_s*; the work
        may be done all the same then.
        """
        if self._waiting >= self._most:
            raise StoreError(
                f"{self._name}: {self._waiting} calls are waiting already; try again in a moment"
            )
        future = asyncio.wrap_future(self._executor.submit(work))
        self._waiting += 1
        future.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.shield(future), timeout_s)
        except TimeoutError as error:
            raise StoreError(f"{self._name}: no answer within {timeout_s:g} s") from error
        except asyncio.CancelledError:
            if future.cancelled():
                raise StoreError(f"{self._name}: closing") from None
            raise

    async def close(self) -> None:
        """Let what is being done finish, and drop what waits."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)

    def _done(self, future: "asyncio.Future[T]") -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # seen, also where nobody waits for it any more
