"""Files and folders of mail and secrets: for their owner alone, whatever the umask, and kept over a power cut."""

import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path


def sync_folder(path: Path) -> None:
    """Make names created, changed or removed in the folder durable. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(path: Path, sync: Callable[[Path], None] = sync_folder) -> None:
    """Make the folder *path*, and its parents where they are missing; others cannot look into what is made.

    Each new name is durable when this returns: a file that was synced in a folder is lost with the folder's own name.
    No error if it is there. Raises OSError.
    """
    missing = [path]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    for folder in reversed(missing):
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            if not folder.is_dir():
                raise
        else:
            sync(folder.parent)


def open_own(path: Path, flags: int, mode: int = 0o600) -> int:
    """Open a file of ours, made with *mode* where *flags* say so; return its descriptor. Raises OSError, also when
    there is a symbolic link: the one who laid it would have us read or write elsewhere.
    """
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode)


def create_anew(path: Path, mode: int = 0o600) -> int:
    """Make the file *path* for writing, in place of whatever had that name; return its descriptor. Raises OSError."""
    path.unlink(missing_ok=True)
    return open_own(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)


def give_to_owner_of(folder: Path, file: int | Path) -> None:
    """Where root makes a *file* for the one whose *folder* it is, make it his. Raises OSError."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.chown(file, owner.st_uid, owner.st_gid)


def replace_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Make *content* the whole of *path*, with *mode* from its first moment, safe on the disk. Raises OSError; then the
    file is as it was.
    """
    new = path.with_name(f".{path.name}.new")
    with open(create_anew(new, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    sync_folder(path.parent)


def bind_unix(sock: socket.socket, name: str, mode: int) -> None:
    """Bind *sock* to a file that has *mode* from its first moment. Raises OSError when there is one."""
    mask = os.umask(0o777 & ~mode)
    try:
        sock.bind(name)
    finally:
        os.umask(mask)


class Ballast:
    """Room on the disk that is kept as a file, to be given up when there is no other."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes

    def keep(self) -> None:
        """Take the room, unless it is taken, or there is none."""
        if not self._size_bytes or self._path.exists():
            return
        try:
            fd = create_anew(self._path)
        except OSError:
            return
        try:
            os.posix_fallocate(fd, 0, self._size_bytes)
        except OSError:
            self.drop()
        finally:
            os.close(fd)

    def drop(self) -> None:
        """Give it up."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
