"""Which pictures of the store still hold. Pure.

The store counts its changes; a poll says which accounts changed and when. Whatever was read of an account at its last
change or later holds. Should the count go backwards, the store was replaced by an older copy: then nothing that was
read before holds, which the first half of `Seen` tells.
"""

from collections.abc import Mapping
from typing import NamedTuple

from angarium.identity.principal import Seen


class News(NamedTuple):
    """What a poll found: the store is at *seen*; since the last time *changed* were, None: any account may be."""

    seen: Seen
    changed: Mapping[int, Seen] | None


class Era:
    """How often the store turned out to be an older copy of itself; shared by all who read it."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0


class Changes:
    """When each account changed last, as far as one worker has heard."""

    def __init__(self, limit: int = 100_000) -> None:
        self._limit = limit
        self._floor: Seen = (0, 0)
        self._changed: dict[int, Seen] = {}
        self.seen: Seen | None = None

    def note(self, news: News) -> None:
        """Take what a poll found."""
        self.seen = news.seen
        if news.changed is None or len(self._changed) + len(news.changed) > self._limit:
            self._floor = news.seen
            self._changed.clear()
        else:
            self._changed.update(news.changed)

    def holds(self, account: int, seen: Seen) -> bool:
        """Whether what was read of *account* at *seen* is not known to have changed since."""
        return seen >= self._changed.get(account, self._floor)
