"""The operator's commands, as one worker carries them out: look, and change what waits.

Every change is an event like any other, so the journal tells who changed what, and a crash in the middle leaves each
recipient either changed or not. Recipients in flight are left alone and counted: their outcome is already on its way.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId, parse_id
from angarium.core.log import Log
from angarium.core.operations import (
    ActArgs,
    Action,
    Changed,
    Count,
    CountArgs,
    MessageArgs,
    MessageHistory,
    QueueRow,
    QueuesArgs,
    RecipientRow,
    RecipientsArgs,
    SelectionArgs,
)
from angarium.core.records import Event, Message, Recipient
from angarium.core.reply import Reply
from angarium.engine.enter import recipients_of
from angarium.engine.live import LiveScheduler
from angarium.engine.looks import Looks
from angarium.engine.page import Pager
from angarium.engine.record import Recorder
from angarium.engine.reports.report import QUIET
from angarium.engine.resolve import WayFinder
from angarium.engine.shown import describe_event, describe_message, describe_queue
from angarium.engine.view import ConfigView
from angarium.queue.commands import WriteEvents
from angarium.queue.routing import routing_domain
from angarium.spool.port import Selection, Spool

PURGED = Reply(554, "5.7.0", "failed by the operator")
_BATCH = 1000
_AT_ONCE = 200
"""So many recipients are changed before the loop has its turn again: mail goes in and out meanwhile."""
_MAKE_DUE = ("flush", "release")
"""These let mail go; while the others look for theirs, none of it comes into memory."""


class Operator:
    """Serves the operations named by its public methods."""

    def __init__(
        self,
        view: ConfigView,
        spool: Spool,
        scheduler: LiveScheduler,
        recorder: Recorder,
        way_finder: WayFinder,
        pager: Pager,
        looks: Looks,
        clock: Clock,
        log: Log,
    ) -> None:
        self._view = view
        self._spool = spool
        self._scheduler = scheduler
        self._recorder = recorder
        self._way_finder = way_finder
        self._pager = pager
        self._looks = looks
        self._now = clock.now
        self._log = log
        self._turn = asyncio.Lock()

    async def count(self, args: CountArgs) -> Count:
        """Say how many recipients match, and how many of them are in flight."""
        selection = selection_of(args.selection)
        resident, in_flight = self._scheduler.census.count(selection)
        return Count(resident + await self._spool.count(selection), in_flight)

    async def act(self, args: ActArgs, progress: Callable[[int], None]) -> Changed:
        """Carry the action out on all that match and are not in flight; tell *progress* how many are done.

        What was changed is durable when this returns, and so are the reports it made. The log has one line for all; the
        events are in the journal. One command is carried out after the other. What is tried at once goes by what DNS
        says from now on. Raises AngariumError for a binding that is not configured, before anything is changed, and
        SpoolError when the changes cannot be written.
        """
        if args.action == "rebind" and args.target not in self._view.config.bindings:
            known = ", ".join(sorted(self._view.config.bindings))
            raise AngariumError(
                f"there is no binding {args.target!r} in the configuration; there are: {known}"
            )
        selection = selection_of(args.selection)
        async with self._turn:
            began = self._now()
            _, in_flight = self._scheduler.census.count(selection)
            change = self._change(args)
            if args.action in _MAKE_DUE:
                await self._ask_anew(selection)
                done = await self._change_all(args.action, selection, change, progress)
                self._scheduler.flush(selection)
            else:
                with self._pager.leaving(selection):
                    done = await self._change_all(args.action, selection, change, progress)
            await self._recorder.written()
            await self._spool.count(selection)  # by then the store has it as well: it is shown as it is
        changed = Changed(done, in_flight)
        self._log_summary(args, changed, began)
        return changed

    async def _change_all(
        self, action: Action, selection: Selection, change: "Change", progress: Callable[[int], None]
    ) -> int:
        """Go once through memory and settled store; return how many were changed."""
        await self._pager.arrived()
        changed = await self._change_resident(selection, change)
        done = len(changed)
        progress(done)
        # What was put off a moment ago is to be found in the settled store from now on.
        await self._recorder.written()
        after: tuple[MessageId, int] | None = None
        while found := await self._spool.select(selection, after, _BATCH):
            after = found[-1].key
            rows = [each for each in found if each.key not in changed and is_open_to(action, each.message)]
            async for some in _in_turns(rows):
                self._recorder.record(WriteEvents.of(some, change), logged=False)
            await self._recorder.written()
            done += len(rows)
            progress(done)
        return done

    async def _ask_anew(self, selection: Selection) -> None:
        """Have the DNS asked anew about what *selection* is about; about all domains where it names only a binding."""
        if selection.message is None:
            self._way_finder.ask_anew(*filter(None, (selection.domain,)))
            return
        await self._pager.arrived()
        await self._recorder.written()
        domains = {each.domain for each in self._scheduler.census.matching(selection, _BATCH)}
        after: tuple[MessageId, int] | None = None
        while found := await self._spool.select(selection, after, _BATCH):
            after = found[-1].key
            domains |= {each.domain for each in found}
        if domains:
            self._way_finder.ask_anew(*domains)

    async def _change_resident(self, selection: Selection, change: "Change") -> set[tuple[MessageId, int]]:
        """Change what is in memory and give it to the settled store, where it may be met again before long."""
        recipients = self._scheduler.evict(selection)
        async for some in _in_turns(recipients):
            self._recorder.record(WriteEvents.of(some, change), logged=False)
            waiting = [each for each in some if each.state in ("queued", "held")]
            if waiting:
                self._spool.settle(waiting)
        return {each.key for each in recipients}

    def _log_summary(self, args: ActArgs, changed: Changed, began: float) -> None:
        now = self._now()
        self._log.info(
            "changed",
            now,
            action=args.action,
            **selection_of(args.selection)._asdict() | {"message": args.selection.message},
            target=args.target,
            note=args.note,
            changed=changed.changed,
            in_flight=changed.in_flight,
            seconds=round(now - began, 3),
        )

    def _change(self, args: ActArgs) -> "Change":
        now, action, target = self._now(), args.action, args.target
        note = f"{QUIET}{args.note}" if args.quiet else args.note
        if action == "flush":
            return lambda each: each.event("flushed", now, "queued", due_at=now, note=note)
        if action == "hold":
            return lambda each: each.event("held", now, "held", note=note)
        if action == "release":
            return lambda each: each.event("released", now, "queued", due_at=now, note=note)
        if action == "fail":
            return lambda each: each.event("cancelled", now, "cancelled", reply=PURGED, note=note)
        config = self._view.config
        if action == "reroute":
            return lambda each: each.event(
                "rerouted",
                now,
                each.state,
                due_at=now,
                note=note,
                domain=routing_domain(config, each.binding, target.lower()),
            )
        return lambda each: each.event(
            "rebound",
            now,
            each.state,
            due_at=now,
            note=note,
            binding=target,
            domain=routing_domain(config, target, each.path.domain),
        )

    async def queues(self, args: QueuesArgs) -> list[QueueRow]:
        """Describe every queue with mail that matches: numbers, next try, last reply and what holds it."""
        found = await self._looks.queues(Selection(domain=args.domain, binding=args.binding))
        return [describe_queue(status) for status in found]

    async def recipients(self, args: RecipientsArgs) -> list[RecipientRow]:
        """List recipients that match, those in memory first."""
        selection, limit = selection_of(args.selection), args.limit
        rows = self._scheduler.census.matching(selection, limit)
        if len(rows) < limit:
            rows = rows + await self._spool.select(selection, None, limit - len(rows))
        return await self._looks.recipients(rows)

    async def message(self, args: MessageArgs) -> MessageHistory:
        """Tell all that is known of a message: nothing when this worker has never had it."""
        message_id = parse_id(args.id)
        message, events = await self._spool.history(message_id)
        if message is None and not events:
            return MessageHistory()
        states = _states(message, events, self._view.config) if message is not None else []
        return MessageHistory(
            describe_message(message) if message is not None else {"id": args.id},
            self._looks.described(states, {(each.message, each.index): each for each in events}),
            [describe_event(each, message) for each in events],
        )


Change = Callable[[Recipient], Event]


def is_open_to(action: Action, message: Message) -> bool:
    """Whether *action* may be carried out on *message*. Mail to us is never sent; it can be failed."""
    return message.fate != "feedback" or action == "fail"


async def _in_turns(recipients: list[Recipient]) -> AsyncIterator[list[Recipient]]:
    for start in range(0, len(recipients), _AT_ONCE):
        yield recipients[start : start + _AT_ONCE]
        await asyncio.sleep(0)


def selection_of(args: SelectionArgs) -> Selection:
    """Return what *args* select. Raises ValueError for a bad message id."""
    return Selection(
        domain=args.domain or None,
        binding=args.binding or None,
        message=parse_id(args.message) if args.message else None,
        state=args.state,
    )


def _states(message: Message, events: list[Event], config: Config) -> list[Recipient]:
    """Return each recipient in the state its last event left it in."""
    recipients = recipients_of(message, config)
    for event in events:
        if 0 <= event.index < len(recipients):
            recipients[event.index].apply(event)
    return recipients
