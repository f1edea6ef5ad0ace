"""Speaks to the running node over its control socket. No event loop: a command must start fast."""

import http.client
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from angarium.core.errors import AngariumError
from angarium.core.operations import IN_BODY
from angarium.node.socket_path import SOCKET_NAME, short_name

T = TypeVar("T")

_PREFIX = "/operate/v1/"


class NoNode(AngariumError):
    """No node answers. The command has done nothing, or the node went away before it had told what it did."""


class RequestRefused(AngariumError):
    """The node answered with an error; its sentence is the text."""


class _Problem(msgspec.Struct):
    """What is read of a problem document (RFC 9457), and of an event that tells of an error."""

    detail: str


class _Connection(http.client.HTTPConnection):
    """HTTP to the node whose data folder is *data*."""

    def __init__(self, data: Path) -> None:
        super().__init__("node")
        self.data = data

    def connect(self) -> None:
        self.sock = _connect(self.data)


class ControlClient:
    """A connection to the node whose data folder is *data*. Raises NoNode when none answers there."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._connection = _Connection(data)
        self._connection.connect()

    def call(
        self,
        op: str,
        args: dict[str, Any] | None = None,
        *,
        kind: type[T],
        on_item: Callable[[Any], None] = lambda item: None,
    ) -> T:
        """Ask, and return the answer as a *kind*. Raises RequestRefused or NoNode.

        An answer that takes long is a stream: *on_item* hears what comes before the answer itself.
        """
        answer = self._ask(op, args or {})
        if not _is_stream(answer):
            return msgspec.json.decode(self._read(answer), type=kind)
        for name, data in self._events(answer):
            if name != "progress":
                return msgspec.json.decode(data, type=kind)
            on_item(msgspec.json.decode(data))
        raise self._gone()

    def stream(self, op: str, args: dict[str, Any] | None = None, *, kind: type[T]) -> Iterator[T]:
        """Ask, and yield items as they come, until the caller stops. Raises RequestRefused or NoNode."""
        for _, data in self._events(self._ask(op, args or {})):
            yield msgspec.json.decode(data, type=kind)

    def close(self) -> None:
        """Hang up; that ends a stream."""
        self._connection.close()

    def __enter__(self) -> "ControlClient":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _ask(self, op: str, args: dict[str, Any]) -> http.client.HTTPResponse:
        method, path, body = "GET", _PREFIX + op, None
        if op in IN_BODY:
            method, body = "POST", msgspec.json.encode(args)
        elif given := {name: _text(value) for name, value in args.items() if value is not None}:
            path += f"?{urlencode(given)}"
        try:
            self._connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._gone() from error
        if answer.status >= 400:
            raise RequestRefused(_sentence(self._read(answer), answer.status))
        return answer

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        try:
            return answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._gone() from error

    def _events(self, answer: http.client.HTTPResponse) -> Iterator[tuple[str, bytes]]:
        """Yield name and data of each event. Raises RequestRefused for one that tells of an error."""
        name = ""
        while line := self._line(answer):
            field, _, value = line.rstrip(b"\n").partition(b": ")
            if field == b"event":
                name = value.decode()
            elif field == b"data" and name == "error":
                raise RequestRefused(msgspec.json.decode(value, type=_Problem).detail)
            elif field == b"data":
                yield name, value

    def _line(self, answer: http.client.HTTPResponse) -> bytes:
        try:
            return answer.readline()
        except (OSError, http.client.HTTPException) as error:
            raise self._gone() from error

    def _gone(self) -> NoNode:
        return NoNode(f"the node in {self.data} hung up before it had answered; it may have stopped")


def _is_stream(answer: http.client.HTTPResponse) -> bool:
    return (answer.getheader("Content-Type") or "").startswith("text/event-stream")


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode() if isinstance(value, bool | float | int) else str(value)


def _sentence(body: bytes, status: int) -> str:
    try:
        return msgspec.json.decode(body, type=_Problem).detail
    except msgspec.DecodeError:
        return body.decode("utf-8", "replace").strip() or f"the node answered {status}"


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
