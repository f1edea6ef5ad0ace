"""The scheduler's own records: a queue, a connection, and the site whose connections queues may share."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from angarium.config.model import OutboundOptions
from angarium.core.address import Address
from angarium.core.records import Flow, QueueKey, Recipient
from angarium.core.reply import Reply
from angarium.queue.alarms import NEVER
from angarium.queue.leases import Account
from angarium.queue.plan import RoutePlan
from angarium.queue.ready import ReadyQueue
from angarium.queue.shaping import Rules
from angarium.queue.turns import KEPT_S

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


@dataclass(slots=True, eq=False)
class Site:
    """A destination as one binding sees it. Its idle connections serve any queue whose plan leads here."""

    key: tuple[str, str, str]
    idle: "list[Connection]"
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
    before *asked_since*. *failures* counts consecutive failures of all addresses since
    *failing_since*; *delayed_until* is set while the whole queue is delayed, and says when it is probed next.
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
        self.due: DueFlows | None = None
        self.paging = 0
        self.failures = 0
        self.failing_since = self.failed_at = 0.0
        self.delayed_until: float | None = None
        self.probes = 0
        self.round_at = NEVER
        self.waits_for: list[Account] = []
        self.wants = -1
        self.progress_at = 0.0
        self.moved_at = self.moved_in_s = 0.0
        self.bulk_busy = 0
        self.urgent_at = -KEPT_S
        self.hold: HoldKind = ""
        self.last_reply: tuple[float, Reply] | None = None
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


class Connection:
    """One connection. Busy while *batch* is not empty. *queue* is the one it counts for, under the limits of
    *counted_as*.

    *closing*, it is of no more use, but its peer counts it until its socket has ended: so do its limits.
    *has_ended* says that of one whose transaction is not yet known to have ended. Until its first transaction it
    has *claims*, units of what limits on messages allow to be opened; while it is opening, only until *claims_until*.
    """

    __slots__ = (
        "accounts",
        "address",
        "alarm_at",
        "batch",
        "busy_since",
        "claims",
        "claims_until",
        "counted_as",
        "deliveries",
        "has_ended",
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
        self.accounts: list[Account] = []
        self.claims: list[Account] = []
        self.claims_until = NEVER
        self.message_rules: Rules = ()
        self.deliveries = 0
        self.recipients = 0
        self.opened_at = self.busy_since = 0.0
        self.idle_until = 0.0
        self.alarm_at = NEVER
