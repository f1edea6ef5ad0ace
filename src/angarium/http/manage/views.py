"""What the manage API answers: the records of `identity`, with times as RFC 3339 and options by name. Pure."""

from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar

import msgspec

from angarium.core.options import Options, as_mapping
from angarium.http.manage.bodies import LimitsBody, OptionsBody, RateBody, ServerLimitsBody
from angarium.identity.records import (
    Account,
    Algorithm,
    Change,
    Credential,
    Domain,
    DomainKey,
    KeyState,
    Kind,
    Limits,
    Person,
    Server,
    Stream,
    StreamKind,
)

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a listing. *next* is the path of the page after it, null at the end."""

    data: list[T]
    next: str | None


class AccountView(msgspec.Struct, frozen=True):
    """An account."""

    id: int
    name: str
    created_at: datetime
    suspended: bool
    limits: LimitsBody
    options: OptionsBody


class ServerView(msgspec.Struct, frozen=True):
    """A server of an account."""

    id: int
    account: int
    name: str
    created_at: datetime
    suspended: bool
    smtp: bool
    on_error: Literal["vendor", "accept", "refuse"]
    limits: ServerLimitsBody
    options: OptionsBody


class StreamView(msgspec.Struct, frozen=True):
    """A message stream of a server."""

    id: str
    server: int
    name: str
    kind: StreamKind
    created_at: datetime
    description: str
    archived_at: datetime | None
    options: OptionsBody


class PersonView(msgspec.Struct, frozen=True):
    """A person, without the password."""

    id: int
    account: int
    email: str
    name: str
    created_at: datetime
    enabled: bool
    last_used_at: datetime | None


class CredentialView(msgspec.Struct, frozen=True):
    """An API key, token or login. *secret* is there once, in the answer to its creation."""

    id: int
    kind: Kind
    account: int
    server: int | None
    label: str
    created_at: datetime
    stream: str | None
    username: str
    short: str
    grants: tuple[str, ...]
    networks: tuple[str, ...]
    options: OptionsBody
    challenge: bool
    enabled: bool
    expires_at: datetime | None
    last_used_at: datetime | None
    secret: str | msgspec.UnsetType = msgspec.UNSET


class DomainKeyView(msgspec.Struct, frozen=True):
    """A signing key of a domain: *public* is what its DNS record has in `p=`."""

    id: int
    selector: str
    algorithm: Algorithm
    public: str
    state: KeyState
    created_at: datetime
    verified_at: datetime | None
    retired_at: datetime | None


class DomainView(msgspec.Struct, frozen=True):
    """A sending domain and its keys."""

    id: int
    account: int
    name: str
    created_at: datetime
    enabled: bool
    verified_at: datetime | None
    checked_at: datetime | None
    return_path: str
    keys: tuple[DomainKeyView, ...]


class ChangeView(msgspec.Struct, frozen=True):
    """One entry of the audit log."""

    id: int
    at: datetime
    actor: str
    action: str
    what: str
    account: int | None
    details: dict[str, Any]


class GrantView(msgspec.Struct, frozen=True):
    """Something that an API key may be allowed to do."""

    key: str
    label: str


def account_view(account: Account) -> AccountView:
    """Return an account as it is shown."""
    return msgspec.convert(_fields(account), AccountView)


def server_view(server: Server) -> ServerView:
    """Return a server as it is shown."""
    return msgspec.convert(_fields(server), ServerView)


def stream_view(stream: Stream) -> StreamView:
    """Return a stream as it is shown."""
    return msgspec.convert(_fields(stream), StreamView)


def person_view(person: Person) -> PersonView:
    """Return a person as they are shown."""
    return msgspec.convert(_fields(person), PersonView)


def credential_view(credential: Credential, secret: str | None = None) -> CredentialView:
    """Return a credential as it is shown; with its *secret* only when it was just made."""
    fields = _fields(credential)
    if secret is not None:
        fields["secret"] = secret
    return msgspec.convert(fields, CredentialView)


def domain_view(domain: Domain) -> DomainView:
    """Return a domain as it is shown."""
    return msgspec.convert(_fields(domain), DomainView)


def key_view(key: DomainKey) -> DomainKeyView:
    """Return a signing key as it is shown."""
    return msgspec.convert(_fields(key), DomainKeyView)


def change_view(change: Change) -> ChangeView:
    """Return an entry of the audit log as it is shown."""
    return msgspec.convert(_fields(change), ChangeView)


def _fields(record: msgspec.Struct) -> dict[str, Any]:
    fields = {name: _shown(name, getattr(record, name)) for name in record.__struct_fields__}
    if isinstance(record, Account | Server):
        kind = LimitsBody if isinstance(record, Account) else ServerLimitsBody
        fields["limits"] = _limits(record.limits, kind)
    return fields


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, Options):
        return OptionsBody(**as_mapping(value))
    if isinstance(value, float) and (name == "at" or name.endswith("_at")):
        return datetime.fromtimestamp(value, UTC)
    if name == "keys":
        return tuple(key_view(key) for key in value)
    return value


def _limits(limits: Limits, kind: type[ServerLimitsBody] = LimitsBody) -> ServerLimitsBody:
    fields = {name: getattr(limits, name) for name in kind.__struct_fields__}
    if limits.rate is not None:
        fields["rate"] = RateBody(count=limits.rate.count, seconds=limits.rate.seconds)
    return kind(**fields)
