"""What became of mail, asked by HTTP: searched, told as a story, and as a log in order."""

import asyncio
import json
from dataclasses import replace

import pytest

from angarium.core.records import Fact
from angarium.core.reply import Reply
from angarium.http.manage.table import PREFIX
from angarium.testing.happenings import START, an_id, event, reception

CUSTOMER = "customer-key"
OTHERS, OWN = 1, 2
GONE = Reply(550, "5.1.1", "no such user")


@pytest.fixture
def mails(events):
    """Three messages: one of account 1 that is delivered, and two of account 2 that bounce and wait."""
    told = [
        reception(1, START, to=("ann@example.com",), account=OTHERS, subject="Your roof"),
        reception(2, START + 1, to=("bob@example.com", "cid@example.com"), account=OWN, subject="A red roof"),
        reception(3, START + 2, to=("dan@example.com",), account=OWN, subject="Nothing"),
    ]
    first, second, _ = told
    events.take(
        [
            *told,
            event(first, "delivered", "delivered", reply=Reply(250, "", "queued")),
            event(second, "bounced", "bounced", reply=GONE),
        ]
    )
    return [each.message.id.hex() for each in told]


def found(answer):
    assert answer.status == 200, answer.body
    return [mail["address"] for mail in answer.json["data"]]


@pytest.mark.parametrize(
    ("query", "addresses"),
    [
        ("", ["dan@example.com", "cid@example.com", "bob@example.com", "ann@example.com"]),
        ("roof", ["cid@example.com", "bob@example.com", "ann@example.com"]),
        ("roof%20AND%20red", ["cid@example.com", "bob@example.com"]),
        ("status:bounced", ["bob@example.com"]),
        ("to:ann", ["ann@example.com"]),
        ("reply:%22such%20user%22", ["bob@example.com"]),
        ("account:2%20-red", ["dan@example.com"]),
        ("nothing-like-it", []),
    ],
)
def test_mail_is_searched_and_the_newest_comes_first(api, mails, query, addresses):
    assert found(api("GET", f"{PREFIX}/messages?query={query}")) == addresses


def test_an_account_sees_its_own_mail_only(api, mails):
    assert "ann@example.com" not in found(api("GET", f"{PREFIX}/messages", key=CUSTOMER))
    assert api("GET", f"{PREFIX}/messages?account={OTHERS}", key=CUSTOMER).status == 404
    assert api("GET", f"{PREFIX}/messages/{mails[0]}", key=CUSTOMER).status == 404
    assert api("GET", f"{PREFIX}/messages/{mails[1]}", key=CUSTOMER).status == 200
    log = api("GET", f"{PREFIX}/events", key=CUSTOMER).json["data"]
    assert {each["message"] for each in log} == set(mails[1:])
    assert found(api("GET", f"{PREFIX}/messages?account={OTHERS}")) == ["ann@example.com"]


def test_an_account_sees_what_was_refused_to_it_and_not_what_was_to_others(api, events):
    def refused(number, account):
        fields = {"reply": "550 5.7.1 not from here", "reason": "sender"}
        return Fact(kind="refusal", id=b"%016d" % number, at=START, account=account, fields=fields)

    events.take([refused(1, OWN), refused(2, OTHERS), refused(3, 0)])
    (own,) = api("GET", f"{PREFIX}/events", key=CUSTOMER).json["data"]
    assert (own["type"], own["account"], own["reply"]) == ("refusal", OWN, "550 5.7.1 not from here")
    assert [each["account"] for each in api("GET", f"{PREFIX}/events").json["data"]] == [OWN, OTHERS, 0]
    assert api("GET", f"{PREFIX}/events?query=bob", key=CUSTOMER).json["data"] == []


def test_pages_follow_each_other_and_say_how_many_there_are(api, mails):
    path, pages = f"{PREFIX}/messages?limit=3&count=true", []
    while path:
        answer = api("GET", path)
        pages.append(found(answer))
        assert answer.json["total"] == {"count": 4, "is_more": False}
        path = answer.json["next"]
    assert [len(page) for page in pages] == [3, 1]
    assert len({address for page in pages for address in page}) == 4
    assert api("GET", f"{PREFIX}/messages").json["total"] is None


def test_a_message_is_told_as_a_story(api, mails):
    told = api("GET", f"{PREFIX}/messages/{mails[1]}").json
    assert told["id"] == mails[1]
    assert [(mail["address"], mail["status"]) for mail in told["recipients"]] == [
        ("bob@example.com", "bounced"),
        ("cid@example.com", "queued"),
    ]
    assert [(each["type"], each["address"]) for each in told["events"]] == [
        ("received", ""),
        ("bounced", "bob@example.com"),
    ]
    assert told["recipients"][0]["accepted_at"].endswith("Z")


def test_a_message_is_named_by_its_message_id_too(api, events):
    events.take([reception(number, START + number, message_id="A1@shop.example.org") for number in (1, 2)])
    told = api(
        "GET", f"{PREFIX}/messages/%3CA1@shop.example.org%3E".replace("%3C", "<").replace("%3E", ">")
    ).json
    assert told["id"] == an_id(2, START + 2).hex()
    assert api("GET", f"{PREFIX}/messages/a1@shop.example.org", key=CUSTOMER).status == 404


@pytest.mark.parametrize("name", ["0" * 32, "nonsense", "00000000-0000-7000-8000-000000000000"])
def test_a_message_that_nobody_knows_is_not_there(api, mails, name):
    assert api("GET", f"{PREFIX}/messages/{name}").status == 404


def test_the_log_is_read_on_from_where_one_was(api, events, mails):
    path, numbers, is_more = f"{PREFIX}/events?limit=2", [], True
    while is_more:
        page = api("GET", path).json
        numbers += [each["number"] for each in page["data"]]
        path, is_more = page["next"], page["is_more"]
    assert len(numbers) == 5
    assert numbers == sorted(set(numbers))
    assert api("GET", path).json["data"] == []
    events.take([reception(4, START + 86_400 * 3)])
    (new,) = api("GET", path).json["data"]
    assert new["number"] > numbers[-1]


def test_who_asks_for_little_does_not_read_the_rest_again(api, mails):
    page = api("GET", f"{PREFIX}/events?types=bounced,complaint&query=to:bob").json
    assert [each["type"] for each in page["data"]] == ["bounced"]
    assert page["last"] == max(each["number"] for each in api("GET", f"{PREFIX}/events").json["data"])
    assert page["next"] == f"{PREFIX}/events?types=bounced%2Ccomplaint&query=to%3Abob&after={page['last']}"


def test_of_a_message_that_waits_those_who_deliver_are_asked_and_of_one_that_has_ended_nobody(api, mails):
    ended, waits, _ = (api("GET", f"{PREFIX}/messages/{each}").json for each in mails)
    assert (ended["waits"], ended["problems"]) == ([], [])
    assert waits["problems"] == ["what holds it now is not known: nobody delivers mail here"]


def test_a_type_that_there_is_not_is_told_with_the_one_that_is_meant(api):
    answer = api("GET", f"{PREFIX}/events?types=delivered,bounce")
    assert (answer.status, list(answer.pointers)) == (400, ["types"])
    assert "did you mean bounced?" in answer.json["detail"]


def test_days_are_those_of_the_zone(api, events):
    just_after_midnight_in_berlin = 1_796_079_900.0  # 2026-12-01T00:05 there, 2026-11-30T23:05 in UTC
    events.take([reception(1, just_after_midnight_in_berlin)])
    assert len(found(api("GET", f"{PREFIX}/messages?query=date:2026-12-01&zone=Europe/Berlin"))) == 1
    assert found(api("GET", f"{PREFIX}/messages?query=date:2026-12-01")) == []
    assert found(api("GET", f"{PREFIX}/messages?query=date:2026-12-01&zone=UTC")) == []
    answer = api("GET", f"{PREFIX}/messages?zone=Mars/Olympus")
    assert (answer.status, list(answer.pointers)) == (400, ["zone"])


def test_days_are_those_of_the_account_unless_a_zone_is_said(api, store, keys, events):
    just_after_midnight_in_berlin = 1_796_079_900.0
    events.take([reception(1, just_after_midnight_in_berlin, account=OWN)])
    changed = store.accounts.change(OWN, zone="Europe/Berlin", actor="test")
    keys.known[CUSTOMER] = replace(keys.known[CUSTOMER], account=changed)
    asked = f"{PREFIX}/messages?query=date:2026-12-01"
    assert len(found(api("GET", asked, key=CUSTOMER))) == 1
    assert len(api("GET", asked.replace("messages", "messages/export"), key=CUSTOMER).body.splitlines()) == 1
    assert found(api("GET", f"{asked}&zone=UTC", key=CUSTOMER)) == []
    assert found(api("GET", asked)) == []  # the operator's key is of another account
    assert len(found(api("GET", f"{asked}&account={OWN}"))) == 1
    assert api("GET", f"{PREFIX}/reports?account={OWN}").json["zone"] == "Europe/Berlin"
    assert found(api("GET", f"{asked}&account=99")) == []


def test_what_is_exported_is_what_is_listed(api, mails):
    for name in ("messages", "events"):
        answer = api("GET", f"{PREFIX}/{name}/export?query=roof")
        assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
        lines = [json.loads(line) for line in answer.body.splitlines()]
        assert lines == api("GET", f"{PREFIX}/{name}?query=roof").json["data"]
        assert len(lines) > 2
        assert api("GET", f"{PREFIX}/{name}/export?query=nobody").body == b""
        assert api("GET", f"{PREFIX}/{name}/export?query=red%5E4").status == 400


def test_an_export_is_of_ones_own(api, mails):
    for name in ("messages", "events"):
        answer = api("GET", f"{PREFIX}/{name}/export", key=CUSTOMER)
        assert {json.loads(line)["account"] for line in answer.body.splitlines()} == {OWN}


def test_who_waits_is_answered_when_something_is_stored(app, events, news, make_api, mails):
    api = make_api(app)
    last = api("GET", f"{PREFIX}/events").json["last"]

    async def somebody_waits():
        while not news.waiting:  # noqa: ASYNC110 - nobody is told that somebody waits
            await asyncio.sleep(0)

    async def run():
        asked = asyncio.create_task(api.ask("GET", f"{PREFIX}/events?after={last}&wait=60&query=to:new"))
        await somebody_waits()
        events.take([reception(5, START + 5, to=("other@example.com",))])
        news.tell()
        await somebody_waits()
        assert not asked.done()
        events.take([reception(6, START + 6, to=("new@example.com",))])
        news.tell()
        return await asked

    (event_,) = asyncio.run(asyncio.wait_for(run(), 30)).json["data"]
    assert event_["type"] == "received"


def test_a_wrong_query_is_pointed_at(api):
    answer = api("GET", f"{PREFIX}/messages?query=to:bob%20AND%20red%5E4")
    assert answer.status == 400
    (error,) = answer.json["errors"]
    assert (error["pointer"], error["position"]) == ("query", 14)
    assert error["shown"].splitlines() == ["to:bob AND red^4", "              ^"]
    assert "leave out ^" in error["detail"]


@pytest.mark.parametrize("after", ["x", "2026-01-01", "2026-01-01.x", "1", "..%2F..%2Fetc.1"])
def test_a_place_that_no_page_has_given_is_refused(api, after):
    assert api("GET", f"{PREFIX}/messages?after={after}").status == 400


def test_an_event_store_that_does_not_answer_is_told(api, events, mails):
    next(events.folder.glob("*.db")).write_bytes(b"not a database" * 100)
    answer = api("GET", f"{PREFIX}/messages")
    assert answer.status == 503
    assert "event store" in answer.json["detail"]
    assert answer.headers["retry-after"] == "5"
