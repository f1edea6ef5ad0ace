"""All kinds of things that happen to mail, one catalogue for whoever stores, searches, shows or passes them on.

What changes a recipient's state is an `Event` of the journal, all else that is known a `Fact`; here they stand side by
side.
"""

from typing import Final, Literal, NamedTuple

from angarium.core.records import FACT_FIELDS, FactKind, State

STATES: Final[tuple[State, ...]] = (
    "queued",
    "delivered",
    "bounced",
    "expired",
    "suppressed",
    "cancelled",
    "held",
)
"""By the number that each is stored as: only ever appended to."""

Part = Literal["door", "delivery", "operator", "feedback", "reader", "node"]

PARTS: Final[dict[Part, str]] = {
    "door": "At the door",
    "delivery": "On the way out",
    "operator": "By command",
    "feedback": "What comes back by mail",
    "reader": "By whoever reads it",
    "node": "Of the node",
}


class HappeningKind(NamedTuple):
    """*number* is what it is stored as, for good. *part* says where it happens, *about* what it means, in a sentence.

    *details* are the fields that its details may have, by the names of `DETAILS`. *is_later*: nothing in this version
    makes it happen.
    """

    name: str
    number: int
    part: Part
    about: str
    details: tuple[str, ...] = ()
    is_later: bool = False


_STATE: Final = ("attempts", "note")
_TRIED: Final = (*_STATE, "attempt")


def _fact(name: FactKind, number: int, part: Part, about: str, *, is_later: bool = False) -> HappeningKind:
    return HappeningKind(name, number, part, about, FACT_FIELDS[name], is_later)


_ALL: Final = (
    HappeningKind(
        "received", 1, "door", "The message was accepted and is durable. Others call it injection."
    ),
    _fact("refusal", 2, "door", "A session, an address or a message was refused at the door."),
    _fact("login_failed", 3, "door", "Somebody failed to log in."),
    _fact("left_out", 4, "door", "So many refusals and failed logins were not written down one by one."),
    HappeningKind(
        "submission",
        5,
        "door",
        "Mail was handed in of which the messages are made in the background.",
        is_later=True,
    ),
    HappeningKind("delivered", 10, "delivery", "The peer has taken responsibility for it.", _TRIED),
    HappeningKind(
        "delayed", 11, "delivery", "It could not be delivered yet, and is tried again.", (*_TRIED, "due_at")
    ),
    HappeningKind("bounced", 12, "delivery", "It failed for good.", _TRIED),
    HappeningKind("expired", 13, "delivery", "It became too old, or was tried too often.", _TRIED),
    HappeningKind(
        "ambiguous",
        14,
        "delivery",
        "The connection was lost before the answer to the whole message.",
        (*_TRIED, "due_at"),
    ),
    HappeningKind(
        "intent", 15, "delivery", "It is about to be handed over, where an unclear end must be held.", _STATE
    ),
    HappeningKind("suppressed", 16, "delivery", "The recipient is on a suppression list.", _STATE),
    HappeningKind(
        "policy", 17, "delivery", "A rule of the node forbids that it leaves.", _STATE, is_later=True
    ),
    HappeningKind(
        "generation_failure",
        18,
        "delivery",
        "It could not be made for this recipient: the template failed.",
        _STATE,
    ),
    HappeningKind(
        "generation_rejection",
        19,
        "delivery",
        "What was made for this recipient may not be sent, or nothing can be made of the template for anybody.",
        _STATE,
    ),
    HappeningKind("cancelled", 20, "operator", "It was failed by command.", _STATE),
    HappeningKind("held", 21, "operator", "It was set aside.", _STATE),
    HappeningKind("released", 22, "operator", "It goes on after it was held.", (*_STATE, "due_at")),
    HappeningKind("flushed", 23, "operator", "It is tried at once, by command.", (*_STATE, "due_at")),
    HappeningKind(
        "rerouted", 24, "operator", "It goes to another domain's hosts, by command.", (*_STATE, "due_at")
    ),
    HappeningKind(
        "rebound", 25, "operator", "It leaves by another binding, by command.", (*_STATE, "due_at")
    ),
    HappeningKind("read", 26, "feedback", "It was mail to this node, and has been read.", _STATE),
    _fact("open", 30, "reader", "The recipient has looked at the message."),
    _fact("click", 31, "reader", "The recipient has followed a link in it."),
    _fact(
        "unsubscribe",
        32,
        "reader",
        "The recipient wants no more, by mail or by a button of the mail program.",
    ),
    _fact(
        "initial_open",
        33,
        "reader",
        "The picture at the beginning of the message was asked for: it was opened, and perhaps not read to its end.",
    ),
    _fact(
        "link_unsubscribe",
        34,
        "reader",
        "The recipient wants no more, by a link that its sender has marked as the way out (`data-msys-unsubscribe`).",
    ),
    _fact("resubscribe", 35, "reader", "The recipient has taken an unsubscription back."),
    _fact("complaint", 40, "feedback", "The recipient has called it unwanted."),
    _fact("late_bounce", 41, "feedback", "It failed after a peer had taken it. Others call it out of band."),
    _fact("auto_reply", 42, "feedback", "A program has answered for the recipient."),
    _fact(
        "feedback", 43, "feedback", "Mail came back of which nothing follows, or which belongs to no mail."
    ),
    _fact(
        "domain_lost",
        50,
        "node",
        "Records of a sending domain are gone from the DNS, which is asked each day: mail is not signed with it.",
    ),
    _fact("domain_found", 51, "node", "The records of a sending domain are there, as they are to be."),
    HappeningKind(
        "unknown", 99, "node", "A newer program has written what this one does not know.", ("kind",)
    ),
)

DETAILS: Final[dict[str, str]] = {
    "attempts": "How many attempts were made at this recipient so far.",
    "note": "Why, in words, where no reply says it: an operator's command, a limit.",
    "due_at": "When it is tried next, in seconds of Unix time.",
    "attempt": "The attempt: when it began, how far it came (`stage`), `host`, `peer`, our address (`source`), "
    "`session`, TLS, milliseconds waited for each answer (`timings`), and of failures what was said (`dialogue`).",
    "listener": "The listener by which somebody came.",
    "peer": "Address and port of who came.",
    "session": "The session; the log has it by this name.",
    "reply": "What was answered: code, enhanced code, text.",
    "sender": "The envelope sender.",
    "mechanism": "The mechanism of the login (RFC 4422).",
    "user": "The name that somebody tried to log in by.",
    "address": "The IP address that asked.",
    "agent": "What the program called itself that asked, or that made the report.",
    "method": "The HTTP method, where it is not GET.",
    "machine": "Why it is taken for a program and not for a person; absent for a person. `prefetch`: Apple's servers, "
    "which load pictures when mail comes; `scanner`: a security product; `program`: what calls itself so, as a search "
    "engine; `too_soon`: within a second of delivery, three for a click; `network`: `Machine_Networks`; `method`: it "
    "asks for no content; `no_agent`: it does not say what it is.",
    "proxy": "By whose servers a person has looked: `gmail`, `yahoo`, `other`.",
    "url": "The link.",
    "link": "Which one it is of the links of its part, counted from 1.",
    "part": "Where the link stands: `html` or `text`.",
    "name": "What the sender calls the link (`data-msys-linkname`).",
    "opened": "Whether the click says that the message was opened; false where a program followed the link.",
    "by": "How the message was found that it is about: `return_path` (an address that this node has signed), "
    "`message_id`, `trace`.",
    "mail": "The id of the mail that said it.",
    "from": "Who wrote it, by its From field.",
    "to": "Whom it was to.",
    "subject": "Its subject.",
    "type": "What sort of report it is: `abuse`, `fraud` … (RFC 5965).",
    "status": "The enhanced status code that was reported (RFC 3463).",
    "class": "The number of the bounce class: see docs/bounces.md.",
    "reason": "Why, in a word.",
    "reported": "The recipient that the report names, where it is another.",
    "about": "What sort of mail it was.",
    "why": "Why nothing follows of it.",
    "text": "The beginning of what it says.",
    "domain": "The sending domain.",
    "missing": "The records that are missing or wrong.",
    "refusal": "So many refusals.",
    "login_failed": "So many failed logins.",
    "kind": "What the newer program calls it.",
}
"""What the fields of details mean."""

KINDS: Final = {kind.name: kind for kind in _ALL}
BY_NUMBER: Final = {kind.number: kind for kind in _ALL}


def kind_of(name: str) -> HappeningKind:
    """Return the kind that an event's type or a fact's kind is; `unknown` for one that is not known here."""
    return KINDS.get("received" if name == "reception" else name, KINDS["unknown"])
