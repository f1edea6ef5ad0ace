"""Submissions that are handed in together: those that can be taken enter the spool in one commit, all or none."""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence

import msgspec

from angarium.config.model import Config
from angarium.core.body import Body, LargeBody
from angarium.core.clock import Clock
from angarium.core.errors import AngariumError
from angarium.core.fields import Personal
from angarium.core.ids import MessageId, new_id
from angarium.core.orders import MOST_IN_SLICE, slice_id, sliced
from angarium.core.records import Content, KeyedAnswer, Message
from angarium.core.submission import Problem, Reason, Receipt, Submission
from angarium.identity.principal import Principal
from angarium.spool.port import SharedBody, SpoolError
from angarium.submission.intake.copies import hidden_copy
from angarium.submission.intake.message import received
from angarium.submission.intake.notes import Notes
from angarium.submission.intake.ports import Entrance, Files, Orders
from angarium.submission.intake.prepared import NotTaken, PreparedMail, prepared
from angarium.submission.intake.quota import Quota, Reservation
from angarium.submission.policy import storage_problem

Seal = Callable[[Sequence[Receipt]], KeyedAnswer]
"""Makes of the receipts what is kept with the mail, before that is durable."""

_AT_ONCE = 10
"""Submissions that are looked at before other work has its turn."""
_SEGMENT_MARGIN = 131_072
"""Room for what a segment begins with, and for the answer that is written with them."""
_RECORD_BYTES = 1024
"""About what a message takes in the journal besides its body."""
MOST_AT_ONCE = 5 * MOST_IN_SLICE
"""Recipients of a form that become messages while the sender waits. More are an order."""
_PATH_BYTES = 330
"""What a recipient takes at most, about."""


class Together:
    """Takes submissions of one sender together."""

    def __init__(
        self,
        entrance: Entrance,
        files: Files,
        notes: Notes,
        quota: Quota,
        clock: Clock,
        rng: random.Random,
        observe: Callable[[float], None],
        orders: Orders | None = None,
    ) -> None:
        self._entrance = entrance
        self._files = files
        self._notes = notes
        self._quota = quota
        self._clock = clock
        self._rng = rng
        self._observe = observe
        self._orders = orders

    async def take(
        self,
        config: Config,
        submissions: Iterable[Submission[Principal] | Receipt],
        principal: Principal,
        most_bytes: int,
        *,
        dry: bool = False,
        seal: Seal | None = None,
    ) -> list[Receipt]:
        """Take what can be taken, of *principal*, and return a receipt for each of *submissions*, in their order: one
        that is a receipt already is passed through. A message may have *most_bytes*, 0 for no limit. With *dry*
        nothing enters. What *seal* makes enters with them, if anything does.

        Raises nothing that is the spool's: where it can keep none, the receipts say so.
        """
        group = _Group(config, self._quota.reserve(principal, config.globals), most_bytes)
        try:
            for number, each in enumerate(submissions):
                if number % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.sleep(0)
                group.receipts.append(each if isinstance(each, Receipt) else await self._take(each, group))
            if dry:
                group.reservation.settle(False)
            else:
                await self._enter(group, seal)
            return group.receipts
        except BaseException:
            group.reservation.settle(False)
            self._discard(group)
            raise

    # -- one of them

    async def _take(self, submission: Submission[Principal], group: "_Group") -> Receipt:
        at = self._clock.now()
        found = prepared(group.config, submission, at, submission.envelope.recipients, self._rng)
        problems = found.problems if isinstance(found, NotTaken) else group.too_large(found)
        if not problems and isinstance(found, PreparedMail):
            problems = await self._count(found, group)
        if problems or isinstance(found, NotTaken):
            self._notes.refused(submission, at, problems)
            return Receipt(problems=problems)
        if found.failing:
            self._notes.count(found.failing)
        copies = [self._copy(found, number) for number in range(len(found.copies.hidden))]
        is_large = found.submission.source is not None or len(found.message.recipients) > MOST_AT_ONCE
        is_order = self._orders is not None and is_large
        ids = group.add(_Entry(found, copies, is_order=is_order))
        return Receipt(ids, found.failing)

    async def _count(self, found: PreparedMail, group: "_Group") -> tuple[Problem, ...]:
        source = found.submission.source
        number = (
            source.size if source is not None else len(found.message.recipients) + len(found.copies.hidden)
        )
        problem = group.reservation.lacks_room(number, group.waiting_bytes + number * found.size)
        if problem is None:
            try:
                taken = await group.reservation.take(number)
            except AngariumError as error:
                self._notes.not_counted(found.at, found.submission.id, error)
                return (Problem(Reason.UNCOUNTED),)
            problem = taken if isinstance(taken, Problem) else None
        if problem is not None:
            return (problem,)
        group.waiting_bytes += number * found.size
        return ()

    def _copy(self, found: PreparedMail, number: int) -> Message:
        copy, copy_id = found.copies.hidden[number], new_id(self._clock.now())
        trace = received(found.submission, found.at, copy_id, copy.address) + found.added
        return hidden_copy(found.message, copy, copy_id, trace)

    # -- all of them

    async def _enter(self, group: "_Group", seal: Seal | None) -> None:
        if not group.entries:
            group.reservation.settle(False)
            return
        began_at = self._clock.now()
        if seal is not None:  # an order that cannot be kept must not stand in the answer that is
            await self._place_orders(group)
        kept = seal(group.receipts) if seal is not None and group.takes_any else None
        error = await self._commit(group, kept)
        group.reservation.settle(error is None)
        if error is None:
            if seal is None:
                await self._place_orders(group)
            self._observe(self._clock.now() - began_at)
            for entry in group.entries:
                for message in entry.messages:
                    self._notes.received(message, entry.failing)
            return
        problem = storage_problem(error)
        for entry in group.entries:
            self._notes.not_stored(self._clock.now(), entry.submission, error)
        group.receipts[:] = [
            Receipt(problems=(problem,)) if receipt.messages else receipt for receipt in group.receipts
        ]

    async def _commit(self, group: "_Group", kept: KeyedAnswer | None) -> SpoolError | None:
        try:
            for entry in group.large():
                await self._lay_aside(entry)
        except SpoolError as error:
            self._discard(group)
            return error
        answer: asyncio.Future[SpoolError | None] = asyncio.get_running_loop().create_future()
        direct = [entry for entry in group.entries if not entry.is_order]
        messages = [pair for entry in direct for pair in entry.pairs]
        contents = [entry.shared for entry in direct if entry.shared is not None]
        group.is_handed_over = True
        if not messages and kept is None:
            return None
        if len(messages) == 1 and not contents and kept is None:
            self._entrance.enter(*messages[0], lambda error: _tell(answer, error))
        else:
            self._entrance.enter_all(
                messages, lambda error: _tell(answer, error), contents=contents, answer=kept
            )
        return await answer

    async def _place_orders(self, group: "_Group") -> None:
        """Place what is too large to be made into messages while its sender waits; one that cannot be kept is refused
        alone.
        """
        for entry in [each for each in group.entries if each.is_order]:
            assert self._orders is not None
            assert isinstance(entry.body, bytes)
            try:
                source = entry.submission.source
                await self._orders.place(
                    entry.messages[0],
                    entry.body,
                    entry.personal,
                    source=source.id if source is not None else "",
                )
            except SpoolError as error:
                self._notes.not_stored(self._clock.now(), entry.submission, error)
                group.refuse(entry, storage_problem(error))

    async def _lay_aside(self, entry: "_Entry") -> None:
        """Write a body to a file of its own."""
        assert isinstance(entry.body, bytes)
        entry.is_in_file = True
        writer = self._files.large_body(entry.body_id)
        await writer.write(entry.body)
        entry.body = await writer.finish()
        if entry.messages[0].options.keep_body_days:
            await writer.hold()

    def _discard(self, group: "_Group") -> None:
        """Remove the files of what has not entered."""
        if not group.is_handed_over:
            for entry in group.entries:
                if entry.is_in_file:
                    self._files.large_body(entry.body_id).discard()


def _tell(answer: "asyncio.Future[SpoolError | None]", error: SpoolError | None) -> None:
    if not answer.done():  # else who waited was cancelled
        answer.set_result(error)


def slices_of(message: Message, personal: Sequence[Personal]) -> list[tuple[Message, bytes]]:
    """Return the messages that a form with so many recipients is, each with what it has of its own."""
    return [
        (
            msgspec.structs.replace(
                message,
                id=slice_id(message.id, number),
                recipients=each.recipients,
                submission=message.id if number else message.submission,
            ),
            each.data,
        )
        for number, each in enumerate(sliced(message.recipients, personal))
    ]


class _Entry:
    """What enters for one submission: a message and its copies, which share its body."""

    def __init__(self, found: PreparedMail, copies: Sequence[Message], *, is_order: bool = False) -> None:
        self.is_order = is_order and found.message.is_form
        self.personal = found.personal
        self.submission = found.submission
        self.failing = found.failing
        self.at = found.at
        self.body: Body = found.body
        self.is_in_file = isinstance(found.body, LargeBody)
        self.is_shared = bool(copies) or found.message.is_form
        self.messages: list[Message] = [found.message, *copies]
        self.own: list[bytes] = [b""] * len(self.messages)
        if found.message.is_form and not self.is_order:
            pieces = slices_of(found.message, found.personal)
            self.messages, self.own = [message for message, _ in pieces], [own for _, own in pieces]
        if self.is_shared:
            content = found.message.id
            self.messages = [msgspec.structs.replace(each, content=content) for each in self.messages]

    @property
    def body_id(self) -> MessageId:
        """What a file with the body is called by."""
        return self.messages[0].id

    @property
    def size(self) -> int:
        """About its bytes in the journal."""
        if self.is_order:
            return 0
        inside = len(self.body) if isinstance(self.body, bytes) else 0
        recipients = sum(len(message.recipients) for message in self.messages)
        return (
            inside + _RECORD_BYTES * len(self.messages) + sum(map(len, self.own)) + _PATH_BYTES * recipients
        )

    @property
    def pairs(self) -> list[tuple[Message, Body]]:
        """The messages, each with what it has of its own."""
        if not self.is_shared:
            return [(each, self.body) for each in self.messages]
        return list(zip(self.messages, self.own, strict=True))

    @property
    def shared(self) -> SharedBody | None:
        """What they share, None for a message alone."""
        if not self.is_shared:
            return None
        first = self.messages[0]
        return SharedBody(Content(id=first.id, made_at=self.at, size=first.body_size), self.body)


class _Group:
    """What enters in one commit, as it comes together."""

    def __init__(self, config: Config, reservation: Reservation, most_bytes: int) -> None:
        self.config = config
        self.reservation = reservation
        self.receipts: list[Receipt] = []
        self.entries: list[_Entry] = []
        self.waiting_bytes = 0
        self.is_handed_over = False
        self._most_bytes = most_bytes

    def too_large(self, found: PreparedMail) -> tuple[Problem, ...]:
        """Say that a message is larger than any may be, where it is."""
        if not self._most_bytes or found.size <= self._most_bytes:
            return ()
        return (Problem(Reason.MESSAGE_SIZE, limit=self._most_bytes, found=found.size),)

    def add(self, entry: "_Entry") -> tuple[MessageId, ...]:
        """Add what enters for one submission; return the ids."""
        self.entries.append(entry)
        return tuple(each.id for each in entry.messages)

    @property
    def takes_any(self) -> bool:
        """Whether anything is left to be taken."""
        return any(receipt.messages for receipt in self.receipts)

    def refuse(self, entry: "_Entry", problem: Problem) -> None:
        """Take back what was said of one of the entries."""
        at = next(
            index
            for index, receipt in enumerate(self.receipts)
            if receipt.messages and receipt.messages[0] == entry.messages[0].id
        )
        self.receipts[at] = Receipt(problems=(problem,))

    def large(self) -> list[_Entry]:
        """Return those whose bodies go into files: the large ones, and as many more that the rest fits a segment."""
        options = self.config.globals
        left = sum(entry.size for entry in self.entries)
        most = options.spool_segment_size - _SEGMENT_MARGIN
        found = []
        for entry in sorted(self.entries, key=lambda each: each.size, reverse=True):
            if entry.is_order or not isinstance(entry.body, bytes):
                continue
            if len(entry.body) <= options.large_message_threshold and left <= most:
                break
            found.append(entry)
            left -= len(entry.body)
        return found
