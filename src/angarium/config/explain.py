"""What `angarium config …` says: each answer as text and as a record for --json."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from angarium.config.build import NAMES
from angarium.config.load import load_config
from angarium.config.model import Config, Place
from angarium.config.options import Option
from angarium.config.problems import ConfigErrors, ConfigProblem
from angarium.config.rules import BindingRule
from angarium.config.scopes import Scope
from angarium.config.tables import OPTIONS
from angarium.config.values import SharedLimit, Throttle, quoted, show_value
from angarium.core.errors import AngariumError

_WORDS = {
    "binding_group": "group",
    "group": "group",
    "binding": "binding",
    "domain": "domain",
    "host": "host",
    "esmtp_listener": "listener",
    "listener": "listener",
    "listen": "listen",
    "peer": "peer",
}
USAGE = "[binding_group g] [binding b] [domain d] [host h] [listener l] [listen a] [peer ip] OPTION"


class Explanation(NamedTuple):
    """What to print, and the same as a record. *ok* False asks for a non-zero exit status."""

    ok: bool
    text: str
    record: dict[str, Any]


class OptionQuery(NamedTuple):
    """An option, and the place from where it is looked up."""

    option: str
    place: Place = Place()


class BadQuestion(AngariumError):
    """The words of a question cannot be understood, or name something that is not declared."""


def check(path: Path | None, further: Callable[[Config], Sequence[ConfigProblem]]) -> Explanation:
    """Read *path* and say every problem, or that there is none.

    *further* looks at what can be read; it raises ConfigErrors, or returns what works and is not wise.
    """
    try:
        config = load_config(path)
        warnings = [*config.warnings, *further(config)]
    except ConfigErrors as errors:
        return Explanation(False, errors.render(), problems_record(errors))
    settings = sum(len(fields) for scope in config.root.walk() for fields in scope.settings.values())
    good = f"{path or 'the built-in configuration'} is good: {settings} options set"
    text = "\n".join([*(f"warning: {warning.render()}" for warning in warnings), good])
    record = {"ok": True, "problems": [], "warnings": _listed(warnings), "settings": settings}
    return Explanation(True, text, record)


def problems_record(errors: ConfigErrors) -> dict[str, Any]:
    """Return the problems as a record."""
    return {"ok": False, "problems": _listed(errors.problems), "dropped": errors.dropped}


def _listed(problems: Sequence[ConfigProblem]) -> list[dict[str, Any]]:
    names = ("file", "line", "column", "message", "hint")
    return [{name: getattr(problem, name) for name in names} for problem in problems]


def read_question(words: Sequence[str]) -> OptionQuery:
    """Understand `binding b domain d OPTION`. Raises BadQuestion."""
    if not words:
        raise BadQuestion(f"which option? {USAGE}")
    *pairs, option = words
    if len(pairs) % 2:
        raise BadQuestion(f"{pairs[-1]} has no value: {USAGE}")
    given: dict[str, str] = {}
    for word, value in zip(pairs[::2], pairs[1::2], strict=True):
        if word.lower() not in _WORDS:
            raise BadQuestion(f"{word} is no scope to look from: {USAGE}")
        given[_WORDS[word.lower()]] = value
    return OptionQuery(option, Place(**given))


def evaluate(config: Config, question: OptionQuery) -> Explanation:
    """Say which value is in force there, and what set it. Raises BadQuestion and UnknownOption."""
    _check_place(config, question.place)
    row, chain = config.chain(question.option, question.place)
    found = config.resolve(question.option, **question.place._asdict())
    value = row.show(found.value) or "unset"
    source = f"{found.where} ({found.scope})" if found.where else "built-in default"
    others = [
        {"value": setting.text, "where": str(setting.where), "scope": scope.label}
        for scope in chain
        if scope.label != found.scope and (setting := scope.setting(row.family, row.field))
    ]
    shared = isinstance(found.value, Throttle | SharedLimit)
    lines = [f"{row.name} = {value}    {source}"]
    lines += [f"    one counter for all that fall back to {found.scope}"] if shared else []
    lines += [f"    instead of {other['value']}    {other['where']} ({other['scope']})" for other in others]
    record = {
        "option": row.name,
        "value": json_value(found.value),
        "unit": row.unit,
        "where": str(found.where) if found.where else None,
        "scope": found.scope,
        "shared": shared,
        "instead_of": others,
    }
    return Explanation(True, "\n".join(lines), record)


def show_effective(config: Config, *, defaults: bool = True) -> Explanation:
    """Write the configuration in force as one file, each line with its place.

    Without *defaults*, what is set.
    """
    lines = [f"# generation {config.generation}", *_scope_lines(config, config.root, "", defaults)]
    record = {"generation": config.generation, "settings": list(_setting_records(config, defaults))}
    return Explanation(True, "\n".join(lines), record)


def needs_restart(before: Config, after: Config) -> list[str]:
    """Name the options that differ between two generations and take effect with a restart only."""
    fixed = [option for option in OPTIONS if option.family == "global" and not option.reload]
    changed = [
        option.name
        for option in fixed
        if getattr(before.globals, option.field) != getattr(after.globals, option.field)
    ]
    return changed + (["HTTP_Listener"] if before.http_listens != after.http_listens else [])


def json_value(value: object) -> Any:
    """Return a value as JSON holds it: numbers, booleans and None as they are, others as written."""
    if value is None or isinstance(value, bool | int):
        return value
    return str(value) if isinstance(value, str | Path | Throttle) else show_value(value)


def _check_place(config: Config, place: Place) -> None:
    if place.group is not None and place.group not in config.groups:
        raise BadQuestion(f"there is no binding group {place.group}; there are {', '.join(config.groups)}")
    if place.binding is None:
        return
    info = config.bindings.get(place.binding)
    if info is None:
        raise BadQuestion(f"there is no binding {place.binding}; there are {', '.join(config.bindings)}")
    if place.group is not None and info.group != place.group:
        raise BadQuestion(f"binding {info.name} is in the group {info.group}, not in {place.group}")


def _scope_lines(config: Config, scope: Scope, indent: str, defaults: bool) -> Iterator[str]:
    for row, text, place in _settings(config, scope, defaults):
        yield f"{indent}{row.name} = {text}  # {place}" if text else f"{indent}# {row.name} is unset"
    for inner in scope.directly_inside():
        yield f"{indent}{NAMES[inner.kind]} {quoted(inner.name)} {{  # {inner.where}"
        yield from _scope_lines(config, inner, indent + "  ", defaults)
        yield f"{indent}}}"
    if scope.kind == "global":
        for rule in config.binding_rules:
            yield from _rule_lines(rule)


def _rule_lines(rule: BindingRule) -> Iterator[str]:
    yield f"Binding_Rule {quoted(rule.name)} {{  # {rule.where}"
    if rule.listeners:
        yield f"  Listener = {show_value(rule.listeners)}"
    if rule.peers:
        yield f"  Peer = {show_value(rule.peers)}"
    if rule.sender_domains:
        yield f"  Sender_Domain = {show_value(rule.sender_domains)}"
    if rule.headers:
        pairs = (f"{quoted(name)} = {quoted(pattern.text)}" for name, pattern in rule.headers)
        yield f"  Header = [ {' '.join(pairs)} ]"
    target, name = ("Use_Binding", rule.binding) if rule.binding else ("Use_Binding_Group", rule.group)
    yield f"  {target} = {quoted(name or '')}"
    yield "}"


def _settings(config: Config, scope: Scope, defaults: bool) -> Iterator[tuple[Option, str, str]]:
    """Yield row, written value and place of what a scope sets, and of the defaults in the global one."""
    for row in OPTIONS:
        if scope.kind not in row.scopes:
            continue
        setting = scope.setting(row.family, row.field)
        if setting is not None:
            yield row, setting.text, str(setting.where)
        elif defaults and scope.kind == "global":
            yield row, row.show(config.default(row)), "default"


def _setting_records(config: Config, defaults: bool) -> Iterator[dict[str, Any]]:
    for scope in config.root.walk():
        for row, text, place in _settings(config, scope, defaults):
            yield {"scope": scope.label, "option": row.name, "value": text or None, "where": place}
