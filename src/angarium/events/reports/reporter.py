"""The one way to a report, for pages, API, command line and export.

The sums that are kept say up to which event they go. All that came later, whenever it happened, is counted of the
events when somebody asks; so a report is right at any moment, and nothing is counted by asking.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import tzinfo
from typing import Final, NamedTuple, Protocol

from angarium.events.port import Whose
from angarium.events.reports.model import Latency, MailReport, ReportQuery, ReportRate, ReportRow, TopReply
from angarium.events.reports.periods import (
    MOST_BUCKETS,
    Per,
    bucket_end,
    bucket_start,
    buckets,
    midnight_of,
    shown,
    unit_of,
    widened,
)
from angarium.events.reports.plan import Split, needed, plan, split
from angarium.events.reports.rates import bounced, rates_of
from angarium.events.reports.replies import top_replies
from angarium.events.rollups.histogram import quantile
from angarium.events.rollups.measures import LATENCY, MEASURES, Basis, number
from angarium.events.rollups.port import QUARTER_S, CountedEvents, CountQuery, Dimension
from angarium.events.rollups.store import KeptRows
from angarium.events.rollups.tally import CategoryOf, Cell, EventTally, add, latencies

_OF_ATTEMPTS: Final = frozenset(("provider", "binding"))
_STATES: Final = ("bounced", "expired", "suppressed", "cancelled")
_OPENS: Final = ("opens", "unique_opens", "machine_opens", "machine_unique_opens")
_CLICKS: Final = ("clicks", "unique_clicks", "machine_clicks", "machine_unique_clicks")
_BESIDE: Final = ("opens_tracked", "clicks_tracked")

_Key = tuple[int | None, str | None]
_Cells = dict[_Key, Cell]


class KeptSums(Protocol):
    """The rollups, as reports see them; `rollups.store.RollupsReader` has it. Raises EventStoreError."""

    def rows(
        self, rollup: int, units: tuple[int, int], scope: Whose, values: tuple[str, ...] | None
    ) -> KeptRows: ...

    def since(self) -> int | None: ...

    def servers(self, account: int) -> list[int]: ...


class MailReporter:
    """Reports on *events*, with the *sums* that are kept of them. *category_of* tells bounces apart."""

    def __init__(self, events: CountedEvents, sums: KeptSums, category_of: CategoryOf) -> None:
        self._events = events
        self._sums = sums
        self._tally = EventTally(category_of)

    def report(self, query: ReportQuery, now: float) -> MailReport:
        """Return what *query* asks for. Raises EventStoreError, and ValueError for one that has too many rows."""
        asked = _Asked.of(query)
        cells = self._cells(asked)
        total = _sum(cells.values()) if query.by != "tag" else _sum(self._cells(asked.without_by()).values())
        shape = _Shape(asked, now, total)
        return MailReport(
            since_at=float(asked.period[0]),
            until_at=float(asked.period[1]),
            by=query.by,
            per=query.per,
            zone=str(query.zone),
            basis=query.basis,
            rows=shape.rows(cells),
            total=shape.row((None, None), total),
            notes=self._notes(asked),
        )

    def replies(self, query: ReportQuery, limit: int) -> list[TopReply]:
        """Return what peers said most often when they did not take the mail that *query* asks for, of the events that
        are kept. Raises EventStoreError.
        """
        asked = _Asked.of(query)
        return top_replies(self._events.replies(self._wanted(asked, asked.period, 0)), limit)

    def _cells(self, asked: "_Asked") -> _Cells:
        cells: _Cells = {}
        chosen = plan(asked.query.by, asked.query.per, asked.split, asked.period, asked.query.zone)
        if chosen.rollup is not None and chosen.kept is not None:
            unit_s = chosen.rollup.quarters * QUARTER_S
            units = chosen.kept[0] // unit_s, chosen.kept[1] // unit_s
            values = next((found for _, found in asked.split.filters), None)
            kept = self._sums.rows(chosen.rollup.number, units, asked.split.scope, values)
            for key, cell in kept.rows:
                owner = {"account": str(key.account), "server": str(key.server)}
                value = owner.get(asked.query.by or "", key.value)
                asked.put(cells, key.unit * unit_s, value, cell)
            self._count(cells, asked, chosen.kept, kept.upto)
        for part in chosen.from_events:
            self._count(cells, asked, part, 0)
        return asked.measured(cells)

    def _count(self, cells: _Cells, asked: "_Asked", window: tuple[int, int], after: int) -> None:
        """Count those events of a part of the period that came after the one numbered *after*."""
        wanted = self._wanted(asked, window, after)
        for counted in self._events.counted(wanted):
            value = counted.values[0] if counted.values else None
            for measure, at, count in self._tally.increments(counted):
                asked.put(cells, at * wanted.unit_s, value, {measure: count})

    def _wanted(self, asked: "_Asked", window: tuple[int, int], after: int) -> CountQuery:
        account = asked.split.scope.account
        return CountQuery(
            dimensions=() if asked.query.by is None else (asked.query.by,),
            after=after,
            window=window,
            basis=asked.query.basis,
            node=asked.split.rest,
            scope=asked.split.scope,
            filters=asked.split.filters,
            unit_s=unit_of(asked.query.per),
            door_servers=[] if account is None else self._sums.servers(account),
        )

    def _notes(self, asked: "_Asked") -> list[str]:
        chosen = plan(asked.query.by, asked.query.per, asked.split, asked.period, asked.query.zone)
        first, since = self._events.first_day(), self._sums.since()
        if not chosen.from_events or first is None or since is None:
            return []
        kept_from = midnight_of(first)
        if since >= kept_from or all(begin >= kept_from for begin, _ in chosen.from_events):
            return []
        said = f"events are kept since {shown(kept_from)} UTC"
        return [f"{said}: what happened before is not in these numbers, which no sums are kept of"]


class _Asked(NamedTuple):
    """A query, made ready."""

    query: ReportQuery
    split: Split
    period: tuple[int, int]
    measures: frozenset[int]

    @classmethod
    def of(cls, query: ReportQuery) -> "_Asked":
        period = widened(query.since, query.until, query.per)
        asked = split(query.node, query.scope)
        if query.per is not None:
            _check(period, query.per, query.zone)
        return cls(query, asked, period, _measures(needed(query.by, asked.filters), query.basis))

    def without_by(self) -> "_Asked":
        return self._replace(query=self.query._replace(by=None))

    def put(self, cells: _Cells, at: int, value: str | None, cell: Mapping[int, int]) -> None:
        """Add what lies in the period."""
        if not self.period[0] <= at < self.period[1]:
            return
        per, by = self.query.per, self.query.by
        key = (None if per is None else bucket_start(at, per, self.query.zone), None if by is None else value)
        add(cells.setdefault(key, {}), cell)

    def measured(self, cells: _Cells) -> _Cells:
        """Return *cells* with what is asked for alone, and without those that have none of it."""
        found = {
            key: {measure: count for measure, count in cell.items() if min(measure, LATENCY) in self.measures}
            for key, cell in cells.items()
        }
        return {key: cell for key, cell in found.items() if cell}


def _check(period: tuple[int, int], per: Per, zone: tzinfo) -> None:
    since, until = period
    least_s = bucket_end(0, per, zone) - bucket_start(0, per, zone)
    if (until - since) / least_s > MOST_BUCKETS:
        raise ValueError(
            f"a report has at most {MOST_BUCKETS:,} rows; ask for larger units than {per}, or less time"
        )


def _measures(names: set[Dimension], basis: Basis) -> frozenset[int]:
    """Return what is measured of such a report: what is known of messages only is not, of an attempt."""
    of_attempts = not _OF_ATTEMPTS.isdisjoint(names)
    if basis == "acceptance":
        found = {each.number for each in MEASURES.values() if each.basis == basis} | {number("accepted")}
        return frozenset() if of_attempts else frozenset(found)
    known = {
        each.number
        for each in MEASURES.values()
        if each.basis == basis and (each.by_attempt or not of_attempts)
    }
    return frozenset(known | {LATENCY})


class _Shape:
    """Makes rows of sums. What is measured at all is said by the *total*."""

    def __init__(self, asked: _Asked, now: float, total: Cell) -> None:
        self._asked = asked
        self._query = asked.query
        self._now = now
        self._unmeasured = frozenset(_unmeasured(total))

    def rows(self, cells: _Cells) -> list[ReportRow]:
        """Return the rows in order of time and then of size."""
        query = self._query
        if query.by is None and query.per is None:
            return []
        if query.by is None and query.per is not None:
            found = [(at, None) for at in buckets(*self._asked.period, query.per, query.zone)]
            return [self.row(key, cells.get(key, {})) for key in found]
        kept, others = self._largest(cells)
        rows = [self.row(key, cell) for key, cell in kept.items()] + [
            self.row((at, None), cell, is_others=True) for at, cell in others.items()
        ]
        return sorted(rows, key=lambda row: (row.at or 0, row.is_others, -_size(row.counts), row.value or ""))

    def row(self, key: _Key, cell: Cell, *, is_others: bool = False) -> ReportRow:
        """Return one row."""
        at, value = key
        until = (
            None
            if at is None or self._query.per is None
            else bucket_end(at, self._query.per, self._query.zone)
        )
        counts = self._counts(cell)
        return ReportRow(
            at=None if at is None else float(at),
            until_at=None if until is None else float(until),
            value=value,
            counts=counts,
            rates=_rates(counts, self._query.basis),
            latency=_latency(cell),
            is_unfinished=until is not None and until > self._now,
            is_others=is_others,
        )

    def _largest(self, cells: _Cells) -> tuple[_Cells, dict[int | None, Cell]]:
        sizes: dict[str | None, int] = {}
        for (_, value), cell in cells.items():
            sizes[value] = sizes.get(value, 0) + _size(self._counts(cell))
        ranked = sorted(sizes, key=lambda value: (-sizes[value], value or ""))
        largest = set(ranked[: self._query.limit])
        others: dict[int | None, Cell] = {}
        for (at, value), cell in cells.items():
            if value not in largest:
                add(others.setdefault(at, {}), cell)
        return {key: cell for key, cell in cells.items() if key[1] in largest}, others

    def _counts(self, cell: Cell) -> dict[str, int | None]:
        if self._query.basis == "acceptance":
            return dict(_states(cell)) if self._asked.measures else {}
        counts: dict[str, int | None] = {}
        for name, measure in MEASURES.items():
            if measure.basis == "event" and (self._query.tells_tracked or name not in _BESIDE):
                is_measured = measure.number in self._asked.measures and name not in self._unmeasured
                counts[name] = cell.get(measure.number, 0) if is_measured else None
        return {**counts, "bounced": bounced(counts)}


def _sum(cells: Iterable[Cell]) -> Cell:
    total: Cell = {}
    for cell in cells:
        add(total, cell)
    return total


def _unmeasured(total: Cell) -> Iterator[str]:
    """Yield what nobody could have seen: of mail whose opens are not tracked there is none, and not 0."""
    opens, clicks = _is_tracked(total, "opens", _OPENS), _is_tracked(total, "clicks", _CLICKS)
    if not opens:
        yield from _OPENS
    if not clicks:
        yield from _CLICKS
    if not opens and not clicks:
        yield "engaged"


def _is_tracked(total: Cell, what: str, names: Iterable[str]) -> bool:
    return any(total.get(number(name), 0) for name in (f"{what}_tracked", *names))


def _states(cell: Cell) -> dict[str, int]:
    """Return what has become of the recipients accepted then: all but *accepted* add up to that."""
    accepted = cell.get(number("accepted"), 0)
    ended = {name: cell.get(number(f"state_{name}"), 0) for name in ("delivered", *_STATES)}
    returned = cell.get(number("state_returned"), 0)
    return {
        "accepted": accepted,
        "delivered": ended.pop("delivered") - returned,
        "returned": returned,
        **ended,
        "waiting": accepted - sum(cell.get(number(f"state_{name}"), 0) for name in ("delivered", *_STATES)),
    }


def _rates(counts: Mapping[str, int | None], basis: Basis) -> dict[str, ReportRate]:
    return rates_of(counts) if basis == "event" else {}


def _latency(cell: Cell) -> Latency | None:
    histogram = latencies(cell)
    half, most, nearly_all = (quantile(histogram, share) for share in (0.5, 0.95, 0.99))
    if half is None or most is None or nearly_all is None:
        return None
    return Latency(half, most, nearly_all)


def _size(counts: Mapping[str, int | None]) -> int:
    return counts.get("accepted") or (counts.get("delivered") or 0) + (counts.get("bounced") or 0)
