"""What the server machine is told by the configuration."""

from dataclasses import dataclass
from typing import Literal

from angarium.smtp.server.data_phase import BodyRules, LineEndPolicy

LineEndChoice = Literal["auto", "refuse", "mend", "fix", "ignore"]
"""What to do with a CR or LF alone, see `data_phase.LineEndPolicy`; "auto": refuse it where it could be taken for an
end, in DATA, and make it CR LF in chunks.
"""

EXTENSIONS = (
    "PIPELINING",
    "8BITMIME",
    "SMTPUTF8",
    "SIZE",
    "DSN",
    "ENHANCEDSTATUSCODES",
    "CHUNKING",
    "LIMITS",
    "HELP",
)
"""Every extension that needs no circumstances, in the order in which the machine offers them."""

XCLIENT_NAMES = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT")
"""The attributes of XCLIENT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How the machine behaves. *hostname* stands in the greeting and the reply to EHLO, *greeting* after it.

    *lone_lf_in_commands*: "fix" takes an LF alone for the end of a command, "start" only before the first body of the
    session: behind one, whatever pretends to be a command has to look like one. With
    *refuse_unauthorised_pipelining* a peer that goes on before the reply to a command that must end its group
    (RFC 2920 §3.1), or at all where PIPELINING was not offered, is told so and cut off.

    *pedantic* holds peers to the letter of RFC 5321 in addresses, names and blanks.

    *auth* are the SASL mechanisms offered now, *auth_under_tls* those that need TLS first (538), *auth_unnamed* those
    that are taken though not offered. With *starttls* that is offered while the connection is not encrypted; what a
    peer sends behind it in clear text ends the session ("reject") or is thrown away ("discard"), and is never obeyed.
    *xclient* are the attributes that this
    peer may set.
    """

    hostname: str
    greeting: str = "ESMTP"
    extensions: tuple[str, ...] = EXTENSIONS
    require_helo: bool = True
    refuse_unauthorised_pipelining: bool = True
    pedantic: bool = False
    lone_lf_in_commands: Literal["refuse", "start", "fix"] = "refuse"
    lone_lf_in_headers: LineEndChoice = "refuse"
    lone_lf_in_body: LineEndChoice = "refuse"
    lone_cr: LineEndChoice = "refuse"
    auth: tuple[str, ...] = ()
    auth_under_tls: tuple[str, ...] = ()
    auth_unnamed: tuple[str, ...] = ()
    starttls: bool = False
    starttls_injection: Literal["reject", "discard"] = "reject"
    xclient: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """How much a peer may ask for. Sizes in bytes; 0 means no limit, except where the text says otherwise.

    *max_command_length* counts the line end and is never without limit. *max_text_line_length* does not count
    it. *max_recipients* is per message, *max_messages* per connection. *max_errors* and *max_null_commands*
    (commands that bring no mail nearer) are counted since the last message that was taken; that many are let
    pass. A body above *spill_threshold* is handed over while it comes. Of a body that is refused,
    *swallow_limit* more than *max_message_size* is read and thrown away before the connection is closed;
    0 means none of it.

    Timeouts are in seconds, for a whole command, or for the next bytes of a body. *min_data_rate_bytes_per_s*
    is the average that a body must reach once *data_rate_grace_s* have passed since its first byte.
    """

    max_command_length: int = 2048
    max_text_line_length: int = 0
    max_message_size: int = 52_428_800
    max_recipients: int = 1000
    max_errors: int = 20
    max_messages: int = 0
    max_null_commands: int = 100
    spill_threshold: int = 131_072
    swallow_limit: int = 10_485_760
    command_timeout_s: float = 300.0
    data_timeout_s: float = 300.0
    min_data_rate_bytes_per_s: float = 100.0
    data_rate_grace_s: float = 60.0


_IN_DATA: dict[LineEndChoice, LineEndPolicy] = {
    "auto": "refuse",
    "refuse": "refuse",
    "mend": "mend",
    "fix": "fix",
    "ignore": "ignore",
}
_IN_CHUNKS: dict[LineEndChoice, LineEndPolicy] = _IN_DATA | {"auto": "fix", "mend": "fix"}


def body_rules(options: ServerOptions, limits: ServerLimits, *, in_chunks: bool = False) -> BodyRules:
    """Return what of both concerns bodies that come by DATA, or *in_chunks*."""
    policies = _IN_CHUNKS if in_chunks else _IN_DATA
    return BodyRules(
        lone_lf_in_headers=policies[options.lone_lf_in_headers],
        lone_lf_in_body=policies[options.lone_lf_in_body],
        lone_cr=policies[options.lone_cr],
        max_size=limits.max_message_size,
        max_line_length=limits.max_text_line_length,
        swallow_limit=limits.swallow_limit,
    )


def offered_lines(
    options: ServerOptions, limits: ServerLimits, is_encrypted: bool = False
) -> tuple[str, ...]:
    """Return the extension lines of the reply to EHLO. SIZE has no number where there is no limit (RFC 1870
    §4).
    """
    lines = {name: name for name in options.extensions}
    if "SIZE" in lines and limits.max_message_size:
        lines["SIZE"] = f"SIZE {limits.max_message_size}"
    if "LIMITS" in lines:
        named = (("MAILMAX", limits.max_messages), ("RCPTMAX", limits.max_recipients))
        values = " ".join(f"{name}={limit}" for name, limit in named if limit)
        lines["LIMITS"] = f"LIMITS {values}" if values else ""
    if options.starttls and not is_encrypted:
        lines["STARTTLS"] = "STARTTLS"
    for name, words in (("AUTH", options.auth), ("XCLIENT", options.xclient)):
        lines[name] = f"{name} {' '.join(words)}" if words else ""
    return tuple(line for line in lines.values() if line)
