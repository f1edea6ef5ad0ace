"""What somebody tries who means harm: races, rights of others, quota that comes back, guesses all at once."""

import asyncio
import base64
from collections.abc import Callable
from dataclasses import replace
from functools import wraps

import pytest

from angarium.config.records import InboundOptions
from angarium.identity.limits import Limits
from angarium.identity.records import Account
from angarium.mime.header import HeaderBlock
from angarium.submission.intake.draft import draft_of
from angarium.submission.policy import SHUTTING_DOWN, Relay
from angarium.testing.intake import a_principal

OPEN = "Auth_Without_TLS = true\n"
PROXY = OPEN + "XCLIENT_Hosts = ( 192.0.2.1 )\nTLS_Verified_Peer_Can_Relay = true\n"


def plain(user: str, password: str) -> str:
    return "AUTH PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def counted():
    """Somebody with a quota."""
    return a_principal(account=Account(7, "acme", 0.0, limits=Limits(daily_quota=9)))


def in_loop(test: Callable) -> Callable:
    """Run a test that is a coroutine."""

    @wraps(test)
    def run(**fixtures):
        asyncio.run(test(**fixtures))

    return run


async def logged_in(house, ip="198.51.100.7"):
    talk = await house.session(ip).helo()
    assert (await talk.say(plain("ann", "secret"))).startswith("235 ")
    return talk


async def turns() -> None:
    """Let everything that can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


# -- guesses


@in_loop
async def test_of_guesses_made_all_at_once_only_those_before_the_block_count(door):
    """Sessions that ask at the same time all find nobody blocked yet; the right guess among them is not told."""
    house = door(OPEN + "Auth_Failures_To_Block = 3")
    answer = asyncio.Event()
    known = house.directory.authenticate

    async def slow(claim, peer_ip):
        await answer.wait()
        return await known(claim, peer_ip)

    house.directory.authenticate = slow
    talks = [await house.session().helo() for _ in range(20)]
    guesses = ["wrong"] * 15 + ["secret"] + ["wrong"] * 4
    said = [
        asyncio.create_task(talk.say(plain("ann", guess))) for talk, guess in zip(talks, guesses, strict=True)
    ]
    await turns()
    answer.set()
    codes = [(await each)[:3] for each in said]
    assert codes == ["535"] * 3 + ["421"] * 17


@in_loop
async def test_an_answer_for_a_session_that_was_cut_off_lets_nobody_in(door):
    house = door(OPEN)
    answer = asyncio.Event()

    async def slow(claim, peer_ip):
        await answer.wait()
        return house.directory.users["ann"][1]

    house.directory.authenticate = slow
    talk = await house.session().helo()
    talk.session.data_received((plain("ann", "secret") + "\r\nMAIL FROM:<a@a.test>\r\n").encode())
    await turns()
    talk.session.cut_off(SHUTTING_DOWN)
    answer.set()
    await turns()
    talk.session.connection_lost(None)
    assert "235" not in talk.wire.text
    assert not house.events("bug")
    assert house.session_counts.open == []


@in_loop
async def test_other_workers_hear_from_where_somebody_logs_in(door):
    """Else a neighbour's guesses locked somebody out of the workers that do not know their login yet."""
    house, other = door(OPEN + "Auth_Failures_To_Block = 3"), door(OPEN + "Auth_Failures_To_Block = 3")
    access = house.reception.access
    house.reception.access = replace(access, on_success=other.reception.auth_succeeded)
    await logged_in(house)
    for _ in range(4):
        neighbour = await other.session().helo()
        await neighbour.say(plain("bob", "wrong"))
    assert (await (await other.session().helo()).say(plain("bob", "wrong"))).startswith("421 ")
    await logged_in(other)


# -- rights that have ended


@in_loop
async def test_a_message_under_way_is_not_taken_from_somebody_who_was_revoked_meanwhile(door):
    house = door(OPEN)
    talk = await logged_in(house)
    assert (await talk.all_of("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>", "DATA"))[-1].startswith("354")
    talk.session.data_received(b"From: a@a.test\r\n\r\nthe text comes slowly\r\n")
    house.directory.users = {}
    answers = await talk.say(".")
    assert answers.startswith("535 5.7.8 ")
    assert answers.splitlines()[-1].startswith("421 4.7.0 ")
    assert house.intake.taken == []
    assert talk.wire.is_closed


@in_loop
async def test_a_message_under_way_waits_while_nobody_knows_whether_it_may(door):
    house = door(OPEN)
    house.directory.users["ann"] = ("secret", counted())
    talk = await logged_in(house)
    await talk.all_of("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>", "BDAT 6\r\nA: b")
    house.directory.is_down = True
    assert (await talk.say("BDAT 2 LAST\r\n")).startswith("454 4.7.0 ")
    assert (house.intake.taken, house.usage.taken) == ([], 0)


# -- what was counted comes back, and only that


@in_loop
async def test_a_recipient_that_is_counted_after_the_session_was_cut_off_is_given_back(door):
    house = door(OPEN)
    house.directory.users["ann"] = ("secret", counted())
    house.usage.is_slow = True
    talk = await logged_in(house)
    await talk.all_of("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>")
    assert house.usage.taken == 1
    talk.session.data_received(b"RCPT TO:<c@b.test>\r\n")
    talk.session.cut_off(SHUTTING_DOWN)
    await turns()
    assert house.usage.taken == 0


# -- rights of others


def test_whoever_comes_in_by_an_open_relay_is_nobody_that_is_known() -> None:
    """Else anybody had mail signed with the key of any account."""
    relay = Relay.of_peer(InboundOptions(open_relay=True), "198.51.100.7")
    assert (relay.peer_may, relay.is_known) == (True, False)
    header = HeaderBlock.scan(b"From: ceo@customer.example\r\nX-PM-Tag: a\r\n\r\n")
    draft = draft_of(header, None, is_trusted=relay.is_known)
    assert (draft.options.sign, draft.options.tags) == (False, None)


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_proxys_certificate_is_not_its_clients(door, order):
    def shows_certificate(session):  # as `_secured` does
        session._peer.show_certificate(True)

    async def run():
        talk = await door(PROXY).session("192.0.2.1").helo()
        if order == "before":
            shows_certificate(talk.session)
        await talk.say("XCLIENT ADDR=198.51.100.9")
        if order == "after":
            shows_certificate(talk.session)
        await talk.say("EHLO proxy.test")
        assert await talk.all_of("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>") == ["250 2.1.0", "550 5.7.1"]

    asyncio.run(run())
