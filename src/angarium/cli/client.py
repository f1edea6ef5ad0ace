"""Speaks to the running node over its control socket. No event loop: a command must start fast."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from angarium.core.errors import AngariumError
from angarium.node.socket_path import SOCKET_NAME, short_name

T = TypeVar("T")


class NoNode(AngariumError):
    """No node answers. The command has done nothing, or the node went away before it had told what it did."""


class Refused(AngariumError):
    """The node answered with an error; its sentence is the text."""


class _Line(msgspec.Struct):
    item: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: str | None = None


class ControlClient:
    """A connection to the node whose data folder is *data*. Raises NoNode when none answers there."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._socket = _connect(data)
        self._lines: BinaryIO = self._socket.makefile("rb")

    def call(
        self,
        op: str,
        args: dict[str, Any] | None = None,
        *,
        kind: type[T],
        on_item: Callable[[Any], None] = lambda item: None,
    ) -> T:
        """Ask, and return the answer as a *kind*. Raises Refused or NoNode."""
        self._ask(op, args)
        while True:
            line = self._line()
            if line.item is msgspec.UNSET:
                return msgspec.json.decode(line.result, type=kind)
            on_item(msgspec.json.decode(line.item))

    def stream(self, op: str, args: dict[str, Any] | None = None, *, kind: type[T]) -> Iterator[T]:
        """Ask, and yield items as they come, until the caller stops. Raises Refused or NoNode."""
        self._ask(op, args)
        while True:
            line = self._line()
            if line.item is msgspec.UNSET:
                return
            yield msgspec.json.decode(line.item, type=kind)

    def close(self) -> None:
        """Hang up; that ends a stream."""
        self._lines.close()
        self._socket.close()

    def __enter__(self) -> "ControlClient":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _ask(self, op: str, args: dict[str, Any] | None) -> None:
        try:
            self._socket.sendall(msgspec.json.encode({"op": op, "args": args or {}}) + b"\n")
        except ConnectionError as error:
            raise self._gone() from error

    def _line(self) -> _Line:
        try:
            text = self._lines.readline()
        except ConnectionError as error:
            raise self._gone() from error
        if not text.endswith(b"\n"):
            raise self._gone()
        line = msgspec.json.decode(text, type=_Line)
        if line.error is not None:
            raise Refused(line.error)
        return line

    def _gone(self) -> NoNode:
        return NoNode(f"the node in {self._data} hung up before it had answered; it may have stopped")


def _connect(data: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_name(data / SOCKET_NAME) as name:
            sock.connect(name)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
        sock.close()
        raise NoNode(
            f"no node is running in {data}; start one with `angarium serve`, or say with --data where it is"
        ) from error
    except PermissionError as error:
        sock.close()
        raise NoNode(f"the node in {data} belongs to another user; run this command as that user") from error
    except OSError as error:
        sock.close()
        raise NoNode(f"cannot reach the node in {data}: {error.strerror}") from error
    return sock
