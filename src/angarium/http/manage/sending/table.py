"""The routes by which mail is sent, as the manage API's document tells of them. The doors of the workers answer them:
`node.http.sending`.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from angarium.http.api.endpoint import Endpoint
from angarium.http.manage.sending.answers import BatchSent, MessageSent
from angarium.http.manage.sending.bodies import BatchNew, MessageNew
from angarium.http.manage.sending.dialect import ACCEPTED
from angarium.identity.records import TRANSMIT_GRANT

_HEADERS: Final = (
    (
        "Idempotency-Key",
        "Up to 255 printable ASCII characters. A request that comes with it again is not carried out "
        "again: it gets the answer of the first, with `Idempotency-Replayed: true`; 409 if its body is another.",
    ),
)
_DRY: Final = 200
_NONE_TAKEN: Final = (400, 403, 413, 429, 500, 503)


class _Words(Protocol):
    """What is asked for, and what is answered; `OneMessage` and `Batch` are these as dialects."""

    def send_message(self, body: MessageNew) -> MessageSent:
        """Send a message to one recipient or many. What is answered with 202 is durable; a `dry_run` is answered with
        200. A server token is a key, too.
        """
        ...

    def send_messages(self, body: BatchNew) -> BatchSent:
        """Send up to 500 messages together. What can be taken is taken in one commit, and `results` tells of each;
        where none is taken, the status is that of what the client must mend. A `dry_run` is answered with 200.
        """
        ...


def _row(path: str, words: Callable[..., Any], also: tuple[int, ...]) -> Endpoint:
    return Endpoint(
        "POST",
        path,
        words,
        TRANSMIT_GRANT,
        ACCEPTED,
        conflicts=True,
        also=also,
        headers=_HEADERS,
        problems=("too-many",),
    )


SENDING: Final[tuple[Endpoint, ...]] = (
    _row("/messages", _Words.send_message, (_DRY,)),
    _row("/messages/batch", _Words.send_messages, (_DRY, *_NONE_TAKEN)),
)
