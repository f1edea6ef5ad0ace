"""Webhooks: where an account wants to be told of what happens to its mail, and how. As values, and what they may be.

What is secret of one stands in `WebhookSecrets`, which leaves the store for whoever sends.
"""

import base64
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from angarium.fetch.target import BadTarget, FetchTarget, target_of
from angarium.identity import checks
from angarium.sql.checks import Check
from angarium.sql.errors import Invalid

WebhookDialect = Literal["own", "postmark", "sparkpost", "smtpeter"]
WebhookAuth = Literal["none", "basic", "oauth2"]
DIALECTS: Final[tuple[WebhookDialect, ...]] = ("own", "postmark", "sparkpost", "smtpeter")

TYPES: Final = (
    *("received", "delivered", "delayed", "bounced", "expired", "ambiguous", "suppressed", "policy"),
    *("generation_failure", "generation_rejection", "cancelled", "held", "released"),
    *("open", "initial_open", "click", "unsubscribe", "link_unsubscribe"),
    *("complaint", "late_bounce", "auto_reply", "domain_lost", "domain_found"),
)
"""What an account can be told of, by the names of the catalogue of events (docs/events.md)."""

MOST_WEBHOOKS: Final = 1_000
"""Of one account."""
MOST_HEADERS: Final = 10
_MOST_HEADER_BYTES: Final = 3_000
MOST_PARALLEL: Final = 32
LONGEST_OVERLAP_S: Final = 30 * 86_400.0
SECRET_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS: Final = frozenset(
    {
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "expect",
        "te",
        "upgrade",
        "trailer",
    }
)


class SigningSecret(msgspec.Struct, frozen=True):
    """A secret that requests are signed with, from *made_at* on; until *ends_at*, None: it is the one of today."""

    secret: str
    made_at: float
    ends_at: float | None = None

    def holds(self, now: float) -> bool:
        """Whether requests are signed with it."""
        return self.ends_at is None or now < self.ends_at


class WebhookSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """What is secret of a webhook. *signing* is the newest first. *headers* are sent along with each request."""

    signing: tuple[SigningSecret, ...]
    password: str = ""
    client_secret: str = ""
    headers: dict[str, str] = {}


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where an account is told of what happens, and how.

    *types* are those of `TYPES` that it is told of, none of them: all. *server* and *stream* narrow it. *first_opens*:
    of several openings only the first is told. *parallel* is how many requests may be under way at a time, of
    different messages. *username* and the password, or *token_url* (OAuth 2.0, RFC 6749 §4.4), *client_id*, *scope* and
    the client's secret, are how it proves itself, as *auth* says. *headers* are the names of fields that are sent
    along. *enabled* False: nothing is sent, and *off_reason* says why, since *off_at*. *old_secret_ends_at* is when the
    secret before the present one ends, None: there is none.
    """

    id: int
    account: int
    name: str
    url: str
    created_at: float
    dialect: WebhookDialect = "own"
    types: tuple[str, ...] = ()
    server: int | None = None
    stream: str | None = None
    first_opens: bool = False
    parallel: int = 4
    auth: WebhookAuth = "none"
    username: str = ""
    token_url: str = ""
    client_id: str = ""
    scope: str = ""
    headers: tuple[str, ...] = ()
    enabled: bool = True
    off_reason: str = ""
    off_at: float | None = None
    old_secret_ends_at: float | None = None

    def wants(self, type: str) -> bool:
        """Whether it is told of what is of that *type*."""
        return type in (self.types or TYPES)


class WatchedWebhook(NamedTuple):
    """A webhook for whoever sends; *change* is the number of the store's change that made it so."""

    webhook: Webhook
    secrets: WebhookSecrets
    change: int


def new_signing_secret() -> str:
    """Return a new secret in the form of Standard Webhooks: `whsec_` and base64 of 32 random bytes."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def url_of(field: str, value: Any) -> FetchTarget:
    """Check a URL to send to. Raises Invalid."""
    if not isinstance(value, str):
        raise Invalid(field, "write a URL such as https://example.com/hook")
    try:
        return target_of(value.strip())
    except BadTarget as error:
        raise Invalid(field, str(error)) from None


def _url(field: str, value: Any) -> str:
    target = url_of(field, value)
    return f"{target.scheme}://{target.authority}{target.path}"


def _optional_url(field: str, value: Any) -> str:
    return _url(field, value) if value else ""


def _types(field: str, value: Iterable[Any]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(value)) if not isinstance(value, str) else (value,)
    for name in found:
        if name not in TYPES:
            raise Invalid(field, f"{str(name)[:60]!r} is not told of; what is: {', '.join(TYPES)}")
    return found


def _parallel(field: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_PARALLEL:
        raise Invalid(field, f"write a number from 1 to {MOST_PARALLEL}")
    return value


def _secret(field: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > 1_000 or not value.isprintable():
        raise Invalid(field, "write one line of 1000 characters at most")
    return value


def _headers(field: str, value: Mapping[str, Any]) -> dict[str, str]:
    if len(value) > MOST_HEADERS:
        raise Invalid(field, f"{MOST_HEADERS} header fields at most are sent along")
    for name, text in value.items():
        if not isinstance(name, str) or _HEADER_NAME.fullmatch(name) is None or name.lower() in _OURS:
            raise Invalid(field, f"{str(name)[:60]!r} cannot be the name of a field that is sent along")
        if not isinstance(text, str) or not text.isascii() or not text.isprintable():
            raise Invalid(field, f"the value of {name} has to be one line of ASCII")
    if sum(len(name) + len(text) for name, text in value.items()) > _MOST_HEADER_BYTES:
        raise Invalid(field, f"write {_MOST_HEADER_BYTES} bytes at most in all")
    return dict(value)


def _optional_stream(field: str, value: Any) -> str | None:
    return None if value is None else checks.stream_id(field, value)


CHECKS: Final[Mapping[str, Check]] = {
    "name": checks.name,
    "url": _url,
    "dialect": checks.one_of(*DIALECTS),
    "types": _types,
    "stream": _optional_stream,
    "first_opens": checks.flag,
    "parallel": _parallel,
    "auth": checks.one_of("none", "basic", "oauth2"),
    "username": _secret,
    "token_url": _optional_url,
    "client_id": _secret,
    "scope": _secret,
    "enabled": checks.flag,
}
"""Of the fields of `Webhook` that somebody says."""
SECRET_CHECKS: Final[Mapping[str, Check]] = {
    "password": _secret,
    "client_secret": _secret,
    "headers": _headers,
}
"""Of those of `WebhookSecrets`."""


def check_auth(webhook: Webhook, kept: WebhookSecrets) -> None:
    """Raise Invalid when what *auth* needs is not there."""
    if webhook.auth == "basic" and not (webhook.username and kept.password):
        raise Invalid("auth", "basic needs username and password")
    if webhook.auth == "oauth2" and not (webhook.token_url and webhook.client_id and kept.client_secret):
        raise Invalid("auth", "oauth2 needs token_url, client_id and client_secret")
