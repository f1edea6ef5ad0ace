"""Accounts, servers, streams and people: what may be kept, what is refused, and in which words."""

from typing import Any

import pytest
from sqlalchemy import select

from angarium.core.options import Options
from angarium.identity.limits import Limits, Rate
from angarium.identity.records import Server
from angarium.identity.secrets import verify_password
from angarium.identity.store import schema
from angarium.identity.store.store import IdentityStore
from angarium.sql.database import Database
from angarium.sql.errors import Conflict, Invalid, NotFound

ME = "cli:root"


@pytest.fixture
def server(store: IdentityStore) -> Server:
    return store.servers.create(store.accounts.create("acme", actor=ME).id, "shop", actor=ME)


def test_an_account_is_found_by_id_and_by_name(store: IdentityStore) -> None:
    assert store.accounts.is_empty()
    made = store.accounts.create("Müller & Söhne", actor=ME)
    for named in (made.id, str(made.id), "Müller & Söhne"):
        assert store.accounts.get(named) == made
    assert not store.accounts.is_empty()


def test_what_an_account_is_given_is_kept(store: IdentityStore) -> None:
    limits = Limits(Rate(100, 60), daily_quota=5000, max_recipients=50, sender_domains="verified")
    options = Options(tags=("a", "b"), metadata={"k": 1}, track_opens=True, track_links="html")
    made = store.accounts.create("acme", limits=limits, options=options, actor=ME)
    assert (made.limits, made.options) == (limits, options)
    changed = store.accounts.change(made.id, suspended=True, limits=Limits(), actor=ME)
    assert (changed.suspended, changed.limits, changed.options) == (True, Limits(), options)
    assert store.accounts.get(made.id) == changed


def test_every_account_but_the_first_sends_from_verified_domains_only_unless_it_is_said(
    store: IdentityStore,
) -> None:
    def made(name: str, **limits: Any) -> Limits:
        return store.accounts.create(name, limits=Limits(**limits), actor=ME).limits

    assert made("mine") == Limits()
    assert made("customer") == Limits(sender_domains="verified")
    assert made("another", daily_quota=5) == Limits(daily_quota=5, sender_domains="verified")
    assert made("trusted", sender_domains="any") == Limits(sender_domains="any")
    (change,) = store.audit.page(store.accounts.get("customer").id)
    after = change.details["after"]
    assert isinstance(after, dict)
    assert after["limits"] == {"sender_domains": "verified"}


def test_names_are_taken_once(store: IdentityStore, server: Server) -> None:
    other = store.accounts.create("other", actor=ME)
    with pytest.raises(Conflict, match="there is an account 'acme' already; choose another name"):
        store.accounts.create(" acme ", actor=ME)
    with pytest.raises(Conflict, match="choose another name"):
        store.accounts.change(other.id, name="acme", actor=ME)
    with pytest.raises(Conflict, match="the account has a server 'shop' already"):
        store.servers.create(server.account, "shop", actor=ME)
    assert store.servers.create(other.id, "shop", actor=ME).name == "shop"


def test_listings_come_in_pages_by_rising_id(store: IdentityStore) -> None:
    ids = [store.accounts.create(f"account {n}", actor=ME).id for n in range(5)]
    assert [account.id for account in store.accounts.page(limit=2)] == ids[:2]
    assert [account.id for account in store.accounts.page(after=ids[1], limit=2)] == ids[2:4]
    assert [account.id for account in store.accounts.page(after=ids[3])] == ids[4:]
    assert store.accounts.page(after=ids[4]) == []
    for wrong in (0, -1, 10_001, "5"):
        with pytest.raises(Invalid, match="limit: write a number"):
            store.accounts.page(limit=wrong)


def test_listings_of_one_account_hold_nothing_of_another(store: IdentityStore, server: Server) -> None:
    other = store.accounts.create("other", actor=ME).id
    store.servers.create(other, "theirs", actor=ME)
    store.people.create(other, "them@example.com", "", "long enough", actor=ME)
    store.domains.create(other, "example.com", actor=ME)
    store.credentials.create_api_key(other, "theirs", ["smtp/inject"], actor=ME)
    mine = server.account
    assert store.servers.page(mine) == [server]
    assert store.people.page(mine) == store.domains.page(mine) == store.credentials.page(mine) == []
    assert {change.account for change in store.audit.page(mine)} == {mine}
    assert len(store.servers.page()) == 2


def test_a_deleted_account_takes_everything_with_it(store: IdentityStore, server: Server) -> None:
    store.people.create(server.account, "jane@example.com", "Jane", "long enough", actor=ME)
    store.credentials.create_smtp_login(server.id, "login", actor=ME)
    store.domains.create(server.account, "example.com", actor=ME)
    store.accounts.delete(server.account, actor=ME)
    for kept in (store.accounts, store.servers, store.people, store.credentials, store.domains):
        assert kept.page() == []
    assert store.audit.page(server.account)[-1].action == "delete"
    with pytest.raises(NotFound, match="there is no account 1; list what there is"):
        store.accounts.delete(server.account, actor=ME)


def test_a_new_server_has_the_default_streams(store: IdentityStore, server: Server) -> None:
    found = [(stream.id, stream.kind) for stream in store.streams.of_server(server.id)]
    assert found == [("outbound", "transactional"), ("broadcast", "broadcast")]


def test_a_server_is_changed_field_by_field(store: IdentityStore, server: Server) -> None:
    changed = store.servers.change(
        server.id,
        name="web",
        suspended=True,
        smtp=False,
        on_error="refuse",
        limits=Limits(max_recipients=1),
        actor=ME,
    )
    assert (changed.name, changed.suspended, changed.smtp, changed.on_error) == ("web", True, False, "refuse")
    assert changed.limits.max_recipients == 1
    store.servers.delete(server.id, actor=ME)
    assert store.servers.page() == []


def test_a_field_that_cannot_be_taken_leaves_everything_as_it_was(
    store: IdentityStore, server: Server
) -> None:
    before = store.accounts.get(server.account), store.generation(), store.audit.page()
    with pytest.raises(Invalid, match="name: write a name"):
        store.accounts.change(server.account, suspended=True, name="", actor=ME)
    with pytest.raises(
        Invalid, match="created_at: this cannot be changed; what can: name, suspended, limits"
    ):
        store.accounts.change(server.account, created_at=0.0, actor=ME)
    assert (store.accounts.get(server.account), store.generation(), store.audit.page()) == before


def test_a_stream_is_archived_and_comes_back(store: IdentityStore, server: Server) -> None:
    made = store.streams.create(server.id, "news", "News", "broadcast", description="weekly", actor=ME)
    assert store.streams.get(server.id, "news") == made
    archived = store.streams.archive(server.id, "news", actor=ME)
    assert archived.archived_at is not None
    assert "news" not in [stream.id for stream in store.streams.of_server(server.id)]
    assert archived in store.streams.of_server(server.id, archived=True)
    assert store.streams.archive(server.id, "news", actor=ME) == archived
    assert store.streams.unarchive(server.id, "news", actor=ME) == made


def test_streams_have_their_rules(store: IdentityStore, server: Server) -> None:
    with pytest.raises(Conflict, match="'outbound' is one of those every server has and cannot be archived"):
        store.streams.archive(server.id, "outbound", actor=ME)
    with pytest.raises(Invalid, match="id: pm- at the beginning is reserved"):
        store.streams.create(server.id, "pm-mine", "mine", "broadcast", actor=ME)
    with pytest.raises(Conflict, match="has a stream 'broadcast' already"):
        store.streams.create(server.id, "broadcast", "again", "broadcast", actor=ME)
    with pytest.raises(Invalid, match="kind: a stream stays what it is"):
        store.streams.change(server.id, "outbound", kind="broadcast", actor=ME)
    with pytest.raises(Invalid, match="kind: write transactional or broadcast"):
        store.streams.create(server.id, "in", "In", "inbound", actor=ME)
    with pytest.raises(NotFound, match="there is no stream nowhere of server 1"):
        store.streams.get(server.id, "nowhere")
    with pytest.raises(NotFound, match="there is no stream a"):
        store.streams.get(server.id, "a\0")
    with pytest.raises(NotFound, match="there is no server 99"):
        store.streams.of_server(99)
    changed = store.streams.change(
        server.id, "outbound", name="Mail", options=Options(track_opens=True), actor=ME
    )
    assert (changed.name, changed.options.track_opens) == ("Mail", True)


def test_ten_streams_besides_the_default_ones(store: IdentityStore, server: Server) -> None:
    for number in range(10):
        store.streams.create(server.id, f"s{number}", "name", "transactional", actor=ME)
    with pytest.raises(Conflict, match="10 streams besides the default ones already; archive one first"):
        store.streams.create(server.id, "s10", "name", "transactional", actor=ME)
    store.streams.archive(server.id, "s0", actor=ME)
    store.streams.create(server.id, "s10", "name", "transactional", actor=ME)
    with pytest.raises(Conflict, match="archive one first"):
        store.streams.unarchive(server.id, "s0", actor=ME)


def test_a_person_is_found_however_the_address_is_written(store: IdentityStore, server: Server) -> None:
    made = store.people.create(server.account, " Jane@Bücher.Example ", "Jane", "long enough", actor=ME)
    assert made.email == "jane@xn--bcher-kva.example"
    assert store.people.get("JANE@xn--bcher-kva.example") == store.people.get(made.id) == made
    with pytest.raises(Conflict, match="belongs to a person already"):
        store.people.create(server.account, "JANE@bücher.example", "", "long enough", actor=ME)
    changed = store.people.change(made.id, email="joan@example.com", enabled=False, actor=ME)
    assert (changed.email, changed.enabled) == ("joan@example.com", False)
    store.people.delete(made.id, actor=ME)
    with pytest.raises(NotFound, match=r"there is no person joan@example\.com"):
        store.people.get("joan@example.com")


def test_a_password_that_was_set_is_the_only_one(
    store: IdentityStore, database: Database, server: Server
) -> None:
    made = store.people.create(server.account, "jane@example.com", "", "first password", actor=ME)
    store.people.set_password(made.id, "caf\u00e9 au lait", actor=ME)
    with database.reading() as connection:
        kept = connection.scalar(select(schema.people.c.password))
    assert kept.startswith("$argon2id$")
    assert verify_password(kept, "cafe\u0301 au lait")  # the same word, typed on another machine
    assert not verify_password(kept, "first password")
    assert not verify_password("not a hash", "first password")
