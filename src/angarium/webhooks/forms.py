"""How each dialect is told: which types it has words for, how many events a request has, and what its body is. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from angarium.dialects.event import MailEvent
from angarium.identity.webhooks import TYPES, Webhook, WebhookDialect
from angarium.webhooks import own

Bodies = Callable[[Sequence[MailEvent], Webhook], list[bytes]]
"""Returns the bodies of the requests that tell of those events: mostly one."""


class WebhookForm(NamedTuple):
    """*most* events a request. *stops* are the answers which say that an event is not to be told again. *headers*
    returns the fields of a request beside those that all have, given its id, how often it has failed, and how often it
    will be tried again.
    """

    types: frozenset[str]
    most: int
    content_type: str
    bodies: Bodies
    headers: Callable[[str, int, int], Mapping[str, str]] = lambda id, tries, left: {}
    stops: frozenset[int] = frozenset()
    timeout_s: float | None = None


FORMS: Final[dict[WebhookDialect, WebhookForm]] = {
    "own": WebhookForm(frozenset(TYPES), 1, "application/json", own.bodies),
}


def form_of(webhook: Webhook) -> WebhookForm:
    """Return how a webhook is told."""
    return FORMS[webhook.dialect]


def tells(webhook: Webhook, type: str) -> bool:
    """Whether a webhook is told of what is of that type."""
    return webhook.wants(type) and type in form_of(webhook).types
