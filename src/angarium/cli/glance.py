"""The numbers of `angarium top`: rates from the differences of counters. Pure."""

from collections.abc import Mapping
from typing import Final

from angarium.cli.output import amount, size
from angarium.cli.tables import Cell, Column, Row, Tone, Toned, clean, cut, cut_lines, wrapped
from angarium.cli.times import brief, span, upcoming
from angarium.cli.words import headline, health_told, why
from angarium.core.operations import Glance, QueueOrder, QueueRow

KEYS: Final[Mapping[str, QueueOrder]] = {
    "w": "waiting",
    "o": "oldest",
    "f": "flight",
    "n": "next",
    "d": "domain",
}
"""Keys of the live view, and what each sorts the queues by."""

_HEAD_TONES: Final[tuple[Tone, ...]] = ("", "", "dim", "bright")
"""How much the lines above the queues matter: the node, its rates, its gauges, and what waits."""
_LINE_COLUMNS: Final = (
    Column("DOMAIN", flexible=True),
    Column("BINDING", flexible=True, yields=True),
    Column("WAITING", numeric=True),
    Column("FLIGHT", numeric=True),
    Column("CONN", numeric=True),
    Column("OLDEST", numeric=True),
    Column("NEXT TRY"),
    Column("WHY", flexible=True),
)

_RATES = (
    ("received", "received_messages_total", None),
    ("delivered", "events_total", "delivered"),
    ("delayed", "events_total", "delayed"),
    ("bounced", "events_total", "bounced"),
    ("expired", "events_total", "expired"),
    ("sessions in", "sessions_total", None),
    ("connections out", "connections_total", None),
    ("bytes in", "received_bytes_total", None),
    ("CPU", "cpu_seconds_total", None),
)
"""What is shown per second: its title, the counter, and the label (None: all of them)."""


class Rates:
    """Turns counters of one glance after the other into amounts per second."""

    def __init__(self) -> None:
        self._before: tuple[float, dict[str, float]] | None = None

    def since_last(self, glance: Glance) -> dict[str, float] | None:
        """Return the rates by title since the last call; None at the first."""
        counts = {title: _sum(glance, name, label) for title, name, label in _RATES}
        before, self._before = self._before, (glance.at, counts)
        if before is None or glance.at <= before[0]:
            return None
        passed_s = glance.at - before[0]
        return {title: max(0.0, count - before[1][title]) / passed_s for title, count in counts.items()}


def _sum(glance: Glance, name: str, label: str | None) -> float:
    return sum(value for stat, of, value in glance.stats if stat == name and (label is None or label in of))


def glance_lines(glance: Glance, rates: dict[str, float] | None) -> list[str]:
    """Return everything but the table of queues as lines."""
    node = glance.node
    up = span(glance.at - node.started_at)
    health = " ".join(line.text for line in health_told(glance.health))
    lines = [f"angarium {node.version}, up {up}, {node.workers} workers. {health}"]
    lines += [_rates(rates), _gauges(glance), *headline(glance.queues.totals, glance.at)]
    return [clean(line) for line in lines]


def _rates(rates: dict[str, float] | None) -> str:
    if rates is None:
        return "per second: one moment"
    counts = [f"{title} {_number(rates[title])}" for title, _, _ in _RATES[:-2]]
    return f"per second: {', '.join(counts)}, {size(rates['bytes in'])} in; CPU {rates['CPU'] * 100:.0f} %"


def _number(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 10 or rate == 0 else f"{rate:.1f}"


def _gauges(glance: Glance) -> str:
    def gauge(name: str, label: str | None = None) -> float:
        return _sum(glance, name, label)

    return (
        f"now: sessions in {gauge('sessions_open'):.0f}, connections out {gauge('connections_open'):.0f}, "
        f"recipients active {gauge('recipients', 'active'):.0f}, in flight {gauge('recipients', 'in_flight'):.0f}, "
        f"delayed {gauge('recipients', 'delayed'):.0f}, held {gauge('recipients', 'held'):.0f}, "
        f"journal {size(gauge('journal_bytes'))} in {gauge('journal_segments'):.0f} segments"
    )


def screen_lines(
    glance: Glance, rates: dict[str, float] | None, sort: QueueOrder, width: int, height: int
) -> list[tuple[Toned, ...]]:
    """Return what a terminal of that size shows: the node, a line for each queue if there is room, and the keys."""
    told = glance_lines(glance, rates)[: len(_HEAD_TONES)]
    tones = ("bad" if glance.health.not_ready or glance.health.unwell else "", *_HEAD_TONES[1:])
    top = [
        (Toned(part, tone),)
        for line, tone in zip(told, tones, strict=True)
        for part in _two_lines(line, width)
    ]
    room = max(0, height - len(top) - 4)
    rows = [_line(row, glance.at) for row in glance.queues.rows[:room]]
    table = cut_lines(_LINE_COLUMNS, rows, width)
    hidden = glance.queues.totals.queues - len(rows)
    below = [(Toned(f"{amount(hidden, 'more queue')}", "dim"),)] if hidden else [()]
    keys = "  ".join(f"{key} {'[' + name + ']' if name == sort else name}" for key, name in KEYS.items())
    return [*top, (), *table, *below, (Toned(cut(f"q quits   sort: {keys}", width), "dim"),)]


def _two_lines(text: str, width: int) -> list[str]:
    first, *more = (cut(line, width) for line in wrapped(text, width))
    return [first, cut(f"{more[0]} …" if more[1:] else more[0], width)] if more else [first]


def _line(row: QueueRow, now: float) -> Row:
    """Return a queue on one line, with what holds most of it."""
    oldest = brief(span(now - row.oldest)) if row.oldest is not None else "-"
    cells: list[Cell] = [
        Toned(row.domain, "bright"),
        row.binding,
        *(
            str(count) if count else Toned("0", "dim")
            for count in (row.waiting, row.in_flight, row.connections)
        ),
        oldest,
        brief(upcoming(row.next_try, now)),
        Toned(why(row.held_by[0], now) if row.held_by else "", "warn"),
    ]
    return Row(cells)
