"""Bodies too large for the journal: a file each."""

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from angarium.core.ids import MessageId, format_id
from angarium.spool.disk import Disk
from angarium.spool.port import LargeBody, SpoolError, SpoolFull, spool_error
from angarium.spool.settings import SpoolSettings

PIECE_BYTES = 1 << 20
UNREAD = "unread"
"""The folder of those that a reader of the journal still wants, whatever becomes of their messages: second names."""


class LargeBodyFiles:
    """The directory of large bodies, named by message id. Implements `LargeBodies`."""

    def __init__(
        self, directory: Path, disk: Disk, settings: SpoolSettings, threads: ThreadPoolExecutor
    ) -> None:
        self.directory = directory
        self.disk = disk
        self.settings = settings
        self.threads = threads

    def path(self, message_id: MessageId) -> Path:
        """Return where the body of a message is."""
        return self.directory / format_id(message_id)

    def find(self) -> set[MessageId]:
        """See `LargeBodies.find`."""
        return {
            MessageId(bytes.fromhex(name)) for name in self.disk.listdir(self.directory) if len(name) == 32
        }

    def load(self, message_id: MessageId) -> LargeBody:
        """See `LargeBodies.load`."""
        path = self.path(message_id)
        try:
            return LargeBody(path, path.stat().st_size)
        except OSError as exc:
            raise SpoolError(f"the body of message {format_id(message_id)} is gone: {exc.strerror}") from exc

    def discard(self, message_id: MessageId) -> None:
        """See `LargeBodies.discard`."""
        self.disk.unlink(self.path(message_id))

    def remove(self, message_id: MessageId) -> None:
        """See `LargeBodies.remove`."""
        self.threads.submit(self.discard, message_id)

    def writer(self, message_id: MessageId) -> "LargeBodyFile":
        """See `LargeBodies.writer`."""
        return LargeBodyFile(self, self.path(message_id))


class LargeBodyFile:
    """A large body while it is received: gathered in pieces, each written by a thread while the caller
    waits.
    """

    def __init__(self, owner: LargeBodyFiles, path: Path) -> None:
        self._owner = owner
        self._path = path
        self._fd = -1
        self._size = 0
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._discarded = False
        self._lock = threading.Lock()

    async def write(self, piece: bytes) -> None:
        """Append *piece*. Raises SpoolFull or SpoolError."""
        self._gathered.append(piece)
        self._gathered_bytes += len(piece)
        if self._gathered_bytes >= PIECE_BYTES:
            await self._in_thread(sync=False)

    async def finish(self) -> LargeBody:
        """Make the file and its name durable. Raises SpoolFull or SpoolError."""
        await self._in_thread(sync=True)
        return LargeBody(self._path, self._size)

    async def hold(self) -> None:
        """See `LargeBodyWriter.hold`."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._owner.threads, self._hold)
        except OSError as exc:
            raise spool_error("a large body could not be held for its reader", exc) from exc

    def discard(self) -> None:
        """Remove the file, after what is being written."""
        if not self._discarded:
            self._discarded = True
            self._owner.threads.submit(self._remove)

    async def _in_thread(self, *, sync: bool) -> None:
        pieces, self._gathered, self._gathered_bytes = self._gathered, [], 0
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._owner.threads, self._write, pieces, sync)
        except OSError as exc:
            raise spool_error("a large body could not be written", exc) from exc

    def _write(self, pieces: list[bytes], sync: bool) -> None:
        with self._lock:
            if self._discarded:
                raise SpoolError("a large body was written to after it had been discarded")
            self._write_locked(pieces, sync)

    def _write_locked(self, pieces: list[bytes], sync: bool) -> None:
        owner = self._owner
        if owner.disk.free_bytes(owner.directory) < owner.settings.min_free_bytes:
            raise SpoolFull("the disk has no room for a large body")
        if self._fd < 0:
            self._fd = owner.disk.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        view = memoryview(b"".join(pieces))
        while view:
            written = owner.disk.pwritev(self._fd, [view], self._size)
            self._size += written
            view = view[written:]
        if sync:
            owner.disk.fdatasync(self._fd)
            self._close()
            owner.disk.fsync_dir(owner.directory)

    def _close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            self._owner.disk.close(fd)

    def _hold(self) -> None:
        disk, folder = self._owner.disk, self._owner.directory.with_name(UNREAD)
        disk.make_folder(folder)
        disk.link(self._path, folder / self._path.name)
        disk.fsync_dir(folder)

    def _remove(self) -> None:
        with self._lock:
            self._close()
            self._owner.disk.unlink(self._path)
            self._owner.disk.unlink(self._path.parent.with_name(UNREAD) / self._path.name)
