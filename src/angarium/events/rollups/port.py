"""What is asked of a store of events to count them, and what it answers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, Protocol

from angarium.events.port import Whose
from angarium.query.nodes import Everything, Node

Dimension = Literal["account", "server", "stream", "tag", "campaign", "domain", "provider", "binding"]
"""What is counted apart. *domain* is that of the recipient's address, *provider* whose host was tried."""

EACH: Final[tuple[Dimension, ...]] = (
    "account",
    "server",
    "stream",
    "campaign",
    "domain",
    "provider",
    "binding",
)
"""What is told of each, beside tags: a message may have several."""

EventRow = tuple[Any, ...]
"""What `Counted` has up to the latency, but with numbers for kind and reason; the numbers of accounts, servers and
words (`EACH`); the tags in JSON; how often it was, and bytes.
"""
AT, ACCEPTED_AT, KIND, REASON = range(4)
ALIKE: Final = slice(KIND, 10)
"""What says to which measures an event adds."""
ACCOUNT, SERVER = 10, 11
PLACE_OF: Final = {dimension: ACCOUNT + place for place, dimension in enumerate(EACH)}
WORDS: Final = slice(12, 17)
TAGS, TIMES, SIZE = 17, 18, 19

QUARTER_S: Final = 900
"""The finest that is kept: the days and hours of every zone are made of them."""


class CountQuery(NamedTuple):
    """Which events are counted, and what is told apart.

    Of the events numbered above *after* up to *upto* (None: no bound). *window*: those that happened in it, as *basis*
    has it, at or after the first instant and before the second, in epoch seconds. *node* is what mail it must be, read
    with `fields.MAIL`; *filters* say for a dimension which values, folded. Times are told in units of *unit_s* seconds.
    What happened at a door is of no account: for that of *scope* it is what happened to *door_servers*.
    """

    dimensions: tuple[Dimension, ...] = ()
    after: int = 0
    upto: int | None = None
    window: tuple[float, float] | None = None
    basis: Literal["event", "acceptance"] = "event"
    node: Node = Everything()
    scope: Whose = Whose()
    filters: Sequence[tuple[Dimension, tuple[str, ...]]] = ()
    unit_s: int = QUARTER_S
    door_servers: Sequence[int] = ()


class Counted(NamedTuple):
    """So many events that are the same in all that is told apart.

    *at* is when they happened and *accepted_at* when their messages were accepted (None: it is not known), in units of
    the question. *values* are those of its dimensions, numbers as text. *is_first*: the first of its kind for a
    recipient, of people or of machines; *is_engaging*: a person's first open or click. *traits* are those of
    `rows`, *latency* is a bucket of the time since acceptance. *times* is negative for what had been counted wrongly,
    while its message was not known.
    """

    at: int
    accepted_at: int | None
    values: tuple[str, ...]
    kind: str
    reason: str
    is_first_try: bool
    is_machine: bool
    is_first: bool
    is_engaging: bool
    traits: int
    latency: int | None
    times: int
    size: int


class EventRows(NamedTuple):
    """Events of one day, and the *words* that their numbers stand for. *is_taken_back*: they had been counted so."""

    rows: list[EventRow]
    words: Mapping[int, str]
    is_taken_back: bool = False


class ReplyCount(NamedTuple):
    """How often a peer has answered so. *kind* is that of the event."""

    kind: str
    reason: str
    reply: str
    times: int


class CountedEvents(Protocol):
    """A store of events, as who counts them sees it. Raises EventStoreError throughout."""

    def last(self) -> int:
        """Return the number of the event that was stored last, 0 for none."""
        ...

    def counted(self, wanted: CountQuery) -> Iterator[Counted]:
        """Count. The same event may come in several parts, whose counts add up."""
        ...

    def each(self, after: int, upto: int) -> Iterator[EventRows]:
        """Yield the events numbered above *after* up to *upto*, as plain rows; and those before them that had been
        counted while their message was not known, and it is now: as they were then, to be taken back, and as they are.
        """
        ...

    def replies(self, wanted: CountQuery) -> Iterator[ReplyCount]:
        """Count the answers of failures, each as it was given."""
        ...

    def first_day(self) -> str | None:
        """Return the first day whose events are kept, None where there are none."""
        ...
