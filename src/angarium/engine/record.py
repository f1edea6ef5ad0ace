"""What becomes of the scheduler's decisions: into the journal, the log and the numbers, and reported to the sender."""

import asyncio
from typing import Any

import msgspec

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.records import TERMINAL, Event, Message, Recipient
from angarium.core.waiting import NOTHING_WAITS, WaitingMail, account_of
from angarium.engine.reports.report import Report, report_action, waits_for_report
from angarium.engine.reports.reporter import Entrance, Reporter
from angarium.queue.commands import Record
from angarium.spool.port import Spool, SpoolError, Then


class Recorder:
    """Writes events down. A terminal event whose sender must be told is written after the report is durable."""

    def __init__(
        self,
        entrance: Entrance,
        spool: Spool,
        clock: Clock,
        log: Log,
        counters: Counters,
        waiting: WaitingMail = NOTHING_WAITS,
    ) -> None:
        self._entrance = entrance
        self._spool = spool
        self._clock = clock
        self._log = log
        self._counters = counters
        self._waiting_mail = waiting
        self._reporter = Reporter(entrance, spool, clock, log, counters)

    def record(self, command: Record, then: Then | None = None, *, logged: bool = True) -> None:
        """Write the events of *command* down; they have been applied to its recipients.

        *then* is called when they are durable, or could not be made so; it is for events that tell nobody anything.
        Those that are not *logged* are told by their cause in a line for all.
        """
        direct: list[Event] = []
        reports: dict[tuple[bytes, str], Report] = {}
        for event, recipient in zip(command.events, command.recipients, strict=True):
            self._counters.add("events_total", event.type)
            if logged:
                self._log_event(event, recipient)
            if event.state in TERMINAL:
                self._ended(recipient.message)
            action = report_action(event, recipient, self._entrance.config)
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
            self._spool.record(direct, then)
        for report in reports.values():
            self._reporter.start(report)

    def _ended(self, message: Message) -> None:
        account = account_of(message.tenant)
        if account:
            self._waiting_mail.wait(account, -1, -message.body_size)

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

    def _log_event(self, event: Event, recipient: Recipient) -> None:
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
