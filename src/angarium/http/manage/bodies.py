"""What the manage API takes: the bodies of requests, and how they change records. Fields not given are left alone."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from angarium.core.options import Options
from angarium.http.manage.described import taking
from angarium.http.manage.shapes import (
    SHAPES,
    DomainName,
    Grants,
    Line,
    Moment,
    Networks,
    Password,
    ReturnPath,
    StreamId,
)
from angarium.identity.fields import DescribedField
from angarium.identity.limits import OF_ACCOUNTS, Limits, Rate
from angarium.identity.records import Account, Person, Server, Stream

Id = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""What the store can count with."""
Amount = Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
"""What can be counted exactly wherever JSON is read."""


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The base of all bodies: a field that is not known is an error, not a silent no."""


class RateBody(Body):
    """At most `count` recipients in each window of `seconds`."""

    count: Amount
    seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)]


def within(field: DescribedField) -> Any:
    """Return what a body has for a field of this type."""
    if field.kind is Limits:
        return ServerLimitsBody if field.about.without else LimitsBody
    if field.kind is Options:
        return OptionsBody
    if field.kind is Rate:
        return RateBody
    shape = SHAPES.get(field.about.check) if field.about.check is not None else None
    if shape is not None:
        return Annotated[field.kind, shape]
    return Amount if field.kind is int else field.kind


@taking(Limits, "change", within, without=OF_ACCOUNTS)
class ServerLimitsBody(Body):
    """What an account or a server may do at most; null is no limit of its own. `max_message_size` is in bytes."""


@taking(Limits, "change", within)
class LimitsBody(Body):
    """What an account may do, and have, at most; null is the node's own bound. `max_keys`: tokens and logins, too."""


@taking(Options, "change", within)
class OptionsBody(Body):
    """One layer of options for messages; null leaves an option to the next layer."""

    lane: Literal[0, 1] | UnsetType | None = UNSET


@taking(Account, "new", within)
class AccountNew(Body):
    """A new account."""


@taking(Account, "change", within)
class AccountChange(Body):
    """What to change of an account."""


@taking(Server, "new", within)
class ServerNew(Body):
    """A new server. `account` is the key's own when it is not given."""

    account: Id | UnsetType = UNSET


@taking(Server, "change", within)
class ServerChange(Body):
    """What to change of a server."""


@taking(Stream, "new", within)
class StreamNew(Body):
    """A new message stream of a server; `id` is what messages name it by."""


@taking(Stream, "change", within)
class StreamChange(Body):
    """What to change of a stream."""


@taking(Person, "new", within)
class PersonNew(Body):
    """A new person of an account."""

    password: Password
    name: Line = ""
    account: Id | UnsetType = UNSET


@taking(Person, "change", within)
class PersonChange(Body):
    """What to change of a person."""

    password: Password | UnsetType = UNSET


class KeyNew(Body):
    """A new API key. `networks` are the peers it may be used from, in CIDR notation; empty: any. `stream`, which it is
    bound to, is one of `server`.
    """

    RULE: ClassVar = {
        "if": {"properties": {"stream": {"type": "string"}}, "required": ["stream"]},
        "then": {"properties": {"server": {"type": "integer"}}, "required": ["server"]},
    }

    label: Line
    grants: Grants
    networks: Networks = ()
    expires_at: Moment | None = None
    account: Id | UnsetType = UNSET
    server: Id | None = None
    stream: StreamId | None = None


class CredentialChange(Body):
    """What to change of a key, token or login, whichever it is."""

    label: Line | UnsetType = UNSET
    networks: Networks | UnsetType = UNSET
    expires_at: Moment | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET


class KeyChange(CredentialChange):
    """What to change of an API key."""

    grants: Grants | UnsetType = UNSET


class TokenNew(Body):
    """A new token of a server: one for the whole server, or an SMTP token, which is bound to one stream. `options` are
    its switches, binding and the like.
    """

    RULE: ClassVar = {
        "if": {"properties": {"kind": {"const": "smtp_token"}}, "required": ["kind"]},
        "then": {"properties": {"stream": {"type": "string"}}, "required": ["stream"]},
        "else": {"properties": {"stream": {"type": "null"}}},
    }

    server: Id
    kind: Literal["server_token", "smtp_token"] = "server_token"
    label: Line = ""
    stream: StreamId | None = None
    challenge: bool = False
    networks: Networks = ()
    expires_at: Moment | None = None
    options: OptionsBody | UnsetType = UNSET


class LoginNew(Body):
    """A new SMTP login. `options` are its switches, binding and the like."""

    server: Id
    label: Line
    stream: StreamId | None = None
    challenge: bool = False
    networks: Networks = ()
    expires_at: Moment | None = None
    options: OptionsBody | UnsetType = UNSET


class TokenChange(CredentialChange):
    """What to change of a token. `challenge` can be taken away only: the secret is not known any more."""

    challenge: bool | UnsetType = UNSET
    options: OptionsBody | UnsetType = UNSET


class LoginChange(CredentialChange):
    """What to change of a login: as of a token, and it may be bound to another stream of its server, or with null to
    none.
    """

    stream: StreamId | UnsetType | None = UNSET
    challenge: bool | UnsetType = UNSET
    options: OptionsBody | UnsetType = UNSET


class DomainNew(Body):
    """A new sending domain. `return_path` is the label under it that bounces come back to, `tracking` the one that
    readers' programs come by.
    """

    name: DomainName
    return_path: ReturnPath = "bounces"
    tracking: ReturnPath = ""
    tracking_https: bool = True
    account: Id | UnsetType = UNSET


class DomainChange(Body):
    """What to change of a domain."""

    enabled: bool | UnsetType = UNSET
    return_path: ReturnPath | UnsetType = UNSET
    tracking: ReturnPath | UnsetType = UNSET
    tracking_https: bool | UnsetType = UNSET


def said(body: msgspec.Struct) -> dict[str, Any]:
    """Return the fields that were given, by name."""
    return {name: value for name in body.__struct_fields__ if (value := getattr(body, name)) is not UNSET}


def limits_with(old: Limits, body: ServerLimitsBody | LimitsBody | UnsetType) -> Limits:
    """Return *old* with what *body* says."""
    if body is UNSET:
        return old
    fields = said(body)
    if isinstance(fields.get("rate"), RateBody):
        fields["rate"] = Rate(fields["rate"].count, fields["rate"].seconds)
    return msgspec.structs.replace(old, **fields)


def options_with(old: Options, body: OptionsBody | UnsetType) -> Options:
    """Return *old* with what *body* says."""
    return old if body is UNSET else msgspec.structs.replace(old, **said(body))


def changes(body: msgspec.Struct, record: Any) -> dict[str, Any]:
    """Return *body* as the fields of *record* to be changed."""
    fields = said(body)
    if "limits" in fields:
        fields["limits"] = limits_with(record.limits, fields["limits"])
    if "options" in fields:
        fields["options"] = options_with(record.options, fields["options"])
    if isinstance(fields.get("expires_at"), datetime):
        fields["expires_at"] = fields["expires_at"].timestamp()
    return fields
