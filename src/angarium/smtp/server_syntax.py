"""The small syntax of the server's commands: names, chunk sizes, arguments."""

import re

NO_MAIL_VERBS = frozenset((b"EXPN", b"TURN", b"ETRN", b"ATRN", b"SEND", b"SOML", b"SAML", b"BURL"))
"""Commands that exist and are not served."""

WEB_VERBS = frozenset(
    (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"CONNECT", b"TRACE", b"PRI")
)
"""A browser, or a script in one, that was sent to the wrong port."""

_NAME = re.compile(rb"(?:HELO|EHLO) ++([!-~]{1,255}) *+", re.IGNORECASE)
_BDAT = re.compile(rb"BDAT ++([0-9]{1,20})( ++LAST)?+ *+", re.IGNORECASE)


def parse_name(line: bytes) -> str:
    """Return the name in HELO or EHLO, empty if there is none or it cannot be one. Real ones often break the
    rules for host names, so it is checked for not more than printable ASCII.
    """
    match = _NAME.fullmatch(line)
    return match[1].decode("ascii") if match else ""


def parse_bdat(line: bytes) -> tuple[int, bool] | None:
    """Return the size of the chunk in bytes and whether it is the last (RFC 3030 §2), None for bad syntax."""
    match = _BDAT.fullmatch(line)
    return (int(match[1]), match[2] is not None) if match else None


def argument(line: bytes) -> str:
    """Return what follows the four letters of a command. Raises UnicodeDecodeError."""
    return line[4:].strip(b" ").decode("utf-8") if len(line) > 4 else ""
