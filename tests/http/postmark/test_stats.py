"""Postmark's API: how much was sent, and how it fared."""

import pytest

from angarium.core.records import Attempt
from angarium.core.reply import Reply
from angarium.testing.happenings import START, event, fact, reception

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36"


@pytest.fixture
def sent(postmark, events):
    """One that was delivered, opened and clicked, one that bounced, one complained of; and one of another account."""
    own = {"account": postmark.account, "server": postmark.server, "stream": "outbound"}
    first, second, third = (
        reception(
            number,
            START + number,
            tags=("t",) if number == 1 else (),
            track_opens=True,
            track_links="all",
            **own,
        )
        for number in (1, 2, 3)
    )
    other = reception(4, START + 4, account=1, server=99, stream="outbound")
    attempt = Attempt(started_at=START, stage="rcpt", host="mx.example.com")
    gone = Reply(550, "5.1.1", "no such user")
    events.take([first, second, third, other])
    events.take([event(each, "delivered", "delivered", attempt=attempt) for each in (first, third, other)])
    events.take([event(second, "bounced", "bounced", reply=gone, attempt=attempt)])
    events.take([fact("open", first, 1, agent=CHROME), fact("open", first, 2, START + 200, agent=CHROME)])
    events.take([fact("click", first, 3, agent=CHROME, url="https://x.example/", part="text", opened=True)])
    events.take([fact("complaint", third, 4, type="abuse")])


def test_the_sums(postmark, sent):
    told = postmark("GET", "/stats/outbound").json
    assert told == {
        "Sent": 3,
        "Bounced": 1,
        "SMTPApiErrors": 0,
        "BounceRate": 33.33,
        "SpamComplaints": 1,
        "SpamComplaintsRate": 33.33,
        "Opens": 2,
        "UniqueOpens": 1,
        "Tracked": 3,
        "WithOpenTracking": 3,
        "WithLinkTracking": 3,
        "TotalTrackedLinksSent": 3,
        "UniqueLinksClicked": 1,
        "TotalClicks": 1,
        "WithClientRecorded": 1,
        "WithPlatformRecorded": 1,
    }
    assert postmark("GET", "/stats/outbound?tag=t").json["Sent"] == 1
    assert postmark("GET", "/stats/outbound?messagestream=broadcast").json["Sent"] == 0
    assert postmark("GET", "/stats/outbound?fromdate=2026-1-1&todate=2026-1-2").json["Sent"] == 0


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("sends", {"Sent": 3}),
        ("spam", {"SpamComplaint": 1}),
        ("tracked", {"Tracked": 3}),
        ("opens", {"Opens": 2, "Unique": 1}),
        ("clicks", {"Clicks": 1, "Unique": 1}),
        ("bounces", {"HardBounce": 1, "SoftBounce": 0, "Transient": 0, "SMTPApiError": 0}),
        ("opens/platforms", {"Desktop": 1, "Mobile": 0, "Unknown": 0, "WebMail": 0}),
        ("opens/emailClients", {"Chrome": 1}),
        ("clicks/browserfamilies", {"Chrome": 1}),
        ("clicks/platforms", {"Desktop": 1, "Mobile": 0, "Unknown": 0}),
        ("clicks/location", {"HTML": 0, "Text": 1}),
    ],
)
def test_by_days(postmark, sent, path, counts):
    told = postmark("GET", f"/stats/outbound/{path}?fromdate=2026-11-01").json
    (row,) = told.pop("Days")
    assert told == counts
    assert {name: value for name, value in row.items() if name != "Date"} == counts
    assert row["Date"][:7] in ("2026-11", "2026-12")


def test_what_is_wrong_with_a_question(postmark):
    assert postmark("GET", "/stats/outbound?fromdate=x").json["ErrorCode"] == 900
    assert (
        postmark("GET", "/stats/outbound/sends?fromdate=2026-02-01&todate=2026-01-01").json["ErrorCode"]
        == 900
    )
