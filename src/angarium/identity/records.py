"""Who may send, as values: what the store keeps of accounts, servers, streams, people, credentials and domains.

No secret stands in any of them. Times are seconds of Unix time; None means never, or not set.
"""

from typing import Final, Literal

import msgspec

from angarium.core.options import NO_OPTIONS, Options

Kind = Literal["api_key", "server_token", "smtp_token", "smtp_login", "person"]
"""What somebody shows to be let in."""

StreamKind = Literal["transactional", "broadcast"]
Algorithm = Literal["rsa", "ed25519"]
KeyState = Literal["pending", "active", "retired"]
"""Of a signing key: published in the DNS or not yet, signing, or only still published after a rotation."""

DEFAULT_STREAMS: Final[dict[str, StreamKind]] = {"outbound": "transactional", "broadcast": "broadcast"}
"""The streams of a new server. They cannot be archived."""

SEND_GRANT = "smtp/inject"


MAX_DOMAINS: Final = 1_000
"""Domains that an account may have unless its limits say otherwise; each has keys and is looked up in the DNS daily."""
MAX_KEYS: Final = 10_000
"""Keys, tokens and logins that an account may have unless its limits say otherwise."""


class Rate(msgspec.Struct, frozen=True):
    """At most *count* recipients in each window of *seconds*."""

    count: int
    seconds: int


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an account or a server may do at most. None: no limit of its own.

    *rate* and *daily_quota* count recipients; the day is that of UTC. *max_message_size* in bytes. *sender_domains*:
    "any", or "verified": the domain of the author (the From field) must be one of the account's verified domains.
    None on a server leaves it to the account, None on an account means "any"; a new account has "verified" unless it
    is the first.

    The rest is the account's alone. *max_queued_recipients* and *max_queued_bytes* bound what waits of it, None: as the
    node's options say. *max_domains* and *max_keys* (keys, tokens and logins together) bound what it may make, None:
    MAX_DOMAINS and MAX_KEYS.
    """

    rate: Rate | None = None
    daily_quota: int | None = None
    max_recipients: int | None = None
    max_message_size: int | None = None
    sender_domains: Literal["any", "verified"] | None = None
    max_queued_recipients: int | None = None
    max_queued_bytes: int | None = None
    max_domains: int | None = None
    max_keys: int | None = None


NO_LIMITS = Limits()


class Account(msgspec.Struct, frozen=True):
    """One customer. Suspended: nothing of it can log in or send; what is queued goes on."""

    id: int
    name: str
    created_at: float
    suspended: bool = False
    limits: Limits = NO_LIMITS
    options: Options = NO_OPTIONS


class Server(msgspec.Struct, frozen=True):
    """One application's sending: what tokens, streams and logins belong to.

    *smtp* False keeps it from being used by SMTP. *on_error* says what becomes of mail whose options are wrong: it is
    taken and reported as failed ("accept"), refused at the end of DATA ("refuse"), or whichever the vendor of the
    dialect does ("vendor").
    """

    id: int
    account: int
    name: str
    created_at: float
    suspended: bool = False
    smtp: bool = True
    on_error: Literal["vendor", "accept", "refuse"] = "vendor"
    limits: Limits = NO_LIMITS
    options: Options = NO_OPTIONS


class Stream(msgspec.Struct, frozen=True):
    """A message stream of a server, named by *id* (≤ 30 of a–z, 0–9, `-`, `_`; begins with a letter)."""

    id: str
    server: int
    name: str
    kind: StreamKind
    created_at: float
    description: str = ""
    archived_at: float | None = None
    options: Options = NO_OPTIONS


class Person(msgspec.Struct, frozen=True):
    """Somebody with an e-mail address and a password, who belongs to one account."""

    id: int
    account: int
    email: str
    name: str
    created_at: float
    enabled: bool = True
    last_used_at: float | None = None


class Credential(msgspec.Struct, frozen=True):
    """An API key, server token, SMTP token or SMTP login, without its secret.

    *username* is what is given beside the secret: the access key of an SMTP token, the generated name of an SMTP
    login; empty for keys and tokens, which are their own name. *short* are the first four characters of the secret of
    keys and tokens. *server* None (API keys only): the account's first server. *stream* binds to one stream. *grants*
    are those of `identity.grants`, for API keys. *networks* (CIDR) are the peers it may be used from; empty: any.
    *challenge*: may be used with CRAM-MD5 and DIGEST-MD5, for which its secret is kept encrypted.
    """

    id: int
    kind: Kind
    account: int
    label: str
    created_at: float
    server: int | None = None
    stream: str | None = None
    username: str = ""
    short: str = ""
    grants: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    options: Options = NO_OPTIONS
    challenge: bool = False
    enabled: bool = True
    expires_at: float | None = None
    last_used_at: float | None = None


class DomainKey(msgspec.Struct, frozen=True):
    """A signing key of a domain, without its private half. *public* is the base64 text of the DNS record's `p=`.

    *verified_at* is when its record was last seen in the DNS as it should be.
    """

    id: int
    domain: int
    selector: str
    algorithm: Algorithm
    public: str
    state: KeyState
    created_at: float
    verified_at: float | None = None
    retired_at: float | None = None


class Domain(msgspec.Struct, frozen=True):
    """A sending domain of an account, in lower-case A-labels. Verified: at least one of its keys was found in the DNS.

    *return_path* is the name under it that bounces come back to, `bounces.example.com`.
    """

    id: int
    account: int
    name: str
    created_at: float
    enabled: bool = True
    verified_at: float | None = None
    checked_at: float | None = None
    return_path: str = ""
    keys: tuple[DomainKey, ...] = ()


class Change(msgspec.Struct, frozen=True):
    """One entry of the audit log. *actor* names who did it (`cli:root`, `key:12 "deploy"`), *what* the thing changed
    (`login 7`), *details* the fields before and after, never a secret.
    """

    id: int
    at: float
    actor: str
    action: str
    what: str
    account: int | None
    details: dict[str, object]
