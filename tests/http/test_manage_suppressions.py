"""Who must not get mail, by the manage API: each account its own lists, and the operator all of them."""

import json

import pytest

from angarium.http.manage.table import PREFIX

CUSTOMER = "customer-key"
PATH = f"{PREFIX}/suppressions"
OWN = 2


@pytest.fixture
def add(api):
    """Add addresses; returns their ids."""

    def add(*said, key=CUSTOMER, **more):
        body = {
            "suppressions": [{"address": each} if isinstance(each, str) else each for each in said],
            **more,
        }
        answer = api("POST", PATH, body, key=key)
        assert answer.status == 200, answer.body
        return answer.json["ids"]

    return add


def listed(api, query="", key=CUSTOMER):
    return [each["address"] for each in api("GET", PATH + query, key=key).json["data"]]


def test_what_is_added_is_listed_shown_and_exported(api, add):
    (first, second) = add("Ann@Example.com", {"address": "bob@x.example", "reason": "complaint", "days": 30})
    assert listed(api) == ["ann@example.com", "bob@x.example"]
    assert listed(api, "?reason=complaint") == listed(api, "?text=x.ex") == ["bob@x.example"]
    assert listed(api, "?address=ANN@example.com") == ["ann@example.com"]
    shown = api("GET", f"{PATH}/{second}", key=CUSTOMER).json
    assert (shown["account"], shown["scope"], shown["origin"], shown["stands"]) == (OWN, "*", "api", True)
    assert shown["expires_at"] is not None
    lines = api("GET", f"{PATH}/export", key=CUSTOMER).body.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [first, second]
    assert api("POST", PATH, {"suppressions": [{"address": "ann@example.com"}]}, key=CUSTOMER).json == {
        "ids": [],
        "known": 1,
    }


def test_pages_go_on(api, add):
    add(*(f"a{n}@x.example" for n in range(5)))
    path, found = f"{PATH}?limit=2", []
    while path:
        page = api("GET", path, key=CUSTOMER).json
        found += [each["address"][:2] for each in page["data"]]
        path = page["next"]
    assert found == ["a0", "a1", "a2", "a3", "a4"]


def test_removals_and_undoing(api, add):
    add("ann@example.com", run="monday")
    assert api("POST", f"{PATH}/remove", {"addresses": ["ANN@example.com"]}, key=CUSTOMER).json == {
        "lifted": 1
    }
    assert listed(api) == []
    undo = {"address": "ann@example.com", "removals": True}
    assert api("POST", f"{PATH}/undo", undo, key=CUSTOMER).json == {"undone": 1, "dry_run": False}
    assert listed(api) == ["ann@example.com"]
    for dry_run, left in ((True, ["ann@example.com"]), (False, [])):
        answer = api("POST", f"{PATH}/undo", {"run": "monday", "dry_run": dry_run}, key=CUSTOMER)
        assert answer.json == {"undone": 1, "dry_run": dry_run}
        assert listed(api) == left
    assert listed(api, "?history=true") == ["ann@example.com", "ann@example.com"]
    answer = api("POST", f"{PATH}/undo", {}, key=CUSTOMER)
    assert (answer.status, list(answer.pointers)) == (400, ["ids"])


def test_accounts_are_apart(api, add):
    (theirs,) = add("ann@example.com", key="operator-key", account=1)
    assert listed(api) == []
    assert api("GET", f"{PATH}/{theirs}", key=CUSTOMER).status == 404
    assert api("GET", f"{PATH}?account=1", key=CUSTOMER).status == 404
    assert (
        api("POST", PATH, {"suppressions": [{"address": "a@x.example"}], "account": 1}, key=CUSTOMER).status
        == 404
    )
    assert api("POST", f"{PATH}/undo", {"ids": [theirs]}, key=CUSTOMER).json["undone"] == 0
    assert api("POST", f"{PATH}/remove", {"addresses": ["ann@example.com"]}, key=CUSTOMER).json["lifted"] == 0
    assert listed(api, "?account=1", key="operator-key") == ["ann@example.com"]


def test_what_is_the_operators_is_the_operators(api, add, store):
    compliance = {"address": "trap@x.example", "reason": "compliance"}
    assert api("POST", PATH, {"suppressions": [compliance]}, key=CUSTOMER).status == 403
    assert (
        api("POST", PATH, {"suppressions": [{"address": "a@x.org"}], "node": True}, key=CUSTOMER).status
        == 403
    )
    (mine,) = add(compliance, key="operator-key", account=OWN)
    assert api("POST", f"{PATH}/undo", {"ids": [mine]}, key=CUSTOMER).json["undone"] == 0
    assert api("POST", f"{PATH}/remove", {"addresses": ["trap@x.example"]}, key=CUSTOMER).json["lifted"] == 0
    add("*.spam.example", key="operator-key", node=True)
    assert listed(api) == ["trap@x.example"]
    removal = {"addresses": ["trap@x.example"], "account": OWN}
    assert api("POST", f"{PATH}/remove", removal).json["lifted"] == 1


def test_what_is_wrong_is_said_of_its_field(api, store):
    def refused(**said):
        return api("POST", PATH, {"suppressions": [{"address": "a@x.example", **said}]}, key=CUSTOMER)

    assert "is no address" in refused(address="ann lee@x.example").json["detail"]
    assert refused(scope="9/news").status == 404
    assert refused(scope="elsewhere").status == 400
    other = store.servers.create(1, "theirs", actor="test")
    assert refused(scope=f"{other.id}/outbound").status == 404
    mine = store.servers.create(OWN, "mine", actor="test")
    assert refused(scope=f"{mine.id}/outbound").status == 200
