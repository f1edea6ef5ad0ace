"""Recorder, workers and supervisor killed under load, and what was recorded of it. The drill is `testing.loss`."""

from collections import Counter

import pytest

from angarium.testing.loss import LossReport, run_loss_drill
from angarium.testing.recorded import Happened, differences

RECEIVED = Happened("received", 1.0, "0a", -1)
DELIVERED = Happened("delivered", 2.0, "0a", 0)
OPENED = Happened("open", 3.0, "0a", 0)


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ([RECEIVED, DELIVERED], []),
        ([RECEIVED], [f"not recorded: {DELIVERED}"]),
        ([RECEIVED, DELIVERED, DELIVERED], [f"recorded twice: {DELIVERED}"]),
        ([RECEIVED, DELIVERED, OPENED], [f"recorded, and never said: {OPENED}"]),
    ],
)
def test_each_entry_of_the_journals_is_to_be_recorded_once(found, wrong):
    assert differences(Counter([RECEIVED, DELIVERED]), Counter(found)) == wrong


def test_of_many_differences_twenty_are_told_and_the_others_counted():
    said = Counter(Happened("open", float(n), "0a", 0) for n in range(25))
    told = differences(said, Counter())
    assert (len(told), told[-1]) == (21, "… and 5 more")


def no_progress(done: int, seconds: int) -> None:
    """Say nothing."""


def held(report: LossReport) -> None:
    print(report)
    assert report.broken == []
    assert report.kills["recorder"] >= 1
    assert report.halts >= 1
    assert report.entries > report.acknowledged > 100


@pytest.mark.process
def test_no_kill_loses_or_doubles_what_is_recorded():
    held(run_loss_drill(no_progress, 5, 41))


@pytest.mark.process
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("workers", [1, 3])
def test_two_minutes_of_kills_lose_and_double_nothing_that_is_recorded(workers):
    held(run_loss_drill(no_progress, 120, 100 + workers, workers=workers))
