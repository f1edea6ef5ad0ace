"""Who may send, as values: what the store keeps of accounts, servers, streams, people, credentials and domains.

No secret stands in any of them. Times are seconds of Unix time; None means never, or not set.
"""

from typing import Annotated, Final, Literal, get_args

import msgspec

from angarium.core.options import NO_OPTIONS, Options
from angarium.identity import checks
from angarium.identity.fields import About
from angarium.identity.limits import NO_LIMITS, OF_ACCOUNTS, Limits, check_limits, check_server_limits
from angarium.identity.roles import NO_ROLE, ROLES

Kind = Literal["api_key", "server_token", "smtp_token", "smtp_login", "person"]
"""What somebody shows to be let in."""

StreamKind = Literal["transactional", "broadcast"]
DeliveryType = Literal["live", "sandbox"]
ServerColor = Literal["purple", "blue", "turquoise", "green", "red", "yellow", "grey", "orange"]
COLORS: Final[tuple[ServerColor, ...]] = get_args(ServerColor)
Algorithm = Literal["rsa", "ed25519"]
KeyState = Literal["pending", "active", "retired"]
"""Of a signing key: published in the DNS or not yet, signing, or only still published after a rotation."""

DEFAULT_STREAMS: Final[dict[str, StreamKind]] = {"outbound": "transactional", "broadcast": "broadcast"}
"""The streams of a new server. They cannot be archived."""

SEND_GRANT = "smtp/inject"
TRANSMIT_GRANT = "transmissions/modify"
"""What is needed to send by SMTP, and by HTTP."""

_MADE_AT: Final = About(help="When it was made.")

ROLE_CHECK: Final = checks.one_of(*ROLES)
"""What a role has to be."""


class Account(msgspec.Struct, frozen=True):
    """One customer. Suspended: nothing of it can log in or send; what is queued goes on."""

    id: Annotated[int, About(help="Its number.")]
    name: Annotated[
        str,
        About(help="What people call it.", check=checks.name, new="", change="A new name.", unique=True),
    ]
    created_at: Annotated[float, _MADE_AT]
    suspended: Annotated[
        bool,
        About(
            help="Whether all its logins and sending are stopped; what is queued goes on.",
            check=checks.flag,
            change="",
        ),
    ] = False
    limits: Annotated[
        Limits, About(help="What it may do, and have, at most.", check=check_limits, new=True, change=True)
    ] = NO_LIMITS
    options: Annotated[
        Options, About(help="Options for all its messages.", check=checks.options, new=True, change=True)
    ] = NO_OPTIONS
    zone: Annotated[
        str,
        About(
            help="Whose days and hours its reports and the dates of its searches are by, as Europe/Amsterdam.",
            check=checks.zone,
            new=True,
            change=True,
            longest=64,
            added=True,
        ),
    ] = "UTC"


class Server(msgspec.Struct, frozen=True):
    """One application's sending: what tokens, streams and logins belong to.

    *smtp* False keeps it from being used by SMTP. *on_error* says what becomes of mail whose options are wrong: it is
    taken and reported as failed ("accept"), refused at the end of DATA ("refuse"), or whichever the vendor of the
    dialect does ("vendor"). Mail of one with the *delivery_type* sandbox is delivered nowhere; that is so from the
    beginning.
    """

    id: Annotated[int, About(help="Its number.")]
    account: Annotated[int, About(help="The account that it belongs to.", owner="accounts")]
    name: Annotated[str, About(help="What people call it.", check=checks.name, new="", change="A new name.")]
    created_at: Annotated[float, _MADE_AT]
    suspended: Annotated[
        bool,
        About(help="Whether all its tokens and logins are stopped.", check=checks.flag, change=""),
    ] = False
    smtp: Annotated[
        bool, About(help="Whether it may be used by SMTP.", check=checks.flag, new=True, change=True)
    ] = True
    on_error: Annotated[
        Literal["vendor", "accept", "refuse"],
        About(
            help="What becomes of mail whose options are wrong: as the vendor does, taken, or refused.",
            check=checks.one_of("vendor", "accept", "refuse"),
            new=True,
            change=True,
            longest=10,
        ),
    ] = "vendor"
    delivery_type: Annotated[
        DeliveryType,
        About(
            help="Whether its mail is delivered; that of a sandbox is not, and ends as if it were.",
            check=checks.one_of("live", "sandbox"),
            new=True,
            longest=10,
            added=True,
        ),
    ] = "live"
    color: Annotated[
        ServerColor,
        About(
            help="The colour that it is shown in.",
            check=checks.one_of(*COLORS),
            new=True,
            change=True,
            longest=20,
            added=True,
        ),
    ] = "blue"
    limits: Annotated[
        Limits,
        About(
            help="What it may do at most, of what its account may.",
            check=check_server_limits,
            new=True,
            change=True,
            without=OF_ACCOUNTS,
        ),
    ] = NO_LIMITS
    options: Annotated[
        Options, About(help="Options for its messages.", check=checks.options, new=True, change=True)
    ] = NO_OPTIONS


class Stream(msgspec.Struct, frozen=True):
    """A message stream of a server, named by *id* (≤ 30 of a–z, 0–9, `-`, `_`; begins with a letter)."""

    id: Annotated[str, About(help="What messages name it by.", check=checks.stream_id, new="", longest=30)]
    server: Annotated[int, About(help="The server that it belongs to.", owner="servers")]
    name: Annotated[
        str,
        About(
            help="What people call it.",
            check=checks.name,
            new="A name for people.  [default: its id]",
            change="A new name.",
        ),
    ]
    kind: Annotated[
        StreamKind,
        About(
            help="What mail it is for.",
            check=checks.one_of("transactional", "broadcast"),
            new=True,
            longest=20,
        ),
    ]
    created_at: Annotated[float, _MADE_AT]
    description: Annotated[
        str,
        About(help="What it is for.", check=checks.description, new=True, change=True, longest=None),
    ] = ""
    archived_at: Annotated[float | None, About(help="When it was archived; mail for it is refused.")] = None
    options: Annotated[
        Options, About(help="Options for its messages.", check=checks.options, new=True, change=True)
    ] = NO_OPTIONS
    unsubscribe: Annotated[
        Literal["node", "sender"],
        About(
            help="Who gives broadcast mail its way out: the node, or the sender himself.",
            check=checks.one_of("node", "sender"),
            new=True,
            change=True,
            longest=10,
            added=True,
        ),
    ] = "node"
    footer: Annotated[
        str,
        About(
            help="What ends broadcast mail without a place for the link, which goes where `{{{ pm:unsubscribe }}}` is.",
            check=checks.footer,
            new=True,
            change=True,
            longest=None,
            added=True,
        ),
    ] = ""


class Person(msgspec.Struct, frozen=True):
    """Somebody with an e-mail address and a password, who belongs to one account."""

    id: Annotated[int, About(help="Their number.")]
    account: Annotated[int, About(help="The account that they belong to.", owner="accounts")]
    email: Annotated[
        str,
        About(
            help="What they log in with.",
            check=checks.email,
            new="",
            change="A new e-mail address.",
            longest=320,
            unique=True,
        ),
    ]
    name: Annotated[
        str, About(help="What they are called.", check=checks.text, new=True, change="A new name.")
    ]
    created_at: Annotated[float, About(help="When they were made.")]
    enabled: Annotated[bool, About(help="Whether they may log in.", check=checks.flag, change="")] = True
    last_used_at: Annotated[float | None, About(help="When they logged in last, by the minute.")] = None
    role: Annotated[
        str,
        About(
            help="What they may do on the pages: " + ", ".join(ROLES) + ".",
            check=ROLE_CHECK,
            new=True,
            change=True,
            longest=20,
            added=True,
        ),
    ] = NO_ROLE


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

    *return_path* is the name under it that bounces come back to, `bounces.example.com`. *return_path_seen_at* is when
    it was last found in the DNS to lead here; None: it does not. *tracking* is the name under it that readers' programs
    come by, `clicks.example.com`; *tracking_https*: by HTTPS, so that who answers there has a certificate for it.
    """

    id: int
    account: int
    name: str
    created_at: float
    enabled: bool = True
    verified_at: float | None = None
    checked_at: float | None = None
    return_path: str = ""
    return_path_seen_at: float | None = None
    tracking: str = ""
    tracking_https: bool = True
    tracking_seen_at: float | None = None
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
