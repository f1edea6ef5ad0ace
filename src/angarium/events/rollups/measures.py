"""What is counted, one table for whoever counts, stores, reports or words it.

All of it adds up: over quarter-hours, over days, over servers. "First" is decided by the order in which things are
stored, once for each recipient of a message; so the first opens of seven days are the week's. What would not add up,
how many different people opened mail in a week, is not counted: a person who opens two messages is counted twice.
"""

from typing import Final, Literal, NamedTuple

Basis = Literal["event", "acceptance"]
"""By whose time it is counted: that of what happened, or that at which the message was accepted."""


class Measure(NamedTuple):
    """*number* is what it is stored as, for good; *about* is a sentence. *by_attempt*: it is known of each attempt, and
    so of the provider and the binding; else it is known of the message only.
    """

    name: str
    number: int
    about: str
    basis: Basis = "event"
    by_attempt: bool = False


def _attempt(name: str, number: int, about: str) -> Measure:
    return Measure(name, number, about, by_attempt=True)


def _state(name: str, number: int, about: str) -> Measure:
    return Measure(name, number, about, "acceptance")


_ALL: Final = (
    Measure("accepted", 1, "Recipients of accepted messages."),
    Measure("accepted_bytes", 2, "Bytes of accepted messages, for each recipient."),
    _attempt("delivered", 3, "Recipients that a peer has taken responsibility for."),
    _attempt("delivered_first", 4, "Of those, at the first try."),
    _attempt("delivered_bytes", 5, "Bytes of the delivered, for each recipient."),
    _attempt("delayed", 6, "Tries that failed for now."),
    _attempt("delayed_first", 7, "Of those, first tries: so many recipients were delayed."),
    _attempt("bounced_hard", 8, "Recipients that failed for good: no such address."),
    _attempt("bounced_soft", 9, "Recipients that failed for good though their address may be good."),
    _attempt(
        "bounced_block",
        10,
        "Recipients that failed for good since the peer does not want this sender or mail.",
    ),
    _attempt("bounced_admin", 11, "Recipients that failed for good by a rule or a right."),
    _attempt("bounced_undetermined", 12, "Recipients that failed for good, and it is not known why."),
    _attempt("ambiguous", 13, "Connections that were lost before the answer to the whole message."),
    Measure("expired", 14, "Recipients that became too old, or were tried too often."),
    Measure("suppressed", 15, "Recipients that were on a suppression list."),
    Measure("cancelled", 16, "Recipients that were failed by command."),
    Measure("held", 17, "How often recipients were set aside."),
    Measure("rejected", 18, "Sessions, addresses and messages that were refused at the door."),
    Measure("generation_failures", 19, "Recipients whose text could not be made."),
    Measure("late_bounces", 20, "Recipients that failed after a peer had taken them."),
    Measure("complaints", 21, "Recipients that called it unwanted."),
    Measure("unsubscribes", 22, "Recipients that want no more."),
    Measure("opens", 23, "How often people looked at mail."),
    Measure("unique_opens", 24, "Recipients that looked for the first time."),
    Measure("clicks", 25, "How often people followed a link."),
    Measure("unique_clicks", 26, "Recipients that followed a link for the first time."),
    Measure(
        "engaged",
        27,
        "Recipients that looked or followed a link for the first time: a click implies its open.",
    ),
    Measure("machine_opens", 28, "Openings by programs: prefetching, scanners."),
    Measure("machine_unique_opens", 29, "Recipients whose mail a program opened for the first time."),
    Measure("machine_clicks", 30, "Links that programs followed."),
    Measure("machine_unique_clicks", 31, "Recipients whose links a program followed for the first time."),
    Measure("opens_tracked", 32, "Accepted recipients whose opens are seen."),
    Measure("clicks_tracked", 33, "Accepted recipients whose clicks are seen."),
    _state("state_delivered", 40, "Of the recipients accepted then, those delivered by now."),
    _state("state_bounced", 41, "Of the recipients accepted then, those that bounced by now."),
    _state("state_expired", 42, "Of the recipients accepted then, those that expired by now."),
    _state("state_suppressed", 43, "Of the recipients accepted then, those suppressed by now."),
    _state("state_cancelled", 44, "Of the recipients accepted then, those cancelled by now."),
    _state(
        "state_returned", 45, "Of the recipients accepted then, those that failed after they were delivered."
    ),
)

MEASURES: Final = {measure.name: measure for measure in _ALL}
BY_NUMBER: Final = {measure.number: measure for measure in _ALL}

BOUNCED: Final = ("hard", "soft", "block", "admin", "undetermined")
"""The categories that bounces are counted by (docs/bounces.md)."""

LATENCY: Final = 100
"""From this number on, the buckets of how long delivery took (`histogram`)."""


def number(name: str) -> int:
    """Return the number of a measure."""
    return MEASURES[name].number
