"""Where a request goes: what of a URL is looked at, and in one spelling only. Pure.

URLs are read by many programs, each a little differently, and what one checks another may understand as something
else. So what could be read in two ways is refused, with what to write instead.
"""

import base64
import re
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

import idna

from angarium.core.errors import AngariumError

LONGEST: Final = 2_000
_PORTS: Final = {"http": 80, "https": 443}
_LAST_SYSTEM_PORT: Final = 1023
_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(rf"(?=.{{1,253}}\Z)({_LABEL}\.)*{_LABEL}")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PRINTABLE: Final = re.compile(r"[!-~]+")


class BadTarget(AngariumError):
    """A URL that nothing is sent to. The text says why, and what to write instead."""


class FetchTarget(NamedTuple):
    """*scheme* is http or https. *host* is a name in lower-case A-labels, or an address in numbers, without brackets.
    *path* has the query. *authorization* is a header field's value (RFC 7617) from name and password in the URL;
    empty: none.
    """

    scheme: str
    host: str
    port: int
    path: str
    authorization: str = ""

    @property
    def authority(self) -> str:
        """The value of the Host header field."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_system_port(self) -> bool:
        """Whether the port is one of those where other services than HTTP listen, that take commands by lines."""
        return self.port <= _LAST_SYSTEM_PORT and self.port not in _PORTS.values()

    @property
    def shown(self) -> str:
        """The URL without name, password and query, which may be secrets."""
        return f"{self.scheme}://{self.authority}{self.path.partition('?')[0]}"


def target_of(url: str) -> FetchTarget:
    """Read *url*. Raises BadTarget."""
    if len(url) > LONGEST:
        raise BadTarget(f"the URL is longer than {LONGEST} characters")
    if not url.isascii():
        url = _in_ascii(url)
    if _PRINTABLE.fullmatch(url) is None or "\\" in url:
        raise BadTarget(
            "a blank, a backslash or a control character stands in the URL; write it as %20, %5C …"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadTarget(f"it is no URL: {error}") from None
    if parts.scheme not in _PORTS:
        raise BadTarget("the URL has to begin with https:// or http://")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return FetchTarget(parts.scheme, _host(parts), port or _PORTS[parts.scheme], path, _authorization(parts))


def _in_ascii(url: str) -> str:
    """Return *url* with its host in A-labels; anywhere else such characters are to be written as %XX."""
    begin, slashes, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    login, at, host = authority.rpartition("@")
    try:
        name, colon, port = host.partition(":")
        return (
            f"{begin}{slashes}{login}{at}{idna.encode(name, uts46=True).decode()}{colon}{port}{slash}{path}"
        )
    except (idna.IDNAError, UnicodeError) as error:
        raise BadTarget(f"the host of the URL is no name: {error}") from None


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").removesuffix(".")
    if parts.netloc.rpartition("@")[2].startswith("["):
        return _v6(host)
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        return _v4(host)
    if _HOST.fullmatch(host) is None:
        raise BadTarget(f"{host!r} is no name of a host" if host else "the URL names no host")
    return host


def _v4(host: str) -> str:
    try:
        return str(IPv4Address(host))
    except ValueError:
        raise BadTarget(f"{host} is no address; write four decimal numbers, as in 198.51.100.7") from None


def _v6(host: str) -> str:
    try:
        if "%" in host:
            raise ValueError
        return str(IPv6Address(host))
    except ValueError:
        raise BadTarget(f"[{host}] is no IPv6 address, or one with a zone") from None


def _authorization(parts: SplitResult) -> str:
    if parts.username is None:
        return ""
    return basic(unquote(parts.username), unquote(parts.password or ""))


def basic(username: str, password: str) -> str:
    """Return the value of the Authorization header field for a name and a password (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
