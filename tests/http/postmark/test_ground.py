"""Postmark's API: tokens, paths in any case, the shape of errors, content types."""

import pytest

from angarium.http.postmark.segments import POSTMARK_SEGMENTS
from angarium.http.postmark.table import ACCOUNT_ENDPOINTS, SERVER_ENDPOINTS


def refused(answer):
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["x-pm-apierrorcode"] == str(answer.json["ErrorCode"])
    return answer.status, answer.json["ErrorCode"], answer.json["Message"]


@pytest.mark.parametrize(
    "path", ["/deliverystats", "/deliveryStats", "/DELIVERYSTATS/", "/deliverystats/?x=1"]
)
def test_paths_are_written_in_any_case_and_with_a_slash(postmark, path):
    assert postmark("GET", path).status == 200


def test_a_token_is_the_same_in_any_case(postmark):
    postmark.token = postmark.token.upper()
    assert postmark("GET", "/bounces?count=1&offset=0").status == 200


def test_an_api_key_stands_for_its_server(postmark):
    postmark.token = postmark.key
    assert postmark("GET", "/message-streams").status == 200


def test_without_a_token(postmark):
    status, code, said = refused(postmark.api("GET", "/bounces", key=None))
    assert (status, code) == (401, 10)
    assert said.startswith("No Account or Server API tokens were supplied in the HTTP headers.")


def test_a_wrong_token(postmark):
    postmark.token = "00000000-0000-4000-8000-000000000000"
    assert refused(postmark("GET", "/bounces")) == (401, 10, "Request does not contain a valid Server token.")


def test_a_revoked_token(postmark):
    (token,) = postmark.store.credentials.page(kind="server_token")
    postmark.store.credentials.change(token.id, enabled=False, actor="test")
    assert refused(postmark("GET", "/bounces"))[:2] == (401, 10)


def test_the_other_kind_of_token(postmark):
    said = "Please do not include Account API Token for Server API Token calls."
    assert refused(postmark.as_account("GET", "/bounces")) == (401, 10, said)


def test_a_suspended_server(postmark):
    postmark.store.servers.change(postmark.server, suspended=True, actor="test")
    assert refused(postmark("GET", "/bounces"))[:2] == (422, 413)


def test_a_suspended_account(postmark):
    postmark.store.accounts.change(postmark.account, suspended=True, actor="test")
    assert refused(postmark("GET", "/bounces"))[:2] == (422, 413)


def test_a_key_without_the_grant(postmark):
    _, postmark.token = postmark.store.credentials.create_api_key(
        postmark.account, "x", ["smtp/inject"], actor="test"
    )
    status, code, said = refused(postmark("GET", "/bounces"))
    assert (status, code) == (401, 10)
    assert "message_events/view" in said


def test_no_such_path_and_no_such_method(postmark):
    assert refused(postmark("GET", "/bounces/1/2/3"))[0] == 404
    answer = postmark("DELETE", "/bounces")
    assert refused(answer)[0] == 405
    assert answer.headers["allow"] == "GET"


def test_a_body_that_is_not_json(postmark):
    path = "/message-streams"
    assert refused(postmark("POST", path, raw=[b"{"]))[:2] == (422, 402)
    assert refused(postmark("POST", path, raw=[b"[]"]))[:2] == (422, 402)
    assert refused(postmark("POST", path, raw=[b"[" * 200_000]))[:2] == (422, 402)
    assert refused(postmark("POST", path, raw=[b'{"ID":"\xff"}']))[:2] == (422, 402)
    assert refused(postmark("POST", path, {}, headers={"Content-Type": "text/plain"}))[:2] == (415, 409)
    assert refused(postmark("POST", path, {}, headers={"Accept": "text/html"}))[:2] == (415, 409)
    assert refused(postmark("POST", path, raw=[b"x" * (1 << 20)] * 11))[0] == 413


def test_a_field_of_a_wrong_type_is_named(postmark):
    answer = postmark("POST", "/message-streams", {"id": 7, "NAME": [], "unknown": 1})
    assert refused(answer) == (422, 403, "Invalid request field(s): 'id', 'NAME'.")


@pytest.mark.parametrize("query", ["count=-1&offset=0", "count=501", "offset=-1", "count=500&offset=9501"])
def test_how_far_a_listing_goes(postmark, query):
    assert refused(postmark("GET", f"/bounces?{query}"))[:2] == (422, 1000)


def test_a_number_that_is_none(postmark):
    assert refused(postmark("GET", "/bounces?count=many"))[:2] == (422, 403)
    assert postmark("GET", "/bounces?count=&offset=").status == 200


def test_the_store_is_away(postmark, monkeypatch):
    from angarium.sql.errors import StoreError

    def fails(self, *more, **other):
        raise StoreError("pulled")

    monkeypatch.setattr(type(postmark.store.streams), "of_server", fails)
    answer = postmark("GET", "/message-streams")
    assert refused(answer)[:2] == (503, 100)
    assert answer.headers["retry-after"]


def test_every_path_begins_with_a_segment_that_is_passed_on():
    first = {each.path.split("/")[1] for each in (*SERVER_ENDPOINTS, *ACCOUNT_ENDPOINTS)}
    assert first <= POSTMARK_SEGMENTS
