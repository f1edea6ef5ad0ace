"""A request to a webhook: its body, who it is from, and what proves that; and the answer to it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlencode
from uuid import UUID, uuid5

import msgspec

from angarium import __version__
from angarium.core.clock import Clock
from angarium.dialects.event import MailEvent
from angarium.fetch.answer import HttpAnswer, Unanswered
from angarium.fetch.fetcher import Method
from angarium.fetch.target import basic
from angarium.identity.webhooks import WatchedWebhook, Webhook, WebhookSecrets
from angarium.webhooks.forms import form_of
from angarium.webhooks.signing import signed
from angarium.webhooks.vendors import digest

AGENT: Final = f"Angarium/{__version__} (webhooks)"
_EARLY_S: Final = 60.0
"""So long before its end a token is not used any more."""
_USUAL_S: Final = 300.0
_MOST_TOKENS: Final = 10_000


class Asker(Protocol):
    """What sends requests; `fetch.fetcher.Fetcher` in the program."""

    async def ask(
        self, method: Method, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> HttpAnswer:
        """See Fetcher."""
        ...


class WebhookRequest(NamedTuple):
    """What goes out beside a token."""

    headers: dict[str, str]
    body: bytes


class _Token(NamedTuple):
    change: int
    header: str
    ends_at: float


class _TokenAnswer(msgspec.Struct):
    access_token: str
    token_type: str = "Bearer"
    expires_in: float = _USUAL_S


class Requester:
    """Sends, with OAuth 2.0 tokens of its own where a webhook wants that (RFC 6749 §4.4)."""

    def __init__(self, asker: Asker, clock: Clock) -> None:
        self._asker = asker
        self._clock = clock
        self._tokens: dict[int, _Token] = {}

    async def tell(
        self, watched: WatchedWebhook, id: str, events: Sequence[MailEvent], tries: int, left: int
    ) -> HttpAnswer | Unanswered:
        """Tell of *events*, which have failed *tries* times, and are tried *left* times more; return the answer that
        counts: the first that is no success, or else the last.
        """
        said: HttpAnswer | Unanswered = HttpAnswer(204, (), b"", False, "")
        for request in requests(watched, id, events, tries, left, self._clock.now()):
            said = await self.send(watched, request)
            if isinstance(said, Unanswered) or not 200 <= said.status < 300:
                return said
        return said

    async def send(self, watched: WatchedWebhook, request: WebhookRequest) -> HttpAnswer | Unanswered:
        """Send one request; a token that is not believed is asked for anew, once."""
        try:
            answer = await self._send(watched, request)
            if watched.webhook.auth == "oauth2" and answer.status in (400, 401):
                self._tokens.pop(watched.webhook.id, None)
                answer = await self._send(watched, request)
            return answer
        except Unanswered as error:
            return error

    async def _send(self, watched: WatchedWebhook, request: WebhookRequest) -> HttpAnswer:
        headers = request.headers
        if watched.webhook.auth == "oauth2":
            headers = {**headers, "Authorization": await self._token(watched)}
        return await self._asker.ask("POST", watched.webhook.url, headers, request.body)

    async def _token(self, watched: WatchedWebhook) -> str:
        """Return the value of the Authorization field. Raises Unanswered."""
        webhook, now = watched.webhook, self._clock.now()
        known = self._tokens.get(webhook.id)
        if known is not None and known.change == watched.change and now < known.ends_at:
            return known.header
        answer = await self._asker.ask(
            "POST", webhook.token_url, *_asking_for_token(webhook, watched.secrets)
        )
        if answer.status != 200:
            raise Unanswered("answer", f"no token: {webhook.token_url} answered {answer.status}", answer.peer)
        try:
            said = msgspec.json.decode(answer.body, type=_TokenAnswer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Unanswered("answer", f"no token: {webhook.token_url} answered none", answer.peer) from None
        token = said.access_token
        if said.token_type.lower() != "bearer" or not (token.isascii() and token.isprintable()):
            raise Unanswered("answer", f"no token: that of {webhook.token_url} cannot be used", answer.peer)
        made = _Token(watched.change, f"Bearer {token}", now + max(said.expires_in - _EARLY_S, 1.0))
        self._tokens[webhook.id] = made
        while len(self._tokens) > _MOST_TOKENS:
            self._tokens.pop(next(iter(self._tokens)))
        return made.header


def requests(
    watched: WatchedWebhook, id: str, events: Sequence[MailEvent], tries: int, left: int, now: float
) -> list[WebhookRequest]:
    """Return the requests that tell of *events*, in order. The first has *id*, others one that is made of it."""
    form = form_of(watched.webhook)
    found: list[WebhookRequest] = []
    for number, body in enumerate(form.bodies(events, watched.webhook)):
        own_id = id if number == 0 else str(uuid5(UUID(id), str(number)))
        headers = {
            "User-Agent": AGENT,
            "Content-Type": form.content_type,
            **form.headers(own_id, tries, left),
        }
        if form.has_digest:
            headers["Digest"] = digest(body)
        found.append(WebhookRequest(headers | proofs(watched, own_id, body, now), body))
    return found


def proofs(watched: WatchedWebhook, id: str, body: bytes, now: float) -> dict[str, str]:
    """Return the header fields that say who it is from, but for a token: signatures, a password, and those that
    somebody wants to be sent along.
    """
    webhook, kept = watched.webhook, watched.secrets
    fields = signed(id, now, body, [each.secret for each in kept.signing if each.holds(now)])
    if webhook.auth == "basic":
        fields["Authorization"] = basic(webhook.username, kept.password)
    return {**kept.headers, **fields}


def _asking_for_token(webhook: Webhook, kept: WebhookSecrets) -> tuple[dict[str, str], bytes]:
    body = {"grant_type": "client_credentials"} | ({"scope": webhook.scope} if webhook.scope else {})
    return {
        "User-Agent": AGENT,
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": basic(webhook.client_id, kept.client_secret),
    }, urlencode(body).encode()


Tell = Callable[[WatchedWebhook, str, Sequence[MailEvent], int, int], Awaitable[HttpAnswer | Unanswered]]
"""`Requester.tell`, or something in its place."""
