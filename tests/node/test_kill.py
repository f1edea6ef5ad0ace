"""The real program under load while its processes are killed. The drill itself ships in `testing.kill`."""

from pathlib import Path

import pytest

from angarium.testing.kill import run_kill_drill
from angarium.testing.upgrade import run_upgrade_drill

FORMAT_1 = Path(__file__).parents[1] / "spool" / "format_1" / "spool.tar.gz"

pytestmark = pytest.mark.process


def no_progress(done: int, kills: int) -> None:
    """Say nothing."""


def test_no_kill_loses_or_invents_mail() -> None:
    report = run_kill_drill(no_progress, kills=6, seed=6)
    print(report)
    assert report.broken == []
    assert report.acknowledged > 100
    assert report.kills.total() == 6


def test_no_kill_loses_or_invents_mail_of_a_spool_that_is_taken_over() -> None:
    report = run_upgrade_drill(no_progress, FORMAT_1, kills=4, seed=4)
    print(report)
    assert report.broken == []
    assert (report.spools, report.kills) == (1, 4)
    assert report.recipients > 5


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("workers", [1, 3])
def test_a_hundred_kills_lose_and_invent_no_mail(workers: int) -> None:
    report = run_kill_drill(no_progress, kills=100, seed=100 + workers, workers=workers)
    print(report)
    assert report.broken == []
    assert report.kills.total() == 100
