"""The recipients of one queue that are due: lanes strict, tenants in turns, in order of arrival within a
tenant.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from angarium.core.records import Message, Recipient
from angarium.render.pipeline import goes_alone

LANES = 2


class _Lane:
    """One lane. *turns* names each tenant that has mail exactly once."""

    __slots__ = ("mail", "turns")

    def __init__(self) -> None:
        self.mail: dict[str, deque[Recipient]] = {}
        self.turns: deque[str] = deque()

    def add(self, recipient: Recipient) -> None:
        tenant = recipient.message.tenant
        mail = self.mail.get(tenant)
        if mail is None:
            mail = self.mail[tenant] = deque()
            self.turns.append(tenant)
        mail.append(recipient)

    def put_back(self, recipient: Recipient) -> None:
        tenant = recipient.message.tenant
        mail = self.mail.get(tenant)
        if mail is None:
            mail = self.mail[tenant] = deque()
            self.turns.appendleft(tenant)
        mail.appendleft(recipient)

    def take(self, limit: int, alone: Callable[[Message], bool]) -> list[Recipient]:
        tenant = self.turns.popleft()
        mail = self.mail[tenant]
        first = mail.popleft()
        batch = [first]
        message_id = first.message.id
        while mail and len(batch) < limit and mail[0].message.id == message_id:
            if alone(first.message):
                break
            batch.append(mail.popleft())
        if mail:
            self.turns.append(tenant)
        else:
            del self.mail[tenant]
        return batch

    def remove(self, unwanted: Callable[[Recipient], bool]) -> list[Recipient]:
        removed: list[Recipient] = []
        for tenant, mail in list(self.mail.items()):
            gone = [recipient for recipient in mail if unwanted(recipient)]
            if not gone:
                continue
            removed += gone
            keep = deque(recipient for recipient in mail if not unwanted(recipient))
            if keep:
                self.mail[tenant] = keep
            else:
                del self.mail[tenant]
                self.turns.remove(tenant)
        return removed

    def __iter__(self) -> Iterator[Recipient]:
        for mail in self.mail.values():
            yield from mail


class ReadyQueue:
    """Due recipients: *count* of them, of which *urgent* are in the better lane.

    All operations but `remove` and iteration take the same time however many there are.
    """

    __slots__ = ("_bulk", "_transactional", "count", "urgent")

    def __init__(self) -> None:
        self._transactional: _Lane | None = None
        self._bulk: _Lane | None = None
        self.count = 0
        self.urgent = 0

    def __len__(self) -> int:
        return self.count

    @property
    def lane(self) -> int:
        """The best lane that has mail. Only meaningful when there is some."""
        return 0 if self.urgent else 1

    def _enter(self, recipient: Recipient) -> _Lane:
        self.count += 1
        if recipient.message.lane == 0:
            self.urgent += 1
            lane = self._transactional
            if lane is None:
                lane = self._transactional = _Lane()
            return lane
        lane = self._bulk
        if lane is None:
            lane = self._bulk = _Lane()
        return lane

    def add(self, recipient: Recipient) -> None:
        """Put *recipient* behind the others of its tenant."""
        self._enter(recipient).add(recipient)

    def put_back(self, recipients: Iterable[Recipient]) -> None:
        """Return recipients that were taken and not tried to the head of their tenant, in their order."""
        for recipient in reversed(list(recipients)):
            self._enter(recipient).put_back(recipient)

    def take(self, limit: int, alone: Callable[[Message], bool] = goes_alone) -> list[Recipient]:
        """Take the next recipient, and up to *limit* in all that follow it and are of the same message, unless that
        one goes *alone*.
        """
        lane = self._transactional
        if lane is None or not lane.turns:
            lane = self._bulk
        assert lane is not None
        batch = lane.take(limit, alone)
        self.count -= len(batch)
        if lane is self._transactional:
            self.urgent -= len(batch)
        return batch

    def drain(self) -> list[Recipient]:
        """Take all."""
        everyone = list(self)
        self._transactional = self._bulk = None
        self.count = self.urgent = 0
        return everyone

    def remove(self, unwanted: Callable[[Recipient], bool]) -> list[Recipient]:
        """Take those that *unwanted* picks. Looks at every recipient of the queue."""
        removed = [
            recipient
            for lane in (self._transactional, self._bulk)
            if lane is not None
            for recipient in lane.remove(unwanted)
        ]
        self.count -= len(removed)
        self.urgent -= sum(recipient.message.lane == 0 for recipient in removed)
        return removed

    def __iter__(self) -> Iterator[Recipient]:
        for lane in (self._transactional, self._bulk):
            if lane is not None:
                yield from lane
