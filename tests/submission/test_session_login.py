"""Logging in, as a session leads it: who is let in, who is held back, and what a login may do."""

import asyncio
import base64

import pytest

from angarium.core.ids import MessageId
from angarium.core.reply import Reply
from angarium.core.submission import Problem, Reason, Receipt
from angarium.core.waiting import WaitingCount
from angarium.identity.limits import Limits, Rate
from angarium.identity.principal import BAD_LOGIN
from angarium.identity.records import Account
from angarium.smtp.sasl.client import client_exchange
from angarium.testing.intake import a_principal

OPEN = "Auth_Without_TLS = true\n"


def plain(user, password):
    return "AUTH PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def cram(user, digest="0123456789abcdef0123456789abcdef"):
    return base64.b64encode(f"{user} {digest}".encode())


def digest(user, challenge):
    nonce = challenge.partition(b'nonce="')[2].partition(b'"')[0].decode()
    return base64.b64encode(
        f'username="{user}",realm="mx.test",nonce="{nonce}",cnonce="x",nc=00000001,qop=auth,'
        f'digest-uri="smtp/mx.test",response={"0" * 32},charset=utf-8'.encode()
    )


def told(text):
    """The challenge in a 334 reply."""
    code, _, data = text.partition(" ")
    assert code == "334", text
    return base64.b64decode(data)


def limited(**limits):
    return a_principal(account=Account(7, "acme", 0.0, limits=Limits(**limits)))


def in_loop(test):
    """Run a test that is a coroutine."""

    def run(door):
        asyncio.run(test(door))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


async def logged_in(house, ip="198.51.100.7"):
    talk = await house.session(ip).helo()
    assert (await talk.say(plain("ann", "secret"))).startswith("235 2.7.0 ")
    return talk


# -- what is offered


@in_loop
async def test_passwords_are_asked_for_under_tls_only(door):
    talk = door().session()
    greeting = await talk.say("EHLO client.test")
    assert "AUTH SCRAM-SHA-256 DIGEST-MD5 CRAM-MD5" in greeting
    assert "PLAIN" not in greeting
    assert (await talk.say(plain("ann", "secret"))).startswith("538 5.7.11 ")


@in_loop
async def test_an_option_lets_passwords_go_in_clear_text(door):
    talk = door(OPEN).session()
    assert "PLAIN LOGIN" in await talk.say("EHLO client.test")
    assert (await talk.say(plain("ann", "secret"))).startswith("235 ")


@in_loop
async def test_challenges_are_taken_beside_passwords_but_named_only_where_the_option_says_so(door):
    talk = door(OPEN).session()
    assert "MD5" not in await talk.say("EHLO client.test")
    assert (await talk.say("AUTH CRAM-MD5")).startswith("334 ")
    talk = door(OPEN + "Auth_Challenges_Beside_Passwords = true").session()
    assert "DIGEST-MD5 CRAM-MD5 PLAIN LOGIN" in await talk.say("EHLO client.test")


@in_loop
async def test_mechanisms_are_those_of_the_option(door):
    talk = door(OPEN + "Auth_Mechanisms = ( PLAIN )").session()
    assert "AUTH PLAIN\r" in await talk.say("EHLO client.test") + "\r"
    assert (await talk.say("AUTH CRAM-MD5")).startswith("504 5.5.4 ")


@in_loop
async def test_without_the_extension_nobody_logs_in(door):
    talk = door(OPEN + "SMTP_Extensions = ( PIPELINING )").session()
    assert "AUTH" not in await talk.say("EHLO client.test")
    assert (await talk.say(plain("ann", "secret"))).startswith("502 ")


# -- who is let in


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"])
@pytest.mark.parametrize("password", ["secret", "wrong"])
def test_every_mechanism_lets_the_right_password_in_and_no_other(door, mechanism, password):
    async def run():
        house = door(OPEN)
        talk = await house.session().helo()
        client = client_exchange(mechanism, "ann", password, "a-nonce")
        first = client.start()
        answer = await talk.say(
            f"AUTH {mechanism}" + ("" if first is None else " " + (base64.b64encode(first).decode() or "="))
        )
        while answer.startswith("334"):
            answer = await talk.say(base64.b64encode(client.respond(told(answer))))
        assert answer.startswith("235 2.7.0 " if password == "secret" else "535 5.7.8 ")
        assert house.count("auth_total", "ok" if password == "secret" else "wrong") == 1

    asyncio.run(run())


@in_loop
async def test_every_failure_has_the_same_answer(door):
    house = door(OPEN)
    answers = set()
    for user, password in (("ann", "wrong"), ("bob", "secret"), ("", "x")):
        answers.add(await (await house.session().helo()).say(plain(user, password)))
    assert len(answers) == 1
    assert {record["reason"] for record in house.events("auth_failed")} == {"wrong", "unknown"}


@in_loop
async def test_nothing_secret_is_logged(door):
    house = door(OPEN)
    talk = await house.session().helo()
    await talk.say(plain("a-token-in-the-wrong-field", "hunter2-hunter2"))
    await talk.say(plain("ann", "secret"))
    assert "wrong-field" not in str(house.log)
    assert "hunter2" not in str(house.log)
    assert "secret" not in str(house.log)
    assert [record["login"] for record in house.events("auth")] == ['smtp_login 11 "app"']


@in_loop
async def test_logging_in_twice_or_in_mid_transaction_is_out_of_order(door):
    house = door(OPEN + "Relay_Domains = ( b.test )")
    talk = await house.session().helo()
    await talk.say("MAIL FROM:<a@a.test>")
    assert (await talk.say(plain("ann", "secret"))).startswith("503 5.5.1 ")
    await talk.say("RSET")
    assert (await talk.say(plain("ann", "secret"))).startswith("235 ")
    assert (await talk.say(plain("ann", "secret"))).startswith("503 5.5.1 ")


@in_loop
async def test_an_exchange_that_is_cancelled_leaves_the_session_as_it_was(door):
    talk = await door(OPEN).session().helo()
    assert (await talk.say("AUTH LOGIN")).startswith("334 ")
    assert (await talk.say("*")).startswith("501 5.7.0 ")
    assert (await talk.say("AUTH PLAIN %%%")).startswith("501 5.5.2 ")
    assert (await talk.say(plain("ann", "secret"))).startswith("235 ")


# -- who is held back


@in_loop
async def test_the_third_failure_of_a_session_ends_it(door):
    talk = await door(OPEN).session().helo()
    assert await talk.all_of(*[plain("ann", "wrong")] * 3) == ["535 5.7.8", "535 5.7.8", "421 4.7.0"]
    assert talk.wire.is_closed


@pytest.mark.slow
@in_loop
async def test_an_answer_to_a_failure_is_held_back_longer_and_longer(door):
    loop = asyncio.get_running_loop()
    talk = await door(OPEN + "Auth_Failure_Delay = 1").session().helo()
    began = loop.time()
    await talk.say(plain("ann", "wrong"))
    first = loop.time()
    await talk.say(plain("ann", "wrong"))
    assert first - began >= 1
    assert loop.time() - first >= 2


@in_loop
async def test_who_guesses_is_turned_away_unheard_for_a_while(door):
    house = door(OPEN + "Auth_Failures_To_Block = 4\nAuth_Block_Time = 60")
    for _ in range(4):
        await (await house.session().helo()).say(plain("ann", "wrong"))
    answer = await (await house.session().helo()).say(plain("ann", "secret"))
    assert answer == "421 4.7.0 too many failed logins; come back after 2030-03-17T17:47:40Z"
    assert house.count("auth_total", "blocked") == 1
    assert house.events("auth_failed")[-1]["reason"] == "blocked"
    house.clock.at += 61
    assert (await (await house.session().helo()).say(plain("ann", "secret"))).startswith("235 ")


@in_loop
async def test_guesses_at_a_name_lock_nobody_out_who_knows_the_password(door):
    house = door(OPEN + "Auth_Failures_To_Block = 4")
    for number in range(20):
        await (await house.session(f"192.0.2.{number}").helo()).say(plain("ann", "guess"))
    assert (await (await house.session("203.0.113.5").helo()).say(plain("ann", "secret"))).startswith("235 ")


@pytest.mark.slow
@in_loop
async def test_a_login_as_a_name_that_is_guessed_at_waits_before_it_is_looked_at(door):
    loop = asyncio.get_running_loop()
    house = door(OPEN + "Auth_Failure_Delay = 1\nAuth_Failures_To_Block = 4")
    await logged_in(house)
    options = house.reception.config.inbound("default", "", "")
    for number in range(4):
        guess = house.guard.mark("ann", "guess")
        house.guard.failed(f"192.0.2.{number}", guess, house.clock.now(), options)
    talk = await house.session("203.0.113.5").helo()
    began, asked = loop.time(), house.directory.asked
    saying = asyncio.create_task(talk.say(plain("ann", "secret")))
    await logged_in(house)  # from where she logged in before it is not
    assert not saying.done()
    assert house.directory.asked == asked + 1
    assert (await saying).startswith("235 ")
    assert loop.time() - began >= 1


@in_loop
async def test_one_wrong_key_stops_none_of_the_right_ones_behind_an_address(door):
    house = door(OPEN + "Auth_Failures_To_Block = 4")
    house.directory.users["SMTP_Injection"] = ("key", a_principal("api_key"))
    assert (await (await house.session().helo()).say(plain("SMTP_Injection", "key"))).startswith("235 ")
    answers = [await (await house.session().helo()).say(plain("SMTP_Injection", "old")) for _ in range(6)]
    assert [answer[:3] for answer in answers] == ["535", "535", "535", "535", "421", "421"]
    assert (await (await house.session().helo()).say(plain("SMTP_Injection", "key"))).startswith("235 ")


@in_loop
async def test_where_an_address_is_blocked_a_challenge_that_is_not_heard_leaves_the_password_its_turn(door):
    house = door(OPEN + "Auth_Failures_To_Block = 1")
    await logged_in(house)
    await (await house.session().helo()).say(plain("bob", "guess"))
    asked = house.directory.asked
    talk = await house.session().helo()
    await talk.say("AUTH CRAM-MD5")
    assert (await talk.say(cram("ann", "x"))).startswith("535 5.7.8 ")
    assert house.directory.asked == asked
    assert (await talk.say(plain("ann", "secret"))).startswith("235 ")


@in_loop
async def test_other_workers_hear_of_failures_and_of_no_name(door):
    seen, other = door(OPEN), door(OPEN + "Auth_Failures_To_Block = 2")
    for _ in range(2):
        await (await seen.session().helo()).say(plain("ann", "wrong"))
    assert [address for address, _, _ in seen.told] == ["198.51.100.7"] * 2
    assert "ann" not in str(seen.told)
    for failure in seen.told:
        other.reception.auth_failed(*failure)
    mark = other.guard.mark("ann", "secret")
    assert other.guard.blocked_until("198.51.100.7", mark, other.clock.now()) is not None


@in_loop
async def test_a_challenge_to_whom_none_can_be_put_is_no_guess(door):
    house = door(OPEN + "Auth_Failures_To_Block = 1")
    talk = await house.session().helo()
    await talk.say("AUTH CRAM-MD5")
    assert (await talk.say(cram("bob"))).startswith("535 5.7.8 ")
    assert house.told == []
    assert house.count("auth_total", "not_kept") == 1
    assert (await talk.say(plain("ann", "secret"))).startswith("235 ")


@pytest.mark.parametrize("mechanism", ["CRAM-MD5", "DIGEST-MD5"])
def test_nobody_learns_by_a_challenge_of_whom_a_secret_is_kept(door, mechanism):
    """Not by the answer, nor by its being held back, nor by a block that follows."""

    async def run():
        house = door(OPEN + "Auth_Failure_Delay = 30\nAuth_Failures_To_Block = 1")
        answers = []
        for user in ("ann", "nobody"):
            talk = await house.session().helo()
            for _ in range(5):  # more than guesses there may be in one session
                challenge = told(await talk.say(f"AUTH {mechanism}"))
                wrong = cram(user) if mechanism == "CRAM-MD5" else digest(user, challenge)
                answers.append(await talk.say(wrong))
        assert set(answers) == {BAD_LOGIN.encode().decode().strip()}
        assert house.told == []
        assert house.count("auth_total", "wrong") == house.count("auth_total", "not_kept") == 5

    asyncio.run(run())


@pytest.mark.parametrize("mechanism", ["CRAM-MD5", "DIGEST-MD5"])
@pytest.mark.parametrize("user", ["ann", "nobody"])
def test_in_clear_text_a_challenge_that_fails_is_told_to_say_starttls_first(door, mechanism, user):
    async def run():
        house = door()
        house.reception.tls = object()
        house.reception.reconfigure(house.reception.config, set())
        talk = house.session()
        assert "STARTTLS" in await talk.say("EHLO client.test")
        challenge = told(await talk.say(f"AUTH {mechanism}"))
        answer = await talk.say(cram(user) if mechanism == "CRAM-MD5" else digest(user, challenge))
        assert answer.startswith("538 5.7.11 authentication failed: say STARTTLS first")
        assert house.told == []

    asyncio.run(run())


@in_loop
async def test_while_the_store_is_silent_nobody_gets_in_and_nobody_is_blamed(door):
    house = door(OPEN)
    house.directory.is_down = True
    talk = await house.session().helo()
    assert await talk.all_of(*[plain("ann", "secret")] * 4) == ["454 4.7.0"] * 4
    assert house.told == []
    house.directory.is_down = False
    assert (await talk.say(plain("ann", "secret"))).startswith("235 ")


@in_loop
async def test_a_fault_of_ours_leaves_nobody_waiting(door):
    house = door(OPEN)
    house.directory.users = {"ann": None}
    talk = await house.session().helo()
    assert (await talk.say(plain("ann", "secret"))).startswith("454 4.7.0 ")
    await asyncio.sleep(0)  # the task ends after it has answered
    assert len(house.events("bug")) == 1


# -- what a login may do


@in_loop
async def test_relaying_is_for_those_who_have_logged_in(door):
    house = door(OPEN)
    stranger = await house.session().helo()
    await stranger.say("MAIL FROM:<a@a.test>")
    denied = await stranger.say("RCPT TO:<b@b.test>")
    assert denied.startswith("550 5.7.1 relaying denied: log in")
    talk = await logged_in(house)
    assert await talk.all_of("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>") == ["250 2.1.0", "250 2.1.5"]
    await talk.say("DATA")
    assert (await talk.say("Subject: x\r\n\r\ntext\r\n.")).startswith("250 ")
    submission = house.intake.taken[0]
    assert submission.origin.protocol == "ESMTPA"
    assert submission.principal.name == 'smtp_login 11 "app"'
    assert house.directory.used == [submission.principal]


@pytest.mark.parametrize(
    ("option", "relay_host", "login"),
    [
        ("", "250 2.1.5", "550 5.1.3"),
        ("Allow_IP_Literal = without_login", "250 2.1.5", "550 5.1.3"),
        ("Allow_IP_Literal = true", "250 2.1.5", "250 2.1.5"),
        ("Allow_IP_Literal = false", "550 5.1.3", "550 5.1.3"),
    ],
)
def test_who_has_logged_in_names_no_address_as_a_domain_unless_that_is_allowed(
    door, option, relay_host, login
):
    async def run():
        house = door(f"{OPEN}{option}\nRelay_Hosts = ( 198.51.100.8 )")
        for talk, answer in (
            (await house.session("198.51.100.8").helo(), relay_host),
            (await logged_in(house), login),
        ):
            await talk.say("MAIL FROM:<a@a.test>")
            for domain in ("[192.0.2.1]", "[IPv6:2001:db8::1]", "192.0.2.1"):
                assert await talk.all_of(f"RCPT TO:<b@{domain}>") == [answer], domain
            assert await talk.all_of("RCPT TO:<b@b.test>") == ["250 2.1.5"]
            if answer.startswith("550"):
                assert "Allow_IP_Literal" in await talk.say("RCPT TO:<b@[192.0.2.1]>")

    asyncio.run(run())


@in_loop
async def test_where_it_is_required_even_relay_hosts_log_in(door):
    house = door(OPEN + "Require_Authentication = true\nRelay_Hosts = ( 198.51.100.0/24 )")
    talk = await house.session().helo()
    assert (await talk.say("MAIL FROM:<a@a.test>")).startswith("530 5.7.0 ")
    assert (await (await logged_in(house)).say("MAIL FROM:<a@a.test>")).startswith("250 ")


@in_loop
async def test_a_login_that_is_revoked_ends_its_session_at_the_next_message(door):
    house = door(OPEN)
    talk = await logged_in(house)
    house.directory.users.clear()
    answer = await talk.say("MAIL FROM:<a@a.test>")
    assert answer.splitlines()[0].startswith("535 5.7.8 ")
    assert answer.splitlines()[1].startswith("421 4.7.0 ")
    assert talk.wire.is_closed


@in_loop
async def test_while_the_store_is_silent_no_further_message_begins(door):
    house = door(OPEN)
    talk = await logged_in(house)
    house.directory.is_down = True
    assert (await talk.say("MAIL FROM:<a@a.test>")).startswith("454 4.7.0 ")
    house.directory.is_down = False
    assert (await talk.say("MAIL FROM:<a@a.test>")).startswith("250 ")


@in_loop
async def test_a_change_of_the_account_holds_from_the_next_message_on(door):
    house = door(OPEN)
    talk = await logged_in(house)
    await talk.say("MAIL FROM:<a@a.test>")
    await talk.say("RSET")
    house.directory.users["ann"] = ("secret", limited(max_recipients=1))
    assert await talk.all_of("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>", "RCPT TO:<c@b.test>") == [
        "250 2.1.0",
        "250 2.1.5",
        "452 4.5.3",
    ]


@in_loop
async def test_the_account_limits_the_size_of_a_message(door):
    house = door(OPEN)
    house.directory.users["ann"] = ("secret", limited(max_message_size=1000))
    talk = await logged_in(house)
    assert (await talk.say("MAIL FROM:<a@a.test> SIZE=1001")).startswith("552 5.3.4 ")
    await talk.all_of("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>", "DATA")
    assert (await talk.say("Subject: x\r\n\r\n" + "x" * 1000 + "\r\n.")).startswith("552 5.3.4 ")


@pytest.mark.parametrize("is_slow", [False, True])
def test_recipients_over_the_quota_are_put_off_with_the_time_to_come_back(door, is_slow):
    async def run():
        house = door(OPEN)
        house.directory.users["ann"] = ("secret", limited(daily_quota=2))
        house.usage.limit, house.usage.is_slow = 2, is_slow
        talk = await logged_in(house)
        await talk.say("MAIL FROM:<a@a.test>")
        codes = await talk.all_of(*(f"RCPT TO:<{name}@b.test>" for name in "bcd"))
        assert codes == ["250 2.1.5", "250 2.1.5", "450 4.7.1"]
        assert "send again after 2030-03-17T18:46:40Z" in talk.wire.text
        assert house.usage.taken == 2

    asyncio.run(run())


@in_loop
async def test_who_goes_on_over_the_quota_is_sent_away(door):
    house = door(OPEN)
    house.directory.users["ann"] = ("secret", limited(daily_quota=0))
    house.usage.limit = 0
    talk = await logged_in(house)
    await talk.say("MAIL FROM:<a@a.test>")
    codes = await talk.all_of(*["RCPT TO:<b@b.test>"] * 11)
    assert codes == [*["450 4.7.1"] * 10, "421 4.7.1"]
    assert talk.wire.is_closed


@in_loop
async def test_what_was_counted_for_mail_that_was_not_accepted_is_given_back(door):
    house = door(OPEN)
    house.directory.users["ann"] = ("secret", limited(rate=Rate(10, 60)))
    talk = await logged_in(house)
    await talk.all_of("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>", "RSET")
    assert house.usage.taken == 0
    house.intake.says = Receipt(problems=(Problem(Reason.NO_AUTHOR),))
    await talk.all_of("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>", "DATA", "Subject: x\r\n\r\n.")
    assert house.usage.taken == 0
    house.intake.says = Receipt((MessageId(bytes(16)),))
    await talk.all_of("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>", "DATA", "Subject: x\r\n\r\n.")
    assert house.usage.taken == 1
    await talk.all_of("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>")
    talk.session.connection_lost(None)
    assert house.usage.taken == 1


@in_loop
async def test_a_quota_that_cannot_be_counted_puts_the_recipient_off(door):
    house = door(OPEN)
    house.directory.users["ann"] = ("secret", limited(daily_quota=2))
    house.usage.is_slow = house.usage.is_down = True
    talk = await logged_in(house)
    assert await talk.all_of("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>") == ["250 2.1.0", "454 4.7.0"]


# -- how much may wait


@pytest.mark.parametrize(
    ("limits", "waiting", "size", "answer"),
    [
        ({}, WaitingCount(999_999, 0), 0, "250"),
        (
            {},
            WaitingCount(1_000_000, 0),
            0,
            "452 4.3.1 account acme has as many recipients queued as it may; ",
        ),
        ({}, WaitingCount(1, 1 << 37), 0, "452 4.3.1 account acme has as many bytes queued as it may; "),
        ({"max_queued_recipients": 5}, WaitingCount(4, 0), 0, "250"),
        ({"max_queued_recipients": 5}, WaitingCount(5, 0), 0, "452"),
        ({"max_queued_recipients": 2_000_000}, WaitingCount(1_000_000, 0), 0, "250"),
        ({"max_queued_bytes": 1000}, WaitingCount(1, 500), 500, "250"),
        ({"max_queued_bytes": 1000}, WaitingCount(1, 500), 501, "452"),
    ],
)
def test_an_account_that_has_as_much_waiting_as_it_may_begins_no_message(door, limits, waiting, size, answer):
    async def run():
        house = door(OPEN)
        house.directory.users["ann"] = ("secret", limited(**limits))
        house.mail.waits = waiting
        talk = await logged_in(house)
        assert (await talk.say(f"MAIL FROM:<a@a.test> SIZE={size}")).startswith(answer)

    asyncio.run(run())


@in_loop
async def test_recipients_beyond_what_may_wait_are_put_off_one_by_one(door):
    house = door(OPEN)
    house.directory.users["ann"] = ("secret", limited(max_queued_recipients=5))
    house.mail.waits = WaitingCount(3, 0)
    talk = await logged_in(house)
    await talk.say("MAIL FROM:<a@a.test>")
    assert await talk.all_of(*(f"RCPT TO:<{name}@b.test>" for name in "bcd")) == [
        "250 2.1.5",
        "250 2.1.5",
        "452 4.3.1",
    ]


@in_loop
async def test_relay_hosts_are_bounded_by_the_node_alone(door):
    house = door("Relay_Hosts = ( 198.51.100.7 )")
    house.mail.waits = WaitingCount(1 << 50, 1 << 50)
    assert await (await house.session().helo()).all_of(*RELAYING) == ["250 2.1.0", "250 2.1.5"]


# -- where bounces go


@pytest.mark.parametrize("is_known", [True, False])
def test_bounces_to_a_domain_that_another_account_has_verified_are_not_sent_there(door, is_known):
    async def run():
        house = door(OPEN)
        table = house.owners.known if is_known else house.owners.told
        table |= {
            "bounces.theirs.test": frozenset((9,)),
            "shared.test": frozenset((7, 9)),
            "ours.test": frozenset((7,)),
        }
        talk = await logged_in(house)
        answer = await talk.say("MAIL FROM:<x@bounces.theirs.test>")
        assert answer.startswith("550 5.7.1 bounces to bounces.theirs.test belong to another account")
        assert await talk.all_of("RCPT TO:<b@b.test>") == ["503 5.5.1"]
        for path in ("x@shared.test", "x@ours.test", "x@nobodys.test", ""):
            assert await talk.all_of(f"MAIL FROM:<{path}>", "RCPT TO:<b@b.test>", "RSET") == [
                "250 2.1.0",
                "250 2.1.5",
                "250 2.0.0",
            ]

    asyncio.run(run())


@in_loop
async def test_whose_a_domain_is_has_to_be_known(door):
    house = door(OPEN)
    talk = await logged_in(house)
    house.owners.is_down = True
    assert await talk.all_of("MAIL FROM:<a@a.test>", "MAIL FROM:<>") == ["454 4.7.0", "250 2.1.0"]


@in_loop
async def test_a_session_that_was_cut_off_while_it_was_asked_whose_a_domain_is_begins_nothing(door):
    house = door(OPEN)
    talk = await logged_in(house)
    talk.session.data_received(b"MAIL FROM:<a@a.test>\r\n")
    asking = list(house.reception.tasks._running)
    assert asking
    talk.session.cut_off(Reply(421, "4.3.2", "shutting down"))
    await asyncio.wait(asking)
    talk.session.connection_lost(None)
    assert talk.session.mail._mail is None
    assert not house.events("bug")


@in_loop
async def test_relay_hosts_may_have_their_bounces_go_anywhere(door):
    house = door("Relay_Hosts = ( 198.51.100.7 )")
    house.owners.known["theirs.test"] = frozenset((9,))
    talk = await house.session().helo()
    assert await talk.all_of("MAIL FROM:<a@theirs.test>") == ["250 2.1.0"]


# -- who speaks for others

PROXY = OPEN + "XCLIENT_Hosts = ( 192.0.2.1 192.0.2.2 )\nRelay_Hosts = ( 192.0.2.1 192.0.2.50 )\n"
VOUCHING = PROXY + "XCLIENT_Login_Hosts = ( 192.0.2.1 )\n"
RELAYING = ("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>")


@in_loop
async def test_xclient_is_for_those_who_are_trusted(door):
    house = door(PROXY)
    stranger = house.session()
    assert "XCLIENT" not in await stranger.say("EHLO client.test")
    assert (await stranger.say("XCLIENT ADDR=192.0.2.50")).startswith("550 ")
    trusted = house.session("192.0.2.1")
    assert "XCLIENT NAME ADDR" in await trusted.say("EHLO proxy.test")
    assert (await trusted.say("XCLIENT ADDR=198.51.100.9 PORT=77 HELO=behind.test PROTO=ESMTP")).startswith(
        "220 "
    )
    assert house.session_counts.open == ["198.51.100.7", "198.51.100.9"]
    await trusted.say("EHLO proxy.test")
    await trusted.say("MAIL FROM:<a@a.test>")
    assert (await trusted.say("RCPT TO:<b@b.test>")).startswith(
        "550 5.7.1 "
    )  # the proxy might; its client may not


@in_loop
async def test_a_client_that_a_proxy_has_introduced_may_not_speak_for_others(door):
    talk = door(PROXY).session("192.0.2.1")
    talk.session.introduce(("198.51.100.9", 77))
    assert "XCLIENT" not in await talk.say("EHLO client.test")
    assert (await talk.say("XCLIENT ADDR=192.0.2.50")).startswith("550 ")


@in_loop
async def test_after_xclient_there_is_time_again_for_the_first_command(door):
    house = door(PROXY + "First_Command_Time = 60")
    talk = await house.session("192.0.2.1").helo()
    house.clock.at += 100
    await talk.say("XCLIENT ADDR=198.51.100.9")
    house.reception.sweep(house.clock.now() + 59)
    assert not talk.wire.is_closed
    house.reception.sweep(house.clock.now() + 61)
    assert talk.wire.is_closed


@in_loop
async def test_a_client_that_the_proxy_does_not_know_may_do_what_anybody_may(door):
    talk = await door(PROXY).session("192.0.2.1").helo()
    await talk.say("XCLIENT ADDR=[UNAVAILABLE]")
    await talk.say("EHLO proxy.test")
    assert await talk.all_of("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>") == ["250 2.1.0", "550 5.7.1"]


@in_loop
async def test_mail_of_a_proxys_client_says_who_that_was(door):
    house = door(PROXY)
    talk = await house.session("192.0.2.1").helo()
    await talk.say("XCLIENT ADDR=192.0.2.50 PORT=77 HELO=behind.test PROTO=SMTP")
    await talk.say("EHLO proxy.test")
    await talk.all_of("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>", "DATA", "Subject: x\r\n\r\n.")
    origin = house.intake.taken[0].origin
    assert (origin.peer, origin.helo, origin.protocol) == ("192.0.2.50:77", "behind.test", "SMTP")
    talk.session.connection_lost(None)
    assert house.events("session")[0]["via"] == "192.0.2.1:40000"
    assert house.session_counts.open == []


@in_loop
async def test_whom_xclient_introduced_may_not_say_it_again(door):
    talk = await door(PROXY).session("192.0.2.1").helo()
    assert (await talk.say("XCLIENT ADDR=198.51.100.9")).startswith("220 ")
    assert "XCLIENT" not in await talk.say("EHLO client.test")
    assert (await talk.say("XCLIENT ADDR=192.0.2.50")).startswith("550 5.7.0 ")
    assert await talk.all_of(*RELAYING) == ["250 2.1.0", "550 5.7.1"]


@in_loop
async def test_a_client_nobody_knows_may_not_say_xclient_either(door):
    talk = await door(VOUCHING).session("192.0.2.1").helo()
    await talk.say("XCLIENT ADDR=[UNAVAILABLE]")
    assert "XCLIENT" not in await talk.say("EHLO client.test")
    assert (await talk.say("XCLIENT LOGIN=ann")).startswith("550 5.7.0 ")


@in_loop
async def test_a_proxy_may_introduce_another_that_introduces_its_client(door):
    talk = await door(PROXY).session("192.0.2.1").helo()
    await talk.say("XCLIENT ADDR=192.0.2.2")
    assert "XCLIENT" in await talk.say("EHLO proxy.test")
    assert (await talk.say("XCLIENT ADDR=198.51.100.9")).startswith("220 ")
    assert "XCLIENT" not in await talk.say("EHLO client.test")


@in_loop
async def test_what_xclient_says_besides_address_and_login_leaves_the_proxy_who_it_is(door):
    talk = await door(PROXY).session("192.0.2.1").helo()
    await talk.say("XCLIENT HELO=behind.test")
    await talk.say("EHLO proxy.test")
    assert (await talk.say("XCLIENT ADDR=198.51.100.9")).startswith("220 ")


@in_loop
async def test_a_login_that_a_proxy_vouches_for_counts_here(door):
    house = door(VOUCHING)
    talk = await house.session("192.0.2.1").helo()
    assert (await talk.say("XCLIENT ADDR=198.51.100.9 LOGIN=ann")).startswith("220 ")
    await talk.say("EHLO proxy.test")
    assert await talk.all_of(*RELAYING) == ["250 2.1.0", "250 2.1.5"]
    talk = await house.session("192.0.2.1").helo()
    await talk.say("XCLIENT ADDR=198.51.100.9 LOGIN=nobody")
    await talk.say("EHLO proxy.test")
    assert await talk.all_of(*RELAYING) == ["250 2.1.0", "550 5.7.1"]


@in_loop
async def test_a_login_beyond_ascii_that_a_proxy_vouches_for_counts_as_well(door):
    house = door(VOUCHING)
    house.directory.users["jürgen"] = house.directory.users["ann"]
    talk = await house.session("192.0.2.1").helo()
    assert (await talk.say("XCLIENT ADDR=198.51.100.9 LOGIN=j+C3+BCrgen")).startswith("220 ")
    await talk.say("EHLO proxy.test")
    assert await talk.all_of(*RELAYING) == ["250 2.1.0", "250 2.1.5"]


@pytest.mark.parametrize(("login", "answer"), [("ann", "250 2.1.5"), ("nobody", "550 5.7.1")])
def test_who_is_introduced_by_a_login_alone_has_no_right_of_the_proxys(door, login, answer):
    async def run():
        talk = await door(VOUCHING).session("192.0.2.1").helo()
        await talk.say(f"XCLIENT LOGIN={login}")
        assert "XCLIENT" not in await talk.say("EHLO client.test")
        assert await talk.all_of("XCLIENT LOGIN=ann", *RELAYING) == ["550 5.7.0", "250 2.1.0", answer]

    asyncio.run(run())


@in_loop
async def test_vouching_for_logins_is_for_those_it_was_permitted(door):
    talk = door(PROXY).session("192.0.2.1")
    greeting = await talk.say("EHLO proxy.test")
    assert "XCLIENT NAME ADDR PORT PROTO HELO DESTADDR" in greeting
    assert (await talk.say("XCLIENT ADDR=198.51.100.9 LOGIN=ann")).startswith("501 5.5.4 ")
    talk = door(VOUCHING).session("192.0.2.1")
    assert "HELO LOGIN" in await talk.say("EHLO proxy.test")


@in_loop
async def test_a_proxys_client_may_not_have_more_sessions_than_others(door):
    house = door(PROXY + "Sessions_Per_Peer = 2")
    for _ in range(2):
        talk = await house.session("192.0.2.1").helo()
        assert (await talk.say("XCLIENT ADDR=2001:db8::7")).startswith("220 ")
    talk = await house.session("192.0.2.1").helo()
    assert (await talk.say("XCLIENT ADDR=2001:db8::8")).startswith("421 4.4.5 ")
    assert talk.wire.is_closed
    talk = await house.session("192.0.2.1").helo()
    assert (await talk.say("XCLIENT ADDR=2001:db8:0:1::8")).startswith("220 ")


@in_loop
async def test_what_was_proved_before_xclient_is_forgotten(door):
    house = door(PROXY)
    talk = await logged_in(house, "192.0.2.1")
    await talk.say("XCLIENT ADDR=198.51.100.9")
    await talk.say("EHLO proxy.test")
    assert await talk.all_of("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>") == ["250 2.1.0", "550 5.7.1"]
