"""What becomes of the scheduler's decisions: into the journal, the log and the numbers, and reported to the sender."""

import asyncio
from typing import Any, Protocol

import msgspec

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.records import TERMINAL, Event, Message, Recipient
from angarium.core.tasks import Tasks
from angarium.delivery.reports import Report, build_report, report_action
from angarium.queue.commands import Record
from angarium.spool.port import Body, Spool, SpoolError, Then

_REPORT_RETRY_S = 5.0


class Entrance(Protocol):
    """Where a bounce message enters; `dispatcher.Dispatcher` is one."""

    config: Config

    def enter(self, message: Message, body: Body, then: Then) -> None:
        """Make durable and deliver."""
        ...


class Recorder:
    """Writes events down. A terminal event whose sender must be told is written after the report is durable.

    So a crash between the two repeats an attempt and perhaps a report, but never swallows one.
    """

    def __init__(self, entrance: Entrance, spool: Spool, clock: Clock, log: Log, counters: Counters) -> None:
        self._entrance = entrance
        self._spool = spool
        self._clock = clock
        self._log = log
        self._counters = counters
        self._tasks = Tasks(log, clock)

    def record(self, command: Record, then: Then | None = None) -> None:
        """Write the events of *command* down; they have been applied to its recipients.

        *then* is called when they are durable, or could not be made so; it is for events that tell nobody anything.
        """
        direct: list[Event] = []
        reports: dict[tuple[bytes, str], Report] = {}
        for event, recipient in zip(command.events, command.recipients, strict=True):
            self._counters.add("events_total", event.type)
            self._log_event(event, recipient)
            action = report_action(event, recipient, self._entrance.config)
            if action == "delayed":
                recipient.delay_dsns += 1
                event = msgspec.structs.replace(event, delay_dsns=recipient.delay_dsns)
            if action is None or action == "delayed":
                direct.append(event)
            if action is not None:
                key = (event.message, action)
                report = reports.setdefault(key, Report(action, recipient.message, self._clock.now()))
                report.items.append((event, recipient))
        if direct:
            self._spool.record(direct, then)
        for report in reports.values():
            self._tasks.start(self._report(report))

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

    async def _report(self, report: Report) -> None:
        body: Body | None
        try:
            body = await self._spool.load_body(report.message)
        except SpoolError as error:
            self._log.error("report", self._clock.now(), message=report.message.id.hex(), error=str(error))
            body = None
        try:
            message, text = await self._built(report, body)
        except Exception:
            self._finish(
                report
            )  # no report can be made of it; without an end it would be delivered once more
            raise
        self._enter(report, message, text)

    async def _built(self, report: Report, body: Body | None) -> tuple[Message, bytes]:
        """Make the notification, without the original where that cannot be read."""
        config = self._entrance.config
        try:
            return await asyncio.to_thread(build_report, report, body, config)
        except OSError as error:
            self._log.error("report", self._clock.now(), message=report.message.id.hex(), error=str(error))
            return await asyncio.to_thread(build_report, report, None, config)

    def _enter(self, report: Report, message: Message, text: bytes) -> None:
        def entered(error: SpoolError | None) -> None:
            if error is None:
                self._counters.add("reports_total", report.action)
                self._finish(report)
            else:
                # The spool is full or unwell: the events wait with the report, so that neither is lost.
                loop = asyncio.get_running_loop()
                loop.call_later(_REPORT_RETRY_S, self._enter, report, message, text)

        self._entrance.enter(message, text, entered)

    def _finish(self, report: Report) -> None:
        events = [event for event, _ in report.items if event.state in TERMINAL]
        if events:
            self._spool.record(events)
