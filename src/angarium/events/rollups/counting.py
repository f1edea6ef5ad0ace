"""One day's events counted, in whatever database its tables are: the questions that reports and rollups ask.

An event may be stored before its message is known, since each worker's journal is read for itself. It is counted then
as that of a message without account, server and all else. When the message comes, what had been counted so is taken
back, and counted rightly: the two more questions for a range of numbers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from angarium.events.catalogue import BY_NUMBER, KINDS
from angarium.events.conditions import Conditions, joined
from angarium.events.day_sql import Ask, Condition, DaySql, Said
from angarium.events.port import Whose
from angarium.events.rollups.port import (
    EACH,
    REASON,
    TIMES,
    WORDS,
    Counted,
    CountQuery,
    Dimension,
    EventRows,
    ReplyCount,
)
from angarium.events.rows import INDEX_BITS, TO_US, WHOLE
from angarium.query.nodes import Everything

_As = Literal["once", "again", "back"]
"""Which events: those in the range of numbers; those before it whose message came in it; the same as they were
counted.
"""

_COUNTED: Final = (
    "received", "refusal", "delivered", "delayed", "bounced", "expired", "ambiguous", "suppressed", "cancelled", "held",
    "open", "click", "unsubscribe", "complaint", "late_bounce", "generation_failure", "generation_rejection",
)  # fmt: skip
_ENDS: Final = (
    "received", "delivered", "bounced", "generation_failure", "generation_rejection", "expired", "suppressed",
    "cancelled", "late_bounce",
)  # fmt: skip
"""What becomes of recipients: all that is asked of when their messages were accepted."""
_ONCE: Final = ("open", "click", "unsubscribe", "complaint", "late_bounce")
_AT_ONCE: Final = 200
"""Messages that came late, in one question."""
_WORDS_AT_ONCE: Final = 500
_SAMPLE: Final = 400
"""So many show whether the others are alike."""
_REPLIES: Final = ("bounced", "delayed", "late_bounce")

_NUMBERED: Final = ("account", "server")


_COLUMNS: Final[Mapping[Dimension, str]] = {
    "account": "coalesce(m.account, 0)",
    "server": "CASE WHEN m.no IS NULL THEN e.server ELSE m.server END",
    "stream": "coalesce(m.stream, 1)",
    "campaign": "coalesce(m.campaign, 1)",
    "tag": "t.word",
    "domain": "CASE WHEN m.no IS NULL THEN 1 ELSE coalesce(r.home, 1) END",
    "provider": "e.provider",
    "binding": "e.binding",
}
"""Where it stands, in SQL; the numbers of words, 1 for none. A message `m` is beside an event where it is known."""


def _numbers(kinds: Sequence[str]) -> str:
    return ", ".join(str(KINDS[kind].number) for kind in kinds if kind in KINDS)


class DayCounter:
    """Asks *ask* for numbers of a day's tables, as *sql* wants it. Raises what *ask* raises."""

    def __init__(self, ask: Ask, sql: DaySql, said: Said) -> None:
        self._ask = ask
        self._sql = sql
        self._said = said
        self._conditions = Conditions(sql)

    def counted(self, wanted: CountQuery) -> Iterator[Counted]:
        """See `CountedEvents.counted`."""
        yield from self._groups(wanted, "once")
        late = self._late(wanted) if wanted.after else []
        for start in range(0, len(late), _AT_ONCE):
            some = late[start : start + _AT_ONCE]
            yield from self._groups(wanted, "again", some)
            if not _needs(wanted, "tag"):  # of a message that is not known, there are no tags
                yield from self._groups(wanted, "back", some)
        yield from self._left_out(wanted)

    def each(self, after: int, upto: int) -> Iterator[EventRows]:
        """See `CountedEvents.each`."""
        wanted = CountQuery(EACH, after, upto)
        sample = self._rows(wanted._replace(upto=min(upto, after + _SAMPLE)), "once").rows
        are_alike = len({row[:TIMES] for row in sample}) * 2 < len(sample)
        yield self._rows(wanted, "once", are_alike=are_alike)
        late = self._late(wanted) if after else []
        for start in range(0, len(late), _AT_ONCE):
            some = late[start : start + _AT_ONCE]
            yield self._rows(wanted, "again", some)
            yield self._rows(wanted, "back", some)
        for left_out in self._left_out(wanted):
            words, times = [1] * (len(EACH) - 2), left_out.times
            row = (
                left_out.at,
                None,
                KINDS[left_out.kind].number,
                1,
                0,
                0,
                0,
                0,
                0,
                None,
                0,
                0,
                *words,
                "[]",
                times,
                0,
            )
            yield EventRows([row], {1: ""})

    def replies(self, wanted: CountQuery) -> Iterator[ReplyCount]:
        """See `CountedEvents.replies`."""
        where, values = self._where(wanted, "once", _REPLIES)
        sql = f"""SELECT e.kind, {self._word("e.reason")}, e.reply, count(*) {self._tables(wanted, "once")}
            WHERE {where} AND e.reply <> '' GROUP BY e.kind, e.reason, e.reply"""
        for kind, reason, reply, count in self._ask(sql, values):
            yield ReplyCount(BY_NUMBER[kind].name, reason, reply, count)

    def _late(self, wanted: CountQuery) -> list[int]:
        """Return the messages, by what all their recipients have as number, that came in the range of numbers, and of
        which there were events before it.
        """
        where, values = _numbered("g", wanted)
        event = f"{self._sql.prefix}event"
        before = f"e.recipient BETWEEN g.recipient - {WHOLE} AND g.recipient AND {self._sql.unindexed('e.no')} <= ?"
        sql = f"""SELECT g.recipient FROM {event} g WHERE {where} AND g.kind = {KINDS["received"].number}
            AND EXISTS (SELECT 1 FROM {event} e WHERE {before})"""
        return [number for (number,) in self._ask(sql, [*values, wanted.after])]

    def _groups(self, wanted: CountQuery, which: _As, late: Sequence[int] = ()) -> Iterator[Counted]:
        where, values = self._where(wanted, which, _COUNTED if wanted.basis == "event" else _ENDS, late)
        parts = self._parts(wanted)
        grouped = ", ".join(f"{sql} AS {name}" for name, sql in parts)
        sql = f"""
            SELECT at, accepted, kind, {self._word("reason")}, first_try, machine, is_first, engages, traits, latency,
              count, size{"".join(f", {self._text(name)}" for name in wanted.dimensions)}
            FROM (SELECT {grouped}, count(*) AS count, sum(coalesce(m.size, 0)) AS size {self._tables(wanted, which)}
              WHERE {where} GROUP BY {", ".join(str(number + 1) for number in range(len(parts)))}) counted"""
        sign = -1 if which == "back" else 1
        for row in self._ask(sql, values):
            yield _counted(row, sign)

    def _rows(
        self, wanted: CountQuery, which: _As, late: Sequence[int] = (), *, are_alike: bool = False
    ) -> EventRows:
        """Return events, one by one; those that *are_alike* put together. Where so much is told apart hardly two are,
        mostly, and to sort them costs more than all else. Words are looked up afterwards, each once.
        """
        where, values = self._where(wanted, which, _COUNTED, late)
        told = [*(sql for _, sql in self._parts(wanted)), self._sql.tags]
        sums, grouped = "1, coalesce(m.size, 0)", ""
        if are_alike:
            sums = "count(*), CAST(sum(coalesce(m.size, 0)) AS bigint)"
            grouped = f"GROUP BY {', '.join(str(number + 1) for number in range(len(told)))}"
        sql = f"SELECT {', '.join(told)}, {sums} {self._tables(wanted, which)} WHERE {where} {grouped}"
        rows = self._ask(sql, values)
        words = self._texts({number for row in rows for number in (row[REASON], *row[WORDS])})
        return EventRows(rows, words, is_taken_back=which == "back")

    def _texts(self, numbers: Iterable[int]) -> dict[int, str]:
        """Return the words that have these numbers."""
        asked, found = sorted(numbers), dict[int, str]()
        for start in range(0, len(asked), _WORDS_AT_ONCE):
            some = asked[start : start + _WORDS_AT_ONCE]
            sql = f"SELECT no, text FROM {self._sql.prefix}word WHERE no IN ({_marks(some)})"
            found.update(self._ask(sql, some))
        return found

    def _parts(self, wanted: CountQuery) -> list[tuple[str, str]]:
        """Return what is told apart, each with its name."""
        delivered = KINDS["delivered"].number
        latency = (
            f"CASE WHEN e.kind = {delivered} AND m.no IS NOT NULL THEN {self._sql.latency('e.at - m.at')} END"
        )
        return [
            ("at", self._sql.whole(f"e.at / {wanted.unit_s}")),
            ("accepted", self._sql.whole(f"m.at / {wanted.unit_s}")),
            ("kind", "e.kind"),
            ("reason", "e.reason"),
            ("first_try", "CASE WHEN e.tries = 1 THEN 1 ELSE 0 END"),
            ("machine", "e.machine"),
            ("is_first", self._is_first(_numbers(_ONCE), "p.kind = e.kind AND p.machine = e.machine")),
            ("engages", self._is_first(_numbers(("open", "click")), "NOT p.machine", "NOT e.machine")),
            (
                "traits",
                f"CASE WHEN e.kind = {KINDS['received'].number} THEN coalesce(m.traits, 0) ELSE 0 END",
            ),
            ("latency", latency),
            *((name, _COLUMNS[name]) for name in wanted.dimensions),
        ]

    def _is_first(self, kinds: str, alike: str, also: str = "") -> str:
        """Return whether no event like it was stored before it: later ones change nothing."""
        return f"""CASE WHEN e.kind IN ({kinds}) {f"AND {also}" if also else ""} AND NOT EXISTS (
            SELECT 1 FROM {self._sql.prefix}event p
            WHERE p.recipient = e.recipient AND p.kind IN ({kinds}) AND {alike} AND p.no < e.no) THEN 1 ELSE 0 END"""

    def _tables(self, wanted: CountQuery, which: _As) -> str:
        """Return the tables. Who received a message stands beside its reception, else the recipient of the event."""
        prefix = self._sql.prefix
        came = KINDS["received"].number
        first = f"CASE WHEN e.kind = {came} THEN e.recipient - {WHOLE} ELSE e.recipient END"
        last = f"CASE WHEN e.kind = {came} THEN e.recipient - 1 ELSE e.recipient END"
        known = "m.came > 0" if wanted.upto is None else f"m.came > 0 AND m.came <= {wanted.upto}"
        known = "m.no < 0" if which == "back" else known
        tag = f"JOIN {prefix}tag t ON t.message = m.no" if _needs(wanted, "tag") else ""
        return f"""FROM {prefix}event e LEFT JOIN {prefix}message m ON m.no = e.recipient >> {INDEX_BITS} AND {known}
            LEFT JOIN {prefix}recipient r ON r.no BETWEEN {first} AND {last} {tag}"""

    def _where(
        self, wanted: CountQuery, which: _As, kinds: Sequence[str], late: Sequence[int] = ()
    ) -> Condition:
        parts = [
            self._range(wanted, late) if late else _numbered("e", wanted),
            (f"e.kind IN ({_numbers(kinds)})", []),
        ]
        if which != "back":
            parts.append((f"coalesce(m.traits, 0) & {TO_US} = 0", []))
        if wanted.window is not None:
            parts.append(self._in_window(wanted))
        if wanted.node != Everything():
            parts.append(self._conditions.of(wanted.node))
        parts += self._in_scope(wanted)
        parts += [self._among(name, values) for name, values in wanted.filters]
        return joined(" AND ", parts)

    def _range(self, wanted: CountQuery, late: Sequence[int]) -> Condition:
        """Return the condition that an event is of one of the messages that came late, and was counted before."""
        ranges = " OR ".join(["e.recipient BETWEEN ? AND ?"] * len(late))
        bounds = [bound for number in late for bound in (number - WHOLE, number)]
        return f"({ranges}) AND {self._sql.unindexed('e.no')} <= ?", [*bounds, wanted.after]

    def _in_window(self, wanted: CountQuery) -> Condition:
        """Return the condition that it happened in the window. Events are found by server and time."""
        assert wanted.window is not None
        if wanted.basis == "acceptance":
            return "m.at >= ? AND m.at < ?", list(wanted.window)
        if wanted.after:
            return "e.at >= ? AND e.at < ?", list(wanted.window)
        event = f"{self._sql.prefix}event"
        servers = f"""WITH RECURSIVE servers(no) AS (SELECT min(server) FROM {event} UNION ALL
            SELECT (SELECT min(server) FROM {event} WHERE server > servers.no) FROM servers WHERE no IS NOT NULL)
            SELECT no FROM servers WHERE no IS NOT NULL"""
        return f"e.server IN ({servers}) AND e.at >= ? AND e.at < ?", list(wanted.window)

    def _in_scope(self, wanted: CountQuery) -> list[Condition]:
        """Return the conditions that it is of somebody's. What happened at a door is of a server only."""
        account, servers = wanted.scope
        parts: list[Condition] = []
        if account is not None:
            doors = f"m.no IS NULL AND e.server IN ({_marks(wanted.door_servers)})"
            parts.append((f"(m.account = ? OR {doors})", [account, *wanted.door_servers]))
        if servers is not None:
            parts.append((f"{_COLUMNS['server']} IN ({_marks(servers)})", list(servers)))
        return parts

    def _among(self, name: Dimension, values: Sequence[str]) -> Condition:
        column = _COLUMNS[name]
        if name in _NUMBERED:
            return f"{column} IN ({_marks(values)})", [
                int(value) if value.isdecimal() else -1 for value in values
            ]
        words = f"SELECT no FROM {self._sql.prefix}word WHERE folded IN ({_marks(values)})"
        return f"{column} IN ({words})", list(values)

    def _left_out(self, wanted: CountQuery) -> Iterator[Counted]:
        """Yield the refusals that were not written down one by one. Of them nobody knows whose they were."""
        is_of_all = wanted.node == Everything() and wanted.scope == Whose() and not wanted.filters
        if wanted.basis != "event" or not is_of_all or "tag" in wanted.dimensions:
            return
        where, values = self._where(wanted, "once", ("left_out",))
        sql = f"""SELECT {self._sql.whole(f"e.at / {wanted.unit_s}")}, e.at, e.detail {self._tables(wanted, "once")}
            WHERE {where}"""
        for unit, at, detail in self._ask(sql, values):
            times = self._said(bytes(detail), at).get("refusal", 0)
            nothing = tuple("0" if name in _NUMBERED else "" for name in wanted.dimensions)
            yield Counted(unit, None, nothing, "refusal", "", False, False, False, False, 0, None, times, 0)

    def _word(self, column: str) -> str:
        return f"(SELECT text FROM {self._sql.prefix}word WHERE no = {column})"

    def _text(self, dimension: Dimension) -> str:
        return dimension if dimension in _NUMBERED else self._word(f"counted.{dimension}")


def _numbered(table: str, wanted: CountQuery) -> Condition:
    """Return the condition that an event is in the range of numbers."""
    if wanted.upto is None:
        return f"{table}.no > ?", [wanted.after]
    return f"{table}.no > ? AND {table}.no <= ?", [wanted.after, wanted.upto]


def _needs(wanted: CountQuery, dimension: Dimension) -> bool:
    return dimension in wanted.dimensions or any(name == dimension for name, _ in wanted.filters)


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values)) or "NULL"


def _counted(row: tuple[Any, ...], sign: int) -> Counted:
    at, accepted, kind, reason, first_try, machine, first, engages, traits, latency, count, size, *values = (
        row
    )
    return Counted(
        at=at,
        accepted_at=accepted,
        values=tuple(map(str, values)),
        kind=BY_NUMBER[kind].name,
        reason=reason,
        is_first_try=bool(first_try),
        is_machine=bool(machine),
        is_first=bool(first),
        is_engaging=bool(engages),
        traits=traits,
        latency=latency,
        times=sign * count,
        size=sign * int(size),
    )
