"""The tree of scopes, and the order in which an option is looked up in it.

Every lookup is per option, not per stanza: the most specific scope that sets *this* option wins. A chain
is the list of scopes that may set it, most specific first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from angarium.config.options import Family, ScopeKind
from angarium.config.patterns import Pattern
from angarium.config.problems import Position
from angarium.config.sites import bare_address
from angarium.config.values import CidrSet, Where, stanza_domain

DEFAULT = "default"
"""The binding of mail that no rule gave one, and the group of bindings that stand in none."""


class Setting(NamedTuple):
    """A value that a stanza sets. *text* is the value as written."""

    value: object
    text: str
    where: Where


@dataclass(frozen=True, slots=True)
class Resolved:
    """The value in force, and what set it.

    *where* is None for a built-in default; *scope* names the stanza instance (`binding_group g`),
    `global`, or `default`. Limits that are shared by reference have one counter per *scope*.
    """

    value: object
    where: Where | None
    scope: str


class Scope:
    """One stanza instance, all its places in the files merged.

    *label* names it in full, from the outermost in.
    """

    def __init__(self, kind: ScopeKind, name: str, label: str, at: Position | None) -> None:
        self.kind = kind
        self.name = name
        self.label = label
        self.at = at
        self.settings: dict[Family, dict[str, Setting]] = {}
        self.children: dict[ScopeKind, dict[str, Scope]] = {}
        self.patterns: dict[ScopeKind, list[tuple[Pattern, Scope]]] = {}
        self._ranges: CidrSet | None = None

    @property
    def where(self) -> Where | None:
        """The place where it was opened first; None for the global scope."""
        return None if self.at is None else Where(self.at.file, self.at.line)

    def child(self, kind: ScopeKind, name: str) -> "Scope | None":
        """Return the stanza of that kind and name directly inside, if there is one."""
        return self.children.get(kind, {}).get(name)

    def inside(self, kind: ScopeKind) -> list["Scope"]:
        """Return the stanzas of a kind directly inside, in order of declaration."""
        return list(self.children.get(kind, {}).values())

    def add(self, kind: ScopeKind, name: str, at: Position, pattern: Pattern | None) -> "Scope":
        """Return the stanza of that kind and name, making it when it is not there.

        *pattern*: what it matches.
        """
        found = self.child(kind, name)
        if found is not None:
            return found
        own = f"{kind} {name}"
        scope = Scope(kind, name, own if self.kind == "global" else f"{self.label}::{own}", at)
        self.children.setdefault(kind, {})[name] = scope
        if pattern is not None:
            self.patterns.setdefault(kind, []).append((pattern, scope))
        return scope

    def matching(self, kind: ScopeKind, name: str) -> list["Scope"]:
        """Return the stanzas inside that match *name*: the exact one, then patterns as declared.

        An address in the brackets of a literal is the address.
        """
        exact = self.child(kind, bare_address(name) or name)
        found = [scope for pattern, scope in self.patterns.get(kind, ()) if pattern.is_in(name)]
        return [exact, *found] if exact is not None and exact not in found else found

    def peer_of(self, ip: str) -> "Scope | None":
        """Return the `Peer` inside with the longest prefix that holds *ip*."""
        peers = self.children.get("peer")
        if peers is None:
            return None
        if self._ranges is None or len(self._ranges.ranges) != len(peers):
            self._ranges = CidrSet(tuple(peers))
        found = self._ranges.match(ip)
        return None if found is None else peers[found]

    def setting(self, family: Family, field: str) -> Setting | None:
        """Return what this stanza itself sets."""
        return self.settings.get(family, {}).get(field)

    def directly_inside(self) -> Iterator["Scope"]:
        """Yield the stanzas directly inside, by kind, in order of declaration."""
        for named in self.children.values():
            yield from named.values()

    def walk(self) -> Iterator["Scope"]:
        """Yield this scope and all inside it."""
        yield self
        for scope in self.directly_inside():
            yield from scope.walk()


def groups_of_bindings(root: Scope) -> dict[str, str]:
    """Return, for each binding that stands in a group, the name of the first that it stands in."""
    found: dict[str, str] = {}
    for group in root.inside("binding_group"):
        for binding in group.inside("binding"):
            found.setdefault(binding.name, group.name)
    return found


def binding_scopes(root: Scope, group: str | None, binding: str | None) -> list[Scope]:
    """Return the stanzas of a binding: inside its group, and at top level for one of the group `default`."""
    if binding is None:
        return []
    inside = _only(root.child("binding_group", group) if group else None, "binding", binding)
    return inside + (_only(root, "binding", binding) if group in (None, DEFAULT) else [])


def outbound_chain(root: Scope, group: str | None, binding: str | None, domain: str | None) -> list[Scope]:
    """Return where an outbound option is looked up, most specific first.

    Domain inside the binding, domain inside the group, the binding, the group, global domain, global.
    None leaves a level out.
    """
    bindings = binding_scopes(root, group, binding)
    groups = _only(root, "binding_group", group) if group else []
    by_domain = [_domains(containers, domain) for containers in (bindings, groups, [root])]
    return [*by_domain[0], *by_domain[1], *bindings, *groups, *by_domain[2], root]


def host_chain(root: Scope, group: str | None, binding: str | None, host: str) -> list[Scope]:
    """Return the host stanzas that match, most specific first.

    Inside the binding in its group, inside the group, inside a binding without group, global.
    """
    containers = [
        *binding_scopes(root, group, binding)[:1],
        *(_only(root, "binding_group", group) if group else []),
        *binding_scopes(root, group, binding)[1:],
        root,
    ]
    return [scope for container in containers for scope in container.matching("host", host)]


def inbound_chain(root: Scope, listener: str | None, listen: str | None, peer: str | None) -> list[Scope]:
    """Return where an inbound option is looked up, most specific first.

    Peer in Listen, Listen, Peer in listener, listener, global.

    Of several matching peers in one place, the one with the longest prefix alone counts.
    """
    listeners = _only(root, "esmtp_listener", listener)
    listens = [scope for parent in listeners for scope in _only(parent, "listen", listen)]
    return [*_peers(listens, peer), *listens, *_peers(listeners, peer), *listeners, root]


def first_setting(chain: Sequence[Scope], family: Family, field: str) -> tuple[Setting, Scope] | None:
    """Return the first setting of an option along *chain*, and the scope that has it."""
    for scope in chain:
        setting = scope.setting(family, field)
        if setting is not None:
            return setting, scope
    return None


def merged(chain: Sequence[Scope], family: Family) -> dict[str, object]:
    """Return the values that *chain* sets for the options of a family."""
    values: dict[str, object] = {}
    for scope in reversed(chain):
        for field, setting in scope.settings.get(family, {}).items():
            values[field] = setting.value
    return values


def _only(parent: Scope | None, kind: ScopeKind, name: str | None) -> list[Scope]:
    found = parent.child(kind, name) if parent is not None and name is not None else None
    return [] if found is None else [found]


def _domains(containers: list[Scope], domain: str | None) -> list[Scope]:
    if domain is None:
        return []
    name = stanza_domain(domain)
    return [scope for container in containers for scope in container.matching("domain", name)]


def _peers(containers: list[Scope], peer: str | None) -> list[Scope]:
    if not peer:
        return []
    found = (container.peer_of(peer) for container in containers)
    return [scope for scope in found if scope is not None]
