"""What may be asked of a node, and what it answers: one record each.

The records travel between supervisor and workers as they are served to operators. All times are epoch seconds.
`problems` are sentences about what is missing from an answer, such as a worker that is away; an empty list means that
the answer is whole. Unknown arguments and wrong types are refused where they are decoded. Domains are compared in lower
case.
"""

from typing import Annotated, Any, Final, Literal

import msgspec

from angarium.core.ids import format_id, parse_id
from angarium.core.reasons import HoldReason

Action = Literal["flush", "hold", "release", "fail", "reroute", "rebind"]
_CHANGES_ONLY: dict[Action, Literal["queued", "held"]] = {
    "flush": "queued",
    "hold": "queued",
    "release": "held",
}
"""The state that an action is about; the other actions are about both."""

MOST_ROWS: Final = 1_000_000
Limit = Annotated[int, msgspec.Meta(ge=0, le=MOST_ROWS)]


# -- what is asked


class SelectionArgs(msgspec.Struct, forbid_unknown_fields=True):
    """Which recipients: all that are given must match, None leaves open. *message* is an id in any of its
    forms.
    """

    domain: str | None = None
    binding: str | None = None
    message: str | None = None
    state: Literal["queued", "held"] | None = None

    def __post_init__(self) -> None:
        if self.domain is not None:
            self.domain = self.domain.lower()
        if self.message is not None:
            self.message = format_id(parse_id(self.message))


QueueOrder = Literal["waiting", "oldest", "flight", "next", "domain"]
"""What comes first in a list of queues: most waiting, the oldest mail, most in flight, the next try, or by name."""


class QueuesArgs(msgspec.Struct, forbid_unknown_fields=True):
    """*limit* None: every queue that matches. *sort* says which come first."""

    domain: str | None = None
    binding: str | None = None
    limit: Limit | None = None
    sort: QueueOrder = "waiting"

    def __post_init__(self) -> None:
        if self.domain is not None:
            self.domain = self.domain.lower()


class RecipientsArgs(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of a `SelectionArgs`, side by side with how many to list, as a query has them."""

    domain: str | None = None
    binding: str | None = None
    message: str | None = None
    state: Literal["queued", "held"] | None = None
    limit: Limit = 50

    def __post_init__(self) -> None:
        chosen = self.selection
        self.domain, self.message = chosen.domain, chosen.message

    @property
    def selection(self) -> SelectionArgs:
        """Which recipients."""
        return SelectionArgs(self.domain, self.binding, self.message, self.state)


class MessageArgs(msgspec.Struct, forbid_unknown_fields=True):
    """A message id in any of its forms."""

    id: str

    def __post_init__(self) -> None:
        self.id = format_id(parse_id(self.id))


class CountArgs(msgspec.Struct, forbid_unknown_fields=True):
    """With *action*, only those are counted that it would change."""

    selection: SelectionArgs
    action: Action | None = None

    def __post_init__(self) -> None:
        _narrow(self.selection, self.action)


class ActArgs(msgspec.Struct, forbid_unknown_fields=True):
    """*target* is the new domain of reroute, the new binding of rebind. *quiet*: fail without notifying
    senders.
    """

    action: Action
    selection: SelectionArgs
    target: str = ""
    note: str = ""
    quiet: bool = False

    def __post_init__(self) -> None:
        if bool(self.target) != (self.action in ("reroute", "rebind")):
            raise ValueError("reroute and rebind need a target, the other actions take none")
        _narrow(self.selection, self.action)


def _narrow(selection: SelectionArgs, action: Action | None) -> None:
    """Have *selection* name the state that *action* is about, where it leaves that open."""
    if action is not None and selection.state is None:
        selection.state = _CHANGES_ONLY.get(action)


class TraceArgs(msgspec.Struct, forbid_unknown_fields=True):
    """One of both."""

    domain: str | None = None
    message: str | None = None

    def __post_init__(self) -> None:
        if (self.domain is None) == (self.message is None):
            raise ValueError("trace takes a domain or a message")
        if self.domain is not None:
            self.domain = self.domain.lower()
        if self.message is not None:
            self.message = format_id(parse_id(self.message))


class TopArgs(msgspec.Struct, forbid_unknown_fields=True):
    """How often a glance is sent, with how many queues, and which of them come first."""

    interval_s: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = 1.0
    limit: Limit = 20
    sort: QueueOrder = "waiting"


class ConfigEvalArgs(msgspec.Struct, forbid_unknown_fields=True):
    """The question as the words after `config eval`."""

    words: list[str]


class ConfigShowArgs(msgspec.Struct, forbid_unknown_fields=True):
    """With *defaults*, options that are set nowhere are shown as well."""

    defaults: bool = True


# -- what is answered

Stat = tuple[str, list[str], float]
"""A number's name, the values of its labels in their order, and the number."""


class Plan(msgspec.Struct, frozen=True):
    """Where a queue's mail goes, best address first, and *why* there."""

    why: str = ""
    addresses: list[str] = msgspec.field(default_factory=list)


class QueueRow(msgspec.Struct):
    """One queue: a binding and a routing domain.

    *active* recipients are due, *delayed* wait for their time, *held* were set aside; *in_flight* are with a
    peer. *held_by* counts each of the first three once, by its cause, the heaviest first.
    """

    binding: str
    domain: str
    active: int = 0
    delayed: int = 0
    held: int = 0
    in_flight: int = 0
    connections: int = 0
    oldest: float | None = None
    next_try: float | None = None
    last_reply: str = ""
    last_reply_at: float | None = None
    held_by: list[HoldReason] = msgspec.field(default_factory=list)
    lanes: dict[str, int] = msgspec.field(default_factory=dict)
    plan: Plan | None = None

    @property
    def waiting(self) -> int:
        """Recipients that are not with a peer at the moment."""
        return self.active + self.delayed + self.held


class QueueTotals(msgspec.Struct, frozen=True):
    """All queues that were asked for, also those that a limit kept out of the rows.

    *reasons* count each recipient that waits once, by its cause, the heaviest first; where a limit kept some out, the
    last one stands for those.

    *queues* counts those with nothing but open connections as well, *waited_in* only those in which mail waits.
    """

    queues: int = 0
    waited_in: int = 0
    active: int = 0
    delayed: int = 0
    held: int = 0
    in_flight: int = 0
    connections: int = 0
    oldest: float | None = None
    next_try: float | None = None
    reasons: list[HoldReason] = msgspec.field(default_factory=list)

    @property
    def waiting(self) -> int:
        """Recipients that are not with a peer at the moment."""
        return self.active + self.delayed + self.held


class Queues(msgspec.Struct, frozen=True):
    """Answer to `queues`: the queues with most mail first."""

    rows: list[QueueRow]
    totals: QueueTotals
    problems: list[str] = msgspec.field(default_factory=list)


class RecipientRow(msgspec.Struct, frozen=True):
    """One recipient that waits, or of a message also one that has ended.

    *due_at* is when it is tried next at the earliest, of no meaning while it is held. It has been as it is *since*
    then. *last_reply* was said at *last_reply_at*, by *last_host*, empty if that was this node. *held_by* is what holds
    it now, None of one that has ended; *next_try* when that ends by itself, None if that is not known; *plan* where it
    goes then, None while DNS is still to be asked. It is given up at *expires_at*.
    """

    message: str
    recipient: str
    sender: str = ""
    binding: str = ""
    domain: str = ""
    state: str = "queued"
    attempts: int = 0
    due_at: float | None = None
    received_at: float | None = None
    last_reply: str = ""
    size: int = 0
    lane: str = ""
    tenant: str = ""
    since: float | None = None
    last_reply_at: float | None = None
    last_host: str = ""
    held_by: HoldReason | None = None
    next_try: float | None = None
    plan: Plan | None = None
    expires_at: float | None = None


class Recipients(msgspec.Struct, frozen=True):
    """Answer to `recipients`: those due first first. *more* says that a limit left some out."""

    rows: list[RecipientRow]
    more: bool = False
    problems: list[str] = msgspec.field(default_factory=list)


class MessageHistory(msgspec.Struct, frozen=True):
    """Answer to `message`: the envelope, each recipient's state, and every event in order.

    None of them is there (*message* is None) when no worker knows the message, or knows it no longer.
    """

    message: dict[str, Any] | None = None
    recipients: list[RecipientRow] = msgspec.field(default_factory=list)
    events: list[dict[str, Any]] = msgspec.field(default_factory=list)
    problems: list[str] = msgspec.field(default_factory=list)


class Count(msgspec.Struct, frozen=True):
    """Answer to `count`: *waiting* recipients can be changed, those *in_flight* are left alone."""

    waiting: int = 0
    in_flight: int = 0
    problems: list[str] = msgspec.field(default_factory=list)


class Changed(msgspec.Struct, frozen=True):
    """Answer to `act`: how many recipients were changed, and how many were in flight and left alone."""

    changed: int = 0
    in_flight: int = 0
    problems: list[str] = msgspec.field(default_factory=list)


Severity = Literal["not_ready", "unwell", "note"]
ConditionName = Literal[
    "draining",
    "worker_away",
    "not_listening",
    "refusing",
    "disk_failed",
    "descriptors_out",
    "identity_store_silent",
    "suppressions_unknown",
    "descriptors_short",
    "no_name_server",
    "name_servers_silent",
    "recorder_stands",
    "events_dropped",
    "suppressions_held",
    "suppressions_stand",
    "webhooks_stand",
    "webhooks_off",
    "hostname",
    "log_unread",
]


class Condition(msgspec.Struct, frozen=True):
    """One thing that is the matter. *text* is a sentence, *advice* says what to do, *doc* where more of it stands."""

    name: ConditionName
    severity: Severity
    text: str
    advice: str
    doc: str


class Health(msgspec.Struct, frozen=True):
    """How the node is. *not_ready* and *unwell* are sentences; both empty is what one wants to see.

    Not ready: mail would be refused now (a worker is away or recovers, the spool is full, it shuts down).
    Unwell: a person must look (a disk call failed), though mail may still be taken. *notes*, absent without any: the
    node is well, but for what they say of the machine around it (no name server is known). *conditions* are the same,
    the worst first, with what to do.
    """

    not_ready: list[str] = msgspec.field(default_factory=list)
    unwell: list[str] = msgspec.field(default_factory=list)
    notes: list[str] | msgspec.UnsetType = msgspec.UNSET
    conditions: list[Condition] = msgspec.field(default_factory=list)


class NodeInfo(msgspec.Struct, frozen=True):
    """What the supervisor knows of itself. *config* is empty when there is no file; *addresses* say who
    listens where. *spool* is the folder of all partitions.
    """

    version: str
    pid: int
    started_at: float
    data: str
    config: str = ""
    generation: int = 1
    workers: int = 1
    addresses: dict[str, str] = msgspec.field(default_factory=dict)
    spool: str = ""


class Lately(msgspec.Struct, frozen=True):
    """What happened in the last *over_s* seconds: messages *received* and *refused* at the end of data, and recipients
    *delivered*, *delayed* and *bounced*. *half_within_s* and *most_within_s* are about how long half and 99 % of the
    messages waited for their 250, None without any.
    """

    over_s: float
    received: float
    refused: float
    delivered: float
    delayed: float
    bounced: float
    half_within_s: float | None
    most_within_s: float | None


class Status(msgspec.Struct, frozen=True):
    """Answer to `status`. *lately* is None just after the start."""

    node: NodeInfo
    health: Health
    totals: QueueTotals
    problems: list[str] = msgspec.field(default_factory=list)
    lately: Lately | None = None


class Glance(msgspec.Struct, frozen=True):
    """One item of the stream `top`: everything a live view shows at the moment *at*."""

    at: float
    node: NodeInfo
    health: Health
    queues: Queues
    stats: list[Stat] = msgspec.field(default_factory=list)


class Progress(msgspec.Struct, frozen=True):
    """How many recipients an action has changed so far, over all workers."""

    done: int


class ConfigAnswer(msgspec.Struct, frozen=True):
    """Answer about the configuration: *text* for people, a *record* of the same. *ok* False: the answer is no."""

    ok: bool
    text: str
    record: Any


IN_BODY: Final = frozenset({"count", "act", "reload", "config_eval"})
"""Operations whose arguments go in the body of a POST; those of all others are a query string."""
