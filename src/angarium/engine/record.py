"""What becomes of decisions: into the journal, the log and the numbers, and reported to the sender."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from angarium.config.model import Config
from angarium.core.clock import Clock, rfc3339
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.records import TERMINAL, Attempt, Event, Fact, Message, Recipient
from angarium.core.waiting import WaitingMail, account_of
from angarium.engine.reports.mistakes import Mistakes
from angarium.engine.reports.report import Action, Report, report_action, waits_for_report
from angarium.engine.reports.reporter import Reporter
from angarium.engine.view import ConfigView
from angarium.queue.commands import WriteEvents
from angarium.spool.port import Spool, SpoolError, Then

_LANES = ("transactional", "bulk")
"""By the number of the lane."""


class EventWriter:
    """Writes down events of which no sender is told."""

    def __init__(self, spool: Spool, log: Log, counters: Counters, waiting: WaitingMail) -> None:
        self._spool = spool
        self._log = log
        self._counters = counters
        self._waiting_mail = waiting
        self._waited = [counters.histogram("queue_seconds", lane) for lane in _LANES]
        self._took = [counters.histogram("delivery_seconds", lane) for lane in _LANES]

    def record(self, command: WriteEvents, then: Then | None = None, *, facts: Sequence[Fact] = ()) -> None:
        """Write *facts* and the events of *command* down; *then* is called when they are durable, or could not be made
        so.
        """
        for event, recipient in zip(command.events, command.recipients, strict=True):
            self.note(event, recipient)
        self._spool.record(command.events, then, facts=facts)

    def note(self, event: Event, recipient: Recipient, *, logged: bool = True) -> None:
        """Count *event*, and log it unless it is told with others by their cause."""
        self._counters.values["events_total", event.type] += 1
        if event.attempt is not None:
            self._time(event, event.attempt, recipient.message)
        if event.state in TERMINAL:
            account = account_of(recipient.message.tenant)
            if account:
                self._waiting_mail.wait(account, -1, -recipient.message.body_size)
        if logged:
            self._log.add("info", event.type, event.at, _shown(event, recipient))

    def _time(self, event: Event, attempt: Attempt, message: Message) -> None:
        if event.attempts == 1:
            self._waited[message.lane].observe(attempt.started_at - message.received_at)
        if event.type == "delivered":
            self._took[message.lane].observe(event.at - message.received_at)


def _shown(event: Event, recipient: Recipient) -> dict[str, Any]:
    """What the log says of *event*."""
    fields: dict[str, Any] = {
        "message": event.message.hex(),
        "recipient": recipient.path.address,
        "binding": event.binding,
        "domain": event.domain,
        "attempts": event.attempts,
        "reply": str(event.reply) if event.reply else "",
        "note": event.note,
        "next_at": rfc3339(event.due_at) if event.state == "queued" else None,
        "age_s": round(event.at - recipient.message.received_at, 3),
    }
    attempt = event.attempt
    if attempt is not None:
        fields["peer"] = attempt.peer
        fields["host"] = attempt.host
        fields["stage"] = attempt.stage
        fields["timings_ms"] = dict(attempt.timings)
        fields["tls"] = attempt.tls
    return fields


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
        self._mistakes = Mistakes()

    def record(self, command: WriteEvents, *, logged: bool = True) -> None:
        """Write the events of *command* down; they have been applied to its recipients.

        Those that are not *logged* are told by their cause in a line for all.
        """
        config, note = self._view.config, self._writer.note
        tells = False
        for event, recipient in zip(command.events, command.recipients, strict=True):
            note(event, recipient, logged=logged)
            if report_action(event, recipient, config) is not None:
                tells = True
        if tells:
            self._tell(command, config)
        else:
            self._spool.record(command.events)

    def _tell(self, command: WriteEvents, config: Config) -> None:
        """Start the reports that *command* asks for, and write what need not wait for them."""
        direct: list[Event] = []
        reports: dict[tuple[bytes, str], Report] = {}
        for event, recipient in zip(command.events, command.recipients, strict=True):
            action = self._action(event, recipient, config)
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

    def _action(self, event: Event, recipient: Recipient, config: Config) -> Action | None:
        """Say what the sender is told of *event* now, or None."""
        action = report_action(event, recipient, config)
        if action is not None and recipient.message.fate == "fail":
            return action if self._mistakes.is_news(recipient.message, event.at) else None
        return action

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
