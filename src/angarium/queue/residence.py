"""Who may be in memory: a bound on the number of recipients, shared evenly between tenants when it gets
tight.
"""


class Residence:
    """Counts recipients in memory, in all and by tenant.

    *reserved* are on their way from the settled store. *reserve* places are for transactional mail only.
    """

    __slots__ = ("_by_tenant", "_limit", "reserve", "reserved", "total")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.reserve = limit // 10
        self._by_tenant: dict[str, int] = {}
        self.total = 0
        self.reserved = 0

    def add(self, tenant: str) -> None:
        """One more recipient of *tenant*."""
        self.total += 1
        self._by_tenant[tenant] = self._by_tenant.get(tenant, 0) + 1

    def remove(self, tenant: str) -> None:
        """One recipient of *tenant* fewer."""
        self.total -= 1
        left = self._by_tenant[tenant] - 1
        if left:
            self._by_tenant[tenant] = left
        else:
            del self._by_tenant[tenant]

    def has_room(self, tenant: str) -> bool:
        """Whether one more of *tenant* may come. Above half of the limit only those with less than an even share
        may, up to four fifths the others too, so that there is room for one that comes new.
        """
        total = self.total + self.reserved
        if total * 2 < self._limit:
            return True
        if total >= self._limit:
            return False
        mine = self._by_tenant.get(tenant, 0)
        return total * 5 < self._limit * 4 or mine < self._limit // (len(self._by_tenant) + 1)

    def room_for(self, lane: int) -> int:
        """How many more recipients of *lane* there is room for; less than 1 when there is none."""
        return self._limit - self.total - self.reserved - (self.reserve if lane else 0)

    @property
    def ample(self) -> int:
        """So much must be free before those who found memory full are woken: they do not compete for single places."""
        return max(1, self._limit // 20)
