"""The event store: a file for each day, written by one thread and asked by any. Implements `EventStore`."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path

from angarium.core.files import make_folder, replace_file
from angarium.core.ids import MessageId
from angarium.events import over_days
from angarium.events.days import day_of, day_of_id
from angarium.events.port import EventStoreError, FoundMailPage, Happening, Judge, Timeline, Told, Whose
from angarium.events.reading import DayReader, Span
from angarium.events.rollups.port import Counted, CountQuery, EventRows, ReplyCount
from angarium.events.sqlite.day import DayFile
from angarium.events.sqlite.extents import DayExtents
from angarium.events.sqlite.reading import DayFileReader, cannot
from angarium.query.nodes import Node

_OPEN_AT_ONCE = 40
_DROPPED = "last-dropped"
"""The file that holds the last number, where its day is gone."""


class SqliteEventStore:
    """The days in *folder*, which is made when it is not there. Raises EventStoreError when it cannot be.

    *judge* is for what is taken.
    """

    def __init__(self, folder: Path, judge: Judge = lambda event: "") -> None:
        self.folder = folder
        self._judge = judge
        self._numbers: count[int] | None = None
        self._files: dict[str, DayFile] = {}
        self._unsynced: set[str] = set()
        self._readers = threading.local()
        self._extents = DayExtents(self._path, lambda day: self._day(day).extent)
        try:
            make_folder(folder)
        except OSError as exc:
            raise EventStoreError(f"the event store {folder} cannot be made: {exc.strerror}") from exc

    def take(self, told: Sequence[Told]) -> None:
        """See `EventStore.take`."""
        by_day: dict[str, list[Told]] = {}
        for each in told:
            by_day.setdefault(day_of(each), []).append(each)
        for day, some in by_day.items():
            with self._answering(day):
                self._file(day).take(some, self._numbering())
            self._unsynced.add(day)

    def _numbering(self) -> Iterator[int]:
        """Return the numbers of the next events, one count over all days: what is stored later has a higher one."""
        if self._numbers is None:
            self._numbers = count(self.last() + 1)
        return self._numbers

    def sync(self) -> None:
        """See `EventStore.sync`."""
        for day in sorted(self._unsynced):
            with self._answering(day):
                self._file(day).sync()
        if self._unsynced:
            self._sync_folder()
        self._unsynced.clear()

    def search(self, node: Node, scope: Whose, *, limit: int, after: str | None = None) -> FoundMailPage:
        """See `EventStore.search`."""
        return over_days.search(self._days(), self._day, node, scope, limit, after)

    def count(self, node: Node, scope: Whose, *, most: int) -> int:
        """See `EventStore.count`."""
        return over_days.count(self._days(), self._day, node, scope, most)

    def log(
        self, node: Node, scope: Whose, *, after: int, limit: int, types: Sequence[str] = ()
    ) -> list[Happening]:
        """See `EventStore.log`."""
        return self._log(node, scope, Span(after, types=types), limit, newest=False)

    def latest(
        self,
        node: Node,
        scope: Whose,
        *,
        limit: int,
        types: Sequence[str] = (),
        before: int | None = None,
    ) -> list[Happening]:
        """See `EventStore.latest`."""
        return self._log(node, scope, Span(0, before, types), limit, newest=True)

    def last(self) -> int:
        """See `EventStore.last`."""
        return max([self._dropped(), *(self._extents.of(day).last for day in self._days())])

    def timeline(self, message: MessageId, scope: Whose) -> Timeline | None:
        """See `EventStore.timeline`."""
        day = day_of_id(message)
        return self._day(day).timeline(message, scope) if self._path(day).exists() else None

    def counted(self, wanted: CountQuery) -> Iterator[Counted]:
        """See `CountedEvents.counted`."""
        return over_days.counted(self._days(), self._day, wanted)

    def each(self, after: int, upto: int) -> Iterator[EventRows]:
        """See `CountedEvents.each`."""
        return over_days.each(self._days(), self._day, self._extents.of, after, upto)

    def replies(self, wanted: CountQuery) -> Iterator[ReplyCount]:
        """See `CountedEvents.replies`."""
        return over_days.replies(self._days(), self._day, wanted)

    def first_day(self) -> str | None:
        """See `CountedEvents.first_day`."""
        return min(self._days(), default=None)

    def sizes(self) -> Mapping[str, int]:
        """See `EventStore.sizes`."""
        days: dict[str, int] = {}
        for path in sorted(self.folder.glob("*.db*")):
            with contextlib.suppress(FileNotFoundError):
                days[path.name[:10]] = days.get(path.name[:10], 0) + path.stat().st_size
        return days

    def alone(self, day: str, address: str, account: int | None = None) -> list[MessageId]:
        """See `EventStore.alone`."""
        if not self._path(day).exists():
            return []
        with self._answering(day):
            return self._file(day).alone(address, account)

    def erase(self, day: str, address: str, account: int | None = None) -> int:
        """See `EventStore.erase`."""
        if not self._path(day).exists():
            return 0
        with self._answering(day):
            found = self._file(day).erase(address, account)
        self._unsynced.add(day)
        return found

    def forget(self, day: str) -> bool:
        """See `EventStore.forget`."""
        if not self._path(day).exists():
            return True
        self._unsynced.add(day)
        with self._answering(day):
            return self._file(day).forget()

    def drop(self, day: str) -> None:
        """See `EventStore.drop`. Who reads the day at the moment reads on."""
        last = self.last()
        if self._path(day).exists() and self._extents.of(day).last == last > self._dropped():
            # numbers are never given twice: who follows the log would miss what comes
            with self._answering(day):
                replace_file(self.folder / _DROPPED, str(last).encode())
        with self._answering(day):
            if file := self._files.pop(day, None):
                file.close()
            if reader := self._open_readers().pop(day, None):
                reader.close()
            for suffix in ("-wal", "-shm", ""):  # a log that is left would be taken for that of the next file
                self._path(day).with_name(f"{day}.db{suffix}").unlink(missing_ok=True)
        self._unsynced.discard(day)
        self._sync_folder()

    def close(self) -> None:
        """Close what the writing thread and the calling one have open."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        for reader in self._open_readers().values():
            reader.close()
        self._open_readers().clear()

    def _dropped(self) -> int:
        """Return the highest number that went with a day that had the highest of all."""
        try:
            return int((self.folder / _DROPPED).read_bytes())
        except (FileNotFoundError, ValueError):
            return 0

    def _path(self, day: str) -> Path:
        return self.folder / f"{day}.db"

    def _days(self) -> list[str]:
        """Return the days that are there."""
        return [path.stem for path in self.folder.glob("*.db")]

    def _log(self, node: Node, scope: Whose, span: Span, limit: int, *, newest: bool) -> list[Happening]:
        return over_days.log(self._days, self._day, self._extents.of, node, scope, span, limit, newest=newest)

    def _file(self, day: str) -> DayFile:
        """Return a day's file to write, with the ones used last kept open."""
        is_newest = day >= max(self._files, default="")
        file = self._files.pop(day, None) or DayFile(self._path(day), self._judge, is_newest=is_newest)
        self._files[day] = file
        while len(self._files) > _OPEN_AT_ONCE:
            oldest = next(iter(self._files))
            self._files.pop(oldest).close()
        return file

    def _open_readers(self) -> dict[str, DayFileReader]:
        readers: dict[str, DayFileReader] | None = getattr(self._readers, "by_day", None)
        if readers is None:
            readers = self._readers.by_day = {}
        return readers

    def _day(self, day: str) -> DayReader:
        """Return a day to be asked, with the ones used last kept open."""
        readers = self._open_readers()
        with self._answering(day):
            reader = readers.pop(day, None) or DayFileReader(self._path(day))
        readers[day] = reader
        while len(readers) > _OPEN_AT_ONCE:
            readers.pop(next(iter(readers))).close()
        return reader.day

    def _sync_folder(self) -> None:
        """Have the names of new files survive a power cut."""
        try:
            fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as exc:
            raise EventStoreError(f"the event store {self.folder} cannot be synced: {exc.strerror}") from exc

    @contextlib.contextmanager
    def _answering(self, day: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError, OSError) as exc:
            raise cannot(self._path(day), exc) from exc
