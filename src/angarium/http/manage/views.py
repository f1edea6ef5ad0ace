"""What the manage API answers: the records of `identity`, with times as RFC 3339 and options by name. Pure."""

from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec

from angarium.core.options import Options, as_mapping
from angarium.http.manage import bodies
from angarium.http.manage.bodies import OptionsBody, RateBody
from angarium.http.manage.described import showing
from angarium.identity.fields import DescribedField, fields_of
from angarium.identity.limits import Limits
from angarium.identity.records import (
    Account,
    Algorithm,
    Change,
    Credential,
    Domain,
    DomainKey,
    KeyState,
    Kind,
    Person,
    Server,
    Stream,
)

T = TypeVar("T")
V = TypeVar("V", bound=msgspec.Struct)


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a listing. *next* is the path of the page after it, null at the end."""

    data: list[T]
    next: str | None


def within(field: DescribedField) -> Any:
    """Return what an answer has for a field of this type."""
    return field.kind if field.kind is int else bodies.within(field)


@showing(Account, within)
class AccountView(msgspec.Struct, frozen=True):
    """An account."""


@showing(Server, within)
class ServerView(msgspec.Struct, frozen=True):
    """A server of an account."""


@showing(Stream, within)
class StreamView(msgspec.Struct, frozen=True):
    """A message stream of a server."""


@showing(Person, within)
class PersonView(msgspec.Struct, frozen=True):
    """A person, without the password."""


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
    return_path_seen_at: datetime | None
    tracking: str
    tracking_https: bool
    tracking_seen_at: datetime | None
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
    return view(AccountView, account)


def server_view(server: Server) -> ServerView:
    """Return a server as it is shown."""
    return view(ServerView, server)


def stream_view(stream: Stream) -> StreamView:
    """Return a stream as it is shown."""
    return view(StreamView, stream)


def person_view(person: Person) -> PersonView:
    """Return a person as they are shown."""
    return view(PersonView, person)


def credential_view(credential: Credential, secret: str | None = None) -> CredentialView:
    """Return a credential as it is shown; with its *secret* only when it was just made."""
    return view(CredentialView, credential, **({} if secret is None else {"secret": secret}))


def domain_view(domain: Domain) -> DomainView:
    """Return a domain as it is shown."""
    return view(DomainView, domain, keys=tuple(key_view(key) for key in domain.keys))


def key_view(key: DomainKey) -> DomainKeyView:
    """Return a signing key as it is shown."""
    return view(DomainKeyView, key)


def change_view(change: Change) -> ChangeView:
    """Return an entry of the audit log as it is shown."""
    return view(ChangeView, change)


def view(kind: type[V], record: msgspec.Struct, **more: Any) -> V:
    """Return *record* as a *kind*, with what is *more* to it."""
    fields = fields_of(type(record))
    shown = {
        name: _shown(fields[name], getattr(record, name)) for name in kind.__struct_fields__ if name in fields
    }
    return kind(**(shown | more))


def _shown(field: DescribedField, value: Any) -> Any:
    if isinstance(value, Options):
        return OptionsBody(**as_mapping(value))
    if isinstance(value, Limits):
        return _limits(value, within(field))
    if isinstance(value, float):
        return datetime.fromtimestamp(value, UTC)
    return value


def _limits(limits: Limits, kind: Any) -> Any:
    fields = {name: getattr(limits, name) for name in kind.__struct_fields__}
    if limits.rate is not None:
        fields["rate"] = RateBody(count=limits.rate.count, seconds=limits.rate.seconds)
    return kind(**fields)
