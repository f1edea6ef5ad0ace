"""What one recipient gets: the way of a text from how it was submitted to how it leaves, but for its signature.

Pure, and the same each time for a message and a recipient, so that a retry sends the same bytes. It is gone when a
connection is ready (`delivery.attempt`), in a thread. Recipients of a personal message share no transaction, nor do
those with return paths of their own: each is handed out alone (`queue.ready`). So far no message is personal, and the
way has no steps.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from angarium.core.errors import AngariumError
from angarium.core.records import Message, Recipient


class GenerationFailure(AngariumError):
    """There is no text for this recipient, and there will be none. Says why; it says nothing of the others."""


def is_personal(message: Message) -> bool:
    """Whether each recipient of *message* gets another text."""
    return False


def goes_alone(message: Message) -> bool:
    """Whether no two recipients of *message* share a transaction: each gets another text, or has a return path of its
    own.
    """
    return is_personal(message) or bool(message.return_domain)


def render(recipient: Recipient, body: bytes) -> bytes:
    """Return what *recipient* gets of *body*. Raises GenerationFailure."""
    return body


class Rendering(NamedTuple):
    """What the attempt asks of this module, so that a test can answer it."""

    is_personal: Callable[[Message], bool]
    render: Callable[[Recipient, bytes], bytes]


RENDERING: Final = Rendering(is_personal, render)
