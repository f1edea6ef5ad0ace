"""Postmark's API: webhooks. What is secret of one is not told again: `Password` and the values of headers are empty."""

from typing import Any, Final

from angarium.dialects.postmark.problem import PostmarkProblem
from angarium.dialects.postmark.reading import Given
from angarium.http.postmark.call import PostmarkCall, refusals
from angarium.http.postmark.streams import found_stream
from angarium.identity.webhooks import TYPES, Webhook
from angarium.sql.errors import NotFound

MISSING: Final = (1352, "The webhook for the provided 'ID' was not found.")
BAD_URL: Final = 1354
STREAM_STAYS: Final = 1357
BAD_VALUE: Final = 1361
DEFAULT_STREAM: Final = "outbound"

_BATCH: Final = 500
_TRIGGERS: Final[dict[str, tuple[str, ...]]] = {
    "Open": ("open",),
    "Click": ("click",),
    "Delivery": ("delivered",),
    "Bounce": ("bounced", "expired", "delayed", "late_bounce", "auto_reply"),
    "SpamComplaint": ("complaint",),
    "SubscriptionChange": ("unsubscribe",),
}
"""What is told where a trigger is on, by the types of `identity.webhooks`."""


class WebhooksQuery(Given):
    """Of which stream; without one of all."""

    message_stream: str | None = None


class GivenTrigger(Given):
    """Whether it is on, and whether only of the first opening is told."""

    enabled: bool | None = None
    post_first_open_only: bool | None = None


class GivenTriggers(Given):
    """What is told."""

    open: GivenTrigger | None = None
    click: GivenTrigger | None = None
    delivery: GivenTrigger | None = None
    bounce: GivenTrigger | None = None
    spam_complaint: GivenTrigger | None = None
    subscription_change: GivenTrigger | None = None


class GivenAuth(Given):
    """Name and password of basic authentication."""

    username: str | None = None
    password: str | None = None


class GivenHttpHeader(Given):
    """A field that is sent along."""

    name: str | None = None
    value: str | None = None


class WebhookBody(Given):
    """A webhook, made or changed."""

    url: str | None = None
    message_stream: str | None = None
    http_auth: GivenAuth | None = None
    http_headers: list[GivenHttpHeader] | None = None
    triggers: GivenTriggers | None = None


def list_webhooks(call: PostmarkCall, query: WebhooksQuery) -> dict[str, Any]:
    """List the webhooks of the server."""
    found = [each for each in _all(call) if query.message_stream in (None, each.stream)]
    return {"Webhooks": [webhook_view(each) for each in found], "TotalCount": len(found)}


def show_webhook(call: PostmarkCall, webhook: int) -> dict[str, Any]:
    """Show a webhook."""
    return webhook_view(_found(call, webhook))


def create_webhook(call: PostmarkCall, body: WebhookBody) -> dict[str, Any]:
    """Make a webhook. It is not asked whether it answers."""
    if body.url is None:
        raise PostmarkProblem(BAD_URL, "The 'Url' of a webhook is required.")
    stream = found_stream(call, body.message_stream or DEFAULT_STREAM)
    with refusals(missing=MISSING, conflict=1359, invalid=BAD_VALUE):
        made, _ = call.store.webhooks.create(
            call.account,
            f"Postmark {body.url}"[:200],
            body.url,
            server=call.server.id,
            dialect="postmark",
            stream=stream.id,
            actor=call.actor,
            **_fields(body, {}, first_opens=False),
        )
    return webhook_view(made)


def change_webhook(call: PostmarkCall, webhook: int, body: WebhookBody) -> dict[str, Any]:
    """Change a webhook; what is not said of its triggers stays."""
    found = _found(call, webhook)
    if body.message_stream not in (None, found.stream):
        raise PostmarkProblem(STREAM_STAYS, "The 'MessageStream' of a webhook stays what it is.")
    fields = _fields(body, _standing(found), first_opens=found.first_opens)
    if body.url is not None:
        fields["url"] = body.url
    with refusals(missing=MISSING, conflict=1359, invalid=BAD_VALUE):
        return webhook_view(call.store.webhooks.change(found.id, actor=call.actor, **fields))


def delete_webhook(call: PostmarkCall, webhook: int) -> dict[str, Any]:
    """Delete a webhook."""
    found = _found(call, webhook)
    call.store.webhooks.delete(found.id, actor=call.actor)
    return {"ErrorCode": 0, "Message": f"Webhook {found.id} removed."}


def webhook_view(webhook: Webhook) -> dict[str, Any]:
    """Return a webhook as Postmark shows it."""
    on = _standing(webhook)
    triggers: dict[str, dict[str, bool]] = {name: {"Enabled": on[name]} for name in _TRIGGERS}
    triggers["Open"]["PostFirstOpenOnly"] = webhook.first_opens
    triggers["Bounce"]["IncludeContent"] = triggers["SpamComplaint"]["IncludeContent"] = False
    auth = {"Username": webhook.username, "Password": ""} if webhook.auth == "basic" else None
    return {
        "ID": webhook.id,
        "Url": webhook.url,
        "MessageStream": webhook.stream or DEFAULT_STREAM,
        "HttpAuth": auth,
        "HttpHeaders": [{"Name": name, "Value": ""} for name in webhook.headers],
        "Triggers": triggers,
        "Status": "verified",
    }


def _standing(webhook: Webhook) -> dict[str, bool]:
    """Return which triggers are on."""
    told = webhook.types or TYPES
    return {name: webhook.enabled and types[0] in told for name, types in _TRIGGERS.items()}


def _fields(body: WebhookBody, standing: dict[str, bool], *, first_opens: bool) -> dict[str, Any]:
    """Return what is said, as the store takes it; of triggers that are not said of what is *standing*."""
    fields: dict[str, Any] = {}
    if body.triggers is not None or not standing:
        given = body.triggers or GivenTriggers()
        on = {**dict.fromkeys(_TRIGGERS, False), **standing}
        for name in _TRIGGERS:
            trigger: GivenTrigger | None = getattr(given, _attribute(name))
            if trigger is not None and trigger.enabled is not None:
                on[name] = trigger.enabled
        types = tuple(type for name, types in _TRIGGERS.items() if on[name] for type in types)
        fields["enabled"] = bool(types)
        if types:
            fields["types"] = types
        opens = given.open.post_first_open_only if given.open is not None else None
        fields["first_opens"] = first_opens if opens is None else opens
    if body.http_auth is not None:
        fields |= {
            "auth": "basic",
            "username": body.http_auth.username or "",
            "password": body.http_auth.password or "",
        }
    if body.http_headers is not None:
        fields["headers"] = {each.name or "": each.value or "" for each in body.http_headers}
    return fields


def _attribute(name: str) -> str:
    return {"SpamComplaint": "spam_complaint", "SubscriptionChange": "subscription_change"}.get(
        name, name.lower()
    )


def _found(call: PostmarkCall, webhook: int) -> Webhook:
    with refusals(missing=MISSING):
        found = call.store.webhooks.get(webhook)
        if not _is_ours(call, found):
            raise NotFound(f"webhook {webhook}")
        return found


def _all(call: PostmarkCall) -> list[Webhook]:
    found: list[Webhook] = []
    after: int | None = None
    while page := call.store.webhooks.page(call.account, after=after, limit=_BATCH):
        found += [each for each in page if _is_ours(call, each)]
        after = page[-1].id
    return found


def _is_ours(call: PostmarkCall, webhook: Webhook) -> bool:
    """Whether it is one of the server, in Postmark's words."""
    return (
        webhook.account == call.account and webhook.server == call.server.id and webhook.dialect == "postmark"
    )
