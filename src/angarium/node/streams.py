"""What the workers tell without being asked each time, brought to the client that subscribed to it."""

import asyncio
from typing import Any

MAX_WAITING = 10_000


class Subscription:
    """Items for one client, in order. When it reads too slowly, the newest are lost, and counted."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lost = 0
        self._items: asyncio.Queue[dict[str, Any]] = asyncio.Queue(MAX_WAITING)

    def put(self, item: dict[str, Any]) -> None:
        """Add an item, or count it as lost."""
        try:
            self._items.put_nowait(item)
        except asyncio.QueueFull:
            self.lost += 1

    async def next(self) -> dict[str, Any]:
        """Wait for the next item. Where items were lost, it is `{"lost": how many}`."""
        if self.lost and self._items.empty():
            lost, self.lost = self.lost, 0
            return {"lost": lost}
        return await self._items.get()


class Subscriptions:
    """The open subscriptions by name. The name is what workers send with each item."""

    def __init__(self) -> None:
        self._open: dict[str, Subscription] = {}
        self._count = 0

    def open(self) -> Subscription:
        """Make a subscription under a new name."""
        self._count += 1
        subscription = Subscription(f"stream-{self._count}")
        self._open[subscription.name] = subscription
        return subscription

    def close(self, subscription: Subscription) -> None:
        """Forget it; items that still come for it are dropped."""
        self._open.pop(subscription.name, None)

    def put(self, name: str, item: dict[str, Any]) -> None:
        """Bring an item to its subscription, if that is still open."""
        subscription = self._open.get(name)
        if subscription is not None:
            subscription.put(item)
