"""From the syntax tree to the tree of scopes: every name and value is checked against the option table."""

from collections.abc import Iterable
from dataclasses import replace

from angarium.config.known import KNOWN_OPTIONS, KNOWN_STANZAS
from angarium.config.names import guess, not_served, unknown_option
from angarium.config.options import Option, ScopeKind
from angarium.config.problems import ProblemList
from angarium.config.reading import BadValue, faults
from angarium.config.rule_builder import RuleBuilder
from angarium.config.scopes import DEFAULT, Scope, Setting
from angarium.config.sites import has_no_dot
from angarium.config.spellings import leaves_out, spelled_out
from angarium.config.stanza_names import pattern_of, read_name
from angarium.config.syntax import Assignment, Item, Stanza, format_value
from angarium.config.tables import option_in, options_named
from angarium.config.values import Secret, SharedLimit, Throttle, Where, show_value

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

_NO_DOT = "write example.com in full; what holds for all domains stands outside of Domain"
_ANONYMOUS = ("binding_group", "esmtp_listener", "http_listener")
_SCOPE_OF: dict[str, ScopeKind] = {kind: kind for kind in NAMES if kind != "global"}


class Builder:
    """Fills a tree of scopes from the items of one or more files, in the order in which they are read."""

    def __init__(self, problems: ProblemList, warnings: ProblemList) -> None:
        self.problems = problems
        self.warnings = warnings
        self.root = Scope("global", "", "global", None)
        self.rules = RuleBuilder(problems)

    def fill(self, scope: Scope, items: Iterable[Item]) -> None:
        """Take over *items* into *scope*; what is wrong is noted and left out.

        Includes are passed over: the loader puts the items of the file in their place.
        """
        for item in items:
            if isinstance(item, Assignment):
                for assignment in spelled_out(item):
                    self.assign(scope, assignment)
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
            for at, fault in faults(option.read, item.value) or [(item.value.at, bad)]:
                self.problems.add(at, f"{option.name}: {fault}", fault.hint or f"write {option.kind.form}")
            return
        where = Where(item.at.file, item.at.line)
        if isinstance(value, (Throttle, SharedLimit)):
            value = replace(value, scope=scope.label, where=where)
        fields = scope.settings.setdefault(option.family, {})
        text = show_value(value) if isinstance(value, Secret) else format_value(item.value)
        fields[option.field] = Setting(value, text, where)
        if missing := option.field == "smtp_extensions" and leaves_out(value, option.default):
            message = f"{option.name} does not offer {', '.join(missing)}: the list is all there is"
            self.warnings.add(item.value.at, message, "name them as well where they are wanted")

    def wrong_option(self, scope: Scope, item: Assignment) -> None:
        """Say why *item* cannot stand in *scope*."""
        if self.problems.is_full:  # guesses take time, and nobody would read this one
            self.problems.add(item.at, f"unknown option {item.name}")
            return
        name = item.name.lower()
        if rows := options_named(name):
            hint = f"it belongs into {_places(rows)}"
            if scope.kind == "listen" and _in_http(scope):
                message = f"{rows[0].name} cannot stand in Listen of HTTP_Listener"
            else:
                message = f"{rows[0].name} cannot stand in {NAMES[scope.kind]}"
            self.problems.add(item.at, message, hint)
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
            pattern = pattern_of(kind, name)
        except BadValue as bad:
            at = item.at if item.label is None else item.label.at
            self.problems.add(at, f"{NAMES[kind]}: {bad}", bad.hint)
            return
        if kind == "domain" and item.label is not None and has_no_dot(name):
            self.warnings.add(
                item.label.at, f'Domain "{name}" has no dot: it is one domain, and no part of others', _NO_DOT
            )
        inner = scope.add(kind, name, item.at, pattern)
        self.fill(inner, item.items)

    def stanza_name(self, kind: ScopeKind, item: Stanza) -> str:
        """Return the name of a stanza as it is looked up. Raises BadValue."""
        if item.label is not None:
            return read_name(kind, item.label.text)
        if kind not in _ANONYMOUS:
            raise BadValue("needs a name", f'write {NAMES[kind]} "…" {{ … }}')
        return DEFAULT

    def wrong_stanza(self, item: Stanza) -> None:
        """Say why there is no stanza of that name."""
        name = item.name.lower()
        known = KNOWN_STANZAS.get(name) or KNOWN_OPTIONS.get(name)
        if known is not None:
            self.problems.add(item.at, *not_served(known, "leave the stanza out"))
        elif rows := options_named(name):
            hint = f"write {rows[0].name} = {rows[0].kind.form}"
            self.problems.add(item.at, f"{rows[0].name} is an option, not a stanza", hint)
        elif name == RULE.lower():
            self.problems.add(item.at, f"{RULE} cannot stand inside a stanza", "write it at the top level")
        else:
            served = [NAMES[kind] for kind in _SCOPE_OF.values()]
            self.problems.add(item.at, f"unknown stanza {item.name}", guess(name, [*served, RULE]))


def _in_http(scope: Scope) -> bool:
    return scope.label.startswith("http_listener ")


def _places(rows: Iterable[Option]) -> str:
    kinds = dict.fromkeys(kind for row in rows for kind in row.scopes)
    return _either([NAMES[kind] for kind in kinds])


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
