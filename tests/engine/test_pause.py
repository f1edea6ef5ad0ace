"""Delivery waits for the disk before what is delivered and not written down gets too much."""

import pytest

from angarium.engine.sweep import pause_reason
from angarium.spool.port import SpoolStatus


@pytest.mark.parametrize(
    ("unwell", "backlog", "reports", "reason"),
    [
        ("", 200_000, 10_000, None),
        ("", 200_001, 0, "200001 outcomes wait for the disk"),
        ("input/output error", 1000, 0, None),
        ("input/output error", 1001, 0, "1001 outcomes wait for the disk: input/output error"),
        ("", 0, 10_001, "10001 reports to senders wait for the disk"),
    ],
)
def test_an_unwell_spool_pauses_delivery_early(
    unwell: str, backlog: int, reports: int, reason: str | None
) -> None:
    assert pause_reason(SpoolStatus(None, unwell, 0, 0, 0, 0, backlog), reports) == reason
