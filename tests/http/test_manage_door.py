"""The manage API's door: who is let in, what is refused, and that every answer is JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.http.api.application import MAX_BODY_BYTES
from angarium.http.api.caller import key_of
from angarium.http.api.problem import SORTS
from angarium.http.manage.table import ENDPOINTS, PREFIX

V1 = "/manage/v1"


def assert_problem(answer, status: int, sort: str) -> None:
    """The answer is a whole problem document (RFC 9457 §3.1)."""
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json
    assert document["type"] == f"urn:angarium:problem:{sort}"
    assert document["status"] == status
    assert document["title"] == SORTS[sort].title
    assert document["detail"]


def test_without_a_key_the_answer_says_how_to_send_one(api):
    answer = api("GET", f"{V1}/accounts", key=None)
    assert_problem(answer, 401, "not-authenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="angarium"'
    assert "Authorization: Bearer KEY" in answer.json["detail"]


def test_a_key_that_is_not_good_is_refused_and_never_repeated(api):
    answer = api("GET", f"{V1}/accounts", key="not-a-key-of-this-node")
    assert_problem(answer, 401, "not-authenticated")
    assert b"not-a-key-of-this-node" not in answer.body


def test_a_bare_key_is_taken_as_sparkpost_has_it(api):
    assert api("GET", f"{V1}/accounts", key=None, headers={"Authorization": "operator-key"}).status == 200


def test_the_peer_is_told_to_whoever_checks_the_key(api, keys):
    api("GET", f"{V1}/accounts")
    assert keys.peers == ["192.0.2.7"]


def path_of(endpoint):
    """Return a path of *endpoint* that names one thing or another."""
    names = {name: 1 if kind is int else "outbound" for name, kind in endpoint.parameters.items()}
    return PREFIX + endpoint.path.format(**names)


def test_every_route_wants_a_key(api):
    for endpoint in ENDPOINTS:
        path = path_of(endpoint)
        assert_problem(api(endpoint.method, path, key=None), 401, "not-authenticated")


def test_a_missing_grant_is_named(api, keys):
    weak = keys.known["customer-key"]
    keys.known["weak"] = type(weak)(9, 'key 9 "weak"', weak.account, frozenset({"smtp/inject"}))
    answer = api("GET", f"{V1}/servers", key="weak")
    assert_problem(answer, 403, "not-allowed")
    assert "account/manage" in answer.json["detail"]
    assert api("GET", f"{V1}/grants", key="weak").status == 200


def test_every_route_but_the_grants_needs_its_grant(api, keys):
    weak = keys.known["customer-key"]
    keys.known["weak"] = type(weak)(9, 'key 9 "weak"', weak.account, frozenset({"smtp/inject"}))
    for endpoint in ENDPOINTS:
        if endpoint.grant is None:
            continue
        path = path_of(endpoint)
        answer = api(endpoint.method, path, key="weak")
        assert_problem(answer, 403, "not-allowed")
        assert endpoint.grant in answer.json["detail"]


def test_a_suspended_account_manages_nothing(api, keys, store):
    suspended = store.accounts.change(2, suspended=True, actor="test")
    key = keys.known["customer-key"]
    keys.known["customer-key"] = type(key)(key.id, key.name, suspended, key.grants)
    answer = api("GET", f"{V1}/servers", key="customer-key")
    assert_problem(answer, 403, "not-allowed")
    assert "suspended" in answer.json["detail"]


def test_a_store_that_does_not_answer_is_503_with_a_time_to_come_back(api, keys):
    keys.down = True
    answer = api("GET", f"{V1}/accounts")
    assert_problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "5"


def test_an_unknown_path_is_a_json_404(api):
    answer = api("GET", f"{V1}/nothing")
    assert_problem(answer, 404, "not-found")
    assert "openapi.json" in answer.json["detail"]


def test_a_slash_too_many_leads_nowhere_else(api):
    assert_problem(api("GET", f"{V1}/servers/"), 404, "not-found")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/accounts", "GET, POST"),
        ("/accounts/1", "GET, PATCH, DELETE"),
        ("/domains/1/verify", "POST"),
        ("/openapi.json", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(api, path, allowed):
    answer = api("PUT", V1 + path)
    assert_problem(answer, 405, "method")
    assert set(answer.headers["allow"].split(", ")) == set(allowed.split(", "))


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "٣", "99999999999999999999"])
def test_what_is_no_id_is_not_found(api, number):
    assert_problem(api("GET", f"{V1}/servers/{number}"), 404, "not-found")


def test_a_body_must_say_that_it_is_json(api):
    answer = api("POST", f"{V1}/accounts", {"name": "x"}, headers={"content-type": "text/plain"})
    assert_problem(answer, 415, "media-type")
    ok = api(
        "POST", f"{V1}/accounts", {"name": "x"}, headers={"content-type": "application/json; charset=utf-8"}
    )
    assert ok.status == 201


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b'{"name": "\xff"}', b"null"])
def test_a_body_that_is_no_json_object_is_400(api, body):
    assert_problem(api("POST", f"{V1}/accounts", raw=[body]), 400, "invalid")


def test_a_body_over_the_limit_is_not_read_to_its_end(api):
    piece = b" " * 65_536
    answer = api(
        "POST", f"{V1}/accounts", raw=[piece] * (MAX_BODY_BYTES // len(piece)) + [b" ", b"never read"]
    )
    assert_problem(answer, 413, "too-large")
    assert answer.headers["connection"] == "close"


def test_a_body_of_just_the_limit_is_taken(api):
    text = json.dumps({"name": "just"}).encode()
    assert api("POST", f"{V1}/accounts", raw=[text, b" " * (MAX_BODY_BYTES - len(text))]).status == 201


def test_everything_wrong_with_a_body_is_said_at_once_with_pointers(api):
    answer = api(
        "POST",
        f"{V1}/servers",
        {"nam": "x", "smtp": 1, "limits": {"daly_quota": 5}, "options": {"tags": ["a", 2]}},
    )
    assert_problem(answer, 400, "invalid")
    said = answer.pointers
    assert said["/nam"].startswith("is unknown; did you mean name? known are: name, account, smtp, on_error")
    assert said["/name"] == "is missing"
    assert said["/smtp"] == "expected bool, got int"
    assert said["/limits"].startswith(
        "daly_quota is unknown; did you mean daily_quota? known are: rate, daily_quota"
    )
    assert said["/options/tags/1"] == "expected str, got int"


def test_a_query_parameter_that_is_unknown_or_wrong_is_400(api):
    answer = api("GET", f"{V1}/servers?limt=5&after=x")
    assert_problem(answer, 400, "invalid")
    assert answer.pointers.keys() == {"limt", "after"}
    assert_problem(api("GET", f"{V1}/servers?limit=5&limit=6"), 400, "invalid")
    assert_problem(api("GET", f"{V1}/servers?limit=501"), 400, "invalid")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/servers"), ("GET", "/servers/1"), ("DELETE", "/servers/1")]
)
def test_where_no_parameter_is_taken_each_is_unknown(api, store, method, path):
    store.servers.create(1, "shop", actor="test")
    answer = api(method, f"{V1}{path}?account=2", {"name": "x"} if method == "POST" else None)
    assert_problem(answer, 400, "invalid")
    assert answer.pointers == {"account": "is unknown; known are: none"}
    assert [server.name for server in store.servers.page()] == ["shop"]


class _Broken:
    """A store in which everything fails."""

    def __getattr__(self, name):
        raise RuntimeError("a fault of ours")


def test_a_fault_of_ours_is_a_json_500_and_goes_on_to_the_log(api_over):
    api = api_over(_Broken())
    answer = api("GET", f"{V1}/servers")
    assert_problem(answer, 500, "internal")
    assert b"a fault of ours" not in answer.body
    assert str(api.failure) == "a fault of ours"


@given(st.binary(max_size=60))
def test_no_header_makes_the_key_reader_fail(value):
    found = key_of([(b"Authorization", value)])
    assert found is None or " " not in found


def test_two_authorization_fields_are_none():
    assert key_of([(b"authorization", b"a"), (b"Authorization", b"b")]) is None
