"""Who is sending, as far as a session has to know, and what follows from it. Pure: no store, no clock.

A `Principal` is what a login becomes once it is let in. It is a picture of the store at one moment;
`directory.Directory.current` says whether that still holds.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from angarium.config.values import CidrSet
from angarium.core.options import NO_OPTIONS, Options, layered
from angarium.core.records import BULK
from angarium.core.reply import Reply
from angarium.core.submission import Problem, Reason
from angarium.core.waiting import WaitingCount
from angarium.identity.limits import Limits
from angarium.identity.records import (
    SEND_GRANT,
    TRANSMIT_GRANT,
    Account,
    Credential,
    Kind,
    Person,
    Server,
    Stream,
)
from angarium.identity.usage.buckets import Bucket, buckets_of

DEFAULT_STREAM: Final = "outbound"

BAD_LOGIN = Reply(
    535,
    "5.7.8",
    "authentication failed: check user name and password, and that they are enabled and may send by SMTP",
)
"""The one answer to whoever is not let in, whatever the cause."""

UNCHECKED = Problem(Reason.LOGIN_UNCHECKED)
"""While the identity store does not answer."""

PERSON_OPTIONS = Options(
    track_opens=False,
    track_links="none",
    track_bounces=False,
    inline_css=False,
    prevent_scam=False,
    host_images=False,
)
"""A person's own password lets mail through and switches nothing on."""

Denial = Literal[
    "unknown",  # nobody is called that
    "wrong",  # the secret is not the one
    "disabled",
    "expired",
    "suspended",  # its account or server is
    "smtp_off",  # its server does not take mail by SMTP
    "grant",  # an API key that may not send by this door
    "network",  # not from this address
    "blocked",  # not heard: too many failures from its network
]
"""Why somebody was not let in: for logs and counters, never for the peer."""

Way = Literal["smtp", "http"]
"""How somebody sends."""

Key = tuple[Kind, int]
"""What a principal is known by: its kind, and the id of its credential or person."""

Seen = tuple[int, int]
"""A moment of the store: how often it was replaced by an older copy, and its generation (`changes.Changes`)."""


class Refused(NamedTuple):
    """Somebody is not let in. *name* and *account* say who it was, if that is known."""

    reason: Denial
    name: str = ""
    account: int = 0
    reply: Reply = BAD_LOGIN


_NONE: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True)
class Principal:
    """Somebody who was let in, with everything that decides what they may do.

    *name* is for logs and events: `login 7 "newsletter"`. *stream* is the one it is bound to. *options* are those of
    the login or key. *verified_domains* are the account's, in A-labels, and *return_paths* has the return path
    of each of them that leads here. *stamp* differs when the secret does: who has the same key in another copy of the
    store may be somebody else.
    """

    kind: Kind
    id: int
    name: str
    account: Account
    server: Server | None = None
    streams: Mapping[str, Stream] = field(default_factory=dict, repr=False)
    stream: str | None = None
    options: Options = NO_OPTIONS
    grants: frozenset[str] = frozenset()
    networks: tuple[str, ...] = ()
    verified_domains: frozenset[str] = field(default=frozenset(), repr=False)
    return_paths: Mapping[str, str] = field(default_factory=dict, repr=False)
    tracking_urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    enabled: bool = True
    expires_at: float | None = None
    stamp: bytes = field(default=b"", repr=False)
    seen: Seen = (0, 0)

    @property
    def key(self) -> Key:
        """What it is known by."""
        return self.kind, self.id

    @cached_property
    def max_recipients(self) -> int | None:
        """Most recipients of one message: the smaller of the server's and the account's. None: no limit."""
        return _least(limits.max_recipients for limits in _limits(self))

    @cached_property
    def max_message_size(self) -> int | None:
        """Most bytes of one message: the smaller of the server's and the account's. None: no limit."""
        return _least(limits.max_message_size for limits in _limits(self))

    @cached_property
    def needs_verified_domain(self) -> bool:
        """Whether the account or the server wants the author's domain verified. Neither can undo the other's word."""
        return any(limits.sender_domains == "verified" for limits in _limits(self))

    @cached_property
    def buckets(self) -> tuple[Bucket, ...]:
        """What is counted of it, in the one order in which all workers lock the counts. Usually nothing."""
        return buckets_of(self.account, self.server)

    @cached_property
    def allowed_peers(self) -> CidrSet:
        """The networks it may be used from, as a set; an empty one means any."""
        return CidrSet(self.networks)


def principal_of_credential(
    credential: Credential,
    account: Account,
    server: Server | None,
    streams: Mapping[str, Stream],
    *,
    grants: frozenset[str],
    verified_domains: frozenset[str],
    return_paths: Mapping[str, str] = _NONE,
    tracking_urls: Mapping[str, str] = _NONE,
    digest: bytes = b"",
    seen: Seen = (0, 0),
) -> Principal:
    """Return who a credential stands for. *grants* are those of an API key with all that they imply, *digest* is that
    of its secret.
    """
    return Principal(
        kind=credential.kind,
        id=credential.id,
        name=_name(credential),
        account=account,
        server=server,
        streams=streams,
        stream=credential.stream,
        options=credential.options,
        grants=_GRANTS.get(credential.kind, grants),
        networks=credential.networks,
        verified_domains=verified_domains,
        return_paths=return_paths,
        tracking_urls=tracking_urls,
        enabled=credential.enabled,
        expires_at=credential.expires_at,
        stamp=hashlib.sha256(digest).digest(),
        seen=seen,
    )


def principal_of_person(
    person: Person,
    account: Account,
    server: Server | None,
    streams: Mapping[str, Stream],
    *,
    password: str,
    verified_domains: frozenset[str],
    return_paths: Mapping[str, str] = _NONE,
    tracking_urls: Mapping[str, str] = _NONE,
    seen: Seen = (0, 0),
) -> Principal:
    """Return who a person is when sending: the account's first server, every optional feature off.

    *password* is the hash that is stored of theirs.
    """
    return Principal(
        kind="person",
        id=person.id,
        name=f'person {person.id} "{person.email}"',
        account=account,
        server=server,
        streams=streams,
        options=PERSON_OPTIONS,
        grants=frozenset((SEND_GRANT,)),
        verified_domains=verified_domains,
        return_paths=return_paths,
        tracking_urls=tracking_urls,
        enabled=person.enabled,
        stamp=hashlib.sha256(password.encode()).digest(),
        seen=seen,
    )


def may_send(principal: Principal, now: float, way: Way = "smtp") -> Denial | None:
    """Return why *principal* may not send that *way* at *now*, or None when it may. Its peer is another question."""
    if not principal.enabled:
        return "disabled"
    if principal.expires_at is not None and principal.expires_at <= now:
        return "expired"
    if principal.account.suspended or (principal.server is not None and principal.server.suspended):
        return "suspended"
    if way == "http":
        return None if TRANSMIT_GRANT in principal.grants else "grant"
    if principal.server is not None and not principal.server.smtp:
        return "smtp_off"
    return None if SEND_GRANT in principal.grants else "grant"


def refuses(principal: Principal, now: float) -> Problem | None:
    """Return why somebody who was let in may no longer send at *now*, or None when all is well."""
    denial = may_send(principal, now)
    if denial is None:
        return None
    facts = {"login": _called(principal), "owner": _suspended(principal)}
    return Problem(_DENIALS[denial], value=SEND_GRANT, facts=facts)


def revoked(principal: Principal) -> Problem:
    """Say that what *principal* logged in with is no longer there, or is another now."""
    return Problem(Reason.LOGIN_REVOKED, facts={"login": _called(principal)})


def allows_peer(principal: Principal, peer_ip: str) -> bool:
    """Whether *principal* may be used from the numeric address *peer_ip*."""
    return not principal.networks or principal.allowed_peers.contains(peer_ip)


def stream_of(principal: Principal, wanted: str | None) -> str | None:
    """Return the id of the stream that mail of *principal* takes: the bound one, else *wanted*, else the default.

    None: its account has no server yet, so that there are no streams.
    """
    chosen = principal.stream or wanted
    if chosen is not None:
        return chosen
    return DEFAULT_STREAM if DEFAULT_STREAM in principal.streams else None


def stream_problem(principal: Principal, wanted: str | None) -> Problem | None:
    """Return what is wrong with *wanted* (the stream that the message names, or None), or None."""
    if principal.stream is not None and wanted not in (None, principal.stream):
        facts = {"login": _called(principal), "bound": principal.stream}
        return Problem(Reason.BOUND_STREAM, value=wanted or "", facts=facts)
    chosen = stream_of(principal, wanted)
    if chosen is None:
        return None
    stream = principal.streams.get(chosen)
    if stream is not None and stream.archived_at is None:
        return None
    reason = Reason.UNKNOWN_STREAM if stream is None else Reason.ARCHIVED_STREAM
    return Problem(reason, value=chosen, facts={"streams": _streams_in_use(principal)})


def options_for(principal: Principal, header: Options) -> Options:
    """Return the options in force: the message's header over login, stream, server and account.

    The stream is that of `stream_of`, and is named in the result; a broadcast stream is bulk mail unless somebody
    says otherwise.
    """
    chosen = stream_of(principal, header.stream)
    stream = principal.streams.get(chosen) if chosen is not None else None
    server = principal.server.options if principal.server is not None else NO_OPTIONS
    return layered(
        Options(stream=chosen) if chosen is not None else NO_OPTIONS,
        header,
        principal.options,
        stream.options if stream is not None else NO_OPTIONS,
        _BROADCAST if stream is not None and stream.kind == "broadcast" else NO_OPTIONS,
        server,
        principal.account.options,
    )


def domain_problem(principal: Principal, author_domain: str) -> Problem | None:
    """Return why mail may not be written in the name of *author_domain* (A-labels), or None when it may."""
    if not principal.needs_verified_domain or author_domain in principal.verified_domains:
        return None
    if not author_domain:
        return Problem(Reason.NO_DOMAIN)
    return Problem(Reason.DOMAIN, value=author_domain, facts={"account": principal.account.name})


def return_path_problem(principal: Principal, domain: str, owners: frozenset[int]) -> Problem | None:
    """Return why bounces may not go to *domain*, or None when they may.

    What an account has verified is its own, with all below it: another's mail does not have its bounces sent there, nor
    pass for its own by SPF. *owners* are the accounts that have verified the domain or one above it.
    """
    if not owners or principal.account.id in owners:
        return None
    return Problem(Reason.RETURN_PATH, value=domain, facts={"account": principal.account.name})


def queue_room(principal: Principal, waiting: WaitingCount, most: WaitingCount) -> WaitingCount:
    """Return how much more of *principal*'s account may wait when *waiting* does. *most* are the node's bounds, 0 none,
    where the account has none of its own.
    """
    limits = principal.account.limits
    recipients = most.recipients if limits.max_queued_recipients is None else limits.max_queued_recipients
    size = most.bytes if limits.max_queued_bytes is None else limits.max_queued_bytes
    return WaitingCount(
        recipients - waiting.recipients if recipients else _ENDLESS,
        size - waiting.bytes if size else _ENDLESS,
    )


def queue_problem(
    principal: Principal, room: WaitingCount, recipients: int, size_bytes: int
) -> Problem | None:
    """Return why there may not be so many recipients more, and bytes, where there is no *room* for them, or None."""
    if recipients <= room.recipients and size_bytes <= room.bytes:
        return None
    what = "recipients" if recipients > room.recipients else "bytes"
    return Problem(Reason.ACCOUNT_QUEUE, field=what, facts={"account": principal.account.name})


_ENDLESS: Final = 1 << 62

_BROADCAST = Options(lane=BULK)

_BY_SMTP: Final = frozenset((SEND_GRANT,))
_GRANTS: Final[Mapping[Kind, frozenset[str]]] = {
    "server_token": frozenset((SEND_GRANT, TRANSMIT_GRANT)),
    "smtp_token": _BY_SMTP,
    "smtp_login": _BY_SMTP,
}
"""What credentials may do that are given no grants."""

_CALLED: dict[Kind, str] = {
    "api_key": "API key",
    "server_token": "server token",
    "smtp_token": "SMTP token",
    "smtp_login": "login",
    "person": "person",
}


def _name(credential: Credential) -> str:
    called = f"{_CALLED[credential.kind]} {credential.id}"
    return f'{called} "{credential.label}"' if credential.label else called


def _called(principal: Principal) -> str:
    return f"this {_CALLED[principal.kind]}" if principal.kind != "person" else "this password"


def _suspended(principal: Principal) -> str:
    """Return who is suspended, where somebody is."""
    if not principal.account.suspended and principal.server is not None:
        return f"server {principal.server.name}"
    return f"account {principal.account.name}"


_DENIALS: dict[Denial, Reason] = {
    "disabled": Reason.LOGIN_DISABLED,
    "expired": Reason.LOGIN_EXPIRED,
    "suspended": Reason.LOGIN_SUSPENDED,
    "smtp_off": Reason.LOGIN_SMTP_OFF,
    "grant": Reason.LOGIN_GRANT,
}


def _streams_in_use(principal: Principal) -> list[str]:
    return sorted(id for id, stream in principal.streams.items() if stream.archived_at is None)


def _limits(principal: Principal) -> tuple[Limits, ...]:
    if principal.server is None:
        return (principal.account.limits,)
    return principal.account.limits, principal.server.limits


def _least(values: Iterable[int | None]) -> int | None:
    return min((value for value in values if value is not None), default=None)
