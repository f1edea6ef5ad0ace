"""What has come back, asked by HTTP: listed, counted, told with what has followed, undone; and what is held."""

import pytest

from angarium.core.ids import MessageId
from angarium.core.records import Attempt
from angarium.core.reply import Reply
from angarium.http.manage.table import PREFIX
from angarium.suppressions.notes import NewNote
from angarium.suppressions.records import EVERYTHING, NewCause
from angarium.testing.happenings import START, event, fact, reception

CUSTOMER = "customer-key"
OTHERS, OWN = 1, 2


@pytest.fixture
def bounce(events, store):
    """Two bounces and a complaint; that of account 2 has suppressed. Returns the id of the last."""
    for number, account in ((1, OTHERS), (2, OWN)):
        mail = reception(number, START + number, to=(f"r{number}@example.com",), account=account)
        attempt = Attempt(started_at=START, stage="rcpt", host="gmail-smtp-in.l.google.com")
        reply = Reply(550, "5.1.1", "no such user")
        events.take([mail, event(mail, "bounced", "bounced", reply=reply, attempt=attempt)])
    last = events.last()
    other = reception(3, START, account=OTHERS)
    events.take([other, fact("complaint", other, 1, type="abuse")])
    cause = NewCause(
        account=OWN, what="r2@example.com", reason="hard_bounce", origin="recorder", at=START,
        message=reception(2, START + 2).message.id, sent_to="r2@example.com",
        note="hard bounce: there is no such mailbox",
    )  # fmt: skip
    store.suppressions.record([cause])
    return last


def test_they_are_listed_newest_first(api, bounce):
    page = api("GET", f"{PREFIX}/bounces").json
    assert [(each["type"], each["address"]) for each in page["data"]] == [
        ("complaint", "bob@example.com"),
        ("bounced", "r2@example.com"),
        ("bounced", "r1@example.com"),
    ]
    first = page["data"][1]
    assert (first["class_number"], first["rule"], first["postmark"]) == (
        10,
        "no such recipient",
        "HardBounce",
    )
    assert (first["provider"], first["follows"], page["next"]) == ("google", "suppress", None)


def test_pages_go_on_where_they_end(api, bounce):
    path, found = f"{PREFIX}/bounces?limit=1", []
    while path:
        page = api("GET", path).json
        found += [each["address"] for each in page["data"]]
        path = page["next"]
    assert found == ["bob@example.com", "r2@example.com", "r1@example.com"]


def test_a_customer_sees_his_own(api, bounce):
    page = api("GET", f"{PREFIX}/bounces", key=CUSTOMER).json
    assert [each["address"] for each in page["data"]] == ["r2@example.com"]
    assert api("GET", f"{PREFIX}/bounces/{bounce}", key=CUSTOMER).status == 200
    assert api("GET", f"{PREFIX}/bounces/{bounce - 2}", key=CUSTOMER).status == 404
    assert api("POST", f"{PREFIX}/bounces/{bounce - 2}/activate", key=CUSTOMER).status == 404


def test_a_type_that_is_none_of_these_is_told(api, bounce):
    answer = api("GET", f"{PREFIX}/bounces?types=delivered")
    assert (answer.status, list(answer.pointers)) == (400, ["types"])
    page = api("GET", f"{PREFIX}/bounces?types=complaint,expired").json
    assert [each["type"] for each in page["data"]] == ["complaint"]


def test_they_are_counted(api, bounce):
    told = api("GET", f"{PREFIX}/bounces/summary?by=reason&days=400").json
    assert [(each["key"], each["count"]) for each in told["groups"]] == [("no_such_recipient", 2), ("-", 1)]
    assert (told["total"], told["is_cut"]) == (3, False)


def test_what_has_followed_is_told_and_undone(api, bounce):
    told = api("GET", f"{PREFIX}/bounces/{bounce}").json
    (cause,) = told["suppressions"]
    assert (cause["stands"], cause["is_of_it"], cause["note"]) == (
        True,
        True,
        "hard bounce: there is no such mailbox",
    )
    assert told["details"]["attempt"]["stage"] == "rcpt"
    undo = f"{PREFIX}/bounces/{bounce}/activate"
    assert api("POST", undo).json == {"undone": 1, "suppressed": False}
    assert api("POST", undo).json == {"undone": 0, "suppressed": False}


def held(number, account=OWN):
    address = f"h{number}@example.com"
    return NewNote(
        state="held", account=account, what=address, scope=EVERYTHING, reason="hard_bounce", at=START, day="2026-11-30",
        message=MessageId(number.to_bytes(16, "big")), sent_to=address, event=number, rule="hard bounce",
        why="there is no such mailbox", burst="google",
    )  # fmt: skip


def test_what_is_held_is_decided_by_its_burst(api, store):
    store.suppression_notes.write([held(1), held(2), held(3, OTHERS)], "here", 1)
    (burst,) = api("GET", f"{PREFIX}/bounces/held").json["data"]
    assert (burst["burst"], burst["count"]) == ("google", 3)
    released = api("POST", f"{PREFIX}/bounces/held/release", {"burst": "google"}, key=CUSTOMER)
    assert released.json == {"changed": 2}
    assert store.suppressions.standing("h1@example.com", OWN)
    assert api("POST", f"{PREFIX}/bounces/held/discard", {"burst": "google"}).json == {"changed": 1}
    assert api("GET", f"{PREFIX}/bounces/held").json["data"] == []
