"""A partition as of one moment, to be copied beside its writer, who goes on as if nobody were there.

First the store is looked at, then how far the journal is durable: so the journal has all that the store knows of. What
became durable while these two were read is in the copy, or not. The first record of a segment says which segments are
needed, in the light of the store of that time; so none may begin between the two.
"""

import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from angarium.core.files import open_own
from angarium.spool.codec import MAX_OFFSET
from angarium.spool.disk import RealDisk
from angarium.spool.files.cursors import pinned_by_cursors
from angarium.spool.files.durable import read_mark
from angarium.spool.files.pins import pinned
from angarium.spool.files.segment import SegmentLog
from angarium.spool.port import SpoolError
from angarium.spool.settings import SpoolSettings
from angarium.sql.snapshot import Snapshot

STORE = "settled.db"
_TRIES = 50


class Piece(NamedTuple):
    """A file of a partition, open. *name* is relative to the partition.

    The first *size_bytes* belong to the moment; *room_bytes* is how large the file is.
    """

    name: str
    fd: int
    size_bytes: int
    room_bytes: int


class Moment(NamedTuple):
    """*store* is None where there was no database yet. *in_use*: a process writes the partition."""

    path: Path
    pieces: list[Piece]
    store: Snapshot | None
    in_use: bool

    def check(self, piece: Piece) -> None:
        """Raise SpoolError unless a segment that was copied was still what it had been.

        A rotation may have been under way when it was pinned. Nobody writes to the other files when they are whole.
        """
        if not piece.name.startswith("journal/"):
            return
        try:
            same = os.path.samestat(os.fstat(piece.fd), (self.path / piece.name).stat())
        except FileNotFoundError:
            same = False
        if not same:
            raise SpoolError(f"{self.path / piece.name} was used again while it was copied; try again")


@contextmanager
def held(path: Path) -> Iterator["HeldPartition"]:
    """Hold what a partition has from now on, and note how far its journal has been read.

    Raises SpoolError when it cannot be read.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(pinned(path / "cursors", "backup"))
            holding = HeldPartition(path, stack)
        except OSError as error:
            raise _unreadable(path, error) from error
        yield holding


def _unreadable(path: Path, error: OSError) -> SpoolError:
    return SpoolError(f"the spool partition {path} cannot be read: {error}")


def allow_many_files() -> None:
    """Let this process open as many files as it may: each large body is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class HeldPartition:
    """A partition whose segments stay. What is opened is closed with *held*."""

    def __init__(self, path: Path, held: ExitStack) -> None:
        self._path = path
        self._held = held
        self._pieces: list[Piece] = []
        self._names: set[str] = set()
        self._open_all("cursors", ".cursor")
        self._unread = pinned_by_cursors(path / "cursors")

    def take(self) -> Moment:
        """Return the present, once. Consumers of the journal that were looked at since `held` have not read further.

        Raises SpoolError.
        """
        try:
            return self._take()
        except OSError as error:
            raise _unreadable(self._path, error) from error

    def _take(self) -> Moment:
        self._open_all("large")
        with self._resting() as at_rest:
            if at_rest:
                store, durable = self._store(), None
                self._open_if_there("durable")
            else:
                store, durable = self._store_and_place()
            self._segments(durable)
        self._open_all("large")  # those that came in between
        self._open_all("damaged")
        return Moment(self._path, self._pieces, store, not at_rest)

    @contextmanager
    def _resting(self) -> Iterator[bool]:
        """Keep others from beginning to write, and tell whether nobody does."""
        try:
            fd = open_own(self._path / "lock", os.O_RDONLY)
        except FileNotFoundError:
            yield True
            return
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(fd)

    def _store(self) -> Snapshot | None:
        path = self._path / STORE
        if not path.exists():
            return None
        store = Snapshot(path)
        self._held.callback(store.close)
        return store

    def _store_and_place(self) -> tuple[Snapshot | None, int]:
        """Look at the store, and up to where the journal is durable, while one and the same segment is written."""
        for _ in range(_TRIES):
            before = read_mark(self._path / "durable").durable
            store = self._store()
            durable = read_mark(self._path / "durable").durable
            if before >> 32 == durable >> 32:
                return store, durable
            if store is not None:
                store.close()
        raise SpoolError(f"the journal of {self._path} begins new segments too fast for a copy; try again")

    def _segments(self, durable: int | None) -> None:
        """Open the segments that are needed, or that a consumer has not read; up to *durable*, None: all there is."""
        log = SegmentLog(self._path / "journal", RealDisk(), SpoolSettings())
        log.load(read_only=True)
        self._held.callback(log.close)
        newest = log.newest if durable is None else durable >> 32
        for generation in [each for each in log.segments if each > newest]:
            os.close(log.segments.pop(generation).fd)
        log.needed()
        first = min(log.first, self._unread)
        for segment in log.from_generation(first):
            room = os.fstat(segment.fd).st_size
            end = log.ends.get(segment.generation, room)
            if durable is not None and segment.generation == newest:
                end = durable & MAX_OFFSET
            self._pieces.append(Piece(f"journal/{segment.path.name}", segment.fd, min(end, room), room))

    def _open_all(self, folder: str, suffix: str = "") -> None:
        for name in sorted(os.listdir(self._path / folder)):
            if name.endswith(suffix):
                self._open_if_there(f"{folder}/{name}")

    def _open_if_there(self, name: str) -> None:
        if name in self._names:
            return
        try:
            fd = open_own(self._path / name, os.O_RDONLY)
        except FileNotFoundError:
            return  # its message has ended
        self._held.callback(os.close, fd)
        self._names.add(name)
        size = os.fstat(fd).st_size
        self._pieces.append(Piece(name, fd, size, size))
