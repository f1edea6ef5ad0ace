"""From what a door received to a durable message, and the receipt that follows.

The way of a message: `submit` → `prepared` (the header block, and what of it is stored; is it taken, by which binding,
with which copies) → `Entrance.enter`, which has the spool make it durable → `_entered`, the receipt. One with
copies, or with recipients that were not counted yet, goes by `_enter_counted` on the way.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import attrgetter

import msgspec

from angarium.config.model import Config
from angarium.core.body import Body, LargeBody
from angarium.core.clock import Clock
from angarium.core.errors import AngariumError
from angarium.core.fields import Form
from angarium.core.ids import MessageId, new_id
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.records import Content, KeyedAnswer, Message
from angarium.core.submission import EntrancePolicy, OnReceipt, Problem, Raw, Reason, Receipt, Submission
from angarium.core.tasks import Tasks
from angarium.core.waiting import NOTHING_WAITS
from angarium.identity.principal import Principal
from angarium.spool.port import SharedBody, SpoolError
from angarium.submission.intake.arrival import Arrival
from angarium.submission.intake.bounds import content_problem
from angarium.submission.intake.copies import NO_COPIES, Copies, hidden_copy
from angarium.submission.intake.draft import draft_of
from angarium.submission.intake.keyed import mail_answer, mail_claim
from angarium.submission.intake.message import received
from angarium.submission.intake.notes import Notes
from angarium.submission.intake.ports import Entrance, Facts, Files, Keys, NoFacts, Orders
from angarium.submission.intake.prepared import NotTaken, PreparedMail, prepared
from angarium.submission.intake.quota import NothingCounted, Quota, Reservation
from angarium.submission.intake.spill import Spill
from angarium.submission.intake.together import Seal, Together
from angarium.submission.keys.claim import key_problem
from angarium.submission.policy import storage_problem

_FAULT = Receipt(problems=(Problem(Reason.FAULT),))
_ID = attrgetter("id")
_AT_ONCE = 50


class Intake:
    """Takes messages of all doors of a worker. *refuses* is set by its owner from `admission.refusal`, each second.

    *quota* is asked by each door that names recipients one by one; what is left to count is counted here.
    """

    def __init__(
        self,
        config: Config,
        entrance: Entrance,
        files: Files,
        clock: Clock,
        log: Log,
        rng: random.Random,
        counters: Counters | None = None,
        quota: Quota | None = None,
        facts: Facts | None = None,
        orders: Orders | None = None,
        keys: Keys | None = None,
    ) -> None:
        self.config = config
        self.keys = keys
        self.refuses: Problem | None = None
        self.quota = quota or Quota(NothingCounted(), NOTHING_WAITS, clock)
        self._pending = 0
        self._none_pending: asyncio.Event | None = None
        self._entrance = entrance
        self._files = files
        self._clock = clock
        self._log = log
        counters = counters or Counters()
        self._acceptance = counters.histogram("acceptance_seconds")
        self._notes = Notes(log, counters, facts or NoFacts())
        self._rng = rng
        self._tasks = Tasks(log, clock)
        self._together = Together(
            entrance, files, self._notes, self.quota, clock, rng, self._acceptance.observe, orders
        )

    def spill(
        self,
        message_id: MessageId,
        slow: Callable[[bool], None],
        policy: EntrancePolicy,
        principal: Principal | None = None,
        is_known: bool = False,
    ) -> Spill:
        """Open a file for a body that does not fit into the journal, as it will be stored.

        The arguments must be those of the submission that follows: what is cut out of the header depends on them.
        """
        return Spill(
            self._files.large_body(message_id),
            slow,
            lambda header: draft_of(header, principal, is_trusted=is_known).spans,
            policy.max_header_size,
        )

    async def settled(self) -> None:
        """Wait until every message that was handed in has been answered."""
        if self._pending:
            self._none_pending = self._none_pending or asyncio.Event()
            await self._none_pending.wait()

    def _answered(self) -> None:
        self._pending -= 1
        if not self._pending and self._none_pending is not None:
            self._none_pending.set()
            self._none_pending = None

    def new_id(self) -> MessageId:
        """Return an id for a message that is being received."""
        return new_id(self._clock.now())

    def submit(
        self, submission: Submission[Principal], answer: OnReceipt, reservation: Reservation | None = None
    ) -> None:
        """Accept the message or refuse it; *answer* is called once, with a message in it only when that is durable.
        Raises nothing: what was not foreseen is logged, and refused for now.

        The body in a file is one that `spill` has written. *reservation* is what was taken for the recipients of the
        envelope; without one no door has looked at them: of a sender who logged in they are checked and counted now.
        """
        arrival = Arrival(submission, self._clock.now(), reservation, answer, self._answered)
        self._pending += 1
        try:
            self._read(arrival)
        except Exception as error:  # noqa: BLE001 - whoever waits for the answer, and the drain, would wait for ever
            self._fail(arrival, error)

    async def submit_all(
        self,
        submissions: Iterable[Submission[Principal] | Receipt],
        principal: Principal,
        most_bytes: int = 0,
        *,
        dry: bool = False,
        seal: Seal | None = None,
    ) -> list[Receipt]:
        """Accept submissions of *principal* together, and return a receipt for each: see `Together.take`."""
        self._pending += 1
        try:
            take = self._together.take
            return await take(self.config, submissions, principal, most_bytes, dry=dry, seal=seal)
        finally:
            self._answered()

    def _fail(self, arrival: Arrival, error: Exception) -> None:
        """Refuse a message for a fault of ours. What was answered before it stays as it was answered."""
        self._notes.fault(self._clock.now(), arrival.submission.id, error)
        if arrival.is_open:
            self._discard(arrival.submission)
            arrival.answer(_FAULT)

    def _read(self, arrival: Arrival) -> None:
        uncounted = arrival.uncounted
        if isinstance(arrival.submission.content, Form):  # it may be many messages: `submit_all` takes it
            self._refuse(arrival, (content_problem(arrival.submission.content),))
            return
        found = prepared(self.config, arrival.submission, arrival.at, uncounted, self._rng)
        if isinstance(found, NotTaken):
            self._refuse(arrival, found.problems)
            return
        if found.failing:
            arrival.failing = found.failing
            self._notes.count(found.failing)
        message, body = found.message, found.body
        if found.draft.key and self.keys is not None and arrival.submission.principal is not None:
            self._tasks.start(self._enter_keyed(arrival, found, self.keys))
            return
        is_held = isinstance(body, LargeBody) and bool(message.options.keep_body_days)
        if found.copies is not NO_COPIES or uncounted or is_held:
            self._tasks.start(self._enter_counted(arrival, message, found.added, body, found.copies))
        else:
            self._entrance.enter(message, body, partial(self._entered, arrival, (message,)))

    def _entered(self, arrival: Arrival, messages: Sequence[Message], error: SpoolError | None) -> None:
        receipt = _FAULT
        try:
            if error is None:
                receipt = Receipt(tuple(map(_ID, messages)), arrival.failing)
                self._acceptance.observe(self._clock.now() - arrival.at)
                for message in messages:
                    self._notes.received(message, arrival.failing)
            else:
                receipt = Receipt(problems=(storage_problem(error),))
                self._notes.not_stored(self._clock.now(), arrival.submission, error)
        finally:
            arrival.answer(receipt)

    async def _enter_keyed(self, arrival: Arrival, found: PreparedMail, keys: Keys) -> None:
        """Enter a message with a key, or say again what was said of it."""
        try:
            claim = await mail_claim(found)
            outcome = key_problem(found.draft.key) or await keys.claim(claim)
        except Exception as error:  # noqa: BLE001 - the sender waits for an answer
            self._fail(arrival, error)
            return
        if isinstance(outcome, Problem):
            self._refuse(arrival, (outcome,))
        elif outcome is not None:
            self._repeat(arrival, outcome)
        else:
            arrival.before_refusal = lambda then: self._tasks.start(_freed(keys, claim.key, then))
            kept = mail_answer(found, claim)
            await self._enter_counted(arrival, found.message, found.added, found.body, found.copies, kept)

    def _repeat(self, arrival: Arrival, answer: KeyedAnswer) -> None:
        """Give the receipt that was given before."""
        self._discard(arrival.submission)
        if arrival.reservation is not None:
            arrival.reservation.settle(False)
        arrival.answer(Receipt((MessageId(answer.body),)))

    async def _enter_counted(
        self,
        arrival: Arrival,
        message: Message,
        added: bytes,
        body: Body,
        copies: Copies,
        kept: KeyedAnswer | None = None,
    ) -> None:
        submission = arrival.submission
        try:
            problem = await self._count(arrival, copies.number + len(arrival.uncounted))
            if problem is not None:
                self._refuse(arrival, (problem,))
                return
        except Exception as error:  # noqa: BLE001 - the sender waits for an answer
            self._fail(arrival, error)
            return
        messages = [message]
        done = partial(self._entered, arrival, messages)
        try:
            if isinstance(body, LargeBody) and message.options.keep_body_days:
                await self._files.large_body(message.id).hold()
            if copies.hidden:
                messages[0] = msgspec.structs.replace(message, content=message.id)
                messages += await self._hidden_copies(arrival, messages[0], added, copies)
                shared = SharedBody(Content(id=message.id, made_at=arrival.at, size=message.body_size), body)
                self._entrance.enter_all(
                    [(each, b"") for each in messages], done, contents=[shared], answer=kept
                )
            elif kept is not None:
                self._entrance.enter_all([(message, body)], done, answer=kept)
            else:
                self._entrance.enter(message, body, done)
        except Exception as error:  # noqa: BLE001 - nothing was entered
            self._discard(submission)
            done(self._as_storage(submission.id, error))

    async def _hidden_copies(
        self, arrival: Arrival, message: Message, added: bytes, copies: Copies
    ) -> list[Message]:
        made = []
        for number, copy in enumerate(copies.hidden):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)  # other sessions have their turn
            copy_id = self.new_id()
            trace = received(arrival.submission, arrival.at, copy_id, copy.address) + added
            made.append(hidden_copy(message, copy, copy_id, trace))
        return made

    def _as_storage(self, message_id: MessageId, error: Exception) -> SpoolError:
        if isinstance(error, SpoolError):
            return error
        self._notes.fault(self._clock.now(), message_id, error)
        return SpoolError("a fault of ours; see the log")

    async def _count(self, arrival: Arrival, recipients: int) -> Problem | None:
        """Take so many recipients more of the sender's quota. Returns why there is no room for them."""
        principal = arrival.submission.principal
        if principal is None:
            return None
        if arrival.reservation is None:
            arrival.reservation = self.quota.reserve(principal, self.config.globals)
        try:
            taken = await arrival.reservation.take(recipients)
        except AngariumError as error:
            self._notes.not_counted(self._clock.now(), arrival.submission.id, error)
            return Problem(Reason.UNCOUNTED)
        return taken if isinstance(taken, Problem) else None

    def _refuse(self, arrival: Arrival, problems: tuple[Problem, ...]) -> None:
        self._discard(arrival.submission)
        self._notes.refused(arrival.submission, arrival.at, problems)
        arrival.answer(Receipt(problems=problems))

    def _discard(self, submission: Submission[Principal]) -> None:
        content = submission.content
        if isinstance(content, Raw) and isinstance(content.body, LargeBody):
            self._files.large_body(submission.id).discard()


async def _freed(keys: Keys, key: bytes, then: Callable[[], None]) -> None:
    try:
        await keys.free(key)
    finally:
        then()
