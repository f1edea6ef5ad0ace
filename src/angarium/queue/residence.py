"""Who may be in memory: a bound on the number of recipients, shared evenly between sources when it gets
tight.
"""


class Residence:
    """Counts recipients in memory, in all and by source.

    *reserved* are on their way from the settled store. *reserve* places are for transactional mail only.
    """

    __slots__ = ("_by_source", "_limit", "reserve", "reserved", "total")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.reserve = limit // 10
        self._by_source: dict[str, int] = {}
        self.total = 0
        self.reserved = 0

    def add(self, source: str) -> None:
        """One more recipient of *source*."""
        self.total += 1
        self._by_source[source] = self._by_source.get(source, 0) + 1

    def remove(self, source: str) -> None:
        """One recipient of *source* fewer."""
        self.total -= 1
        left = self._by_source[source] - 1
        if left:
            self._by_source[source] = left
        else:
            del self._by_source[source]

    def has_room(self, source: str) -> bool:
        """Whether one more of *source* may come. Above half of the limit, no source may have more than its
        share.
        """
        total = self.total + self.reserved
        if total * 2 < self._limit:
            return True
        if total >= self._limit:
            return False
        mine = self._by_source.get(source, 0)
        return mine < self._limit // (len(self._by_source) + (mine == 0))

    def room(self) -> int:
        """How many more recipients there is room for."""
        return max(0, self._limit - self.total - self.reserved)

    @property
    def is_relaxed(self) -> bool:
        """Whether so much is free again that waiting queues may page."""
        return (self.total + self.reserved) * 10 <= self._limit * 9
