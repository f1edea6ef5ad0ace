"""What several processes count, added up: pure, so tested as tables of what goes in and what comes out."""

from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.catalogue.metrics import METRICS
from angarium.core.metrics import Counters, family_of, zeros
from angarium.core.operations import Stat
from angarium.core.providers import OTHER, PROVIDERS
from angarium.core.records import Stage
from angarium.core.submission import Reason
from angarium.engine.reports.report import Action
from angarium.identity.principal import Denial
from angarium.node.totals import RunningTotals, WorkerStats
from angarium.queue.commands import Verdict


def counted(since: float, *numbers: Stat) -> WorkerStats:
    return WorkerStats(since, list(numbers))


def value_of(stats: list[Stat], name: str, *labels: str) -> float | None:
    found = {(of, *values): value for of, values, value in stats}
    assert len(found) == len(stats)
    return found.get((name, *labels))


def test_counters_and_gauges_are_added_up_and_unwell_is_yes_or_no():
    stats = RunningTotals().merge(
        {
            0: counted(1, ("events_total", ["delivered"], 5), ("queues", [], 2), ("spool_unwell", [], 1)),
            1: counted(1, ("events_total", ["delivered"], 7), ("queues", [], 3), ("spool_unwell", [], 1)),
        }
    )
    assert value_of(stats, "events_total", "delivered") == 12
    assert value_of(stats, "queues") == 5
    assert value_of(stats, "spool_unwell") == 1


def test_what_never_happened_is_0_from_the_start_and_a_gauge_that_nobody_has_set_is_not_there():
    stats = RunningTotals().merge({})
    assert value_of(stats, "events_total", "bounced") == 0
    assert value_of(stats, "sessions_total") == 0
    assert value_of(stats, "queues") is None


def test_counters_never_go_back_when_a_worker_is_away_or_started_again():
    totals = RunningTotals()

    def count(**parts: tuple[float, int]) -> float | None:
        numbers = {
            int(worker[1:]): counted(since, ("sessions_total", [], value))
            for worker, (since, value) in parts.items()
        }
        return value_of(totals.merge(numbers), "sessions_total")

    assert count(w0=(1, 100), w1=(1, 50)) == 150
    assert count(w0=(1, 110)) == 160  # worker 1 is away
    assert count(w0=(1, 110), w1=(9, 3)) == 163  # and back, counting from zero
    assert count(w0=(1, 110), w1=(9, 70)) == 230  # and further than the one before
    assert count(w1=(20, 80)) == 310  # started again between two looks, and further already


def test_an_answer_that_comes_late_counts_nothing_twice():
    """Two who ask at once may hear a worker in any order, and of one that died meanwhile."""
    totals = RunningTotals()
    for since, value, sum_of_all in ((1, 10, 10), (1, 8, 10), (5, 2, 12), (1, 9, 12), (5, 3, 13)):
        stats = totals.merge({0: counted(since, ("sessions_total", [], value))})
        assert value_of(stats, "sessions_total") == sum_of_all


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.integers(0, 9))))
def test_what_is_shown_only_grows_and_is_all_that_was_seen(happenings):
    """Workers count, are looked at each time, and die at any moment."""
    totals, since, now = RunningTotals(), dict.fromkeys(range(3), 0.0), dict.fromkeys(range(3), 0)
    shown, everything = [0.0], 0
    for moment, (worker, dies, more) in enumerate(happenings, 1):
        if dies:
            since[worker], now[worker] = float(moment), 0
        now[worker] += more
        everything += more
        parts = {w: counted(since[w], ("sessions_total", [], now[w])) for w in range(3)}
        shown.append(value_of(totals.merge(parts), "sessions_total") or 0.0)
    assert all(a <= b for a, b in pairwise(shown))
    assert shown[-1] == everything


def test_what_a_worker_that_is_away_held_in_memory_is_not_counted():
    totals = RunningTotals()
    totals.merge({n: counted(1, ("connections_open", [], 2 + n)) for n in (0, 1)})
    assert value_of(totals.merge({0: counted(1, ("connections_open", [], 2))}), "connections_open") == 2


def test_mail_of_a_worker_that_does_not_answer_waits_all_the_same():
    totals = RunningTotals()

    def waiting(**parts: tuple[float, int]) -> float | None:
        numbers = {
            int(worker[1:]): counted(since, ("recipients", ["delayed"], value))
            for worker, (since, value) in parts.items()
        }
        return value_of(totals.merge(numbers, (0, 1)), "recipients", "delayed")

    assert waiting() is None
    assert waiting(w0=(1, 0)) is None  # of worker 1 nothing is known yet: there may be mail
    assert waiting(w0=(1, 0), w1=(1, 2)) == 2
    assert waiting(w0=(1, 1)) == 3  # worker 1 is slow, or is being started again
    assert waiting(w0=(1, 0), w1=(9, 1)) == 1
    assert waiting(w0=(1, 0), w1=(1, 5)) == 1  # what its predecessor said comes late


def test_all_that_is_known_beforehand_is_shown_from_the_start():
    """What upper floors call things stands in the table as they call it."""
    shown = zeros().keys()

    def values(name: str) -> set[str]:
        return {label for of, *labels in shown for label in labels if of == name}

    assert values("attempts_total") == {*get_args(Verdict), *PROVIDERS, OTHER}
    assert values("attempt_stage_seconds_count") == set(get_args(Stage))
    assert values("reports_total") == set(get_args(Action))
    assert values("problems_total") == {reason.label for reason in Reason}
    assert values("auth_total") >= set(get_args(Denial))


def test_a_counter_that_is_not_described_never_goes_back_either():
    totals = RunningTotals()
    totals.merge({0: counted(1, ("surprises_total", [], 3))})
    assert value_of(totals.merge({0: counted(2, ("surprises_total", [], 1))}), "surprises_total") == 4


@given(st.lists(st.lists(st.floats(0, 100), max_size=5), max_size=4))
def test_histograms_of_workers_add_up_to_that_of_all_values(values_of_workers):
    parts, together = {}, Counters()
    for worker, values in enumerate(values_of_workers):
        counters = Counters()
        for value in values:
            for each in (counters, together):
                each.histogram("acceptance_seconds").observe(value)
        parts[worker] = WorkerStats(
            1, [(name, labels, value) for (name, *labels), value in counters.numbers()]
        )
    stats = {(name, *labels): value for name, labels, value in RunningTotals().merge(parts)}
    for key, value in together.numbers():
        assert stats[key] == pytest.approx(value)
    assert stats["acceptance_seconds_count",] == sum(map(len, values_of_workers))


def test_numbers_of_one_metric_stand_together_in_the_order_of_the_table():
    counters = Counters()
    counters.add("events_total", "surprise")
    counters.set("queues", 1)
    numbers = [(name, labels, value) for (name, *labels), value in counters.numbers()]
    names = [family_of(name) for name, _, _ in RunningTotals().merge({0: WorkerStats(1, numbers)})]
    order = [name for name in METRICS if name in names]
    assert list(dict.fromkeys(names)) == order
    assert names == sorted(names, key=order.index)
