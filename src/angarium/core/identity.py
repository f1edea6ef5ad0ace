"""Remembering what was made from a record, by the record's identity."""

from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class IdentityCache(Generic[K, V]):
    """Makes a value from an immutable record once for each record object.

    For large records that are shared, such as options: hashing fifty fields costs more than what is looked up. Holds
    on to the records, up to *limit* of them, then begins anew.
    """

    __slots__ = ("_limit", "_made", "_make")

    def __init__(self, make: Callable[[K], V], limit: int = 1024) -> None:
        self._make = make
        self._limit = limit
        self._made: dict[int, tuple[K, V]] = {}

    def __call__(self, record: K) -> V:
        """Return what *record* makes."""
        found = self._made.get(id(record))
        if found is not None:
            return found[1]
        if len(self._made) >= self._limit:
            self._made.clear()
        value = self._make(record)
        self._made[id(record)] = (record, value)
        return value
