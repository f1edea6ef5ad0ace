"""Saying once that something cannot be done, and once that it can be again."""

from angarium.core.clock import Clock
from angarium.core.log import Log


class Outage:
    """Whether *what* is failing. The log gets a line *event* when that begins, and *event*`_over` when it ends, however
    often it is tried in between.
    """

    def __init__(self, what: str, event: str, log: Log, clock: Clock) -> None:
        self._what = what
        self._event = event
        self._log = log
        self._clock = clock
        self._since: float | None = None

    def __bool__(self) -> bool:
        return self._since is not None

    @property
    def since(self) -> float | None:
        """When it began to fail, in epoch seconds; None: it does not."""
        return self._since

    def begins(self, error: Exception) -> None:
        """It failed."""
        if self._since is None:
            self._since = self._clock.now()
            self._log.error(self._event, self._since, what=self._what, error=str(error))

    def ends(self) -> None:
        """It succeeded."""
        if self._since is not None:
            now, since = self._clock.now(), self._since
            self._since = None
            self._log.info(f"{self._event}_over", now, what=self._what, lasted_s=round(now - since, 1))
