"""The replies that the server machine gives without asking the handler, and the usual ones of handlers."""

import re
from functools import lru_cache

from angarium.core.reply import Reply

HELO_OK = Reply(250)
SENDER_OK = Reply(250, "2.1.0", "sender ok")
RECIPIENT_OK = Reply(250, "2.1.5", "recipient ok")
GO_AHEAD = Reply(354, "", "go ahead, end with <CRLF>.<CRLF>")
CANNOT_VERIFY = Reply(252, "2.5.2", "cannot verify, but will take mail and try to deliver it")
HELP = Reply(214, "2.0.0", "HELO EHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT")
RESET_OK = Reply(250, "2.0.0", "ok")
NOOP_OK = Reply(250, "2.0.0", "ok")
BYE = Reply(221, "2.0.0", "bye")

UNKNOWN_COMMAND = Reply(500, "5.5.2", "command not recognised")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "command not implemented")
LINE_TOO_LONG = Reply(500, "5.5.2", "command line too long")
BAD_CHARACTERS = Reply(500, "5.5.2", "a command is one line of text without control characters")
BAD_NAME = Reply(501, "5.5.4", "a host name or address literal is needed here")
BAD_SYNTAX = Reply(501, "5.5.4", "syntax error in the arguments")
NO_ARGUMENTS = Reply(501, "5.5.4", "this command takes no arguments")
HELO_FIRST = Reply(503, "5.5.1", "say EHLO first")
NESTED_MAIL = Reply(503, "5.5.1", "there is a sender already")
MAIL_FIRST = Reply(503, "5.5.1", "no sender given yet")
RCPT_FIRST = Reply(503, "5.5.1", "no recipients given yet")
NO_RECIPIENTS = Reply(554, "5.5.1", "no valid recipients")
BDAT_UNDER_WAY = Reply(503, "5.5.1", "the message has begun with BDAT")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "too many recipients")

AUTH_AGAIN = Reply(503, "5.5.1", "you have authenticated already")
AUTH_TOO_LATE = Reply(503, "5.5.1", "authenticate before MAIL; RSET gives up the message")
AUTH_NEEDS_TLS = Reply(538, "5.7.11", "say STARTTLS first: this mechanism sends the password itself")
AUTH_UNKNOWN = Reply(504, "5.5.4", "this mechanism is not offered: the reply to EHLO lists those that are")
AUTH_CANCELLED = Reply(501, "5.7.0", "authentication cancelled")
AUTH_LINE_TOO_LONG = Reply(500, "5.5.6", "the authentication line is too long")
BAD_BASE64 = Reply(501, "5.5.2", "base64 is needed here")
TLS_READY = Reply(220, "2.0.0", "go ahead with the handshake")
TLS_ALREADY = Reply(503, "5.5.1", "this connection is encrypted already")
XCLIENT_OK = Reply(220)
XCLIENT_REFUSED = Reply(550, "5.7.0", "XCLIENT is not for this peer")
XCLIENT_TOO_LATE = Reply(503, "5.5.1", "XCLIENT comes before MAIL; RSET gives up the message")

TOO_LARGE = Reply(552, "5.3.4", "message too large")
NUL_REFUSED = Reply(550, "5.6.0", "the message contains NUL bytes")
BARE_REFUSED = Reply(
    550,
    "5.5.2",
    "lines end with CR LF; the message has a CR or LF alone "
    "(options RFC2822_Lone_LF_In_Headers, RFC2822_Lone_LF_In_Body)",
)
LONG_LINE_REFUSED = Reply(550, "5.6.0", "the message has a line that is too long")

SMUGGLING = Reply(
    521, "5.5.2", "a dot between line ends that are not CR LF (option RFC2822_Lone_LF_In_Body): closing"
)
BARE_LF_COMMAND = Reply(521, "5.5.2", "commands end with CR LF (option RFC2822_Lone_LF_In_Headers): closing")
EARLY_TALK = Reply(554, "5.5.0", "the greeting comes first: closing")
UNAUTHORISED_PIPELINING = Reply(
    503, "5.5.0", "wait for the reply to this command (option Strict_Pipelining): closing"
)
STARTTLS_INJECTION = Reply(503, "5.5.1", "commands in clear text behind STARTTLS: closing")
TLS_TOO_EARLY = Reply(421, "4.7.0", "TLS begins by STARTTLS here: closing")
NOT_HTTP = Reply(421, "4.7.0", "this is a mail server: closing")
BAD_CHUNK = Reply(501, "5.5.4", "BDAT needs a size: closing")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "too many errors: closing")
TOO_MANY_NULL_COMMANDS = Reply(421, "4.7.0", "too many commands without mail: closing")
TOO_MANY_MESSAGES = Reply(421, "4.7.0", "enough messages over this connection: closing")
TIMEOUT = Reply(421, "4.4.2", "waited too long: closing")
TOO_SLOW = Reply(421, "4.4.2", "the message comes too slowly: closing")
SHUTTING_DOWN = Reply(421, "4.3.2", "the service is going down: try again later")


def wire_once(reply: Reply) -> bytes:
    """Return *reply* as bytes: one that is said once.

    What is not ASCII is said as RFC 6533 §3 has it in such places, `\\x{FC}`: many peers can read no more.
    """
    text = reply.text
    if text.isascii() and text.isprintable():
        return reply.encode()
    if not text.isascii():
        text = _BEYOND_ASCII.sub(lambda match: f"\\x{{{ord(match[0]):X}}}", text)
    return Reply(reply.code, reply.enhanced, _CONTROLS.sub(" ", text)).encode()


wire = lru_cache(1024)(wire_once)
"""Return a reply as bytes: cached, since nearly every reply is said again and again."""


def plain_wire(reply: Reply) -> bytes:
    """Return *reply* as bytes where no enhanced codes are offered (RFC 2034 §3)."""
    return wire(Reply(reply.code, "", reply.text))


_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
