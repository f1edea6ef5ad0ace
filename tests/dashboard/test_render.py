"""From values to HTML."""

from datetime import UTC, datetime

from angarium.dashboard.render import moment, number, share, visible
from angarium.events.reports.model import ReportRate


def test_what_cannot_be_seen_is_written():
    assert visible("a\u202eb\x00\u200b") == "a⟨U+202E⟩b⟨U+0000⟩⟨U+200B⟩"
    assert visible("Käse\n日本 🎉") == "Käse\n日本 🎉"


def test_a_time_is_read_by_people_and_by_programs():
    shown = moment(datetime(2026, 11, 30, 14, 5, 6, 789_000, tzinfo=UTC))
    assert "2026-11-30 14:05:06</time>" in shown
    assert 'datetime="2026-11-30T14:05:06.789Z"' in shown
    assert moment(None) == "–"


def test_a_rate_says_what_it_is_of():
    assert share(ReportRate(52, 12_304, 52 / 12_304)) == "0.42 % of 12,304"
    assert share(ReportRate(3, 41, 3 / 41)) == "3 of 41"
    assert share(ReportRate(0, 0, None)) == "not measured"


def test_what_is_not_measured_is_not_0():
    assert number(None) == "not measured"
    assert number(12_304) == "12,304"
