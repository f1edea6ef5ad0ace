"""How many domains, keys, tokens and logins an account may have."""

import pytest

from angarium.identity.limits import MAX_DOMAINS, MAX_KEYS, Limits
from angarium.identity.records import SEND_GRANT
from angarium.identity.store.store import IdentityStore
from angarium.sql.errors import Conflict, Invalid

ME = "test"


def test_keys_tokens_and_logins_of_an_account_are_counted_together(store: IdentityStore) -> None:
    account = store.accounts.create("acme", limits=Limits(max_keys=4), actor=ME).id
    server = store.servers.create(account, "shop", actor=ME).id
    other = store.accounts.create("other", actor=ME).id
    store.credentials.create_api_key(account, "key", [SEND_GRANT], actor=ME)
    store.credentials.create_server_token(server, actor=ME)
    store.credentials.create_smtp_token(server, "outbound", actor=ME)
    login, _ = store.credentials.create_smtp_login(server, "login", actor=ME)
    for make in (
        lambda: store.credentials.create_api_key(account, "key", [SEND_GRANT], actor=ME),
        lambda: store.credentials.create_server_token(server, actor=ME),
        lambda: store.credentials.create_smtp_token(server, "outbound", actor=ME),
        lambda: store.credentials.create_smtp_login(server, "login", actor=ME),
    ):
        with pytest.raises(
            Conflict, match=r"account acme has 4 keys, tokens and logins, and may have no more \(max_keys\)"
        ):
            make()
    store.credentials.create_api_key(other, "key", [SEND_GRANT], actor=ME)
    store.credentials.delete(login.id, actor=ME)
    store.credentials.create_server_token(server, actor=ME)
    store.accounts.change(account, limits=Limits(max_keys=5), actor=ME)
    store.credentials.create_server_token(server, actor=ME)
    assert len(store.credentials.page(account)) == 5


def test_domains_of_an_account_are_counted(store: IdentityStore) -> None:
    account = store.accounts.create("acme", limits=Limits(max_domains=1), actor=ME).id
    store.domains.create(account, "one.example", actor=ME)
    with pytest.raises(Conflict, match=r"account acme has 1 domains, and may have no more \(max_domains\)"):
        store.domains.create(account, "two.example", actor=ME)
    with pytest.raises(Conflict, match=r"has the domain one\.example already"):
        store.domains.create(account, "one.example", actor=ME)


def test_there_are_bounds_where_nobody_has_said_any() -> None:
    assert 0 < MAX_DOMAINS <= MAX_KEYS


@pytest.mark.parametrize("name", ["max_queued_recipients", "max_queued_bytes", "max_domains", "max_keys"])
def test_a_server_has_no_such_limits_of_its_own(store: IdentityStore, name: str) -> None:
    account = store.accounts.create("acme", actor=ME).id
    with pytest.raises(Invalid, match=f"limits.{name}: this is a limit of accounts"):
        store.servers.create(account, "shop", limits=Limits(**{name: 5}), actor=ME)
