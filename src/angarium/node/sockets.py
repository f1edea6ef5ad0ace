"""The node's listening sockets: opened by the supervisor, shared with every worker, kept over reloads."""

import errno
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from angarium.config.load import BUILT_IN
from angarium.config.model import Config
from angarium.config.options import ScopeKind
from angarium.config.records import ListenOptions
from angarium.config.values import ListenAddress, join_host_port
from angarium.core.errors import AngariumError
from angarium.core.files import bind_unix
from angarium.node.passed_sockets import passed_sockets
from angarium.node.port_holder import holder

Key = tuple[str, str]
"""Listener name and the name of its Listen stanza."""

MAX_FDS = 250


class CannotListen(AngariumError):
    """A socket could not be opened; the ones that were open before still are. *taken* is a port that another has."""

    def __init__(self, message: str, taken: int | None = None) -> None:
        super().__init__(message)
        self.taken = taken


_ADVICE: Final[dict[int | None, str]] = {
    errno.EADDRINUSE: "; stop the program that listens there, or name another port {place}",
    errno.EADDRNOTAVAIL: "; name an address of this machine {place}, or *",
    errno.EACCES: "; ports below 1024 need root or CAP_NET_BIND_SERVICE",
}


def open_listening(address: ListenAddress, options: ListenOptions, place: str = "in Listen") -> socket.socket:
    """Bind and listen, unless the service manager has done so. Raises CannotListen, saying what stands in the way, and
    that it is mended at *place*.
    """
    passed = passed_sockets().take(address)
    if passed is not None:
        return passed
    family = socket.AF_UNIX if address.path else socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if address.path:
            Path(address.path).unlink(missing_ok=True)
            bind_unix(sock, address.path, options.file_mode)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address.host, address.port))
        sock.listen(options.listen_backlog)
    except OSError as error:
        sock.close()
        raise _cannot(address, error, place) from error
    sock.setblocking(False)
    return sock


def _cannot(address: ListenAddress, error: OSError, place: str) -> CannotListen:
    is_taken = error.errno == errno.EADDRINUSE and not address.path
    reason = (error.strerror or str(error)).lower()
    who = holder(address.host, address.port) if is_taken else ""
    advice = "" if address.path else _ADVICE.get(error.errno, "")
    text = f"cannot listen on {address}: {reason}{f' by {who}' if who else ''}{advice.format(place=place)}"
    return CannotListen(text, address.port if is_taken else None)


def place_of(config: Config, kind: ScopeKind, listen: str) -> str:
    """Say where the address of the `Listen` of that name is changed: in a line of a file, or by an option."""
    found = next((one for outer in config.root.inside(kind) if (one := outer.child("listen", listen))), None)
    option = "--http" if kind == "http_listener" else "--listen"
    if found is None or found.where is None or found.where.file in (BUILT_IN, option):
        return f"by {option}"
    return f"in Listen ({found.where})"


class Sockets:
    """All sockets of the configuration in force."""

    def __init__(self) -> None:
        self._open: dict[Key, tuple[ListenAddress, socket.socket]] = {}

    def follow(self, config: Config) -> None:
        """Open what *config* adds and close what it no longer has.

        Raises CannotListen before anything is closed: then the sockets are as they were.
        """
        wanted = {
            (listener.name, listen.name): (listen, config.listen_options(listener.name, listen.name))
            for listener in config.listeners
            for listen in listener.listens
        }
        fresh: dict[Key, tuple[ListenAddress, socket.socket]] = {}
        try:
            for key, (address, options) in wanted.items():
                if options.enable and (key not in self._open or self._open[key][0] != address):
                    place = place_of(config, "esmtp_listener", address.name)
                    fresh[key] = (address, open_listening(address, options, place))
        except CannotListen:
            for _, sock in fresh.values():
                sock.close()
            raise
        gone = [key for key in self._open if key in fresh or key not in wanted or not wanted[key][1].enable]
        for key in gone:
            self._open.pop(key)[1].close()
        self._open.update(fresh)

    def close(self) -> None:
        """Close all."""
        for _, sock in self._open.values():
            sock.close()
        self._open.clear()

    def send(self, worker: socket.socket, http: Mapping[str, socket.socket]) -> None:
        """Hand all sockets to a worker, over its socket for descriptors; it closes those it is not given.

        *http* are those of HTTP, by name, which are opened elsewhere.
        """
        keys = list(self._open)
        if len(keys) + len(http) > MAX_FDS:
            raise CannotListen(f"more than {MAX_FDS} listening sockets; use fewer Listen stanzas")
        fds = [self._open[key][1].fileno() for key in keys] + [sock.fileno() for sock in http.values()]
        socket.send_fds(worker, [json.dumps([keys, list(http)]).encode()], fds)

    def addresses(self) -> dict[str, str]:
        """Say where each listener can be reached: `listener listen` to address, with the port the kernel chose."""
        return {
            f"{listener} {listen}": address_of(sock) for (listener, listen), (_, sock) in self._open.items()
        }


def address_of(sock: socket.socket) -> str:
    """Return where a socket can be reached: host and port, or a path."""
    name = sock.getsockname()
    return name if isinstance(name, str) else join_host_port(name[0], name[1])


class Received(NamedTuple):
    """Descriptors that a worker was handed, by what they are of."""

    smtp: dict[Key, int]
    http: dict[str, int]


def receive(supervisor: socket.socket) -> Received | None:
    """Return what `Sockets.send` has sent; None when the supervisor is gone. Raises BlockingIOError for nothing."""
    data, fds, _, _ = socket.recv_fds(supervisor, 65_536, MAX_FDS)
    if not data:
        return None
    keys, names = json.loads(data)
    smtp = [(listener, listen) for listener, listen in keys]
    return Received(dict(zip(smtp, fds, strict=False)), dict(zip(names, fds[len(smtp) :], strict=True)))
