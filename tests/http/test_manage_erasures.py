"""Recipients that are erased, asked for by HTTP: who may, how far it is, and that nothing tells whom it was about."""

import pytest

from angarium.events.erasing import Eraser, ErasureFolder
from angarium.http.manage.table import PREFIX
from angarium.testing.happenings import START, reception

CUSTOMER = "customer-key"
OTHERS, OWN = 1, 2
PATH = f"{PREFIX}/erasures"
BOB = {"address": "Bob@example.com"}


@pytest.fixture
def work(events, texts, store):
    """Does what was asked for, as the recorder does."""

    def tell(number, erasure):
        counted = erasure.found, erasure.texts
        store.erasures.ended(erasure.mark, erasure.account, number, *counted, actor=erasure.by)

    eraser = Eraser(ErasureFolder(texts.folder.parent / "erasures"), events, texts, tell)
    return lambda: [each for _ in range(5) for each in eraser.work(START)]


def addresses(api):
    return sorted(mail["address"] for mail in api("GET", f"{PREFIX}/messages").json["data"])


def test_an_account_has_its_own_mail_erased_and_sees_how_far_it_is(api, events, work):
    events.take([reception(1, to=("bob@example.com",), account=OTHERS)])
    events.take([reception(2, to=("bob@example.com", "ann@example.com"), account=OWN)])
    asked = api("POST", PATH, BOB, key=CUSTOMER)
    assert (asked.status, asked.json["status"], asked.json["account"]) == (202, "pending", OWN)
    path = f"{PATH}/{asked.json['id']}"
    work()
    ended = api("GET", path, key=CUSTOMER).json
    assert (ended["status"], ended["recipients"], ended["days_done"], ended["days"]) == ("done", 1, 1, 1)
    assert ended["recipient"] == asked.json["recipient"]
    assert addresses(api) == ["", "ann@example.com", "bob@example.com"]
    assert b"bob" not in api("GET", path).body.lower()


def test_the_operator_has_all_mail_erased_and_an_account_cannot(api, events, work):
    events.take([reception(1, to=("bob@example.com",), account=OTHERS)])
    assert api("POST", PATH, {**BOB, "node": True}, key=CUSTOMER).status == 403
    assert api("POST", PATH, {**BOB, "account": OTHERS}, key=CUSTOMER).status == 404
    assert api("POST", PATH, {**BOB, "node": True, "account": OWN}).status == 400
    number = api("POST", PATH, {**BOB, "node": True}).json["id"]
    work()
    assert addresses(api) == [""]
    assert api("GET", f"{PATH}/{number}", key=CUSTOMER).status == 404
    assert api("GET", f"{PATH}/{number + 1}").status == 404


def test_the_audit_log_says_who_when_and_how_many_and_whom_by_a_mark_alone(api, events, work, store):
    events.take([reception(1, to=("bob@example.com",), account=OWN)])
    asked = api("POST", PATH, BOB, key=CUSTOMER).json
    work()
    entries = api("GET", f"{PREFIX}/audit", key=CUSTOMER).json["data"][-2:]
    assert [each["action"] for each in entries] == ["erase", "erased"]
    assert {each["what"] for each in entries} == {f"recipient {store.erasures.mark('BOB@example.com')}"}
    assert {each["actor"] for each in entries} == {asked["by"]}
    assert entries[1]["details"] == {"after": {"erasure": asked["id"], "recipients": 1, "texts": 0}}
    assert b"bob" not in api("GET", f"{PREFIX}/audit").body.lower()


def test_they_are_listed_the_newest_first_a_page_at_a_time(api):
    for account in (OWN, OTHERS, OWN):
        api("POST", PATH, {**BOB, "account": account})
    assert [each["account"] for each in api("GET", PATH).json["data"]] == [OWN, OTHERS, OWN]
    page = api("GET", f"{PATH}?limit=1", key=CUSTOMER).json
    assert [each["id"] for each in page["data"]] == [3]
    assert [each["id"] for each in api("GET", page["next"], key=CUSTOMER).json["data"]] == [1]


@pytest.mark.parametrize("address", ["bob", "@", "", "x" * 400 + "@example.com"])
def test_what_is_no_address_is_refused_and_not_noted(api, address):
    before = len(api("GET", f"{PREFIX}/audit").json["data"])
    answer = api("POST", PATH, {"address": address})
    assert (answer.status, [*answer.pointers]) == (400, ["address"])
    assert len(api("GET", f"{PREFIX}/audit").json["data"]) == before
