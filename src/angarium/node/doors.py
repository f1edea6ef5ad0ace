"""The listening sockets of a worker, which its supervisor sends: what comes in by them is a session, or HTTP."""

import asyncio
import os
import socket

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.engine.view import ConfigView
from angarium.node.http.worker import WorkerHttp
from angarium.node.session_counts import SessionCounts
from angarium.node.sockets import Key, receive
from angarium.submission.session.listener import Acceptor, door_of
from angarium.submission.session.reception import Reception
from angarium.submission.session.session import Session
from angarium.tls.server.contexts import TlsContexts


class Doors:
    """Accepts on what comes over *sockets* from `open` on, until it is closed."""

    def __init__(
        self,
        sockets: socket.socket,
        view: ConfigView,
        reception: Reception,
        http: WorkerHttp,
        tls: TlsContexts,
        session_counts: SessionCounts,
        clock: Clock,
        log: Log,
    ) -> None:
        self._sockets = sockets
        self._view = view
        self._reception = reception
        self._http = http
        self._tls = tls
        self._session_counts = session_counts
        self._clock = clock
        self._log = log
        self._acceptors: dict[Key, Acceptor] = {}
        self._is_closed = False

    def __len__(self) -> int:
        """How many listeners for mail are open."""
        return len(self._acceptors)

    def open(self) -> None:
        """Take what is sent from now on."""
        asyncio.get_running_loop().add_reader(self._sockets.fileno(), self._take_sockets)

    def reconfigure(self) -> None:
        """Obey the configuration in force from now on."""
        for key, acceptor in self._acceptors.items():
            acceptor.door = door_of(self._view.config, self._tls, key)

    def close(self) -> None:
        """Accept nothing more; what is sent later is closed."""
        self._is_closed = True
        for acceptor in self._acceptors.values():
            acceptor.close()
        self._acceptors.clear()
        self._http.close()

    def _take_sockets(self) -> None:
        try:
            received = receive(self._sockets)
        except BlockingIOError:
            return
        if received is None:
            asyncio.get_running_loop().remove_reader(self._sockets.fileno())
            return
        for key in [key for key in self._acceptors if key not in received.smtp]:
            self._acceptors.pop(key).close()
        for key, fd in received.smtp.items():
            if key in self._acceptors or self._is_closed:
                os.close(fd)
            else:
                self._acceptors[key] = self._acceptor(key, socket.socket(fileno=fd))
        self._http.listen(received.http)
        if self._is_closed:
            self._http.close()

    def _acceptor(self, key: Key, sock: socket.socket) -> Acceptor:
        listener, listen = key
        reception = self._reception

        def make_session(peer: tuple[str, int] | None) -> Session:
            return Session(reception, listener, listen, peer)

        door = door_of(self._view.config, self._tls, key)
        return Acceptor(sock, make_session, door, self._session_counts, self._clock, self._log)
