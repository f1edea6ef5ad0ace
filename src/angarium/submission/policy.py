"""What a listener decides about a session, a recipient and a message. Pure: facts in, a reply or a value out."""

from dataclasses import dataclass

from angarium.config.records import InboundOptions
from angarium.core.records import BULK, TRANSACTIONAL, Lane
from angarium.core.reply import Reply
from angarium.core.submission import EntrancePolicy, Problem, Reason
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
TOO_MUCH_UNFINISHED = Reply(
    452,
    "4.3.1",
    "too many bytes of unfinished messages from your address; finish some first, or try again later",
)
FAULTY = Reply(421, "4.3.0", "a fault of this server ended the session; connect again")

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


@dataclass(frozen=True, slots=True)
class Relay:
    """Whether mail may pass, by who the peer is (for the whole session) and by who the sender is (for one mail).

    *is_known*: the operator has named the peer. One that only comes in by `Open_Relay` is not known.
    """

    options: InboundOptions
    peer_may: bool
    is_known: bool

    @classmethod
    def of_peer(cls, options: InboundOptions, peer_ip: str, is_verified: bool = False) -> "Relay":
        """Judge the peer. A Unix socket has an empty *peer_ip*: a program that may open it counts as a relay host.

        *is_verified*: it has shown a client certificate that is believed.
        """
        counts = is_verified and options.tls_verified_peer_can_relay
        is_known = counts or not peer_ip or options.relay_hosts.contains(peer_ip)
        return cls(options, is_known or options.open_relay, is_known)

    def may_pass(self, sender_domain: str, recipient_domain: str) -> bool:
        """Whether mail for *recipient_domain* is passed on; what this node reads itself is asked for before."""
        if self.peer_may or self.options.relay_domains.contains(recipient_domain):
            return True
        return bool(sender_domain) and self.options.relay_for_sending_domains.contains(sender_domain)


def xclient_names(options: InboundOptions, peer_ip: str) -> tuple[str, ...]:
    """Return what the peer may say by XCLIENT of the client it speaks for; most peers may say nothing.

    The client that is introduced so is judged anew.
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


def literal_problem(takes_literals: bool | None, domain: str, has_login: bool) -> Problem | None:
    """Return what is wrong with a recipient's *domain* that is an address, in brackets or bare, or None."""
    if not domain.endswith("]") and not domain.rpartition(".")[2].isdigit():
        return None
    is_taken = takes_literals or (takes_literals is None and not has_login)
    return None if is_taken else Problem(Reason.LITERAL, value=domain)


def entrance_policy(options: InboundOptions) -> EntrancePolicy:
    """Return what a listener's options say of every message."""
    return EntrancePolicy(
        hostname=options.received_hostname,
        max_header_size=options.max_header_size,
        max_received_headers=options.max_received_headers,
        takes_literals=options.allow_ip_literal,
        adds_received=options.rfc2822_trace_headers,
        adds_date=options.rfc2822_date_header == "ifneeded",
        adds_message_id=options.rfc2822_messageid_header == "ifneeded",
        mends_lines=options.rfc2822_max_line_length == "fix",
        lane=options.lane,
        heeds_priority=options.priority_header,
    )


def lane_of(policy: EntrancePolicy, priority: str, otherwise: Lane | None = None) -> Lane:
    """Return the lane that a `Priority` header field's value asks for, else *otherwise*, else the entrance's."""
    fallback = policy.lane if otherwise is None else otherwise
    return _LANES.get(priority.strip().lower(), fallback) if policy.heeds_priority else fallback


def is_too_large(header: HeaderBlock, most_octets: int) -> bool:
    """Whether a header block is beyond the bound, or of so many lines that looking at each would take long."""
    return header.size > most_octets or (
        header.size > MOST_HEADER_LINES and header.raw.count(b"\n") > MOST_HEADER_LINES
    )


def storage_problem(error: SpoolError) -> Problem:
    """Return why the spool could not take a message: whether room is what is lacking."""
    return Problem(Reason.STORAGE_FULL if isinstance(error, SpoolFull) else Reason.STORAGE)
