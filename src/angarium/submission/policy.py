"""What a listener decides about a session, a recipient and a message. Pure: facts in, a reply or a value out."""

from collections.abc import Container
from dataclasses import dataclass
from typing import Literal

from angarium.config.records import InboundOptions
from angarium.core.records import BULK, TRANSACTIONAL, Lane
from angarium.core.reply import Reply
from angarium.mime.header import HeaderBlock
from angarium.smtp.server.options import XCLIENT_NAMES
from angarium.spool.port import SpoolError, SpoolFull

RELAYING_DENIED = Reply(
    550,
    "5.7.1",
    "relaying denied: log in first (STARTTLS, then AUTH), or send from an address in Relay_Hosts",
)
AUTHENTICATION_REQUIRED = Reply(
    530, "5.7.0", "authentication required: say STARTTLS, then AUTH with a login of this service"
)
TLS_READY = Reply(220, "2.0.0", "ready for the TLS handshake")
NO_TLS_NOW = Reply(454, "4.7.0", "TLS is not available at the moment; try again later")
TOO_MANY_SESSIONS = Reply(421, "4.4.5", "too many sessions; try again later")
TOO_MANY_OF_PEER = Reply(421, "4.4.5", "too many sessions from your address; close some or try again later")
SHUTTING_DOWN = Reply(421, "4.3.2", "shutting down; try again in a moment")
RECONFIGURED = Reply(421, "4.3.2", "the configuration of this listener has changed; connect again")
ENOUGH_TIME = Reply(421, "4.4.2", "this session has taken too long; connect again")
ENOUGH_RECIPIENTS = Reply(452, "4.5.3", "too many recipients over this connection; connect again")
NO_NULL_SENDER = Reply(550, "5.7.1", "the null sender is not accepted here")
NO_SENDER_DOMAIN = Reply(501, "5.1.7", "the sender's address has no domain: write it as name@example.com")
NO_RECIPIENT_DOMAIN = Reply(
    501, "5.1.3", "the recipient's address has no domain: write it as name@example.com"
)
NO_LITERAL = Reply(
    550, "5.1.3", "address literals are not accepted here (Allow_IP_Literal); use a domain name"
)
TOO_MUCH_UNFINISHED = Reply(
    452,
    "4.3.1",
    "too many bytes of unfinished messages from your address; finish some first, or try again later",
)
LOOP = Reply(554, "5.4.6", "mail loop: too many Received header fields")
HEADER_TOO_LARGE = Reply(552, "5.3.4", "the header is too large")
QUEUE_FULL = Reply(452, "4.3.1", "too many recipients are queued; try again later")
SPOOL_FULL = Reply(452, "4.3.1", "not enough storage; try again later")
SPOOL_FAILED = Reply(451, "4.3.0", "the message could not be stored; try again later")
FAULT = Reply(451, "4.3.0", "a fault of this server kept it from taking the message; try again later")
FAULTY = Reply(421, "4.3.0", "a fault of this server ended the session; connect again")
UNCOUNTED = Reply(451, "4.3.0", "the recipients could not be counted; try again in a moment")
OUT_OF_MEMORY = Reply(451, "4.3.1", "short of memory; try again later")

MOST_HEADER_LINES = 10_000
"""A header of so many lines is a large one folded at 52 octets, or a malicious one."""

_XCLIENT_NO_LOGIN = tuple(name for name in XCLIENT_NAMES if name != "LOGIN")

_LANES: dict[str, Lane] = {
    "transactional": TRANSACTIONAL,
    "urgent": TRANSACTIONAL,
    "high": TRANSACTIONAL,
    "bulk": BULK,
    "non-urgent": BULK,
    "low": BULK,
    "list": BULK,
}


Place = Literal["relay", "ours", "no"]
"""What an address is to us: mail for it goes on, is for this node to read (*feedback*), or is refused."""


@dataclass(frozen=True, slots=True)
class Relay:
    """Whether mail may pass, by who the peer is (for the whole session) and by who the sender is (for one mail).

    *is_known*: the peer is somebody whom the operator has named. Who only comes in by `Open_Relay` may be anybody.
    """

    options: InboundOptions
    peer_may: bool
    is_known: bool

    @classmethod
    def of_peer(cls, options: InboundOptions, peer_ip: str, is_verified: bool = False) -> "Relay":
        """Judge the peer. A Unix socket has an empty *peer_ip*: whoever may open it is as good as a relay host.

        *is_verified*: it has shown a client certificate that is believed.
        """
        counts = is_verified and options.tls_verified_peer_can_relay
        is_known = counts or not peer_ip or options.relay_hosts.contains(peer_ip)
        return cls(options, is_known or options.open_relay, is_known)

    def place(self, sender_domain: str, recipient_domain: str, ours: Container[str] = ()) -> Place:
        """Return what becomes of mail for *recipient_domain*. *ours* are domains whose mail this node reads, whoever
        sends it. (reference: relaying, any of these.)
        """
        if recipient_domain in ours:
            return "ours"
        if self.peer_may or self.options.relay_domains.contains(recipient_domain):
            return "relay"
        if sender_domain and self.options.relay_for_sending_domains.contains(sender_domain):
            return "relay"
        return "no"


def xclient_names(options: InboundOptions, peer_ip: str) -> tuple[str, ...]:
    """Return what the peer may say by XCLIENT of whom it speaks for; most peers may say nothing.

    Who is introduced by that is somebody else, and is asked about anew.
    """
    if not options.xclient_hosts.contains(peer_ip):
        return ()
    return XCLIENT_NAMES if options.xclient_login_hosts.contains(peer_ip) else _XCLIENT_NO_LOGIN


def refuses_session(options: InboundOptions, sessions: int, sessions_of_peer: int) -> Reply | None:
    """Return the refusal for a session that would be one more of these numbers, or None. A limit of 0 is none."""
    if options.listener_sessions and sessions > options.listener_sessions:
        return TOO_MANY_SESSIONS
    if options.sessions_per_peer and sessions_of_peer > options.sessions_per_peer:
        return TOO_MANY_OF_PEER
    return None


def refuses_growth(options: InboundOptions, size: int, others: int) -> Reply | None:
    """Return the refusal for an unfinished message of *size* bytes beside *others* bytes of its peer, or None.

    A message that is alone is bounded by its own limit. A limit of 0 is none.
    """
    most = options.unfinished_bytes_per_peer
    return TOO_MUCH_UNFINISHED if most and others and size + others > most else None


def refuses_literal(options: InboundOptions, domain: str, has_login: bool) -> Reply | None:
    """Return the refusal of a recipient's *domain* that is an address, in brackets or bare, or None."""
    if not domain.endswith("]") and not domain.rpartition(".")[2].isdigit():
        return None
    allowed = options.allow_ip_literal
    return None if allowed or (allowed is None and not has_login) else NO_LITERAL


def lane_of(options: InboundOptions, priority: str, otherwise: Lane | None = None) -> Lane:
    """Return the lane that a `Priority` header field's value asks for, else *otherwise*, else the listener's."""
    fallback = options.lane if otherwise is None else otherwise
    return _LANES.get(priority.strip().lower(), fallback) if options.priority_header else fallback


def is_too_large(header: HeaderBlock, most_octets: int) -> bool:
    """Whether a header block is beyond the bound, or of so many lines that looking at each would take long."""
    return header.size > most_octets or (
        header.size > MOST_HEADER_LINES and header.raw.count(b"\n") > MOST_HEADER_LINES
    )


def storage_reply(error: SpoolError) -> Reply:
    """Say to the peer that the spool could not take the message, and whether room is what is lacking."""
    return SPOOL_FULL if isinstance(error, SpoolFull) else SPOOL_FAILED
