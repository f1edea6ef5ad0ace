"""Listening sockets that the service manager has opened and passes on: socket activation, as sd_listen_fds(3) has it.

It keeps them open while the node is started again, so that whoever connects meanwhile waits instead of being refused.
"""

import os
import socket
from collections.abc import MutableMapping, Sequence
from functools import cache
from typing import Final

from angarium.config.values import ListenAddress, join_host_port

_FIRST_FD: Final = 3
_NAMES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class PassedSockets:
    """Those that were passed to this process, by where they listen. They stay open to its end."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self._sockets = {_where(sock): sock for sock in sockets}
        self._taken: set[str] = set()

    def take(self, address: ListenAddress) -> socket.socket | None:
        """Return a socket of the caller's own that listens at *address*; None when none was passed."""
        found = self._sockets.get(str(address))
        if found is None or found.type != socket.SOCK_STREAM:
            return None
        self._taken.add(str(address))
        sock = found.dup()
        sock.setblocking(False)
        return sock

    def unused(self) -> list[str]:
        """Say where those listen that nobody has taken: nothing answers there."""
        return sorted(self._sockets.keys() - self._taken)


def sockets_of(environ: MutableMapping[str, str], pid: int, first: int = _FIRST_FD) -> list[socket.socket]:
    """Return what *environ* passes to the process *pid*, and take the words out: they are not for the workers."""
    whose, count, _ = (environ.pop(name, "") for name in _NAMES)
    if whose != str(pid) or not count.isdecimal():
        return []
    sockets = [socket.socket(fileno=fd) for fd in range(first, first + int(count))]
    for sock in sockets:
        sock.set_inheritable(False)
    return sockets


@cache
def passed_sockets() -> PassedSockets:
    """Return those of this process."""
    return PassedSockets(sockets_of(os.environ, os.getpid()))


def _where(sock: socket.socket) -> str:
    name = sock.getsockname()
    return os.fsdecode(name) if isinstance(name, str | bytes) else join_host_port(name[0], name[1])
