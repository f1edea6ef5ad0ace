"""Extensions that a host offers and does not handle as it should: done without there for a while.

What counts as such is said in `smtp.client.run`. It is remembered for an address, in each worker by itself.
"""

from typing import Final

from angarium.core.address import Address
from angarium.core.lessons import Lessons
from angarium.core.log import Log

DISTRUSTED_FOR_S: Final = 3600.0
"""Then the host may have been mended, or may never have been at fault: a lost connection has many causes."""

_NOTHING: Final[frozenset[str]] = frozenset()


class Distrust:
    """What one worker has learnt."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._lessons: Lessons[tuple[str, int], frozenset[str]] = Lessons()

    def of(self, address: Address, now: float) -> frozenset[str]:
        """Return the keywords, in upper case, that count as not offered by *address*."""
        return self._lessons.get((address.ip, address.port), now) or _NOTHING

    def learn(self, address: Address, keywords: frozenset[str], now: float) -> None:
        """Do without *keywords* as well from now on."""
        known = self.of(address, now)
        if keywords <= known:
            return
        self._lessons.learn((address.ip, address.port), known | keywords, now + DISTRUSTED_FOR_S, now)
        self._log.info(
            "distrust",
            now,
            peer=str(address),
            host=address.host,
            keywords=" ".join(sorted(keywords - known)),
            for_s=DISTRUSTED_FOR_S,
        )
