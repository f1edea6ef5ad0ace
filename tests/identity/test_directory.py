"""Who is let in, how soon a change is heard of, and what happens while the store is silent."""

import asyncio
import threading
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text, update

from angarium.core.log import Log
from angarium.core.options import Options
from angarium.core.reply import Reply
from angarium.core.submission import Problem
from angarium.identity.directory.changes import Era
from angarium.identity.directory.decoy import decoy_scram
from angarium.identity.directory.directory import Directory
from angarium.identity.directory.lookup import Lookup
from angarium.identity.directory.proofs import Proofs
from angarium.identity.forms import challenge_question_of
from angarium.identity.principal import BAD_LOGIN, UNCHECKED, Principal, Refused
from angarium.identity.records import Account, Server
from angarium.identity.secrets import KeyRing, scram_of
from angarium.identity.store import schema
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.smtp.sasl.exchange import Claim, Secrets
from angarium.sql.database import Database
from angarium.sql.errors import StoreError
from angarium.submission.replies import reply_to
from angarium.testing.clock import ManualClock
from angarium.testing.log import kept_log, text_of
from angarium.testing.programs import PATIENCE_S

PEER = "192.0.2.7"


@dataclass
class Town:
    """A store that is changed through one database, and directories that read it through another."""

    url: str
    ring: KeyRing
    log: Log = field(default_factory=kept_log)
    clock: ManualClock = field(default_factory=lambda: ManualClock(1_795_219_200.0))
    directories: list[Directory] = field(default_factory=list)
    engines: list[Database] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database = self.open()
        self.database.migrate()
        self.store = IdentityStore(self.database, self.ring, self.clock.now)
        self.acme = self.store.accounts.create("acme", actor="test")
        self.shop = self.store.servers.create(self.acme.id, "shop", actor="test")

    def open(self) -> Database:
        self.engines.append(open_database(self.url))
        return self.engines[-1]

    def dispose(self) -> None:
        for database in self.engines:
            database.close()

    def directory(self, **settings: Any) -> Directory:
        made = Directory(self.open(), self.ring, self.clock, self.log, **settings)
        self.directories.append(made)
        return made

    def other(self) -> tuple[Account, Server]:
        account = self.store.accounts.create("other", actor="test")
        return account, self.store.servers.create(account.id, "blog", actor="test")

    def verified(self, account: int, name: str) -> int:
        domain = self.store.domains.create(account, name, actor="test")
        found = {key.id: True for key in domain.keys}
        return self.store.domains.mark_checked(domain.id, found, self.clock.now()).id

    def run(self, scenario: Callable[[Directory], Awaitable[None]], **settings: Any) -> None:
        async def whole() -> None:
            directory = self.directory(**settings)
            await directory.poll()
            try:
                await scenario(directory)
            finally:
                for each in self.directories:
                    await each.close()

        asyncio.run(whole())


@pytest.fixture
def town(url: str, ring: KeyRing) -> Iterator[Town]:
    made = Town(url, ring)
    yield made
    made.dispose()


def plain(username: str, secret: str) -> Claim:
    return Claim("PLAIN", username, secret)


def said(answer: Principal | Problem) -> Reply:
    """Return what SMTP says to somebody who may not send any more."""
    assert isinstance(answer, Problem)
    return reply_to(answer)


async def let_in(directory: Directory, username: str, secret: str, peer: str = PEER) -> Principal:
    result = await directory.authenticate(plain(username, secret), peer)
    assert isinstance(result, Principal)
    return result


async def why_not(directory: Directory, username: str, secret: str, peer: str = PEER) -> str:
    result = await directory.authenticate(plain(username, secret), peer)
    assert isinstance(result, Refused)
    assert result.reply is BAD_LOGIN
    return result.reason


class TestForms:
    """The forms in which somebody says who they are."""

    def test_a_server_token_is_user_name_and_password(self, town: Town) -> None:
        credential, token = town.store.credentials.create_server_token(town.shop.id, "web", actor="test")

        async def scenario(directory: Directory) -> None:
            principal = await let_in(directory, token, token)
            assert principal.key == ("server_token", credential.id)
            assert (principal.account, principal.server) == (town.acme, town.shop)
            assert sorted(principal.streams) == ["broadcast", "outbound"]
            await let_in(directory, token.upper(), token.upper())  # their values compare without case
            assert await why_not(directory, token, "x") == "unknown"
            assert await why_not(directory, "x", token) == "unknown"

        town.run(scenario)

    def test_an_smtp_token_is_bound_to_its_stream(self, town: Town) -> None:
        credential, secret = town.store.credentials.create_smtp_token(town.shop.id, "broadcast", actor="test")

        async def scenario(directory: Directory) -> None:
            principal = await let_in(directory, credential.username, secret)
            assert principal.stream == "broadcast"
            assert await why_not(directory, credential.username, secret + "x") == "wrong"
            assert await why_not(directory, credential.username + "x", secret) == "unknown"

        town.run(scenario)

    def test_it_knows_the_return_paths_that_lead_here(self, town: Town) -> None:
        _, token = town.store.credentials.create_server_token(town.shop.id, actor="test")
        domain = town.verified(town.acme.id, "acme.test")
        town.verified(town.acme.id, "unpublished.test")

        async def scenario(directory: Directory) -> None:
            principal = await let_in(directory, token, token)
            assert principal.return_paths == {}
            town.store.domains.mark_checked(domain, {}, town.clock.now(), return_path=True)
            await directory.poll()
            principal = await let_in(directory, token, token)
            assert principal.return_paths == {"acme.test": "bounces.acme.test"}
            assert principal.verified_domains == {"acme.test", "unpublished.test"}

        town.run(scenario)

    def test_it_knows_the_names_that_readers_come_by(self, town: Town) -> None:
        _, token = town.store.credentials.create_server_token(town.shop.id, actor="test")
        domain = town.verified(town.acme.id, "acme.test")

        async def scenario(directory: Directory) -> None:
            for tracking, https, url in [
                ("clicks", True, "https://clicks.acme.test"),
                ("go", False, "http://go.acme.test"),
            ]:
                town.store.domains.change(domain, tracking=tracking, tracking_https=https, actor="test")
                await directory.poll()
                assert (await let_in(directory, token, token)).tracking_urls == {}
                town.store.domains.mark_checked(domain, {}, town.clock.now(), tracking=True)
                await directory.poll()
                assert (await let_in(directory, token, token)).tracking_urls == {"acme.test": url}

        town.run(scenario)

    def test_an_smtp_login_brings_its_switches(self, town: Town) -> None:
        switches = Options(inline_css=True, track_links="all", binding="pool-a")
        credential, secret = town.store.credentials.create_smtp_login(
            town.shop.id, "news", options=switches, actor="test"
        )

        async def scenario(directory: Directory) -> None:
            principal = await let_in(directory, credential.username, secret)
            assert principal.options == switches
            assert principal.name == f'login {credential.id} "news"'
            assert secret not in repr(principal)

        town.run(scenario)

    def test_an_api_key_is_the_password_of_smtp_injection(self, town: Town) -> None:
        _, key = town.store.credentials.create_api_key(town.acme.id, "app", ["smtp/inject"], actor="test")
        _, blind = town.store.credentials.create_api_key(town.acme.id, "app", ["metrics/view"], actor="test")
        acme, other = town.acme.id, town.other()[0].id

        async def scenario(directory: Directory) -> None:
            principal = await let_in(directory, "SMTP_Injection", key)
            assert principal.server == town.shop  # the account's first
            await let_in(directory, f"SMTP_Injection:X-MSYS-SUBACCOUNT={acme}", key)
            assert await why_not(directory, f"SMTP_Injection:X-MSYS-SUBACCOUNT={other}", key) == "wrong"
            assert await why_not(directory, "SMTP_Injection:X-MSYS-SUBACCOUNT=", key) == "unknown"
            assert await why_not(directory, "SMTP_Injection", blind) == "grant"
            assert await why_not(directory, key, key) == "unknown"

        town.run(scenario)

    @pytest.mark.slow
    def test_a_person_may_send_with_every_optional_feature_off(self, town: Town) -> None:
        town.store.people.create(town.acme.id, "ann@acme.test", "Ann", "correct horse", actor="test")

        async def scenario(directory: Directory) -> None:
            principal = await let_in(directory, "Ann@Acme.test", "correct horse")
            assert (principal.server, principal.options.track_opens) == (town.shop, False)
            assert await why_not(directory, "ann@acme.test", "wrong horse") == "wrong"
            assert await why_not(directory, "bob@acme.test", "correct horse") == "unknown"

        town.run(scenario)

    def test_an_account_without_servers_may_send_too(self, town: Town) -> None:
        town.store.servers.delete(town.shop.id, actor="test")
        _, key = town.store.credentials.create_api_key(town.acme.id, "app", ["smtp/inject"], actor="test")

        async def scenario(directory: Directory) -> None:
            principal = await let_in(directory, "SMTP_Injection", key)
            assert (principal.server, dict(principal.streams)) == (None, {})

        town.run(scenario)

    def test_no_form_of_one_kind_opens_another(self, town: Town) -> None:
        login, password = town.store.credentials.create_smtp_login(town.shop.id, "news", actor="test")
        _, token = town.store.credentials.create_server_token(town.shop.id, actor="test")
        _, key = town.store.credentials.create_api_key(town.acme.id, "app", ["smtp/inject"], actor="test")

        async def scenario(directory: Directory) -> None:
            for username in ("SMTP_Injection", password):
                for secret in (password, token):
                    assert await why_not(directory, username, secret) == "unknown"
            assert await why_not(directory, login.username, token) == "wrong"
            assert await why_not(directory, login.username, key) == "wrong"
            for nonsense in ("", "@", "\udcff", "a" * 5000, "' OR 1=1 --", "\0"):
                assert await why_not(directory, nonsense, nonsense) == "unknown"

        town.run(scenario)


REVOCATIONS: dict[str, Callable[[Town, int], object]] = {
    "deleted": lambda town, login: town.store.credentials.delete(login, actor="test"),
    "disabled": lambda town, login: town.store.credentials.change(login, enabled=False, actor="test"),
    "expired": lambda town, login: town.store.credentials.change(
        login, expires_at=town.clock.now() - 1, actor="test"
    ),
    "account suspended": lambda town, login: town.store.accounts.change(
        town.acme.id, suspended=True, actor="test"
    ),
    "server suspended": lambda town, login: town.store.servers.change(
        town.shop.id, suspended=True, actor="test"
    ),
    "server not for SMTP": lambda town, login: town.store.servers.change(
        town.shop.id, smtp=False, actor="test"
    ),
    "other networks": lambda town, login: town.store.credentials.change(
        login, networks=["198.51.100.0/24"], actor="test"
    ),
    "server deleted": lambda town, login: town.store.servers.delete(town.shop.id, actor="test"),
    "account deleted": lambda town, login: town.store.accounts.delete(town.acme.id, actor="test"),
}


class TestRevocation:
    """A session that is open asks at every message whether its login still holds."""

    @pytest.mark.parametrize("how", REVOCATIONS)
    def test_a_login_that_was_taken_away_is_refused_after_the_next_poll(self, town: Town, how: str) -> None:
        login, secret = town.store.credentials.create_smtp_login(town.shop.id, "news", actor="test")
        _, blog = town.other()
        bystander, other_secret = town.store.credentials.create_smtp_login(blog.id, "news", actor="test")

        async def scenario(directory: Directory) -> None:
            principal = await let_in(directory, login.username, secret)
            unharmed = await let_in(directory, bystander.username, other_secret)
            assert directory.current(principal, PEER) is principal
            REVOCATIONS[how](town, login.id)
            await directory.poll()
            answer = said(directory.current(principal, PEER))
            assert (answer.code, answer.enhanced) == (535, "5.7.8")
            assert isinstance(await directory.authenticate(plain(login.username, secret), PEER), Refused)
            assert directory.current(unharmed, PEER) is unharmed

        town.run(scenario)

    def test_an_api_key_loses_its_grant(self, town: Town) -> None:
        credential, key = town.store.credentials.create_api_key(
            town.acme.id, "app", ["smtp/inject"], actor="test"
        )

        async def scenario(directory: Directory) -> None:
            principal = await let_in(directory, "SMTP_Injection", key)
            town.store.credentials.change(credential.id, grants=["metrics/view"], actor="test")
            await directory.poll()
            answer = said(directory.current(principal))
            assert (
                str(answer) == "535 5.7.8 this API key lacks the grant 'smtp/inject'; add it or use another"
            )

        town.run(scenario)

    @pytest.mark.slow
    def test_a_new_password_ends_the_sessions_of_the_old_one(self, town: Town) -> None:
        ann = town.store.people.create(town.acme.id, "ann@acme.test", "Ann", "correct horse", actor="test")

        async def scenario(directory: Directory) -> None:
            principal = await let_in(directory, "ann@acme.test", "correct horse")
            town.store.people.set_password(ann.id, "battery staple", actor="test")
            assert await why_not(directory, "ann@acme.test", "correct horse") == "wrong"  # before any poll
            await directory.poll()
            answer = said(directory.current(principal))
            assert answer.text == "this password was deleted or changed; log in again with what is valid now"
            await let_in(directory, "ann@acme.test", "battery staple")

        town.run(scenario)

    def test_a_change_that_takes_nothing_away_is_heard_of_and_the_session_goes_on(self, town: Town) -> None:
        login, secret = town.store.credentials.create_smtp_login(town.shop.id, "news", actor="test")

        async def scenario(directory: Directory) -> None:
            principal = await let_in(directory, login.username, secret)
            town.store.credentials.change(login.id, label="newsletter", actor="test")
            town.store.streams.create(town.shop.id, "receipts", "Receipts", "transactional", actor="test")
            await directory.poll()
            latest = directory.current(principal)
            assert isinstance(latest, Principal)
            assert latest.name == f'login {login.id} "newsletter"'
            assert "receipts" in latest.streams
            assert directory.current(latest) is latest

        town.run(scenario)

    def test_a_login_that_expires_needs_no_change_to_end(self, town: Town) -> None:
        until = town.clock.now() + 60
        login, secret = town.store.credentials.create_smtp_login(
            town.shop.id, "", expires_at=until, actor="test"
        )

        async def scenario(directory: Directory) -> None:
            principal = await let_in(directory, login.username, secret)
            town.clock.at = until - 1
            await directory.poll()
            assert directory.current(principal) is principal
            town.clock.at = until
            await directory.poll()
            assert (
                str(said(directory.current(principal))) == "535 5.7.8 this login has expired; make a new one"
            )

        town.run(scenario)

    def test_a_login_is_good_from_the_moment_it_was_made(self, town: Town) -> None:
        async def scenario(directory: Directory) -> None:
            _, token = town.store.credentials.create_server_token(town.shop.id, actor="test")
            principal = await let_in(directory, token, token)
            assert directory.current(principal) is principal
            await directory.poll()
            assert isinstance(directory.current(principal), Principal)

        town.run(scenario)

    def test_a_directory_that_asks_by_itself_hears_within_a_second(self, town: Town) -> None:
        login, secret = town.store.credentials.create_smtp_login(town.shop.id, "news", actor="test")

        async def scenario(directory: Directory) -> None:
            await directory.start()
            principal = await let_in(directory, login.username, secret)
            await asyncio.to_thread(town.store.credentials.delete, login.id, actor="test")
            deleted, polls = time.monotonic(), 0
            while isinstance(directory.current(principal), Principal):
                await asyncio.wait_for(directory.next_poll(), PATIENCE_S)
                polls += 1
            assert polls <= 2  # one may have been under way
            assert time.monotonic() - deleted < 5  # half a second, on a machine that has nothing else to do

        town.run(scenario)

    def test_somebody_forgotten_here_is_read_again_when_their_account_changed(self, town: Town) -> None:
        made = [
            town.store.credentials.create_smtp_login(town.shop.id, str(n), actor="test") for n in range(5)
        ]

        async def scenario(directory: Directory) -> None:
            first, *_ = [await let_in(directory, login.username, secret) for login, secret in made]
            town.store.servers.change(town.shop.id, name="store", actor="test")
            await directory.poll()
            assert directory.current(first) is UNCHECKED
            await directory.poll()
            await directory.poll()  # one begins behind the question that this led to
            latest = directory.current(first)
            assert isinstance(latest, Principal)
            assert latest.server is not None
            assert latest.server.name == "store"

        town.run(scenario, cached=2)

    def test_a_store_that_was_replaced_by_an_older_copy_is_believed(self, town: Town) -> None:
        login, secret = town.store.credentials.create_smtp_login(town.shop.id, "news", actor="test")

        async def scenario(directory: Directory) -> None:
            for n in range(3):
                town.store.credentials.change(login.id, label=str(n), actor="test")
            await directory.poll()
            principal = await let_in(directory, login.username, secret)
            town.store.credentials.change(login.id, label="read again", actor="test")
            await directory.poll()
            with town.database.writing() as connection:  # a copy in which the account is suspended
                connection.execute(update(schema.generation).values(value=schema.generation.c.value - 2))
                connection.execute(update(schema.accounts).values(suspended=True))
            await directory.poll()
            answer = said(directory.current(principal))
            assert answer.code == 535
            town.store.accounts.change(town.acme.id, suspended=False, actor="test")
            await directory.poll()
            await let_in(directory, login.username, secret)

        town.run(scenario)


def silence(town: Town) -> None:
    with town.database.writing() as connection:
        connection.execute(text("ALTER TABLE generation RENAME TO away"))


def end_silence(town: Town) -> None:
    with town.database.writing() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO generation"))


class TestSilence:
    """A store that does not answer lets nobody in, and nobody go on for long."""

    def test_nobody_is_let_in_and_nobody_goes_on_until_it_answers_again(self, town: Town) -> None:
        login, secret = town.store.credentials.create_smtp_login(town.shop.id, "news", actor="test")

        async def scenario(directory: Directory) -> None:
            principal = await let_in(directory, login.username, secret)
            silence(town)
            town.clock.at += 1.5
            await directory.poll()
            assert directory.current(principal) is principal
            assert directory.silent_s() is None  # nobody is kept out by it yet
            town.clock.at += 0.6
            await directory.poll()
            assert directory.current(principal) is UNCHECKED
            assert directory.silent_s() == pytest.approx(0.6)
            with pytest.raises(StoreError):
                await directory.authenticate(plain(login.username, secret), PEER)
            with pytest.raises(StoreError):
                await directory.secrets_for("SCRAM-SHA-256", login.username)
            end_silence(town)
            await directory.poll()
            assert directory.silent_s() is None
            assert directory.current(principal) is principal
            await let_in(directory, login.username, secret)

        town.run(scenario)

    def test_it_is_said_once_when_it_begins_and_once_when_it_ends(self, town: Town) -> None:
        async def scenario(directory: Directory) -> None:
            silence(town)
            for _ in range(5):
                town.clock.at += 0.5
                await directory.poll()
            said = text_of(town.log)
            assert said.count('"identity_outage"') == 1
            end_silence(town)
            for _ in range(3):
                await directory.poll()
            assert text_of(town.log).count('"identity_outage_over"') == 1

        town.run(scenario)

    def test_what_changed_meanwhile_is_heard_of_first(self, town: Town) -> None:
        login, secret = town.store.credentials.create_smtp_login(town.shop.id, "news", actor="test")

        async def scenario(directory: Directory) -> None:
            principal = await let_in(directory, login.username, secret)
            silence(town)
            town.clock.at += 3
            await directory.poll()
            end_silence(town)
            town.store.credentials.delete(login.id, actor="test")
            await directory.poll()
            answer = said(directory.current(principal))
            assert answer.code == 535

        town.run(scenario)

    def test_a_process_that_was_held_up_does_not_take_it_for_silence(self, town: Town) -> None:
        _, token = town.store.credentials.create_server_token(town.shop.id, actor="test")

        async def scenario(directory: Directory) -> None:
            principal = await let_in(directory, token, token)
            town.clock.at += 5  # no poll in between
            assert directory.current(principal) is principal
            town.clock.at += 6
            assert directory.current(principal) is UNCHECKED

        town.run(scenario)

    def test_a_directory_starts_without_its_store(self, town: Town) -> None:
        _, token = town.store.credentials.create_server_token(town.shop.id, actor="test")
        silence(town)

        async def scenario(directory: Directory) -> None:
            await directory.start()
            with pytest.raises(StoreError):
                await directory.authenticate(plain(token, token), PEER)
            end_silence(town)
            await asyncio.wait_for(directory.next_poll(), PATIENCE_S)
            principal = await let_in(directory, token, token)
            assert directory.current(principal) is principal

        town.run(scenario)


class TestEqualWork:
    """What a login costs does not tell whether there is somebody of that name."""

    def test_every_password_is_checked_once_also_of_nobody(self, town: Town) -> None:
        checked: list[str] = []

        def verify(stored: str, password: str) -> bool:
            checked.append(stored)
            return password == "correct horse"

        town.store.people.create(town.acme.id, "ann@acme.test", "Ann", "correct horse", actor="test")
        off = town.store.people.create(town.acme.id, "off@acme.test", "Off", "correct horse", actor="test")
        town.store.people.change(off.id, enabled=False, actor="test")

        async def scenario(directory: Directory) -> None:
            for email, password in (
                ("ann@acme.test", "wrong"),
                ("off@acme.test", "wrong"),
                ("off@acme.test", "correct horse"),
                ("nobody@acme.test", "wrong"),
                ("nobody@acme.test", "correct horse"),
            ):
                checked.clear()
                await why_not(directory, email, password)
                assert len(checked) == 1
                assert checked[0].startswith("$argon2id$")

        town.run(scenario, verify=verify)

    def test_a_right_password_is_checked_slowly_once_a_minute(self, town: Town) -> None:
        checked: list[str] = []

        def verify(stored: str, password: str) -> bool:
            checked.append(stored)
            return password == "correct horse"

        town.store.people.create(town.acme.id, "ann@acme.test", "Ann", "correct horse", actor="test")

        async def scenario(directory: Directory) -> None:
            for _ in range(3):
                await let_in(directory, "ann@acme.test", "correct horse")
            assert len(checked) == 1
            assert await why_not(directory, "ann@acme.test", "wrong") == "wrong"
            assert len(checked) == 2
            town.clock.at += 60
            await let_in(directory, "ann@acme.test", "correct horse")
            assert len(checked) == 3

        town.run(scenario, verify=verify)

    def test_a_slow_password_check_holds_up_no_other_login(self, town: Town) -> None:
        may_end = threading.Event()

        def verify(stored: str, password: str) -> bool:
            return may_end.wait(30)

        town.store.people.create(town.acme.id, "ann@acme.test", "Ann", "correct horse", actor="test")
        _, token = town.store.credentials.create_server_token(town.shop.id, actor="test")

        async def scenario(directory: Directory) -> None:
            slow = asyncio.ensure_future(directory.authenticate(plain("ann@acme.test", "x"), PEER))
            await let_in(directory, token, token)
            await directory.poll()
            assert not slow.done()
            may_end.set()
            assert isinstance(await slow, Principal)

        town.run(scenario, verify=verify)

    def test_guesses_of_one_peer_keep_nobody_else_from_being_checked(self, town: Town) -> None:
        may_end = threading.Event()

        def verify(stored: str, password: str) -> bool:
            return may_end.wait(PATIENCE_S) and password == "correct horse"

        town.store.people.create(town.acme.id, "ann@acme.test", "Ann", "correct horse", actor="test")

        async def scenario(directory: Directory) -> None:
            def logs_in(password: str, peer: str) -> "asyncio.Task[Principal | Refused]":
                return asyncio.create_task(directory.authenticate(plain("ann@acme.test", password), peer))

            guesses = [logs_in(f"guess {n}", f"2001:db8::{n:x}") for n in range(200)]
            turned_away = 0
            while turned_away < 200 - 25:
                await asyncio.sleep(0)
                turned_away = sum(guess.done() for guess in guesses)
            right = logs_in("correct horse", PEER)
            await asyncio.sleep(0)
            may_end.set()
            assert isinstance(await right, Principal)
            answers = await asyncio.gather(*guesses, return_exceptions=True)
            assert sum(isinstance(answer, StoreError) for answer in answers) == 200 - 25

        town.run(scenario, verify=verify)


class TestChallenges:
    """What CRAM-MD5, DIGEST-MD5 and SCRAM-SHA-256 get to know."""

    def test_the_secret_is_there_only_where_challenges_are_allowed(self, town: Town) -> None:
        with_it, secret = town.store.credentials.create_smtp_login(
            town.shop.id, "", challenge=True, actor="test"
        )
        without, _ = town.store.credentials.create_smtp_login(town.shop.id, "", actor="test")

        async def scenario(directory: Directory) -> None:
            for mechanism in ("CRAM-MD5", "DIGEST-MD5"):
                assert await directory.secrets_for(mechanism, with_it.username) == Secrets(password=secret)
                assert await directory.secrets_for(mechanism, without.username) is None
                assert await directory.secrets_for(mechanism, "nobody") is None
            town.store.credentials.change(with_it.id, challenge=False, actor="test")
            assert await directory.secrets_for("CRAM-MD5", with_it.username) is None

        town.run(scenario)

    def test_a_server_token_proves_itself_by_its_own_name(self, town: Town) -> None:
        credential, token = town.store.credentials.create_server_token(town.shop.id, actor="test")

        async def scenario(directory: Directory) -> None:
            assert await directory.secrets_for("CRAM-MD5", token) == Secrets(password=token)
            principal = await directory.principal_of(token, PEER)
            assert isinstance(principal, Principal)
            assert principal.id == credential.id
            unknown = "6c2b5e0a-7b1f-4d55-9a53-0d8b1c1b8e11"
            assert await directory.secrets_for("CRAM-MD5", unknown) is None

        town.run(scenario)

    def test_scram_gets_a_verifier_for_whoever_asks(self, town: Town) -> None:
        login, secret = town.store.credentials.create_smtp_login(town.shop.id, "", actor="test")

        async def scenario(directory: Directory) -> None:
            other = town.directory()

            async def verifier(of: Directory, username: str) -> str:
                found = await of.secrets_for("SCRAM-SHA-256", username)
                assert found is not None
                assert found.password is None
                assert found.scram is not None
                return found.scram

            real = await verifier(directory, login.username)
            salt = real.split(":")[1]
            assert real == scram_of(secret, b64decode(salt))
            decoy = await verifier(directory, "nobody")
            assert decoy == await verifier(other, "nobody")
            assert decoy != await verifier(directory, "nobody else")
            assert [len(part) for part in decoy.split(":")] == [len(part) for part in real.split(":")]
            assert decoy.split(":")[0] == real.split(":")[0]
            assert isinstance(await directory.principal_of("nobody", PEER), Refused)

        town.run(scenario)

    def test_who_has_proved_to_know_the_secret_must_still_be_allowed(self, town: Town) -> None:
        login, _ = town.store.credentials.create_smtp_login(
            town.shop.id, "", challenge=True, networks=["192.0.2.0/24"], actor="test"
        )

        async def scenario(directory: Directory) -> None:
            assert isinstance(await directory.principal_of(login.username, PEER), Principal)
            elsewhere = await directory.principal_of(login.username, "203.0.113.1")
            assert isinstance(elsewhere, Refused)
            assert elsewhere.reason == "network"
            assert elsewhere.account == town.acme.id

        town.run(scenario)


class TestLastUse:
    """When something was last used is written now and then, and is no change."""

    def test_it_is_written_without_being_a_change(self, town: Town) -> None:
        login, secret = town.store.credentials.create_smtp_login(town.shop.id, "", actor="test")
        ann = town.store.people.create(town.acme.id, "ann@acme.test", "Ann", "correct horse", actor="test")
        before = town.store.generation()

        async def scenario(directory: Directory) -> None:
            for username, password in ((login.username, secret), ("ann@acme.test", "correct horse")):
                directory.note_use(await let_in(directory, username, password), 1000.5)
            await directory.flush()
            assert town.store.credentials.get(login.id).last_used_at == 1000.5
            assert town.store.people.get(ann.id).last_used_at == 1000.5
            assert town.store.generation() == before

        town.run(scenario)

    def test_what_another_worker_wrote_later_stays(self, town: Town) -> None:
        login, secret = town.store.credentials.create_smtp_login(town.shop.id, "", actor="test")

        async def scenario(directory: Directory) -> None:
            other = town.directory()
            principal = await let_in(directory, login.username, secret)
            other.note_use(principal, 2000.0)
            directory.note_use(principal, 1000.0)
            await other.flush()
            await directory.flush()
            assert town.store.credentials.get(login.id).last_used_at == 2000.0

        town.run(scenario)

    def test_it_is_written_once_a_minute_and_kept_while_it_cannot_be(self, town: Town) -> None:
        login, secret = town.store.credentials.create_smtp_login(town.shop.id, "", actor="test")

        async def scenario(directory: Directory) -> None:
            principal = await let_in(directory, login.username, secret)
            with town.database.writing() as connection:
                connection.execute(text("ALTER TABLE credentials RENAME TO away"))
            directory.note_use(principal, 1000.0)
            await directory.flush()
            assert '"identity_outage"' in text_of(town.log)
            with town.database.writing() as connection:
                connection.execute(text("ALTER TABLE away RENAME TO credentials"))
            await directory.flush()
            directory.note_use(principal, 1059.0)
            await directory.flush()
            assert town.store.credentials.get(login.id).last_used_at == 1000.0
            directory.note_use(principal, 1060.0)
            await directory.flush()
            assert town.store.credentials.get(login.id).last_used_at == 1060.0

        town.run(scenario)


class TestOwners:
    """Whose domains are."""

    def test_a_domain_and_all_below_it_is_theirs_who_have_verified_it(self, town: Town) -> None:
        other, _ = town.other()
        acme, theirs = town.acme.id, other.id
        town.verified(acme, "acme.test")
        town.verified(theirs, "shop.acme.test")
        town.verified(acme, "shared.test")
        town.verified(theirs, "shared.test")
        disabled = town.verified(acme, "disabled.test")
        town.store.domains.change(disabled, enabled=False, actor="test")
        town.store.domains.create(acme, "pending.test", actor="test")
        expected = {
            "acme.test": {acme},
            "bounces.acme.test": {acme},
            "a.b.c.acme.test": {acme},
            "shop.acme.test": {acme, theirs},
            "bounces.shop.acme.test": {acme, theirs},
            "shared.test": {acme, theirs},
            "disabled.test": {acme},
            "notacme.test": set(),
            "pending.test": set(),
            "test": set(),
            "[192.0.2.1]": set(),
        }

        async def scenario(directory: Directory) -> None:
            assert directory.owners.now("acme.test") is None
            for domain, owners in expected.items():
                assert await directory.owners.get(domain) == owners
                assert directory.owners.now(domain) == owners

        town.run(scenario)

    def test_a_change_is_heard_of_with_the_next_poll(self, town: Town) -> None:
        async def scenario(directory: Directory) -> None:
            assert await directory.owners.get("acme.test") == set()
            domain = town.verified(town.acme.id, "acme.test")
            await directory.poll()
            assert directory.owners.now("acme.test") is None
            assert await directory.owners.get("acme.test") == {town.acme.id}
            town.store.domains.delete(domain, actor="test")
            await directory.poll()
            assert await directory.owners.get("acme.test") == set()

        town.run(scenario)


class TestSigningKeys:
    """The keys that mail of a domain is signed with."""

    def verified(self, town: Town, account: int, name: str) -> int:
        return town.verified(account, name)

    def test_a_verified_domain_has_its_keys_rsa_first(self, town: Town) -> None:
        domain = town.store.domains.get(self.verified(town, town.acme.id, "acme.test"))

        async def scenario(directory: Directory) -> None:
            assert directory.signing_keys_now(town.acme.id, "acme.test") is None
            keys = await directory.signing_keys(town.acme.id, "acme.test")
            assert [key.algorithm for key in keys] == ["rsa", "ed25519"]
            assert {key.selector for key in keys} == {key.selector for key in domain.keys}
            assert directory.signing_keys_now(town.acme.id, "acme.test") is keys

        town.run(scenario)

    def test_others_have_none_and_that_is_known_without_asking_again(self, town: Town) -> None:
        town.store.domains.create(town.acme.id, "pending.test", actor="test")
        other, _ = town.other()
        self.verified(town, other.id, "other.test")

        async def scenario(directory: Directory) -> None:
            for name in ("pending.test", "other.test", "nowhere.test", ""):
                assert await directory.signing_keys(town.acme.id, name) == ()
                assert directory.signing_keys_now(town.acme.id, name) == ()

        town.run(scenario)

    def test_mail_of_nobody_is_signed_by_whoever_verified_the_domain_first(self, town: Town) -> None:
        other, _ = town.other()
        first = town.store.domains.get(self.verified(town, other.id, "shared.test"))
        self.verified(town, town.acme.id, "shared.test")

        async def scenario(directory: Directory) -> None:
            keys = await directory.signing_keys(0, "shared.test")
            assert {key.selector for key in keys} == {key.selector for key in first.keys}
            town.store.domains.delete(first.id, actor="test")
            await directory.poll()
            assert directory.signing_keys_now(0, "shared.test") is None
            assert len(await directory.signing_keys(0, "shared.test")) == 2

        town.run(scenario)

    @pytest.mark.parametrize(
        "change",
        [
            lambda store, domain: store.domains.delete(domain, actor="test"),
            lambda store, domain: store.domains.change(domain, enabled=False, actor="test"),
        ],
        ids=["deleted", "disabled"],
    )
    def test_a_domain_that_is_gone_signs_nothing_after_the_next_poll(
        self, town: Town, change: Callable[[IdentityStore, int], object]
    ) -> None:
        domain = self.verified(town, town.acme.id, "acme.test")

        async def scenario(directory: Directory) -> None:
            await directory.signing_keys(town.acme.id, "acme.test")
            change(town.store, domain)
            await directory.poll()
            assert directory.signing_keys_now(town.acme.id, "acme.test") is None
            assert await directory.signing_keys(town.acme.id, "acme.test") == ()

        town.run(scenario)

    def test_while_the_store_is_silent_known_keys_sign_and_unknown_ones_are_an_error(
        self, town: Town
    ) -> None:
        self.verified(town, town.acme.id, "acme.test")

        async def scenario(directory: Directory) -> None:
            keys = await directory.signing_keys(town.acme.id, "acme.test")
            silence(town)
            town.clock.at += 60
            await directory.poll()
            assert directory.signing_keys_now(town.acme.id, "acme.test") is keys
            with pytest.raises(StoreError):
                await directory.signing_keys(town.acme.id, "other.test")

        town.run(scenario)

    def test_many_who_ask_at_once_share_one_answer(self, town: Town) -> None:
        self.verified(town, town.acme.id, "acme.test")

        async def scenario(directory: Directory) -> None:
            answers = await asyncio.gather(
                *(directory.signing_keys(town.acme.id, "acme.test") for _ in range(10))
            )
            assert all(keys[0] is answers[0][0] for keys in answers)

        town.run(scenario)


@pytest.mark.parametrize("number", ["as it is given", "of the deleted one"])
def test_nobody_inherits_the_session_or_the_secret_of_somebody_deleted(town: Town, number: str) -> None:
    """A number that is given again (as by a store that was put back from a copy) is somebody else all the same."""
    gone, secret = town.store.credentials.create_smtp_login(town.shop.id, "gone", actor="test")
    _, blog = town.other()

    async def scenario(directory: Directory) -> None:
        let_in = await directory.authenticate(plain(gone.username, secret), PEER)
        assert isinstance(let_in, Principal)
        town.store.credentials.delete(gone.id, actor="test")
        heir, _ = town.store.credentials.create_smtp_login(blog.id, "heir", actor="test")
        assert heir.id != gone.id
        if number == "of the deleted one":
            with town.database.writing() as connection:
                table = schema.credentials
                connection.execute(update(table).where(table.c.id == heir.id).values(id=gone.id))
        await directory.poll()
        answer = said(directory.current(let_in, PEER))
        assert answer.code == 535
        assert isinstance(await directory.authenticate(plain(gone.username, secret), PEER), Refused)

    town.run(scenario)


def test_an_account_does_not_inherit_the_audit_log_of_a_deleted_one(town: Town) -> None:
    first = town.store.accounts.create("first", actor="test")
    town.store.accounts.delete(first.id, actor="test")
    second = town.store.accounts.create("second", actor="test")
    assert [change.action for change in town.store.audit.page(second.id)] == ["create"]


class CountingRing(KeyRing):
    """Counts what it decrypts."""

    opened = 0

    def open(self, sealed: bytes, context: bytes) -> bytes:
        self.opened += 1
        return super().open(sealed, context)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "CRAM-MD5", "DIGEST-MD5"])
def test_a_challenge_takes_the_same_work_whoever_is_asked_for(town: Town, mechanism: str) -> None:
    """No clock says so reliably; counted are the steps that take time."""
    kept, _ = town.store.credentials.create_smtp_login(town.shop.id, "kept", challenge=True, actor="test")
    other, _ = town.store.credentials.create_smtp_login(town.shop.id, "other", actor="test")
    _, token = town.store.credentials.create_server_token(town.shop.id, "token", actor="test")
    town.store.people.create(town.acme.id, "ann@acme.test", "Ann", "correct horse", actor="test")
    ring = CountingRing.load_or_create(town.ring.path)
    decoys: list[str] = []

    def decoy(key: bytes, username: str) -> str:
        decoys.append(username)
        return decoy_scram(key, username)

    proofs, lookup = Proofs(ring, decoy), Lookup(town.database, Era())
    work = set()
    for name in (kept.username, other.username, token, "ann@acme.test", "SMTP_Injection", "nobody"):
        ring.opened = 0
        decoys.clear()
        proofs.of(lookup.find(challenge_question_of(name)), mechanism, name)
        work.add((ring.opened, len(decoys)))
    assert work == {(0, 1) if mechanism == "SCRAM-SHA-256" else (1, 0)}
