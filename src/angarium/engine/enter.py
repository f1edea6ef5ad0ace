"""How mail enters: durable first, then with the scheduler."""

from collections.abc import Sequence

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.records import KeyedAnswer, Message, Recipient
from angarium.core.waiting import WaitingMail, account_of
from angarium.engine.live import LiveScheduler
from angarium.engine.suppressing import Suppressing
from angarium.engine.view import ConfigView
from angarium.queue.routing import routing_domain
from angarium.spool.port import Body, SharedBody, Spool, SpoolError, Then

_MESSAGES, _RECIPIENTS = ("received_messages_total",), ("received_recipients_total",)
_BYTES = ("received_bytes_total",)


class Acceptance:
    """Makes mail durable, and has the scheduler see to it from then on."""

    def __init__(
        self,
        view: ConfigView,
        spool: Spool,
        scheduler: LiveScheduler,
        suppressing: Suppressing,
        clock: Clock,
        log: Log,
        counters: Counters,
        waiting: WaitingMail,
    ) -> None:
        self._view = view
        self._spool = spool
        self._scheduler = scheduler
        self._suppressing = suppressing
        self._clock = clock
        self._log = log
        self._counters = counters
        self._waiting_mail = waiting

    def enter(self, message: Message, body: Body, then: Then) -> None:
        """Make *message* durable and see to its delivery; *then* is called as by `Spool.accept`."""
        settled = self._waits_in_store(message)

        def accepted(error: SpoolError | None) -> None:
            if error is None:
                self._take_over(message, settled)
            then(error)

        self._spool.accept(message, body, accepted, settled=settled)

    def enter_all(
        self,
        messages: Sequence[tuple[Message, Body]],
        then: Then,
        *,
        contents: Sequence[SharedBody] = (),
        answer: KeyedAnswer | None = None,
    ) -> None:
        """Make *messages* durable together, or none, and see to their delivery; *then* is called as by
        `Spool.accept_all`. Where memory has no room for one, all of them wait in the settled store.
        """
        settled = any(self._waits_in_store(message) for message, _ in messages)

        def accepted(error: SpoolError | None) -> None:
            if error is None:
                for message, _ in messages:
                    self._take_over(message, settled)
            then(error)

        self._spool.accept_all(messages, accepted, contents=contents, answer=answer, settled=settled)

    def _take_over(self, message: Message, settled: bool) -> None:
        try:
            self._count(message)
            if not settled:
                self.add(recipients_of(message, self._view.config))
        except Exception as error:  # noqa: BLE001 - it is durable, and the sender waits to hear so
            self._log.fault(self._clock.now(), error, message=message.id.hex())

    def taken_over(self, message: Message) -> None:
        """Count a message that its maker has made durable, and whose recipients it hands out itself."""
        self._count(message)

    def part_of(self, message: Message, start: int, most: int) -> list[Recipient]:
        """Return up to *most* fresh recipients of *message* from number *start* on, to be added or settled."""
        return recipients_of(message, self._view.config, range(start, start + most))

    def has_room(self, message: Message) -> bool:
        """Whether recipients of *message* may stay in memory; else they are to be settled."""
        return not self._waits_in_store(message)

    def add(self, recipients: list[Recipient]) -> None:
        """Schedule recipients that are durable and not in the settled store."""
        self._suppressing.add(recipients)

    def _waits_in_store(self, message: Message) -> bool:
        """Whether an accepted message goes on to the settled store straight away: where memory has no room for it,
        where it is to leave later, or where it is not known yet who must not get it.

        Mail to us waits there for its reader. What is to fail ends at once, and needs no room.
        """
        if message.fate in ("fail", "feedback"):
            return message.fate == "feedback"
        if message.due_at is not None and message.due_at > self._clock.now():
            return True
        return not (self._scheduler.has_room(message.tenant) and self._suppressing.knows(message.account))

    def _count(self, message: Message) -> None:
        numbers, number = self._counters.values, len(message.recipients)
        numbers[_MESSAGES] += 1
        numbers[_RECIPIENTS] += number
        numbers[_BYTES] += message.body_size
        account = account_of(message.tenant)
        if account:
            self._waiting_mail.wait(account, number, number * message.body_size)


def recipients_of(message: Message, config: Config, some: range | None = None) -> list[Recipient]:
    """Make the units of state of a fresh message, or *some* of them, each in the queue that its domain leads to."""
    binding = message.binding
    if some is not None:
        paths = message.recipients
        return [
            Recipient(message, index, binding, routing_domain(config, binding, paths[index].domain))
            for index in some[: max(0, len(paths) - some.start)]
        ]
    return [
        Recipient(message, index, binding, routing_domain(config, binding, path.domain))
        for index, path in enumerate(message.recipients)
    ]
