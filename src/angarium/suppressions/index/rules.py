"""The domains and patterns that suppress: a small dictionary, as they are few. Pure."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from angarium.config.patterns import Pattern, read_pattern
from angarium.suppressions.records import Cause


class Rules:
    """Those in *causes*, by whose they are."""

    def __init__(self, causes: Iterable[Cause] = ()) -> None:
        self._domains: dict[tuple[int | None, str], list[Cause]] = {}
        self._patterns: dict[int | None, list[tuple[Pattern, Cause]]] = {}
        for cause in causes:
            if cause.kind == "domain":
                self._domains.setdefault((cause.account, cause.what), []).append(cause)
            else:
                self._patterns.setdefault(cause.account, []).append((_pattern(cause.what), cause))

    def __bool__(self) -> bool:
        return bool(self._domains or self._patterns)

    def matching(self, account: int, text: str) -> list[Cause]:
        """Return what suppresses the address *text* for mail of *account*, expired or not."""
        return list(self._matching(account, text))

    def _matching(self, account: int, text: str) -> Iterator[Cause]:
        for domain in _domains_of(text.rpartition("@")[2]) if self._domains else ():
            for whose in (account, None):
                yield from self._domains.get((whose, domain), ())
        for whose in (account, None) if self._patterns else ():
            yield from (cause for pattern, cause in self._patterns.get(whose, ()) if pattern.is_in(text))


def _domains_of(domain: str) -> list[str]:
    """Return what a rule may say that is about *domain*: itself, and all below each that it is under."""
    labels = domain.split(".")
    return [domain, *(f"*.{'.'.join(labels[at:])}" for at in range(1, len(labels)))]


@lru_cache(maxsize=10_000)
def _pattern(text: str) -> Pattern:
    return read_pattern(text[1:-1], ignores_case=True)
