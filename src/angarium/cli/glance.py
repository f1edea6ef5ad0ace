"""The numbers of `angarium top`: rates from the differences of counters. Pure."""

from angarium.cli.output import size
from angarium.cli.tables import clean
from angarium.cli.times import span
from angarium.cli.words import headline, health_told
from angarium.core.operations import Glance

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
