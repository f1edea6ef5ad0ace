"""The listening sockets of one worker: a session for each connection, after a proxy's header and TLS where asked for.

A worker that has more sessions than another leaves a connection to that one for a moment. So two connections land on
two workers, while no process stands between client and worker.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

from angarium.config.model import Config
from angarium.config.records import ListenOptions
from angarium.core.accepting import LEAVE_TO_OTHERS_S, SharedListener
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.tasks import Tasks
from angarium.smtp.proxy import ProxyError
from angarium.submission.session.encryption import TLS_GOODBYE_S
from angarium.submission.session.peer import UNKNOWN_PEER, Peer
from angarium.submission.session.proxy_header import read_proxy_header
from angarium.submission.session.session import Session
from angarium.tls.server.contexts import Socket, TlsContexts


class Shares(Protocol):
    """How this worker's load compares with the others'; `node.session_counts.SessionCounts` is one."""

    def surplus(self) -> int:
        """How many more sessions this worker has than the one with the fewest."""
        ...


class Door(NamedTuple):
    """What comes before the session on a socket. *context* gives what TLS from the first byte needs, if it can."""

    options: ListenOptions = ListenOptions()
    context: Callable[[], ssl.SSLContext | None] = lambda: None
    handshake_s: float = 30.0

    @property
    def is_plain(self) -> bool:
        """Whether the session begins at once."""
        return not (self.options.use_ssl or self.options.proxy_protocol)


def door_of(config: Config, contexts: TlsContexts, key: Socket) -> Door:
    """Return the door of a socket as *config* has it."""
    listener, listen = key
    handshake_s = config.inbound(listener, listen, "").tls_timeout
    return Door(config.listen_options(listener, listen), partial(contexts.of, listener, listen), handshake_s)


class Acceptor:
    """Accepts on one listening socket until closed. *door* may be replaced; open sessions do not notice."""

    def __init__(
        self,
        sock: socket.socket,
        make_session: Callable[[Peer], Session],
        door: Door,
        shares: Shares,
        clock: Clock,
        log: Log,
    ) -> None:
        self.door = door
        self._make_session = make_session
        self._loop = asyncio.get_running_loop()
        self._tasks = Tasks(log, clock)
        self._listener = SharedListener(
            sock, self._take, lambda: LEAVE_TO_OTHERS_S if shares.surplus() > 0 else 0, clock, log
        )

    def close(self) -> None:
        """Stop accepting. The socket itself lives on in the supervisor and in the other workers."""
        self._listener.close()

    def _take(self, connection: socket.socket, address: Any) -> None:
        peer = address[:2] if isinstance(address, tuple) else None
        # The session counts itself in at once, so that the shares are right before the next accept.
        session = self._make_session(peer)
        if self.door.is_plain:
            self._tasks.start(self._loop.connect_accepted_socket(lambda: session, connection))
        else:
            self._tasks.start(self._let_in(session, connection, peer))

    async def _let_in(self, session: Session, connection: socket.socket, peer: Peer) -> None:
        """Read whose connection a proxy passes on, and encrypt; a connection that fails at either is closed."""
        if self.door.options.proxy_protocol and not await self._hear_proxy(session, connection, peer):
            connection.close()
            return
        if self.door.options.use_ssl:
            await self._encrypt(session, connection)
        else:
            await self._loop.connect_accepted_socket(lambda: session, connection)

    async def _encrypt(self, session: Session, connection: socket.socket) -> None:
        no = session.one_too_many()
        if no is not None:  # before the handshake, which costs more than a session
            connection.close()
            session.turned_away(str(no), "too_many")
            return
        context = self.door.context()
        if context is None:
            connection.close()
            session.handshake_failed(ConnectionError("there is no certificate to show"))
            return
        try:
            await self._loop.connect_accepted_socket(
                lambda: session,
                connection,
                ssl=context,
                ssl_handshake_timeout=self.door.handshake_s,
                ssl_shutdown_timeout=TLS_GOODBYE_S,
            )
        except OSError as error:
            session.handshake_failed(error)

    async def _hear_proxy(self, session: Session, connection: socket.socket, peer: Peer) -> bool:
        """Read the PROXY header. Returns whether the connection may go on."""
        options = self.door.options
        if peer is not None and not options.proxy_hosts.contains(peer[0]):
            session.turned_away(
                "not in Proxy_Hosts: only these may connect where Proxy_Protocol is on", "proxy"
            )
            return False
        connection.setblocking(False)
        try:
            async with asyncio.timeout(options.proxy_protocol_timeout):
                header = await read_proxy_header(connection, self._loop)
        except TimeoutError:
            session.turned_away("no PROXY header in time", "proxy")
        except (ProxyError, OSError) as error:
            session.turned_away(f"no PROXY header: {error}", "proxy")
        else:
            if not header.is_own:
                session.introduce(header.source or (UNKNOWN_PEER, 0))
            return True
        return False
