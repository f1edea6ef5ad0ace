"""Whose turn it is: the order in which those who wait for units of a limit are served.

Lanes are strict. Within a lane there are four ranks, best first:

    a queue that has no connection
    a *modest* one of which another worker has some, and of which nobody knows here that its units come back soon
    a queue that wants another connection
    a *modest* one that does, although its transactions take long

Who is modest leaves units of a shared limit to those who have none: slow peers could hold all there are.
"""

LANES = 2
RANKS = 4 * LANES
"""Ranks are 0 (best) to 7; `RANKS` itself stands for no mail, which comes after all."""


def rank_of(lane: int, *, more: bool = False, modest: bool = False) -> int:
    """The place in the order; *more* says that the queue has a connection."""
    return 4 * lane + 2 * more + modest


def is_modest(rank: int) -> bool:
    """Whether who is of this *rank* leaves units to those who have none."""
    return rank % 2 == 1


def is_more(rank: int) -> bool:
    """Whether who is of this *rank* has a connection, and wants another."""
    return rank % 4 >= 2


def left_by(rank: int, capacity: int) -> int:
    """How many units of *capacity* one of *rank* leaves to those who have none.

    The first connection of another worker, two fifths; a further one to a peer that takes its time, three quarters. A
    limit too small for that is there to be used.
    """
    if not is_modest(rank):
        return 0
    if rank % 4 == 1:
        return capacity // 5 * 2
    return capacity - capacity // 4 if capacity > 2 else 0


def better_than(lane: int, *, several: bool) -> int:
    """Ranks below this go before who holds a unit for *lane*, and *several* of them in all: at once."""
    return 4 * lane + 2 * several


def as_good_as(lane: int, *, several: bool) -> int:
    """Ranks below this go before that holder, or are its equals, which take turns with it."""
    return 4 * lane + 2 + 2 * several
