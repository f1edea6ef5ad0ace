"""The event store: a file for each day, written by one thread and asked by any. Implements `EventStore`."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path

from angarium.core.files import make_folder
from angarium.core.ids import MessageId
from angarium.events.days import day_of, day_of_id, days_asked
from angarium.events.port import (
    EventStoreError,
    FoundMail,
    FoundMailPage,
    Happening,
    Judge,
    Timeline,
    Told,
    Whose,
)
from angarium.events.sqlite.conditions import condition
from angarium.events.sqlite.day import DayFile
from angarium.events.sqlite.reading import DayReader
from angarium.query.nodes import Equal, Everything, Node

_OPEN_AT_ONCE = 40
_NEWEST = 1 << 62


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
            last = 0
            for day in self._days(Everything()):
                with self._answering(day):
                    last = max(last, self._reader(day).last)
            self._numbers = count(last + 1)
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
        wanted = condition(node)
        newest, below = _place(after) if after else ("9999-12-31", _NEWEST)
        found: list[tuple[str, int, FoundMail]] = []
        for day in self._days(node):
            if day <= newest and len(found) <= limit:
                with self._answering(day):
                    rows = self._reader(day).mail(
                        wanted, scope, below if day == newest else _NEWEST, limit + 1 - len(found)
                    )
                found += [(day, number, mail) for number, mail in rows]
        last = found[limit - 1] if len(found) > limit else None
        return FoundMailPage([mail for *_, mail in found[:limit]], last and f"{last[0]}.{last[1]}")

    def count(self, node: Node, scope: Whose, *, most: int) -> int:
        """See `EventStore.count`."""
        wanted, found = condition(node), 0
        for day in self._days(node):
            if found < most:
                with self._answering(day):
                    found += self._reader(day).count(wanted, scope, most - found)
        return found

    def log(self, node: Node, scope: Whose, *, after: int, limit: int) -> list[Happening]:
        """See `EventStore.log`."""
        return self._log(node, scope, after, limit, newest=False)

    def latest(self, node: Node, scope: Whose, *, limit: int) -> list[Happening]:
        """See `EventStore.latest`."""
        return self._log(node, scope, 0, limit, newest=True)

    def _log(self, node: Node, scope: Whose, after: int, limit: int, *, newest: bool) -> list[Happening]:
        wanted, found = condition(node), []
        for day in self._days(node):
            with self._answering(day):
                found += self._reader(day).log(wanted, scope, after, limit, newest=newest)
        found.sort(key=lambda each: each.number)
        return found[-limit:] if newest else found[:limit]

    def timeline(self, message: MessageId, scope: Whose) -> Timeline | None:
        """See `EventStore.timeline`."""
        day = day_of_id(message)
        if not self._path(day).exists():
            return None
        wanted = condition(Equal("id", message.hex()))
        with self._answering(day):
            reader = self._reader(day)
            happenings = reader.happenings(message, scope)
            if happenings is None:
                return None
            rows = reader.mail(wanted, scope, _NEWEST, -1)
        return Timeline([mail for _, mail in reversed(rows)], happenings)

    def sizes(self) -> Mapping[str, int]:
        """See `EventStore.sizes`."""
        days: dict[str, int] = {}
        for path in sorted(self.folder.glob("*.db*")):
            with contextlib.suppress(FileNotFoundError):
                days[path.name[:10]] = days.get(path.name[:10], 0) + path.stat().st_size
        return days

    def close(self) -> None:
        """Close what the writing thread and the calling one have open."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        for reader in self._open_readers().values():
            reader.close()
        self._open_readers().clear()

    def _path(self, day: str) -> Path:
        return self.folder / f"{day}.db"

    def _days(self, node: Node) -> list[str]:
        """Return the days that are there and may have what is asked for, newest first."""
        first, last = days_asked(node)
        days = (path.stem for path in self.folder.glob("*.db"))
        return sorted((day for day in days if first <= day <= last), reverse=True)

    def _file(self, day: str) -> DayFile:
        """Return a day's file to write, with the ones used last kept open."""
        file = self._files.pop(day, None) or DayFile(self._path(day), self._judge)
        self._files[day] = file
        while len(self._files) > _OPEN_AT_ONCE:
            oldest = next(iter(self._files))
            self._files.pop(oldest).close()
        return file

    def _open_readers(self) -> dict[str, DayReader]:
        readers: dict[str, DayReader] | None = getattr(self._readers, "by_day", None)
        if readers is None:
            readers = self._readers.by_day = {}
        return readers

    def _reader(self, day: str) -> DayReader:
        readers = self._open_readers()
        reader = readers.pop(day, None) or DayReader(self._path(day))
        readers[day] = reader
        while len(readers) > _OPEN_AT_ONCE:
            readers.pop(next(iter(readers))).close()
        return reader

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
            raise EventStoreError(f"the event store's {self._path(day)} does not answer: {exc}") from exc


def _place(after: str) -> tuple[str, int]:
    day, _, number = after.partition(".")
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        raise EventStoreError(f"{after!r} is no place that a page has ended at; leave it out to begin anew")
    return day, int(number)
