"""All texts that are kept: a file for each last day of them, written by one thread and read by any."""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from angarium.core.files import make_folder, sync_folder
from angarium.core.ids import MessageId
from angarium.events.bodies.file import BodyFile, BodyFileReader
from angarium.events.bodies.port import BodyStoreError, KeptText, TextToKeep
from angarium.events.port import Whose

_OPEN_AT_ONCE = 16


class BodyStore:
    """The texts in *folder*, which is made when there is something to keep. Raises BodyStoreError throughout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, BodyFile] = {}
        self._unsynced: set[str] = set()

    def take(self, texts: Sequence[TextToKeep]) -> None:
        """Keep texts. What is kept already stays as it is."""
        by_day: dict[str, list[TextToKeep]] = {}
        for each in texts:
            by_day.setdefault(each.until, []).append(each)
        for day, some in by_day.items():
            with self._answering(day):
                self._file(day).take(some)
            self._unsynced.add(day)

    def sync(self) -> None:
        """Have all that was taken survive a power cut."""
        for day in sorted(self._unsynced):
            with self._answering(day):
                self._file(day).sync()
                sync_folder(self.folder)
        self._unsynced.clear()

    def read(self, message: MessageId, scope: Whose = Whose()) -> KeptText | None:  # noqa: B008 - immutable
        """Return the text of a message; None when it is not kept, or not of *scope*. Its pieces are to be read to the
        end, or closed.
        """
        for day in self._days():
            with self._answering(day), contextlib.ExitStack() as stack:
                reader = stack.enter_context(contextlib.closing(BodyFileReader(self._path(day))))
                found = reader.message(message)
                if found is None:
                    continue
                body, account, server, size, trace = found
                if not _is_of(scope, account, server) or not reader.has(body):
                    return None
                stack.pop_all()
                return KeptText(size, day, chain([trace] if trace else [], reader.pieces(body)))
        return None

    def erase(self, messages: Sequence[MessageId]) -> int:
        """Erase the texts of these messages; return how many there were."""
        erased = 0
        for day in self._days():
            with self._answering(day):
                erased += self._file(day).erase(messages)
        return erased

    def drop(self, day: str) -> None:
        """Remove all texts that are kept up to *day*."""
        file = self._files.pop(day, None)
        if file is not None:
            file.close()
        self._unsynced.discard(day)
        with self._answering(day):
            for end in ("", "-wal", "-shm"):
                self._path(day).with_name(f"{day}.db{end}").unlink(missing_ok=True)

    def sizes(self) -> Mapping[str, int]:
        """Return the bytes of each day's file, the earliest first."""
        days: dict[str, int] = {}
        for path in sorted(self.folder.glob("*.db*")):
            with contextlib.suppress(FileNotFoundError):
                days[path.name[:10]] = days.get(path.name[:10], 0) + path.stat().st_size
        return days

    def close(self) -> None:
        """Close what is open to be written."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _days(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.db"))

    def _path(self, day: str) -> Path:
        return self.folder / f"{day}.db"

    def _file(self, day: str) -> BodyFile:
        """Return a day's file to write, with the ones used last kept open."""
        make_folder(self.folder)
        file = self._files.pop(day, None) or BodyFile(self._path(day))
        self._files[day] = file
        while len(self._files) > _OPEN_AT_ONCE:
            self._files.pop(next(iter(self._files))).close()
        return file

    @contextlib.contextmanager
    def _answering(self, day: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError, OSError) as error:
            raise BodyStoreError(f"the kept texts in {self._path(day)} do not answer: {error}") from error


def _is_of(scope: Whose, account: int, server: int) -> bool:
    return scope.account in (None, account) and (scope.servers is None or server in scope.servers)
