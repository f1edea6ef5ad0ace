"""What an operator is shown of the mail that waits: gathered from scheduler, settled store and connections."""

import asyncio
from collections.abc import Mapping, Sequence
from heapq import nlargest

from angarium.core.clock import Clock
from angarium.core.ids import MessageId
from angarium.core.operations import RecipientRow
from angarium.core.records import TERMINAL, Event, Flow, QueueKey, Recipient
from angarium.engine.live import LiveScheduler
from angarium.engine.resolve import WayFinder
from angarium.engine.shown import describe_recipient
from angarium.engine.view import ConfigView
from angarium.engine.way_out import WayOut
from angarium.queue.explain import QueueStatus, Seen
from angarium.queue.plan import RoutePlan
from angarium.spool.port import FlowLook, Selection, Spool, SpoolError

MOST_FLOWS = 500
MOST_ROWS = 5_000
"""So much of the settled store is looked at for one answer: the flows with most mail, and some rows of each."""
MOST_IN_FLOW = 500

MOST_TOLD = 1_000
"""Of so many listed recipients it is looked up who said what and when."""

_AT_ONCE = 100
"""After so many queues the loop has its turn: mail goes in and out meanwhile."""

_PATIENCE_S = 2.0
"""The store answers in the order of its work, and not at all while the disk fails: then it is done without."""
_SHARE = 20
"""What took a second is looked at anew after twenty: who watches costs the store no more than a twentieth."""


class Looks:
    """Looks; changes nothing."""

    def __init__(
        self,
        view: ConfigView,
        spool: Spool,
        scheduler: LiveScheduler,
        way_finder: WayFinder,
        way_out: WayOut,
        clock: Clock,
    ) -> None:
        self._view = view
        self._spool = spool
        self._scheduler = scheduler
        self._way_finder = way_finder
        self._way_out = way_out
        self._now = clock.now
        self._kept: tuple[Selection, float, Mapping[Flow, FlowLook]] = Selection(), 0.0, {}

    async def queues(self, selection: Selection) -> list[QueueStatus]:
        """Every queue with mail or connections that *selection* covers, and what holds it."""
        seen = Seen(self._way_out.silences(), await self._looks(selection))
        found: list[QueueStatus] = []
        for row in self._scheduler.explainer.rows(self._now(), seen, selection):
            found.append(row)
            if len(found) % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return found

    async def _looks(self, selection: Selection) -> Mapping[Flow, FlowLook]:
        """Look at the stored flows with most mail; again only after a while, as long as that took."""
        chosen, until, looks = self._kept
        began = self._now()
        if chosen == selection and began < until:
            return looks
        stored = {
            flow: s.queued + s.held for flow, s in self._spool.flows().items() if selection.covers(*flow[:2])
        }
        flows = nlargest(MOST_FLOWS, stored, key=lambda flow: stored[flow])
        if not flows:
            return {}
        rows = min(MOST_IN_FLOW, max(1, MOST_ROWS // len(flows)))
        try:
            async with asyncio.timeout(_PATIENCE_S):
                looks = await self._spool.look(flows, began, rows)
        except (TimeoutError, SpoolError):
            looks = {}
        ended = self._now()
        self._kept = selection, ended + (ended - began) * _SHARE, looks
        return looks

    async def recipients(self, recipients: Sequence[Recipient]) -> list[RecipientRow]:
        """Describe *recipients*, each with what holds it and what comes next."""
        settled = [each.key for each in recipients[:MOST_TOLD] if each.settled]
        events: Mapping[tuple[MessageId, int], Event] = {}
        if settled:
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    events = await self._spool.last_events(settled)
            except (TimeoutError, SpoolError):
                events = {}
        return self.described(recipients, events)

    def described(
        self, recipients: Sequence[Recipient], events: Mapping[tuple[MessageId, int], Event]
    ) -> list[RecipientRow]:
        """Describe *recipients* whose last *events* are known."""
        reasons = self._scheduler.explainer.of_recipients(
            recipients, events, self._now(), self._way_out.silences()
        )
        plans: dict[QueueKey, RoutePlan | None] = {}
        rows = []
        for each, reason in zip(recipients, reasons, strict=True):
            if each.state not in TERMINAL and each.queue not in plans:
                plans[each.queue] = self._way_finder.known(each.queue)
            expires_at = self._view.ends_at(each)
            rows.append(
                describe_recipient(each, events.get(each.key), reason, plans.get(each.queue), expires_at)
            )
        return rows
