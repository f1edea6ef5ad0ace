"""The whole store into another database, between SQLite and PostgreSQL both ways."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from angarium.assets.store import schema as assets
from angarium.assets.templates.records import TemplateContent
from angarium.core.options import Options
from angarium.identity.directory.lookup import Era, Lookup
from angarium.identity.limits import Limits
from angarium.identity.secrets import KeyRing
from angarium.identity.store import schema
from angarium.identity.store.copying import Copied, copy_store
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.sql.database import Database
from angarium.sql.errors import Conflict, StoreError
from angarium.testing.clock import ManualClock

WHO = "cli:test"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty store on either engine."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'target' / 'identity.db'}"
    else:
        server = request.getfixturevalue("postgres")
        url = server.url(server.create_database())
    database = open_database(url)
    database.migrate()
    yield database
    database.close()


def fill(store: IdentityStore) -> None:
    """Make something of everything, and delete what had the highest numbers."""
    account = store.accounts.create("shop", actor=WHO, limits=Limits(daily_quota=5, sender_domains="any"))
    server = store.servers.create(account.id, "web – ü", actor=WHO, options=Options(track_opens=True))
    store.streams.create(server.id, "news", "News", kind="broadcast", actor=WHO)
    store.people.create(account.id, "a@example.com", "A", "correct horse", actor=WHO)
    store.credentials.create_smtp_login(server.id, "with challenge", actor=WHO, challenge=True)
    store.domains.create(account.id, "example.com", actor=WHO)
    store.templates.create(account.id, "Welcome", TemplateContent(text="ü {{a}}"), alias="a", actor=WHO)
    store.snippets.create(account.id, "footer", html="<hr>", actor=WHO)
    for _ in range(3):
        gone = store.accounts.create("gone", actor=WHO)
        store.accounts.delete(gone.id, actor=WHO)


def everything(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """All rows, but of what tells that the store was copied."""
    with database.reading() as connection:
        return {
            table.name: [
                tuple(row)
                for row in connection.execute(select(table).order_by(*table.primary_key))
                if not (table is schema.audit and row.action == "copy")
            ]
            for table in (*schema.metadata.sorted_tables, *assets.metadata.sorted_tables)
            if table is not schema.generation
        }


def copy(source: Database, target: Database, clock: ManualClock, *, replace: bool = False) -> Copied:
    return copy_store(source, target, replace=replace, actor=WHO, now=clock.now, progress=lambda _: None)


def test_a_copy_has_every_row_and_can_be_changed(
    database: Database, store: IdentityStore, target: Database, ring: KeyRing, clock: ManualClock
) -> None:
    fill(store)
    copied = copy(database, target, clock)
    assert everything(target) == everything(database)
    assert copied.rows == {name: len(rows) for name, rows in everything(target).items()} | {
        "audit": copied.rows["audit"],
        "suppression_causes": 0,
        "suppression_notes": 0,
        "suppression_reading": 0,
    }
    moved = IdentityStore(target, ring, clock.now)
    assert moved.accounts.get("shop") == store.accounts.get("shop")
    ring.rotate()
    assert moved.secrets.rotate(ring, actor=WHO) == 3  # a login's and two domain keys', which could be read
    made = moved.accounts.create("next", actor=WHO)
    assert made.id == 5  # not 2: the numbers of those that are gone are not given again
    server = moved.servers.create(made.id, "web", actor=WHO)
    moved.credentials.create_api_key(made.id, "key", ("smtp/inject",), actor=WHO)
    moved.domains.create(made.id, "example.org", actor=WHO)
    assert server.id > 1


def test_what_is_there_is_deleted_only_when_told(
    database: Database, store: IdentityStore, target: Database, ring: KeyRing, clock: ManualClock
) -> None:
    fill(store)
    other = IdentityStore(target, ring, clock.now)
    other.accounts.create("theirs", actor=WHO)
    before = everything(target)
    with pytest.raises(Conflict, match="--replace"):
        copy(database, target, clock)
    assert everything(target) == before
    assert copy(database, target, clock, replace=True).replaced["accounts"] == 1
    assert everything(target) == everything(database)


def test_a_copy_that_is_broken_off_leaves_nothing(
    database: Database, store: IdentityStore, target: Database, ring: KeyRing, clock: ManualClock
) -> None:
    fill(store)

    def cut(done: int) -> None:
        if done > 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_store(database, target, replace=False, actor=WHO, now=clock.now, progress=cut)
    assert not any(everything(target).values())
    IdentityStore(target, ring, clock.now).accounts.create("first", actor=WHO)


def test_who_has_read_of_the_target_before_reads_all_of_it_anew(
    database: Database, store: IdentityStore, target: Database, ring: KeyRing, clock: ManualClock
) -> None:
    fill(store)
    IdentityStore(target, ring, clock.now).accounts.create("theirs", actor=WHO)
    lookup = Lookup(target, Era())
    seen = lookup.news(None).seen
    copy(database, target, clock, replace=True)
    assert lookup.news(seen).changed is None


def test_a_table_that_cannot_be_written_undoes_all(
    database: Database, store: IdentityStore, target: Database, clock: ManualClock
) -> None:
    fill(store)
    with target.writing() as connection:
        schema.trusted.drop(connection)
    with database.writing() as connection:
        connection.execute(schema.trusted.insert().values(login="x", network="10.0.0.0/8", until=1.0))
    with pytest.raises(StoreError):
        copy(database, target, clock)
    with target.reading() as connection:
        assert connection.scalars(select(schema.accounts.c.id)).all() == []
