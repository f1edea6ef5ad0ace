"""What peers take, counted for the guard against bursts: one thread records, another acts."""

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Final

from angarium.core.providers import OTHER, provider_of
from angarium.core.records import Event
from angarium.events.port import Happening, Told
from angarium.feedback.burst import key_of

_SLICE_S: Final = 10.0
_MOST_DOMAINS: Final = 20_000


class Deliveries:
    """Deliveries by key (`burst.key_of`) and time, and which domains are whose."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._delivered: Counter[tuple[str, float]] = Counter()
        self._providers: dict[str, str] = {}

    def note(self, told: Sequence[Told]) -> None:
        """Count what was delivered of *told*."""
        with self._lock:
            for each in told:
                if isinstance(each, Event) and each.type == "delivered" and each.attempt is not None:
                    self._count(each.domain, each.attempt.host, each.at)

    def take(self) -> list[tuple[str, float, int]]:
        """Return what was counted since the last time: key, time, number."""
        with self._lock:
            counted, self._delivered = self._delivered, Counter()
        return [(key, at, count) for (key, at), count in counted.items()]

    def key(self, happening: Happening, reason: str) -> str:
        """Return the key of a failure. What comes back later says no host: it is known by what the domain had."""
        with self._lock:
            provider = happening.provider or self._providers.get(happening.domain, OTHER)
        return key_of(provider, happening.domain, reason)

    def _count(self, domain: str, host: str, at: float) -> None:
        provider = provider_of(host)
        if provider != OTHER and self._providers.get(domain) != provider:
            if len(self._providers) >= _MOST_DOMAINS:
                self._providers.clear()
            self._providers[domain] = provider
        self._delivered[key_of(provider, domain, ""), at // _SLICE_S * _SLICE_S] += 1
