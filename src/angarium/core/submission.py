"""What every front door makes of what it was given, and what it is answered: a `Submission`, and a `Receipt` for it.

Nothing in them is a sentence or a number of one protocol: what is wrong is a `Problem`, a code with its facts, which
the door, or the dialect whose words it stood in, puts into words.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import msgspec

from angarium.core.body import Body
from angarium.core.fields import Fields, Form, Personal
from angarium.core.ids import MessageId
from angarium.core.options import NO_OPTIONS, Options
from angarium.core.records import ForwardPath, Lane, Origin


class Reason(StrEnum):
    """Why something is not taken. *label* is what logs and counters call it, where several are one to them."""

    label: str

    def __new__(cls, code: str, label: str = "") -> "Reason":
        """Make a member of a code and, where it differs, its label."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.label = label or code
        return member

    # for now: whatever was sent, it may be taken later
    STORAGE_FULL = "storage_full", "storage"
    STORAGE = "storage"
    QUEUE_FULL = "queue_full"
    MEMORY = "memory"
    FAULT = "fault"
    QUOTA = "quota"
    QUOTA_TOO_SMALL = "quota_too_small", "quota"
    """More at once than a window may ever have."""
    UNCOUNTED = "uncounted", "quota"
    ACCOUNT_QUEUE = "account_queue"

    # whether the sender may still send
    LOGIN_UNCHECKED = "login_unchecked", "login"
    """Nobody can say at the moment."""
    LOGIN_REVOKED = "login_revoked", "login"
    LOGIN_DISABLED = "login_disabled", "login"
    LOGIN_EXPIRED = "login_expired", "login"
    LOGIN_SUSPENDED = "login_suspended", "login"
    LOGIN_SMTP_OFF = "login_smtp_off", "login"
    LOGIN_GRANT = "login_grant", "login"

    LOGIN_UNKNOWN = "login_unknown", "login"
    """Nobody's, or not for where it comes from."""
    LOGIN_MISSING = "login_missing", "login"

    # the request as a whole
    BODY_SIZE = "body_size"
    REQUEST = "request"
    """It cannot be read, or asks for what there is not."""
    FIELD = "field"
    """Of what a message is made of, one thing cannot be."""
    ATTACHMENT_TYPE = "attachment_type"
    MESSAGE_SIZE = "message_size"
    NO_RECIPIENTS = "no_recipients"
    KEY_SYNTAX = "key_syntax", "key"
    KEY_DIFFERS = "key_differs", "key"
    """It was given to something else."""
    KEY_RUNNING = "key_running", "key"
    """What it was given to is not answered yet."""
    KEYS_UNKNOWN = "keys_unknown", "key"

    # the message as a whole
    HEADER_SIZE = "header_size"
    LOOP = "loop"
    CONTENT = "content"
    """Nothing here makes a message of such content."""
    TOO_MANY_RECIPIENTS = "too_many_recipients"
    LITERAL = "literal", "option_syntax"
    COPIES_SIZE = "copies_size", "option_limit"

    # who wrote it, and whom it passes for
    NO_HEADER = "no_header", "no_author"
    NO_AUTHOR = "no_author"
    SEVERAL_FROM = "several_from", "no_author"
    LONG_FROM = "long_from", "no_author"
    BAD_FROM = "bad_from", "no_author"
    DOMAIN = "domain"
    NO_DOMAIN = "no_domain", "domain"
    UNREADABLE_AUTHOR = "unreadable_author", "domain"
    RETURN_PATH = "return_path"

    # whom it is for
    SUPPRESSED = "suppressed"

    # what it asks for
    UNKNOWN_STREAM = "unknown_stream"
    ARCHIVED_STREAM = "archived_stream"
    BOUND_STREAM = "bound_stream", "stream"
    UNKNOWN_BINDING = "unknown_binding"
    LOGIN_BINDING = "login_binding", "unknown_binding"
    BINDING = "binding"
    JSON = "json"
    JSON_TYPE = "json_type", "json"
    METADATA_TYPE = "metadata_type", "metadata"
    METADATA_SIZE = "metadata_size", "metadata"
    METADATA_DEPTH = "metadata_depth", "metadata"
    METADATA_NUMBER = "metadata_number", "metadata"
    """A number in it is too large, not their number."""
    METADATA_COUNT = "metadata_count", "metadata"
    METADATA_NAMELESS = "metadata_nameless", "metadata"
    METADATA_NAME = "metadata_name", "metadata"
    METADATA_VALUE = "metadata_value", "metadata"
    OPTION_VALUE = "option_value", "option_syntax"
    OPTION_TYPE = "option_type", "option_syntax"
    OPTION_REPEATED = "option_repeated", "option_syntax"
    OPTION_ADDRESS = "option_address", "option_syntax"
    OPTION_LENGTH = "option_length", "option_limit"
    OPTION_OCTETS = "option_octets", "option_limit"
    OPTION_COUNT = "option_count", "option_limit"
    OPTION_FIELDS = "option_fields", "option_limit"


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong: *reason*, and what has to be known to say it.

    *field* names what it is about as its *dialect* does, *value* is what was found there, *limit* the most there may be
    and *found* how much there was; None and empty where that says nothing. *facts* are what only some reasons have.
    *dialect* is the one it was said in, or whose habits the sender expects; empty: no dialect's, the same for all.
    """

    reason: Reason
    field: str = ""
    limit: int | None = None
    value: str = ""
    found: int | None = None
    facts: dict[str, Any] = {}
    dialect: str = ""

    def in_dialect(self, dialect: str) -> "Problem":
        """Return the problem as one of *dialect*."""
        return msgspec.structs.replace(self, dialect=dialect)


class CopyTo(NamedTuple):
    """A recipient of the message besides those of the envelope. *domain* in lower-case A-labels."""

    name: str
    address: str
    domain: str


class Wishes(msgspec.Struct, frozen=True):
    """What a submission asks for in the words of one dialect.

    *options* and the copies hold what could be read; *problems* the rest, in the order they were met.
    """

    dialect: str
    options: Options = NO_OPTIONS
    cc: tuple[CopyTo, ...] = ()
    bcc: tuple[CopyTo, ...] = ()
    archive: tuple[CopyTo, ...] = ()
    problems: tuple[Problem, ...] = ()


P = TypeVar("P")


class Envelope(msgspec.Struct, frozen=True):
    """From whom and to whom. *reverse_path* is empty for the null sender; *sender_domain* is its domain in A-labels.

    *smtputf8* is what the client declared. *ret* is "", "FULL" or "HDRS"; *envid* is decoded, or "" (RFC 3461 §4.3,
    §4.4).
    """

    reverse_path: str
    sender_domain: str
    recipients: Sequence[ForwardPath]
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""


class Raw(msgspec.Struct, frozen=True):
    """A message as it came.

    *head* is as much of its beginning as surely holds the header block: of a body in memory the body itself.
    *eight_bit* says that it is more than ASCII. *long_lines* False: no line of it has more than 998 octets; of a body
    in memory that is not known.
    """

    body: Body
    head: bytes
    eight_bit: bool = False
    long_lines: bool = True


class TemplateReference(msgspec.Struct, frozen=True):
    """A template that is kept here, by its id or alias, and what is put into it for all recipients. *fields* are what
    the message says itself, which goes before what the template says; None: nothing.
    """

    template: str
    data: dict[str, Any] = {}
    fields: Fields | None = None


Content = Raw | Fields | Form | TemplateReference
"""What a submission consists of: a message; fields that are made into one for all; a form, which is made into one for
each recipient as it leaves; a template, whose form is found before the intake sees it (`submission.requests`); it
refuses one that comes to it all the same.
"""


class EntrancePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What an entrance does with every message. Limits of 0 are none.

    *takes_literals*: whether recipients may be at an address literal; None: not those of a sender who logged in.
    *adds_received*, *adds_date* and *adds_message_id* say which fields are written, the latter where they are missing;
    *hostname* stands in them. *mends_lines* has long lines encoded anew before signing. *lane* is that of mail that
    says nothing itself; *heeds_priority*: a Priority field says something.
    """

    hostname: str
    max_header_size: int
    max_received_headers: int
    takes_literals: bool | None
    adds_received: bool
    adds_date: bool
    adds_message_id: bool
    mends_lines: bool
    lane: Lane
    heeds_priority: bool


class ListSource(NamedTuple):
    """A stored list that a form goes to: its *id*, and how many (*size*) were on it when that was looked at."""

    id: str
    size: int


class Submission(msgspec.Struct, Generic[P], frozen=True):
    """One message as it was handed in, by whatever door.

    *principal* is who logged in, None where none did; *is_known* says that the sender needs no login: its wishes
    count, and its mail is signed. *wishes* are what the door was asked for besides the content, what counts first
    before the others, and all before what the message's own header asks for. What login, stream, server and account say
    is the principal's, and comes last. *fate* is that of the message (`records.Fate`): what is mail to this node is
    read, and has no principal. *personal* is what each recipient of the envelope has of its own, in their order; empty:
    nothing. *source* is the list whose recipients get a form, who are read when it leaves; the envelope has none then.
    *due_at* is when the message is to leave, None at once. *by_request*: its sender is told what is wrong with
    it, so that nothing is taken only to be reported as failed.
    """

    id: MessageId
    envelope: Envelope
    content: Content
    origin: Origin
    policy: EntrancePolicy
    principal: P | None = None
    is_known: bool = False
    wishes: tuple[Wishes, ...] = ()
    fate: Literal["deliver", "feedback"] = "deliver"
    personal: Sequence[Personal] = ()
    due_at: float | None = None
    source: ListSource | None = None
    by_request: bool = False


class Receipt(msgspec.Struct, frozen=True):
    """What became of a submission: durable as *messages*, the first of which names it, or not taken at all.

    Of what was not taken *problems* say why. Of what was taken they say why it will only be reported as failed.
    *refused* are recipients that were left out, each with why; *warnings* are what the sender should know all the same.
    """

    messages: tuple[MessageId, ...] = ()
    problems: tuple[Problem, ...] = ()
    refused: tuple[tuple[ForwardPath, Problem], ...] = ()
    warnings: tuple[Problem, ...] = ()


OnReceipt = Callable[[Receipt], None]
"""Hears what became of a submission, once."""
