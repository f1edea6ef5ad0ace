"""A try: what an endpoint would be told, sent to it by hand, with what it answers."""

import time
import uuid
from collections.abc import Sequence
from typing import Final

import msgspec

from angarium.dialects.event import MailEvent
from angarium.fetch.answer import HttpAnswer, Unanswered
from angarium.identity.webhooks import WatchedWebhook, Webhook
from angarium.webhooks.forms import form_of
from angarium.webhooks.requesting import Requester, requests
from angarium.webhooks.told import words_of
from angarium.webhooks.verdict import judged, shown

_HIDDEN: Final = "…"
_AT: Final = 1_796_000_000.0


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """*taken*: it was answered as it is to be; else *error* says what was wrong. *status* is 0, and *answer* empty,
    where nothing was answered. What proves who we are is not shown of *headers*.
    """

    type: str
    url: str
    headers: dict[str, str]
    body: str
    taken: bool
    error: str
    status: int
    answer_headers: dict[str, str]
    answer: str
    took_ms: int


def sample(type: str, webhook: Webhook, now: float = _AT) -> MailEvent:
    """Return an event of *type* that has never happened, of an account's own mail; anew each time."""
    id = uuid.uuid4()
    has_failed = type in ("bounced", "expired", "late_bounce", "delayed")
    reason = "no_such_recipient" if has_failed else ""
    return MailEvent(
        id=str(id),
        number=0,
        type=type,
        at=now,
        message=id.hex,
        index=0,
        address="recipient@example.com",
        account=webhook.account,
        server=webhook.server or 0,
        stream=webhook.stream or "outbound",
        sender="bounces@example.org",
        author="Sender <sender@example.org>",
        subject="A try of this webhook",
        message_id=f"{id.hex}@example.org",
        accepted_at=now - 2.0,
        size=2_048,
        tags=("test",),
        metadata={"test": "true"},
        domain="example.com",
        reply="550 5.1.1 no such user" if has_failed else "250 2.0.0 OK" if type == "delivered" else "",
        reason=reason,
        details=_details(type),
        bounce=words_of(type, reason),
    )


def _details(type: str) -> dict[str, object]:
    if type in ("open", "initial_open", "click", "unsubscribe", "link_unsubscribe"):
        seen: dict[str, object] = {"address": "198.51.100.7", "agent": "Mozilla/5.0 (X11; Linux x86_64) test"}
        return seen | ({"url": "https://example.org/?test"} if type in ("click", "link_unsubscribe") else {})
    return {}


def first_type(webhook: Webhook) -> str:
    """Return a type that the webhook is told of; *delivered* if it is one of them."""
    told = [type for type in sorted(form_of(webhook).types) if webhook.wants(type)]
    return "delivered" if "delivered" in told or not told else told[0]


async def try_out(
    requester: Requester, watched: WatchedWebhook, events: Sequence[MailEvent], now: float
) -> Trial:
    """Tell a webhook of *events*, once, and return what it says. Never raises for what an endpoint does."""
    began_at = time.monotonic()
    request = requests(watched, str(uuid.uuid4()), events, 0, 0, now)[0]
    said = await requester.send(watched, request)
    failure = judged(said, form_of(watched.webhook).stops, now)
    hidden = {"authorization", *(name.lower() for name in watched.secrets.headers)}
    return Trial(
        type=events[0].type,
        url=watched.webhook.url,
        headers={name: _HIDDEN if name.lower() in hidden else text for name, text in request.headers.items()},
        body=request.body.decode("utf-8", "replace"),
        taken=failure is None,
        error="" if failure is None else failure.why,
        status=0 if isinstance(said, Unanswered) else said.status,
        answer_headers=dict(said.headers) if isinstance(said, HttpAnswer) else {},
        answer=shown(said.body) if isinstance(said, HttpAnswer) else "",
        took_ms=int((time.monotonic() - began_at) * 1000),
    )
