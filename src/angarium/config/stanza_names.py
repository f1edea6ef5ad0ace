"""What stanzas are named by, each kind in its own form. A name that could never match is refused."""

import re
from collections.abc import Callable

from angarium.config.options import ScopeKind
from angarium.config.patterns import Pattern, read_pattern
from angarium.config.reading import BadValue, address_range, numeric_address, port_number
from angarium.config.sites import is_pattern, site_name
from angarium.config.values import ListenAddress

_ANY = {"": "0.0.0.0", "*": "0.0.0.0", "[*]": "::"}
_SERVICES = {"smtp": 25, "smtps": 465, "submissions": 465, "submission": 587, "http": 80, "lmtp": 24}
_NOBODY = {"0.0.0.0/32": "0.0.0.0/0", "::/128": "::/0"}


def read_name(kind: ScopeKind, text: str) -> str:
    """Return the name of a stanza of that kind as it is looked up. Raises BadValue."""
    return _READ[kind](text)


def pattern_of(kind: ScopeKind, name: str) -> Pattern | None:
    """Return what the `/…/` of a domain or host matches, None for a plain name. Raises BadValue."""
    if kind not in ("domain", "host") or not is_pattern(name):
        return None
    return read_pattern(name[1:-1], ignores_case=True)


def listen_address(name: str) -> ListenAddress:
    """Return what `Listen` *name* means: `:25`, `*:25`, `[*]:25`, `address:port`, `[v6]:port`, `/path`.

    Port 0 lets the kernel choose. Raises BadValue.
    """
    if name.startswith("/"):
        return ListenAddress(name, path=name)
    host, colon, port = name.rpartition(":")
    form = 'write "192.0.2.1:25", "*:25", "[2001:db8::1]:25" or "/path"'
    if not colon:
        raise BadValue(f'"{name}" has no port', form)
    if host.lower() == "unix":
        raise BadValue(f'"{name}" is not an address', f'write "{port}"')
    if port.lower() in _SERVICES:
        raise BadValue(f'"{name}" names a service', f'write "{host}:{_SERVICES[port.lower()]}"')
    number = 0 if port == "0" else port_number(port)
    if host in _ANY:
        return ListenAddress(name, _ANY[host], number)
    if host.lower() == "localhost":
        raise BadValue(
            f'"{name}": names are not looked up here', f'write "127.0.0.1:{port}" or "[::1]:{port}"'
        )
    try:
        address = numeric_address(host)
    except BadValue as bad:
        raise BadValue(str(bad), form) from None
    if ":" in address and not host.startswith("["):
        raise BadValue(f'"{name}" needs brackets round its address', form)
    return ListenAddress(name, address, number)


def _own_name(text: str) -> str:
    if not text or re.search(r"[\s:]", text):
        raise BadValue(f'"{text}" cannot be a name', "names have no spaces and no colons")
    if text == "*" or is_pattern(text):
        raise BadValue(f'"{text}" is not one name', "what holds for all stands outside of such stanzas")
    return text


def _listen_name(text: str) -> str:
    return listen_address(text).name


def _peer_name(text: str) -> str:
    network = address_range(text)
    if network in _NOBODY:
        raise BadValue(f'"{text}" is no address that a peer has', f"write {_NOBODY[network]} for all peers")
    return network


_READ: dict[ScopeKind, Callable[[str], str]] = {
    "binding_group": _own_name,
    "binding": _own_name,
    "esmtp_listener": _own_name,
    "http_listener": _own_name,
    "domain": site_name,
    "host": site_name,
    "listen": _listen_name,
    "peer": _peer_name,
}
