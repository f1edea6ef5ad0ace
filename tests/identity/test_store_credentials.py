"""Keys, tokens and logins: made with a secret that is shown once, changed, deleted."""

import base64
import re

import pytest
from sqlalchemy import RowMapping, insert, select, text

from angarium.core.options import Options
from angarium.identity.records import Server
from angarium.identity.secrets import CREDENTIAL_CONTEXT, KeyRing, digest_of, scram_of
from angarium.identity.store import schema
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.sql.database import Database
from angarium.sql.errors import Conflict, Invalid, NotFound

ME = "cli:root"


@pytest.fixture
def server(store: IdentityStore) -> Server:
    return store.servers.create(store.accounts.create("acme", actor=ME).id, "shop", actor=ME)


def row(database: Database, credential: int) -> RowMapping:
    with database.reading() as connection:
        query = select(schema.credentials).where(schema.credentials.c.id == credential)
        return connection.execute(query).mappings().one()


def test_an_api_key_is_40_hexadecimal_digits(
    store: IdentityStore, database: Database, server: Server
) -> None:
    grants = ["transmissions/modify", "smtp/inject"]
    made, secret = store.credentials.create_api_key(
        server.account, "deploy", grants, networks=["10.0.0.1/8"], expires_at=2e9, server=server.id, actor=ME
    )
    assert re.fullmatch(r"[0-9a-f]{40}", secret)
    assert made.short == secret[:4]
    assert made.grants == ("smtp/inject", "transmissions/modify")
    assert (made.networks, made.expires_at, made.server, made.username) == (
        ("10.0.0.0/8",),
        2e9,
        server.id,
        "",
    )
    kept = row(database, made.id)
    assert (kept["digest"], kept["scram"], kept["sealed"]) == (digest_of(secret), None, None)


def test_a_server_token_is_a_uuid(store: IdentityStore, database: Database, server: Server) -> None:
    made, secret = store.credentials.create_server_token(server.id, "laravel", actor=ME)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", secret)
    assert (made.kind, made.account, made.server, made.short) == (
        "server_token",
        server.account,
        server.id,
        secret[:4],
    )
    assert row(database, made.id)["digest"] == digest_of(secret)


@pytest.mark.parametrize(("stream", "letter"), [("outbound", "T"), ("broadcast", "B")])
def test_an_smtp_token_names_its_stream(
    store: IdentityStore, server: Server, stream: str, letter: str
) -> None:
    made, secret = store.credentials.create_smtp_token(server.id, stream, actor=ME)
    assert re.fullmatch(rf"PM-{letter}-{stream}-[A-Za-z0-9_-]{{22}}", made.username)
    assert re.fullmatch(r"[A-Za-z0-9_-]{36}", secret)
    assert (made.stream, made.short) == (stream, "")
    with pytest.raises(Invalid, match="stream: this cannot be changed"):
        store.credentials.change(made.id, stream="outbound", actor=ME)


def test_an_smtp_login_has_a_generated_name_and_its_switches(
    store: IdentityStore, database: Database, server: Server
) -> None:
    options = Options(track_opens=True, inline_css=True, binding="pool-1")
    made, secret = store.credentials.create_smtp_login(
        server.id, "newsletter", stream="broadcast", options=options, actor=ME
    )
    assert re.fullmatch(r"[0-9a-f]{32}", made.username)
    assert (made.options, made.stream, made.challenge) == (options, "broadcast", False)
    kept = row(database, made.id)
    assert kept["sealed"] is None
    _, salt, *_ = kept["scram"].split(":")
    assert kept["scram"] == scram_of(secret, base64.b64decode(salt))


def test_a_secret_is_kept_only_for_challenge_response_and_only_encrypted(
    store: IdentityStore, database: Database, ring: KeyRing, server: Server
) -> None:
    made, secret = store.credentials.create_smtp_login(server.id, "old printer", challenge=True, actor=ME)
    sealed = row(database, made.id)["sealed"]
    assert secret.encode() not in sealed
    assert ring.open(sealed, CREDENTIAL_CONTEXT) == secret.encode()
    changed = store.credentials.change(made.id, challenge=False, actor=ME)
    assert (changed.challenge, row(database, made.id)["sealed"]) == (False, None)
    with pytest.raises(Conflict, match="challenge: the secret is not known any more; make a new login"):
        store.credentials.change(made.id, challenge=True, actor=ME)


def test_secrets_differ(store: IdentityStore, server: Server) -> None:
    made = [store.credentials.create_smtp_login(server.id, "", actor=ME) for _ in range(20)]
    assert len({secret for _, secret in made}) == len({credential.username for credential, _ in made}) == 20


def test_a_credential_is_changed_field_by_field(store: IdentityStore, server: Server) -> None:
    made, _ = store.credentials.create_api_key(
        server.account, "a", ["smtp/inject"], server=server.id, actor=ME
    )
    changed = store.credentials.change(
        made.id,
        label="b",
        grants=["metrics/view"],
        networks=["192.0.2.1"],
        enabled=False,
        expires_at=2e9,
        stream="broadcast",
        options=Options(campaign="c"),
        actor=ME,
    )
    assert changed == store.credentials.get(made.id)
    assert (changed.label, changed.grants, changed.networks) == ("b", ("metrics/view",), ("192.0.2.1/32",))
    assert (changed.enabled, changed.expires_at, changed.stream) == (False, 2e9, "broadcast")
    assert store.credentials.change(made.id, expires_at=None, stream=None, actor=ME).expires_at is None


def test_what_a_credential_cannot_be_bound_to(store: IdentityStore, server: Server) -> None:
    other = store.servers.create(store.accounts.create("other", actor=ME).id, "theirs", actor=ME)
    store.streams.create(server.id, "old", "Old", "broadcast", actor=ME)
    store.streams.archive(server.id, "old", actor=ME)
    with pytest.raises(
        Conflict, match=f"server {other.id} belongs to another account; take one of account 1"
    ):
        store.credentials.create_api_key(server.account, "", ["smtp/inject"], server=other.id, actor=ME)
    with pytest.raises(Invalid, match="stream: a stream belongs to a server; make a key for that server"):
        store.credentials.create_api_key(server.account, "", ["smtp/inject"], stream="outbound", actor=ME)
    with pytest.raises(Conflict, match="the stream 'old' is archived; unarchive it"):
        store.credentials.create_smtp_token(server.id, "old", actor=ME)
    with pytest.raises(NotFound, match="there is no stream nowhere of server 1"):
        store.credentials.create_smtp_login(server.id, "", stream="nowhere", actor=ME)
    with pytest.raises(NotFound, match="there is no server 99"):
        store.credentials.create_server_token(99, actor=ME)
    login, _ = store.credentials.create_smtp_login(server.id, "", actor=ME)
    with pytest.raises(Invalid, match="grants: this cannot be changed"):
        store.credentials.change(login.id, grants=["smtp/inject"], actor=ME)
    assert [credential.id for credential in store.credentials.page()] == [login.id]


def test_listings_are_by_server_and_kind(store: IdentityStore, server: Server) -> None:
    login, _ = store.credentials.create_smtp_login(server.id, "", actor=ME)
    key, _ = store.credentials.create_api_key(server.account, "", ["smtp/inject"], actor=ME)
    token, _ = store.credentials.create_smtp_token(server.id, "outbound", actor=ME)
    assert store.credentials.page() == [login, key, token]
    assert store.credentials.page(server=server.id) == [login, token]
    assert store.credentials.page(kind="api_key") == [key]
    assert store.credentials.page(server.account, server.id, after=login.id) == [token]
    store.credentials.delete(login.id, actor=ME)
    assert store.credentials.page() == [key, token]


@pytest.mark.parametrize(
    ("asked", "found_by"),
    [
        ("digest = :value", "digest"),
        ("username = :value", "username"),
        ("account = :value AND id > 5 ORDER BY id LIMIT 100", "account"),
        ("server = :value", "server"),
    ],
)
def test_many_credentials_are_not_searched_one_by_one(tmp_path, asked: str, found_by: str) -> None:
    database = open_database(f"sqlite:///{tmp_path}/identity.db")
    with database.writing() as connection:
        schema.metadata.create_all(connection)
        connection.execute(insert(schema.accounts).values(id=1, name="a", created_at=0.0))
        rows = [
            {
                "account": 1,
                "kind": "smtp_login",
                "username": f"{n:032x}",
                "digest": digest_of(str(n)),
                "created_at": 0.0,
            }
            for n in range(1000)
        ]
        connection.execute(insert(schema.credentials), rows)
    with database.reading() as connection:
        question = text(f"EXPLAIN QUERY PLAN SELECT * FROM credentials WHERE {asked}")
        plan = " ".join(row.detail for row in connection.execute(question, {"value": b"x"}))
    database.close()
    assert plan.startswith("SEARCH credentials USING INDEX")
    assert f"({found_by}=?" in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan
