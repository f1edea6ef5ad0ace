"""The records that every floor passes on: a message, its recipients, one attempt, one event.

`Message`, `ForwardPath`, `Attempt` and `Event` are durable: they are written to the journal and to the settled store
as MessagePack arrays, so fields may only be appended, each with a default, and never change their meaning. They are
built by keyword: of twenty values in a row two are soon exchanged. So is `Fact`, which is written to the journal only.
`Recipient` is the unit of state in memory; it is rebuilt from those.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from angarium.core.ids import MessageId
from angarium.core.options import NO_OPTIONS, Options
from angarium.core.reply import Reply

TRANSACTIONAL: Final = 0
BULK: Final = 1
Lane = Literal[0, 1]
"""Transactional mail goes before bulk wherever both wait for the same thing."""

NOTIFY_NEVER = 1
NOTIFY_SUCCESS = 2
NOTIFY_FAILURE = 4
NOTIFY_DELAY = 8
"""Bits of `ForwardPath.notify` (RFC 3461 §4.1); 0 when the sender gave no NOTIFY."""

Fate = Literal[
    "deliver",  # it goes out
    "fail",  # taken only to be reported as failed: every recipient bounces with the message's `refusal`
    "sandbox",  # it goes nowhere: every recipient that is not suppressed ends as delivered
    "feedback",  # mail to us: kept, never sent, until its reader has ended its recipients
]
"""What a message was accepted for."""

State = Literal["queued", "delivered", "bounced", "expired", "suppressed", "cancelled", "held"]
"""What a recipient is between two events. *delivering* is not durable: it is queued, with an attempt under way."""

TERMINAL: frozenset[str] = frozenset({"delivered", "bounced", "expired", "suppressed", "cancelled"})

EventType = Literal[
    "received",  # accepted and durable; index -1: of the message as a whole
    "delivered",  # the peer took responsibility
    "delayed",  # a temporary failure; due_at says when next
    "bounced",  # a permanent failure
    "expired",  # too old, or tried too often
    "ambiguous",  # the connection was lost between final dot and reply; state says what became of it
    "intent",  # written before the final dot where an ambiguous attempt must be held
    "suppressed",  # the recipient is on a suppression list
    "generation_failure",  # its text could not be made of the form and its data
    "generation_rejection",  # its text was made, or can be for nobody, and may not be sent
    "cancelled",  # failed by the operator
    "held",  # set aside by the operator
    "released",  # back from held
    "flushed",  # due at once, by the operator
    "rerouted",  # its routing domain was changed
    "rebound",  # its binding was changed
    "read",  # mail to us, which has been read: what it says is written down as facts
]

Stage = Literal[
    "route", "connect", "banner", "tls", "ehlo", "auth", "mail", "rcpt", "data", "body", "final", "idle"
]
"""How far an attempt came: the command whose answer it waited for. *final* is the answer to the final dot."""


class QueueKey(NamedTuple):
    """A queue: a binding and a routing domain (the gateway's name where a gateway is in force), lower case."""

    binding: str
    domain: str


class Flow(NamedTuple):
    """A share of a queue: one lane of one tenant. Lanes are strict, tenants within a lane take turns."""

    binding: str
    domain: str
    lane: int
    tenant: str

    @property
    def queue(self) -> QueueKey:
        """The queue that this is a share of."""
        return QueueKey(self.binding, self.domain)


class ForwardPath(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One recipient as its sender gave it.

    *address* is the mailbox without angle brackets, untouched but for quoting. *domain* is its domain in lower-case
    A-labels, or an address literal with its brackets. *notify* holds NOTIFY_* bits. *orcpt* is the decoded ORCPT
    parameter, `type;address`, or empty (RFC 3461 §4.2). *role* says how it came to be a recipient: named by RCPT
    (empty), or added by an option of the message.
    """

    address: str
    domain: str
    notify: int = 0
    orcpt: str = ""
    role: Literal["", "cc", "bcc", "archive"] = ""


class Origin(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Where a message came from: listener name, peer `address:port`, its HELO name, protocol (`ESMTP` …), session id.

    A message made here (a DSN) has listener `internal` and an empty peer. *tls* is version and cipher as OpenSSL names
    them, empty for clear text.
    """

    listener: str = "internal"
    peer: str = ""
    helo: str = ""
    protocol: str = "internal"
    session: str = ""
    tls: str = ""


class Message(msgspec.Struct, frozen=True, array_like=True, kw_only=True, weakref=True):
    """An accepted submission, without its body.

    *reverse_path* is empty for the null sender. *trace* is what this node puts before the submitted header block
    (`Received`, a missing Date or Message-ID), whole lines with CRLF. *body_size* counts the submitted bytes, header
    block and body, without *trace*. *tenant* is whose mail this is where mail takes turns: an account, or the peer
    where none logged in. *eight_bit* is measured on the text; *smtputf8* is what the client declared, and no measure
    of what is needed. *ret* is "", "FULL" or "HDRS"; *envid* is the decoded ENVID or "" (RFC 3461 §4.3, §4.4).
    *account* and *server* are whose it is, 0 where the sender did not log in. *author_domain* is the domain of its
    From field in lower-case A-labels, empty without a usable one. *refusal* is what the recipients of a message whose
    *fate* is `fail` bounce with, None otherwise. *submission* is what several messages made of one submission share
    (copies), the id of the first of them; empty: its own. *is_vouched* says that the sender logged in or that the
    operator named the peer: the reverse path is as good as their word. *mends_lines* has lines of more than 998 octets
    encoded anew before the message is signed; False where there are none for sure. *login* is the name of who logged in
    (`Principal.name`), empty where nobody did. *content* names what it shares with
    other messages of its partition (`Content.id`), and *body_size* is then the size of that; empty where its body is
    its own. *return_domain* is where each recipient has a return path of its own (`render.return_path`), which leaves
    in place of *reverse_path*; empty: that one leaves. *tracking_url* is the scheme and host under which the opens and
    clicks that its options ask for are tracked, and recipients find the way out; empty: nothing is. *offers_way_out*
    says that the message gets what recipients unsubscribe by: fields, and a link; *footer* is what stands around that
    in a text without a place for it, empty: the usual line. *is_form*: its content is not a text
    but a `Form`, of which each recipient's is made as it leaves, with the data that the message has of its own
    (`fields.packed`). *due_at* is when it is to leave, in epoch seconds, None at once.
    """

    id: MessageId
    received_at: float
    reverse_path: str
    recipients: tuple[ForwardPath, ...]
    binding: str
    lane: int
    tenant: str
    trace: bytes
    body_size: int
    eight_bit: bool = False
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    origin: Origin = Origin()
    account: int = 0
    server: int = 0
    options: Options = NO_OPTIONS
    author_domain: str = ""
    refusal: Reply | None = None
    submission: bytes = b""
    is_vouched: bool = False
    mends_lines: bool = False
    fate: Fate = "deliver"
    content: bytes = b""
    login: str = ""
    return_domain: str = ""
    tracking_url: str = ""
    offers_way_out: bool = False
    is_form: bool = False
    due_at: float | None = None
    footer: str = ""

    @property
    def size(self) -> int:
        """Bytes that leave: trace lines and body."""
        return len(self.trace) + self.body_size

    @property
    def begins_at(self) -> float:
        """When its time begins: with its reception, or when it is to leave."""
        return self.received_at if self.due_at is None else self.due_at


class Content(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A body that is stored once in a partition, for all messages that name it. It lives as long as one of them does.

    *id* is its own (`ids.new_id`), *made_at* in epoch seconds. *size* counts the bytes of header block and body. What
    is different in each message stands in the message, or is that one's own data.
    """

    id: MessageId
    made_at: float
    size: int


class KeyedAnswer(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What was answered to a request that has a key, so that its repetition is answered the same.

    *key* and *digest* are hashes: of the key and of whose it is, and of what was asked. *status*, *media_type* and
    *body* are the answer, byte for byte. It counts until *until*, in epoch seconds. It is written to the journal
    together with the mail that the request asked for: the one is not there without the other.
    """

    key: bytes
    digest: bytes
    status: int
    media_type: str
    body: bytes
    until: float


class TlsFacts(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What was negotiated on an encrypted connection.

    *version* and *cipher* as OpenSSL names them. *verified* says what the peer's certificate was seen to prove: "host"
    (issuer and name), "ca" (issuer), or "" with the reason in *problem*, which is empty where nothing was asked for.
    *names* are the host names in the certificate, *not_after* its end in seconds of Unix time, 0 where it showed none.
    """

    version: str
    cipher: str
    verified: Literal["", "ca", "host"] = ""
    problem: str = ""
    names: tuple[str, ...] = ()
    not_after: float = 0.0
    resumed: bool = False


class Attempt(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One try at delivering to one or more recipients over one connection.

    *peer* is `address:port`, empty when no connection was tried. *source* is the local `address:port` as the kernel
    had it, empty likewise. *timings* are milliseconds spent waiting at each stage reached, in order. *tls* is empty
    for clear text, else version and cipher; *tls_facts* says the rest. *dsn_passed* says that the peer took over the
    sender's wish for delivery status notifications (RFC 3461 §5.2.2). *dialogue* is what was said, in lines that begin
    with `C: ` or `S: `: of failures, and of a sample of what was delivered; without login and text.
    """

    started_at: float
    stage: Stage
    session: str = ""
    host: str = ""
    peer: str = ""
    source: str = ""
    method: str = "ESMTP"
    tls: str = ""
    timings: tuple[tuple[str, float], ...] = ()
    bytes_sent: int = 0
    dsn_passed: bool = False
    tls_facts: TlsFacts | None = None
    dialogue: tuple[str, ...] = ()


class Event(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One change of one recipient of one message, and the state it leaves the recipient in.

    *seq* grows by one with each event of the recipient: an event whose seq is not above the recipient's has been
    applied already. *due_at* matters while *state* is queued. *note* says why, in words, where no reply does
    (an operator's command, an internal limit). *delay_dsns* counts delay notifications sent so far.
    """

    type: EventType
    at: float
    message: MessageId
    index: int
    seq: int
    state: State
    binding: str
    domain: str
    attempts: int
    due_at: float
    reply: Reply | None = None
    attempt: Attempt | None = None
    note: str = ""
    delay_dsns: int = 0


FactKind = Literal[
    "reception",  # a message was accepted and is durable; derived from it, see `reception_of`
    "refusal",  # refused at the door: a session, an address, a message
    "login_failed",  # a login that failed
    "open",  # a recipient has looked at the message
    "initial_open",  # the picture at the beginning of the message was asked for
    "click",  # a recipient has followed a link of it
    "unsubscribe",  # a recipient wants no more
    "link_unsubscribe",  # the same, by a link of the message that its sender has marked
    "resubscribe",  # a recipient has taken that back
    "complaint",  # a recipient has called it unwanted
    "late_bounce",  # it failed after it had been delivered
    "auto_reply",  # a program has answered for a recipient
    "feedback",  # mail to us of which nothing follows: a delay, a report of success, words, what belongs to no mail
    "domain_lost",  # records in the DNS are gone: with a sending domain is no longer signed
    "domain_found",  # they are there again
    "left_out",  # so many facts were not written down, by kind: there were too many of them
]

_MAIL_TO_US: Final = ("by", "mail", "from", "to", "subject")
"""What is said of the mail that tells a fact: how the message that it is about was found (`return_path`: by an address
that this node has signed, `message_id`, `trace`), its own id, and its envelope and subject.
"""

_BY_READER: Final = ("address", "agent", "method", "machine", "proxy")
"""What is said of who asked for a picture or followed a link: its IP address, what it calls itself, the method if it
is not GET, and why it is taken for a program, or by whose servers it came (`events.machines`).
"""

FACT_FIELDS: Final[Mapping[FactKind, tuple[str, ...]]] = {
    "reception": ("listener", "peer", "helo", "protocol", "session", "sender", "recipients", "size"),
    "refusal": ("listener", "peer", "session", "reply", "reason", "sender"),
    "login_failed": ("listener", "peer", "session", "mechanism", "user", "reason"),
    "open": _BY_READER,
    "initial_open": _BY_READER,
    "click": (*_BY_READER, "url", "link", "part", "name", "opened"),
    "unsubscribe": (*_BY_READER, *_MAIL_TO_US),
    "link_unsubscribe": (*_BY_READER, "url", "link", "part", "name"),
    "resubscribe": _BY_READER,
    "complaint": ("type", "agent", *_MAIL_TO_US),
    "late_bounce": ("reply", "status", "class", "reason", "reported", *_MAIL_TO_US),
    "auto_reply": _MAIL_TO_US,
    "feedback": (
        "about",
        "why",
        "reply",
        "status",
        "class",
        "reason",
        "type",
        "reported",
        "text",
        *_MAIL_TO_US,
    ),
    "domain_lost": ("domain", "missing"),
    "domain_found": ("domain",),
    "left_out": ("refusal", "login_failed"),
}
"""What the facts of each kind may say in their *fields*. What is not known is left out."""


class Fact(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What is known of a message, a recipient, a session or a login, and changes the state of no recipient.

    It may come years after its message has ended, and needs nothing of it. *kind* is a `FactKind`, or one that a newer
    program has written. *id* is its own (`ids.new_id`): who reads it twice can tell. *at* is when it happened, in
    epoch seconds. *message* is None, and *index* negative, where it is about no message, or about all of it. *account*
    and *server* are whose it is, 0 for none. *fields* say the rest, by the names of `FACT_FIELDS`.
    """

    kind: str
    id: bytes
    at: float
    message: MessageId | None = None
    index: int = -1
    account: int = 0
    server: int = 0
    fields: dict[str, Any] = {}


def reception_of(message: Message) -> Fact:
    """Return the fact that *message* was accepted. Its record in the journal is that fact, so none is written."""
    origin = message.origin
    return Fact(
        kind="reception",
        id=message.id,
        at=message.received_at,
        message=message.id,
        account=message.account,
        server=message.server,
        fields={
            "listener": origin.listener,
            "peer": origin.peer,
            "helo": origin.helo,
            "protocol": origin.protocol,
            "session": origin.session,
            "sender": message.reverse_path,
            "recipients": len(message.recipients),
            "size": message.size,
        },
    )


class Recipient:
    """One recipient of one message while it is in memory. Changed by `apply` only.

    It begins as *queued*; that of mail to us as *held*, so that nothing sends it.
    *attempts* counts finished attempts. *last_reply* is what the last of them was answered, or our own words for it.
    *settled* says that the settled store has a row for it (and the journal need not).
    """

    __slots__ = (
        "attempts",
        "binding",
        "delay_dsns",
        "domain",
        "due_at",
        "index",
        "last_reply",
        "message",
        "seq",
        "settled",
        "state",
    )

    def __init__(self, message: Message, index: int, binding: str, domain: str) -> None:
        self.message = message
        self.index = index
        self.binding = binding
        self.domain = domain
        self.state: State = "held" if message.fate == "feedback" else "queued"
        self.attempts = 0
        self.due_at = message.begins_at
        self.seq = 0
        self.last_reply: Reply | None = None
        self.delay_dsns = 0
        self.settled = False

    @property
    def path(self) -> ForwardPath:
        """The address and its DSN parameters."""
        return self.message.recipients[self.index]

    @property
    def queue(self) -> QueueKey:
        """The queue it waits in."""
        return QueueKey(self.binding, self.domain)

    @property
    def flow(self) -> Flow:
        """Its share of that queue."""
        return Flow(self.binding, self.domain, self.message.lane, self.message.tenant)

    @property
    def key(self) -> tuple[MessageId, int]:
        """What names it on disk."""
        return self.message.id, self.index

    def apply(self, event: Event) -> bool:
        """Take over what *event* says, unless it is not newer than what is known. Returns whether it was."""
        if event.seq <= self.seq:
            return False
        self.seq = event.seq
        self.state = event.state
        self.binding = event.binding
        self.domain = event.domain
        self.attempts = event.attempts
        self.due_at = event.due_at
        self.delay_dsns = event.delay_dsns
        if event.reply is not None:
            self.last_reply = event.reply
        return True

    def event(
        self,
        type: EventType,
        at: float,
        state: State,
        *,
        due_at: float | None = None,
        attempts: int | None = None,
        reply: Reply | None = None,
        attempt: Attempt | None = None,
        note: str = "",
        binding: str | None = None,
        domain: str | None = None,
        delay_dsns: int | None = None,
    ) -> Event:
        """Build this recipient's next event; what is not given stays as it is. Does not apply it."""
        return Event(
            type=type,
            at=at,
            message=self.message.id,
            index=self.index,
            seq=self.seq + 1,
            state=state,
            binding=self.binding if binding is None else binding,
            domain=self.domain if domain is None else domain,
            attempts=self.attempts if attempts is None else attempts,
            due_at=self.due_at if due_at is None else due_at,
            reply=reply,
            attempt=attempt,
            note=note,
            delay_dsns=self.delay_dsns if delay_dsns is None else delay_dsns,
        )

    def __repr__(self) -> str:
        return f"<{self.path.address} of {self.message.id.hex()}: {self.state}, {self.attempts} attempts>"


class FlowSummary(NamedTuple):
    """What the settled store holds of one flow, without what is in memory at the moment.

    *queued* and *held* count rows. *next_due* is the earliest due time of a queued one, None without any.
    *oldest* is the earliest reception, None when the flow is empty.
    """

    queued: int
    held: int
    next_due: float | None
    oldest: float | None
