"""The spool's promises, with its disk failing at every call of a day. The matrix itself ships in `testing.crash`."""

import pytest

from angarium.testing.crash import run_crash_matrix


def no_progress(done, runs):
    """Say nothing."""


def test_the_promises_hold_when_the_disk_fails_at_every_thirteenth_call_in_every_way(tmp_path):
    report = run_crash_matrix(no_progress, tmp_path, every=13)
    assert report.broken == []
    assert report.runs >= 50


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 100_000, 200_001])
def test_the_promises_hold_when_the_disk_fails_at_any_call_in_every_way(tmp_path, seed):
    report = run_crash_matrix(no_progress, tmp_path, seed=seed)
    assert report.broken == []
