"""All kinds of things that happen to mail, one catalogue for whoever stores, searches, shows or passes them on.

What changes a recipient's state is an `Event` of the journal, all else that is known a `Fact`; here they stand side by
side.
"""

from typing import Final, Literal, NamedTuple

from angarium.core.records import State

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

Part = Literal["door", "delivery", "operator", "reader", "feedback"]


class HappeningKind(NamedTuple):
    """*number* is what it is stored as, for good. *part* says where it happens, *about* what it means, in a
    sentence.
    """

    name: str
    number: int
    part: Part
    about: str


_ALL: Final = (
    HappeningKind("received", 1, "door", "The message was accepted and is durable."),
    HappeningKind("refusal", 2, "door", "A session, an address or a message was refused at the door."),
    HappeningKind("login_failed", 3, "door", "Somebody failed to log in."),
    HappeningKind(
        "left_out", 4, "door", "So many refusals and failed logins were not written down one by one."
    ),
    HappeningKind("delivered", 10, "delivery", "The peer has taken responsibility for it."),
    HappeningKind("delayed", 11, "delivery", "It could not be delivered yet, and is tried again."),
    HappeningKind("bounced", 12, "delivery", "It failed for good."),
    HappeningKind("expired", 13, "delivery", "It became too old, or was tried too often."),
    HappeningKind(
        "ambiguous", 14, "delivery", "The connection was lost before the answer to the whole message."
    ),
    HappeningKind(
        "intent", 15, "delivery", "It is about to be handed over, where an unclear end must be held."
    ),
    HappeningKind("suppressed", 16, "delivery", "The recipient is on a suppression list."),
    HappeningKind("cancelled", 20, "operator", "It was failed by command."),
    HappeningKind("held", 21, "operator", "It was set aside."),
    HappeningKind("released", 22, "operator", "It goes on after it was held."),
    HappeningKind("flushed", 23, "operator", "It is tried at once, by command."),
    HappeningKind("rerouted", 24, "operator", "It goes to another domain's hosts, by command."),
    HappeningKind("rebound", 25, "operator", "It leaves by another binding, by command."),
    HappeningKind("read", 26, "feedback", "It was mail to this node, and has been read."),
    HappeningKind("open", 30, "reader", "The recipient has looked at the message."),
    HappeningKind("click", 31, "reader", "The recipient has followed a link in it."),
    HappeningKind("unsubscribe", 32, "reader", "The recipient wants no more."),
    HappeningKind("complaint", 40, "feedback", "The recipient has called it unwanted."),
    HappeningKind("late_bounce", 41, "feedback", "It failed after a peer had taken it."),
    HappeningKind("auto_reply", 42, "feedback", "A program has answered for the recipient."),
    HappeningKind(
        "feedback", 43, "feedback", "Mail came back of which nothing follows, or which belongs to no mail."
    ),
    HappeningKind("unknown", 99, "feedback", "A newer program has written what this one does not know."),
)

KINDS: Final = {kind.name: kind for kind in _ALL}
BY_NUMBER: Final = {kind.number: kind for kind in _ALL}


def kind_of(name: str) -> HappeningKind:
    """Return the kind that an event's type or a fact's kind is; `unknown` for one that is not known here."""
    return KINDS.get("received" if name == "reception" else name, KINDS["unknown"])
