"""Whose turn it is: the order in which those who wait for units of a limit are served.

Lanes are strict. Within a lane there are four ranks, best first:

    a queue that has no connection
    a *modest* one of which another worker has some, and of which it is not known here that its units come back soon
    a queue that wants another connection
    a *modest* one that does, although its transactions take long

A modest queue leaves units of a shared limit to those that have none: slow peers could hold all there are. Of the
connections to one destination, bulk mail is modest, and leaves some to the better lane.
"""

LANES = 2
RANKS = 4 * LANES
"""Ranks are 0 (best) to 7; `RANKS` itself stands for no mail, which comes after all."""
BETTER_RANKS = 4
"""Ranks below this are those of transactional mail."""


def rank_of(lane: int, *, more: bool = False, modest: bool = False) -> int:
    """The place in the order; *more* says that the queue has a connection."""
    return 4 * lane + 2 * more + modest


def is_modest(rank: int) -> bool:
    """Whether a queue of this *rank* leaves units to those that have none."""
    return rank % 2 == 1


def is_more(rank: int) -> bool:
    """Whether a queue of this *rank* has a connection, and wants another."""
    return rank % 4 >= 2


KEPT_S = 600.0
"""A destination that got transactional mail in this time may be got some at any moment."""


def kept_of(connections: int) -> int:
    """How many of so many connections to one destination are kept from bulk mail for the better lane: a fifth."""
    return (connections + 4) // 5 if connections > 1 else 0


def left_to_firsts(rank: int, capacity: int) -> int:
    """How many units of *capacity* that many share, a modest one of *rank* leaves to those who have none.

    The first connection of another worker, two fifths; a further one to a peer that takes its time, three quarters. A
    limit too small for that is there to be used.
    """
    if rank % 4 == 1:
        return capacity // 5 * 2
    return capacity - capacity // 4 if capacity > 2 else 0


def better_than(lane: int, *, several: bool) -> int:
    """Ranks below this go before one that holds a unit for *lane*, and *several* of them in all: at once."""
    return 4 * lane + 2 * several


def as_good_as(lane: int, *, several: bool) -> int:
    """Ranks below this go before that holder, or are its equals, which take turns with it."""
    return 4 * lane + 2 + 2 * several
