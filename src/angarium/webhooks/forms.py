"""How each dialect is told: which types it has words for, how many events a request has, and what its body is. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from angarium.dialects.event import MailEvent
from angarium.dialects.postmark import webhooks as postmark
from angarium.dialects.smtpeter import events as smtpeter
from angarium.dialects.sparkpost import events as sparkpost
from angarium.identity.webhooks import TYPES, Webhook, WebhookDialect
from angarium.webhooks import own, vendors

Bodies = Callable[[Sequence[MailEvent], Webhook], list[bytes]]
"""Returns the bodies of the requests that tell of those events: mostly one."""


class WebhookForm(NamedTuple):
    """*most* events a request. *stops* are the answers which say that an event is not to be told again. *headers*
    returns the fields of a request beside those that all have, given its id, how often it has failed, and how often it
    will be tried again. *has_digest*: that of the body is told, too.
    """

    types: frozenset[str]
    most: int
    content_type: str
    bodies: Bodies
    headers: Callable[[str, int, int], Mapping[str, str]] = lambda id, tries, left: {}
    stops: frozenset[int] = frozenset()
    has_digest: bool = False


FORMS: Final[dict[WebhookDialect, WebhookForm]] = {
    "own": WebhookForm(frozenset(TYPES), 1, "application/json", own.bodies),
    "postmark": WebhookForm(
        postmark.TYPES,
        1,
        "application/json",
        vendors.postmark_bodies,
        vendors.postmark_headers,
        postmark.STOPS,
    ),
    "sparkpost": WebhookForm(
        sparkpost.TYPES,
        sparkpost.MOST,
        "application/json",
        vendors.sparkpost_bodies,
        vendors.sparkpost_headers,
    ),
    "smtpeter": WebhookForm(
        smtpeter.TYPES,
        1,
        "application/x-www-form-urlencoded",
        vendors.smtpeter_bodies,
        has_digest=True,
    ),
}


def form_of(webhook: Webhook) -> WebhookForm:
    """Return how a webhook is told."""
    return FORMS[webhook.dialect]


def tells(webhook: Webhook, type: str) -> bool:
    """Whether a webhook is told of what is of that type."""
    return webhook.wants(type) and type in form_of(webhook).types
