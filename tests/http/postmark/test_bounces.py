"""Postmark's API: what has come back."""

import pytest

from angarium.core.records import Attempt
from angarium.core.reply import Reply
from angarium.suppressions.records import NewCause
from angarium.testing.happenings import START, event, fact, reception

DIALOGUE = ["C: RCPT TO:<r2@example.com>", "S: 550 5.1.1 no such user"]


@pytest.fixture
def bounced(postmark, events):
    """A hard bounce that has suppressed and a complaint; the other account has a bounce as well. Returns its number."""
    own = postmark.account, postmark.server
    mails = [
        reception(
            number, START + number, to=(f"r{number}@example.com",), account=account, server=server, stream="outbound",
            tags=("welcome",) if number == 2 else (), metadata={"order": "7"},
        )
        for number, account, server in ((1, 1, 99), (2, *own), (3, *own))
    ]  # fmt: skip
    attempt = Attempt(started_at=START, stage="rcpt", host="mx.example.com", dialogue=DIALOGUE)
    reply = Reply(550, "5.1.1", "no such user")
    events.take([mails[0], event(mails[0], "bounced", "bounced", reply=reply)])
    events.take([mails[1], event(mails[1], "bounced", "bounced", reply=reply, attempt=attempt)])
    number = events.last()
    events.take(
        [mails[2], event(mails[2], "delivered", "delivered"), fact("complaint", mails[2], 1, type="abuse")]
    )
    cause = NewCause(
        account=postmark.account, what="r2@example.com", reason="hard_bounce", origin="recorder", at=START,
        message=mails[1].message.id, sent_to="r2@example.com",
    )  # fmt: skip
    postmark.store.suppressions.record([cause])
    return number


def test_they_are_listed(postmark, bounced):
    found = postmark("GET", "/bounces?count=50&offset=0").json
    assert found["TotalCount"] == 2
    assert [each["RecordType"] for each in found["Bounces"]] == ["SpamComplaint", "Bounce"]
    bounce = found["Bounces"][1]
    assert bounce == {
        "RecordType": "Bounce",
        "ID": bounced,
        "Type": "HardBounce",
        "TypeCode": 1,
        "Name": "Hard bounce",
        "Tag": "welcome",
        "MessageID": bounce["MessageID"],
        "ServerID": postmark.server,
        "MessageStream": "outbound",
        "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
        "Details": "smtp;550 5.1.1 no such user",
        "Email": "r2@example.com",
        "From": "Shop <shop@example.org>",
        "BouncedAt": bounce["BouncedAt"],
        "DumpAvailable": True,
        "Inactive": True,
        "CanActivate": True,
        "Subject": "Your roof",
        "Metadata": {"order": "7"},
    }
    assert bounce["BouncedAt"].endswith(("-05:00", "-04:00"))
    assert len(bounce["MessageID"]) == 36


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("type=HardBounce", 1),
        ("type=1", 1),
        ("type=SoftBounce", 0),
        ("inactive=true", 1),
        ("inactive=False", 1),
        ("emailFilter=R2@", 1),
        ("email_filter=nobody", 0),
        ("tag=welcome", 1),
        ("messagestream=broadcast", 0),
        ("fromdate=2000-01-01&todate=2000-01-02", 0),
        ("fromdate=2026-1-1", 2),
    ],
)
def test_which_are_listed(postmark, bounced, query, found):
    assert postmark("GET", f"/bounces?count=50&offset=0&{query}").json["TotalCount"] == found


def test_one_is_found_by_its_message_and_shown(postmark, bounced):
    shown = postmark("GET", f"/bounces/{bounced}").json
    assert shown["Content"] == "C: RCPT TO:<r2@example.com>\nS: 550 5.1.1 no such user"
    assert postmark("GET", f"/bounces/{bounced}/dump").json == {"Body": shown["Content"]}
    by_message = postmark("GET", f"/bounces?messageID={shown['MessageID']}").json
    assert [each["ID"] for each in by_message["Bounces"]] == [bounced]


def test_another_accounts_is_not_there(postmark, bounced):
    for number in (bounced - 2, 0, 10**18, "x"):
        answer = postmark("GET", f"/bounces/{number}")
        assert (answer.status, answer.json["ErrorCode"]) == (422, 1001)


def test_it_is_activated(postmark, bounced):
    answer = postmark("PUT", f"/bounces/{bounced}/activate", {}).json
    assert (answer["Message"], answer["Bounce"]["Inactive"]) == ("OK", False)
    complaint = postmark("GET", "/bounces?type=SpamComplaint").json["Bounces"][0]["ID"]
    assert postmark("PUT", f"/bounces/{complaint}/activate").json["ErrorCode"] == 1003


def test_they_are_counted(postmark, bounced):
    told = postmark("GET", "/deliverystats").json
    assert told == {
        "InactiveMails": 1,
        "Bounces": [
            {"Type": "All", "TypeCode": 0, "Name": "All", "Count": 2},
            {"Type": "HardBounce", "TypeCode": 1, "Name": "Hard bounce", "Count": 1},
            {"Type": "SpamComplaint", "TypeCode": 100001, "Name": "Spam complaint", "Count": 1},
        ],
    }
    assert postmark("GET", "/bounces/tags").json == ["welcome"]


@pytest.mark.parametrize("query", ["type=Nothing", "fromdate=yesterday"])
def test_what_is_wrong_with_a_question(postmark, query):
    assert postmark("GET", f"/bounces?{query}").json["ErrorCode"] == 1000
