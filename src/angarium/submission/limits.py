"""From a listener's options to what the server machine wants. Pure."""

from typing import Literal

from angarium.config.records import InboundOptions
from angarium.smtp.dataphase import LineEndPolicy
from angarium.smtp.server_options import EXTENSIONS, ServerLimits, ServerOptions

_LINE_ENDS: dict[str, LineEndPolicy] = {"pedantic": "refuse", "fix": "fix", "ignore": "ignore"}
_RFC_LINE = 998
"""Octets of a text line without its end (RFC 5322 §2.1.1)."""
_STEPS = ("HELP",)
"""Extensions that need no option: offering them binds nobody."""


Settings = tuple[ServerOptions, ServerLimits]


def server_settings(options: InboundOptions, large_message_bytes: int) -> Settings:
    """Return how a session is led. Bodies above *large_message_bytes* are handed over in pieces."""
    offered = options.smtp_extensions
    in_commands: Literal["refuse", "fix"] = (
        "refuse" if options.rfc2822_lone_lf_in_headers == "pedantic" else "fix"
    )
    return (
        ServerOptions(
            hostname=options.banner_hostname,
            greeting=options.static_banner or "ESMTP",
            extensions=tuple(name for name in EXTENSIONS if name in offered or name in _STEPS),
            require_helo=options.require_ehlo,
            refuse_unauthorised_pipelining=options.strict_pipelining,
            lone_lf_in_commands=in_commands,
            lone_lf_in_headers=_LINE_ENDS[options.rfc2822_lone_lf_in_headers],
            lone_lf_in_body=_LINE_ENDS[options.rfc2822_lone_lf_in_body],
            lone_cr=_LINE_ENDS[options.rfc2822_lone_lf_in_body],
        ),
        ServerLimits(
            max_command_length=options.max_command_length,
            max_text_line_length=_RFC_LINE
            if options.rfc2822_max_line_length == "reject"
            else options.max_line_length,
            max_message_size=options.max_message_size,
            max_recipients=options.max_recipients_per_message,
            max_errors=options.max_errors_per_connection,
            max_messages=options.max_receptions_per_connection,
            spill_threshold=large_message_bytes,
            command_timeout_s=options.idle_time,
            data_timeout_s=options.data_idle_time,
            min_data_rate_bytes_per_s=options.min_data_rate,
            data_rate_grace_s=options.min_data_rate_grace,
        ),
    )
