"""What may have been meant by a name that is not known."""

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 64
"""Characters of a name that is compared at all: comparing takes time by the product of both lengths, and names from
outside may have any length."""


def closest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """Return the name among *known* that is most like *name*, None when none is by *likeness* (0 to 1).

    Case makes no difference.
    """
    if len(name) > LONGEST:
        return None
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(name.lower(), by_lower, 1, likeness)
    return by_lower[close[0]] if close else None
