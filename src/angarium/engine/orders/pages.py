"""Recipients that an order reads from a list: the port, for who keeps lists, and the cutting into slices."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from angarium.core.fields import Personal
from angarium.core.records import ForwardPath


class RecipientPage(NamedTuple):
    """A piece of a list. *upto* is the position of its last recipient, which only grows along the list; with *is_last*
    nothing follows.
    """

    recipients: Sequence[ForwardPath]
    personal: Sequence[Personal]
    upto: int
    is_last: bool


class RecipientPages(Protocol):
    """Lists of recipients as they are kept. Positions are above 0."""

    async def page(self, account: int, source: str, after: int, most: int) -> RecipientPage:
        """Return at most *most* recipients of the list *source* of an account, behind position *after*. Raises
        AngariumError when it cannot be read now; an empty last page where there is no such list (any more).
        """
        ...
