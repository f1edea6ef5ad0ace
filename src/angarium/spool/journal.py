"""Group commit: the loop appends, one thread writes and syncs, the loop hears of whole batches.

While the thread waits for the disk, the loop collects the next batch; so the busier the node, the more
records share a sync. An item with `sync` set is waited for; the others ride along.

When a write or a sync fails, the segment is poisoned and a fresh one is tried once. Who waited for a 250 gets
an error (the fresh segment's seal makes the failed record void); what no client waits for (events, messages
made here) is written again, in order, and is kept in memory and tried again later when that fails too.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable

from angarium.spool.codec import CLOSES, HEADER_SIZE, INSIDE
from angarium.spool.log import RecordLog, lay_out
from angarium.spool.port import SpoolError, SpoolFull, spool_error
from angarium.spool.settings import SpoolSettings


class Item:
    """One thing that goes through the journal in order. *kind* 0 writes nothing: it waits for what was before
    it.

    *subject* is the owner's. *refusable*: a client waits, and can be told 4xx. *error* is set when it was not
    kept.
    """

    __slots__ = (
        "body",
        "error",
        "flags",
        "generation",
        "kind",
        "meta",
        "offset",
        "refusable",
        "subject",
        "sync",
        "then",
    )

    def __init__(
        self,
        kind: int,
        meta: bytes,
        body: bytes,
        subject: object,
        then: Callable[[SpoolError | None], None] | None,
        *,
        flags: int = 0,
        sync: bool = False,
        refusable: bool = False,
    ) -> None:
        self.kind = kind
        self.flags = flags
        self.meta = meta
        self.body = body
        self.subject = subject
        self.then = then
        self.sync = sync
        self.refusable = refusable
        self.generation = 0
        self.offset = 0
        self.error: SpoolError | None = None

    @property
    def size(self) -> int:
        """Bytes in the segment."""
        return HEADER_SIZE + len(self.meta) + len(self.body) if self.kind else 0


class Journal:
    """The writing side of a partition's log.

    *done* is called on the loop with the items of a batch, in order: each is durable, or has its error set.
    """

    def __init__(
        self,
        log: RecordLog,
        settings: SpoolSettings,
        loop: asyncio.AbstractEventLoop,
        done: Callable[[list[Item]], None],
    ) -> None:
        self.log = log
        self.settings = settings
        self.unwell = ""
        self.refusal: SpoolError | None = None
        """What the last refused acceptors met; worth asking again after *refused_until* (monotonic
        seconds).
        """
        self.refused_until = 0.0
        self._loop = loop
        self._done = done
        self._pending: deque[Item] = deque()
        self._wake = threading.Event()
        self._kicked = False
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._todo: list[Item] = []
        self._unsynced: list[Item] = []
        self._unsynced_since = 0.0
        self._finished: list[Item] = []
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def append(self, item: Item) -> None:
        """Take *item*. On the loop's thread."""
        self._pending.append(item)
        if item.sync:
            if not self._kicked:
                self._kicked = True
                self._loop.call_soon(self._kick)
        elif self._timer is None and not self._kicked:
            self._timer = self._loop.call_later(self.settings.write_delay_s, self._kick)

    def append_group(self, items: list[Item]) -> None:
        """Take *items*, a group of which the last asks for a sync: they are written together. On the loop's thread."""
        self._pending.extend(
            items
        )  # in one step: the thread, which may be emptying it, takes all of them or none
        if not self._kicked:
            self._kicked = True
            self._loop.call_soon(self._kick)

    def _kick(self) -> None:
        self._kicked = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake.set()

    def complaint(self) -> str:
        """Return why the journal is unwell, "" when it is not: a poisoned segment is needed, or nothing can
        be written.
        """
        return self.unwell if self.log.current is None or self.log.is_wounded else ""

    @property
    def backlog(self) -> int:
        """How many items wait to be written."""
        return len(self._pending) + len(self._todo)

    def stop(self) -> None:
        """Write and sync what was appended, then end the thread. Blocks: not on the loop's thread."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        pending = self._pending
        while True:
            self._wake.wait(self._patience())
            self._wake.clear()
            closing = self._closing
            while pending:
                self._todo.append(pending.popleft())
            self._commit(sync=closing)
            if closing and not pending:
                self._give_up()
            self._report()
            if closing and not pending:
                return

    def _patience(self) -> float | None:
        if self._todo:
            return self.settings.retry_delay_s
        if self._unsynced:
            return max(0.0, self._unsynced_since + self.settings.sync_delay_s - time.monotonic())
        return None

    def _report(self) -> None:
        finished, self._finished = self._finished, []
        if finished:
            self._loop.call_soon_threadsafe(self._done, finished)

    def _give_up(self) -> None:
        error = SpoolError(self.unwell or "the spool was closed")
        for item in self._unsynced + self._todo:
            item.error = error
        self._finished += self._unsynced + self._todo
        self._unsynced, self._todo = [], []

    def _commit(self, *, sync: bool) -> None:
        """Write what is to do, with a second try in a fresh segment when the first fails."""
        refused: list[Item] = []
        for _ in range(2):
            try:
                self._write(sync)
                break
            except SpoolFull as exc:
                error: SpoolError = exc
            except Exception as exc:  # noqa: BLE001 - nothing ends this thread: whoever waits for it would wait for ever
                error = self._poison(exc)
                self._todo = self._unsynced + self._todo
                self._unsynced = []
            self._refuse(error, refused)
        self._finished += refused

    def _refuse(self, error: SpoolError, refused: list[Item]) -> None:
        """Take out of what is to do whatever a client can be refused."""
        kept = []
        for item in self._todo:
            if item.refusable:
                item.error = error
                refused.append(item)
            else:
                kept.append(item)
        self._todo = kept
        self._note_refusal(error)

    def _note_refusal(self, error: SpoolError) -> None:
        self.refusal, self.refused_until = error, time.monotonic() + self.settings.retry_delay_s

    def _poison(self, exc: Exception) -> SpoolError:
        error = spool_error("a journal segment could not be written", exc)
        self.unwell = str(error)
        self.log.poison()
        return error

    def _write(self, sync: bool) -> None:
        current = self.log.current
        if current and current.reserved and any(item.refusable for item in self._todo):
            self._rotate()
        while self._todo:
            current, count = self.log.current, self._fitting()
            if current is None or count == 0:
                self._rotate()
                continue
            taken = self._todo[:count]
            self.log.write(*lay_out(taken, current, b"" if current.end else self.log.seal()))
            del self._todo[:count]
            if not self._unsynced:
                self._unsynced_since = time.monotonic()
            self._unsynced += taken
            sync = sync or any(item.sync for item in taken)
        if self._unsynced and (sync or self._is_late() or not self._is_dirty()):
            self._sync()

    def _fitting(self) -> int:
        """Return how many of the items to do have room in the current stretch."""
        room = self.log.room()
        for count, item in enumerate(self._todo):
            room -= item.size
            if room < 0:
                return self._uncut(count)
        return len(self._todo)

    def _uncut(self, count: int) -> int:
        """Return up to where the items before number *count* can be written without cutting a group."""
        while self._todo[count].flags & (INSIDE | CLOSES):
            count -= 1
        return count

    def _rotate(self) -> None:
        """Go on in another stretch; the one before is whole and durable by then. Raises SpoolFull or OSError."""
        self._sync()
        self.log.rotate(urgent=not any(item.refusable for item in self._todo))

    def _sync(self) -> None:
        if self._is_dirty():
            self.log.sync()
        self._finished += self._unsynced
        self._unsynced = []

    def _is_dirty(self) -> bool:
        current = self.log.current
        return current is not None and current.end > current.synced

    def _is_late(self) -> bool:
        return time.monotonic() - self._unsynced_since >= self.settings.sync_delay_s

    def begin(self) -> None:
        """Open the first stretch and make its seal durable; before `start`. On a bad or full disk, try again
        later.
        """
        try:
            self.log.rotate(urgent=True)
            if self.log.current is not None:
                self.log.write(*lay_out((), self.log.current, self.log.seal()))
            self._sync()
        except SpoolFull as exc:
            self._note_refusal(exc)
        except OSError as exc:
            self._note_refusal(self._poison(exc))
