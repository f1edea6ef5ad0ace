"""AUTH as one session has it (RFC 4954): whether it may be said, and what came of it."""

from angarium.core.reply import Reply
from angarium.smtp.server import answers
from angarium.smtp.server.auth_syntax import decode_response
from angarium.smtp.server.options import ServerOptions

MAX_RESPONSE_LINE = 12_290
"""Bytes of a line with base64, its end among them (RFC 4954 §4 names 12288 without)."""


class AuthExchange:
    """The authentication of a session: at most one that succeeds, and one at a time.

    *is_under_way*: AUTH was said and is not answered. *is_done*: one has succeeded since the session began.
    """

    __slots__ = ("is_done", "is_under_way")

    def __init__(self) -> None:
        self.is_under_way = self.is_done = False

    def refuses(self, options: ServerOptions, is_esmtp: bool) -> Reply | None:
        """Return why there is no AUTH here and now, or None."""
        if not options.auth and not options.auth_under_tls:
            return answers.NOT_IMPLEMENTED
        if not is_esmtp:  # what EHLO did not offer cannot be used (RFC 4954 §3, RFC 5321 §2.2.2)
            return answers.HELO_FIRST
        return answers.AUTH_AGAIN if self.is_done else None  # RFC 4954 §4

    def begin(self, mechanism: str, options: ServerOptions) -> Reply | None:
        """Begin with *mechanism*, or return why not (RFC 4954 §4 and §6)."""
        if mechanism not in options.auth and mechanism not in options.auth_unnamed:
            return answers.AUTH_NEEDS_TLS if mechanism in options.auth_under_tls else answers.AUTH_UNKNOWN
        self.is_under_way = True
        return None

    def end(self, reply: Reply) -> None:
        """AUTH was answered."""
        self.is_under_way = False
        self.is_done = self.is_done or reply.code < 300

    def forget(self) -> None:
        """The session begins anew (RFC 3207 §4.2)."""
        self.is_under_way = self.is_done = False


def read_response(line: bytes) -> bytes | Reply:
    """Return what the client says in *line*, decoded, or how the line ends the exchange (RFC 4954 §4)."""
    if line == b"*":
        return answers.AUTH_CANCELLED
    data = decode_response(line)
    return answers.BAD_BASE64 if data is None else data
