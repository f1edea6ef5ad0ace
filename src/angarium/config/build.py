"""From the syntax tree to the tree of scopes: every name and value is checked against the option table."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from angarium.config.known import KNOWN_NOT_SERVED, KNOWN_STANZAS
from angarium.config.names import guess, unknown_option
from angarium.config.options import Option, ScopeKind
from angarium.config.patterns import Pattern, read_pattern
from angarium.config.problems import ProblemList
from angarium.config.reading import BadValue, address_range, domain_name, numeric_address, port_number
from angarium.config.rule_builder import RuleBuilder
from angarium.config.scopes import DEFAULT, Scope, Setting
from angarium.config.syntax import Assignment, Item, Scalar, Stanza, format_value
from angarium.config.tables import option_in, options_named
from angarium.config.values import ListenAddress, Secret, SharedLimit, Throttle, Where, show_value

INSIDE: dict[ScopeKind, tuple[ScopeKind, ...]] = {
    "global": ("binding_group", "binding", "domain", "host", "esmtp_listener", "http_listener"),
    "binding_group": ("binding", "domain", "host"),
    "binding": ("domain", "host"),
    "domain": (),
    "host": (),
    "esmtp_listener": ("listen", "peer"),
    "http_listener": ("listen",),
    "listen": ("peer",),
    "peer": (),
}
"""Which stanzas may stand in which."""

NAMES: dict[ScopeKind, str] = {
    "global": "the global scope",
    "binding_group": "Binding_Group",
    "binding": "Binding",
    "domain": "Domain",
    "host": "Host",
    "esmtp_listener": "ESMTP_Listener",
    "http_listener": "HTTP_Listener",
    "listen": "Listen",
    "peer": "Peer",
}
"""How scopes are written."""

RULE = "Binding_Rule"

_ANY = {"": "0.0.0.0", "*": "0.0.0.0", "[*]": "::"}
_ANONYMOUS = ("binding_group", "esmtp_listener", "http_listener")
_SCOPE_OF: dict[str, ScopeKind] = {kind: kind for kind in NAMES if kind != "global"}


class Builder:
    """Fills a tree of scopes from the items of one or more files, in the order in which they are read."""

    def __init__(self, problems: ProblemList) -> None:
        self.problems = problems
        self.root = Scope("global", "", "global", None)
        self.rules = RuleBuilder(problems)

    def fill(self, scope: Scope, items: Iterable[Item]) -> None:
        """Take over *items* into *scope*; what is wrong is noted and left out.

        Includes are passed over: the loader puts the items of the file in their place.
        """
        for item in items:
            if isinstance(item, Assignment):
                self.assign(scope, item)
            elif isinstance(item, Stanza):
                self.open(scope, item)

    def assign(self, scope: Scope, item: Assignment) -> None:
        """Take over one assignment."""
        option = option_in(scope.kind, item.name)
        if option is None or (option.family != "listen" and _in_http(scope)):
            self.wrong_option(scope, item)
            return
        try:
            value = option.read(item.value)
        except BadValue as bad:
            self.problems.add(item.value.at, f"{option.name}: {bad}", bad.hint or f"write {option.kind.form}")
            return
        where = Where(item.at.file, item.at.line)
        if isinstance(value, (Throttle, SharedLimit)):
            value = replace(value, scope=scope.label, where=where)
        fields = scope.settings.setdefault(option.family, {})
        text = show_value(value) if isinstance(value, Secret) else format_value(item.value)
        fields[option.field] = Setting(value, text, where)

    def wrong_option(self, scope: Scope, item: Assignment) -> None:
        """Say why *item* cannot stand in *scope*."""
        name = item.name.lower()
        here = NAMES[scope.kind]
        if rows := options_named(name):
            self.problems.add(
                item.at, f"{rows[0].name} cannot stand in {here}", f"it belongs into {_places(rows)}"
            )
        elif name in _SCOPE_OF or name == RULE.lower():
            self.problems.add(
                item.at, f"{item.name} is a stanza, not an option", f'write {item.name} "…" {{ … }}'
            )
        else:
            self.problems.add(item.at, *unknown_option(item.name, scope.kind))

    def open(self, scope: Scope, item: Stanza) -> None:
        """Take over one stanza with all that is inside."""
        kind = _SCOPE_OF.get(item.name.lower())
        if item.name.lower() == RULE.lower() and scope.kind == "global":
            self.rules.take(item)
        elif kind is None:
            self.wrong_stanza(item)
        elif kind not in INSIDE[scope.kind] or (kind == "peer" and _in_http(scope)):
            outer = [NAMES[outer] for outer, inner in INSIDE.items() if kind in inner]
            message = f"{NAMES[kind]} cannot stand in {NAMES[scope.kind]}"
            self.problems.add(item.at, message, f"it belongs into {_either(outer)}")
        else:
            self.enter(scope, kind, item)

    def enter(self, scope: Scope, kind: ScopeKind, item: Stanza) -> None:
        """Open the stanza *item*, anew or again, and fill it."""
        try:
            name = self.stanza_name(kind, item)
            pattern = _pattern(name) if kind in ("domain", "host") else None
        except BadValue as bad:
            at = item.at if item.label is None else item.label.at
            self.problems.add(at, f"{NAMES[kind]}: {bad}", bad.hint)
            return
        inner = scope.add(kind, name, item.at, pattern)
        self.fill(inner, item.items)

    def stanza_name(self, kind: ScopeKind, item: Stanza) -> str:
        """Return the name of a stanza as it is looked up. Raises BadValue."""
        if item.label is not None:
            return _READ_NAME[kind](item.label)
        if kind not in _ANONYMOUS:
            raise BadValue("needs a name", f'write {NAMES[kind]} "…" {{ … }}')
        return DEFAULT

    def wrong_stanza(self, item: Stanza) -> None:
        """Say why there is no stanza of that name."""
        name = item.name.lower()
        if name in KNOWN_STANZAS or name in KNOWN_NOT_SERVED:
            shown = KNOWN_STANZAS.get(name) or KNOWN_NOT_SERVED[name]
            self.problems.add(item.at, f"{shown} is known, but not supported yet", "leave the stanza out")
        elif rows := options_named(name):
            hint = f"write {rows[0].name} = {rows[0].kind.form}"
            self.problems.add(item.at, f"{rows[0].name} is an option, not a stanza", hint)
        elif name == RULE.lower():
            self.problems.add(item.at, f"{RULE} cannot stand inside a stanza", "write it at the top level")
        else:
            known = [NAMES[kind] for kind in _SCOPE_OF.values()]
            self.problems.add(item.at, f"unknown stanza {item.name}", guess(name, [*known, RULE]))


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
    number = 0 if port == "0" else port_number(port)
    if host in _ANY:
        return ListenAddress(name, _ANY[host], number)
    address = numeric_address(host)
    if ":" in address and not host.startswith("["):
        raise BadValue(f'"{name}" needs brackets round its address', form)
    return ListenAddress(name, address, number)


def _pattern(name: str) -> Pattern | None:
    """Return what `/…/` matches, None for a plain name. Raises BadValue."""
    if not is_pattern(name):
        return None
    return read_pattern(name[1:-1], ignores_case=True)


def is_pattern(name: str) -> bool:
    """Whether a domain or host is written as a pattern, `/…/`."""
    return len(name) > 2 and name.startswith("/") and name.endswith("/")


def _site_name(label: Scalar) -> str:
    if is_pattern(label.text):
        return label.text
    if label.text.startswith("/"):
        raise BadValue(f'"{label.text}" begins as a pattern', 'write a pattern as "/…/"')
    name = domain_name(label.text)
    if not name or re.search(r"\s", name):
        raise BadValue(f'"{label.text}" is not a domain')
    return name


def _own_name(label: Scalar) -> str:
    if not label.text or re.search(r"[\s:]", label.text):
        raise BadValue(f'"{label.text}" cannot be a name', "names have no spaces and no colons")
    return label.text


def _listen_name(label: Scalar) -> str:
    return listen_address(label.text).name


def _peer_name(label: Scalar) -> str:
    return address_range(label.text)


_READ_NAME: dict[ScopeKind, Callable[[Scalar], str]] = {
    "binding_group": _own_name,
    "binding": _own_name,
    "esmtp_listener": _own_name,
    "http_listener": _own_name,
    "domain": _site_name,
    "host": _site_name,
    "listen": _listen_name,
    "peer": _peer_name,
}


def _in_http(scope: Scope) -> bool:
    return scope.label.startswith("http_listener ")


def _places(rows: Iterable[Option]) -> str:
    kinds = dict.fromkeys(kind for row in rows for kind in row.scopes)
    return _either([NAMES[kind] for kind in kinds])


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
