"""Postmark's API: messages that were sent, what became of them, and who has looked at them."""

import pytest

from angarium.core.records import Attempt
from angarium.core.reply import Reply
from angarium.events.bodies.port import TextToKeep
from angarium.testing.happenings import START, event, fact, reception

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.0 Mobile/15E148 Safari/604.1"
)
TEXT = (
    b"Subject: Your roof\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello\r\n"
    b"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hello</p>\r\n--b--\r\n"
)


def uuid(message):
    text = message.id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@pytest.fixture
def sent(postmark, events, texts):
    """One message to two, delivered, opened twice and clicked; one that waits; one of another account."""
    own = {"account": postmark.account, "server": postmark.server, "stream": "outbound"}
    first = reception(
        1,
        START + 1,
        to=("ann@example.com", "bob@example.com"),
        tags=("welcome",),
        metadata={"order": 7},
        **own,
    )
    second = reception(2, START + 2, subject="Still here", **own)
    other = reception(3, START + 3, account=1, server=99, stream="outbound")
    attempt = Attempt(started_at=START, stage="final", host="mx.example.com", peer="127.0.0.1:25")
    events.take([first, second, other])
    for index in (0, 1):
        events.take(
            [
                event(
                    first,
                    "delivered",
                    "delivered",
                    index=index,
                    reply=Reply(250, "2.0.0", "OK"),
                    attempt=attempt,
                )
            ]
        )
    for number, agent in ((1, IPHONE), (2, "Thunderbird/115")):
        events.take([fact("open", first, number, START + 100 + number, agent=agent)])
    events.take([fact("open", first, 3, START + 90, agent="x", machine="prefetch")])
    events.take(
        [fact("click", first, 4, START + 200, agent=IPHONE, url="https://shop.example/", part="html")]
    )
    texts.take([TextToKeep(first.message, first.message.id, "2099-01-01", TEXT)])
    return first.message


def test_they_are_listed_a_message_once_however_many_recipients(postmark, sent):
    found = postmark("GET", "/messages/outbound?count=10&offset=0").json
    assert (found["TotalCount"], [each["Subject"] for each in found["Messages"]]) == (
        2,
        ["Still here", "Your roof"],
    )
    shown = found["Messages"][1]
    assert shown["Recipients"] == ["ann@example.com", "bob@example.com"]
    assert shown["To"][0] == {"Email": "ann@example.com", "Name": ""}
    assert (shown["Status"], found["Messages"][0]["Status"]) == ("Sent", "Queued")
    assert (shown["MessageID"], shown["Tag"], shown["Metadata"]) == (uuid(sent), "welcome", {"order": "7"})
    assert (shown["TrackOpens"], shown["TrackLinks"]) == (False, "None")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("recipient=bob@example.com", 2),
        ("recipient=ann@example.com", 1),
        ("fromemail=shop@example.org", 2),
        ("fromemail=else@example.org", 0),
        ("tag=welcome", 1),
        ("subject=still", 1),
        ("status=queued", 1),
        ("status=Sent", 1),
        ("metadata_order=7", 1),
        ("metadata_order=8", 0),
        ("messagestream=outbound", 2),
        ("messagestream=broadcast", 0),
        ("todate=2020-01-01", 0),
        ("fromdate=2026-11-29T00:00:00", 2),
    ],
)
def test_which_are_listed(postmark, sent, query, found):
    assert postmark("GET", f"/messages/outbound?count=10&offset=0&{query}").json["TotalCount"] == found


def test_a_page_of_them(postmark, sent):
    page = postmark("GET", "/messages/outbound?count=1&offset=1").json
    assert (page["TotalCount"], [each["Subject"] for each in page["Messages"]]) == (2, ["Your roof"])


def test_one_is_told_with_its_text_and_what_became_of_it(postmark, sent):
    told = postmark("GET", f"/messages/outbound/{uuid(sent)}/details").json
    assert (told["TextBody"].strip(), told["HtmlBody"].strip()) == ("Hello", "<p>Hello</p>")
    assert told["Body"].startswith("Subject: Your roof")
    assert [(each["Type"], each["Recipient"]) for each in told["MessageEvents"]] == [
        ("Delivered", "ann@example.com"),
        ("Delivered", "bob@example.com"),
        ("Opened", "ann@example.com"),
        ("Opened", "ann@example.com"),
        ("LinkClicked", "ann@example.com"),
    ]
    assert told["MessageEvents"][0]["Details"] == {
        "DeliveryMessage": "smtp;250 2.0.0 OK",
        "DestinationServer": "mx.example.com",
        "DestinationIP": "127.0.0.1",
    }
    assert postmark("GET", f"/messages/outbound/{uuid(sent)}/dump").json["Body"] == told["Body"]


def test_one_that_is_not_there_or_anothers(postmark, sent):
    others = "x", "0" * 32, uuid(reception(3, START + 3).message)
    for name in others:
        answer = postmark("GET", f"/messages/outbound/{name}/details")
        assert (answer.status, answer.json["ErrorCode"]) == (422, 701)
        assert "not found" in answer.json["Message"]


def test_first_opens_by_people(postmark, sent):
    found = postmark("GET", "/messages/outbound/opens?count=5&offset=0").json
    (shown,) = found["Opens"]
    assert (found["TotalCount"], shown["FirstOpen"], shown["Recipient"]) == (1, True, "ann@example.com")
    assert shown["Client"] == {"Name": "Safari 17", "Company": "Apple", "Family": "Safari"}
    assert shown["OS"] == {"Name": "iOS 17", "Company": "Apple", "Family": "iOS"}
    assert (shown["Platform"], shown["Geo"], shown["Tag"]) == ("Mobile", {}, "welcome")
    assert postmark("GET", f"/messages/outbound/opens/{uuid(sent)}").json["TotalCount"] == 1
    assert postmark("GET", "/messages/outbound/opens?platform=desktop").json["TotalCount"] == 0
    assert (
        postmark("GET", "/messages/outbound/opens?os_family=ios&client_company=apple").json["TotalCount"] == 1
    )
    assert postmark("GET", "/messages/outbound/opens?country=Serbia").json["TotalCount"] == 0
    assert postmark("GET", "/messages/outbound/opens?recipient=bob").json["TotalCount"] == 0


def test_clicks(postmark, sent):
    (shown,) = postmark("GET", "/messages/outbound/clicks").json["Clicks"]
    assert (shown["ClickLocation"], shown["OriginalLink"]) == ("HTML", "https://shop.example/")
    assert "FirstOpen" not in shown
    assert postmark("GET", f"/messages/outbound/clicks/{uuid(sent)}").json["TotalCount"] == 1


@pytest.mark.parametrize(
    "query", ["status=lost", "fromdate=x", "count=0", "count=501", "offset=9999&count=2"]
)
def test_what_is_wrong_with_a_question(postmark, query):
    assert postmark("GET", f"/messages/outbound?{query}").json["ErrorCode"] == 700
