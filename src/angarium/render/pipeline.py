"""What one recipient gets: the way of a text from how it was submitted to how it leaves, but for its signature.

Pure, and the same each time for a message and a recipient, so that a retry sends the same bytes. It is gone when a
connection is ready (`delivery.attempt`), in a thread. Recipients of a personal message share no transaction, nor do
those with return paths of their own: each is handed out alone (`queue.ready`).

What is done in which order, and what it costs, is a table in docs/tracking.md.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from angarium.core.records import Message, Recipient
from angarium.render.contents import PreparedContents, wants_preparation
from angarium.render.forms import Forms
from angarium.render.images.shelf import ImageShelf
from angarium.render.return_path import ReturnPaths
from angarium.render.tracking.addresses import TrackingAddresses
from angarium.render.tracking.mail import personal_mail, wants_tracking


def is_personal(message: Message) -> bool:
    """Whether each recipient of *message* gets another text."""
    return message.is_form or is_tracked(message)


def is_tracked(message: Message) -> bool:
    """Whether addresses that are a recipient's own are put into what it gets."""
    return bool(message.tracking_url) and (message.offers_way_out or wants_tracking(message.options))


def goes_alone(message: Message) -> bool:
    """Whether no two recipients of *message* share a transaction: each gets another text, or has a return path of its
    own.
    """
    return is_personal(message) or bool(message.return_domain)


def is_changed(message: Message) -> bool:
    """Whether what leaves of *message* is another text than what was submitted."""
    return is_personal(message) or (message.is_vouched and wants_preparation(message.options))


class Renderer:
    """Makes what recipients get. Opens and clicks come in by *addresses*, and mail by *returns*; pictures are kept on
    *images*. Used by several threads.
    """

    def __init__(
        self,
        addresses: TrackingAddresses | None = None,
        returns: ReturnPaths | None = None,
        images: ImageShelf | None = None,
    ) -> None:
        self._addresses = addresses
        self._returns = returns
        self._contents = PreparedContents(images)
        self._forms = Forms()

    def render(self, recipient: Recipient, body: bytes, own: bytes = b"") -> bytes:
        """Return what *recipient* gets of *body*: first what all get, then what is for this one alone. *own* is what
        its message has besides a form. Raises GenerationFailure, and OSError where a picture cannot be kept.
        """
        message = recipient.message
        if message.is_form:
            body = self._forms.mail(recipient, body, own)
        elif message.is_vouched and wants_preparation(message.options):
            body = self._contents.of(message, body)
        if self._addresses is not None and is_tracked(message):
            body = personal_mail(recipient, body, self._addresses, self._returns)
        return body


class Render(Protocol):
    """Makes what a recipient gets of a content, and of what its message has of its own. Raises GenerationFailure."""

    def __call__(self, recipient: Recipient, body: bytes, own: bytes = b"", /) -> bytes:
        """See `Renderer.render`."""
        ...


class Rendering(NamedTuple):
    """What the attempt asks of this module, so that a test can answer it: whether a message is rendered, and how."""

    is_changed: Callable[[Message], bool]
    render: Render


RENDERING: Final = Rendering(is_changed, Renderer().render)


def rendering_with(
    addresses: TrackingAddresses, returns: ReturnPaths, images: ImageShelf | None = None
) -> Rendering:
    """Return a rendering in which opens and clicks come in by *addresses*, and mail by *returns*; pictures are kept on
    *images*.
    """
    return Rendering(is_changed, Renderer(addresses, returns, images).render)
