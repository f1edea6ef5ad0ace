"""How many domains, keys, tokens and logins an account may have."""

import pytest

from angarium.identity.records import MAX_DOMAINS, MAX_KEYS, SEND_GRANT, Limits
from angarium.identity.store.store import Store
from angarium.sql.errors import Conflict, Invalid

ME = "test"


def test_keys_tokens_and_logins_of_an_account_are_counted_together(store: Store) -> None:
    account = store.create_account("acme", limits=Limits(max_keys=4), actor=ME).id
    server = store.create_server(account, "shop", actor=ME).id
    other = store.create_account("other", actor=ME).id
    store.create_api_key(account, "key", [SEND_GRANT], actor=ME)
    store.create_server_token(server, actor=ME)
    store.create_smtp_token(server, "outbound", actor=ME)
    login, _ = store.create_smtp_login(server, "login", actor=ME)
    for make in (
        lambda: store.create_api_key(account, "key", [SEND_GRANT], actor=ME),
        lambda: store.create_server_token(server, actor=ME),
        lambda: store.create_smtp_token(server, "outbound", actor=ME),
        lambda: store.create_smtp_login(server, "login", actor=ME),
    ):
        with pytest.raises(
            Conflict, match=r"account acme has 4 keys, tokens and logins, and may have no more \(max_keys\)"
        ):
            make()
    store.create_api_key(other, "key", [SEND_GRANT], actor=ME)
    store.delete_credential(login.id, actor=ME)
    store.create_server_token(server, actor=ME)
    store.change_account(account, limits=Limits(max_keys=5), actor=ME)
    store.create_server_token(server, actor=ME)
    assert len(store.credentials(account)) == 5


def test_domains_of_an_account_are_counted(store: Store) -> None:
    account = store.create_account("acme", limits=Limits(max_domains=1), actor=ME).id
    store.create_domain(account, "one.example", actor=ME)
    with pytest.raises(Conflict, match=r"account acme has 1 domains, and may have no more \(max_domains\)"):
        store.create_domain(account, "two.example", actor=ME)
    with pytest.raises(Conflict, match=r"has the domain one\.example already"):
        store.create_domain(account, "one.example", actor=ME)


def test_there_are_bounds_where_nobody_has_said_any() -> None:
    assert 0 < MAX_DOMAINS <= MAX_KEYS


@pytest.mark.parametrize("name", ["max_queued_recipients", "max_queued_bytes", "max_domains", "max_keys"])
def test_a_server_has_no_such_limits_of_its_own(store: Store, name: str) -> None:
    account = store.create_account("acme", actor=ME).id
    with pytest.raises(Invalid, match=f"limits.{name}: this is a limit of accounts"):
        store.create_server(account, "shop", limits=Limits(**{name: 5}), actor=ME)
