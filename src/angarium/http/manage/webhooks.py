"""The manage API: webhooks, how they do, and what they did not take."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from angarium.http.manage.accounts import server_of
from angarium.http.manage.bodies import Body, Id, said
from angarium.http.manage.call import AccountQuery, Call
from angarium.http.manage.shapes import Moment, StreamId, WebhookName
from angarium.http.manage.views import Page
from angarium.identity.webhooks import (
    MOST_HEADERS,
    TYPES,
    WatchedWebhook,
    Webhook,
    WebhookAuth,
    WebhookDialect,
)
from angarium.sql.errors import Conflict, Invalid
from angarium.webhooks.records import KeptLetter
from angarium.webhooks.standing import StandingState, WebhookStanding
from angarium.webhooks.trial import Trial


def _told(**schema: Any) -> msgspec.Meta:
    return msgspec.Meta(extra_json_schema=schema)


_Url = Annotated[str, _told(maxLength=2_000, format="web-address")]
_Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000, extra_json_schema={"format": "line"})]
_EventType = Annotated[str, _told(enum=list(TYPES))]
_EventTypesTold = tuple[_EventType, ...]
_Parallel = Annotated[int, msgspec.Meta(ge=1, le=32)]
_Hours = Annotated[float, msgspec.Meta(ge=0, le=720)]
_LetterId = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
_FOR_BASIC: Final = {"required": ["username", "password"]}
_FOR_OAUTH2: Final = {"required": ["token_url", "client_id", "client_secret"]}


def _if_auth(auth: str, then: dict[str, Any]) -> dict[str, Any]:
    return {"if": {"properties": {"auth": {"const": auth}}, "required": ["auth"]}, "then": then}


class HeaderBody(Body):
    """A header field that is sent along."""

    name: Annotated[
        str, msgspec.Meta(min_length=1, max_length=100, extra_json_schema={"format": "header-name"})
    ]
    value: Annotated[str, msgspec.Meta(max_length=190, extra_json_schema={"format": "header-value"})]


_Headers = Annotated[tuple[HeaderBody, ...], _told(maxItems=MOST_HEADERS)]


class WebhookNew(Body):
    """A new webhook. `types` are what it is told of, none: all. `auth` says how it is shown who is calling besides the
    signature: `basic` by `username` and `password`, `oauth2` by a token that is asked for at `token_url`.
    """

    RULE: ClassVar = {
        "allOf": [
            _if_auth("basic", _FOR_BASIC),
            _if_auth("oauth2", _FOR_OAUTH2),
            {
                "if": {"properties": {"stream": {"type": "string"}}, "required": ["stream"]},
                "then": {"properties": {"server": {"type": "integer"}}, "required": ["server"]},
            },
        ]
    }

    name: WebhookName
    url: _Url
    account: Id | UnsetType = UNSET
    dialect: WebhookDialect = "own"
    types: _EventTypesTold = ()
    server: Id | None = None
    stream: StreamId | None = None
    first_opens: bool = False
    parallel: _Parallel = 4
    auth: WebhookAuth = "none"
    username: _Secret | UnsetType = UNSET
    password: _Secret | UnsetType = UNSET
    token_url: _Url | UnsetType = UNSET
    client_id: _Secret | UnsetType = UNSET
    client_secret: _Secret | UnsetType = UNSET
    scope: _Secret | UnsetType = UNSET
    headers: _Headers = ()
    enabled: bool = True


class WebhookChange(Body):
    """What to change of a webhook; account, server and dialect stay. `headers` replace all that there were."""

    name: WebhookName | UnsetType = UNSET
    url: _Url | UnsetType = UNSET
    types: _EventTypesTold | UnsetType = UNSET
    first_opens: bool | UnsetType = UNSET
    parallel: _Parallel | UnsetType = UNSET
    auth: WebhookAuth | UnsetType = UNSET
    username: _Secret | UnsetType = UNSET
    password: _Secret | UnsetType = UNSET
    token_url: _Url | UnsetType = UNSET
    client_id: _Secret | UnsetType = UNSET
    client_secret: _Secret | UnsetType = UNSET
    scope: _Secret | UnsetType = UNSET
    headers: _Headers | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class RotateBody(Body):
    """How long the secret before holds beside the new one."""

    overlap_hours: _Hours = 24.0


class TrialBody(Body):
    """Of what it is told; of something that it wants when it is not said."""

    type: _EventType | UnsetType = UNSET


class ReplayBody(Body):
    """The window of time, up to now when no end is said."""

    since: Moment
    until: Moment | UnsetType = UNSET


class DeadBody(Body):
    """Which dead letters; all when none are named."""

    ids: Annotated[tuple[_LetterId, ...], msgspec.Meta(max_length=1_000)] | UnsetType = UNSET


class LettersQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How many at most."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 100


class WebhookStandingView(msgspec.Struct, frozen=True):
    """How a webhook does: what it answered last, and how much waits or was given up."""

    state: StandingState
    behind: int
    ok_at: datetime | None
    failed_at: datetime | None
    failing_since: datetime | None
    next_try_at: datetime | None
    status: int
    error: str
    answer: str
    waiting: int
    dead: int


class WebhookView(msgspec.Struct, frozen=True):
    """A webhook. *headers* are the names of fields that are sent along. *secret* is there once, when it is made."""

    id: int
    account: int
    name: str
    url: str
    created_at: datetime
    dialect: WebhookDialect
    types: tuple[str, ...]
    server: int | None
    stream: str | None
    first_opens: bool
    parallel: int
    auth: WebhookAuth
    username: str
    token_url: str
    client_id: str
    scope: str
    headers: tuple[str, ...]
    enabled: bool
    off_reason: str
    off_at: datetime | None
    old_secret_ends_at: datetime | None
    standing: WebhookStandingView
    secret: str | UnsetType = UNSET


class LetterView(msgspec.Struct, frozen=True):
    """What was, or is, told in one request. *events* are the ids of the events."""

    id: str
    events: tuple[str, ...]
    state: Literal["waiting", "dead", "done"]
    tries: int
    first_at: datetime
    next_try_at: datetime | None
    changed_at: datetime
    status: int
    error: str
    answer: str
    latency_ms: int


class Letters(msgspec.Struct, frozen=True):
    """Some of what was told."""

    data: list[LetterView]


class LettersTouched(msgspec.Struct, frozen=True):
    """How many there were."""

    count: int


class ReplayMade(msgspec.Struct, frozen=True):
    """A window of the past that is told once more, in the background."""

    id: int


class TrialView(msgspec.Struct, frozen=True):
    """A try: what was sent, and what was answered."""

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


def list_webhooks(call: Call, query: AccountQuery) -> Page[WebhookView]:
    """List webhooks, and how they do."""
    found = call.store.webhooks.page(call.listed(query.account), after=query.after, limit=query.limit + 1)
    standings = call.webhooks.standings(found)
    return call.page(found, query, lambda row: _view(row, standings[row.id]), lambda row: row.id)


def create_webhook(call: Call, body: WebhookNew) -> WebhookView:
    """Make a webhook. The answer is the only one with its secret."""
    fields = _fields(body)
    account = call.account_of(fields.pop("account", None))
    if body.server is not None:
        server_of(call, body.server)
    made, secret = call.store.webhooks.create(account, actor=call.actor, **fields)
    return _shown(call, made, secret)


def show_webhook(call: Call, webhook: int) -> WebhookView:
    """Show a webhook, and how it does."""
    return _shown(call, _seen(call, webhook))


def change_webhook(call: Call, webhook: int, body: WebhookChange) -> WebhookView:
    """Change a webhook. One that is switched on again is told what has happened meanwhile."""
    _seen(call, webhook)
    return _shown(call, call.store.webhooks.change(webhook, actor=call.actor, **_fields(body)))


def delete_webhook(call: Call, webhook: int) -> None:
    """Delete a webhook. What it was not told yet it is never told."""
    _seen(call, webhook)
    call.store.webhooks.delete(webhook, actor=call.actor)


def rotate_webhook(call: Call, webhook: int, body: RotateBody) -> WebhookView:
    """Make a new signing secret; requests are signed with both for a while. The answer is the only one with it."""
    _seen(call, webhook)
    overlap_s = body.overlap_hours * 3_600
    made, secret = call.store.webhooks.rotate(webhook, overlap_s=overlap_s, actor=call.actor)
    return _shown(call, made, secret)


def end_old_secret(call: Call, webhook: int) -> WebhookView:
    """End the secret before the present one now."""
    _seen(call, webhook)
    return _shown(call, call.store.webhooks.end_old_secret(webhook, actor=call.actor))


async def test_webhook(call: Call, webhook: int, body: TrialBody) -> TrialView:
    """Tell a webhook of something that has never happened; the answer has its answer."""
    if body.type is not UNSET and body.type not in TYPES:
        raise Invalid("type", f"write one of {', '.join(TYPES)}")
    watched = await asyncio.to_thread(_watched, call, webhook)
    told = await call.webhooks.try_out(watched, None if body.type is UNSET else body.type)
    return _trial_view(told)


def replay_webhook(call: Call, webhook: int, body: ReplayBody) -> ReplayMade:
    """Tell a webhook once more of all that happened in a window of time, with the ids that it has heard before."""
    _seen(call, webhook)
    until = datetime.now(UTC) if body.until is UNSET else body.until
    if body.since >= until:
        raise Conflict("nothing lies between since and until; name a since that is earlier")
    return ReplayMade(call.webhooks.replay(webhook, body.since.timestamp(), until.timestamp()))


def list_dead(call: Call, webhook: int, query: LettersQuery) -> Letters:
    """List what a webhook did not take however often it was tried, oldest first."""
    _seen(call, webhook)
    return Letters([_letter_view(each) for each in call.webhooks.dead(webhook, query.limit)])


def replay_dead(call: Call, webhook: int, body: DeadBody) -> LettersTouched:
    """Tell a webhook once more of what it did not take."""
    _seen(call, webhook)
    return LettersTouched(call.webhooks.revive(webhook, None if body.ids is UNSET else body.ids))


def drop_dead(call: Call, webhook: int, body: DeadBody) -> LettersTouched:
    """Forget what a webhook did not take."""
    _seen(call, webhook)
    return LettersTouched(call.webhooks.drop(webhook, None if body.ids is UNSET else body.ids))


def list_batches(call: Call, webhook: int, query: LettersQuery) -> Letters:
    """List what failed at least once in the last day, or waits, what has changed last first."""
    _seen(call, webhook)
    return Letters([_letter_view(each) for each in call.webhooks.lately(webhook, query.limit)])


def _fields(body: WebhookNew | WebhookChange) -> dict[str, Any]:
    fields = said(body)
    if "headers" in fields:
        fields["headers"] = {each.name: each.value for each in fields["headers"]}
    return fields


def _seen(call: Call, webhook: int) -> Webhook:
    found = call.store.webhooks.get(webhook)
    call.sees(found.account, f"webhook {webhook}")
    return found


def _watched(call: Call, webhook: int) -> WatchedWebhook:
    return WatchedWebhook(_seen(call, webhook), call.store.webhooks.secrets(webhook), 0)


def _shown(call: Call, webhook: Webhook, secret: str | UnsetType = UNSET) -> WebhookView:
    return _view(webhook, call.webhooks.standings([webhook])[webhook.id], secret)


def _view(webhook: Webhook, standing: WebhookStanding, secret: str | UnsetType = UNSET) -> WebhookView:
    fields = {name: getattr(webhook, name) for name in webhook.__struct_fields__}
    return WebhookView(**_dated(fields), standing=_standing_view(standing), secret=secret)


def _standing_view(standing: WebhookStanding) -> WebhookStandingView:
    return WebhookStandingView(
        **_dated({name: getattr(standing, name) for name in WebhookStandingView.__struct_fields__})
    )


def _letter_view(letter: KeptLetter) -> LetterView:
    return LetterView(
        letter.id,
        tuple(letter.ids),
        letter.state,
        letter.tries,
        _moment(letter.first_at),
        _moment(letter.due_at) if letter.state == "waiting" else None,
        _moment(letter.changed_at),
        letter.status,
        letter.error,
        letter.answer,
        letter.latency_ms,
    )


def _trial_view(told: Trial) -> TrialView:
    return TrialView(**{name: getattr(told, name) for name in TrialView.__struct_fields__})


def _dated(fields: dict[str, Any]) -> dict[str, Any]:
    """Return *fields* with instants as RFC 3339 has them."""
    return {
        name: _moment(value) if name.endswith(("_at", "_since")) and value is not None else value
        for name, value in fields.items()
    }


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
