"""From `Binding_Rule` stanzas to rules."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from angarium.config.kinds import CIDRS, DOMAINS
from angarium.config.patterns import Pattern, read_pattern
from angarium.config.problems import Position, ProblemList
from angarium.config.reading import BadValue, faults, pairs, scalar, scalars
from angarium.config.rules import BindingRule
from angarium.config.syntax import Assignment, Include, Scalar, Stanza, Value
from angarium.config.values import NO_DOMAINS, NOWHERE, Where
from angarium.core.suggest import closest

CONDITIONS = ("Listener", "Peer", "Sender_Domain", "Header", "Use_Binding", "Use_Binding_Group")


@dataclass
class _Draft:
    name: str
    at: Position
    values: dict[str, object] = field(default_factory=dict)
    places: dict[str, Position] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)


class RuleBuilder:
    """Collects rules while the files are read, and checks them when all names are known."""

    def __init__(self, problems: ProblemList) -> None:
        self.problems = problems
        self.drafts: dict[str, _Draft] = {}

    def take(self, stanza: Stanza) -> None:
        """Take over one stanza; one of the same name goes on where the first left off."""
        if stanza.label is None:
            self.problems.add(stanza.at, "Binding_Rule needs a name", 'write Binding_Rule "…" { … }')
            return
        draft = self.drafts.setdefault(stanza.label.text, _Draft(stanza.label.text, stanza.at))
        for item in stanza.items:
            if isinstance(item, Assignment) and item.name.lower() in _READ:
                self.assign(draft, item)
            else:
                what = "an include" if isinstance(item, Include) else item.name
                hint = f"it takes {', '.join(CONDITIONS)}"
                self.problems.add(item.at, f"{what} cannot stand in Binding_Rule", hint)

    def assign(self, draft: _Draft, item: Assignment) -> None:
        """Take over one condition."""
        name = item.name.lower()
        try:
            value = _READ[name](item.value)
            if not value:
                raise BadValue("is empty", "leave the condition out, or write what it asks for")
            draft.values[name] = value
            draft.places[name] = item.value.at
        except BadValue as bad:
            draft.wrong.add(name)
            for at, fault in faults(_READ[name], item.value) or [(item.value.at, bad)]:
                self.problems.add(at, f"{item.name}: {fault}", fault.hint)

    def finish(
        self, bindings: set[str], groups: Mapping[str, Sequence[str]], listeners: set[str]
    ) -> tuple[BindingRule, ...]:
        """Return the rules in order of declaration. What they name must be among the names given.

        *groups* maps the groups to their bindings; a rule needs a group that has one.
        """
        for draft in self.drafts.values():
            self.check_target(draft)
            self.check_name(draft, "use_binding", "binding", bindings)
            self.check_name(draft, "use_binding_group", "binding group", set(groups))
            self.check_members(draft, groups)
            self.check_name(draft, "listener", "listener", listeners)
        return tuple(_rule(draft) for draft in self.drafts.values())

    def check_target(self, draft: _Draft) -> None:
        """A rule must say which binding, or from which group."""
        targets = sum(name in {*draft.values, *draft.wrong} for name in ("use_binding", "use_binding_group"))
        if targets != 1:
            message = f"Binding_Rule {draft.name} has {'two targets' if targets else 'no target'}"
            self.problems.add(draft.at, message, "write either Use_Binding or Use_Binding_Group")

    def check_members(self, draft: _Draft, groups: Mapping[str, Sequence[str]]) -> None:
        """A group to draw a binding from must not be empty."""
        name = str(draft.values.get("use_binding_group", ""))
        if name in groups and not groups[name]:
            message = f"the binding group {name} has no bindings"
            self.problems.add(draft.places["use_binding_group"], message, "declare one in it")

    def check_name(self, draft: _Draft, condition: str, what: str, known: set[str]) -> None:
        """What a condition names must be declared."""
        value = draft.values.get(condition)
        names = value if isinstance(value, frozenset) else {value} - {None}
        for name in sorted(str(name) for name in names - known):
            close = closest(name, known)
            hint = f"did you mean {close}?" if close else f"declare it, or use {', '.join(sorted(known)[:5])}"
            self.problems.add(draft.places[condition], f"there is no {what} {name}", hint)


def _rule(draft: _Draft) -> BindingRule:
    values = draft.values
    return BindingRule(
        draft.name,
        Where(draft.at.file, draft.at.line),
        values.get("listener", frozenset()),  # type: ignore[arg-type]
        values.get("peer", NOWHERE),  # type: ignore[arg-type]
        values.get("sender_domain", NO_DOMAINS),  # type: ignore[arg-type]
        values.get("header", ()),  # type: ignore[arg-type]
        values.get("use_binding"),  # type: ignore[arg-type]
        values.get("use_binding_group"),  # type: ignore[arg-type]
    )


def _listeners(value: Value) -> frozenset[str]:
    if isinstance(value, Scalar):
        return frozenset((value.text,))
    return frozenset(scalars(value, '"default"'))


def _headers(value: Value) -> tuple[tuple[str, Pattern], ...]:
    return tuple(_header(name, text) for name, text in pairs(value, '[ "X-Campaign" = "^news" ]'))


def _header(name: str, text: str) -> tuple[str, Pattern]:
    if not re.fullmatch(r"[!-9;-~]+", name):
        plain = name.rstrip(": ")
        hint = f'write "{plain}"' if re.fullmatch(r"[!-9;-~]+", plain) else ""
        raise BadValue(f'"{name}" is not the name of a header field', hint)
    if len(text) > 2 and (re.match(r"/\^.*/$", text) or re.match(r"/.*\$/$", text)):
        raise BadValue(
            f'the pattern "{text}" matches nothing: slashes are part of it here', f'write "{text[1:-1]}"'
        )
    return name.lower(), read_pattern(text)


_READ = {
    "listener": _listeners,
    "peer": CIDRS.read,
    "sender_domain": DOMAINS.read,
    "header": _headers,
    "use_binding": scalar,
    "use_binding_group": scalar,
}
