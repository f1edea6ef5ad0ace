"""Somebody who is logged in to the pages."""

from typing import Final

import msgspec

from angarium.identity.records import Person

IDLE_S: Final = 12 * 3600.0
"""A session that nobody used for so long is over."""
LONGEST_S: Final = 7 * 86_400.0
"""A session is over after so long, however it is used."""
LINK_S: Final = 15 * 60.0
"""A link that logs somebody in is good for so long, and once."""


class PageSession(msgspec.Struct, frozen=True):
    """One login. *peer* and *agent* are where it began: an address, and what the browser called itself."""

    id: int
    person: Person
    account_name: str
    began_at: float
    seen_at: float
    peer: str
    agent: str

    def is_over(self, now: float) -> bool:
        """Whether it is too old, or unused for too long."""
        return now - self.seen_at > IDLE_S or now - self.began_at > LONGEST_S
