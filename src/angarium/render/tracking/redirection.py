"""Where a click is redirected to, as HTTP can say it. Pure."""

import re
from typing import Final
from urllib.parse import quote_from_bytes

import idna

_PARTS: Final = re.compile(rb"(https?://(?:[^/?#\\@]*@)?)([^/?#\\:]*)(.*)", re.IGNORECASE | re.DOTALL)
_ASCII: Final = bytes(range(0x21, 0x7F)).decode()


def location_of(target: bytes) -> bytes:
    """Return *target*, in UTF-8, as a URI (RFC 9110 §10.2.2): the very bytes, where they are ASCII; else the host in
    A-labels (RFC 5891) and other letters in `%`, as browsers do it.
    """
    parts = _PARTS.fullmatch(target)
    if target.isascii() or parts is None:
        return _escaped(target)
    before, host, after = parts.groups()
    return _escaped(before) + _host(host) + _escaped(after)


def _escaped(data: bytes) -> bytes:
    return data if data.isascii() else quote_from_bytes(data, safe=_ASCII).encode()


def _host(host: bytes) -> bytes:
    """Return the name in A-labels; what is no name, as any other text."""
    try:
        return host if host.isascii() else idna.encode(host.decode(), uts46=True)
    except (idna.IDNAError, UnicodeError):
        return _escaped(host)
