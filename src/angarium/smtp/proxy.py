"""Reading the PROXY protocol (HAProxy's proxy-protocol.txt), versions 1 (§2.1) and 2 (§2.2), with which a load balancer
says which client is behind it. Pure.

    PROXY TCP4 192.0.2.7 198.51.100.1 40123 25        version 1: one line
    0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A, 21, 11, …    version 2: signature, command, family, length, addresses

The header comes before the first byte of anything else, TLS included, and only from proxies that are trusted.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from struct import unpack
from typing import NamedTuple

from angarium.core.errors import AngariumError

MAX_LINE = 107
"""Bytes of a header of version 1, with its line end."""
MAX_LENGTH = 4096
"""Bytes of addresses and additions (TLVs) in a header of version 2; the format would allow 65,535."""

_LINE_START = b"PROXY "
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED = len(_SIGNATURE) + 4
_LOCAL, _PROXY = 0x20, 0x21
_UNSPECIFIED, _TCP4, _TCP6, _UNIX = 0x00, 0x11, 0x21, 0x31
_SIZES = {_UNSPECIFIED: 0, _TCP4: 12, _TCP6: 36, _UNIX: 216}
_LINE_FAMILIES: dict[bytes, type[IPv4Address] | type[IPv6Address]] = {
    b"TCP4": IPv4Address,
    b"TCP6": IPv6Address,
}

Place = tuple[str, int]
"""Address and port."""


class ProxyError(AngariumError):
    """The peer sent no PROXY header, or one that cannot be read. The connection is to be closed without a reply."""


class ProxyHeader(NamedTuple):
    """A header of *consumed* bytes. *source* is the client and *destination* what it connected to; both None when the
    proxy does not say: because it speaks for itself (*is_own*, a health check), or because the client has no address
    that it could name.
    """

    consumed: int
    source: Place | None
    destination: Place | None
    version: int
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Incomplete:
    """So far it may become a header."""


def parse_proxy(data: bytes) -> ProxyHeader | Incomplete:
    """Read the header with which *data* begins. Additions (TLVs) are passed over. Raises ProxyError."""
    if data.startswith(_SIGNATURE):
        return _parse_binary(data)
    if data.startswith(_LINE_START):
        return _parse_line(data)
    if _SIGNATURE.startswith(data) or _LINE_START.startswith(data):
        return Incomplete()
    raise ProxyError("no PROXY header came first: is this peer a proxy that sends one?")


def _parse_line(data: bytes) -> ProxyHeader | Incomplete:
    end = data.find(b"\r\n", 0, MAX_LINE)
    if end < 0:
        if len(data) < MAX_LINE:
            return Incomplete()
        raise ProxyError(f"the PROXY line has no end within {MAX_LINE} bytes")
    words = data[:end].split(b" ")
    if words[1] == b"UNKNOWN":
        return ProxyHeader(end + 2, None, None, 1)
    family = _LINE_FAMILIES.get(words[1])
    if family is None or len(words) != 6:
        raise ProxyError(
            "the PROXY line is neither UNKNOWN nor TCP4 or TCP6 with two addresses and two ports"
        )
    try:
        source, destination = (_address(word, family) for word in words[2:4])
        return ProxyHeader(end + 2, (source, _port(words[4])), (destination, _port(words[5])), 1)
    except ValueError as error:
        raise ProxyError(f"the PROXY line has a bad address or port: {error}") from None


def _address(word: bytes, family: type[IPv4Address] | type[IPv6Address]) -> str:
    text = word.decode("ascii")
    if "%" in text:
        raise ValueError(f"{text!r} has a zone")
    return str(family(text))


def _port(word: bytes) -> int:
    if not word.isdigit() or (word[:1] == b"0" and word != b"0") or int(word[:6]) > 65_535:
        raise ValueError(f"{word!r} is not a port")
    return int(word)


def _parse_binary(data: bytes) -> ProxyHeader | Incomplete:
    if len(data) < _FIXED:
        return Incomplete()
    command, family, length = unpack("!BBH", data[len(_SIGNATURE) : _FIXED])
    if command not in (_LOCAL, _PROXY):
        raise ProxyError(f"PROXY version and command {command:#04x} are unknown")
    if length > MAX_LENGTH:
        raise ProxyError(f"a PROXY header of {length} bytes is more than the {MAX_LENGTH} that are read")
    if command == _PROXY and (family not in _SIZES or length < _SIZES[family]):
        raise ProxyError(
            f"PROXY family {family:#04x} with {length} bytes of addresses is not TCP over IP, nor Unix"
        )
    end = _FIXED + length
    if len(data) < end:
        return Incomplete()
    if command == _LOCAL or family not in (_TCP4, _TCP6):
        return ProxyHeader(end, None, None, 2, command == _LOCAL)
    return ProxyHeader(end, *_places(data[_FIXED:end], family), 2)


def _places(data: bytes, family: int) -> tuple[Place, Place]:
    kind, form = (IPv4Address, "!4s4sHH") if family == _TCP4 else (IPv6Address, "!16s16sHH")
    source, destination, source_port, destination_port = unpack(form, data[: _SIZES[family]])
    return (str(kind(source)), source_port), (str(kind(destination)), destination_port)
