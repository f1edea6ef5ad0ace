"""The scheduler's own records: a queue, a connection, the site whose connections queues may share, and the holdings of
limits for whose units they wait.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from angarium.config.model import OutboundOptions
from angarium.core.address import Address
from angarium.core.records import Flow, QueueKey, Recipient
from angarium.core.reply import Reply
from angarium.queue.alarms import NEVER
from angarium.queue.limits import AHEAD_S
from angarium.queue.plan import RoutePlan
from angarium.queue.ready import ReadyQueue
from angarium.queue.shaping import Rule, Rules
from angarium.queue.turns import KEPT_S, LANES, RANKS, as_good_as, better_than, is_modest, rank_of

HoldKind = Literal[
    "",  # nothing holds it
    "draining",
    "paused",
    "suspended",
    "delayed",
    "resolving",
    "route",
    "resting",
    "local",
    "limit",
    "connecting",
    "busy",
    "paging",
    "memory",
]
"""Why a queue with mail that is due opens no connection or sends nothing on the ones it has."""

QUANTUM_S = 1.0
"""A connection may be used this long before it must be given up for others that wait for its units."""

OPENERS = tuple(rank_of(lane, modest=True) for lane in range(LANES))
"""By lane: the rank in which those wait for a rate who would open a connection for what it lets pass. Before them go
new connections, after them those that have sent something.
"""


@dataclass(slots=True, eq=False)
class Site:
    """A destination as one binding sees it. Its idle connections serve any queue whose plan leads here."""

    key: tuple[str, str, str]
    idle: "list[PooledConnection]"
    wanting: tuple[dict["Queue", None], dict["Queue", None]]
    load: dict[Address, int] = field(default_factory=dict)
    queues: int = 0

    def next_wanting(self, user: "Queue") -> "Queue | None":
        """The sibling of *user* that may have a connection which *user* has done with: one with better mail,
        or, if *user* has none ready, any with mail.
        """
        lanes = self.wanting if not user.ready.count else self.wanting[: user.ready.lane]
        return next((queue for lane in lanes for queue in lane if queue is not user), None)


class Queue:
    """A binding and a routing domain, while anything is known of it that the settled store does not know.

    *wants* is the lane in which it wants a connection of its site, -1 while it does not.
    *counted_as* is the queue whose limits hold for it: itself, or another where domains share them (`Rollup_MX`).
    *resident* counts its recipients in memory, ready and in flight. *open* counts its ready or busy
    connections, *opening* those on their way. Its plan was asked for at *asked_at*, and is asked for anew if that was
    before *asked_since*; *no_route* is why there was none last. *failures* counts consecutive failures of all
    addresses since *failing_since*; *delayed_until* is set while the whole queue is delayed, and says when it is
    probed next.
    *round_at* is when the first address failed of a round in which all are tried, `NEVER` before that. The last
    transaction ended *moved_at* and took *moved_in_s*. Transactional mail waited last at *urgent_at*; *bulk_busy*
    connections are at work for bulk mail.
    """

    __slots__ = (
        "alarm_at",
        "asked_at",
        "asked_since",
        "bulk_busy",
        "connection_rules",
        "counted_as",
        "delayed_until",
        "due",
        "failed_at",
        "failing_since",
        "failures",
        "generation",
        "hold",
        "in_flight",
        "key",
        "last_reply",
        "message_rules",
        "moved_at",
        "moved_in_s",
        "no_route",
        "open",
        "opening",
        "opening_rules",
        "options",
        "paging",
        "plan",
        "probes",
        "progress_at",
        "ready",
        "resident",
        "resolving",
        "round_at",
        "route_retry_at",
        "site",
        "swept_at",
        "urgent_at",
        "waits_for",
        "wants",
    )

    def __init__(self, key: QueueKey) -> None:
        self.key = self.counted_as = key
        self.options: OutboundOptions
        self.generation = -1
        self.connection_rules: Rules | None = None
        self.message_rules: Rules = ()
        self.opening_rules: Rules = ()
        self.ready = ReadyQueue()
        self.resident = 0
        self.in_flight = 0
        self.open = 0
        self.opening = 0
        self.plan: RoutePlan | None = None
        self.site: Site | None = None
        self.resolving = False
        self.asked_at = self.asked_since = 0.0
        self.route_retry_at = 0.0
        self.no_route: Said | None = None
        self.due: DueFlows | None = None
        self.paging = 0
        self.failures = 0
        self.failing_since = self.failed_at = 0.0
        self.delayed_until: float | None = None
        self.probes = 0
        self.round_at = NEVER
        self.waits_for: list[Holding] = []
        self.wants = -1
        self.progress_at = 0.0
        self.moved_at = self.moved_in_s = 0.0
        self.bulk_busy = 0
        self.urgent_at = -KEPT_S
        self.hold: HoldKind = ""
        self.last_reply: Said | None = None
        self.swept_at = 0.0
        self.alarm_at = NEVER

    def note_wants(self, lane: int) -> None:
        """Tell the site that the queue has mail of *lane* that wants a connection; -1: no mail."""
        if lane != self.wants and self.site is not None:
            if self.wants >= 0:
                self.site.wanting[self.wants].pop(self, None)
            if lane >= 0:
                self.site.wanting[lane][self] = None
            self.wants = lane

    def keeps_for_better_lane(self, now: float) -> bool:
        """Whether bulk mail leaves some connections alone: there was transactional mail, and may be at any moment."""
        return now < self.urgent_at + KEPT_S

    def takes_s(self, now: float) -> float:
        """How long its transactions take, in seconds: the last one, or since then if no other has ended."""
        return max(self.moved_in_s, now - self.moved_at)

    @property
    def is_empty(self) -> bool:
        """Whether it has no mail, no connection, and waits for no answer."""
        return not (self.resident or self.open or self.opening or self.due or self.paging or self.resolving)


class Said(NamedTuple):
    """A reply, when it was said, by which host and at which stage of an attempt. Where no connection was tried there is
    no host, and the words are our own.
    """

    at: float
    reply: Reply
    host: str = ""
    stage: str = ""


class Rest(NamedTuple):
    """Until when something is left alone, for what reason, and since when.

    *options* are those of the queues that it holds for, None for all queues of the binding.
    """

    until: float
    reply: Reply
    since: float
    options: OutboundOptions | None = None


class DueFlows:
    """The stored flows of a queue that have mail due, by lane; tenants take turns."""

    __slots__ = ("lanes",)

    def __init__(self) -> None:
        self.lanes: tuple[dict[Flow, None], dict[Flow, None]] = ({}, {})

    def add(self, flow: Flow) -> None:
        self.lanes[0 if flow.lane == 0 else 1][flow] = None

    def discard(self, flow: Flow) -> None:
        for lane in self.lanes:
            lane.pop(flow, None)

    def next(self) -> Flow:
        """The flow whose turn it is; it goes to the end of its lane."""
        for lane in self.lanes:
            for flow in lane:
                del lane[flow]
                lane[flow] = None
                return flow
        raise LookupError("no flow is due")

    @property
    def lane(self) -> int:
        return 0 if self.lanes[0] else 1

    def __bool__(self) -> bool:
        return bool(self.lanes[0] or self.lanes[1])

    def __iter__(self) -> Iterator[Flow]:
        for lane in self.lanes:
            yield from lane


class Holding:
    """One limit as this scheduler knows it.

    *free* units may be used; those of a rate only before *lapses_at*. *used* counts connections, *closing* those of
    them that have nothing more to do: their units come free by themselves. *left* is how many were free when the
    authority last spoke. *retry_at* is when it wants to be asked again, *asked_rank* the rank of the mail it was last
    asked for. Queues that wait for units stand in *waiting*, by rank; *turn* is the one that was woken last, *asker*
    one that was woken only to ask for more. *owed* units are to be given back for others, the best of *owed_rank*.
    """

    __slots__ = (
        "alarm_at",
        "asked",
        "asked_rank",
        "asker",
        "closing",
        "contested_until",
        "free",
        "free_since",
        "lapsed",
        "lapsed_at",
        "lapses_at",
        "left",
        "owed",
        "owed_rank",
        "retry_at",
        "rule",
        "turn",
        "used",
        "waiting",
    )

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.free = 0
        self.used = 0
        self.closing = 0
        self.left = 0
        self.free_since = 0.0
        self.lapses_at = NEVER
        self.lapsed = 0
        self.lapsed_at = 0.0
        self.asked = False
        self.asked_rank = RANKS
        self.retry_at = 0.0
        self.contested_until = 0.0
        self.owed = 0
        self.owed_rank = RANKS
        self.alarm_at = NEVER
        self.turn: Queue | None = None
        self.asker: Queue | None = None
        self.waiting: tuple[dict[Queue, None], ...] = tuple({} for _ in range(RANKS))

    def available(self, now: float) -> int:
        """How many units can be used now."""
        if now >= self.lapses_at:
            self.lapsed, self.lapsed_at = self.free, self.lapses_at
            self.free = 0
            self.lapses_at = NEVER
        return self.free

    def comes_soon(self, now: float) -> bool:
        """Whether a unit of a rate, of which there is none now, is expected so soon that its user may be made ready."""
        return self.rule.limit.is_rate and now < self.retry_at <= now + AHEAD_S

    def has_for(self, rank: int, now: float) -> bool:
        """Whether one of *rank* may use a unit now: if it is modest, none of those that it leaves to others."""
        free = self.available(now)
        return free > 0 and (not is_modest(rank) or free + self.left > self.left_by(rank))

    def left_by(self, rank: int) -> int:
        """How many units one of *rank* leaves to others."""
        return self.rule.limit.left_by(rank)

    @property
    def waiting_count(self) -> int:
        """How many queues of this scheduler wait for units."""
        return sum(map(len, self.waiting))

    @property
    def has_waiting(self) -> bool:
        """Whether queues of this scheduler wait for units."""
        return any(self.waiting)

    def contested(self, user: "Queue", lane: int | None, held_s: float, now: float) -> bool:
        """Whether a connection that *user* has held for *held_s*, for mail of *lane*, is due to others.

        At once to a better lane, and to who has none if *user* has several; after its quantum to equals. Without mail
        (None), at once to any other. Who is served by what is closing already waits for no more.
        """
        if not (self.owed or self.has_waiting):
            return False
        several = user.open > 1
        better = RANKS if lane is None else better_than(lane, several=several)
        is_owed = self.owed > self.closing and now < self.contested_until
        if (is_owed and self.owed_rank < better) or self._others(user, better) > self.closing:
            return True
        if lane is None or held_s < QUANTUM_S:
            return lane is None and is_owed
        return is_owed or self._others(user, as_good_as(lane, several=several)) > self.closing

    def _others(self, user: "Queue", below: int) -> int:
        """How many queues but *user* wait, of ranks *below* this, for a unit that *user* could give up."""
        return sum(
            len(waiting) - (user in waiting)
            for rank, waiting in enumerate(self.waiting[:below])
            if waiting and self._could_serve(rank)
        )

    def _could_serve(self, rank: int) -> bool:
        """Whether with one unit more than come free by themselves there was one for *rank*."""
        return self.free + self.left + self.closing >= self.left_by(rank)

    def next_after(self, user: "Queue") -> "Queue | None":
        """The queue whose turn it is when *user* has done."""
        ranks = (waiting for rank, waiting in enumerate(self.waiting) if self._could_serve(rank))
        return next((queue for waiting in ranks for queue in waiting if queue is not user), None)

    def next_waiting(self, now: float, *, to_ask: bool) -> "Queue | None":
        """The queue whose turn it is to use a unit, or *to_ask* for one; it no longer waits."""
        for rank, waiting in enumerate(self.waiting):
            if waiting and (to_ask or self.has_for(rank, now) or (rank in OPENERS and self.comes_soon(now))):
                queue = self.asker if self.asker in waiting else next(iter(waiting))
                assert queue is not None
                del waiting[queue]
                queue.waits_for.remove(self)
                self.asker = queue if to_ask and self.rule.limit.is_rate else None
                self.turn = queue
                return queue
        return None

    def waits_as(self, queue: "Queue") -> int:
        """The rank in which *queue* waits."""
        return next((rank for rank, waiting in enumerate(self.waiting) if queue in waiting), RANKS)

    def is_promised(self, queue: "Queue", rank: int, now: float) -> bool:
        """Whether others, as good as *queue* of *rank* or better, have waited for what is free."""
        if self.turn is queue:
            return False
        return any(
            len(waiting) > (queue in waiting)
            for each, waiting in enumerate(self.waiting[: rank + 1])
            if waiting and self.has_for(each, now)
        )

    def wake_at(self, now: float) -> float:
        """When those who wait can go on, or ask, if no answer comes before."""
        soon_at = self.retry_at - AHEAD_S
        is_for_openers = (
            self.rule.limit.is_rate and now < soon_at and any(self.waiting[rank] for rank in OPENERS)
        )
        return soon_at if is_for_openers else self.retry_at

    @property
    def idle(self) -> bool:
        return not (self.free or self.used or self.asked or self.has_waiting)


class PooledConnection:
    """One connection. Busy while *batch* is not empty. *queue* is the one it counts for, under the limits of
    *counted_as*.

    *closing*, it is of no more use, but its peer counts it until its socket has ended: so do its limits.
    *has_ended* says that of one whose transaction is not yet known to have ended. Until its first transaction it
    has *claims*, units of what limits on messages allow to be opened; while it is opening, only until *claims_until*.
    """

    __slots__ = (
        "address",
        "alarm_at",
        "batch",
        "busy_since",
        "claims",
        "claims_until",
        "counted_as",
        "deliveries",
        "has_ended",
        "holdings",
        "id",
        "idle_until",
        "message_rules",
        "opened_at",
        "options",
        "queue",
        "recipients",
        "site",
        "state",
    )

    def __init__(self, id: int, queue: Queue, site: Site, address: Address, options: OutboundOptions) -> None:
        self.id = id
        self.queue = queue
        self.counted_as = queue.counted_as
        self.site = site
        self.address = address
        self.options = options
        self.state: Literal["opening", "idle", "busy", "closing", "gone"] = "opening"
        self.has_ended = False
        self.batch: list[Recipient] = []
        self.holdings: list[Holding] = []
        self.claims: list[Holding] = []
        self.claims_until = NEVER
        self.message_rules: Rules = ()
        self.deliveries = 0
        self.recipients = 0
        self.opened_at = self.busy_since = 0.0
        self.idle_until = 0.0
        self.alarm_at = NEVER
