"""The syntax of AUTH (RFC 4954), of what goes to and fro in it, and of XCLIENT. Pure."""

import binascii
import re
from collections.abc import Callable, Collection
from ipaddress import ip_address

from angarium.smtp.server.command import CommandError
from angarium.smtp.server.syntax import shown_name
from angarium.smtp.xtext import decode_xtext, xtext_octets

_AUTH = re.compile(rb"AUTH ++([A-Za-z0-9_-]{1,20})(?: ++([^ ]++))?+ *+", re.IGNORECASE)
_ATTRIBUTE = re.compile(rb"([A-Za-z]{1,20})=([^ =]{1,1024})")
_GIVEN_NAMES = ("NAME", "HELO")
"""What clients and those who run their DNS call them: anything may be in it, as in EHLO."""
_UNKNOWN_VALUES = ("[UNAVAILABLE]", "[TEMPUNAVAIL]")


def parse_auth(line: bytes) -> tuple[str, bytes | None]:
    """Return the mechanism in upper case and the initial response, None without; `=` stands for an empty one.
    Raises CommandError.
    """
    match = _AUTH.fullmatch(line)
    if match is None:
        raise CommandError(
            501, "5.5.4", "AUTH needs the name of a mechanism, and at most one response in base64"
        )
    mechanism = match[1].decode("ascii").upper()
    if match[2] is None:
        return mechanism, None
    initial = b"" if match[2] == b"=" else decode_response(match[2])
    if initial is None:
        raise CommandError(501, "5.5.2", "the initial response is not base64")
    return mechanism, initial


def decode_response(line: bytes) -> bytes | None:
    """Return what *line* says in base64, None when it is not base64."""
    try:
        return binascii.a2b_base64(line, strict_mode=True) if line else b""
    except binascii.Error:
        return None


def encode_challenge(data: bytes) -> bytes:
    """Return the reply that asks for a response, with CRLF."""
    return b"334 " + binascii.b2a_base64(data, newline=False) + b"\r\n"


def parse_xclient(line: bytes, offered: Collection[str]) -> dict[str, str]:
    """Return the attributes: names in upper case, values decoded and checked, addresses without `IPV6:`, names of
    hosts as EHLO reads them. Raises CommandError.
    """
    words = line.split()[1:]
    if not words:
        raise CommandError(501, "5.5.4", "XCLIENT needs attributes, written NAME=value")
    return dict(_attribute(word, offered) for word in words)


def _attribute(word: bytes, offered: Collection[str]) -> tuple[str, str]:
    match = _ATTRIBUTE.fullmatch(word)
    if match is None:
        raise CommandError(501, "5.5.4", "attributes of XCLIENT are written NAME=value, the value as xtext")
    name = match[1].decode("ascii").upper()
    if name not in offered:
        raise CommandError(501, "5.5.4", f"XCLIENT has no {name} here: the reply to EHLO lists what there is")
    try:
        if name in _GIVEN_NAMES:
            value = shown_name(xtext_octets(match[2]))
        elif name == "LOGIN":
            value = _text(xtext_octets(match[2]))
        else:
            value = decode_xtext(match[2].decode("ascii", "replace"))
        is_unknown = value.upper() in _UNKNOWN_VALUES and name != "PROTO"
        return name, value.upper() if is_unknown else _VALUES[name](value)
    except ValueError as error:
        raise CommandError(501, "5.5.4", f"{name} of XCLIENT: {error}") from None


def _text(octets: bytes) -> str:
    """Return the name of a login, which is UTF-8 as in SASL (RFC 4616 §2). Raises ValueError."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("UTF-8 is needed") from None
    if not text.isprintable():  # it will be written into logs
        raise ValueError("control characters are not allowed")
    return text


def _address(value: str) -> str:
    text = value[5:] if value[:5].upper() == "IPV6:" else value
    try:
        if "%" in text:
            raise ValueError
        return str(ip_address(text))
    except ValueError:
        raise ValueError("an IP address is needed") from None


def _port(value: str) -> str:
    if not (value.isdigit() and len(value) <= 5 and int(value) <= 65_535):
        raise ValueError("a port number is needed")
    return str(int(value))


def _protocol(value: str) -> str:
    if value.upper() not in ("SMTP", "ESMTP"):
        raise ValueError("SMTP or ESMTP is needed")
    return value.upper()


def _name(value: str) -> str:
    if len(value) > 255:
        raise ValueError("too long")
    return value


_VALUES: dict[str, Callable[[str], str]] = {
    "NAME": _name,
    "ADDR": _address,
    "PORT": _port,
    "PROTO": _protocol,
    "HELO": _name,
    "LOGIN": _name,
    "DESTADDR": _address,
    "DESTPORT": _port,
}
