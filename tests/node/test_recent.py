"""What happened lately: the difference of two looks at what was counted in all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.metrics import Counters, Histogram, quantile
from angarium.core.operations import Stat
from angarium.node.recent import LATELY_S, RecentNumbers


def numbers(counters: Counters) -> list[Stat]:
    return [(name, labels, value) for (name, *labels), value in counters.numbers()]


def test_of_all_that_was_counted_the_last_minute_is_told():
    counters, recent = Counters(), RecentNumbers()
    for second in range(0, 120, 5):
        recent.note(float(second), numbers(counters))
        counters.add("received_messages_total", amount=10)
        counters.add("events_total", "delivered", amount=8)
        counters.add("events_total", "delayed", amount=2)
        counters.add("events_total", "held", amount=100)
        counters.add("refused_messages_total", "552")
        counters.add("refused_messages_total", "451")
    lately = recent.lately(120.0, numbers(counters))
    assert lately is not None
    assert lately.over_s == pytest.approx(LATELY_S, abs=5)
    looks = lately.over_s / 5
    assert (lately.received, lately.delivered, lately.delayed) == (10 * looks, 8 * looks, 2 * looks)
    assert (lately.refused, lately.bounced) == (2 * looks, 0)
    assert lately.half_within_s is lately.most_within_s is None


def test_how_long_a_250_took_is_that_of_the_last_minute_and_not_of_all_time():
    counters, recent = Counters(), RecentNumbers()
    accepted = counters.histogram("acceptance_seconds")
    for _ in range(1000):
        accepted.observe(9.0)
    recent.note(0.0, numbers(counters))
    for _ in range(98):
        accepted.observe(0.0015)
    for _ in range(2):
        accepted.observe(0.2)
    lately = recent.lately(10.0, numbers(counters))
    assert lately is not None
    assert 0.001 <= lately.half_within_s <= 0.0025
    assert 0.1 <= lately.most_within_s <= 0.25


def test_nothing_is_told_before_there_was_a_look():
    recent = RecentNumbers()
    assert recent.lately(1.0, []) is None
    recent.note(1.0, [])
    assert recent.lately(1.0, []) is None


BOUNDS = (0.5, 1.0, 10.0)


@given(st.lists(st.floats(0, 10), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_in_the_bucket_of_the_value_that_it_is_about(values, share):
    histogram = Histogram(BOUNDS)
    for value in values:
        histogram.observe(value)
    buckets = [(float(key[1]), number) for key, number in histogram.numbers("x") if key[0] == "x_bucket"]
    found = quantile(share, buckets)
    # the bucket in which so large a share is reached for the first time
    upper = next(end for end, number in buckets if number >= share * len(values))
    lower = max((end for end in (0.0, *BOUNDS) if end < upper), default=0.0)
    assert found is not None
    assert lower <= found <= upper


def test_a_quantile_above_all_bounds_is_the_last_of_them_and_of_nothing_there_is_none():
    assert quantile(0.99, [(1.0, 0), (float("inf"), 5)]) == 1.0
    assert quantile(0.99, [(1.0, 0), (float("inf"), 0)]) is None
    assert quantile(0.99, []) is None
