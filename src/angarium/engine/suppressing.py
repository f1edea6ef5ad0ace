"""Mail to recipients who are suppressed: it ends as soon as it comes into memory, and not at its first attempt, which a
destination that nobody answers for might never see.
"""

from collections.abc import Callable, Sequence

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.records import Event, Recipient
from angarium.core.tasks import Tasks
from angarium.core.waiting import account_of
from angarium.engine.clearance import Clearance, in_question
from angarium.engine.failing import Failing
from angarium.engine.live import LiveScheduler
from angarium.queue.commands import WriteEvents
from angarium.sql.errors import StoreError
from angarium.suppressions.decide import Stop


class Suppressing:
    """Between those by whom recipients come into memory and the scheduler. What is to fail, and what is
    for a sandbox, is *failing*'s.

    Who cannot be looked up goes on: the attempt asks again, and does not send before it is answered.
    """

    def __init__(
        self, clearance: Clearance, failing: Failing, scheduler: LiveScheduler, clock: Clock, log: Log
    ) -> None:
        self._clearance = clearance
        self._failing = failing
        self._scheduler = scheduler
        self._clock = clock
        self._log = log
        self._tasks = Tasks(log, clock)
        self._record: Callable[[WriteEvents], None] | None = None

    def recorded_by(self, record: Callable[[WriteEvents], None]) -> None:
        """Have *record* take the last events from now on."""
        self._record = record

    def knows(self, account: int) -> bool:
        """Whether mail of *account* may come into memory yet."""
        return not account or self._clearance.is_known

    async def known(self, tenant: str) -> None:
        """Wait until mail of *tenant* may come into memory."""
        if account_of(tenant):
            await self._clearance.known()

    def add(self, recipients: list[Recipient]) -> None:
        """Hand to the scheduler those of *recipients*, just accepted or recovered, that mail may go to; of some that is
        known only later.
        """
        recipients = self._failing.taken_out(recipients)
        asked = in_question(self._clearance, recipients)
        if asked:
            self._tasks.start(self._add_later(asked))
            recipients = _without(recipients, asked)
        self._scheduler.add(self._failing.sandboxed(recipients))

    async def sifted(self, recipients: list[Recipient]) -> list[Recipient]:
        """Return those of *recipients*, just come from the settled store, that mail may go to. Raises nothing that the
        ledger does.
        """
        recipients = self._failing.taken_out(recipients)
        asked = in_question(self._clearance, recipients)
        if asked:
            recipients = _without(recipients, await self._ended(asked))
        return self._failing.sandboxed(recipients)

    async def _add_later(self, asked: list[Recipient]) -> None:
        try:
            await self._clearance.known()
            ended = await self._ended(in_question(self._clearance, asked))
        except BaseException:
            self._scheduler.add(self._failing.sandboxed(asked))  # they are durable, and nobody else has them
            raise
        self._scheduler.add(self._failing.sandboxed(_without(asked, ended)))

    async def _ended(self, asked: Sequence[Recipient]) -> list[Recipient]:
        """End those of *asked* that are suppressed, and return them."""
        try:
            stops = await self._clearance.stops(asked)
        except StoreError:
            return []
        stopped = {id(each): stop for each, stop in zip(asked, stops, strict=True) if stop is not None}
        ended = [each for each in asked if id(each) in stopped]
        if ended:
            assert self._record is not None
            now = self._clock.now()
            self._record(WriteEvents.of(ended, lambda each: suppressed(each, stopped[id(each)], now)))
        return ended


def suppressed(recipient: Recipient, stop: Stop, now: float) -> Event:
    """Return the event that ends a recipient who is suppressed."""
    return recipient.event("suppressed", now, "suppressed", reply=stop.reply, note=stop.note)


def _without(recipients: list[Recipient], some: Sequence[Recipient]) -> list[Recipient]:
    gone = set(map(id, some))
    return [each for each in recipients if id(each) not in gone]
