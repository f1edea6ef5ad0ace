"""Why is this mail not moving? Every decision not to send, in words, with its option and place."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from angarium.config.values import Where
from angarium.core.records import FlowSummary, QueueKey
from angarium.core.reply import Reply
from angarium.queue.memory import Memory
from angarium.queue.queues import Holding, Queue
from angarium.queue.reachability import Reachability
from angarium.queue.shaping import Rule
from angarium.queue.state import State


class Hold(NamedTuple):
    """What holds a queue. *option* is the one to change, empty when no option would help; *where* the place
    that set it, None when it has its default. *until* is when it ends by itself, in epoch seconds, None when
    unknown.
    """

    option: str
    where: Where | None
    text: str
    until: float | None = None

    def __str__(self) -> str:
        return f"{self.text} ({self.where})" if self.where is not None else self.text


class QueueStatus(NamedTuple):
    """One queue at a glance.

    *active* recipients are due and in memory, *in_flight* are being delivered, *stored* wait in the settled
    store for their time or for room, *held* were set aside. *connections* are open, *opening* on their way.
    *oldest* is the earliest reception, *next_try* when something happens next by itself; None when there is
    no such thing. *last_reply* is what was said last, and when. *route* says where the mail goes and why,
    empty while unknown.
    """

    queue: QueueKey
    active: int
    in_flight: int
    stored: int
    held: int
    connections: int
    opening: int
    oldest: float | None
    next_try: float | None
    last_reply: tuple[float, Reply] | None
    route: str
    hold: Hold | None


class Explainer:
    """Reads the scheduler's records; changes nothing."""

    def __init__(self, state: State, memory: Memory, reachability: Reachability) -> None:
        self._state = state
        self._memory = memory
        self._reachability = reachability

    def status(self, now: float) -> list[QueueStatus]:
        """All queues that have mail or connections, those with most mail first."""
        stored = self._stored()
        keys = dict.fromkeys([*map(tuple, self._state.queues), *stored])
        nothing = FlowSummary(0, 0, None, None)
        rows = [self._row(QueueKey(*key), stored.get(key, nothing), now) for key in keys]
        rows.sort(key=lambda row: (-(row.active + row.in_flight + row.stored), row.queue))
        return rows

    def _stored(self) -> dict[tuple[str, ...], FlowSummary]:
        """What is stored, by queue instead of by flow."""
        sums: dict[tuple[str, ...], FlowSummary] = {}
        for flow, more in self._memory.stored.summaries.items():
            key = (flow.binding, flow.domain)
            old = sums.get(key)
            sums[key] = more if old is None else _add(old, more)
        return sums

    def _row(self, key: QueueKey, stored: FlowSummary, now: float) -> QueueStatus:
        queue = self._state.queues.get(key)
        if queue is None:
            last = self._state.last_replies.get(key)
            hold = self._waiting(key, stored, now)
            return QueueStatus(
                key, 0, 0, stored.queued, stored.held, 0, 0, stored.oldest, stored.next_due, last, "", hold
            )
        hold = self._hold(queue, stored, now)
        times = [at for at in (stored.next_due, hold.until if hold else None) if at is not None]
        return QueueStatus(
            key,
            queue.ready.count,
            queue.in_flight,
            stored.queued,
            stored.held,
            queue.open,
            queue.opening,
            _earliest(stored.oldest, min(self._received(queue), default=None)),
            min(times, default=None) if hold is None or hold.until is None else hold.until,
            queue.last_reply,
            _route(queue),
            hold,
        )

    def _received(self, queue: Queue) -> Iterator[float]:
        for recipient in queue.ready:
            yield recipient.message.received_at
        for connection in self._state.connections.values():
            if connection.queue is queue and connection.batch:
                yield connection.batch[0].message.received_at

    # --- holds

    def _where(self, option: str, key: QueueKey, host: str | None = None) -> Where | None:
        return self._state.config.where(option, binding=key.binding, domain=key.domain, host=host)

    def _waiting(self, key: QueueKey, stored: FlowSummary, now: float) -> Hold | None:
        """What holds a queue none of whose mail is in memory."""
        if self._state.config.outbound(*key).suspend_delivery:
            return self._suspended(key)
        if stored.next_due is not None and stored.next_due > now:
            text = f"put off; next try {_clock(stored.next_due)}"
            return Hold("Retry_Interval", self._where("Retry_Interval", key), text, stored.next_due)
        if stored.held and not stored.queued:
            return Hold("", None, "held; `angarium release` lets it go")
        return self._pause() if self._state.paused and stored.queued else None

    def _pause(self) -> Hold:
        return Hold("", None, f"delivery pauses: {self._state.paused}")

    def _hold(self, queue: Queue, stored: FlowSummary, now: float) -> Hold | None:
        kind, key = queue.hold, queue.key
        if self._state.paused and (queue.ready.count or queue.due):
            return self._pause()
        if kind == "suspended":
            return self._suspended(key)
        if kind == "limit":
            return self._limit(queue)
        if kind == "delayed":
            return self._delayed(queue)
        if kind == "resting":
            return self._resting(queue, now)
        if kind == "local":
            return self._local(queue, now)
        if kind == "route":
            return self._no_route(queue)
        if kind == "memory":
            return Hold("Max_Resident_Messages", self._where("Max_Resident_Messages", key), "memory is full")
        if kind:
            return Hold("", None, _PASSING[kind].format(queue=queue))
        if queue.delayed_until is not None:
            return self._delayed(queue)
        if queue.due and queue.resident:
            return self._share_in_use(queue)
        return self._waiting(key, stored, now) if not queue.in_flight else None

    def _suspended(self, key: QueueKey) -> Hold:
        return Hold("Suspend_Delivery", self._where("Suspend_Delivery", key), "suspended")

    def _no_route(self, queue: Queue) -> Hold:
        reply = queue.last_reply[1] if queue.last_reply else ""
        text = f"no route: {reply}; asked again {_clock(queue.route_retry_at)}"
        return Hold("", None, text, queue.route_retry_at)

    def _share_in_use(self, queue: Queue) -> Hold:
        most = queue.options.max_resident_active_queue
        text = f"its share of memory, {most} recipients, is in use; more come as these leave"
        return Hold("Max_Resident_Active_Queue", self._where("Max_Resident_Active_Queue", queue.key), text)

    def _limit(self, queue: Queue) -> Hold:
        if not queue.waits_for:
            return Hold("", None, "a limit on messages is asked for")
        holding = queue.waits_for[-1]
        rule = holding.rule
        if rule.is_learnt:
            return self._crowded(queue, rule)
        where = rule.where
        if where is None:
            host = rule.scope.removeprefix("host ") if rule.scope.startswith("host ") else None
            where = self._where(rule.option, queue.counted_as, host)
        text = f"{rule.option} {rule.stated or rule.limit} of {rule.scope}"
        if rule.stated is not None:
            text += "; as many connections as it lets messages pass soon are open for them already"
        if holding.closing:
            text += f"; {holding.closing} of them said goodbye and are not closed yet"
        left = holding.left_by(holding.waits_as(queue))
        if left:
            whom = (
                "kept for transactional mail" if rule.limit.is_path else "left to queues without a connection"
            )
            text += f"; {left} of them are {whom}"
        return Hold(rule.option, where, text, _until(holding))

    def _crowded(self, queue: Queue, rule: Rule) -> Hold:
        """An address takes no more sessions, or none of ours for now."""
        known = (
            self._reachability.crowding.known(queue.key.binding, a)
            for a in self._reachability.addresses(queue)
        )
        crowd = next((crowd for crowd in known if crowd is not None and crowd.rule.key == rule.key), None)
        if crowd is None:
            return Hold("", None, f"{rule.scope} takes no more sessions")
        takes = f"no more than {crowd.most} sessions" if crowd.most else "no session for now"
        text = f"{rule.scope} takes {takes}: {crowd.reply}; one more is tried {_clock(crowd.more_at)}"
        return Hold("", None, text, crowd.more_at)

    def _delayed(self, queue: Queue) -> Hold:
        until = queue.delayed_until
        option = "MX_Failures_To_Delay"
        if not 0 < queue.options.mx_failures_to_delay <= queue.failures:
            option = "Connect_Timeout_To_Delay"
        text = f"delayed after {queue.failures} failures in a row since {_clock(queue.failing_since)}"
        if until:
            text += f"; probed {_clock(until)}"
        return Hold(option, self._where(option, queue.key), text, until)

    def _resting(self, queue: Queue, now: float) -> Hold:
        rests = [(a, self._reachability.resting(queue, a, now)) for a in self._reachability.addresses(queue)]
        until = min((rest.until for _, rest in rests if rest is not None), default=now)
        hosts = ", ".join(dict.fromkeys(address.host for address, _ in rests[:10]))
        last = next((f": {rest.reply}" for _, rest in rests if rest is not None), "")
        text = f"all addresses of {hosts} are resting until {_clock(until)}{last}"
        return Hold("Host_Failure_Retry", self._where("Host_Failure_Retry", queue.key), text, until)

    def _local(self, queue: Queue, now: float) -> Hold:
        rest = self._reachability.local_rest(queue, now)
        text = f"binding {queue.key.binding} cannot open connections here: {rest.reply if rest else ''}"
        until = rest.until if rest else now
        return Hold("Bind_Address", self._where("Bind_Address", queue.key), text, until)


_PASSING = {
    "draining": "the node is stopping",
    "resolving": "not resolved yet",
    "connecting": "{queue.opening} connections are being opened",
    "busy": "{queue.open} connections are at work",
    "paging": "being read from the settled store",
}


def _add(a: FlowSummary, b: FlowSummary) -> FlowSummary:
    return FlowSummary(
        a.queued + b.queued, a.held + b.held, _earliest(a.next_due, b.next_due), _earliest(a.oldest, b.oldest)
    )


def _earliest(a: float | None, b: float | None) -> float | None:
    if a is None or b is None:
        return b if a is None else a
    return min(a, b)


def _route(queue: Queue) -> str:
    why = queue.plan.why if queue.plan is not None else ""
    name = queue.counted_as.domain
    return f"{why}; limits of {name} (Rollup_MX)" if why and name != queue.key.domain else why


def _until(holding: Holding) -> float | None:
    return holding.retry_at if holding.rule.limit.is_rate and holding.retry_at else None


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
