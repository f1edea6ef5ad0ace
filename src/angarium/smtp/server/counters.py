"""What is counted of one incoming connection."""

from angarium.smtp.server.options import ServerLimits


class ServerCounters:
    """What happened on the connection: *errors* counts 4xx and 5xx replies, *bodies* every body that came to its end
    without fault.
    """

    __slots__ = ("bodies", "commands", "errors")

    def __init__(self) -> None:
        self.commands = self.errors = self.bodies = 0


class Patience:
    """How much of a peer is borne that brings no mail (RFC 5321 §7.8), counted since the last message that was
    taken.
    """

    __slots__ = ("_errors", "_idle")

    def __init__(self) -> None:
        self._errors = self._idle = 0

    def ends_with_error(self, limits: ServerLimits) -> bool:
        """Count an error; return whether it was one too many."""
        self._errors += 1
        return self._errors > limits.max_errors > 0

    def ends_with_idle(self, limits: ServerLimits) -> bool:
        """Count a command that brings no mail nearer; return whether it was one too many."""
        self._idle += 1
        return self._idle > limits.max_null_commands > 0

    def renew(self) -> None:
        """A message was taken."""
        self._errors = self._idle = 0
