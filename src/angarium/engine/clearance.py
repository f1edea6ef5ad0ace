"""What the engine asks before mail goes out: may it be sent to this recipient?"""

from collections.abc import Sequence
from typing import Protocol

from angarium.core.records import ForwardPath, Message, Recipient
from angarium.suppressions.decide import Stop


class Clearance(Protocol):
    """Knows who must not get mail; `suppressions.check.SuppressionCheck` does. Mail of no account is nobody's: it is
    not asked about.
    """

    @property
    def is_known(self) -> bool:
        """Whether anything can be said. Until then mail of accounts waits."""
        ...

    async def known(self) -> None:
        """Wait until something can be said."""
        ...

    def may_stop(self, message: Message, path: ForwardPath) -> bool:
        """Whether `stops` has to be asked about *message* to *path*: nearly never. It costs microseconds."""
        ...

    async def stops(self, recipients: Sequence[Recipient]) -> list[Stop | None]:
        """Return for each of *recipients* why it gets no mail, None where it does. Raises StoreError."""
        ...


class NothingSuppressed:
    """Where there are no lists."""

    is_known = True

    async def known(self) -> None:
        """See Clearance."""

    def may_stop(self, message: Message, path: ForwardPath) -> bool:
        """See Clearance."""
        return False

    async def stops(self, recipients: Sequence[Recipient]) -> list[Stop | None]:
        """See Clearance."""
        return [None] * len(recipients)


NOTHING_SUPPRESSED = NothingSuppressed()


def in_question(clearance: Clearance, recipients: Sequence[Recipient]) -> list[Recipient]:
    """Return those of *recipients* about whom `Clearance.stops` has to be asked."""
    return [
        each for each in recipients if each.message.account and clearance.may_stop(each.message, each.path)
    ]
