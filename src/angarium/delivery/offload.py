"""Work that is done in threads while the event loop goes on: short, and much of it.

An executor with a future for each piece of work costs about 100 µs of processor time, more than an Ed25519 signature.
Here a thread is woken by a bell that costs next to nothing; one that is awake takes one piece after the other, and the
loop is told once for all that was done before it looked, so that the cost sinks as the load rises.
"""

import asyncio
import contextlib
import weakref
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any

Bell = SimpleQueue[Callable[[], None] | None]
Work = Callable[[], Any]
"""Returns its result, anything but an exception, or raises one."""


class Offload:
    """Some threads at the service of one event loop. They start when there is work, and end with this object."""

    def __init__(self, threads: int, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._name = name
        self._hired = 0
        self._most = threads
        self._resting = 0
        self._bell: Bell = SimpleQueue()
        self._waiting: deque[tuple[Work, asyncio.Future[Any]]] = deque()
        self._done: deque[tuple[asyncio.Future[Any], Any]] = deque()
        self._is_told = False

    def start(self, work: Work) -> asyncio.Future[Any]:
        """Have *work* done; the result is what it returns or raises."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append((work, future))
        self._wake()
        return future

    def at_once(self, work: Work) -> asyncio.Future[Any]:
        """Do *work* at once, for what is too short to be handed over."""
        future: asyncio.Future[Any] = self._loop.create_future()
        _settle(future, _outcome(work))
        return future

    def _wake(self) -> None:
        if not self._resting and self._hired < self._most:
            self._hire()
        if self._resting and self._waiting:
            self._resting -= 1
            self._bell.put(self._serve)

    def _hire(self) -> None:
        Thread(target=_attend, args=(self._bell,), name=self._name, daemon=True).start()
        weakref.finalize(self, self._bell.put, None)
        self._hired += 1
        self._resting += 1

    def _serve(self) -> None:
        """Work until nothing waits; in a thread."""
        while self._waiting:
            try:
                work, future = self._waiting.popleft()
            except IndexError:  # another thread was faster
                break
            self._done.append((future, _outcome(work)))
            if self._waiting and not self._is_told:
                self._is_told = True
                self._tell(self._hand_out)
        self._tell(self._rest)

    def _tell(self, callback: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(callback)

    def _rest(self) -> None:
        self._resting += 1
        self._wake()  # for what came after the thread had looked for the last time
        self._hand_out()

    def _hand_out(self) -> None:
        self._is_told = False  # first: what is done from now on is told again
        while self._done:
            _settle(*self._done.popleft())


def _attend(bell: Bell) -> None:
    """Serve whenever the bell rings, in a thread; hold on to nothing in between."""
    while (serve := bell.get()) is not None:
        serve()
        del serve


def _settle(future: asyncio.Future[Any], outcome: Any) -> None:
    if future.done():
        return  # nobody waits any more
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _outcome(work: Work) -> Any:
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - raised again where the result is awaited
        return error
