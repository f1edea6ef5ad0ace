"""The small syntax of the server's commands (RFC 5321 §4.1.1, RFC 3030 §2): names, chunk sizes, arguments."""

import re

NO_MAIL_VERBS = frozenset((b"EXPN", b"TURN", b"ETRN", b"ATRN", b"SEND", b"SOML", b"SAML", b"BURL"))
"""Commands that exist and are not served."""

WEB_VERBS = frozenset(
    (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"CONNECT", b"TRACE", b"PRI")
)
"""A browser, or a script in one, that was sent to the wrong port."""

_NAME = re.compile(rb"(?:HELO|EHLO) ++([!-~]{1,255}) *+", re.IGNORECASE)
_ODD = re.compile(r"[^!-~]")
_MAX_NAME = 255
_BDAT = re.compile(rb"BDAT[ \t]++([0-9]{1,20})([ \t]++LAST)?+[ \t]*+", re.IGNORECASE)


def parse_name(line: bytes, pedantic: bool = False) -> str:
    """Return the name in HELO or EHLO, empty if there is none or it cannot be one. Real ones often break the rules
    for host names: what is more than printable ASCII, which *pedantic* refuses, becomes `?`.
    """
    match = _NAME.fullmatch(line)
    if match is not None or pedantic:
        return match[1].decode("ascii") if match else ""
    return shown_name(line[5:].strip(b" \t"))


def shown_name(name: bytes) -> str:
    """Return the name that a peer gave itself as it may stand in logs and in Received."""
    return _ODD.sub("?", _text(name)[:_MAX_NAME])


def _text(name: bytes) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("latin-1")


def parse_bdat(line: bytes) -> tuple[int, bool] | None:
    """Return the size of the chunk in bytes and whether it is the last (RFC 3030 §2), None for bad syntax."""
    match = _BDAT.fullmatch(line)
    return (int(match[1]), match[2] is not None) if match else None


def argument(line: bytes) -> str:
    """Return what follows the four letters of a command. Raises UnicodeDecodeError."""
    return line[4:].strip(b" \t").decode("utf-8") if len(line) > 4 else ""


def has_argument(line: bytes) -> bool:
    """Whether more than blanks follows the four letters of a command (RFC 5321 §4.1.1: they are passed over)."""
    return len(line) > 4 and bool(line[4:].strip(b" \t"))
