"""Trusted logins over restarts: what the store keeps of them, on both engines."""

import asyncio

from sqlalchemy import select

from angarium.identity.guard.guard import Guard
from angarium.identity.guard.kept import TrustKept, read, write
from angarium.identity.guard.trust import MOST_NETWORKS, Trusted
from angarium.identity.secrets import KeyRing
from angarium.identity.store import schema
from angarium.sql.database import Database
from angarium.testing.clock import ManualClock
from angarium.testing.log import kept_log, records_of

NOW = 1_795_262_400.0
DAY = 86_400.0
HERE = "192.0.2.1"


def rows(database: Database) -> list[Trusted]:
    return read(database, 0.0)


def test_what_one_worker_has_let_in_another_trusts_after_a_restart(database: Database, ring: KeyRing) -> None:
    clock, log = ManualClock(NOW), kept_log()

    async def worker(does: str) -> Guard:
        guard = Guard(ring.derived(b"test"))
        kept = TrustKept(database, guard.trust, clock, log)
        await kept.start()
        if does == "logs in":
            mark = guard.mark("ann", "secret")
            assert guard.succeeded(HERE, mark, clock.now())
            kept.note(HERE, mark)
        await kept.close()
        return guard

    asyncio.run(worker("logs in"))
    guard = asyncio.run(worker("nothing"))
    assert guard.trust.holds(HERE, guard.mark("ann", "secret"), NOW + 7 * DAY)
    assert not guard.trust.holds(HERE, guard.mark("ann", "another"), NOW)
    assert not guard.trust.holds("192.0.2.2", guard.mark("ann", "secret"), NOW)
    assert records_of(log) == []


def test_a_store_that_is_silent_is_asked_again_and_loses_nothing(database: Database) -> None:
    clock, log = ManualClock(NOW), kept_log()

    async def scenario() -> None:
        guard = Guard()
        kept = TrustKept(database, guard.trust, clock, log)
        with database.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE trusted RENAME TO gone")
        await kept.start()
        mark = guard.mark("ann", "secret")
        guard.succeeded(HERE, mark, NOW)
        kept.note(HERE, mark)
        await kept.flush()
        with database.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE gone RENAME TO trusted")
        await kept.flush()
        await kept.close()
        assert rows(database) == [Trusted(mark, HERE, NOW + 8 * DAY)]

    asyncio.run(scenario())
    assert [record["event"] for record in records_of(log)] == ["identity_outage", "identity_outage_over"]


def test_the_longer_trust_stays_and_what_is_over_goes(database: Database) -> None:
    write(database, [Trusted("#a", HERE, 300.0), Trusted("#b", HERE, 100.0)], 0.0)
    write(database, [Trusted("#a", HERE, 200.0), Trusted("#c", HERE, 300.0)], 150.0)
    assert sorted(rows(database)) == [Trusted("#a", HERE, 300.0), Trusted("#c", HERE, 300.0)]


def test_of_one_login_no_more_is_kept_than_is_trusted(database: Database) -> None:
    write(database, [Trusted("#a", HERE, 1.0)], 0.0)
    for count in range(50):
        write(database, [Trusted("#b", f"192.0.2.{count}", 100.0 + count)], 0.0)
    kept = [row.network for row in rows(database) if row.login == "#b"]
    assert kept == [f"192.0.2.{count}" for count in range(50 - MOST_NETWORKS, 50)]
    assert rows(database)[0] == Trusted("#a", HERE, 1.0)


def test_no_secret_can_be_found_in_what_is_kept(database: Database, ring: KeyRing) -> None:
    """Sixteen bits under the node's key: countless passwords fit, and without the key all do."""
    guard = Guard(ring.derived(b"test"))
    write(database, [Trusted(guard.mark("ann@acme.test", "correct horse"), HERE, 100.0)], 0.0)
    with database.engine.connect() as connection:
        kept = str(connection.execute(select(schema.trusted)).all())
    assert "ann" not in kept
    assert "horse" not in kept
    assert len(rows(database)[0].login.partition(".")[2]) == 4
