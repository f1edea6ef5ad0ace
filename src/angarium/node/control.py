"""The control socket: HTTP over a Unix socket in the data folder, for the node's owner alone.

The process that has it open has the folder: by it, two nodes on the same data find each other. It has the folder
itself open as well: by that, commands find a node of which nobody has said where it is (`cli/where.py`).
"""

import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from starlette.types import ASGIApp

from angarium.core.errors import AngariumError
from angarium.core.files import bind_unix
from angarium.http.carrier import HttpServer
from angarium.node.socket_path import short_name

BACKLOG = 64


class ControlError(AngariumError):
    """The control socket cannot be opened, or another node has it."""


class ControlServer:
    """The socket at *path*: `open` takes it, `serve` answers on it; a client that connects in between waits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._server: HttpServer | None = None
        self._inode = 0
        self._folder = -1

    def open(self) -> None:
        """Bind and listen. Raises ControlError; then another node's socket is as it was."""
        self._socket = open_control_socket(self._path)
        self._inode = self._path.stat().st_ino
        self._folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)

    async def serve(self, app: ASGIApp) -> None:
        """Have *app* answer."""
        assert self._socket is not None
        self._server = HttpServer(app, [self._socket])
        await self._server.start()

    async def stop(self) -> None:
        """Hang up on all clients and remove the socket, unless another node has put its own in its place."""
        if self._socket is None:
            return
        if self._server is not None:
            await self._server.stop()
        self._socket.close()
        self._socket = None
        os.close(self._folder)
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()


def open_control_socket(path: Path) -> socket.socket:
    """Bind and listen at *path* with permissions 0600. A socket file on which no process answers is replaced.

    Raises ControlError when the folder is not ours alone to write to, or another node answers.
    """
    _check_folder(path.parent)
    with short_name(path) as name, _lock(path.parent):
        if path.is_socket() and _is_answered(name):
            raise ControlError(
                f"another node is running in {path.parent}; stop it, or choose another data folder"
            )
        path.unlink(missing_ok=True)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            bind_unix(sock, name, 0o600)
        except OSError as error:
            sock.close()
            raise ControlError(f"cannot make {path}: {error.strerror}") from error
        sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


def _check_folder(folder: Path) -> None:
    try:
        found = folder.stat()
    except OSError as error:
        raise ControlError(f"cannot use the data folder {folder}: {error.strerror}") from error
    if found.st_uid != os.geteuid():
        raise ControlError(
            f"the data folder {folder} belongs to another user; run as that user or choose another"
        )
    if found.st_mode & stat.S_IWOTH:
        raise ControlError(f"anybody may write to the data folder {folder}; run chmod o-w {folder}")


def _is_answered(name: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(name)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        return True


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Keep two nodes that start at the same moment from both finding that no other answers."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
