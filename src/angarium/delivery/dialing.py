"""Making connections for the scheduler, and making them again in another way where the policy for TLS has one."""

from functools import partial
from typing import get_args

from angarium.core.clock import Clock
from angarium.core.identity import IdentityCache
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.tasks import Tasks
from angarium.delivery.connection import Connection, Owner
from angarium.delivery.distrust import Distrust
from angarium.delivery.settings import client_settings
from angarium.engine.trace import TraceHub
from angarium.queue.commands import Connect, ConnectFailure
from angarium.queue.destination import parse_destination
from angarium.queue.plan import Method
from angarium.tls.client.handshake import Encryption
from angarium.tls.client.lessons import TlsClient
from angarium.tls.client.policy import tls_policy


class Dialer:
    """The connections of one worker, open or opening, by the scheduler's number."""

    def __init__(self, owner: Owner, traces: TraceHub, clock: Clock, log: Log, counters: Counters) -> None:
        self.connections: dict[int, Connection] = {}
        self._owner = owner
        self._traces = traces
        self._clock = clock
        self._log = log
        self._counters = counters
        self._tls = TlsClient(log)
        self._distrust = Distrust(log)
        self._tasks = Tasks(log, clock)
        self._policies = IdentityCache(tls_policy)
        self._settings = {
            method: IdentityCache(partial(client_settings, method=method)) for method in get_args(Method)
        }

    def connect(self, command: Connect) -> None:
        """Begin a connection; its owner hears how it goes."""
        self._dial(command, f"{command.conn:x}.{int(self._clock.now() * 1000):x}")

    def _dial(self, command: Connect, session: str) -> None:
        settings = self._settings[command.method](command.options)
        destination = parse_destination(command.queue.domain)
        names = (command.address.host, command.queue.domain if destination is None else destination.host)
        encryption = Encryption(self._tls, self._policies(command.options), command.address, names)
        connection = Connection(
            command, settings, encryption, self._distrust, self._owner, self._clock, session
        )
        self.connections[command.conn] = connection
        self._traces.attach(connection)
        self._tasks.start(connection.open())

    def connect_again(self, connection: Connection, failure: ConnectFailure) -> None:
        """Begin *connection*, which came to nothing, anew: for the scheduler it is still the same."""
        self.leave(connection.id)
        attempt, queue = failure.attempt, connection.command.queue
        self._counters.add("connections_total", "retried")
        self._log.info(
            "connection",
            self._clock.now(),
            result="retried",
            domain=queue.domain,
            binding=queue.binding,
            peer=attempt.peer,
            host=attempt.host,
            stage=attempt.stage,
            reply=str(failure.reply),
        )
        self._dial(connection.command, f"{connection.session}+")

    def leave(self, conn: int) -> Connection | None:
        """Forget a connection that is gone or going, and return it."""
        return self.connections.pop(conn, None)
