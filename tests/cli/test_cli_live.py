"""`angarium trace on` and `angarium top`."""

import json

from angarium.cli.glance import Rates, glance_lines
from angarium.cli.trace import trace_args
from angarium.core.operations import Glance, Health, NodeInfo, Queues, QueueTotals

ID = "01a1fdba29c3712cb8cc52757d868ff0"


def line(direction, text, **more):
    return {
        "at": 1_700_049_600.25,
        "session": "s1",
        "peer": "192.0.2.1:25",
        "direction": direction,
        "line": text,
        **more,
    }


def test_a_transcript_shows_both_sides_with_time_session_and_peer(cli, control):
    control.items["trace"] = [
        {"tracing": "example.com", "problems": []},
        line("C", "EHLO mail.example"),
        line("S", "250 \x1b[31mmx.example.com"),
        {"lost": 3},
    ]
    control.says["trace"] = None
    result = cli("trace", "on", "example.com")
    assert result.stdout.splitlines() == [
        "12:00:00.250 s1 192.0.2.1:25 C EHLO mail.example",
        "12:00:00.250 s1 192.0.2.1:25 S 250 \\x1b[31mmx.example.com",
        "3 lines were lost: they came faster than they could be shown",
    ]
    assert control.asked == [("trace", {"domain": "example.com"})]


def test_a_transcript_as_json_is_a_line_per_item(cli, control):
    control.items["trace"] = [{"tracing": "example.com", "problems": []}, line("C", "QUIT")]
    control.says["trace"] = None
    items = [json.loads(text) for text in cli("trace", "on", "example.com", "--json").stdout.splitlines()]
    assert [item.get("line") for item in items] == [None, "QUIT"]


def test_what_looks_like_an_id_is_a_message_and_all_else_a_domain():
    assert trace_args(ID) == {"message": ID}
    assert trace_args("example.com") == {"domain": "example.com"}


def glance(at, **counters):
    stats = [("events_total", [name], value) for name, value in counters.items()]
    stats += [("events_total", ["released"], 99), ("connections_open", [], 4)]
    node = NodeInfo("1.0", 42, at - 3600, "/data", workers=2)
    return Glance(at, node, Health(), Queues([], QueueTotals(waited_in=1, active=5)), stats)


def test_rates_are_differences_of_counters_over_time():
    rates = Rates()
    assert rates.since_last(glance(1000.0, delivered=10)) is None
    second = rates.since_last(glance(1002.0, delivered=30, bounced=1))
    assert (second["delivered"], second["bounced"], second["received"]) == (10.0, 0.5, 0.0)


def test_a_counter_that_went_back_is_no_negative_rate():
    rates = Rates()
    rates.since_last(glance(1000.0, delivered=10))
    assert rates.since_last(glance(1001.0, delivered=3))["delivered"] == 0.0


def test_a_glance_in_words():
    rates = Rates()
    rates.since_last(glance(1000.0))
    now = glance(1001.0, delivered=250)
    assert glance_lines(now, rates.since_last(now)) == [
        "angarium 1.0, up 1 h, 2 workers. Ready: takes mail.",
        "per second: received 0, delivered 250, delayed 0, bounced 0, expired 0, sessions in 0, connections out 0, "
        "0 B in; CPU 0 %",
        "now: sessions in 0, connections out 4, recipients active 0, in flight 0, delayed 0, "
        "held 0, journal 0 B in 0 segments",
        "5 recipients wait in 1 queue. Nothing holds it.",
    ]


def test_top_in_a_pipe_is_printed_once_with_rates(cli, control):
    control.items["top"] = [glance(1000.0), glance(1001.0, delivered=7), glance(1002.0)]
    control.endless.add("top")
    control.says["top"] = None
    result = cli("top")
    assert (result.exit_code, result.stdout.count("up 1 h")) == (0, 1)
    assert "delivered 7.0" in result.stdout


def test_top_in_a_pipe_prints_as_many_views_as_it_is_told_to(cli, control):
    control.items["top"] = [glance(1000.0), glance(1001.0, delivered=7), glance(1002.0)]
    control.says["top"] = None
    result = cli("top", "--count", "2", "--interval", "0.5")
    assert "per second: one moment" in result.stdout
    assert "delivered 7.0" in result.stdout
    assert result.stdout.count("up 1 h") == 2
    assert control.asked == [("top", {"interval_s": "0.5", "limit": "20", "sort": "waiting"})]


def test_top_as_json_is_a_line_per_view(cli, control):
    control.items["top"] = [glance(1000.0), glance(1001.0)]
    control.says["top"] = None
    views = [json.loads(text) for text in cli("top", "--json").stdout.splitlines()]
    assert [view["at"] for view in views] == ["1970-01-01T00:16:40.000Z", "1970-01-01T00:16:41.000Z"]
