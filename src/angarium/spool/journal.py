"""Group commit: the loop appends, one thread writes and syncs, the loop hears of whole batches.

While the thread waits for the disk, the loop collects the next batch; so the busier the node, the more
records share a sync. A record with `urgent_sync` set has somebody waiting; the others ride along.

When a write or a sync fails, the segment is poisoned and a fresh one is tried once. Who waited for a 250 gets
an error (the fresh segment's seal makes the failed record void); what no client waits for (events, messages
made here) is written again, in order, and is kept in memory and tried again later when that fails too.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable

from angarium.spool.codec import HEADER_SIZE
from angarium.spool.disk import spool_error
from angarium.spool.port import SpoolError, SpoolFull
from angarium.spool.segment import Segment, SegmentLog
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
        log: SegmentLog,
        settings: SpoolSettings,
        loop: asyncio.AbstractEventLoop,
        done: Callable[[list[Item]], None],
        synced: Callable[[int, int], None],
    ) -> None:
        self.log = log
        self.settings = settings
        self.writes = 0
        self.syncs = 0
        self.unwell = ""
        self.refusal: SpoolError | None = None
        """What the last refused acceptors met; worth asking again after *refused_until* (monotonic
        seconds).
        """
        self.refused_until = 0.0
        self._loop = loop
        self._done = done
        self._synced = synced
        self._pending: deque[Item] = deque()
        self._wake = threading.Event()
        self._kicked = False
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._current: Segment | None = None
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

    def kick(self) -> None:
        """Have what is pending written now."""
        self._kick()

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
        if self._current is None or any(segment.poisoned for segment in list(self.log.segments.values())):
            return self.unwell
        return ""

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
            except OSError as exc:
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
        self.refusal, self.refused_until = error, time.monotonic() + self.settings.retry_delay_s

    def _poison(self, exc: OSError) -> SpoolError:
        self.unwell = f"a journal segment could not be written: {exc.strerror or exc}"
        if self._current is not None:
            self.log.poison(self._current)
            self._current = None
        return spool_error("a journal segment could not be written", exc)

    def _write(self, sync: bool) -> None:
        if self._current and self._current.reserved and any(item.refusable for item in self._todo):
            self._rotate()
        while self._todo:
            segment = self._current
            count = self._fitting(segment) if segment else 0
            if segment is None or count == 0:
                self._rotate()
                continue
            taken = self._todo[:count]
            self.log.write(segment, taken)
            self.writes += 1
            del self._todo[:count]
            if not self._unsynced:
                self._unsynced_since = time.monotonic()
            self._unsynced += taken
            sync = sync or any(item.sync for item in taken)
        if self._unsynced and (sync or self._is_late() or not self._is_dirty()):
            self._sync()

    def _fitting(self, segment: Segment) -> int:
        """Return how many of the items to do have room in *segment*."""
        room = self.settings.segment_bytes - (segment.end or self.log.seal_size())
        for count, item in enumerate(self._todo):
            room -= item.size
            if room < 0:
                return count
        return len(self._todo)

    def _rotate(self) -> None:
        """Go on in another segment; the one before is whole and durable by then. Raises SpoolFull or
        OSError.
        """
        self._sync()
        previous, self._current = self._current, None
        urgent = not any(item.refusable for item in self._todo)
        try:
            self._current = self.log.open_next(urgent=urgent)
        except SpoolFull:
            self._current = previous
            raise
        if not self._current.reserved:
            self.log.ensure_spare()

    def _sync(self) -> None:
        if self._current is not None and self._is_dirty():
            self.log.sync(self._current)
            self.syncs += 1
            self._synced(self._current.generation, self._current.synced)
        self._finished += self._unsynced
        self._unsynced = []

    def _is_dirty(self) -> bool:
        return self._current is not None and self._current.end > self._current.synced

    def _is_late(self) -> bool:
        return time.monotonic() - self._unsynced_since >= self.settings.sync_delay_s

    def begin(self) -> None:
        """Open the first segment and make its seal durable; before `start`. On a bad or full disk, try again
        later.
        """
        try:
            self._current = self.log.open_next(urgent=True)
            self.log.write(self._current, ())
            self._sync()
            self.log.ensure_spare()
        except SpoolFull as exc:
            self.refusal, self.refused_until = exc, time.monotonic() + self.settings.retry_delay_s
        except OSError as exc:
            self.refusal, self.refused_until = (
                self._poison(exc),
                time.monotonic() + self.settings.retry_delay_s,
            )
