"""What is in memory: admission, paging in from the settled store, and giving back to it."""

from collections.abc import Sequence

from angarium.core.records import Flow, FlowSummary, Recipient
from angarium.queue.commands import PageIn, Settle
from angarium.queue.outcomes import expired
from angarium.queue.queues import DueFlows, HoldKind, Queue
from angarium.queue.residence import Residence
from angarium.queue.retry import sweep_at
from angarium.queue.state import State
from angarium.queue.stored import FlowSummaries

PAGE = 500
"""Recipients asked for in one page."""

SWEEP_S = 900.0
"""A queue that is held for long is searched for expired recipients this often."""


class Memory:
    """Moves recipients between queues in memory and the settled store."""

    def __init__(self, state: State, max_resident: int) -> None:
        self._state = state
        self.residence = Residence(max_resident)
        self.stored = FlowSummaries()
        self._hungry: tuple[dict[Queue, None], dict[Queue, None]] = ({}, {})

    # --- in

    def may_stay(self, queue: Queue, recipient: Recipient) -> bool:
        """Whether a further recipient fits. A tenth of every bound is kept for transactional mail."""
        most = queue.options.max_resident_active_queue
        lane = recipient.message.lane
        if lane:
            most -= most // 10
        return queue.resident < most and self.residence.room_for(lane) > 0

    def admit(self, queue: Queue, recipient: Recipient) -> None:
        """*recipient* is in memory, and ready."""
        queue.resident += 1
        self.residence.add(recipient.message.tenant)
        queue.ready.add(recipient)

    def page(self, queue: Queue) -> HoldKind:
        """Ask for due mail from the settled store, if the queue's share of memory is less than half full."""
        if queue.paging:
            return "paging"
        due = queue.due
        if not due:
            return ""
        most = queue.options.max_resident_active_queue
        lane = due.lane
        if queue.resident * 2 > most and (lane or queue.resident >= most):
            return ""
        room = self.residence.room_for(lane)
        if room < 1:
            self._hungry[lane][queue] = None
            return "memory"
        flow = due.next()
        stored = self.stored.summaries.get(flow)
        wanted = max(1, stored.queued) if stored is not None else PAGE
        queue.paging = max(1, min(PAGE, wanted, room, most - queue.resident))
        self.residence.reserved += queue.paging
        self._state.emit(PageIn(flow, queue.paging))
        return "paging"

    def paged(self, queue: Queue, flow: Flow, recipients: Sequence[Recipient], now: float) -> None:
        """The page has come. One that is not full says that no more of the flow is due."""
        self.residence.reserved -= queue.paging
        if len(recipients) < queue.paging:
            if queue.due is not None:
                queue.due.discard(flow)
            self.stored.recheck(flow, now)
        queue.paging = 0
        for recipient in recipients:
            self.admit(queue, recipient)
        self._state.todo[queue] = None

    # --- out

    def dismiss(self, queue: Queue, recipient: Recipient) -> None:
        """*recipient* is no longer the scheduler's."""
        queue.resident -= 1
        self.residence.remove(recipient.message.tenant)

    def settle_ready(self, queue: Queue) -> None:
        """Send the queue's ready mail to the settled store, as it is: nothing was tried."""
        recipients = queue.ready.drain()
        for recipient in recipients:
            self.dismiss(queue, recipient)
        if recipients:
            self._state.emit(Settle(recipients))

    def sweep(self, queue: Queue, now: float) -> None:
        """Expire ready mail of a queue that is held for so long that its last chance has gone by."""
        if now < queue.swept_at + SWEEP_S:
            self._state.alarms.set(queue, queue.swept_at + SWEEP_S)
            return
        queue.swept_at = now
        self._state.alarms.set(queue, now + SWEEP_S)
        options = queue.options
        for recipient in queue.ready.remove(lambda recipient: now >= sweep_at(recipient, options)):
            event = expired(recipient, options, now)
            assert event is not None
            self._state.apply(recipient, event)
            self.dismiss(queue, recipient)

    # --- what is stored

    def flow_changed(self, flow: Flow, summary: FlowSummary, now: float) -> None:
        """The settled store's share of *flow* is now *summary*."""
        self.stored.update(flow, summary)
        queue = self._state.queues.get((flow.binding, flow.domain))
        if queue is not None and not self.stored.is_due(flow, now):
            if queue.due is not None:
                queue.due.discard(flow)
            self._state.todo[queue] = None

    def take_due(self, now: float, limit: int) -> None:
        """Note which stored flows have become due, at most *limit* at once."""
        for _ in range(limit):
            flow = self.stored.pop_due(now)
            if flow is None:
                return
            queue = self._state.queue(flow.binding, flow.domain)
            if queue.due is None:
                queue.due = DueFlows()
            queue.due.add(flow)
            self._state.todo[queue] = None

    def feed_hungry(self) -> bool:
        """Wake one queue that waits for memory, if there is enough again. Returns whether one was."""
        for lane, hungry in enumerate(self._hungry):
            if hungry and self.residence.room_for(lane) >= self.residence.ample:
                queue = next(iter(hungry))
                del hungry[queue]
                self._state.todo[queue] = None
                return True
        return False

    def forget(self, queue: Queue) -> None:
        """*queue* no longer waits for memory."""
        for lane in self._hungry:
            lane.pop(queue, None)
