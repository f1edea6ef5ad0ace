"""The bars of a report: as long as what they say."""

from angarium.dashboard.views.reports import WIDTH, lines_of
from angarium.http.manage.reports import ReportRowView


def row(**counts):
    return ReportRowView(None, None, "x", counts, {}, None, is_unfinished=False, is_others=False)


def test_the_largest_is_as_long_as_a_bar():
    first, second = lines_of([row(accepted=100, delivered=80, bounced=10), row(accepted=50, delivered=50)])
    assert (first.delivered, first.failed, first.rest) == (WIDTH * 8 // 10, WIDTH // 10, WIDTH // 10)
    assert (second.delivered, second.failed, second.rest) == (WIDTH // 2, 0, 0)


def test_more_delivered_than_accepted_in_the_time_is_no_negative_bar():
    (only,) = lines_of([row(accepted=1, delivered=100, bounced=100)])
    assert only.rest == 0
    assert only.delivered + only.failed == WIDTH


def test_nothing_has_no_bar():
    assert lines_of([]) == []
    (only,) = lines_of([row(accepted=0, delivered=None)])
    assert (only.delivered, only.failed, only.rest) == (0, 0, 0)
