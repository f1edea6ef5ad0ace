"""What holds of every change: there when the call returns, whole or not at all, in order, told without secrets."""

import io
import itertools
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable

import pytest
from sqlalchemy import event, exc, insert, select, update

from angarium.identity.records import Kind
from angarium.identity.secrets import KeyRing
from angarium.identity.store import schema
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.sql.database import Database
from angarium.sql.errors import Conflict, Invalid, StoreError
from angarium.testing.programs import PATIENCE_S

ME = "cli:root"
STREAM = ("news", "News", "broadcast")


def everything(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of all tables."""
    with database.reading() as connection:
        return {
            name: sorted((tuple(row) for row in connection.execute(select(table))), key=str)
            for name, table in schema.metadata.tables.items()
        }


def every_change(store: IdentityStore) -> list[Callable[[], object]]:
    """Return calls, one for each way to change something, that succeed in this order on an empty store."""
    password, other = "correct horse", "battery staple"

    def account() -> int:
        return store.accounts.page()[0].id  # PostgreSQL leaves numbers out that a failed change had

    def server() -> int:
        return store.servers.page()[0].id

    def person() -> int:
        return store.people.page()[0].id

    def credential(kind: Kind) -> int:
        return store.credentials.page(kind=kind)[0].id

    def domain() -> int:
        return store.domains.page()[0].id

    return [
        lambda: store.accounts.create("acme", actor=ME),
        lambda: store.accounts.change(account(), name="acme2", actor=ME),
        lambda: store.servers.create(account(), "shop", actor=ME),
        lambda: store.servers.change(server(), smtp=False, actor=ME),
        lambda: store.streams.create(server(), *STREAM, actor=ME),
        lambda: store.streams.change(server(), "news", name="Letters", actor=ME),
        lambda: store.streams.archive(server(), "news", actor=ME),
        lambda: store.streams.unarchive(server(), "news", actor=ME),
        lambda: store.people.create(account(), "jane@example.com", "Jane", password, actor=ME),
        lambda: store.people.change(person(), name="J.", actor=ME),
        lambda: store.people.set_password(person(), other, actor=ME),
        lambda: store.credentials.create_api_key(account(), "key", ["smtp/inject"], actor=ME),
        lambda: store.credentials.create_server_token(server(), "token", challenge=True, actor=ME),
        lambda: store.credentials.create_smtp_token(server(), "outbound", "token", challenge=True, actor=ME),
        lambda: store.credentials.create_smtp_login(server(), "login", challenge=True, actor=ME),
        lambda: store.credentials.change(credential("smtp_login"), enabled=False, challenge=False, actor=ME),
        lambda: store.domains.create(account(), "example.com", actor=ME),
        lambda: store.domains.change(domain(), enabled=False, actor=ME),
        lambda: store.domains.mark_checked(
            domain(), {each.id: True for each in store.domains.page()[0].keys}, 5.0, actor=ME
        ),
        lambda: store.domains.rotate_keys(domain(), actor=ME),
        lambda: store.domains.delete(domain(), actor=ME),
        lambda: store.credentials.delete(credential("api_key"), actor=ME),
        lambda: store.people.delete(person(), actor=ME),
        lambda: store.servers.delete(server(), actor=ME),
        lambda: store.accounts.delete(account(), actor=ME),
    ]


def test_every_change_raises_the_generation_and_says_who_did_what(store: IdentityStore) -> None:
    for number, change in enumerate(every_change(store), 1):
        change()
        assert store.generation() == number
        told = store.audit.page(after=number - 1)
        assert [(entry.id, entry.actor, entry.account) for entry in told] == [(number, ME, 1)]
    told = store.audit.page(1)
    assert [(entry.action, entry.what) for entry in told] == [
        ("create", "account 1"),
        ("change", "account 1"),
        ("create", "server 1"),
        ("change", "server 1"),
        ("create", "stream 1/news"),
        ("change", "stream 1/news"),
        ("archive", "stream 1/news"),
        ("unarchive", "stream 1/news"),
        ("create", "person 1"),
        ("change", "person 1"),
        ("set password", "person 1"),
        ("create", "key 1"),
        ("create", "token 2"),
        ("create", "token 3"),
        ("create", "login 4"),
        ("change", "login 4"),
        ("create", "domain 1"),
        ("change", "domain 1"),
        ("check", "domain 1"),
        ("rotate", "domain 1"),
        ("delete", "domain 1"),
        ("delete", "key 1"),
        ("delete", "person 1"),
        ("delete", "server 1"),
        ("delete", "account 1"),
    ]
    assert told[1].details == {"before": {"name": "acme"}, "after": {"name": "acme2"}}
    assert store.audit.page(1, newest_first=True) == told[::-1]
    assert store.audit.page(1, after=5, limit=3, newest_first=True) == told[3:0:-1]


def test_a_change_to_what_it_is_already_is_none(store: IdentityStore, database: Database) -> None:
    store.accounts.create("acme", actor=ME)
    before = everything(database)
    store.accounts.change(1, name="acme", suspended=False, actor=ME)
    assert everything(database) == before


def test_nobody_changes_anything_without_a_name(store: IdentityStore, database: Database) -> None:
    before = everything(database)
    with pytest.raises(Invalid, match="actor: write who makes the change, such as cli:root"):
        store.accounts.create("acme", actor="")
    assert everything(database) == before


@pytest.mark.slow
def test_a_change_that_fails_at_any_statement_leaves_nothing(
    store: IdentityStore, database: Database
) -> None:
    countdown = itertools.repeat(1)

    @event.listens_for(database.engine, "before_cursor_execute")
    def fail(*_: object) -> None:
        if next(countdown) == 0:
            raise exc.OperationalError("", None, RuntimeError("the disk is full"))

    for change in every_change(store):
        before = everything(database)
        for number in itertools.count():
            countdown = itertools.chain(range(number, -1, -1), itertools.repeat(1))
            try:
                change()
            except StoreError:
                countdown = itertools.repeat(1)
                assert everything(database) == before
            else:
                break
        countdown = itertools.repeat(1)
        assert number >= 3  # the generation, the change and its entry in the log at least
        assert everything(database) != before


def test_a_refused_change_leaves_nothing(store: IdentityStore, database: Database) -> None:
    store.accounts.create("acme", actor=ME)
    before = everything(database)
    with pytest.raises(Conflict):
        store.accounts.create("acme", actor=ME)
    with pytest.raises(Invalid):
        store.credentials.create_api_key(1, "", ["nothing"], actor=ME)
    assert everything(database) == before


@pytest.mark.process
def test_a_change_is_there_after_the_process_is_killed(url: str, database: Database, ring: KeyRing) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        opened = open_database(url)
        store = IdentityStore(opened, ring, time.time)
        store.accounts.create("acme", actor=ME)
        with opened.writing() as connection:  # killed in the middle of the next one
            connection.execute(update(schema.generation).values(value=9))
            connection.execute(insert(schema.accounts).values(name="half", created_at=0.0))
            os.write(write, b"done")
            signal.pause()
    assert os.read(read, 100).startswith(b"done")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(read)
    os.close(write)
    store = IdentityStore(database, ring, time.time)
    assert [account.name for account in store.accounts.page()] == ["acme"]
    assert store.audit.page()[0].what == "account 1"
    store.accounts.create("the next", actor=ME)  # nobody holds a lock any more


_ADD_ACCOUNTS = """
import sys, time
from pathlib import Path
from angarium.identity.store.place import open_database
from angarium.identity.records import Kind
from angarium.identity.secrets import KeyRing
from angarium.identity.store.store import IdentityStore
store = IdentityStore(open_database(sys.argv[1]), KeyRing.load_or_create(Path(sys.argv[2])), time.time)
sys.stdin.readline()
for number in range(20):
    store.accounts.create(f"{sys.argv[3]} {number}", actor=sys.argv[3])
"""


def check_order(store: IdentityStore, database: Database, count: int) -> None:
    told = store.audit.page(limit=1000)
    assert len(told) == count == store.generation()
    with database.reading() as connection:
        query = select(schema.audit.c.generation).order_by(schema.audit.c.id)
        assert list(connection.execute(query).scalars()) == list(range(1, count + 1))


@pytest.mark.process
def test_changes_by_several_processes_are_in_one_order(
    url: str, database: Database, store: IdentityStore, ring: KeyRing
) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", _ADD_ACCOUNTS, url, ring.path, name], stdin=subprocess.PIPE)
        for name in ("one", "two", "three")
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
    check_order(store, database, 60)


def test_changes_by_several_threads_are_in_one_order_and_names_stay_unique(
    store: IdentityStore, database: Database
) -> None:
    refused: list[str] = []

    def work(thread: int) -> None:
        for number in range(15):
            try:
                store.accounts.create(f"account {number}", actor=f"thread {thread}")
            except Conflict as error:
                refused.append(str(error))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(refused) == 45
    assert len(store.accounts.page()) == 15
    check_order(store, database, 15)


@pytest.mark.slow
def test_a_change_does_not_wait_for_ever_for_another(
    url: str, database: Database, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("angarium.sql.engine.BUSY_S", 1)
    impatient = open_database(url)
    store = IdentityStore(impatient, ring, time.time)
    with database.writing() as connection:
        connection.execute(update(schema.generation).values(value=9))
        assert store.generation() == 0  # those who only look do not wait
        with pytest.raises(StoreError, match=r"(database is locked|lock timeout)"):
            store.accounts.create("acme", actor=ME)
    assert store.accounts.create("acme", actor=ME).id
    assert store.generation() == 10
    impatient.close()


def test_no_secret_is_in_the_store_its_audit_log_or_the_log_of_statements(
    store: IdentityStore, database: Database, ring: KeyRing, caplog: pytest.LogCaptureFixture
) -> None:
    echoed = io.StringIO()
    logger = logging.getLogger("sqlalchemy.engine.Engine")
    handler = logging.StreamHandler(echoed)
    logger.addHandler(handler)
    with caplog.at_level(logging.DEBUG, "sqlalchemy"):
        database.echo = True
        try:
            made = [change() for change in every_change(store)[:20]]
        finally:
            database.echo = False
            logger.removeHandler(handler)
    secrets = [each[1] for each in made if isinstance(each, tuple)]
    secrets += ["correct horse", "battery staple", ring.path.read_text().split()[-1]]
    assert len(secrets) == 7
    shown = [
        repr(everything(database)),
        repr(store.audit.page()),
        repr(store),
        echoed.getvalue(),
        caplog.text,
    ]
    shown += [repr([each[0] if isinstance(each, tuple) else each for each in made])]
    assert "INSERT INTO credentials" in echoed.getvalue()
    for secret in secrets:
        assert not [where for where in shown if secret in where]


def test_no_secret_is_in_an_error(store: IdentityStore, database: Database) -> None:
    """Not even where a table is broken under the store."""
    for change in every_change(store)[:3]:
        change()
    seen: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def fail(_connection, _cursor, statement, parameters, _context, _many) -> None:
        if "INSERT INTO credentials" in statement:
            seen.append(repr(parameters))
            raise exc.IntegrityError(
                statement, parameters, Exception(f"no\nKey {parameters}"), hide_parameters=True
            )

    with pytest.raises(StoreError) as raised:
        store.credentials.create_smtp_login(1, "login", challenge=True, actor=ME)
    told = "".join(traceback.format_exception(raised.value))
    assert seen
    assert seen[0] not in told
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
