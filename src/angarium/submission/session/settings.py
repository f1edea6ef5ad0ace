"""From a listener's options to what the server machine wants. Pure."""

from dataclasses import replace
from typing import Final, Literal, NamedTuple

from angarium.config.records import InboundOptions, LoneEnd
from angarium.identity.principal import Principal
from angarium.smtp.sasl.exchange import MECHANISMS, PASSWORD_MECHANISMS
from angarium.smtp.server.options import EXTENSIONS, LineEndChoice, ServerLimits, ServerOptions
from angarium.submission.policy import entrance_policy

_LINE_ENDS: dict[LoneEnd, LineEndChoice] = {
    "auto": "auto",
    "pedantic": "refuse",
    "fix": "fix",
    "ignore": "ignore",
}
_IN_COMMANDS: dict[LoneEnd, Literal["refuse", "start", "fix"]] = {
    "auto": "start",
    "pedantic": "refuse",
    "fix": "fix",
    "ignore": "fix",
}
_RFC_LINE = 998
"""Octets of a text line without its end (RFC 5322 §2.1.1)."""
CHALLENGE_MECHANISMS: Final = ("CRAM-MD5", "DIGEST-MD5")
"""Those for which a secret must be kept that can be read again."""
_STEPS = ("HELP",)
"""Extensions that need no option: offering them has no consequences."""


class Settings:
    """How sessions with the same options are led. Bodies above *large_message_bytes* are handed over in pieces.

    What is offered depends on circumstances as well; each combination is made once.
    """

    __slots__ = ("_can_encrypt", "_can_log_in", "_made", "_options", "limits", "policy")

    def __init__(
        self, options: InboundOptions, *, large_message_bytes: int, can_log_in: bool, can_encrypt: bool
    ) -> None:
        self.limits = server_limits(options, large_message_bytes)
        self.policy = entrance_policy(options)
        self._options = options
        self._can_log_in = can_log_in
        self._can_encrypt = can_encrypt
        self._made: dict[tuple[bool, tuple[str, ...], bool], ServerOptions] = {}

    def offer(self, is_encrypted: bool, xclient: tuple[str, ...], is_logged_in: bool) -> ServerOptions:
        """Return what is offered; *xclient* is what the peer may say of whom it speaks for."""
        key = is_encrypted, xclient, is_logged_in
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self._offer(*key)
        return found

    def _offer(self, is_encrypted: bool, xclient: tuple[str, ...], is_logged_in: bool) -> ServerOptions:
        options = self._options
        now, under_tls, unnamed = mechanisms(options, is_encrypted) if self._can_log_in else NO_MECHANISMS
        return replace(
            server_options(options, is_logged_in),
            auth=now,
            auth_under_tls=under_tls,
            auth_unnamed=unnamed,
            starttls=self._can_encrypt and "STARTTLS" in options.smtp_extensions,
            starttls_injection=options.starttls_injection_policy,
            xclient=xclient,
        )


class Mechanisms(NamedTuple):
    """Ways to log in: those that are offered now, once the connection is encrypted, and taken though not offered."""

    now: tuple[str, ...] = ()
    under_tls: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()


NO_MECHANISMS = Mechanisms()


def mechanisms(options: InboundOptions, is_encrypted: bool) -> Mechanisms:
    """Return the ways to log in.

    Beside PLAIN a challenge adds nothing, and is the first choice of programs that give up when it fails; most logins
    keep no secret for it. So it is named only where passwords are not taken, or where an option says so.
    """
    if "AUTH" not in options.smtp_extensions:
        return NO_MECHANISMS
    wanted = [name for name in MECHANISMS if name in options.auth_mechanisms]
    passwords = tuple(name for name in wanted if name in PASSWORD_MECHANISMS)
    others = tuple(name for name in wanted if name not in PASSWORD_MECHANISMS)
    if not is_encrypted and not options.auth_without_tls:
        return Mechanisms(others, passwords)
    kept = CHALLENGE_MECHANISMS if passwords and not options.auth_challenges_beside_passwords else ()
    named = tuple(name for name in wanted if name not in kept)
    return Mechanisms(named, (), tuple(name for name in others if name in kept))


def server_options(options: InboundOptions, is_logged_in: bool) -> ServerOptions:
    """Return how a session is led, without what depends on who the peer is and how it connected.

    Lone line ends are mended after a login: of others it is not known through how many hands their mail went.
    """
    offered = options.smtp_extensions
    line_ends = _LINE_ENDS | {"auto": "mend"} if is_logged_in else _LINE_ENDS
    return ServerOptions(
        hostname=options.banner_hostname,
        greeting=options.static_banner or "ESMTP",
        extensions=tuple(name for name in EXTENSIONS if name in offered or name in _STEPS),
        require_helo=options.require_ehlo,
        refuse_unauthorised_pipelining=options.strict_pipelining,
        pedantic=options.rfc2821_pedantic_address_rules,
        lone_lf_in_commands=_IN_COMMANDS[options.rfc2822_lone_lf_in_headers],
        lone_lf_in_headers=line_ends[options.rfc2822_lone_lf_in_headers],
        lone_lf_in_body=line_ends[options.rfc2822_lone_lf_in_body],
        lone_cr=line_ends[options.rfc2822_lone_lf_in_body],
    )


def server_limits(options: InboundOptions, large_message_bytes: int) -> ServerLimits:
    """Return how much a peer may ask for."""
    refuses_long_lines = options.rfc2822_max_line_length == "reject"
    return ServerLimits(
        max_command_length=options.max_command_length,
        max_text_line_length=_RFC_LINE if refuses_long_lines else options.max_line_length,
        max_message_size=options.max_message_size,
        max_recipients=options.max_recipients_per_message,
        max_errors=options.max_errors_per_connection,
        max_messages=options.max_receptions_per_connection,
        spill_threshold=large_message_bytes,
        command_timeout_s=options.idle_time,
        data_timeout_s=options.data_idle_time,
        min_data_rate_bytes_per_s=options.min_data_rate,
        data_rate_grace_s=options.min_data_rate_grace,
    )


def limits_for(limits: ServerLimits, principal: Principal) -> ServerLimits:
    """Return *limits*, made stricter by those of the login."""
    size = _stricter(limits.max_message_size, principal.max_message_size)
    recipients = _stricter(limits.max_recipients, principal.max_recipients)
    if (size, recipients) == (limits.max_message_size, limits.max_recipients):
        return limits
    return replace(limits, max_message_size=size, max_recipients=recipients)


def _stricter(limit: int, other: int | None) -> int:
    """Return the smaller of two limits, of which 0 and None are none."""
    return min((each for each in (limit, other) if each), default=0)
