"""The options for mail on its way out."""

from angarium.config import kinds as k
from angarium.config.options import BINDINGS, DG, HOST, Family, NoLimit, O, Option, ScopeKind

_KEYWORDS = k.words(
    frozenset(("8BITMIME", "AUTH", "CHUNKING", "DSN", "LIMITS", "PIPELINING", "SIZE"))
    | {"SMTPUTF8", "STARTTLS", "XCLIENT"},
    (),
)


def _row(
    name: str,
    kind: k.Kind,
    unit: str,
    sentence: str,
    minimum: int | None = None,
    maximum: int | None = None,
    scopes: tuple[ScopeKind, ...] = O,
    family: Family = "outbound",
    no_limit: NoLimit | None = None,
) -> Option:
    return Option(name, family, scopes, kind, unit, sentence, minimum, maximum, no_limit=no_limit)


def _count(
    name: str,
    unit: str,
    sentence: str,
    minimum: int = 0,
    maximum: int = 10**9,
    no_limit: NoLimit | None = None,
) -> Option:
    return _row(name, k.INT, unit, sentence, minimum, maximum, no_limit=no_limit)


def _time(
    name: str,
    sentence: str,
    minimum: int = 1,
    maximum: int = 10**8,
    no_limit: NoLimit | None = None,
) -> Option:
    return _row(name, k.SECONDS, "s", sentence, minimum, maximum, no_limit=no_limit)


def _port(name: str, sentence: str) -> Option:
    return _row(name, k.INT, "", sentence, 1, 65_535)


_ROUTING = (
    _row(
        "Gateway",
        k.GATEWAY,
        "",
        "Relay that all mail goes to, looked up as MX, then as address; the mail queues under its "
        "name, so limits "
        "belong into the domain stanza of the gateway. `none` cancels an inherited one.",
    ),
    _row(
        "Routes",
        k.ROUTES,
        "",
        "Hosts that take the domain's mail instead of its MX records; `__mx__` stands for those. "
        "Without `pref`, "
        "the order is the preference.",
        scopes=DG,
    ),
    _row(
        "Delivery_Method",
        k.enum(
            "ESMTP",
            "SMTP",
            "LMTP",
            not_yet=("ecstream", "push", "http", "delay_xfer", "apn", "gcm", "mm7", "xmpp"),
        ),
        "",
        "Protocol spoken to the peer; SMTP says HELO at once.",
    ),
    _port("Remote_SMTP_Port", "Port of ESMTP and SMTP, where gateway or route name none."),
    _port("LMTP_Port", "Port of LMTP, where gateway or route name none."),
    _row(
        "Bind_Address",
        k.SOURCE_ADDRESS,
        "",
        "Source address of connections; `*` leaves it to the kernel.",
        scopes=BINDINGS,
    ),
    _row(
        "Bind_Address_Secondary",
        k.SOURCE_ADDRESS,
        "",
        "Source address for the other address family.",
        scopes=BINDINGS,
    ),
    _row(
        "EHLO_Hostname",
        k.OWN_NAME,
        "",
        "Name given in EHLO and LHLO; `__hostname__` is Hostname.",
    ),
    _row(
        "MX_Failures_Fallback_To_A",
        k.MX_FAILURES,
        "failures",
        "After so many failed look-ups of its MX records in a row, a domain's address is tried; 0 = "
        "never, since a "
        "failure says nothing about the MX records (Momentum: 3).",
        0,
        1000,
        DG,
    ),
    _row("Host_Failure_Retry", k.SECONDS, "s", "How long an address rests after it failed.", 0, 86_400, DG),
    _row(
        "MX_Failures_To_Delay",
        k.INT,
        "failures",
        "After so many connection failures in a row the whole domain is delayed; 0 = never.",
        0,
        10**6,
        DG,
        no_limit=NoLimit(0),
    ),
    _time(
        "Connect_Timeout_To_Delay",
        "After so long without any connection the whole domain is delayed; 0 = never.",
        0,
        no_limit=NoLimit(0),
    ),
    _row("Suspend_Delivery", k.BOOL, "", "Whether mail stays queued; it keeps ageing."),
)

_LIMITS = (
    _count(
        "Max_Outbound_Connections",
        "connections",
        "Open connections for each pair of binding and domain.",
        1,
        100_000,
        no_limit=NoLimit(-1, by_zero=False),
    ),
    _row(
        "Scope_Max_Outbound_Connections",
        k.SHARED_LIMIT,
        "connections",
        "Open connections of all that fall back to the stanza that sets it, together.",
        1,
        1_000_000,
    ),
    _row(
        "Server_Max_Outbound_Connections",
        k.INT,
        "connections",
        "Open connections of one binding, to all domains together.",
        1,
        1_000_000,
        ("binding_group", "binding"),
        no_limit=NoLimit(1_000_000, by_zero=False),
    ),
    _row(
        "Outbound_Throttle_Messages",
        k.THROTTLE,
        "messages",
        "Messages per time, in one bucket for all that fall back to the stanza that sets it; 0 cancels.",
    ),
    _row(
        "Outbound_Throttle_Connections",
        k.THROTTLE,
        "connections",
        "New connections per time, in one bucket for all that fall back to the stanza that sets it; "
        "0 cancels.",
    ),
    _count(
        "Max_Deliveries_Per_Connection",
        "messages",
        "After so many messages a connection is ended; 0 = no limit.",
        no_limit=NoLimit(0),
    ),
    _count(
        "Max_Recipients_Per_Connection",
        "recipients",
        "After so many recipients a connection is ended; 0 = no limit.",
        no_limit=NoLimit(0),
    ),
    _count(
        "Max_Recipients_Per_Batch",
        "recipients",
        "Recipients in one transaction.",
        1,
        100_000,
        no_limit=NoLimit(100_000),
    ),
    _count(
        "Max_Resident_Active_Queue",
        "recipients",
        "Recipients of one queue that are kept in memory; the others wait on disk (Momentum: 250).",
        1,
        1_000_000,
        no_limit=NoLimit(1_000_000, by_zero=False),
    ),
)

_RETRY = (
    _time(
        "Retry_Interval",
        "Wait after the first failure; it doubles with each, and is stretched by up to 20 %.",
    ),
    _time("Max_Retry_Interval", "What the wait between tries does not grow beyond."),
    _row(
        "Max_Retries",
        k.RETRIES,
        "tries",
        "After so many tries mail expires, if Message_Expiration does not come first. `auto` and "
        "`none` leave it to "
        "Message_Expiration alone, so that flushing by hand fails no mail early (Momentum: auto "
        "counts tries).",
        0,
        10**6,
    ),
    _time(
        "Message_Expiration",
        "Age at which mail expires; RFC 5321 §4.5.4.1 asks for four to five days (Momentum: 1).",
    ),
    _row("Never_Retry", k.BOOL, "", "Whether a temporary failure is final."),
    _row(
        "Never_Attempt_Expired_Messages",
        k.BOOL,
        "",
        "Whether mail that has expired while it waited goes without a last try.",
    ),
    _row(
        "Ambiguous_Delivery",
        k.enum("retry", "hold"),
        "",
        "When a connection is lost between the final dot and its reply: try again, at the risk of a "
        "duplicate, or "
        "hold the mail for the operator.",
    ),
    _row(
        "Dialogue_Sample",
        k.INT,
        "",
        "Of so many messages that are delivered, what was said by SMTP is kept of one, without login and text; 0: of "
        "none. Of attempts that fail it always is.",
    ),
)

_SESSION = (
    _time("Connect_Timeout", "Wait for a TCP connection (Momentum: 300, which holds up the next host)."),
    _time("Banner_Timeout", "Wait for the greeting."),
    _time("EHLO_Timeout", "Wait for the reply to EHLO, HELO or LHLO."),
    _time("MailFrom_Timeout", "Wait for the reply to MAIL FROM."),
    _time("RcptTo_Timeout", "Wait for the reply to RCPT TO."),
    _time("Data_Timeout", "Wait for the reply to DATA."),
    _time("Data_Block_Timeout", "Wait for the peer to take a further piece of the message."),
    _time(
        "Body_Timeout",
        "Wait for the reply to the final dot; a shorter one makes duplicates (RFC 5321 §4.5.3.2.6).",
    ),
    _time("RSET_Timeout", "Wait for the reply to RSET."),
    _time(
        "QUIT_Timeout",
        "Wait for the reply to QUIT, and for the peer to close: until then the connection counts for its limits.",
    ),
    _time("Idle_Timeout", "How long an idle connection is kept for further mail; 0 = not at all.", 0, 3600),
    _row(
        "Transform_8BitMime_Content",
        k.enum(
            "ifneeded",
            "bounce",
            "no",
            aliases={"strict": "ifneeded"},
            refused={"strip": "would damage what is sent: bits are never stripped here"},
        ),
        "",
        "8-bit mail for a peer without 8BITMIME: encoded anew (bits are never stripped), bounced, or "
        "sent as it is.",
    ),
    _row(
        "Discard_EHLO_Keywords",
        _KEYWORDS,
        "",
        "Extensions that are not used although the peer offers them, where it does not handle them as it should "
        "(Postfix: smtp_discard_ehlo_keywords); what fails by itself is distrusted for an hour anyway.",
    ),
    _row(
        "XCLIENT",
        k.enum("no", "ifavailable", "required"),
        "",
        "Whether the peer is told by XCLIENT whom each message came from; it must trust us.",
    ),
)

_SECURITY = (
    _row(
        "TLS",
        k.enum("no", "ifavailable", "required"),
        "",
        "Whether connections are encrypted by STARTTLS (Momentum: no).",
    ),
    _row(
        "TLS_Ifavailable_Fallback",
        k.BOOL,
        "",
        "With `TLS = ifavailable`: whether mail goes in clear text, on a new connection, after a "
        "handshake failed; otherwise it waits.",
    ),
    _row(
        "TLS_Verify",
        k.enum("no", "ca", "host", "optional"),
        "",
        "What the peer's certificate must prove: nothing, its issuer, its issuer and the host's name; "
        "`optional` writes down whether it does and sends anyway.",
    ),
    _row(
        "TLS_CA", k.OPTIONAL_PATH, "", "File with the authorities that are believed (default: the system's)."
    ),
    _row("TLS_Certificate", k.OPTIONAL_PATH, "", "Certificate chain that is shown to the peer, in PEM."),
    _row("TLS_Key", k.OPTIONAL_PATH, "", "Its private key; may stand in the file of the certificate."),
    _row("TLS_Ciphers", k.TEXT, "", "Ciphers up to TLS 1.2, as OpenSSL writes them."),
    _row("TLS_Protocols", k.PROTOCOLS, "", "Versions of TLS that are spoken."),
    _time("TLS_Timeout", "Wait for the handshake."),
    _row(
        "Outbound_SMTP_AUTH_Type",
        k.enum("none", "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2"),
        "",
        "How we log in to the peer; PLAIN, LOGIN and XOAUTH2 only under TLS.",
    ),
    _row("Outbound_SMTP_AUTH_User", k.TEXT, "", "Name to log in with."),
    _row("Outbound_SMTP_AUTH_Pass", k.SECRET, "", "Password or, for XOAUTH2, access token; never shown."),
    _row(
        "Outbound_SMTP_AUTH_Pass_File",
        k.OPTIONAL_PATH,
        "",
        "File that holds it instead, read for each login, so that a token can be renewed.",
    ),
    _row(
        "Outbound_SMTP_AUTH_Unverified",
        k.BOOL,
        "",
        "Whether PLAIN, LOGIN and XOAUTH2 show the password also to a peer whose certificate does not prove who it "
        "is; otherwise `TLS_Verify` is at least `host` for them (`ca` where that is set).",
    ),
    _row(
        "OpenDKIM_Sign",
        k.BOOL,
        "",
        "Whether mail whose author's domain has a verified key is signed.",
    ),
    _row(
        "DKIM_Headers",
        k.HEADER_NAMES,
        "",
        "Header fields that a signature covers, as often as they stand there.",
    ),
    _row(
        "DKIM_Oversign_Headers",
        k.HEADER_NAMES,
        "",
        "Header fields that are signed once more, so that nobody can add another; Sender and MIME fields only where "
        "they stand.",
    ),
)

_NOTIFICATIONS = (
    _row("Generate_Bounces", k.BOOL, "", "Whether senders are told of mail that failed."),
    _row(
        "Bounces_Inline_Original",
        k.enum("none", "headers", "all"),
        "",
        "How much of the message a notification holds, where the sender did not say (RET).",
    ),
    _row(
        "MailerDaemon",
        k.MAILBOX,
        "",
        "Author of notifications; `__hostname__` in it is Hostname.",
    ),
    _row(
        "Generate_Delay_DSN",
        k.BOOL,
        "",
        "Whether senders are told of delays; those who asked (NOTIFY=DELAY) are told in any case.",
    ),
    _time("Delay_DSN_Retry_Interval", "Age at which the first delay is told; the next after twice the time."),
    _time(
        "Delay_DSN_Max_Retry_Interval",
        "What the time between two notifications of delay does not grow beyond.",
    ),
)

_HOST = (
    _row(
        "Max_Outbound_Connections",
        k.INT,
        "connections",
        "Open connections to each address of the host; a host stanza without it has no limit (-1).",
        -1,
        100_000,
        HOST,
        "host",
        no_limit=NoLimit(-1, by_zero=False),
    ),
    _row(
        "Scope_Max_Outbound_Connections",
        k.SHARED_LIMIT,
        "connections",
        "Open connections to all hosts that the stanza matches, together.",
        1,
        1_000_000,
        HOST,
        "host",
    ),
    _row(
        "Outbound_Throttle_Messages",
        k.THROTTLE,
        "messages",
        "Messages per time to all hosts that the stanza matches, besides the domain's and binding's "
        "own throttle.",
        scopes=HOST,
        family="host",
    ),
    _row(
        "Outbound_Throttle_Connections",
        k.THROTTLE,
        "connections",
        "New connections per time to all hosts that the stanza matches, besides the other throttles.",
        scopes=HOST,
        family="host",
    ),
    _row(
        "Rollup_MX",
        k.BOOL,
        "",
        "Whether all domains whose best mail hosts are such hosts share one count for each limit, "
        "instead of having one each.",
        scopes=HOST,
        family="host",
    ),
    _row(
        "Rollup_MX_Name",
        k.DOMAIN,
        "",
        "Domain whose limits those are (`Rollup_MX`); without it, the host's own name counts as one.",
        scopes=HOST,
        family="host",
    ),
)

ROWS: tuple[Option, ...] = (*_ROUTING, *_LIMITS, *_RETRY, *_SESSION, *_SECURITY, *_NOTIFICATIONS, *_HOST)
