"""The real program under load while its processes are killed. The drill itself ships in `testing.kill`."""

import pytest

from angarium.testing.kill import run_kill_drill

pytestmark = pytest.mark.process


def no_progress(done: int, kills: int) -> None:
    """Say nothing."""


def test_no_kill_loses_or_invents_mail() -> None:
    report = run_kill_drill(no_progress, kills=6, seed=6)
    print(report)
    assert report.broken == []
    assert report.acknowledged > 100
    assert report.kills.total() == 6


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("workers", [1, 3])
def test_a_hundred_kills_lose_and_invent_no_mail(workers: int) -> None:
    report = run_kill_drill(no_progress, kills=100, seed=100 + workers, workers=workers)
    print(report)
    assert report.broken == []
    assert report.kills.total() == 100
