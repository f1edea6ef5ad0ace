"""A clock that a test sets."""


class ManualClock:
    """A `core.clock.Clock` that stands still at *at*, in epoch seconds, until that is changed."""

    def __init__(self, at: float) -> None:
        self.at = at

    def now(self) -> float:
        """Return the time."""
        return self.at
