"""The settled store's thread: takes work in order, many rows to a transaction, and answers on the loop."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from angarium.core.records import Event
from angarium.spool.contents import KeptContent
from angarium.spool.port import SpoolError
from angarium.spool.residents import Live
from angarium.spool.store import Changes, NewContent, NewMessage, Remains, SettledStore, Settling

ROWS_PER_TRANSACTION = 4000

_T = TypeVar("_T")


class Write:
    """Rows to settle and events to apply. *done* is called on the loop once they are durable.

    *lives* are the messages that the store may not have yet, *contents* what settles before any message that names it.
    Events come after the rows.
    """

    __slots__ = ("contents", "done", "events", "lives", "recipients", "size")

    def __init__(
        self,
        done: Callable[[], None],
        *,
        lives: Sequence[Live] = (),
        recipients: Sequence[Settling] = (),
        events: Sequence[tuple[Event, bytes]] = (),
        contents: Sequence[KeptContent] = (),
    ) -> None:
        self.contents = contents
        self.lives = lives
        self.recipients = recipients
        self.events = events
        self.done = done
        self.size = len(recipients) + len(events) + len(contents)

    @property
    def settles(self) -> bool:
        """Whether it brings something that is waited for in the store, and not events alone."""
        return bool(self.recipients or self.contents)


class Ask:
    """A question to the store. *abandoned* is called on the loop with an answer that is not waited for any
    more.
    """

    __slots__ = ("abandoned", "future", "question", "transaction")

    def __init__(
        self,
        question: Callable[[SettledStore], Any],
        future: "asyncio.Future[Any]",
        transaction: bool,
        abandoned: Callable[[Any], None] | None,
    ) -> None:
        self.question = question
        self.future = future
        self.transaction = transaction
        self.abandoned = abandoned


class Settler:
    """Runs a store.

    *read_body* gives the body of a message or content that settles, None for one in a separate file; it is called in
    the thread and may raise SpoolError: then the transaction is tried again. *changed* is called on the loop
    with the flows whose summary has changed, *gone* with what finished messages have left.

    A transaction that only applies events is not synced at once: the journal has them. What waits for it (segments, and
    what finished messages have left) waits for the next sync, which comes within *sync_delay_s*. So a campaign that is
    drained shares the disk with the journal once a second, and not at every page.
    """

    def __init__(
        self,
        store: SettledStore,
        loop: asyncio.AbstractEventLoop,
        read_body: Callable[[Live | KeptContent], bytes | None],
        changed: Callable[[Changes], None],
        gone: Callable[[Remains], None],
        *,
        retry_delay_s: float,
        sync_delay_s: float,
    ) -> None:
        self.store = store
        self.backlog = 0
        """Rows and events waiting, as the loop sees it."""
        self.unwell = ""
        self._loop = loop
        self._read_body = read_body
        self._changed = changed
        self._gone = gone
        self._retry_delay_s = retry_delay_s
        self._sync_delay_s = sync_delay_s
        self._unsynced: list[Write] = []
        self._unsynced_since = 0.0
        self._remains: list[Remains] = []
        self._work: deque[Write | Ask] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="settler", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def write(self, write: Write) -> None:
        """Take work. On the loop's thread."""
        self.backlog += write.size
        self._work.append(write)
        self._wake.set()

    async def ask(
        self,
        question: Callable[[SettledStore], _T],
        *,
        transaction: bool = False,
        abandoned: Callable[[_T], None] | None = None,
    ) -> _T:
        """Have *question* answered after all work given before. Raises SpoolError."""
        future: asyncio.Future[_T] = self._loop.create_future()
        self._work.append(Ask(question, future, transaction, abandoned))
        self._wake.set()
        return await future

    def stop(self) -> None:
        """Finish the work, unless the disk fails, and end the thread. Blocks: not on the loop's thread."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._patience())
            self._wake.clear()
            closing = self._closing
            while self._work:
                if isinstance(self._work[0], Ask):
                    self._answer(self._work[0])
                    self._work.popleft()
                elif not self._transact():
                    self._answer_meanwhile()
                    break
            if self._unsynced and (closing or self._is_late()):
                self._sync()
            if closing:
                return

    def _patience(self) -> float | None:
        if self._work:
            return self._retry_delay_s
        if not self._unsynced:
            return None
        left = self._unsynced_since + self._sync_delay_s - time.monotonic()
        return max(left, self._retry_delay_s if self.unwell else 0.0)

    def _is_late(self) -> bool:
        return time.monotonic() - self._unsynced_since >= self._sync_delay_s

    def _sync(self) -> None:
        try:
            self.store.sync()
        except Exception as exc:  # noqa: BLE001 - tried again later; until then the journal keeps what it has
            self._failed(exc)
        else:
            self.unwell = ""
            self._loop.call_soon_threadsafe(self._synced, *self._take_unsynced())

    def _take_unsynced(self) -> tuple[list[Write], list[Remains]]:
        taken = self._unsynced, self._remains
        self._unsynced, self._remains = [], []
        return taken

    def _answer_meanwhile(self) -> None:
        """While the store cannot be written, answer what only reads, and refuse the rest, rather than keep
        it waiting.
        """
        for work in [work for work in list(self._work) if isinstance(work, Ask)]:
            self._work.remove(work)
            if work.transaction:
                error = SpoolError(self.unwell)
                self._loop.call_soon_threadsafe(self._answered, work, None, error, [])
            else:
                self._answer(work)

    def _transact(self) -> bool:
        writes, size = [], 0
        for work in list(self._work):
            if isinstance(work, Ask) or size > ROWS_PER_TRANSACTION:
                break
            writes.append(work)
            size += work.size
        durable = self._sync_delay_s == 0 or any(write.settles for write in writes)
        durable = durable or (bool(self._unsynced) and self._is_late())
        try:
            changes = self._apply(writes, durable)
        except Exception as exc:  # noqa: BLE001 - nothing ends this thread: all mail that waits would stand still
            self._failed(exc)
            return False
        self.unwell = ""
        for _ in writes:
            self._work.popleft()
        if not self._unsynced:
            self._unsynced_since = time.monotonic()
        self._unsynced += writes
        self._remains.append(self.store.take_gone())
        synced = self._take_unsynced() if durable else ([], [])
        self._loop.call_soon_threadsafe(self._told, writes, changes, *synced)
        return True

    def _apply(self, writes: list[Write], durable: bool) -> Changes:
        store = self.store
        store.begin(durable=durable)
        lives: list[Live] = []
        recipients: list[Settling] = []
        for write in writes:
            if write.contents:
                self._keep(write.contents)
            lives += write.lives
            recipients += write.recipients
            if write.events:
                self._settle(lives, recipients)
                lives, recipients = [], []
                store.apply(write.events)
        self._settle(lives, recipients)
        changes = store.take_changes()
        store.commit()
        return changes

    def _settle(self, lives: list[Live], recipients: list[Settling]) -> None:
        known = self.store.known({live.message.id for live in lives})
        new = {live.message.id: live for live in lives if live.message.id not in known}
        contents = {live.content.id: live.content for live in new.values() if live.content is not None}
        if contents:
            self._keep(list(contents.values()))
        messages = (NewMessage(live.message, self._read_body(live)) for live in new.values())
        self.store.settle(messages, recipients)

    def _keep(self, contents: Sequence[KeptContent]) -> None:
        known = self.store.known_contents({kept.id for kept in contents})
        # without a place in the journal it is in the store, or lost
        new = [kept for kept in contents if kept.id not in known and kept.is_in_journal]
        self.store.keep([NewContent(kept.id, kept.meta, self._read_body(kept)) for kept in new])

    def _failed(self, exc: Exception) -> None:
        self.unwell = f"the settled store could not be written: {self._words(exc)}"
        try:
            self.store.rollback()
        except Exception as second:  # noqa: BLE001 - tried again before the next transaction
            self.unwell += f"; nor rolled back: {self._words(second)}"

    def _told(
        self, writes: list[Write], changes: Changes, synced: list[Write], remains: list[Remains]
    ) -> None:
        for write in writes:
            self.backlog -= write.size
        if changes:
            self._changed(changes)
        self._synced(synced, remains)

    def _synced(self, writes: list[Write], remains: list[Remains]) -> None:
        for left in remains:
            self._gone(left)
        for write in writes:
            write.done()

    def _answer(self, ask: Ask) -> None:
        answer: Any = None
        error: SpoolError | None = None
        changes: Changes = []
        try:
            answer, changes = self._ask_within(ask) if ask.transaction else (ask.question(self.store), [])
        except Exception as exc:  # noqa: BLE001 - raised again where the answer is awaited
            self._failed(exc)
            error = SpoolError(f"the settled store did not answer: {self._words(exc)}")
            error.__cause__ = exc
        self._loop.call_soon_threadsafe(self._answered, ask, answer, error, changes)

    def _ask_within(self, ask: Ask) -> tuple[Any, Changes]:
        """Answer within a transaction. What has changed counts once it is committed: told of a page that was undone,
        the scheduler would take the flow for empty and never ask again.
        """
        self.store.begin(durable=False)
        answer, changes = ask.question(self.store), self.store.take_changes()
        self.store.commit()
        self.unwell = ""
        return answer, changes

    def _answered(self, ask: Ask, answer: Any, error: SpoolError | None, changes: Changes) -> None:
        if changes:
            self._changed(changes)
        if ask.future.done():
            if ask.abandoned is not None and error is None:
                ask.abandoned(answer)
        elif error is not None:
            ask.future.set_exception(error)
        else:
            ask.future.set_result(answer)

    def _words(self, exc: Exception) -> str:
        """Say what went wrong; what is not about the disk or the store has seldom more than a name."""
        return str(exc) if isinstance(exc, (OSError, SpoolError, *self.store.errors)) else repr(exc)
