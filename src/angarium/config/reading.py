"""Reads what values are made of: scalars and lists from the tree, numbers, addresses and names from texts."""

import ipaddress
import re
from collections.abc import Callable

import idna

from angarium.config.problems import Position
from angarium.config.syntax import DictValue, ListValue, Scalar, Value

HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?\Z"
)
"""A host name in lower-case A-labels."""


_NUMBER = r"(?:[0-9]+|0x[0-9a-f]*)\Z"
_MX_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:[a-z0-9_-]{{1,63}}\.)*(?!{_NUMBER})[a-z0-9_-]{{1,63}}\Z")


class BadValue(ValueError):
    """A value is not of its option's kind. *hint* says what to write."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class WrongForm(BadValue):
    """A value is a list where one value is wanted, or the like: nothing is wrong with its items."""


def scalar(value: Value, form: str = "") -> str:
    """Return the text of a single value. Raises BadValue for a list or a dictionary."""
    if isinstance(value, Scalar):
        return value.text
    what = "list" if isinstance(value, ListValue) else "dictionary"
    raise WrongForm(f"takes one value, not a {what}", f"write {form}" if form else "")


def scalars(value: Value, form: str) -> list[str]:
    """Return the texts of a list; one without parentheses is a list of one. Raises BadValue for anything else."""
    if isinstance(value, ListValue):
        return [item.text for item in value.items]
    if isinstance(value, DictValue):
        raise BadValue("takes a list, not a dictionary", f"write {form}")
    parts = [part for part in re.split(r"[\s,;]+", value.text) if part]
    if len(parts) == 1 and parts[0].lower() != "none":
        return parts
    raise BadValue(
        "takes a list", f"write ( {' '.join(parts)} )" if len(parts) > 1 else f"write ( ) or {form}"
    )


def faults(read: Callable[[Value], object], value: Value) -> list[tuple[Position, BadValue]]:
    """Return what *read* finds wrong with single items of a list, each with its place."""
    found = []
    for item in value.items if isinstance(value, ListValue) else ():
        try:
            read(ListValue((item,), item.at))
        except WrongForm:
            return []
        except BadValue as bad:
            found.append((item.at, bad))
    return found


def pairs(value: Value, form: str) -> list[tuple[str, str]]:
    """Return keys and values of a dictionary. Raises BadValue for anything else."""
    if isinstance(value, DictValue):
        return [(key.text, item.text) for key, item in value.items]
    raise WrongForm("takes a dictionary", f"write {form}")


def whole_number(text: str) -> int:
    """Return a decimal number with an optional sign. Raises BadValue."""
    if re.fullmatch(r"[+-]?[0-9]{19,}", text):
        raise BadValue(f"{text[:20]}… is too large", "write at most 18 digits")
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise BadValue(f'"{text}" is not a whole number')
    return int(text)


def numeric_address(text: str) -> str:
    """Return an IP address, with or without brackets, in its usual form and without. Raises BadValue."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        raise BadValue(f'"{text}" is not an IP address') from None


def host_port(text: str, what: str = "host:port") -> tuple[str, int | None]:
    """Split `host`, `host:port`, `[v6]` or `[v6]:port`; a bare IPv6 address needs its brackets.

    Returns the host in lower case without brackets, an IP address in its usual form. Raises BadValue.
    """
    match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?", text)
    if match is None:
        hint = f'write "[{text}]"' if text.count(":") > 1 else f"write {what}"
        raise BadValue(f'"{text}" is not {what}', hint)
    return host_name(match[1], text), None if match[2] is None else port_number(match[2])


def port_number(text: str) -> int:
    """Return a TCP or UDP port. Raises BadValue."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65_536:
        raise BadValue(f"{text} is not a port", "ports are 1 to 65535")
    return int(text)


def host_name(text: str, whole: str) -> str:
    """Return the host that *text*, a part of *whole*, names, or its address. Raises BadValue."""
    if text.startswith("[") or re.fullmatch(r"[0-9.]+", text):
        return numeric_address(text)
    name = domain_name(text)
    if not HOST_NAME.match(name):
        raise BadValue(f'"{whole}" does not begin with the name or address of a host')
    return name


def domain_name(text: str) -> str:
    """Return a domain in lower-case A-labels; ASCII is not checked further. Raises BadValue."""
    if text.isascii():
        return text.lower()
    try:
        return idna.encode(text, uts46=True).decode()
    except idna.IDNAError as error:
        raise BadValue(f'"{text}" is not a domain: {error}') from None


def is_host_name(text: str) -> bool:
    """Whether *text* is lower-case letters, digits, hyphens, underscores in labels of legal length.

    What ends in a number is none (RFC 1123 §2.1): programs read `127.1` and `0x7f000001` as addresses.
    """
    return _MX_NAME.match(text) is not None


def address_range(text: str) -> str:
    """Return an address or a range `address/length` in its usual form. Raises BadValue."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise BadValue(f'"{text}" is not an address range', _range_meant(text)) from None
    raise BadValue(f'"{text}" has bits set behind its prefix', f"write {meant}")


def _range_meant(text: str) -> str:
    """Say how what people write for a range is written here."""
    if text.startswith("["):
        return "write it without brackets"
    if text.lower() in ("*", "all", "any", "everyone"):
        return "write 0.0.0.0/0 and ::/0"
    if text.lower() == "localhost":
        return "write 127.0.0.0/8 and ::1"
    for meant in (_short_range, _from_to, _without_port):
        if found := meant(text):
            return f"write {found}"
    if _network(text.partition("/")[0]):
        return "a prefix is 0 to 32 bits for IPv4, and 0 to 128 for IPv6"
    if re.search(r"[\s,]", text.strip()):
        return "write each address or range by itself"
    if re.search(r"[g-z]", text.lower()):
        return "names are not looked up here: write their addresses"
    return "write 192.0.2.0/24 or 2001:db8::/32"


def _short_range(text: str) -> str:
    """Return the range that `10.`, `10.*`, `10.1.*.*` or `10.1/16` stands for."""
    match = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,3}){0,2})(?:\.|(?:\.\*){1,3}|/([0-9]{1,2}))", text)
    if match is None:
        return ""
    octets = match[1].split(".")
    length = match[2] or str(8 * len(octets))
    return _network(f"{'.'.join((octets + ['0'] * 3)[:4])}/{length}")


def _from_to(text: str) -> str:
    """Return the ranges that make up `192.0.2.1-192.0.2.9`, if they are few."""
    first, dash, last = (part.strip() for part in text.partition("-"))
    try:
        ranges = [str(r) for r in ipaddress.summarize_address_range(_ip(first), _ip(last))] if dash else []
    except (ValueError, TypeError):
        return ""
    return " ".join(ranges) if len(ranges) <= 8 else ""


def _ip(text: str) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(text)


def _without_port(text: str) -> str:
    match = re.fullmatch(r"([0-9.]+):[0-9]+", text)
    return _network(match[1]) if match else ""


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False)).removesuffix("/32")
    except ValueError:
        return ""
