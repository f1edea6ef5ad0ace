"""Rates and quotas, counted exactly though several workers count at once."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, update

from angarium.core.log import Log
from angarium.dialects.table import sentence_of
from angarium.identity.limits import NO_LIMITS, Limits, Rate
from angarium.identity.principal import Principal
from angarium.identity.records import Account, Server
from angarium.identity.store import schema
from angarium.identity.store.place import open_database
from angarium.identity.usage import counts
from angarium.identity.usage.buckets import ALLOWED, Allowed, Bucket, Exceeded, chunk
from angarium.identity.usage.counts import Window
from angarium.identity.usage.usage import Usage
from angarium.sql.database import Database
from angarium.sql.errors import StoreError
from angarium.testing.clock import ManualClock
from angarium.testing.log import kept_log, text_of

DAY = 86_400
MORNING = 1_795_219_200.0  # 2026-11-21T00:00:00Z


@dataclass
class Office:
    """Several workers that count in one store."""

    database: Database
    log: Log = field(default_factory=kept_log)
    clock: ManualClock = field(default_factory=lambda: ManualClock(MORNING))
    workers: list[Usage] = field(default_factory=list)

    def worker(self) -> Usage:
        self.workers.append(Usage(self.database, self.clock, self.log))
        return self.workers[-1]

    def used(self, scope: str = "account:1", seconds: int = DAY) -> int:
        where = (schema.usage.c.scope == scope) & (schema.usage.c.seconds == seconds)
        with self.database.engine.connect() as connection:
            return connection.scalar(select(func.sum(schema.usage.c.used)).where(where)) or 0

    async def close(self) -> None:
        for worker in self.workers:
            await worker.close()
        self.workers.clear()


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


def empty(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(delete(schema.usage))


def somebody(account: Limits = NO_LIMITS, server: Limits = NO_LIMITS) -> Principal:
    return Principal(
        "server_token",
        1,
        "server token 1",
        Account(1, "acme", 0.0, limits=account),
        Server(7, 1, "shop", 0.0, limits=server),
        MappingProxyType({}),
    )


def quota(limit: int) -> Principal:
    return somebody(Limits(daily_quota=limit))


def run(office: Office, scenario: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        try:
            await scenario()
        finally:
            await office.close()

    asyncio.run(whole())


def test_somebody_without_limits_is_never_counted(office: Office) -> None:
    async def scenario() -> None:
        usage = office.worker()
        assert usage.take_now(somebody(), 1_000_000, MORNING) is ALLOWED
        assert office.used() == 0

    run(office, scenario)


def test_the_store_is_asked_for_a_chunk_and_not_for_each_recipient(office: Office) -> None:
    async def scenario() -> None:
        usage, principal = office.worker(), quota(1000)
        assert usage.take_now(principal, 1, MORNING) is None
        assert await usage.take(principal, 1, MORNING) is ALLOWED
        assert office.used() == 50
        for _ in range(49):
            assert usage.take_now(principal, 1, MORNING) is ALLOWED
        assert usage.take_now(principal, 1, MORNING) is None

    run(office, scenario)


def test_the_limit_is_met_exactly_and_then_the_reply_says_when_to_come_back(office: Office) -> None:
    async def scenario() -> None:
        usage, principal = office.worker(), quota(1000)
        taken = 0
        while isinstance(result := await usage.take(principal, 7, MORNING + 3600), Allowed):
            taken += 7
        assert taken == 994
        assert isinstance(result, Exceeded)
        assert sentence_of(result.problem) == (
            "account acme may send to 1000 recipients a day and has; send again after 2026-11-22T00:00:00Z"
        )
        assert await usage.take(principal, 6, MORNING + 3600) is ALLOWED
        assert isinstance(await usage.take(principal, 1, MORNING + 3600), Exceeded)

    run(office, scenario)


def test_a_full_bucket_is_believed_to_be_full_for_a_moment_only(office: Office) -> None:
    async def scenario() -> None:
        usage, principal = office.worker(), quota(3)
        assert await usage.take(principal, 3, MORNING) is ALLOWED
        assert isinstance(await usage.take(principal, 1, MORNING), Exceeded)
        assert isinstance(usage.take_now(principal, 1, MORNING + 0.9), Exceeded)
        assert usage.take_now(principal, 1, MORNING + 1) is None

    run(office, scenario)


def test_a_new_window_begins_with_nothing_used(office: Office) -> None:
    async def scenario() -> None:
        usage, principal = office.worker(), quota(10)
        assert await usage.take(principal, 10, MORNING + DAY - 1) is ALLOWED
        assert isinstance(await usage.take(principal, 1, MORNING + DAY - 1), Exceeded)
        assert await usage.take(principal, 10, MORNING + DAY) is ALLOWED
        assert isinstance(await usage.take(principal, 1, MORNING + DAY), Exceeded)

    run(office, scenario)


def test_a_chunk_is_of_no_use_in_the_next_window(office: Office) -> None:
    async def scenario() -> None:
        usage, principal = office.worker(), quota(1000)
        assert await usage.take(principal, 1, MORNING) is ALLOWED
        assert usage.take_now(principal, 1, MORNING + DAY) is None

    run(office, scenario)


def test_rate_and_quota_of_account_and_server_hold_together(office: Office) -> None:
    both = somebody(Limits(Rate(4, 60), daily_quota=6), Limits(Rate(100, 60), daily_quota=5))

    async def scenario() -> None:
        usage, now = office.worker(), MORNING
        assert await usage.take(both, 4, now) is ALLOWED
        refused = await usage.take(both, 1, now)
        assert isinstance(refused, Exceeded)
        assert sentence_of(refused.problem).startswith(
            "account acme may send to 4 recipients a minute and has"
        )
        assert refused.again_at == now + 60
        now += 60
        assert await usage.take(both, 1, now) is ALLOWED
        refused = await usage.take(both, 1, now)
        assert isinstance(refused, Exceeded)
        assert sentence_of(refused.problem).startswith("server shop may send to 5 recipients a day and has")
        assert office.used("account:1", DAY) == 5

    run(office, scenario)


def test_what_is_refused_counts_nowhere(office: Office) -> None:
    both = somebody(Limits(daily_quota=100), Limits(daily_quota=5))

    async def scenario() -> None:
        usage = office.worker()
        assert isinstance(await usage.take(both, 6, MORNING), Exceeded)
        assert await usage.take(both, 5, MORNING) is ALLOWED
        await usage.close()
        assert (office.used("account:1"), office.used("server:7")) == (5, 5)

    run(office, scenario)


def test_two_servers_share_what_their_account_may(office: Office) -> None:
    first = somebody(Limits(daily_quota=10))
    second = replace(first, id=2, server=Server(8, 1, "blog", 0.0))

    async def scenario() -> None:
        usage = office.worker()
        assert await usage.take(first, 6, MORNING) is ALLOWED
        assert isinstance(await usage.take(second, 5, MORNING), Exceeded)
        assert await usage.take(second, 4, MORNING) is ALLOWED

    run(office, scenario)


def test_what_was_not_used_can_be_taken_again(office: Office) -> None:
    async def scenario() -> None:
        usage, principal = office.worker(), quota(10)
        assert await usage.take(principal, 10, MORNING) is ALLOWED
        usage.give_back(principal, 4, MORNING)
        assert usage.take_now(principal, 4, MORNING) is ALLOWED
        assert isinstance(await usage.take(principal, 1, MORNING), Exceeded)

    run(office, scenario)


def test_what_was_taken_yesterday_is_not_given_back_to_today(office: Office) -> None:
    async def scenario() -> None:
        usage, principal = office.worker(), quota(10)
        assert await usage.take(principal, 10, MORNING - 1) is ALLOWED
        assert await usage.take(principal, 10, MORNING) is ALLOWED
        usage.give_back(principal, 10, MORNING - 1)
        assert isinstance(await usage.take(principal, 1, MORNING), Exceeded)

    run(office, scenario)


def test_what_goes_back_to_yesterday_leaves_todays_chunk_alone(office: Office) -> None:
    async def scenario() -> None:
        usage, principal = office.worker(), quota(1000)
        assert await usage.take(principal, 1, MORNING - 1) is ALLOWED
        assert await usage.take(principal, 1, MORNING) is ALLOWED
        usage.give_back(principal, 1, MORNING - 1)
        assert usage.take_now(principal, 49, MORNING) is ALLOWED

    run(office, scenario)


def test_a_chunk_that_was_too_small_is_still_there_after_the_refusal(office: Office) -> None:
    async def scenario() -> None:
        usage, principal = office.worker(), quota(100)
        assert await usage.take(principal, 1, MORNING) is ALLOWED
        assert isinstance(await usage.take(principal, 100, MORNING), Exceeded)
        assert usage.take_now(principal, 4, MORNING) is ALLOWED

    run(office, scenario)


def test_an_idle_chunk_goes_back_and_another_worker_may_use_it(office: Office) -> None:
    async def scenario() -> None:
        one, other, principal = office.worker(), office.worker(), quota(100)
        assert await one.take(principal, 1, MORNING) is ALLOWED
        assert office.used() == 5
        assert isinstance(await other.take(principal, 99, MORNING), Exceeded)
        office.clock.at += 4.9
        await one.tidy()
        assert office.used() == 5
        office.clock.at += 0.1
        await one.tidy()
        assert office.used() == 1
        assert await other.take(principal, 99, office.clock.at) is ALLOWED

    run(office, scenario)


def test_closing_gives_back_what_is_left_and_a_crash_loses_no_more_than_that(office: Office) -> None:
    async def scenario() -> None:
        closed, crashed, principal = office.worker(), office.worker(), quota(1000)
        assert await closed.take(principal, 1, MORNING) is ALLOWED
        await closed.close()
        assert office.used() == 1
        assert await crashed.take(principal, 1, MORNING) is ALLOWED
        lost = office.used() - 2
        assert 0 < lost <= chunk(999, 1)
        third = office.worker()
        assert await third.take(principal, 998 - lost, MORNING) is ALLOWED
        assert isinstance(await third.take(principal, 1, MORNING), Exceeded)

    run(office, scenario)


def test_a_limit_that_was_lowered_holds_at_once(office: Office) -> None:
    async def scenario() -> None:
        usage = office.worker()
        assert await usage.take(quota(1000), 1, MORNING) is ALLOWED
        assert isinstance(await usage.take(quota(1), 1, MORNING), Exceeded)
        await usage.tidy()
        assert office.used() == 1
        assert await usage.take(quota(2), 1, MORNING + 1) is ALLOWED

    run(office, scenario)


def test_who_gives_up_waiting_is_not_counted(office: Office) -> None:
    async def scenario() -> None:
        usage, principal = office.worker(), quota(10)
        waiting = asyncio.ensure_future(usage.take(principal, 10, MORNING))
        await asyncio.sleep(0)  # it has begun to ask
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        taken = await usage.take(principal, 10, MORNING)  # asked after the first
        while isinstance(taken, Exceeded):  # the first one's answer is on its way back
            taken = await usage.take(principal, 10, MORNING + 1)
        assert isinstance(await usage.take(principal, 1, MORNING + 1), Exceeded)

    run(office, scenario)


def test_old_counts_are_deleted_days_some_days_later(office: Office) -> None:
    now = MORNING + 30 * DAY
    windows = {
        Window("account:1", DAY, int(now - 9 * DAY)): False,
        Window("account:1", DAY, int(now - 7 * DAY)): True,
        Window("account:1", 60, int(now - 7200)): False,
        Window("account:1", 60, int(now - 600)): True,
    }
    with office.database.writing() as connection:
        for window in windows:
            connection.execute(insert(schema.usage).values(**window._asdict(), used=1))
    assert counts.forget(office.database, now) == 2
    with office.database.engine.connect() as connection:
        rows = connection.execute(
            select(schema.usage.c.scope, schema.usage.c.seconds, schema.usage.c.starts_at)
        )
        assert {Window(*row) for row in rows} == {window for window, kept in windows.items() if kept}


def test_a_silent_store_is_an_error_and_what_is_held_goes_on(office: Office) -> None:
    async def scenario() -> None:
        usage, principal = office.worker(), quota(1000)
        assert await usage.take(principal, 1, MORNING) is ALLOWED
        schema.usage.drop(office.database.engine)
        assert usage.take_now(principal, 40, MORNING) is ALLOWED
        with pytest.raises(StoreError):
            await usage.take(principal, 40, MORNING)
        assert usage.take_now(principal, 9, MORNING) is ALLOWED  # nothing of it was used up by asking
        office.clock.at += 10
        usage.give_back(principal, 1, MORNING)
        await usage.tidy()
        assert text_of(office.log).count("identity_outage") == 1
        schema.usage.create(office.database.engine)
        assert await usage.take(principal, 1, MORNING) is ALLOWED

    run(office, scenario)


@dataclass
class Tally:
    allowed: int = 0
    refused: int = 0


def count_in_a_thread(url: str, principal: Principal, sizes: list[int], tally: Tally) -> None:
    """Be a worker of its own: own database, own event loop."""

    async def whole() -> None:
        database = open_database(url)
        usage = Usage(database, ManualClock(MORNING), Log(2, level="error"))
        for size in sizes:
            if isinstance(await usage.take(principal, size, MORNING), Allowed):
                tally.allowed += size
            else:
                tally.refused += 1
        await usage.close()
        database.close()

    asyncio.run(whole())


def test_workers_at_the_same_time_never_exceed_the_limit_and_leave_nothing_behind(
    office: Office,
) -> None:
    url = office.database.engine.url.render_as_string(hide_password=False)
    limit = 400
    tallies = [Tally() for _ in range(4)]
    threads = [
        threading.Thread(target=count_in_a_thread, args=(url, quota(limit), [1, 2, 3] * 40, tally))
        for tally in tallies
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = sum(tally.allowed for tally in tallies)
    assert sum(tally.refused for tally in tallies) > 0
    assert limit - len(tallies) * chunk(limit, 3) <= total <= limit
    assert office.used() == total

    last = Tally()
    count_in_a_thread(url, quota(limit), [1] * limit, last)
    assert total + last.allowed == limit


@st.composite
def days_work(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """Draw what three workers do: take, give back what they took last, let time pass, tidy up, crash."""
    action = st.sampled_from(["take", "take", "take", "give back", "later", "tidy", "crash"])
    return draw(st.lists(st.tuples(action, st.integers(0, 2), st.integers(1, 30)), min_size=5, max_size=40))


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(work=days_work())
def test_no_window_sees_more_than_its_limit_whatever_the_workers_do(
    database: Database, work: list[tuple[str, int, int]]
) -> None:
    empty(database)
    office = Office(database)
    principal = somebody(Limits(Rate(60, 60)), Limits(daily_quota=150))
    minute, day = principal.buckets
    passed: dict[tuple[Bucket, int], int] = {}
    crashed = 0

    def note(count: int, at: float) -> None:
        for bucket in (minute, day):
            key = bucket, bucket.starts_at(at)
            passed[key] = passed.get(key, 0) + count

    async def scenario() -> None:
        nonlocal crashed
        for _ in range(3):
            office.worker()
        last: dict[int, tuple[int, float]] = {}
        for action, who, count in work:
            usage, now = office.workers[who], office.clock.at
            if action == "take":
                if isinstance(await usage.take(principal, count, now), Allowed):
                    note(count, now)
                    last[who] = count, now
            elif action == "give back" and who in last:
                taken, at = last.pop(who)
                usage.give_back(principal, taken, at)
                note(-taken, at)
            elif action == "later":
                office.clock.at += count
            elif action == "tidy":
                await usage.tidy()
            elif action == "crash":
                crashed += 1
                last.pop(who, None)
                await usage._worker.close()
                office.workers[who] = Usage(database, office.clock, office.log)
            for (bucket, _), count_ in passed.items():
                assert count_ <= bucket.limit

    run(office, scenario)
    if not crashed:
        assert office.used("server:7") == passed.get((day, day.starts_at(MORNING)), 0)


def test_a_chunk_shrinks_with_what_is_left() -> None:
    assert [chunk(left, 1) for left in (1_000_000, 1000, 100, 19, 1)] == [1000, 50, 5, 1, 1]
    assert chunk(10, 10) == 10
    assert chunk(3, 10) == 3


def test_counts_that_another_program_raised_are_seen(office: Office) -> None:
    async def scenario() -> None:
        usage, principal = office.worker(), quota(100)
        assert await usage.take(principal, 5, MORNING) is ALLOWED
        with office.database.writing() as connection:
            connection.execute(update(schema.usage).values(used=100))
        assert isinstance(await usage.take(principal, 1, MORNING), Exceeded)

    run(office, scenario)
