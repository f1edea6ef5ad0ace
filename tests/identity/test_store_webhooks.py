"""Webhooks in the identity store: what they may be, their secrets, and who hears of a change."""

from typing import Any

import pytest

from angarium.identity.secrets import KeyRing
from angarium.identity.store.store import IdentityStore
from angarium.identity.webhooks import Webhook
from angarium.sql.errors import Conflict, Invalid, NotFound
from angarium.testing.clock import ManualClock

URL = "https://example.com/hook"


@pytest.fixture
def account(store: IdentityStore) -> int:
    return store.accounts.create("acme", actor="test").id


def made(store: IdentityStore, account: int, url: str = URL, **fields: Any) -> Webhook:
    return store.webhooks.create(account, "crm", url, actor="test", **fields)[0]


def test_one_is_made_and_its_secret_is_shown_once_and_kept_encrypted(
    store: IdentityStore, account: int
) -> None:
    webhook, secret = store.webhooks.create(account, "crm", URL, types=["delivered"], actor="test")
    assert store.webhooks.get(webhook.id) == webhook
    assert webhook.types == ("delivered",)
    assert secret.startswith("whsec_")
    assert [each.secret for each in store.webhooks.secrets(webhook.id).signing] == [secret]
    assert secret not in str(store.audit.page())


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"types": ["nonsense"]}, "types"),
        ({"types": ["login_failed"]}, "types"),
        ({"dialect": "mailgun"}, "dialect"),
        ({"parallel": 0}, "parallel"),
        ({"parallel": 33}, "parallel"),
        ({"url": "https://0x7f.1/"}, "url"),
        ({"url": "gopher://example.com/"}, "url"),
        ({"auth": "basic", "username": "u"}, "auth"),
        ({"auth": "oauth2", "client_id": "u"}, "auth"),
        ({"token_url": "nonsense"}, "token_url"),
        ({"headers": {"Host": "x"}}, "headers"),
        ({"headers": {"X": "1\r\nY: 2"}}, "headers"),
        ({"headers": {"X Y": "1"}}, "headers"),
        ({"headers": {f"X-{number}": "1" for number in range(11)}}, "headers"),
        ({"headers": {"X": "1" * 3_000}}, "headers"),
        ({"stream": "outbound"}, "stream"),
        ({"off_reason": "x"}, "off_reason"),
    ],
)
def test_what_cannot_be_is_refused(
    store: IdentityStore, account: int, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        made(store, account, **fields)
    assert caught.value.field == field


def test_a_login_in_the_url_becomes_one_and_is_not_kept_in_it(store: IdentityStore, account: int) -> None:
    webhook = made(store, account, "https://user:p%40ss@example.com:8443/hook?a=1")
    assert (webhook.url, webhook.auth, webhook.username) == (
        "https://example.com:8443/hook?a=1",
        "basic",
        "user",
    )
    assert store.webhooks.secrets(webhook.id).password == "p@ss"


def test_names_of_headers_are_shown_and_their_values_are_secrets(store: IdentityStore, account: int) -> None:
    webhook = made(store, account, headers={"X-Token": "hunter2"})
    assert webhook.headers == ("X-Token",)
    changed = store.webhooks.change(webhook.id, headers={"X-Other": "hunter3"}, actor="test")
    assert changed.headers == ("X-Other",)
    assert store.webhooks.secrets(webhook.id).headers == {"X-Other": "hunter3"}
    assert "hunter" not in str(store.audit.page())


def test_a_server_and_its_stream_are_of_the_account(store: IdentityStore, account: int) -> None:
    server = store.servers.create(account, "app", actor="test").id
    other = store.accounts.create("other", actor="test").id
    assert made(store, account, server=server, stream="outbound").stream == "outbound"
    with pytest.raises(NotFound):
        made(store, account, server=server, stream="nowhere")
    with pytest.raises(Conflict):
        made(store, other, server=server)


def test_two_secrets_hold_while_one_is_rotated_and_the_old_one_ends_early_on_wish(
    store: IdentityStore, account: int, clock: ManualClock
) -> None:
    webhook, first = store.webhooks.create(account, "crm", URL, actor="test")
    changed, second = store.webhooks.rotate(webhook.id, overlap_s=3600, actor="test")
    assert changed.old_secret_ends_at == clock.now() + 3600
    kept = store.webhooks.secrets(webhook.id).signing
    assert [each.secret for each in kept if each.holds(clock.now() + 3599)] == [second, first]
    assert [each.secret for each in kept if each.holds(clock.now() + 3600)] == [second]
    assert store.webhooks.end_old_secret(webhook.id, actor="test").old_secret_ends_at is None
    assert [each.secret for each in store.webhooks.secrets(webhook.id).signing] == [second]
    with pytest.raises(Conflict):
        store.webhooks.end_old_secret(webhook.id, actor="test")


def test_a_rotation_at_once_leaves_no_old_secret(store: IdentityStore, account: int) -> None:
    webhook = made(store, account)
    changed, secret = store.webhooks.rotate(webhook.id, overlap_s=0, actor="test")
    assert changed.old_secret_ends_at is None
    assert [each.secret for each in store.webhooks.secrets(webhook.id).signing] == [secret]


def test_one_that_is_switched_off_says_why_until_it_is_on_again(
    store: IdentityStore, account: int, clock: ManualClock
) -> None:
    webhook = made(store, account)
    off = store.webhooks.switch_off(webhook.id, "410 Gone", actor="webhooks")
    assert (off.enabled, off.off_reason, off.off_at) == (False, "410 Gone", clock.now())
    assert store.webhooks.standing() == (1, 1)
    on = store.webhooks.change(webhook.id, enabled=True, actor="test")
    assert (on.enabled, on.off_reason, on.off_at) == (True, "", None)
    assert store.webhooks.change(webhook.id, enabled=False, actor="test").off_reason != ""
    assert store.webhooks.standing() == (1, 0)


def test_whoever_sends_hears_of_what_has_changed_and_of_what_is_gone(
    store: IdentityStore, account: int
) -> None:
    one, two = made(store, account), made(store, account)
    found, ids = store.webhooks.changed(0)
    assert [each.webhook.id for each in found] == sorted(ids) == [one.id, two.id]
    seen = max(each.change for each in found)
    assert store.webhooks.changed(seen)[0] == []
    store.webhooks.change(two.id, url="https://example.com/other", actor="test")
    store.webhooks.delete(one.id, actor="test")
    found, ids = store.webhooks.changed(seen)
    assert [each.webhook.url for each in found] == ["https://example.com/other"]
    assert ids == {two.id}


def test_a_rotation_of_the_nodes_keys_takes_their_secrets_along(
    store: IdentityStore, account: int, ring: KeyRing
) -> None:
    webhook, secret = store.webhooks.create(account, "crm", URL, actor="test")
    ring.rotate()
    assert store.secrets.rotate(ring, actor="test") == 1
    assert len(ring.key_ids) == 1
    assert store.webhooks.secrets(webhook.id).signing[0].secret == secret


def test_webhooks_go_with_their_account(store: IdentityStore, account: int) -> None:
    webhook = made(store, account)
    store.accounts.delete(account, actor="test")
    with pytest.raises(NotFound):
        store.webhooks.get(webhook.id)
