"""Where the numbers of a report come from: sums that are kept, or the events themselves. Pure."""

from datetime import tzinfo
from typing import Final, NamedTuple, get_args

from angarium.events.port import Whose
from angarium.events.reports.periods import DAY_S, Per, buckets, is_utc_day
from angarium.events.rollups.port import Dimension
from angarium.events.rollups.tables import ROLLUPS, Rollup
from angarium.query.nodes import And, Equal, Everything, Node, Or
from angarium.query.parser import all_of

_OWNERS: Final = ("account", "server")
_DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)

Filters = tuple[tuple[Dimension, tuple[str, ...]], ...]
"""For each dimension the values, folded, one of which it must be."""


class Split(NamedTuple):
    """A query as reports take it: whose, what is kept apart in sums anyhow, and *rest* that is in the events only."""

    scope: Whose
    filters: Filters
    rest: Node


class ReportPlan(NamedTuple):
    """*rollup*: for *kept*, a part of the period; None: no sums have it. The events have the other parts."""

    rollup: Rollup | None
    kept: tuple[int, int] | None
    from_events: tuple[tuple[int, int], ...]


def split(node: Node, scope: Whose) -> Split:
    """Return what a query asks for. Whoever asks sees no more than *scope*, whatever the query says."""
    filters: dict[Dimension, tuple[str, ...]] = {}
    rest: list[Node] = []
    for part in node.parts if isinstance(node, And) else (node,):
        found = _filter(part)
        if found is None or found[0] in filters:
            rest.append(part)
        else:
            filters[found[0]] = found[1]
    accounts, servers = filters.pop("account", None), filters.pop("server", None)
    scope = _within(scope, accounts, servers)
    left = [part for part in rest if part != Everything()]
    return Split(scope, tuple(sorted(filters.items())), all_of(left) if left else Everything())


def _filter(node: Node) -> tuple[Dimension, tuple[str, ...]] | None:
    """Return the dimension and the values that *node* asks for, None where it asks for something else."""
    parts = node.parts if isinstance(node, Or) else (node,)
    fields = {part.field for part in parts if isinstance(part, Equal)}
    if len(fields) != 1 or not all(isinstance(part, Equal) for part in parts):
        return None
    dimension = next((each for each in _DIMENSIONS if each in fields), None)
    if dimension is None or (len(parts) > 1 and dimension in ("tag", "account")):
        return None
    return dimension, tuple(part.value for part in parts if isinstance(part, Equal))


def _within(scope: Whose, accounts: tuple[str, ...] | None, servers: tuple[str, ...] | None) -> Whose:
    account, among = scope.account, scope.servers
    if accounts is not None:
        wanted = _number(accounts[0])
        if account not in (None, wanted):
            return Whose(account, ())
        account = wanted
    if servers is not None:
        numbers = [_number(each) for each in servers]
        among = numbers if among is None else [each for each in numbers if each in among]
    return Whose(account, among)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else -1


def needed(by: Dimension | None, filters: Filters) -> set[Dimension]:
    """Return what must be told apart, besides whose it is."""
    names = {name for name, _ in filters} | ({by} if by is not None else set())
    return {name for name in names if name not in _OWNERS}


def plan(
    by: Dimension | None, per: Per | None, asked: Split, period: tuple[int, int], zone: tzinfo
) -> ReportPlan:
    """Return where the numbers for *period* come from."""
    rollup = None if per == "minute" else _rollup(by, asked)
    if rollup is None:
        return ReportPlan(None, None, (period,))
    if rollup.quarters == 1:
        return ReportPlan(rollup, period, ())
    if per is not None and not all(map(is_utc_day, buckets(*period, per, zone))):
        return ReportPlan(None, None, (period,))
    return _in_days(rollup, period)


def _rollup(by: Dimension | None, asked: Split) -> Rollup | None:
    names = needed(by, asked.filters) or {"stream"}
    if asked.rest != Everything() or len(names) > 1:
        return None
    has_owner = by in _OWNERS or asked.scope != Whose()
    fitting = [each for each in ROLLUPS if each.dimension in names and (each.by_owner or not has_owner)]
    return fitting[0] if fitting else None


def _in_days(rollup: Rollup, period: tuple[int, int]) -> ReportPlan:
    """Have whole days of UTC from the sums, and what is before and behind them from the events."""
    since, until = period
    first, last = -(-since // DAY_S) * DAY_S, until // DAY_S * DAY_S
    if first >= last:
        return ReportPlan(None, None, (period,))
    rest = tuple(part for part in ((since, first), (last, until)) if part[0] < part[1])
    return ReportPlan(rollup, (first, last), rest)
