"""The options for mail on its way in."""

from angarium.config import kinds as k
from angarium.config.options import (
    LISTENERS,
    LISTENERS_ONLY,
    SMTP_SOCKETS,
    SOCKETS,
    I,
    NoLimit,
    Option,
    ScopeKind,
)
from angarium.config.records import InboundOptions
from angarium.core.records import BULK, TRANSACTIONAL

_EXTENSIONS = k.words(
    InboundOptions().smtp_extensions,
    ("XREMOTEIP", "XSETCONTEXT", "XDUMPCONTEXT"),
    also=frozenset(("XCLIENT",)),
)
_MECHANISMS = k.words(InboundOptions().auth_mechanisms, ("XOAUTH2", "NTLM", "GSSAPI"))
_LONG_LINES = k.with_number(
    k.enum("ignore", "fix", "reject", aliases={"pedantic": "reject", "none": "ignore"}), "Max_Line_Length"
)
_IF_NEEDED = k.enum("ifneeded", "no", not_yet=("pedantic",), aliases={"ignore": "no"})
_LONE = k.enum("auto", "pedantic", "fix", "ignore", aliases={"reject": "pedantic"})


def _row(
    name: str,
    kind: k.Kind,
    unit: str,
    sentence: str,
    minimum: int | None = None,
    maximum: int | None = None,
    scopes: tuple[ScopeKind, ...] = I,
    no_limit: NoLimit | None = None,
) -> Option:
    return Option(name, "inbound", scopes, kind, unit, sentence, minimum, maximum, no_limit=no_limit)


def _count(
    name: str,
    unit: str,
    sentence: str,
    minimum: int = 0,
    maximum: int = 10**9,
    no_limit: NoLimit | None = None,
) -> Option:
    return _row(name, k.INT, unit, sentence, minimum, maximum, no_limit=no_limit)


def _size(
    name: str, sentence: str, minimum: int = 0, maximum: int = 1 << 40, no_limit: NoLimit | None = None
) -> Option:
    return _row(name, k.SIZE, "bytes", sentence, minimum, maximum, no_limit=no_limit)


def _time(
    name: str, sentence: str, minimum: int = 0, maximum: int = 10**8, no_limit: NoLimit | None = None
) -> Option:
    return _row(name, k.SECONDS, "s", sentence, minimum, maximum, no_limit=no_limit)


_WHO = (
    _row(
        "Relay_Hosts",
        k.CIDRS,
        "",
        "Peers that may send to any domain; a list replaces the one of a wider scope (Momentum: nobody).",
    ),
    _row("Relay_Domains", k.DOMAINS, "", "Recipient domains that any peer may send to."),
    _row(
        "Relay_For_Sending_Domains",
        k.SENDERS,
        "",
        "Sender domains that may send to any domain; anybody can claim one, so use it inside `Peer`.",
        scopes=LISTENERS,
    ),
    _row(
        "Open_Relay",
        k.BOOL,
        "",
        "Whether every peer may send to any domain; meant for use inside `Peer`.",
        scopes=LISTENERS,
    ),
    _row(
        "Lane",
        k.mapped(transactional=TRANSACTIONAL, bulk=BULK),
        "",
        "Lane of mail that does not choose one itself; transactional mail never waits for bulk mail.",
    ),
    _row(
        "Priority_Header",
        k.BOOL,
        "",
        "Whether a `Priority` header field chooses the lane: `urgent` or `normal` transactional, "
        "`non-urgent` bulk.",
    ),
)

_AUTH = (
    _row(
        "Require_Authentication",
        k.BOOL,
        "",
        "Whether only authenticated sessions may send, whatever Relay_Hosts and the like say.",
    ),
    _row("Auth_Mechanisms", _MECHANISMS, "", "Ways to log in that are offered by AUTH."),
    _row(
        "Auth_Without_TLS",
        k.BOOL,
        "",
        "Whether PLAIN and LOGIN, which show the password, are taken without encryption.",
    ),
    _row(
        "Auth_Challenges_Beside_Passwords",
        k.BOOL,
        "",
        "Whether CRAM-MD5 and DIGEST-MD5 are named where PLAIN or LOGIN is too: many programs try them first, and "
        "give up when the login's secret is not kept; unnamed they are taken all the same.",
    ),
    _time(
        "Auth_Failure_Delay",
        "How long the answer to a failed login is held back; doubled by each further one, up to 30.",
        0,
        30,
    ),
    _count(
        "Auth_Failures_To_Block",
        "failures",
        "Failed logins of one peer after which it is blocked, and for one name after which further ones wait; "
        "0 = never.",
        no_limit=NoLimit(0),
    ),
    _time("Auth_Block_Time", "How long the peer stays blocked.", 1, 86_400),
    _row(
        "XCLIENT_Hosts",
        k.CIDRS,
        "",
        "Peers that are believed when they say by XCLIENT whom they speak for; it is offered to no other.",
    ),
    _row(
        "XCLIENT_Login_Hosts",
        k.CIDRS,
        "",
        "Those of XCLIENT_Hosts that are believed about LOGIN, too: they may send as every login there is.",
    ),
)

_TLS = (
    _row(
        "TLS_Certificate",
        k.PATHS,
        "",
        "Certificate chains in PEM; the one is shown whose name the client asks for, else the first "
        "(default: one made at the first start, signed by itself).",
        scopes=LISTENERS_ONLY,
    ),
    _row(
        "TLS_Key",
        k.PATHS,
        "",
        "Their private keys in the same order; needless where the certificate's file holds it.",
        scopes=LISTENERS_ONLY,
    ),
    _row(
        "TLS_Client_CA",
        k.OPTIONAL_PATH,
        "",
        "Authorities whose client certificates are believed.",
        scopes=LISTENERS_ONLY,
    ),
    _row(
        "TLS_Verify_Mode",
        k.enum("none", "request", "require"),
        "",
        "Whether clients are asked for a certificate, or must show a good one.",
        scopes=LISTENERS_ONLY,
    ),
    _row(
        "TLS_Verified_Peer_Can_Relay",
        k.BOOL,
        "",
        "Whether a peer with a good certificate may send to any domain.",
        scopes=LISTENERS,
    ),
    _row("TLS_Protocols", k.PROTOCOLS, "", "Versions of TLS that are spoken.", scopes=LISTENERS_ONLY),
    _row("TLS_Ciphers", k.TEXT, "", "Ciphers up to TLS 1.2, as OpenSSL writes them.", scopes=LISTENERS_ONLY),
    _row("TLS_Timeout", k.SECONDS, "s", "Wait for the handshake.", 1, 600, LISTENERS_ONLY),
    _row(
        "Starttls_Injection_Policy",
        k.enum(
            "reject",
            "discard",
            aliases={"ignore": "discard"},
            refused={"allow": "would take as encrypted what anybody on the way can add (CVE-2011-0411)"},
        ),
        "",
        "What becomes of a session that sends more behind STARTTLS before the handshake: it ends, or "
        "what was sent is thrown away.",
    ),
)

_PROTOCOL = (
    _row("SMTP_Extensions", _EXTENSIONS, "", "Extensions that are offered in the reply to EHLO."),
    _row(
        "Banner_Hostname",
        k.OWN_NAME,
        "",
        "Name in the greeting and in the reply to EHLO (default: Hostname).",
    ),
    _row("Static_Banner", k.BANNER, "", "Text of the greeting behind 220 and the host name."),
    _row("Received_Hostname", k.OWN_NAME, "", "Own name in Received lines (default: Hostname)."),
    _row("Require_EHLO", k.BOOL, "", "Whether EHLO or HELO must come before MAIL (Momentum: no)."),
    _row(
        "Allow_Null_Envelope_Sender",
        k.BOOL,
        "",
        "Whether `MAIL FROM:<>` is taken; without it bounces are lost.",
    ),
    _row(
        "Allow_IP_Literal",
        k.BOOL_OR_WITHOUT_LOGIN,
        "",
        "Whether recipient domains may be addresses, `[192.0.2.1]`; `without_login`: not for those who have logged in.",
    ),
    _row(
        "Refuse_Suppressed",
        k.BOOL,
        "",
        "Whether a recipient is refused at RCPT who would not get mail of the login, since they are suppressed; else "
        "they are taken, and end as suppressed.",
    ),
    _row(
        "RFC2821_Pedantic_Address_Rules",
        k.BOOL,
        "",
        "Whether addresses and EHLO names must be as RFC 5321 has them; else what Postfix takes is taken, and "
        "mended: no angle brackets, `a..b@`, long local parts, `_` in domains (Momentum: yes).",
    ),
    _row(
        "Strict_Pipelining",
        k.BOOL,
        "",
        "Whether a peer that sends on where RFC 2920 makes it wait is refused.",
    ),
    _row("Refuse_Early_Talkers", k.BOOL, "", "Whether a peer that talks before the greeting is refused."),
    _time("Banner_Delay", "How long the greeting is held back, to see who talks early.", 0, 30),
)

_TIME = (
    _time(
        "Idle_Time",
        "Wait for the next command (Momentum: 0, for ever).",
        1,
        no_limit=NoLimit(10**8),
    ),
    _time(
        "First_Command_Time",
        "Wait for the first EHLO or HELO, from the greeting on.",
        1,
        no_limit=NoLimit(10**8),
    ),
    _time(
        "Data_Idle_Time",
        "Wait for the next piece of a message.",
        1,
        no_limit=NoLimit(10**8),
    ),
    _time(
        "Reception_Time",
        "How long one message may take to come in; 0 = no limit.",
        no_limit=NoLimit(0),
    ),
    _time(
        "Session_Time",
        "How long one session may last; it ends between messages; 0 = no limit.",
        no_limit=NoLimit(0),
    ),
    _count(
        "Min_Data_Rate",
        "bytes/s",
        "Average rate that a message must come in with; 0 = no minimum.",
        0,
        10**9,
        no_limit=NoLimit(0),
    ),
    _time("Min_Data_Rate_Grace", "How long a message may come in before its rate counts.", 1),
)

_LIMITS = (
    _count(
        "Listener_Sessions",
        "sessions",
        "Sessions at a time in all of the scope that sets it, inside `Peer` in that range; 0 = no limit "
        "(Momentum's default).",
        no_limit=NoLimit(0),
    ),
    _count(
        "Sessions_Per_Peer",
        "sessions",
        "Sessions at a time from one peer: an address, or a network of Peer_IPv6_Prefix; 0 = no limit.",
        no_limit=NoLimit(0),
    ),
    _count(
        "Peer_IPv4_Prefix",
        "bits",
        "Leading bits of an IPv4 address that make one peer, for what is counted by peer and for failed logins.",
        8,
        32,
    ),
    _count(
        "Peer_IPv6_Prefix",
        "bits",
        "Leading bits of an IPv6 address that make one peer; a /64 is one customer's, who may use all of it.",
        16,
        128,
    ),
    _size(
        "Unfinished_Bytes_Per_Peer",
        "What all messages of one peer may have together that have not come to their end; one beyond is put off; 0 "
        "= no limit.",
        no_limit=NoLimit(0),
    ),
    _size(
        "Max_Message_Size",
        "Largest message, told by SIZE; 0 = no limit (Momentum's default).",
        no_limit=NoLimit(0),
    ),
    _size("Max_Header_Size", "Largest header block.", 1024, 1 << 26),
    _size("Max_Command_Length", "Longest command line, with its CRLF.", 512, 65_536),
    _size(
        "Max_Line_Length",
        "Longest line of a message, without its CRLF; 0 = no limit.",
        no_limit=NoLimit(0),
    ),
    _count(
        "Max_Recipients_Per_Message",
        "recipients",
        "Recipients in one transaction; RFC 5321 §4.5.3.1.8 asks for 100 (Momentum: no limit).",
        1,
        no_limit=NoLimit(10**9),
    ),
    _row(
        "Max_Recipients_Per_Connection",
        k.INT,
        "recipients",
        "Recipients in one session; 0 = no limit.",
        0,
        10**9,
        LISTENERS,
        no_limit=NoLimit(0),
    ),
    _count(
        "Max_Receptions_Per_Connection",
        "messages",
        "Messages in one session; 0 = no limit (Momentum's default).",
        no_limit=NoLimit(0),
    ),
    _count(
        "Max_Errors_Per_Connection",
        "errors",
        "Refused commands in one session; 0 = no limit.",
        no_limit=NoLimit(0),
    ),
    _count(
        "Max_Received_Headers", "lines", "Received lines after which a message counts as looping.", 1, 1000
    ),
)

_TEXT = (
    _row(
        "RFC2822_Lone_LF_In_Headers",
        _LONE,
        "",
        "LF without CR in the header block: refuse the message (`pedantic`), make it CRLF, or let it pass; `auto` "
        "makes it CRLF after a login and in BDAT, and refuses it else. Commands may end so unless it is refused, "
        "with `auto` up to the first message (Momentum: pedantic).",
    ),
    _row(
        "RFC2822_Lone_LF_In_Body",
        _LONE,
        "",
        "The same in the body, and CR without LF anywhere; it never ends a message, whatever is chosen (Momentum: "
        "ignore).",
    ),
    _row(
        "RFC2822_Max_Line_Length",
        _LONG_LINES,
        "",
        "Lines beyond the 998 bytes of RFC 5322 §2.1.1: let them pass up to Max_Line_Length; let them pass, but encode "
        "the parts that have them anew in mail that this node signs; or refuse the message (Momentum: ignore).",
    ),
    _row(
        "RFC2822_Date_Header",
        _IF_NEEDED,
        "",
        "Whether a missing Date is added to mail of relay hosts.",
    ),
    _row(
        "RFC2822_MessageID_Header",
        _IF_NEEDED,
        "",
        "Whether a missing Message-ID is added to mail of relay hosts.",
    ),
    _row("RFC2822_Trace_Headers", k.BOOL, "", "Whether a Received line is added."),
)


def _socket(
    name: str, kind: k.Kind, unit: str, sentence: str, minimum: int | None = None, maximum: int | None = None
) -> Option:
    return Option(name, "listen", SOCKETS, kind, unit, sentence, minimum, maximum)


def _smtp_socket(
    name: str, kind: k.Kind, unit: str, sentence: str, minimum: int | None = None, maximum: int | None = None
) -> Option:
    return Option(name, "listen", SMTP_SOCKETS, kind, unit, sentence, minimum, maximum)


_SOCKETS = (
    _socket("Enable", k.BOOL, "", "Whether the listener or socket is in use."),
    _socket("Listen_Backlog", k.INT, "connections", "Connections that wait to be taken.", 1, 65_535),
    _socket("File_Mode", k.PERMS, "", "Permissions of a Unix socket."),
    _smtp_socket("Use_SSL", k.BOOL, "", "Whether TLS begins with the first byte, as usual on port 465."),
    _smtp_socket(
        "Proxy_Protocol",
        k.BOOL,
        "",
        "Whether each connection begins with a PROXY header (version 1 or 2) that names the client.",
    ),
    _smtp_socket("Proxy_Protocol_Timeout", k.SECONDS, "s", "Wait for that header.", 1, 600),
    _smtp_socket("Proxy_Hosts", k.CIDRS, "", "Proxies that are believed; others are turned away."),
)

ROWS: tuple[Option, ...] = (*_WHO, *_AUTH, *_TLS, *_PROTOCOL, *_TIME, *_LIMITS, *_TEXT, *_SOCKETS)
