"""Reports by HTTP: the same numbers that the command line has, of the caller's own mail."""

import json

import pytest

from angarium.core.records import Attempt
from angarium.core.reply import Reply
from angarium.http.manage.table import PREFIX
from angarium.testing.happenings import START, event, reception

CUSTOMER = "customer-key"
OTHERS, OWN = 1, 2
DAY = "from=2026-11-29&to=2026-12-01"
GMAIL = Attempt(started_at=START, stage="final", host="mx.google.com")


@pytest.fixture
def mails(events):
    """Three messages: one of account 1 is delivered, one of account 2 bounces, one waits."""
    told = [
        reception(1, START, to=("ann@example.com",), account=OTHERS, server=1, stream="news"),
        reception(2, START + 1, to=("bob@example.net",), account=OWN, server=2, stream="news"),
        reception(3, START + 2, to=("cid@example.com",), account=OWN, server=2),
    ]
    gone = Reply(550, "5.1.1", "<bob@example.net> is gone")
    events.take(
        [
            *told,
            event(told[0], "delivered", "delivered", attempt=GMAIL),
            event(told[1], "bounced", "bounced", reply=gone, attempt=GMAIL),
        ]
    )


def counts(row, *names):
    return [row["counts"][name] for name in names]


def test_an_account_has_reports_of_its_own_mail_only(api, mails):
    total = api("GET", f"{PREFIX}/reports?{DAY}").json["total"]
    assert counts(total, "accepted", "delivered", "bounced", "opens") == [3, 1, 1, None]
    mine = api("GET", f"{PREFIX}/reports?{DAY}", key=CUSTOMER).json["total"]
    assert counts(mine, "accepted", "delivered", "bounced") == [2, 0, 1]
    assert api("GET", f"{PREFIX}/reports?{DAY}&account={OTHERS}", key=CUSTOMER).status == 404
    sly = api("GET", f"{PREFIX}/reports?{DAY}&query=account:{OTHERS}", key=CUSTOMER).json["total"]
    assert counts(sly, "accepted", "delivered") == [0, 0]
    theirs = api("GET", f"{PREFIX}/reports?{DAY}&account={OTHERS}").json["total"]
    assert counts(theirs, "accepted", "delivered") == [1, 1]


def test_what_is_told_apart_has_a_row_each(api, mails):
    answer = api("GET", f"{PREFIX}/reports?{DAY}&by=domain&per=day&zone=Europe/Berlin").json
    assert [(row["at"], row["value"], *counts(row, "accepted")) for row in answer["data"]] == [
        ("2026-11-29T23:00:00Z", "example.com", 2),
        ("2026-11-29T23:00:00Z", "example.net", 1),
    ]
    assert answer["zone"] == "Europe/Berlin"
    largest = api("GET", f"{PREFIX}/reports?{DAY}&by=domain&limit=1").json["data"]
    assert [(row["value"], row["is_others"]) for row in largest] == [("example.com", False), (None, True)]


def test_the_states_of_what_was_accepted_add_up(api, mails):
    found = api("GET", f"{PREFIX}/reports?{DAY}&basis=acceptance").json["total"]["counts"]
    assert found["waiting"] == 1
    assert found.pop("accepted") == sum(found.values()) == 3


def test_the_export_agrees_with_the_report(api, mails):
    path = f"{PREFIX}/reports{{}}?{DAY}&by=stream"
    lines = api("GET", path.format("/export")).body.splitlines()
    assert [json.loads(line) for line in lines] == api("GET", path.format("")).json["data"]
    (total,) = api("GET", f"{PREFIX}/reports/export?{DAY}").body.splitlines()
    assert json.loads(total) == api("GET", f"{PREFIX}/reports?{DAY}").json["total"]


def test_what_peers_say_most_often(api, mails):
    answer = api("GET", f"{PREFIX}/reports/replies?{DAY}&query=provider:google", key=CUSTOMER).json
    assert [(each["pattern"], each["count"]) for each in answer["data"]] == [("550 5.1.1 # is gone", 1)]


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ("from=soon", "from"),
        ("from=1h&to=2h", "from"),
        ("to=never", "to"),
        ("per=minute&from=2020-01-01", "per"),
        ("zone=Nowhere/X", "zone"),
        ("by=weather", "by"),
        ("query=red%5E", "query"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(api, mails, asked, pointer):
    answer = api("GET", f"{PREFIX}/reports?{asked}")
    assert (answer.status, list(answer.pointers)) == (400, [pointer]), answer.body
