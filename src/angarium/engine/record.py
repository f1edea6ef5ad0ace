"""What becomes of decisions: into the journal, the log and the numbers, and reported to the sender."""

import asyncio
from typing import Any

import msgspec

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.records import TERMINAL, Event, Recipient
from angarium.core.waiting import WaitingMail, account_of
from angarium.engine.reports.report import Report, report_action, waits_for_report
from angarium.engine.reports.reporter import Reporter
from angarium.engine.view import ConfigView
from angarium.queue.commands import Record
from angarium.spool.port import Spool, SpoolError, Then


class EventWriter:
    """Writes down events that tell nobody anything."""

    def __init__(self, spool: Spool, log: Log, counters: Counters, waiting: WaitingMail) -> None:
        self._spool = spool
        self._log = log
        self._counters = counters
        self._waiting_mail = waiting

    def record(self, command: Record, then: Then | None = None) -> None:
        """Write the events of *command* down; *then* is called when they are durable, or could not be made so."""
        for event, recipient in zip(command.events, command.recipients, strict=True):
            self.note(event, recipient)
            self.log(event, recipient)
        self._spool.record(command.events, then)

    def note(self, event: Event, recipient: Recipient) -> None:
        """Count *event*."""
        self._counters.add("events_total", event.type)
        if event.state in TERMINAL:
            account = account_of(recipient.message.tenant)
            if account:
                self._waiting_mail.wait(account, -1, -recipient.message.body_size)

    def log(self, event: Event, recipient: Recipient) -> None:
        """Log *event*."""
        attempt = event.attempt
        fields: dict[str, Any] = {}
        if attempt is not None:
            fields = {
                "peer": attempt.peer,
                "host": attempt.host,
                "stage": attempt.stage,
                "timings_ms": dict(attempt.timings),
                "tls": attempt.tls,
            }
        self._log.info(
            event.type,
            event.at,
            message=event.message.hex(),
            recipient=recipient.path.address,
            binding=event.binding,
            domain=event.domain,
            attempts=event.attempts,
            reply=str(event.reply) if event.reply else "",
            note=event.note,
            next_at=round(event.due_at, 3) if event.state == "queued" else None,
            age_s=round(event.at - recipient.message.received_at, 3),
            **fields,
        )


class Recorder:
    """Writes events down. A terminal event whose sender must be told is written after the report is durable."""

    def __init__(
        self, view: ConfigView, writer: EventWriter, reporter: Reporter, spool: Spool, clock: Clock
    ) -> None:
        self._view = view
        self._writer = writer
        self._reporter = reporter
        self._spool = spool
        self._clock = clock

    def record(self, command: Record, *, logged: bool = True) -> None:
        """Write the events of *command* down; they have been applied to its recipients.

        Those that are not *logged* are told by their cause in a line for all.
        """
        direct: list[Event] = []
        reports: dict[tuple[bytes, str], Report] = {}
        for event, recipient in zip(command.events, command.recipients, strict=True):
            self._writer.note(event, recipient)
            if logged:
                self._writer.log(event, recipient)
            action = report_action(event, recipient, self._view.config)
            if action == "delayed":
                recipient.delay_dsns += 1
                event = msgspec.structs.replace(event, delay_dsns=recipient.delay_dsns)
            if action is None or not waits_for_report(event, action, recipient.message):
                direct.append(event)
            if action is not None:
                key = (event.message, action)
                report = reports.setdefault(key, Report(action, recipient.message, self._clock.now()))
                report.items.append((event, recipient))
        if direct:
            self._spool.record(direct)
        for report in reports.values():
            self._reporter.start(report)

    async def written(self) -> None:
        """Wait until what was recorded before is durable, reports and all. Raises SpoolError."""
        await self._reporter.caught_up()
        written: asyncio.Future[SpoolError | None] = asyncio.get_running_loop().create_future()
        self._spool.record((), written.set_result)
        error = await written
        if error is not None:
            raise error

    @property
    def unreported(self) -> int:
        """How many reports are not durable yet."""
        return self._reporter.waiting
