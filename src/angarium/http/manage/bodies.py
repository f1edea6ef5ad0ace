"""What the manage API takes: the bodies of requests, and how they change records. Fields not given are left alone."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from angarium.core.options import Options, TrackLinks
from angarium.identity.records import Limits, Rate, StreamKind

Id = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""What the store can count with."""
Amount = Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
"""What can be counted exactly wherever JSON is read."""
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The base of all bodies: a field that is not known is an error, not a silent no."""


class RateBody(Body):
    """At most `count` recipients in each window of `seconds`."""

    count: Amount
    seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)]


class ServerLimitsBody(Body):
    """What an account or a server may do at most; null is no limit of its own. `max_message_size` is in bytes."""

    rate: RateBody | UnsetType | None = UNSET
    daily_quota: Amount | UnsetType | None = UNSET
    max_recipients: Amount | UnsetType | None = UNSET
    max_message_size: Amount | UnsetType | None = UNSET
    sender_domains: Literal["any", "verified"] | UnsetType | None = UNSET


class LimitsBody(ServerLimitsBody):
    """What an account may do, and have, at most; null is the node's own bound. `max_keys`: tokens and logins, too."""

    max_queued_recipients: Amount | UnsetType | None = UNSET
    max_queued_bytes: Amount | UnsetType | None = UNSET
    max_domains: Amount | UnsetType | None = UNSET
    max_keys: Amount | UnsetType | None = UNSET


class OptionsBody(Body):
    """One layer of options for messages; null leaves an option to the next layer."""

    stream: str | UnsetType | None = UNSET
    tags: tuple[str, ...] | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType | None = UNSET
    campaign: str | UnsetType | None = UNSET
    binding: str | UnsetType | None = UNSET
    lane: Literal[0, 1] | UnsetType | None = UNSET
    keep_id: bool | UnsetType | None = UNSET
    sign: bool | UnsetType | None = UNSET
    dkim_key: str | UnsetType | None = UNSET
    transactional: bool | UnsetType | None = UNSET
    skip_suppression: bool | UnsetType | None = UNSET
    bounce_type: str | UnsetType | None = UNSET
    track_opens: bool | UnsetType | None = UNSET
    track_links: TrackLinks | UnsetType | None = UNSET
    track_bounces: bool | UnsetType | None = UNSET
    inline_css: bool | UnsetType | None = UNSET
    prevent_scam: bool | UnsetType | None = UNSET
    host_images: bool | UnsetType | None = UNSET


class AccountNew(Body):
    """A new account."""

    name: str
    limits: LimitsBody | UnsetType = UNSET
    options: OptionsBody | UnsetType = UNSET


class AccountChange(Body):
    """What to change of an account."""

    name: str | UnsetType = UNSET
    suspended: bool | UnsetType = UNSET
    limits: LimitsBody | UnsetType = UNSET
    options: OptionsBody | UnsetType = UNSET


class ServerNew(Body):
    """A new server. `account` is the key's own when it is not given."""

    name: str
    account: Id | UnsetType = UNSET
    smtp: bool | UnsetType = UNSET
    on_error: Literal["vendor", "accept", "refuse"] | UnsetType = UNSET
    limits: ServerLimitsBody | UnsetType = UNSET
    options: OptionsBody | UnsetType = UNSET


class ServerChange(Body):
    """What to change of a server."""

    name: str | UnsetType = UNSET
    suspended: bool | UnsetType = UNSET
    smtp: bool | UnsetType = UNSET
    on_error: Literal["vendor", "accept", "refuse"] | UnsetType = UNSET
    limits: ServerLimitsBody | UnsetType = UNSET
    options: OptionsBody | UnsetType = UNSET


class StreamNew(Body):
    """A new message stream of a server; `id` is what messages name it by."""

    id: str
    name: str
    kind: StreamKind
    description: str | UnsetType = UNSET
    options: OptionsBody | UnsetType = UNSET


class StreamChange(Body):
    """What to change of a stream."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    options: OptionsBody | UnsetType = UNSET


class PersonNew(Body):
    """A new person of an account."""

    email: str
    password: str
    name: str = ""
    account: Id | UnsetType = UNSET


class PersonChange(Body):
    """What to change of a person."""

    email: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    password: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class KeyNew(Body):
    """A new API key. `networks` are the peers it may be used from, in CIDR notation; empty: any."""

    label: str
    grants: tuple[str, ...]
    networks: tuple[str, ...] = ()
    expires_at: Moment | None = None
    account: Id | UnsetType = UNSET
    server: Id | None = None
    stream: str | None = None


class KeyChange(Body):
    """What to change of an API key."""

    label: str | UnsetType = UNSET
    grants: tuple[str, ...] | UnsetType = UNSET
    networks: tuple[str, ...] | UnsetType = UNSET
    expires_at: Moment | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET


class TokenNew(Body):
    """A new token of a server: one for the whole server, or an SMTP token, which is bound to one stream."""

    server: Id
    kind: Literal["server_token", "smtp_token"] = "server_token"
    label: str = ""
    stream: str | None = None
    challenge: bool = False
    networks: tuple[str, ...] = ()
    expires_at: Moment | None = None


class LoginNew(Body):
    """A new SMTP login. `options` are its switches, binding and the like."""

    server: Id
    label: str
    stream: str | None = None
    challenge: bool = False
    networks: tuple[str, ...] = ()
    expires_at: Moment | None = None
    options: OptionsBody | UnsetType = UNSET


class LoginChange(Body):
    """What to change of a token or a login."""

    label: str | UnsetType = UNSET
    stream: str | UnsetType | None = UNSET
    challenge: bool | UnsetType = UNSET
    networks: tuple[str, ...] | UnsetType = UNSET
    expires_at: Moment | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    options: OptionsBody | UnsetType = UNSET


class DomainNew(Body):
    """A new sending domain. `return_path` is the label under it that bounces come back to."""

    name: str
    return_path: str = "bounces"
    account: Id | UnsetType = UNSET


class DomainChange(Body):
    """What to change of a domain."""

    enabled: bool | UnsetType = UNSET
    return_path: str | UnsetType = UNSET


def said(body: msgspec.Struct) -> dict[str, Any]:
    """Return the fields that were given, by name."""
    return {name: value for name in body.__struct_fields__ if (value := getattr(body, name)) is not UNSET}


def limits_with(old: Limits, body: ServerLimitsBody | UnsetType) -> Limits:
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
