"""What can only be checked or made when all files are read: sockets, bindings, the digest of a listener."""

import hashlib
from collections.abc import Sequence
from dataclasses import fields

from angarium.config.model import Config
from angarium.config.options import ScopeKind
from angarium.config.problems import Position, ProblemList, SourceText
from angarium.config.reading import BadValue
from angarium.config.records import InboundOptions
from angarium.config.scopes import DEFAULT, Scope, first_setting
from angarium.config.stanza_names import listen_address
from angarium.config.values import ListenAddress, show_value

DEFAULT_LISTEN = "127.0.0.1:2525"
DEFAULT_HTTP_LISTEN = "127.0.0.1:8080"

Sockets = tuple[ListenAddress, ...]


def smtp_sockets(root: Scope, problems: ProblemList) -> dict[str, Sockets]:
    """Return the sockets of each ESMTP listener in use; without any stanza, those of the default one.

    A listener `default` without a `Listen` has the default address, any other needs one.
    """
    listeners = root.inside("esmtp_listener")
    if not listeners:
        return {DEFAULT: (listen_address(DEFAULT_LISTEN),)}
    found: dict[str, Sockets] = {}
    for listener in listeners:
        default = DEFAULT_LISTEN if listener.name == DEFAULT else None
        sockets = _sockets(listener, default, problems)
        if sockets:
            found[listener.name] = sockets
    return found


def http_sockets(root: Scope, problems: ProblemList) -> Sockets:
    """Return the sockets of the HTTP listeners in use; the default one when there is no stanza."""
    listeners = root.inside("http_listener")
    if not listeners:
        return (listen_address(DEFAULT_HTTP_LISTEN),)
    return tuple(
        address for listener in listeners for address in _sockets(listener, DEFAULT_HTTP_LISTEN, problems)
    )


def put_sockets(
    root: Scope, kind: ScopeKind, addresses: Sequence[str], said_by: str, problems: ProblemList
) -> None:
    """Have the one listener of a kind take connections at *addresses*, which the option *said_by* gives, instead of at
    those that the files name; no addresses: leave all as it is.
    """
    if not addresses:
        return
    listeners = root.inside(kind)
    is_off = any(one.setting("listen", "enable") for one in listeners)
    if (
        len(listeners) > 1
        or is_off
        or any(_says_more(one) for outer in listeners for one in outer.inside("listen"))
    ):
        why = "the file names several listeners, turns one off, or says more of a socket than its address"
        problems.add_file(
            said_by, f"cannot stand in for what the file has: {why}", "write Listen in the file"
        )
        return
    at = Position(SourceText(said_by, " ".join(addresses)), 0)
    listener = root.add(kind, listeners[0].name if listeners else DEFAULT, at, None)
    listener.children.pop("listen", None)
    for address in addresses:
        try:
            listener.add("listen", listen_address(address).name, at, None)
        except BadValue as bad:
            problems.add_file(said_by, str(bad), bad.hint)


def _says_more(listen: Scope) -> bool:
    return bool(listen.settings or listen.children)


def _sockets(listener: Scope, default: str | None, problems: ProblemList) -> Sockets:
    listens = listener.inside("listen")
    if not listens and _enabled([listener]):
        if default is not None:
            return (listen_address(default),)
        if listener.at is not None:
            problems.add(
                listener.at, f"{listener.label} has no socket", 'write Listen "192.0.2.1:25" { } in it'
            )
    return tuple(listen_address(listen.name) for listen in listens if _enabled([listen, listener]))


def _enabled(chain: list[Scope]) -> bool:
    found = first_setting(chain, "listen", "enable")
    return found is None or bool(found[0].value)


def check_overlap(root: Scope, problems: ProblemList) -> None:
    """No two `Listen` stanzas can take the same socket."""
    seen: list[tuple[ListenAddress, Scope]] = []
    for listener in (*root.inside("esmtp_listener"), *root.inside("http_listener")):
        for listen in listener.inside("listen"):
            address = listen_address(listen.name)
            other = next((owner for taken, owner in seen if _overlap(taken, address)), None)
            if other is not None and listen.at is not None:
                problems.add(
                    listen.at, f"{address} is taken by {other.label} ({other.where})", "give one of them up"
                )
            seen.append((address, listen))


def _overlap(one: ListenAddress, other: ListenAddress) -> bool:
    if one.path or other.path:
        return one.path == other.path
    if one.port != other.port or one.port == 0 or (":" in one.host) != (":" in other.host):
        return False
    return one.host == other.host or bool({one.host, other.host} & {"0.0.0.0", "::"})


def check_bindings(root: Scope, problems: ProblemList) -> None:
    """A binding stands in one group; one at top level is in the group `default`."""
    homes: dict[str, tuple[str, Scope]] = {}
    for parent in (*root.inside("binding_group"), root):
        group = parent.name or DEFAULT
        for binding in parent.inside("binding"):
            home, first = homes.setdefault(binding.name, (group, binding))
            if home != group and binding.at is not None:
                message = f"binding {binding.name} is in the group {home} already ({first.where})"
                problems.add(binding.at, message, "put its options there, or choose another name")


def digest(config: Config, listener: str, listens: Sockets) -> str:
    """Return what changes when anything changes that a session of the listener could notice."""
    told: list[object] = [listener, config.globals.hostname, config.globals.large_message_threshold]
    for listen in listens:
        told += [str(listen), config.listen_options(listener, listen.name)]
        told += _fields(config.inbound(listener, listen.name, ""))
    scope = config.root.child("esmtp_listener", listener)
    for inner in scope.walk() if scope is not None else ():
        if inner.kind == "peer":
            told += [inner.label, *_settings(inner)]
    return hashlib.sha256("\n".join(map(str, told)).encode()).hexdigest()


def _fields(options: InboundOptions) -> list[str]:
    return [f"{field.name} {show_value(getattr(options, field.name))}" for field in fields(options)]


def _settings(scope: Scope) -> list[str]:
    found = scope.settings.get("inbound", {})
    return sorted(f"{name} {show_value(setting.value)}" for name, setting in found.items())
