"""What the engine asks of the connections that mail leaves by."""

from typing import Protocol

from angarium.queue.causes import Silences
from angarium.queue.commands import Connect, Deliver, Quit


class WayOut(Protocol):
    """The connections of one worker and the transactions on them; `delivery.outbound.Outbound` is one.

    How a command ends is told to the scheduler, by the method that the command's docstring names.
    """

    def connect(self, command: Connect) -> None:
        """Begin a connection."""
        ...

    def deliver(self, command: Deliver) -> None:
        """Begin a transaction."""
        ...

    def quit(self, command: Quit) -> None:
        """End an idle connection."""
        ...

    def check(self, now: float) -> None:
        """End stages whose time is up; called each second."""
        ...

    def stop(self) -> None:
        """Begin no transaction from now on."""
        ...

    async def decided(self) -> None:
        """Wait until nothing is under way any more whose outcome must be waited for."""
        ...

    def break_off(self) -> None:
        """End all connections; a transaction whose peer may have taken the message ends as ambiguous."""
        ...

    def silences(self) -> Silences:
        """Return what each connection waits for whose peer is to say or do something."""
        ...

    @property
    def connections(self) -> int:
        """How many connections are open or being opened."""
        ...

    @property
    def held_bytes(self) -> int:
        """About what they have in memory, bodies on their way included."""
        ...
