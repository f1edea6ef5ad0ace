"""No statement that a message, a login or a poll brings about goes through a table, on either database.

The statements are those that are sent, not copies of them: a day in the store's life is listened to.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from angarium.identity.directory.changes import Changes, Era
from angarium.identity.directory.last_use import write_uses
from angarium.identity.directory.lookup import Lookup
from angarium.identity.directory.signing import NOBODY, SigningKeys
from angarium.identity.forms import LoginQuestion
from angarium.identity.records import SEND_GRANT
from angarium.identity.secrets import KeyRing
from angarium.identity.store import schema
from angarium.identity.store.store import IdentityStore
from angarium.identity.usage.buckets import Bucket
from angarium.identity.usage.counts import Need, Window, give_back, reserve
from angarium.sql.database import Database
from angarium.sql.threads import StoreThread

ME = {"actor": "test"}
NOW = 1_795_262_400.0
SMALL = {"generation", "alembic_version"}
"""Tables of one row."""

Sent = tuple[str, Any]
"""A statement with its parameters."""


@pytest.fixture
def sent(database: Database) -> Iterator[list[Sent]]:
    """Every statement that is sent to the database."""
    statements: list[Sent] = []

    def hear(connection: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool) -> None:
        statements.append((statement, values[0] if many and isinstance(values, list) else values))

    event.listen(database.engine, "before_cursor_execute", hear)
    yield statements
    event.remove(database.engine, "before_cursor_execute", hear)


def a_day(store: IdentityStore, ring: KeyRing, database: Database) -> None:
    """What a worker asks, and what those who manage ask by page."""
    account = store.accounts.create("acme", **ME)
    server = store.servers.create(account.id, "app", **ME)
    login = store.credentials.create_smtp_login(server.id, "acme-app", **ME)[0]
    key = store.credentials.create_api_key(account.id, "key", grants=[SEND_GRANT], **ME)[0]
    person = store.people.create(account.id, "ann@example.org", "Ann", "a long password indeed", **ME)
    store.domains.create(account.id, "example.org", **ME)
    look_up(database, login, key, person)
    bucket = Bucket(f"account:{account.id}", 86_400, 1000, "account acme")
    reserve(database, [Need(bucket, 0, 10)])
    give_back(database, {Window(bucket.scope, bucket.seconds, 0): 1})
    write_uses(database, {("person", person.id): NOW, ("smtp_login", login.id): NOW})
    asyncio.run(signing_keys(ring, database, account.id))
    for after in (None, 1):
        list_pages(store, account.id, server.id, after)


def look_up(database: Database, login: Any, key: Any, person: Any) -> None:
    """Log in in every form, notice changes, read anew."""
    lookup = Lookup(database, Era())
    anybody = frozenset({"smtp_login", "api_key"})
    for question in (
        LoginQuestion("digest", "", bytes(32), anybody),
        LoginQuestion("username", login.username or "", b"", anybody),
        LoginQuestion("email", person.email, b"", anybody),
    ):
        lookup.find(question)
    lookup.news((0, 1))
    lookup.reload([("person", person.id), ("smtp_login", login.id), ("api_key", key.id)])


async def signing_keys(ring: KeyRing, database: Database, account: int) -> None:
    """Ask for the keys of a domain, for its account and for mail of nobody."""
    worker = StoreThread("test")
    keys = SigningKeys(database, ring, worker, Changes())
    for owner in (account, NOBODY):
        await keys.get(owner, "example.org")
    await worker.close()


def list_pages(store: IdentityStore, account: int, server: int, after: int | None) -> None:
    """Page through everything, as the API and the command line do."""
    store.accounts.page(after)
    for owner in (None, account):
        store.servers.page(owner, after), store.people.page(owner, after), store.domains.page(owner, after)
        store.credentials.page(owner, None, None, after)
        for newest_first in (False, True):
            store.audit.page(owner, after, newest_first=newest_first)
    store.credentials.page(account, server, None, after), store.streams.of_server(server)


def test_every_statement_finds_its_rows_by_an_index(
    store: IdentityStore, ring: KeyRing, database: Database, sent: list[Sent]
) -> None:
    a_day(store, ring, database)
    statements = {statement: values for statement, values in sent if is_about_rows(statement)}
    assert len(statements) > 30
    faults = faults_sqlite if database.engine.dialect.name == "sqlite" else faults_postgresql
    with database.engine.connect() as connection:
        assert {
            s: found for s, values in statements.items() if (found := faults(connection, s, values))
        } == {}


def test_a_statement_that_goes_through_a_table_would_be_seen(
    store: IdentityStore, database: Database
) -> None:
    faults = faults_sqlite if database.engine.dialect.name == "sqlite" else faults_postgresql
    with database.engine.connect() as connection:
        assert faults(connection, "SELECT id FROM credentials WHERE label = 'x'", ())
        assert faults(connection, "SELECT id FROM credentials WHERE label = 'x' ORDER BY id", ())
        assert not faults(connection, "SELECT id FROM credentials WHERE username = 'x'", ())


def is_about_rows(statement: str) -> bool:
    """Whether a statement reads or changes rows of ours."""
    return (
        statement.split(maxsplit=1)[0] in ("SELECT", "UPDATE", "DELETE", "INSERT")
        and "set_config" not in statement
    )


def faults_sqlite(connection: Any, statement: str, values: Any) -> list[str]:
    """Return the steps that look at all rows of a table. In the order of a key up to a limit is no fault."""
    steps = [step for *_, step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    if "LIMIT" in statement and not any("TEMP B-TREE" in step for step in steps):
        return []
    tables = [step.split()[1] for step in steps if step.startswith("SCAN ")]
    return [table for table in tables if table in schema.metadata.tables and table not in SMALL]


def faults_postgresql(connection: Any, statement: str, values: Any) -> list[str]:
    """The same, of what remains when the planner may not think that the tables are small."""
    connection.exec_driver_sql("SET enable_seqscan = off")
    (plan,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values).scalar_one()
    return list(scans(plan["Plan"], bounded=False))


def scans(node: dict[str, Any], *, bounded: bool) -> Iterator[str]:
    """Yield what looks at all rows of a table; *bounded* by a limit that nothing between needs all rows for."""
    kind, table = node["Node Type"], node.get("Relation Name") or node.get("Index Name")
    if kind == "Seq Scan" and table not in SMALL:
        yield f"{kind} {table}"
    if (
        kind in ("Index Scan", "Index Only Scan", "Bitmap Index Scan")
        and "Index Cond" not in node
        and not bounded
    ):
        yield f"{kind} {table} without a condition"
    passes = kind in ("Limit", "Index Scan", "LockRows", "Nested Loop") and (bounded or kind == "Limit")
    for part in node.get("Plans", ()):
        yield from scans(part, bounded=passes)
