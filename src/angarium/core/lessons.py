"""What was learnt of peers from how they behaved: remembered for a while, and for so many of them."""

from typing import Generic, TypeVar

MOST = 10_000

K = TypeVar("K")
V = TypeVar("V")


class Lessons(Generic[K, V]):
    """At most *most* lessons; when there are more than that still in force, all are forgotten, and learnt anew."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lessons: dict[K, tuple[float, V]] = {}

    def get(self, key: K, now: float) -> V | None:
        """Return what is in force of *key*, None if nothing is."""
        if not self._lessons:
            return None
        until, value = self._lessons.get(key, (0.0, None))
        return value if now < until else None

    def learn(self, key: K, value: V, until: float, now: float) -> None:
        """Remember *value* of *key* instead of what was known, up to the time *until*."""
        if len(self._lessons) >= self._most:
            kept = {key: each for key, each in self._lessons.items() if each[0] > now}
            self._lessons = kept if len(kept) < self._most else {}
        self._lessons[key] = (until, value)

    def forget(self, key: K) -> None:
        """Remember nothing of *key* any more."""
        self._lessons.pop(key, None)
