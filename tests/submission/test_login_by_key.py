"""API keys and people at a session that asks the real directory: programs first try what cannot work for these."""

import asyncio
import base64
from dataclasses import replace

import pytest

from angarium.identity.directory.directory import Directory
from angarium.identity.records import SEND_GRANT
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.smtp.sasl.client import client_exchange

OPEN = "Auth_Without_TLS = true\nAuth_Failure_Delay = 30\nAuth_Failures_To_Block = 2\n"
AT_ONCE = OPEN.replace("= 30", "= 0")
WORD = "correct horse battery"


class House:
    """A session's surroundings, and an account that has a key, a login and a person."""

    def __init__(self, door, tmp_path, config=OPEN):
        self.door = door(config)
        ring = KeyRing.load_or_create(tmp_path / "secrets.key")
        self.database = open_database(f"sqlite:///{tmp_path / 'identity.db'}")
        self.database.migrate()
        store = IdentityStore(self.database, ring, self.door.clock.now)
        account = store.accounts.create("acme", actor="test")
        server = store.servers.create(account.id, "app", actor="test")
        key = store.credentials.create_api_key(account.id, "key", [SEND_GRANT], actor="test")[1]
        login, self.secret = store.credentials.create_smtp_login(server.id, "login", actor="test")
        self.login = login.username
        store.people.create(account.id, "ann@acme.test", "Ann", WORD, actor="test")
        self.passwords = {"SMTP_Injection": key, "ann@acme.test": WORD}
        self.directory = Directory(self.database, ring, self.door.clock, self.door.kept_log)
        self.door.reception.access = replace(self.door.reception.access, directory=self.directory)

    async def talk(self):
        return await self.door.session().helo()

    async def close(self):
        await self.directory.close()
        self.database.close()


@pytest.fixture
def play(door, tmp_path):
    """Play a scenario in a house."""

    def run(scenario, config=OPEN):
        async def whole():
            house = House(door, tmp_path, config)
            await house.directory.poll()
            try:
                await scenario(house)
            finally:
                await house.close()

        asyncio.run(whole())

    return run


async def log_in(talk, mechanism, user, secret):
    """Go through an exchange; return the last answer."""
    client = client_exchange(mechanism, user, secret, "a-nonce")
    first = client.start()
    said = f"AUTH {mechanism}" + ("" if first is None else f" {base64.b64encode(first).decode()}")
    answer = await talk.say(said)
    while answer.startswith("334"):
        challenge = base64.b64decode(answer.partition(" ")[2])
        answer = await talk.say(base64.b64encode(client.respond(challenge)))
    return answer


@pytest.mark.slow
@pytest.mark.parametrize("user", ["SMTP_Injection", "ann@acme.test"])
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "CRAM-MD5"])
def test_a_challenge_that_a_name_cannot_answer_is_no_guess_before_the_right_password(play, mechanism, user):
    """field: Cyrus and others take the strongest mechanism first; ten sessions of that once blocked the address."""

    async def scenario(house):
        for _ in range(12):
            talk = await house.talk()
            assert (await log_in(talk, mechanism, user, house.passwords[user])).startswith("535 5.7.8 ")
            assert (await log_in(talk, "PLAIN", user, house.passwords[user])).startswith("235 ")
        assert house.door.told == []
        assert house.door.count("auth_total", "not_kept") == 12

    play(scenario)


def test_a_challenge_that_a_name_can_answer_is_a_guess(play):
    async def scenario(house):
        for user, secret, answer in (
            (house.login, house.secret, "235 "),
            (house.login, "wrong", "535 "),
            ("nobody", "wrong", "535 "),
        ):
            said = await log_in(await house.talk(), "SCRAM-SHA-256", user, secret)
            assert said.startswith(answer)
        assert len(house.door.told) == 2

    play(scenario, AT_ONCE)


def test_who_proved_a_secret_from_a_blocked_address_is_heard_there_again(play):
    async def scenario(house):
        user, secret = house.login, house.secret
        assert (await log_in(await house.talk(), "SCRAM-SHA-256", user, secret)).startswith("235 ")
        for _ in range(2):
            await log_in(await house.talk(), "PLAIN", "SMTP_Injection", "wrong")
        assert (await log_in(await house.talk(), "PLAIN", user, secret)).startswith("421 ")
        assert (await log_in(await house.talk(), "SCRAM-SHA-256", user, secret)).startswith("235 ")

    play(scenario, AT_ONCE)
