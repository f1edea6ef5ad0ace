"""The option table: every option that is served, and what else is known by name."""

from angarium.config.options import Family, Option, ScopeKind
from angarium.config.tables import inbound, node, outbound

OPTIONS: tuple[Option, ...] = (*outbound.ROWS, *inbound.ROWS, *node.ROWS)
"""All rows. A name stands twice where it means different things in different scopes."""

_BY_SCOPE = {(option.name.lower(), scope): option for option in OPTIONS for scope in option.scopes}
_BY_NAME: dict[str, list[Option]] = {}
for _option in OPTIONS:
    _BY_NAME.setdefault(_option.name.lower(), []).append(_option)


def option_in(scope: ScopeKind, name: str) -> Option | None:
    """Return the option that *name*, in any case, means in a stanza of kind *scope*, or None."""
    return _BY_SCOPE.get((name.lower(), scope))


def options_named(name: str) -> list[Option]:
    """Return all rows of that name, in any case."""
    return _BY_NAME.get(name.lower(), [])


def family(name: Family) -> tuple[Option, ...]:
    """Return the rows of one family, in the order of the table."""
    return tuple(option for option in OPTIONS if option.family == name)
