"""What one recipient gets: the way of a text from how it was submitted to how it leaves, but for its signature.

Pure, and the same each time for a message and a recipient, so that a retry sends the same bytes. It is gone when a
connection is ready (`delivery.attempt`), in a thread. Recipients of a personal message share no transaction, nor do
those with return paths of their own: each is handed out alone (`queue.ready`).
"""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from angarium.core.errors import AngariumError
from angarium.core.records import Message, Recipient
from angarium.render.return_path import ReturnPaths
from angarium.render.tracking.addresses import TrackingAddresses
from angarium.render.tracking.mail import personal_mail


class GenerationFailure(AngariumError):
    """There is no text for this recipient, and there will be none. Says why; it says nothing of the others."""


def is_personal(message: Message) -> bool:
    """Whether each recipient of *message* gets another text."""
    return bool(message.tracking_url)


def goes_alone(message: Message) -> bool:
    """Whether no two recipients of *message* share a transaction: each gets another text, or has a return path of its
    own.
    """
    return is_personal(message) or bool(message.return_domain)


def render(
    recipient: Recipient,
    body: bytes,
    addresses: TrackingAddresses | None = None,
    returns: ReturnPaths | None = None,
) -> bytes:
    """Return what *recipient* gets of *body*; without *addresses* nothing is added. Raises GenerationFailure."""
    if addresses is not None and recipient.message.tracking_url:
        body = personal_mail(recipient, body, addresses, returns)
    return body


class Rendering(NamedTuple):
    """What the attempt asks of this module, so that a test can answer it."""

    is_personal: Callable[[Message], bool]
    render: Callable[[Recipient, bytes], bytes]


RENDERING: Final = Rendering(is_personal, render)


def rendering_with(addresses: TrackingAddresses, returns: ReturnPaths) -> Rendering:
    """Return a rendering in which opens and clicks come in by *addresses*, and mail by *returns*."""
    return Rendering(is_personal, partial(render, addresses=addresses, returns=returns))
