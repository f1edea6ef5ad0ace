"""`angarium report`: how much mail went where, and how it fared."""

import csv
import io
import json
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from angarium.cli.main import main
from angarium.cli.reports.csv_file import harmless
from angarium.cli.reports.drawn import percent, seconds, when_of
from angarium.core.records import Attempt
from angarium.core.reply import Reply
from angarium.events.reports.model import ReportRate
from angarium.events.sqlite.store import SqliteEventStore
from angarium.testing.happenings import START, event, reception

GMAIL = Attempt(started_at=START, stage="rcpt", host="gmail-smtp-in.l.google.com")
PERIOD = ("--zone", "UTC", "--from", "2026-11-29", "--to", "2026-12-01")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with 120 messages: most are delivered, some bounce, some wait."""
    store = SqliteEventStore(tmp_path / "events", lambda event: "no_such_recipient")
    for number in range(120):
        mail = reception(
            number,
            START + number,
            to=(f"r{number}@{'gmail' if number % 2 else 'small'}.test",),
            tags=("=1+1",),
        )
        store.take([mail])
        if number % 12 == 1:
            gone = Reply(550, "5.1.1", f"<r{number}@gmail.test> no such user q{number}x")
            store.take([event(mail, "bounced", "bounced", 1, reply=gone, attempt=GMAIL)])
        elif number % 12 == 3:
            slow = Reply(421, "4.7.28", f"unusual rate, see q{number}x")
            store.take([event(mail, "delayed", "queued", 1, reply=slow, attempt=GMAIL)])
        else:
            store.take([event(mail, "delivered", "delivered", 1, after_s=2.0, attempt=GMAIL)])
    store.close()
    return tmp_path


def say(data: Path, *arguments: str) -> str:
    result = CliRunner().invoke(main, ["report", *arguments, "--data", str(data)])
    assert result.exit_code == 0, result.output
    return result.output


def test_one_command_says_how_things_are_at_gmail(data: Path) -> None:
    assert say(data, "provider:google", *PERIOD) == (
        "What happened to provider:google, from 2026-11-29 00:00 to 2026-12-02 00:00 (UTC)\n\n"
        "accepted     -\n"
        "delivered  100  90.9 %  ██████████████████\n"
        "bounced     10   9.1 %  ██\n"
        "  hard      10\n"
        "delayed     10   8.3 %  ██\n"
        "delivered within 2.0 s for half of it, 2.0 s for 95 %, 2.0 s for 99 %\n\n"
        "What peers said most often:\n"
        "10 bounced: 550 5.1.1 # no such user # (no_such_recipient)\n"
        "10 delayed: 421 4.7.28 unusual rate, see # (no_such_recipient)\n"
    )


def test_what_is_told_apart_is_a_table_with_bars(data: Path) -> None:
    lines = say(data, "--by", "domain", *PERIOD).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["DOMAIN", "ACCEPTED", "DELIVERED", "%", "BOUNCED", "DELAYED", "P95"],
        ["gmail.test", "60", "40", "80.0", "%", "10", "10", "2.0", "s", "██████████"],
        ["small.test", "60", "60", "100.0", "%", "0", "0", "2.0", "s", "██████████"],
    ]
    assert max(map(len, lines)) <= 80


def test_the_states_of_what_was_accepted_add_up(data: Path) -> None:
    assert say(data, "--accepted", *PERIOD).splitlines()[2:5] == [
        "accepted    120",
        "delivered   100  83.3 %  █████████████████",
        "returned      0   0.0 %",
    ]
    found = json.loads(say(data, "--accepted", "--json", *PERIOD))["report"]["total"]["counts"]
    assert found.pop("accepted") == sum(found.values()) == 120


def test_json_has_null_for_what_is_not_measured(data: Path) -> None:
    found = json.loads(say(data, "provider:google", "--json", *PERIOD))
    assert found["report"]["since_at"] == "2026-11-29T00:00:00.000Z"
    assert found["report"]["total"]["counts"]["accepted"] is None
    assert found["report"]["total"]["counts"]["bounced_hard"] == 10
    assert [each["count"] for each in found["replies"]] == [10, 10]


def test_csv_agrees_with_the_report_and_has_no_formula(data: Path) -> None:
    table = list(csv.DictReader(io.StringIO(say(data, "--by", "tag", "--per", "day", "--csv", *PERIOD))))
    assert [(row["tag"], row["delivered"], row["opens"]) for row in table] == [("'=1+1", "100", "")]
    assert table[0]["at"] == "2026-11-30T00:00:00.000Z"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--zone", "Nowhere/X"), "no time zone; write one as Europe/Amsterdam"),
        (("--from", "soon"), "--from soon: that is no time; write 2026-11-30"),
        (("--from", "1h", "--to", "2h"), "--from is not before --to"),
        (("stream:",), "nothing to look for"),
        (
            ("--per", "minute", "--from", "2020-01-01"),
            "at most 11,000 rows; ask for larger units than minute",
        ),
    ],
)
def test_what_cannot_be_reported_is_told_with_what_to_write(
    data: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = CliRunner().invoke(main, ["report", *arguments, "--data", str(data)])
    assert (result.exit_code, said in result.output) == (1, True), result.output


def test_numbers_are_told_as_exactly_as_they_are_known() -> None:
    assert percent(ReportRate(3, 41, 3 / 41)) == "3 of 41"
    assert percent(ReportRate(19_999, 20_000, 0.99995)) == "99.9 %"  # it is not all of them
    assert percent(ReportRate(0, 0, None)) == "-"
    assert [seconds(each) for each in (0.0012, 0.99, 1.44, 59, 150, 90_000, 200_000)] == [
        "1.2 ms", "990 ms", "1.4 s", "59 s", "2.5 min", "25 h", "2.3 d",
    ]  # fmt: skip
    assert [harmless(text) for text in ("=1", "@a", "-b", "plain")] == ["'=1", "'@a", "'-b", "plain"]


def test_an_hour_that_comes_twice_has_its_offset() -> None:
    zone = ZoneInfo("America/New_York")
    first = 1_793_509_200  # 2026-11-01 01:00 EDT
    assert [when_of(first + hour * 3600, "hour", zone) for hour in (-1, 0, 1, 2)] == [
        "11-01 00:00", "11-01 01:00-0400", "11-01 01:00-0500", "11-01 02:00",
    ]  # fmt: skip
    assert when_of(first, "hour", UTC) == "11-01 05:00"
    spring = 1_772_953_200  # 2026-03-08 02:00 EST, which no clock shows
    assert when_of(spring, "hour", zone) == "03-08 03:00"


def test_days_are_those_of_the_account_that_is_asked_about(data: Path) -> None:
    run = CliRunner().invoke
    assert run(main, ["init", "--data", str(data), "--json"]).exit_code == 0
    assert (
        run(main, ["accounts", "change", "1", "--zone", "Mars/Olympus", "--data", str(data)]).exit_code == 1
    )
    done = run(main, ["accounts", "change", "1", "--zone", "Asia/Kathmandu", "--data", str(data)])
    assert done.exit_code == 0, done.output
    days = ("--account", "1", "--from", "2026-11-29", "--to", "2026-11-30", "--json")
    assert json.loads(say(data, *days))["report"]["since_at"] == "2026-11-28T18:15:00.000Z"
    assert json.loads(say(data, *days, "--zone", "UTC"))["report"]["since_at"] == "2026-11-29T00:00:00.000Z"
