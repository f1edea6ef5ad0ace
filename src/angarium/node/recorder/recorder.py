"""The recorder's work: all journals into the event store, each in its order, nothing missing and nothing twice.

What it has taken is there twice for a while: rows are committed at once and synced each ten seconds, more often at the
beginning (each sync makes the journal's wait, and with it a 250), and only then is the journal told that it needs
nothing up to that place. After a crash it reads on from that place; what it meets a second time, the store knows.
"""

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from angarium.core.clock import Clock
from angarium.core.errors import AngariumError
from angarium.core.records import Fact
from angarium.events.erasing import Eraser
from angarium.events.port import EventStore, EventStoreError, ReceivedMail, Told
from angarium.node.recorder.desk import FeedbackDesk
from angarium.node.recorder.follow import NAME, JournalFollower
from angarium.node.recorder.retention import EventKeeper
from angarium.node.recorder.texts import TextKeeper
from angarium.spool.files.cursors import read_cursors
from angarium.spool.files.reader import FileJournalReader
from angarium.spool.port import JournalReader

BATCH = 4_000
"""Records at a time, of all journals together: what a transaction costs beside its rows is shared by so many."""
LEAST = 500
"""Of each journal, however many there are."""
FIRST_SYNC_S, SYNC_S = 1.0, 10.0
"""Between two syncs: the first come soon, so that one that is killed all the time gets on."""
FIND_S = 1.0
MOST_NOTED = 1_000
"""So much of what is in no journal waits in memory."""
SWEEP_S = 3_600.0


class ReadingStatus(NamedTuple):
    """How the reading goes. *lag_s* is how long ago that happened which is read now, 0 when all has been read that
    there is. *taken* counts what was stored since the beginning. *error* says what keeps it from going on, or is empty.
    """

    lag_s: float = 0.0
    taken: int = 0
    error: str = ""


class JournalRecorder:
    """Reads the partitions in *folder*, those that come later too. Blocking, for one thread.

    *has_taken* is called when something was stored. Without a *desk* mail to this node stays as it is; without
    *texts* no text of mail is kept.
    """

    def __init__(
        self,
        folder: Path,
        store: EventStore,
        clock: Clock,
        has_taken: Callable[[], object] = lambda: None,
        desk: FeedbackDesk | None = None,
        texts: TextKeeper | None = None,
        retention: EventKeeper | None = None,
        eraser: Eraser | None = None,
    ) -> None:
        self._folder = folder
        self._store = store
        self._clock = clock
        self._has_taken = has_taken
        self._desk = desk
        self._texts = texts
        self._retention = retention
        self._eraser = eraser
        self._erased_at = 0.0
        self._swept_at = clock.now()
        self._followers: dict[Path, JournalFollower] = {}
        self._noted: deque[Fact] = deque()
        self._synced_at = clock.now()
        self._sync_s = FIRST_SYNC_S
        self._found_at = 0.0
        self._is_dirty = False
        self._read_up_to = clock.now()
        self.status = ReadingStatus()
        self.on_taken: Callable[[Sequence[Told]], None] = lambda told: None
        """Told what was stored."""
        self.judge: Callable[[Sequence[Told]], Sequence[Told]] = lambda told: told
        """Says of openings and clicks who has looked, before they are stored."""
        self.kept = 0
        """The number of the last happening that survives a power cut, as far as is known."""

    def step(self, *, is_last: bool = False) -> bool:
        """Take a batch of each journal; return whether there was anything. *is_last*: when there is nothing more, what
        was taken is to be kept at once. Never raises for what the disk or a database does: `status` says it, and all
        that is not sure to be kept is read again.
        """
        try:
            if self._clock.now() - self._found_at >= FIND_S:
                self._find()
            taken = self._take_noted()
            is_held_up = self._desk is not None and self._desk.is_full
            if not is_held_up:
                taken += self._take()
            has_worked = self._desk is not None and self._desk.work()
            self._is_dirty = self._is_dirty or has_worked
            if self._clock.now() - self._synced_at >= self._sync_s or (is_last and not taken):
                self.keep()
            if self._texts is not None:
                self._texts.look()
            if self._retention is not None:
                self._retention.look()
            if self._eraser is not None and self._clock.now() - self._erased_at >= FIND_S:
                self._erased_at = self._clock.now()
                for _ in self._eraser.work(self._clock.now()):
                    self._is_dirty = True
            if not taken and self._clock.now() - self._swept_at >= SWEEP_S:
                self._sweep()
        except (EventStoreError, AngariumError, OSError) as error:
            self._again(str(error))
            return False
        if is_held_up:
            self.status = ReadingStatus(self._lag_s(), self.status.taken)
        elif not taken:
            self._read_up_to = self._clock.now()
            self.status = ReadingStatus(0.0, self.status.taken)
        return taken > 0 or has_worked

    def note(self, fact: Fact) -> None:
        """Store a fact that is in no journal, soon. From any thread. Beyond `MOST_NOTED` that wait it is left out."""
        if len(self._noted) < MOST_NOTED:
            self._noted.append(fact)

    def keep(self) -> None:
        """Have the store keep what was taken, and then the journals let go of it. Raises EventStoreError, OSError."""
        if self._is_dirty:
            self._store.sync()
            if self._texts is not None:
                self._texts.sync()
            for follower in self._followers.values():
                follower.keep()
            self._is_dirty = False
            self._sync_s = min(SYNC_S, 2 * self._sync_s)
            self.kept = self._store.last()
        self._synced_at = self._clock.now()

    def run(self, is_stopping: Callable[[], bool], wait: Callable[[float], object]) -> None:
        """Go on until *is_stopping*, and then until all is read. *wait* waits for so many seconds, or less."""
        pause_s = 0.05
        while True:
            stopping = is_stopping()
            if self.step(is_last=stopping):
                pause_s = 0.05
                continue
            if stopping:
                return
            wait(pause_s)
            pause_s = min(0.5 if not self.status.error else 5.0, pause_s * 2)

    def follow(self, path: Path, reader: JournalReader, place: int) -> None:
        """Read a partition's journal too, from *place* on."""
        self._followers[path] = JournalFollower(reader, place, self._desk)

    def _find(self) -> None:
        """Begin to follow partitions that are new, so that they keep what has not been read."""
        self._found_at = self._clock.now()
        for journal in self._folder.glob("*/journal"):
            path = journal.parent
            if path not in self._followers and (path / "cursors").is_dir():
                reader = FileJournalReader(path)
                place = read_cursors(path / "cursors").get(NAME)
                if place is None:
                    reader.commit(NAME, -1)
                self.follow(path, reader, -1 if place is None else place)

    def _take_noted(self) -> int:
        """Take what is in no journal. It stays noted until it is stored: told twice, it counts once."""
        noted = list(self._noted)
        if noted:
            self._store.take(noted)
            self._has_taken()
            self._is_dirty = True
            for _ in noted:
                self._noted.popleft()
        return len(noted)

    def _take(self) -> int:
        """Take a batch of all journals together; return how much it was, 0 when there was nothing to read."""
        followers = list(self._followers.values())
        before = [follower.place for follower in followers]
        most = max(LEAST, BATCH // max(1, len(followers)))
        reads = [read for follower in followers if (read := follower.read(most))]
        has_moved = before != [follower.place for follower in followers]
        self._is_dirty = self._is_dirty or has_moved
        told = self.judge([each for read in reads for each in read])
        if told:
            self._store.take(told if self._retention is None else self._retention.kept(told))
            if self._texts is not None:
                for follower in followers:
                    self._texts.take(follower.texts)
            self._has_taken()
            self.on_taken(told)
            self._read_up_to = min(_at(read[-1]) for read in reads)
            self.status = ReadingStatus(self._lag_s(), self.status.taken + len(told))
        return len(told) or int(has_moved)

    def _sweep(self) -> None:
        """Where all has been read, give up held bodies whose messages were never accepted: of those that were, none is
        held for so long.
        """
        self._swept_at = self._clock.now()
        for follower in self._followers.values():
            follower.sweep(self._swept_at - SWEEP_S)

    def _again(self, error: str) -> None:
        for follower in self._followers.values():
            follower.again()
        self.status = ReadingStatus(self._lag_s(), self.status.taken, error)

    def _lag_s(self) -> float:
        return max(0.0, self._clock.now() - self._read_up_to)


def _at(told: Told) -> float:
    return told.message.received_at if isinstance(told, ReceivedMail) else told.at
