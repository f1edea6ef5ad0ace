"""The options as the program sees them: typed, resolved, with their defaults. One field per row of the table.

Names, units and meaning of each are in `options`; times are whole seconds and sizes bytes. None means not
set, unless said otherwise there. 0 means no limit where the table says so.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from angarium.config.values import (
    INSIDE,
    NO_DOMAINS,
    NOWHERE,
    CidrSet,
    DomainSet,
    Gateway,
    ListenAddress,
    Route,
    Secret,
    SharedLimit,
    SocketAddress,
    Throttle,
    Where,
    cidrs,
)
from angarium.core.records import Lane

LOOPBACK = cidrs("127.0.0.0/8", "::1")

DKIM_HEADERS = (
    *("From", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "To", "Cc"),
    *("MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-ID", "Content-Description"),
    *("Resent-Date", "Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc", "Resent-Message-ID"),
    *("In-Reply-To", "References", "List-Id", "List-Help", "List-Unsubscribe", "List-Unsubscribe-Post"),
    *("List-Subscribe", "List-Post", "List-Owner", "List-Archive", "Feedback-ID"),
)
"""What RFC 6376 §5.4.1 advises to sign, and what mailbox providers ask for besides."""
DKIM_OVERSIGN_HEADERS = (
    *(
        "From",
        "Sender",
        "Reply-To",
        "Subject",
        "Date",
        "Message-ID",
        "To",
        "Cc",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    ),
)
"""Signed once more than they stand there, so that no further one can be added (RFC 6376 §5.4.2)."""

FORBIDDEN_ENDINGS = (
    *(
        "ade",
        "adp",
        "app",
        "appx",
        "bat",
        "bin",
        "chm",
        "cmd",
        "com",
        "cpl",
        "crt",
        "dll",
        "dmg",
        "exe",
        "hlp",
    ),
    *(
        "hta",
        "inf",
        "ins",
        "iso",
        "isp",
        "jar",
        "js",
        "jse",
        "lnk",
        "mdb",
        "mdw",
        "mdz",
        "msc",
        "msi",
        "msix",
    ),
    *("msp", "mst", "pcd", "pif", "prf", "ps1", "reg", "scr", "sct", "shb", "shs", "sys", "vb", "vba", "vbe"),
    *("vbs", "vxd", "wsc", "wsf", "wsh", "wsl"),
)
"""Files that the large mailbox providers refuse, whatever is in them."""

WEBHOOK_RETRIES = (10, 60, 300, 900, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400, 86_400, 86_400)
"""Full jitter takes half of each on the average: tries go on for about two days."""

LoneEnd = Literal["auto", "pedantic", "fix", "ignore"]
"""What becomes of a message with a lone CR or LF: refused, made CRLF, or passed on as it is; "auto": refused where its
sender is not known and it comes by DATA, else made CRLF.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundOptions:
    """What is in force for mail of one binding to one routing domain."""

    # routing
    gateway: Gateway | None = None
    routes: tuple[Route, ...] = ()
    delivery_method: Literal["ESMTP", "SMTP", "LMTP"] = "ESMTP"
    remote_smtp_port: int = 25
    lmtp_port: int = 2003
    bind_address: str | None = None
    bind_address_secondary: str | None = None
    ehlo_hostname: str = "__hostname__"
    mx_failures_fallback_to_a: int = 0
    host_failure_retry: int = 120
    mx_failures_to_delay: int = 50
    connect_timeout_to_delay: int = 900
    suspend_delivery: bool = False
    # limits
    max_outbound_connections: int = 32
    scope_max_outbound_connections: SharedLimit | None = None
    server_max_outbound_connections: int | None = None
    outbound_throttle_messages: Throttle | None = None
    outbound_throttle_connections: Throttle | None = None
    max_deliveries_per_connection: int = 0
    max_recipients_per_connection: int = 0
    max_recipients_per_batch: int = 100
    max_resident_active_queue: int = 5000
    # retry
    retry_interval: int = 1200
    max_retry_interval: int = 43_200
    max_retries: int | None = None
    message_expiration: int = 432_000
    never_retry: bool = False
    never_attempt_expired_messages: bool = False
    ambiguous_delivery: Literal["retry", "hold"] = "retry"
    dialogue_sample: int = 1000
    # one session
    connect_timeout: int = 60
    banner_timeout: int = 300
    ehlo_timeout: int = 300
    mailfrom_timeout: int = 300
    rcptto_timeout: int = 300
    data_timeout: int = 120
    data_block_timeout: int = 180
    body_timeout: int = 600
    rset_timeout: int = 30
    quit_timeout: int = 5
    idle_timeout: int = 5
    transform_8bitmime_content: Literal["ifneeded", "bounce", "no"] = "ifneeded"
    # security
    tls: Literal["no", "ifavailable", "required"] = "ifavailable"
    tls_ifavailable_fallback: bool = True
    tls_verify: Literal["no", "ca", "host", "optional"] = "no"
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_ciphers: str | None = None
    tls_protocols: tuple[str, ...] = ("TLSv1.2", "TLSv1.3")
    tls_timeout: int = 60
    discard_ehlo_keywords: frozenset[str] = frozenset()
    xclient: Literal["no", "ifavailable", "required"] = "no"
    outbound_smtp_auth_type: Literal["none", "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2"] = (
        "none"
    )
    outbound_smtp_auth_user: str | None = None
    outbound_smtp_auth_pass: Secret | None = None
    outbound_smtp_auth_pass_file: Path | None = None
    outbound_smtp_auth_unverified: bool = False
    # signatures
    opendkim_sign: bool = True
    dkim_headers: tuple[str, ...] = DKIM_HEADERS
    dkim_oversign_headers: tuple[str, ...] = DKIM_OVERSIGN_HEADERS
    # notifications
    generate_bounces: bool = True
    bounces_inline_original: Literal["none", "headers", "all"] = "headers"
    mailerdaemon: str = "mailer-daemon@__hostname__"
    generate_delay_dsn: bool = False
    delay_dsn_retry_interval: int = 14_400
    delay_dsn_max_retry_interval: int = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOptions:
    """What is in force for connections of one binding to one resolved host, on top of `OutboundOptions`."""

    max_outbound_connections: int = -1
    scope_max_outbound_connections: SharedLimit | None = None
    outbound_throttle_messages: Throttle | None = None
    outbound_throttle_connections: Throttle | None = None
    rollup_mx: bool = False
    rollup_mx_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundOptions:
    """What is in force for a session of one peer with one listener."""

    # who may send what
    relay_hosts: CidrSet = LOOPBACK
    relay_domains: DomainSet = NO_DOMAINS
    relay_for_sending_domains: DomainSet = NO_DOMAINS
    open_relay: bool = False
    lane: Lane = 0
    priority_header: bool = True
    # authentication
    require_authentication: bool = False
    auth_mechanisms: frozenset[str] = frozenset(("PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-256"))
    auth_without_tls: bool = False
    auth_challenges_beside_passwords: bool = False
    auth_failure_delay: int = 1
    auth_failures_to_block: int = 10
    auth_block_time: int = 900
    xclient_hosts: CidrSet = NOWHERE
    xclient_login_hosts: CidrSet = NOWHERE
    # encryption
    tls_certificate: tuple[Path, ...] = ()
    tls_key: tuple[Path, ...] = ()
    tls_client_ca: Path | None = None
    tls_verify_mode: Literal["none", "request", "require"] = "none"
    tls_verified_peer_can_relay: bool = False
    tls_protocols: tuple[str, ...] = ("TLSv1.2", "TLSv1.3")
    tls_ciphers: str | None = None
    tls_timeout: int = 30
    starttls_injection_policy: Literal["reject", "discard"] = "reject"
    # what is said
    smtp_extensions: frozenset[str] = frozenset(
        (
            "PIPELINING",
            "8BITMIME",
            "SMTPUTF8",
            "SIZE",
            "DSN",
            "ENHANCEDSTATUSCODES",
            "CHUNKING",
            "LIMITS",
            "STARTTLS",
            "AUTH",
        )
    )
    banner_hostname: str = "localhost"
    static_banner: str | None = None
    received_hostname: str = "localhost"
    # protocol
    require_ehlo: bool = True
    allow_null_envelope_sender: bool = True
    allow_ip_literal: bool | None = None
    refuse_suppressed: bool = False
    rfc2821_pedantic_address_rules: bool = False
    strict_pipelining: bool = True
    refuse_early_talkers: bool = True
    banner_delay: int = 0
    # time
    idle_time: int = 300
    first_command_time: int = 60
    data_idle_time: int = 180
    reception_time: int = 3600
    session_time: int = 86_400
    min_data_rate: int = 100
    min_data_rate_grace: int = 30
    # number and size
    listener_sessions: int = 2000
    sessions_per_peer: int = 200
    unfinished_bytes_per_peer: int = 268_435_456
    peer_ipv4_prefix: int = 32
    peer_ipv6_prefix: int = 64
    max_message_size: int = 52_428_800
    max_header_size: int = 524_288
    max_command_length: int = 2048
    max_line_length: int = 1_048_576
    max_recipients_per_message: int = 1000
    max_recipients_per_connection: int = 0
    max_receptions_per_connection: int = 10_000
    max_errors_per_connection: int = 20
    max_received_headers: int = 50
    # message text
    rfc2822_lone_lf_in_headers: LoneEnd = "auto"
    rfc2822_lone_lf_in_body: LoneEnd = "auto"
    rfc2822_max_line_length: Literal["ignore", "fix", "reject"] = "fix"
    rfc2822_date_header: Literal["ifneeded", "no"] = "ifneeded"
    rfc2822_messageid_header: Literal["ifneeded", "no"] = "ifneeded"
    rfc2822_trace_headers: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenOptions:
    """What is in force for one socket that takes connections."""

    enable: bool = True
    listen_backlog: int = 1024
    file_mode: int = 0o660
    use_ssl: bool = False
    proxy_protocol: bool = False
    proxy_protocol_timeout: int = 10
    proxy_hosts: CidrSet = LOOPBACK


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalOptions:
    """What holds for the node as a whole."""

    hostname: str = "localhost"
    # process
    workers: int = 0
    drain_timeout: int = 30
    worker_timeout: int = 60
    log_format: Literal["auto", "json", "pretty"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    match_cache_size: int = 16_384
    # spool
    data_directory: Path = Path("data")
    spoolbase: Path | None = None
    drop_directory: Path | None = None
    spool_segment_size: int = 67_108_864
    spool_max_journal_size: int = 1_073_741_824
    spool_min_free_space: int = 268_435_456
    spool_history_segments: int = 2
    large_message_threshold: int = 1_048_576
    # identity
    identity_store: Secret | None = None
    secrets_key_file: Path | None = None
    # what has happened
    machine_networks: CidrSet = NOWHERE
    event_database: Secret | None = None
    event_retention: int = 45
    address_retention: int = 0
    event_store_max_size: int = 21_474_836_480
    kept_texts_max_size: int = 10_737_418_240
    # what comes in by HTTP
    http_max_body_size: int = 73_400_320
    http_bodies_memory: int = 268_435_456
    forbidden_attachments: tuple[str, ...] = FORBIDDEN_ENDINGS
    # what goes out by HTTP
    fetch_networks: CidrSet = NOWHERE
    fetch_connect_timeout: int = 5
    webhook_timeout: int = 10
    webhook_retries: tuple[int, ...] = WEBHOOK_RETRIES
    webhook_off_after: int = 432_000
    webhook_max_requests: int = 512
    # what readers do
    page_hosts: DomainSet = NO_DOMAINS
    tracking_domain: str | None = None
    hosted_image_retention: int = 365
    # mail that comes back
    bounce_domain: str | None = None
    bounce_domains: DomainSet = NO_DOMAINS
    feedback_addresses: tuple[str, ...] = ()
    postmaster_address: str | None = None
    return_path_lifetime: int = 2_592_000
    feedback_max_size: int = 10_485_760
    feedback_per_minute: int = 1200
    suppress_gone_domains_after: int = 2
    suppress_after_failures: int = 0
    bounce_burst_percent: int = 20
    bounce_burst_minimum: int = 20
    bounce_burst_window: int = 600
    # memory
    max_resident_messages: int = 65_536
    body_cache_size: int = 134_217_728
    memory_limit: int = 1_073_741_824
    max_queued_recipients: int = 10_000_000
    account_max_queued_recipients: int = 1_000_000
    account_max_queued_bytes: int = 1 << 37
    # delivery
    server_max_outbound_connections: int = 2000
    prohibited_hosts: CidrSet = INSIDE
    skip_hosts: CidrSet = NOWHERE
    use_ipv6: bool = False
    prefer_ipv6_mxs: bool = False
    # names
    dns_servers: tuple[SocketAddress, ...] = ()
    resolv_conf: Path = Path("/etc/resolv.conf")
    dns_timeout: int = 5
    dns_deadline: int = 30
    dns_cache_size: int = 100_000
    min_dns_ttl: int = 5
    max_dns_ttl: int = 86_400
    dns_negative_ttl: int = 60


@dataclass(frozen=True, slots=True)
class BindingInfo:
    """A binding and the group it is in (`default` takes those in none). *where* None: not declared."""

    name: str
    group: str = "default"
    where: Where | None = None


@dataclass(frozen=True, slots=True)
class ListenerConfig:
    """One listener with its sockets.

    *digest* is equal in two generations exactly when nothing that its sessions could notice differs.
    """

    name: str
    listens: tuple[ListenAddress, ...]
    digest: str
