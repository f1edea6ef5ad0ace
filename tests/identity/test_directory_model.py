"""A directory that hears of changes says the same as one that has just read everything, whatever the changes were."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from angarium.core.clock import SystemClock
from angarium.core.log import Log
from angarium.core.submission import Problem
from angarium.identity.directory.changes import Changes, News
from angarium.identity.directory.directory import Directory
from angarium.identity.principal import UNCHECKED, Principal, Refused, Seen
from angarium.identity.records import Credential
from angarium.identity.secrets import KeyRing
from angarium.identity.store.store import IdentityStore
from angarium.smtp.sasl.exchange import Claim
from angarium.sql.database import Database
from angarium.sql.errors import StoreError
from angarium.sql.threads import StoreThread
from angarium.testing.programs import PATIENCE_S

PEER = "192.0.2.7"
ANYWHERE: tuple[str, ...] = ()
ELSEWHERE = ("198.51.100.0/24",)

Login = tuple[Credential, str]
Change = Callable[[IdentityStore, Credential], object]

CHANGES: dict[str, Change] = {
    "disable": lambda store, of: store.credentials.change(of.id, enabled=False, actor="test"),
    "enable": lambda store, of: store.credentials.change(of.id, enabled=True, actor="test"),
    "rename": lambda store, of: store.credentials.change(of.id, label="renamed", actor="test"),
    "confine": lambda store, of: store.credentials.change(of.id, networks=ELSEWHERE, actor="test"),
    "free": lambda store, of: store.credentials.change(of.id, networks=ANYWHERE, actor="test"),
    "suspend account": lambda store, of: store.accounts.change(of.account, suspended=True, actor="test"),
    "resume account": lambda store, of: store.accounts.change(of.account, suspended=False, actor="test"),
    "suspend server": lambda store, of: store.servers.change(of.server, suspended=True, actor="test"),
    "resume server": lambda store, of: store.servers.change(of.server, suspended=False, actor="test"),
}


async def verdict(directory: Directory, login: Login) -> str:
    """Say what becomes of a new session."""
    found = await directory.authenticate(Claim("PLAIN", login[0].username, login[1]), PEER)
    return "refused" if isinstance(found, Refused) else found.name


def verdict_on_open(directory: Directory, session: Principal) -> str:
    """Say what becomes of a session that is open."""
    found = directory.current(session, PEER)
    return "refused" if isinstance(found, Problem) else found.name


@pytest.fixture
def logins(store: IdentityStore) -> list[Login]:
    made: list[Login] = []
    for account_name in ("acme", "other"):
        account = store.accounts.create(account_name, actor="test")
        server = store.servers.create(account.id, "shop", actor="test")
        made += [store.credentials.create_smtp_login(server.id, label, actor="test") for label in "ab"]
    return made


STEPS = st.one_of(
    st.tuples(st.sampled_from(sorted(CHANGES)), st.integers(0, 3)),
    st.tuples(st.just("log in"), st.integers(0, 3)),
    st.tuples(st.just("poll"), st.just(0)),
)


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=8, max_size=25), cached=st.sampled_from([2, 1000]))
def test_after_a_poll_open_sessions_are_judged_as_new_ones(
    database: Database,
    store: IdentityStore,
    ring: KeyRing,
    logins: list[Login],
    steps: list[tuple[str, int]],
    cached: int,
) -> None:
    async def scenario() -> None:
        directory = Directory(database, ring, SystemClock(), Log(2), cached=cached)
        await directory.poll()
        sessions: list[tuple[Login, Principal]] = []
        everybody = [("log in", which) for which in range(len(logins))]
        for step, which in everybody + steps:
            login = logins[which]
            if step in CHANGES:
                CHANGES[step](store, login[0])
            elif step == "poll":
                await directory.poll()
            else:
                found = await directory.authenticate(Claim("PLAIN", login[0].username, login[1]), PEER)
                if isinstance(found, Principal):
                    sessions.append((login, found))
        await directory.poll()
        fresh = Directory(database, ring, SystemClock(), Log(2))
        await fresh.poll()
        for login, session in sessions:
            if cached < len(logins) and directory.current(session) is UNCHECKED:
                await directory.poll()
                await directory.poll()  # behind the question who it is, that was forgotten here
            expected = await verdict(fresh, login)
            assert verdict_on_open(directory, session) == expected
            assert await verdict(directory, login) == expected
        await directory.close()
        await fresh.close()

    for login, _ in logins:  # as they were, for the next example
        for undo in ("enable", "free", "resume account", "resume server"):
            CHANGES[undo](store, login)
    asyncio.run(scenario())


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, bool]]:
    """Draw changes, each of one of three accounts, and whether a poll follows."""
    return draw(st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=30))


@given(history=histories(), limit=st.integers(1, 4))
def test_what_was_read_before_a_change_that_was_heard_of_never_holds(
    history: list[tuple[int, bool]], limit: int
) -> None:
    changes = Changes(limit)
    changes.note(News((0, 0), None))
    changed_at: dict[int, int] = {}
    heard: dict[int, int] = {}
    pending: dict[int, Seen] = {}
    for number, (account, is_poll) in enumerate(history, start=1):
        changed_at[account] = number
        pending[account] = (0, number)
        if is_poll:
            changes.note(News((0, number), pending))
            heard.update(changed_at)
            pending = {}
    for account in (1, 2, 3):
        last = heard.get(account, 0)
        assert not any(changes.holds(account, (0, read)) for read in range(last))
        assert changes.holds(account, (0, len(history) + 1))


def test_a_thread_takes_no_more_than_it_was_allowed_and_says_so() -> None:
    may_end = threading.Event()

    async def scenario() -> None:
        worker = StoreThread("test store", most_waiting=2)
        waiting = [asyncio.ensure_future(worker.ask(lambda: may_end.wait(30))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(StoreError, match="test store: 2 calls are waiting already"):
            await worker.ask(lambda: None)
        may_end.set()
        assert await asyncio.gather(*waiting) == [True, True]
        assert await worker.ask(lambda: "again") == "again"
        await worker.close()

    asyncio.run(scenario())


def test_an_answer_that_does_not_come_is_an_error() -> None:
    may_end = threading.Event()

    async def scenario() -> None:
        worker = StoreThread("test store")
        with pytest.raises(StoreError, match="test store: no answer within"):
            await worker.ask(lambda: may_end.wait(30), timeout_s=0.01)
        may_end.set()
        await worker.close()

    asyncio.run(scenario())


def test_closing_finishes_what_is_being_done_and_drops_what_waits() -> None:
    has_begun, may_end = threading.Event(), threading.Event()

    def work() -> str:
        has_begun.set()
        may_end.wait(30)
        return "done"

    async def scenario() -> None:
        worker = StoreThread("test store")
        first, second = (asyncio.ensure_future(worker.ask(work)) for _ in range(2))
        await asyncio.to_thread(has_begun.wait, PATIENCE_S)
        closing = asyncio.ensure_future(worker.close())
        with pytest.raises(StoreError, match="test store: closing"):
            await second
        may_end.set()
        await closing
        assert await first == "done"

    asyncio.run(scenario())
