"""What a listener makes of peers that break the rules without harm, with the options as they are by default."""

import asyncio
import base64
from collections.abc import Callable
from functools import wraps

import pytest

from angarium.core.records import FACT_FIELDS
from angarium.core.reply import Reply
from angarium.identity.limits import Limits
from angarium.identity.records import Account
from angarium.smtp.server import answers
from angarium.spool.port import SpoolFull
from angarium.submission.session.strangers import TOLD_AGAIN_S
from angarium.testing.intake import IntakeDesk, a_principal

OPEN = "Auth_Without_TLS = true\n"
RELAY = "Relay_Hosts = ( 198.51.100.7 )\n"
PEDANTIC = "RFC2821_Pedantic_Address_Rules = true\n"
LOGIN = "AUTH PLAIN " + base64.b64encode(b"\0ann\0secret").decode()
ENVELOPE = ("MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>")


def in_loop(test: Callable) -> Callable:
    """Run a test that is a coroutine."""

    @wraps(test)
    def run(**fixtures):
        asyncio.run(test(**fixtures))

    return run


async def submitting(house, how):
    """A session that may send anywhere: by a login, or as a relay host."""
    talk = await house.session().helo()
    if how == OPEN:
        assert (await talk.say(LOGIN)).startswith("235 ")
    return talk


def counted():
    """Somebody with a quota."""
    return a_principal(account=Account(7, "acme", 0.0, limits=Limits(daily_quota=9)))


async def turns() -> None:
    """Let everything that can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


# -- what is written down


@in_loop
async def test_who_is_refused_and_who_cannot_log_in_is_a_fact_said_once(door):
    house = door(OPEN)
    talk = await house.session().helo()
    await talk.all_of("MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>", "RSET")
    await talk.say("AUTH PLAIN " + base64.b64encode(b"\0ann\0wrong").decode())
    refusal, failed = house.facts
    assert refusal[0] == "refusal"
    assert refusal[1]["reply"].startswith("550 5.7.1 relaying denied")
    assert (refusal[1]["listener"], refusal[1]["peer"]) == ("default", "198.51.100.7:40000")
    assert failed[0] == "login_failed"
    assert (failed[1]["mechanism"], failed[1]["reason"]) == ("PLAIN", "wrong")
    assert failed[1]["user"] == house.events("auth_failed")[0]["user"]  # as the log may show it
    for kind, fields in house.facts:
        assert set(fields) <= set(FACT_FIELDS[kind])


@in_loop
async def test_a_message_that_is_refused_for_what_it_says_is_one_fact_with_the_reason(door, tmp_path):
    house = door(OPEN)
    house.reception.intake = IntakeDesk(tmp_path, facts=house).intake
    talk = await submitting(house, OPEN)
    await talk.all_of(*ENVELOPE, "DATA")
    answer = await talk.say(b"Received: x\r\n" * 200 + b"\r\ntext\r\n.")
    ((kind, fields),) = house.facts
    assert (kind, fields["reason"], fields["sender"]) == ("refusal", "loop", "a@example.com")
    assert answer == fields["reply"]
    assert set(fields) <= set(FACT_FIELDS[kind])


class FullFile:
    """A large body that cannot be made durable."""

    def add(self, piece: bytes) -> None: ...

    def abandon(self) -> None: ...

    async def finish(self) -> None:
        raise SpoolFull("no room")


@in_loop
async def test_a_large_message_that_was_not_stored_leaves_no_recipient_to_the_next(door):
    house = door(RELAY, node="Large_Message_Threshold = 65536\n")
    house.intake.spill = lambda *arguments: FullFile()
    talk = await house.session().helo()
    await talk.all_of("MAIL FROM:<a@example.com>", "RCPT TO:<first@example.net>", "DATA")
    assert (await talk.say(b"Subject: x\r\n\r\n" + b"y" * 200_000 + b"\r\n.")).startswith("452 4.3.1")
    await talk.all_of("MAIL FROM:<a@example.com>", "RCPT TO:<second@example.net>", "DATA")
    assert (await talk.say(b"Subject: x\r\n\r\nx\r\n.")).startswith("250")
    (taken,) = house.intake.taken
    assert [path.address for path in taken.envelope.recipients] == ["second@example.net"]


# -- addresses


@pytest.mark.parametrize("how", [OPEN, RELAY])
@in_loop
async def test_who_submits_need_not_name_the_domain(door, how):
    house = door(how)
    talk = await submitting(house, how)
    assert await talk.all_of("MAIL FROM:<root>", "RCPT TO:<webmaster>", "RCPT TO:postmaster") == [
        "250 2.1.0",
        "250 2.1.5",
        "250 2.1.5",
    ]
    await talk.all_of("DATA")
    assert (await talk.say("Subject: x\r\n\r\n.")).startswith("250 ")
    (submission,) = house.intake.taken
    envelope = submission.envelope
    assert (envelope.reverse_path, envelope.sender_domain) == ("root@mx.test", "mx.test")
    assert [(path.address, path.domain) for path in envelope.recipients] == [
        ("webmaster@mx.test", "mx.test"),
        ("postmaster", "mx.test"),
    ]


@in_loop
async def test_a_stranger_has_to_name_it(door):
    talk = await door("Relay_Domains = ( mx.test )").session().helo()
    said = await talk.all_of(
        "MAIL FROM:<root>", "MAIL FROM:<a@example.com>", "RCPT TO:<root>", "RCPT TO:<postmaster>"
    )
    assert said == ["501 5.1.7", "250 2.1.0", "501 5.1.3", "250 2.1.5"]


@in_loop
async def test_what_is_taken_loosely_is_written_as_it_should_be(door):
    house = door(RELAY)
    talk = await submitting(house, RELAY)
    await talk.all_of("MAIL FROM: a@my_host.example.", "RCPT TO:< abc.@Docomo.EXAMPLE. >", "DATA")
    assert (await talk.say("Subject: x\r\n\r\n.")).startswith("250 ")
    (submission,) = house.intake.taken
    envelope = submission.envelope
    assert envelope.reverse_path == "a@my_host.example"
    assert [(path.address, path.domain) for path in envelope.recipients] == [
        ('"abc."@Docomo.EXAMPLE', "docomo.example")
    ]


@in_loop
async def test_what_forbids_address_literals_forbids_them_without_brackets(door):
    talk = await submitting(door(RELAY + "Allow_IP_Literal = false"), RELAY)
    literals = ("[192.0.2.1]", "192.0.2.1", "192.0.2.1.", "[IPv6:::1]")
    said = await talk.all_of("MAIL FROM:<a@example.com>", *(f"RCPT TO:<b@{each}>" for each in literals))
    assert said == ["250 2.1.0"] + ["550 5.1.3"] * 4
    talk = await submitting(door(RELAY), RELAY)
    assert await talk.all_of("MAIL FROM:<a@example.com>", "RCPT TO:<b@192.0.2.1>") == [
        "250 2.1.0",
        "250 2.1.5",
    ]


@in_loop
async def test_one_option_holds_peers_to_the_letter(door):
    talk = await submitting(door(RELAY + PEDANTIC), RELAY)
    said = await talk.all_of(
        "EHLO my laptop", "MAIL FROM:a@example.com", "MAIL FROM:<root>", "MAIL FROM:<a@example.com.>"
    )
    assert said == ["501 5.5.4", "501 5.5.4", "501 5.1.7", "501 5.1.7"]


@in_loop
async def test_a_name_in_ehlo_gets_nowhere_as_it_was_sent(door):
    house = door(RELAY)
    talk = house.session()
    assert (await talk.say(b"EHLO M\xc3\x9cLLER PC")).startswith("250-")
    await talk.all_of(*ENVELOPE, "DATA")
    assert (await talk.say("Subject: x\r\n\r\n.")).startswith("250 ")
    (submission,) = house.intake.taken
    origin = submission.origin
    assert origin.helo == "M?LLER?PC"
    talk.session.connection_lost(None)
    assert house.events("session")[0]["helo"] == "M?LLER?PC"


# -- unfinished messages

LINE = "x" * 98
PIECE = "\r\n".join([LINE] * 1000)


async def begun(house, ip="198.51.100.7"):
    """A session in the middle of a message."""
    talk = await house.session(ip).helo()
    await talk.all_of(*ENVELOPE, "DATA")
    talk.session.data_received(f"{PIECE}\r\n".encode())
    return talk


@in_loop
async def test_what_one_peer_leaves_unfinished_is_bounded_over_its_sessions(door):
    house = door("Open_Relay = true\nUnfinished_Bytes_Per_Peer = 250000")
    first, second, third = [await begun(house) for _ in range(3)]
    other = await begun(house, "198.51.100.8")
    assert house.session_counts.held == {"198.51.100.7": 2 * len(PIECE), "198.51.100.8": len(PIECE)}
    assert (await third.say(".")).startswith("452 4.3.1 ")
    assert (await other.say(".")).startswith("250 ")
    assert (await first.say(".")).startswith("250 ")
    assert (await third.all_of(*ENVELOPE))[0] == "250 2.1.0"
    second.session.connection_lost(None)
    assert not any(house.session_counts.held.values())


@in_loop
async def test_a_message_that_is_alone_is_bounded_by_its_own_limit(door):
    house = door("Open_Relay = true\nUnfinished_Bytes_Per_Peer = 1000")
    assert (await (await begun(house)).say(".")).startswith("250 ")
    house = door("Open_Relay = true\nUnfinished_Bytes_Per_Peer = 0")
    for talk in [await begun(house) for _ in range(5)]:
        assert (await talk.say(".")).startswith("250 ")


@in_loop
async def test_what_is_given_up_is_given_back(door):
    house = door("Open_Relay = true\nUnfinished_Bytes_Per_Peer = 150000")
    talk = await house.session().helo()
    for _ in range(3):
        await talk.all_of(*ENVELOPE)
        assert (await talk.say(f"BDAT {len(PIECE)}\r\n{PIECE[:-2]}")).startswith("250 ")
        assert sum(house.session_counts.held.values()) == len(PIECE)
        await talk.all_of("RSET")
        assert not any(house.session_counts.held.values())


# -- the end of the connection


async def half_closed(house, how, *lines):
    """A session whose peer sends *lines* in one write and nothing more."""
    talk = await submitting(house, how)
    talk.wire.text = ""
    talk.session.data_received("".join(f"{line}\r\n" for line in lines).encode())
    return talk, talk.session.eof_received()


@in_loop
async def test_who_stops_sending_gets_the_answers_that_are_owed(door):
    """Neither side waits for ever: once all is said, the connection ends."""
    house = door(RELAY)
    owed = []
    house.intake.submit = lambda *arguments: owed.append(arguments[1])
    talk, stays = await half_closed(house, RELAY, *ENVELOPE, "BDAT 12 LAST", "Subject: x", "RSET")
    assert stays
    assert not talk.wire.is_closed
    owed[0](house.intake.says)
    assert talk.wire.text.splitlines()[-2:] == [
        f"250 2.0.0 queued as {house.intake.new_id().hex()}",
        "250 2.0.0 ok",
    ]
    assert talk.wire.is_closed


@in_loop
async def test_an_answer_to_a_login_or_a_recipient_is_owed_as_well(door):
    house = door(OPEN)
    house.usage.is_slow = True
    house.directory.users["ann"] = ("secret", counted())
    talk, stays = await half_closed(house, OPEN, *ENVELOPE)
    assert stays
    await turns()
    assert talk.wire.text.splitlines()[-1] == "250 2.1.5 recipient ok"
    assert talk.wire.is_closed
    talk, stays = await half_closed(house, RELAY, LOGIN)
    assert stays
    await turns()
    assert talk.wire.text.startswith("235 ")
    assert talk.wire.is_closed


@in_loop
async def test_who_stops_sending_with_nothing_owed_is_let_go(door):
    for lines in ((), ENVELOPE, (*ENVELOPE, "BDAT 12", "Subject: x"), (*ENVELOPE, "BDAT 99 LAST", "Subject")):
        _, stays = await half_closed(door(RELAY), RELAY, *lines)
        assert not stays


@in_loop
async def test_who_ends_tls_before_the_answer_is_told_of_in_the_log(door):
    """The loops' TLS ends both ways at once: what is written behind that is dropped."""
    house = door(RELAY)
    talk = await submitting(house, RELAY)
    talk.session._connection.machine.state = "tls"
    talk.session._secured(Encrypted())
    await talk.say("EHLO client.test")
    owed = []
    house.intake.submit = lambda *arguments: owed.append(arguments[1])
    talk.session.data_received("".join(f"{line}\r\n" for line in (*ENVELOPE, "BDAT 0 LAST")).encode())
    assert owed
    assert not talk.session.eof_received()
    talk.session.connection_lost(None)
    assert house.events("session")[-1]["ended"] == "TLS was closed before the answer"
    owed[0](house.intake.says)


# -- what is said


@in_loop
async def test_replies_are_ascii_whatever_the_account_is_called(door):
    house = door(OPEN)
    house.usage.limit = 1
    house.directory.users["ann"] = ("secret", counted())
    house.usage.account_name = "M\u00fcller & S\u00f6hne"
    talk = await submitting(house, OPEN)
    await talk.all_of(*ENVELOPE)
    said = await talk.say(ENVELOPE[1])
    assert said.startswith("450 4.7.1 account M\\x{FC}ller & S\\x{F6}hne may send to 1 recipient")


def test_no_reply_has_anything_but_ascii_on_the_wire():
    assert answers.wire(Reply(550, "5.7.1", "a\u2026\U0001f600\nb\r\x00\x7f\ud800c")) == (
        b"550-5.7.1 a\\x{2026}\\x{1F600}\r\n550 5.7.1 b   \\x{D800}c\r\n"
    )


# -- line ends


class Encrypted:
    """A transport behind a handshake, and that handshake."""

    session_reused = False

    def get_extra_info(self, name):
        return self

    def version(self):
        return "TLSv1.3"

    def cipher(self):
        return None

    def getpeercert(self):
        return None


async def body_by_data(talk, body):
    assert await talk.all_of(*ENVELOPE, "DATA") == ["250 2.1.0", "250 2.1.5", "354 go"]
    return await talk.say(body + b"\r\n.")


@in_loop
async def test_a_lone_line_end_is_refused_by_data_and_the_answer_names_the_option(door):
    for body in (b"a\nb", b"progress 10%\rprogress 20%"):
        said = await body_by_data(await submitting(door(RELAY), RELAY), b"Subject: x\r\n\r\n" + body)
        assert said.startswith("550 5.5.2 ")
        assert "RFC2822_Lone_LF_In_Body" in said


@in_loop
async def test_a_lone_line_end_is_mended_for_whoever_has_logged_in(door):
    house = door(OPEN)
    talk = await submitting(house, OPEN)
    assert (await body_by_data(talk, b"Subject: x\n\na\nb\rc")).startswith("250 ")
    assert house.intake.bodies == [b"Subject: x\r\n\r\na\r\nb\r\nc\r\n"]
    said = await body_by_data(talk, b"Subject: x\r\n\r\na\n.\nMAIL FROM:<root@example.org>")
    assert said.startswith("521 5.5.2 ")
    assert len(house.intake.bodies) == 1


@in_loop
async def test_the_login_that_tls_forgets_mends_nothing(door):
    """RFC 3207 §4.2: who it was is asked anew, and until then nobody is known."""
    talk = await submitting(door(OPEN + RELAY), OPEN)
    machine = talk.session._connection.machine
    assert machine._commands.options.lone_lf_in_body == "mend"
    machine.state = "tls"
    talk.session._secured(Encrypted())
    assert machine._commands.options.lone_lf_in_body == "auto"


@in_loop
async def test_a_lone_line_end_is_mended_in_chunks(door):
    house = door(RELAY)
    talk = await submitting(house, RELAY)
    await talk.all_of(*ENVELOPE)
    assert (await talk.say(b"BDAT 17 LAST\r\nSubject: x\r\n\r\na\nb")).startswith("250 ")
    assert house.intake.bodies == [b"Subject: x\r\n\r\na\r\nb\r\n"]


@in_loop
async def test_who_says_pedantic_gets_it_everywhere(door):
    pedantic = OPEN + "RFC2822_Lone_LF_In_Body = pedantic\nRFC2822_Lone_LF_In_Headers = pedantic"
    talk = await submitting(door(pedantic), OPEN)
    assert (await body_by_data(talk, b"Subject: x\r\n\r\na\nb")).startswith("550 5.5.2 ")
    await talk.all_of(*ENVELOPE)
    assert (await talk.say(b"BDAT 17 LAST\r\nSubject: x\r\n\r\na\nb")).startswith("550 5.5.2 ")
    talk = door(pedantic).session()
    talk.session.data_received(b"EHLO client.test\n")
    assert talk.wire.text.startswith("521 5.5.2 ")
    assert "RFC2822_Lone_LF_In_Headers" in talk.wire.text


@in_loop
async def test_a_command_may_end_with_a_lone_line_end(door):
    talk = door(RELAY).session()
    talk.session.data_received(b"EHLO c.example.com\n")
    assert talk.wire.text.startswith("250-mx.test")


# -- clients that came to the wrong socket

HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@in_loop
async def test_tls_that_does_not_wait_for_starttls_is_told_once_a_minute_for_each_network(door):
    house = door()
    for _ in range(3):
        assert (await house.session().say(HELLO)).startswith("421 4.7.0 TLS begins by STARTTLS here")
    await house.session("203.0.113.9").say(HELLO)
    told = house.events("wrong_protocol")
    assert [record["peer"] for record in told] == ["198.51.100.7:40000", "203.0.113.9:40000"]
    assert told[0]["spoken"] == "TLS"
    assert "Use_SSL (usually port 465)" in told[0]["problem"]
    assert house.count("wrong_protocol_total", "TLS") == 4
    house.clock.at += TOLD_AGAIN_S
    await house.session().say(HELLO)
    assert len(house.events("wrong_protocol")) == 3


@in_loop
async def test_a_web_client_is_told_as_one(door):
    house = door()
    assert (await house.session().say("GET / HTTP/1.1")).startswith("421 4.7.0 this is a mail server")
    (told,) = house.events("wrong_protocol")
    assert (told["spoken"], "HTTP_Listener" in told["problem"]) == ("HTTP", True)


@in_loop
async def test_what_is_told_of_strangers_is_bounded(door):
    house = door()
    for number in range(1500):
        talk = house.session(f"10.{number >> 8}.{number & 255}.1")
        await talk.say(HELLO)
    assert len(house.reception.strangers) == 1024
