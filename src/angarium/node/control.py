"""The control socket: JSON lines over a Unix socket in the data folder, for its owner alone.

A request is one line, `{"op": "queues", "args": {"limit": 20}}`. The answer is any number of `{"item": …}`
lines, then one `{"result": …}` or `{"error": "sentence"}`. A stream has no end: it sends items until the
client hangs up. A client may ask again on the same connection once it has its answer.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from angarium.core.errors import AngariumError
from angarium.node.console import STREAMS, SendItem
from angarium.node.socket_path import short_name

MAX_REQUEST_BYTES = 65_536
MAX_CLIENTS = 64

Handle = Callable[[str, dict[str, Any], SendItem], Awaitable[Any]]
"""Answers one operation; `console.Console.handle` is one. An AngariumError becomes the client's error
sentence.
"""


class ControlError(AngariumError):
    """The control socket cannot be opened, or another node has it."""


class Request(msgspec.Struct):
    """One line from a client."""

    op: str
    args: dict[str, Any] = {}


class ControlServer:
    """Serves *handle* at *path*. Start it with `start`, which fails if another node answers there."""

    def __init__(self, path: Path, handle: Handle, streams: frozenset[str] = STREAMS) -> None:
        self._path = path
        self._handle = handle
        self._streams = streams
        self._clients: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._inode = 0

    async def start(self) -> None:
        """Bind and listen. Raises ControlError; then another node's socket is as it was."""
        sock = open_control_socket(self._path)
        self._inode = self._path.stat().st_ino
        self._server = await asyncio.start_unix_server(self._connected, sock=sock, limit=MAX_REQUEST_BYTES)

    async def stop(self) -> None:
        """Hang up on all clients and remove the socket."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for client in list(self._clients):
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = asyncio.get_running_loop().create_task(self._serve(_Client(reader, writer)))
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)

    async def _serve(self, client: "_Client") -> None:
        try:
            if len(self._clients) > MAX_CLIENTS:
                await client.send({"error": f"{MAX_CLIENTS} clients are connected already; try again later"})
                return
            while line := await client.read_line():
                await self._answer(client, line)
        except ConnectionError:
            pass
        finally:
            client.close()

    async def _answer(self, client: "_Client", line: bytes) -> None:
        try:
            request = msgspec.json.decode(line, type=Request)
        except msgspec.DecodeError as error:
            await client.send({"error": f"not a request, which is a line of JSON with op and args: {error}"})
            return
        work = asyncio.get_running_loop().create_task(self._work(client, request))
        try:
            if request.op in self._streams:
                await asyncio.wait((work, client.next_line()), return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.wait((work,))
        finally:
            work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work

    async def _work(self, client: "_Client", request: Request) -> None:
        try:
            result = await self._handle(request.op, request.args, lambda item: client.send({"item": item}))
        except AngariumError as error:
            await client.send({"error": str(error)})
        except ConnectionError:
            return
        except Exception as error:  # noqa: BLE001  a fault of ours in one answer must not end the service
            loop = asyncio.get_running_loop()
            loop.call_exception_handler(
                {"message": f"control operation {request.op!r} failed", "exception": error}
            )
            await client.send(
                {"error": f"internal error in {request.op!r}: {error!r}; the node's log has more"}
            )
        else:
            await client.send({"result": result})


class _Client:
    """One connection. Sending waits for the client to read, so that a slow one costs no memory."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._next: asyncio.Task[bytes] | None = None

    def next_line(self) -> asyncio.Task[bytes]:
        """Begin to read the next line, so that a hang-up is noticed while an answer is under way."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._reader.readline())
        return self._next

    async def read_line(self) -> bytes:
        """Return the next line; empty at the end, and after a line that is too long."""
        try:
            line = await self.next_line()
        except ValueError:
            await self.send({"error": f"the request is longer than {MAX_REQUEST_BYTES} bytes"})
            return b""
        finally:
            self._next = None
        return line

    async def send(self, message: dict[str, Any]) -> None:
        """Send one line. Raises ConnectionError when the client has gone."""
        self._writer.write(msgspec.json.encode(message) + b"\n")
        await self._writer.drain()

    def close(self) -> None:
        """Hang up, after what was sent."""
        if self._next is not None:
            self._next.cancel()
        self._writer.close()


def open_control_socket(path: Path) -> socket.socket:
    """Bind and listen at *path* with permissions 0600. A socket file that nobody answers on is replaced.

    Raises ControlError when the folder is not ours alone to write to, or another node answers.
    """
    _check_folder(path.parent)
    with short_name(path) as name, _lock(path.parent):
        if path.is_socket() and _somebody_answers(name):
            raise ControlError(
                f"another node is running in {path.parent}; stop it, or choose another data folder"
            )
        path.unlink(missing_ok=True)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            sock.bind(name)
        except OSError as error:
            sock.close()
            raise ControlError(f"cannot make {path}: {error.strerror}") from error
        finally:
            os.umask(mask)
        sock.listen(MAX_CLIENTS)
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


def _somebody_answers(name: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(name)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        return True


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Keep two nodes that start at the same moment from both finding that nobody answers."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
