"""The sink over real loopback connections: what its script says is what a client meets."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from angarium.testing.clock import ManualClock
from angarium.testing.programs import PATIENCE_S
from angarium.testing.sink import Sink, run_sink
from angarium.testing.sink.script import parse_script
from angarium.testing.sink.store import HashLog, Maildir, Mbox, SinkStore, content_hash

ENVELOPE = "MAIL FROM:<a@from.example>\nRCPT TO:<b@to.example>"


class Client:
    """Says lines and reads replies; b"" is the end of the connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def reply(self) -> str:
        """Return the last line of the next reply, "" at the end."""
        while True:
            line = (await self._reader.readline()).decode()
            if line[3:4] != "-":
                return line.rstrip()

    async def say(self, text: str) -> str:
        """Send lines, return the reply to the last of them."""
        answer = ""
        for line in text.split("\n"):
            self.send(line + "\r\n")
            answer = await self.reply()
        return answer

    def send(self, text: str) -> None:
        self._writer.write(text.encode())

    async def at_end(self) -> bool:
        """Whether the connection ends without another byte."""
        try:
            return await self._reader.read() == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def visit(sink: Sink, greet: str = "EHLO me") -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_connection(*sink.address))
    try:
        if greet:
            assert (await client.reply()).startswith("220")
            assert (await client.say(greet)).startswith("250")
        yield client
    finally:
        client.close()


def with_sink(script: str, talk: Callable[[Sink, Client], Awaitable[None]], greet: str = "EHLO me") -> Sink:
    """Run *talk* against a sink with *script*; return the sink for what it has kept."""

    async def run() -> Sink:
        async with asyncio.timeout(PATIENCE_S), Sink(script) as sink:
            async with visit(sink, greet) as client:
                await talk(sink, client)
            await sink.wait_for(lambda: sink.counters.open_connections == 0)
        return sink

    return asyncio.run(run())


async def send_message(client: Client, body: str = "Subject: x\r\n\r\nhello\r\n") -> str:
    assert (await client.say(ENVELOPE)).startswith("250")
    assert (await client.say("DATA")).startswith("354")
    client.send(body + ".\r\n")
    return await client.reply()


def test_without_a_script_everything_is_accepted_and_kept_as_it_came() -> None:
    async def talk(sink: Sink, client: Client) -> None:
        assert (await client.say("MAIL FROM:<a@from.example> SIZE=10 BODY=8BITMIME")).startswith("250")
        assert (await client.say("RCPT TO:<b@to.example> NOTIFY=NEVER")).startswith("250")
        assert (await client.say("DATA")).startswith("354")
        client.send("Subject: x\r\n\r\n..one\r\n...\r\nend\r\n.\r\n")
        assert (await client.reply()).startswith("250")
        assert (await client.say("QUIT")).startswith("221")
        assert await client.at_end()

    sink = with_sink("", talk)
    [message] = sink.messages
    assert message.reverse_path == "a@from.example"
    assert message.recipients == ("b@to.example",)
    assert message.mail_parameters == "SIZE=10 BODY=8BITMIME"
    assert message.rcpt_parameters == ("NOTIFY=NEVER",)
    assert message.data == b"Subject: x\r\n\r\n.one\r\n..\r\nend\r\n"
    assert (sink.counters.messages, sink.counters.bytes) == (1, 31)  # with the stuffed dots


def test_a_burst_of_commands_is_answered_in_order_wherever_it_is_cut() -> None:
    wire = (
        "MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\nhello\r\n.\r\n"
        "MAIL FROM:<>\r\nRCPT TO:<c@y>\r\nBDAT 3\r\nab\nBDAT 4 LAST\r\ncd\r\nQUIT\r\n"
    )
    codes = ["250", "250", "354", "250", "250", "250", "250", "250", "221"]

    async def talk(sink: Sink, client: Client) -> None:
        for step in (1, 5, 1000):
            async with visit(sink) as other:
                for at in range(0, len(wire), step):
                    other.send(wire[at : at + step])
                assert [(await other.reply())[:3] for _ in codes] == codes

    sink = with_sink("", talk)
    assert [message.data for message in sink.messages] == [b"hello\r\n", b"ab\ncd\r\n"] * 3


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("MAIL FROM:<a@from.example>", "421 4.3.2 busy"),
        ("RCPT TO:<b@to.example>", "250 2.1.5 ok"),
    ],
)
def test_only_the_stage_of_a_rule_is_touched(line: str, answer: str) -> None:
    script = "on mail: reply 421 4.3.2 busy" if line.startswith("MAIL") else ""

    async def talk(sink: Sink, client: Client) -> None:
        if line.startswith("RCPT"):
            await client.say("MAIL FROM:<a@from.example>")
        assert await client.say(line) == answer

    with_sink(script, talk)


def test_a_rule_may_be_for_some_recipients_only() -> None:
    script = (
        "on rcpt to *@gone.example: reply 550 5.1.1 no such user\non rcpt to /^tmp/ first 1: reply 450 later"
    )

    async def talk(sink: Sink, client: Client) -> None:
        await client.say("MAIL FROM:<a@x>")
        assert await client.say("RCPT TO:<b@GONE.example>") == "550 5.1.1 no such user"
        assert await client.say("RCPT TO:<tmp@y>") == "450 later"
        assert (await client.say("RCPT TO:<tmp@y>")).startswith("250")
        assert (await client.say("RCPT TO:<b@here.example>")).startswith("250")

    with_sink(script, talk)


def test_every_takes_each_nth_and_share_is_repeatable() -> None:
    async def answers(script: str) -> str:
        async with Sink(script) as sink, visit(sink) as client:
            return "".join([(await client.say("RSET"))[0] for _ in range(12)])

    assert asyncio.run(answers("on rset every 3: reply 451 no")) == "224224224224"
    drawn = [asyncio.run(answers(f"seed {seed}\non rset share 50%: reply 451 no")) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert set(drawn[0]) == {"2", "4"}


def test_final_close_hangs_up_without_an_answer_and_keeps_the_message_only_if_told() -> None:
    async def talk(sink: Sink, client: Client) -> None:
        assert await send_message(client) == ""

    assert with_sink("on final: close", talk).messages == []
    assert len(with_sink("on final: keep; close", talk).messages) == 1


def test_a_message_may_be_kept_and_never_answered() -> None:
    async def talk(sink: Sink, client: Client) -> None:
        client.send(ENVELOPE.replace("\n", "\r\n") + "\r\nDATA\r\nhello\r\n.\r\nNOOP\r\n")
        await sink.wait_for_messages(1)

    assert [message.data for message in with_sink("on final: keep; hang", talk).messages] == [b"hello\r\n"]


def test_a_message_may_be_kept_and_refused_all_the_same() -> None:
    async def talk(sink: Sink, client: Client) -> None:
        assert await send_message(client) == "451 4.3.0 later"

    assert len(with_sink("on final: keep; reply 451 4.3.0 later", talk).messages) == 1


def test_body_close_hangs_up_in_the_middle() -> None:
    async def talk(sink: Sink, client: Client) -> None:
        await client.say(ENVELOPE)
        await client.say("DATA")
        client.send("x" * 999)
        client.send("y")
        assert await client.at_end()

    assert with_sink("on body after 1000: close", talk).messages == []


def test_an_early_reply_stands_for_the_answer_to_the_end() -> None:
    async def talk(sink: Sink, client: Client) -> None:
        await client.say(ENVELOPE)
        await client.say("DATA")
        client.send("x" * 100)
        assert await client.reply() == "552 5.3.4 too big"
        client.send("x\r\n.\r\n")
        assert await client.say("NOOP") == "250 2.0.0 ok"

    assert with_sink("on body after 50: reply 552 5.3.4 too big", talk).messages == []


def test_hang_answers_nothing_more_but_other_connections_go_on() -> None:
    async def talk(sink: Sink, client: Client) -> None:
        client.send("RSET\r\n")
        async with visit(sink) as other:
            assert (await other.say("RSET")).startswith("250")
        client.send("QUIT\r\n")

    with_sink("on rset first 1: hang", talk)


def test_only_so_many_sessions_at_a_time() -> None:
    async def talk(sink: Sink, client: Client) -> None:
        async with visit(sink), visit(sink, greet="") as third:
            assert await third.reply() == "421 4.7.0 too many connections"
            assert await third.at_end()
        await sink.wait_for(lambda: sink.counters.open_connections == 1)
        async with visit(sink):
            pass

    with_sink("on connect above 2: reply 421 4.7.0 too many connections; close", talk)


def test_delay_and_drip_change_when_not_what() -> None:
    async def talk(sink: Sink, client: Client) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        client.send("RSET\r\nNOOP\r\n")
        assert await client.reply() == "250 2.0.0 ok"
        assert loop.time() - began >= 0.03
        assert await client.reply() == "250 2.0.0 ok"
        began = loop.time()
        assert await client.say("QUIT") == "221 bye"
        assert loop.time() - began >= 0.008
        assert await client.at_end()

    with_sink("on rset: delay 0.03\non quit: drip 0.001; reply 221 bye", talk)


def test_connect_can_be_refused() -> None:
    async def talk(sink: Sink, client: Client) -> None:
        assert await client.reply() == "421 4.3.2 go away"
        assert await client.at_end()

    with_sink("on connect: reply 421 4.3.2 go away; close", talk, greet="")


def test_greylisting_is_per_sender_and_recipient_and_ends() -> None:
    clock = ManualClock(1000.0)

    async def run() -> None:
        async with Sink("on rcpt: greylist 60", clock=clock) as sink, visit(sink) as client:
            await client.say("MAIL FROM:<a@x>")
            assert (await client.say("RCPT TO:<b@y>")).startswith("450 4.2.0")
            clock.at += 60
            assert (await client.say("RCPT TO:<b@y>")).startswith("250")
            assert (await client.say("RCPT TO:<c@y>")).startswith("450 4.2.0")

    asyncio.run(run())


def test_offers_are_as_told_and_kept_to() -> None:
    script = "withhold all\noffer SIZE 100\noffer LIMITS RCPTMAX=1 MAILMAX=2"

    async def talk(sink: Sink, client: Client) -> None:
        assert await client.reply() != ""
        client.send("EHLO me\r\n")
        assert await client.reply() == "250 LIMITS RCPTMAX=1 MAILMAX=2"
        assert (await client.say("MAIL FROM:<a@x> SIZE=101")).startswith("552")
        assert (await client.say("MAIL FROM:<a@x> SIZE=100")).startswith("250")
        assert (await client.say("RCPT TO:<b@y>")).startswith("250")
        assert (await client.say("RCPT TO:<c@y>")).startswith("452 4.5.3")
        await client.say("DATA")
        client.send("x" * 99 + "\r\n.\r\n")
        assert (await client.reply()).startswith("552")
        assert (await client.say("MAIL FROM:<a@x>")).startswith("250")
        await client.say("RSET")
        assert (await client.say("MAIL FROM:<a@x>")).startswith("452")

    assert with_sink(script, talk, greet="").messages == []


def test_lmtp_answers_once_per_recipient() -> None:
    async def talk(sink: Sink, client: Client) -> None:
        assert (await client.say("EHLO me")).startswith("500")
        await client.say("MAIL FROM:<a@x>\nRCPT TO:<full@y>\nRCPT TO:<b@y>\nRCPT TO:<c@y>")
        await client.say("DATA")
        client.send("hi\r\n.\r\n")
        assert await client.reply() == "452 4.2.2 mailbox full"
        assert [await client.reply() for _ in "bc"] == ["250 2.0.0 ok"] * 2

    sink = with_sink("protocol lmtp\non final to full@*: reply 452 4.2.2 mailbox full", talk, "LHLO me")
    assert [message.recipients for message in sink.messages] == [("b@y", "c@y")]


@pytest.mark.parametrize("kind", ["log", "mbox", "maildir"])
def test_messages_are_stored(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    makers: dict[str, Callable[[Path], SinkStore]] = {"log": HashLog, "mbox": Mbox, "maildir": Maildir}
    data = "Received: by us\r\n\tat noon\r\nSubject: x\r\n\r\nFrom here\r\n"

    async def run() -> None:
        async with Sink("", keep=False, store=makers[kind](path)) as sink, visit(sink) as client:
            assert (await send_message(client, data)).startswith("250")
            assert sink.messages == []

    asyncio.run(run())
    if kind == "log":
        entry = json.loads(path.read_text())
        assert (entry["from"], entry["to"], entry["size"]) == ("a@from.example", ["b@to.example"], len(data))
        assert entry["sha256"] == content_hash(b"Subject: x\r\n\r\nFrom here\r\n")
    elif kind == "mbox":
        assert path.read_text().startswith("From a@from.example ")
        assert path.read_text().endswith("Subject: x\n\n>From here\n\n")
    else:
        [file] = (path / "new").iterdir()
        lines = "Return-Path: <a@from.example>\r\nDelivered-To: b@to.example\r\n"
        assert file.read_bytes().decode() == lines + data


def test_run_sink_serves_until_stopped_and_returns_what_came() -> None:
    async def run() -> None:
        stop = asyncio.Event()
        ready: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(run_sink(parse_script(""), port=0, on_ready=ready.set_result, stop=stop))
        client = Client(*await asyncio.open_connection(*await ready))
        assert (await client.reply()).startswith("220 sink.example ESMTP")
        await client.say("EHLO me")
        assert (await send_message(client)).startswith("250")
        stop.set()
        assert (await task).messages == 1
        client.close()

    asyncio.run(run())
