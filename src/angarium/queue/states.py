"""Every transition of a recipient: from which state, by which event, to which states. `docs/queue.md` shows it.

*queued* includes recipients that are being delivered; *delivering* is a queued recipient with an attempt under way.
An event that is not named here for a state cannot happen in it. *intent* is written before an attempt whose outcome
must not be guessed: in the journal the recipient is held from then on, until the outcome follows; so the outcomes are
possible from *held* as well.
"""

from angarium.core.records import EventType, State

TRANSITIONS: dict[tuple[State, EventType], frozenset[State]] = {
    ("queued", "delivered"): frozenset({"delivered"}),
    ("queued", "delayed"): frozenset({"queued"}),
    ("queued", "bounced"): frozenset({"bounced"}),
    ("queued", "generation_failure"): frozenset({"bounced"}),
    ("queued", "generation_rejection"): frozenset({"bounced"}),
    ("queued", "expired"): frozenset({"expired"}),
    ("queued", "ambiguous"): frozenset({"queued", "held"}),
    ("queued", "intent"): frozenset({"held"}),
    ("queued", "suppressed"): frozenset({"suppressed"}),
    ("queued", "cancelled"): frozenset({"cancelled"}),
    ("queued", "held"): frozenset({"held"}),
    ("queued", "flushed"): frozenset({"queued"}),
    ("queued", "rerouted"): frozenset({"queued"}),
    ("queued", "rebound"): frozenset({"queued"}),
    ("held", "released"): frozenset({"queued"}),
    ("held", "delivered"): frozenset({"delivered"}),
    ("held", "delayed"): frozenset({"queued"}),
    ("held", "bounced"): frozenset({"bounced"}),
    ("held", "expired"): frozenset({"expired"}),
    ("held", "ambiguous"): frozenset({"queued", "held"}),
    ("held", "cancelled"): frozenset({"cancelled"}),
    ("held", "rerouted"): frozenset({"held"}),
    ("held", "rebound"): frozenset({"held"}),
    ("held", "read"): frozenset({"delivered"}),
}


def may_happen(state: State, event: EventType, after: State) -> bool:
    """Whether *event* can take a recipient from *state* to *after*."""
    return after in TRANSITIONS.get((state, event), frozenset())
