"""The way out of one worker: its connections, what happens on them, and how the scheduler hears of it."""

import asyncio

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.delivery.connection import Connection
from angarium.delivery.dialing import Dialer
from angarium.delivery.handover import Handover
from angarium.delivery.signing import KeyFinder
from angarium.delivery.tally import Tally
from angarium.engine.clearance import Clearance
from angarium.engine.live import LiveScheduler
from angarium.engine.record import EventWriter
from angarium.engine.trace import TraceHub
from angarium.engine.view import ConfigView
from angarium.queue.causes import Silences
from angarium.queue.commands import Connect, ConnectFailure, Deliver, Quit, Result
from angarium.render.pipeline import Rendering
from angarium.render.return_path import ReturnPaths
from angarium.spool.port import Spool


class Outbound:
    """Carries out `Connect`, `Deliver` and `Quit`: an `engine.way_out.WayOut`. Without *keys* nothing is signed, and
    without *returns* mail comes back to its sender. *rendering* makes what each recipient gets.
    """

    def __init__(
        self,
        view: ConfigView,
        scheduler: LiveScheduler,
        spool: Spool,
        writer: EventWriter,
        traces: TraceHub,
        keys: KeyFinder | None,
        returns: ReturnPaths | None,
        rendering: Rendering,
        clearance: Clearance,
        clock: Clock,
        log: Log,
        counters: Counters,
    ) -> None:
        self._scheduler = scheduler
        self._traces = traces
        self._clock = clock
        self._log = log
        self._counters = counters
        self._tally = Tally(view, counters)
        self._changed = asyncio.Event()
        self._dialer = Dialer(self, traces, clock, log, counters)
        self._connections = self._dialer.connections
        self._handover = Handover(
            spool,
            writer,
            clock,
            log,
            self.finished,
            self._changed.set,
            keys,
            rendering,
            returns,
            clearance,
        )

    # -- commands

    def connect(self, command: Connect) -> None:
        """Begin a connection. Answer: `opened` or `connect_failed`, later `closed`, and `ended`."""
        self._dialer.connect(command)

    def deliver(self, command: Deliver) -> None:
        """Begin a transaction. Answer: `finished`."""
        connection = self._connections.get(command.conn)
        if connection is not None:
            self._traces.follow(connection, command.recipients[0].message)
        self._handover.deliver(command, connection)

    def quit(self, command: Quit) -> None:
        """End an idle connection. Answer: `ended`."""
        connection = self._dialer.leave(command.conn)
        if connection is not None:
            connection.quit()

    # -- what happens on a connection (connection.Owner)

    def connection_opened(self, connection: Connection) -> None:
        """See connection.Owner."""
        self._counters.add("connections_total", "ready")
        self._tally.stages(connection.timings)
        self._scheduler.opened(connection.id)

    def connection_failed(self, connection: Connection, failure: ConnectFailure) -> None:
        """See connection.Owner."""
        self._counters.add("connections_total", "failed")
        self._tally.stages(connection.timings)
        self._dialer.leave(connection.id)
        queue = connection.command.queue
        self._log.info(
            "connection",
            self._clock.now(),
            result="failed",
            domain=queue.domain,
            binding=queue.binding,
            peer=failure.attempt.peer,
            host=failure.attempt.host,
            stage=failure.attempt.stage,
            fault=failure.fault,
            reply=str(failure.reply),
        )
        self._scheduler.connect_failed(connection.id, failure)

    def connection_retried(self, connection: Connection, failure: ConnectFailure) -> None:
        """See connection.Owner."""
        self._tally.stages(connection.timings)
        self._dialer.connect_again(connection, failure)

    def transaction_finished(self, connection: Connection, results: list[Result], usable: bool) -> None:
        """See connection.Owner."""
        self._tally.transaction(connection.command.address.host, connection.timings)
        self.finished(connection.id, results, usable)

    def finished(self, conn: int, results: list[Result], usable: bool) -> None:
        """Tell the scheduler how a transaction ended, on the wire or before it."""
        if not usable:
            self._dialer.leave(conn)
        self._changed.set()
        self._tally.ended(results)
        self._handover.intents.concluded(conn, results)
        self._scheduler.finished(conn, self._handover.with_suppressed(conn, results), usable)

    def connection_closed(self, connection: Connection) -> None:
        """See connection.Owner."""
        self._dialer.leave(connection.id)
        self._scheduler.closed(connection.id)

    def connection_ended(self, connection: Connection) -> None:
        """See connection.Owner."""
        self._scheduler.ended(connection.id)

    def body_wanted(self, connection: Connection) -> None:
        """See connection.Owner."""
        self._handover.feed(connection)

    def downgrade_wanted(self, connection: Connection) -> None:
        """See connection.Owner."""
        self._handover.convert(connection)

    # -- time, end, numbers

    def check(self, now: float) -> None:
        """End stages whose time is up; called each second."""
        for connection in list(self._connections.values()):
            connection.check(now)

    def stop(self) -> None:
        """Begin no transaction from now on."""
        self._handover.is_draining = True

    async def decided(self) -> None:
        """Wait until nothing is under way any more whose outcome must be waited for."""
        while self._is_past_recall:
            self._changed.clear()
            await self._changed.wait()

    @property
    def _is_past_recall(self) -> bool:
        connections = self._connections.values()
        return self._handover.intents.is_writing or any(
            connection.past_final_dot for connection in connections
        )

    def break_off(self) -> None:
        """End all connections; a transaction whose peer may have taken the message ends as ambiguous."""
        for connection in list(self._connections.values()):
            if connection.past_final_dot:
                connection.give_up()
            else:
                self._handover.intents.abandon(connection.id)
                connection.quit()

    def silences(self) -> Silences:
        """See engine.way_out.WayOut."""
        found = ((conn, connection.silence) for conn, connection in self._connections.items())
        return {conn: silence for conn, silence in found if silence is not None}

    @property
    def connections(self) -> int:
        """How many connections are open or being opened."""
        return len(self._connections)

    @property
    def held_bytes(self) -> int:
        """About what they have in memory, bodies on their way included."""
        return sum(connection.held_bytes for connection in self._connections.values())
