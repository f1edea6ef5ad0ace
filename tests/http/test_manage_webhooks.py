"""Webhooks by the manage API: made, shown without secrets, rotated, tried; dead letters; nobody sees another's."""

from typing import Any

import pytest

from angarium.testing.webhook_desk import deaf_desk
from angarium.webhooks.ledger import FILE_NAME, WebhookLedger
from angarium.webhooks.records import CursorRow, KeptLetter

PATH = "/manage/v1/webhooks"
CUSTOMER = "customer-key"
NEW = {"name": "crm", "url": "https://example.com/hook", "account": 1}


def made(api: Any, **fields: Any) -> Any:
    answer = api("POST", PATH, {**NEW, **fields})
    assert answer.status == 201, answer.body
    return answer.json


def dead(id: str) -> KeptLetter:
    return KeptLetter(
        webhook=1, id=id, numbers=[4], ids=[id], keys=["m"], state="dead", tries=3, first_at=1.0, due_at=2.0,
        changed_at=3.0, status=422, error="it answered 422", answer="no",
    )  # fmt: skip


@pytest.fixture
def ledger(texts: Any) -> WebhookLedger:
    deaf_desk(texts.folder.parent)
    return WebhookLedger(texts.folder.parent / FILE_NAME)


def test_its_secret_is_in_the_first_answer_only(api: Any) -> None:
    first = made(
        api, auth="basic", username="u", password="hunter2", headers=[{"name": "X-Key", "value": "hunter3"}]
    )
    assert first["secret"].startswith("whsec_")
    shown = api("GET", f"{PATH}/{first['id']}")
    assert "secret" not in shown.json
    assert b"hunter" not in shown.body
    assert (shown.json["headers"], shown.json["standing"]["state"]) == (["X-Key"], "new")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"url": "http://0x7f.1/"}, "/url"),
        ({"types": ["nonsense"]}, "/types"),
        ({"auth": "basic"}, "/auth"),
        ({"parallel": 99}, "/parallel"),
        ({"dialect": "mailgun"}, "/dialect"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(api: Any, fields: dict[str, Any], pointer: str) -> None:
    answer = api("POST", PATH, {**NEW, **fields})
    assert answer.status == 400
    assert pointer in answer.pointers


def test_a_secret_is_rotated_and_the_old_one_ended(api: Any) -> None:
    first = made(api)
    second = api("POST", f"{PATH}/{first['id']}/rotate", {"overlap_hours": 1}).json
    assert second["secret"] != first["secret"]
    assert second["old_secret_ends_at"] is not None
    assert api("POST", f"{PATH}/{first['id']}/end-old-secret").json["old_secret_ends_at"] is None
    assert api("POST", f"{PATH}/{first['id']}/end-old-secret").status == 409


def test_a_try_shows_what_was_sent_and_what_was_answered(api: Any) -> None:
    id = made(api, auth="basic", username="u", password="hunter2")["id"]
    told = api("POST", f"{PATH}/{id}/test", {"type": "bounced"}).json
    assert (told["taken"], told["error"], told["type"]) == (False, "nobody is asked in tests", "bounced")
    assert told["headers"]["Authorization"] == "…"
    assert "webhook-signature" in told["headers"]
    assert api("POST", f"{PATH}/{id}/test", {"type": "nonsense"}).pointers.keys() == {"/type"}


def test_dead_letters_are_listed_replayed_and_dropped(api: Any, ledger: WebhookLedger) -> None:
    id = made(api)["id"]
    ledger.write([CursorRow(webhook=id, ok_at=5.0)], [dead("a"), dead("b"), dead("c")])
    (first, *_) = api("GET", f"{PATH}/{id}/dead").json["data"]
    assert (first["id"], first["tries"], first["status"], first["error"]) == ("a", 3, 422, "it answered 422")
    assert api("GET", f"{PATH}/{id}").json["standing"]["dead"] == 3
    assert api("POST", f"{PATH}/{id}/dead/replay", {"ids": ["b", "nowhere"]}).json == {"count": 1}
    assert api("POST", f"{PATH}/{id}/dead/drop", {}).json == {"count": 2}
    assert api("GET", f"{PATH}/{id}").json["standing"] | {"ok_at": ""} == {
        "state": "works", "behind": 0, "ok_at": "", "failed_at": None, "failing_since": None, "next_try_at": None,
        "status": 0, "error": "", "answer": "", "waiting": 1, "dead": 0,
    }  # fmt: skip


def test_a_window_is_replayed(api: Any, ledger: WebhookLedger) -> None:
    id = made(api)["id"]
    answer = api("POST", f"{PATH}/{id}/replay", {"since": "2026-01-01T00:00:00Z"})
    assert answer.status == 200
    (replay,) = ledger.replays(id)
    assert replay.id == answer.json["id"]
    wrong = {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    assert api("POST", f"{PATH}/{id}/replay", wrong).status == 409


def test_nobody_sees_or_touches_what_is_anothers(api: Any, store: Any) -> None:
    other = store.accounts.create("other", actor="test").id
    id = made(api, account=other)["id"]
    assert api("GET", PATH, key=CUSTOMER).json["data"] == []
    for method, path, body in (
        ("GET", "", None), ("PATCH", "", {"name": "x"}), ("DELETE", "", None), ("POST", "/test", {}),
        ("POST", "/rotate", {}), ("POST", "/end-old-secret", None), ("GET", "/dead", None),
        ("POST", "/dead/replay", {}), ("POST", "/dead/drop", {}), ("GET", "/batches", None),
        ("POST", "/replay", {"since": "2026-01-01T00:00:00Z"}),
    ):  # fmt: skip
        assert api(method, f"{PATH}/{id}{path}", body, key=CUSTOMER).status == 404, path
