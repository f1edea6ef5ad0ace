"""Mail to the node from the worker's journal to facts and its end: each once, whoever is killed when."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from angarium.config.load import parse_config
from angarium.core.ids import MessageId, format_id, new_id
from angarium.core.metrics import Counters
from angarium.core.records import Fact, ForwardPath, Message
from angarium.engine.engine import Engine
from angarium.engine.to_us import ReadMail
from angarium.events.port import Happening, Whose
from angarium.events.sqlite.store import SqliteEventStore
from angarium.feedback.matching import facts_of
from angarium.node.link import LinkLost
from angarium.node.recorder.desk import MOST, MOST_BYTES, FeedbackDesk
from angarium.node.recorder.mailings import StoredMailings
from angarium.node.recorder.recorder import JournalRecorder
from angarium.query.nodes import Everything
from angarium.render.return_path import SignedReturnPaths
from angarium.spool.embedded import open_partition
from angarium.spool.files.reader import FileJournalReader
from angarium.spool.port import Selection
from angarium.spool.settings import SpoolSettings
from angarium.testing.clock import ManualClock
from angarium.testing.engine import NoWay, engine_on
from angarium.testing.log import kept_log
from angarium.testing.programs import PATIENCE_S
from angarium.testing.spool import NOW, make_message

SETTINGS = replace(SpoolSettings(), segment_bytes=4 << 20, min_free_bytes=0)
RETURNS = SignedReturnPaths(lambda: (b"k" * 32,))
DSN = (
    b"From: MAILER-DAEMON@far.test\r\nSubject: failed\r\nContent-Type: multipart/report;"
    b' report-type=delivery-status; boundary="b"\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n'
    b"Reporting-MTA: dns; far.test\r\n\r\nFinal-Recipient: rfc822; r0@a.example\r\nAction: failed\r\n"
    b"Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n--b--\r\n"
)


class Place:
    """A worker with one partition, and a recorder beside it; both can be killed."""

    def __init__(self, folder: Path, engine: Engine, clock: ManualClock, rng: random.Random) -> None:
        self.folder = folder
        self.engine = engine
        self.clock = clock
        self.rng = rng
        self.loses_answers = False
        self.is_away = False
        self.sent: list[MessageId] = []
        self.store = SqliteEventStore(folder / "events")
        self.begin()

    def begin(self) -> None:
        """Start the recorder, anew when it was there: what it had in memory is lost."""
        reader = partial(facts_of, returns=RETURNS, mailings=StoredMailings(self.store, self.clock))
        self.desk = FeedbackDesk(reader, self.end, self.clock)
        self.recorder = JournalRecorder(self.folder / "spool", self.store, self.clock, desk=self.desk)

    def end(self, read: list[ReadMail]) -> "Future[list[MessageId]]":
        """What the supervisor does, over a link that loses answers."""
        return asyncio.run_coroutine_threadsafe(self._end(read), asyncio.get_running_loop())

    async def _end(self, read: list[ReadMail]) -> list[MessageId]:
        if self.is_away:
            raise LinkLost("not running")
        copied = msgspec.convert(msgspec.msgpack.decode(msgspec.msgpack.encode(read)), list[ReadMail])
        ended = await self.engine.to_us.end(copied)
        if self.loses_answers and self.rng.random() < 0.5:
            raise LinkLost("the process that was asked has gone")
        return ended

    async def enter(self, message: Message, body: bytes) -> None:
        entered = asyncio.get_running_loop().create_future()
        self.engine.acceptance.enter(message, body, entered.set_result)
        assert await entered is None

    async def send(self) -> MessageId:
        """Have a mail accepted, and its bounce after it."""
        message = msgspec.structs.replace(make_message("a.example"), id=MessageId(new_id(self.clock.now())))
        await self.enter(message, b"Subject: x\r\n\r\nx\r\n")
        self.sent.append(message.id)
        await self.come_back(RETURNS.address("bounce", message.id, 0, "back.test"))
        return message.id

    async def come_back(self, to: str, text: bytes = DSN) -> MessageId:
        """Have mail to this node accepted."""
        path = ForwardPath(address=to, domain="back.test")
        mail = make_message("back.test", fate="feedback")
        mail = msgspec.structs.replace(
            mail, id=MessageId(new_id(self.clock.now())), recipients=(path,), received_at=self.clock.now()
        )
        await self.enter(mail, text)
        return mail.id

    async def work(self, until: Callable[[], bool]) -> None:
        """Have the recorder go on until all is as it should be."""
        while not until():
            self.clock.at += 1
            self.recorder.step()
            await asyncio.sleep(0.001)  # the spool's threads have their turn

    def happened(self, message: MessageId) -> list[Happening]:
        timeline = self.store.timeline(message, Whose())
        return [] if timeline is None else timeline.happenings

    def told(self) -> Counter[str]:
        return Counter(each.type for each in self.store.latest(Everything(), Whose(), limit=10_000))

    async def open(self) -> int:
        return await self.engine.spool.count(Selection(state="held"))


def play(folder: Path, story: Callable[[Place], Awaitable[None]], seed: int = 1) -> None:
    async def run() -> None:
        spool = open_partition(folder / "spool/partition", asyncio.get_running_loop(), SETTINGS)
        spool.recover()
        clock = ManualClock(NOW)
        engine = await engine_on(spool, parse_config(""), clock, kept_log(), Counters(), NoWay())
        async with asyncio.timeout(PATIENCE_S):
            await story(Place(folder, engine, clock, random.Random(seed)))
        await spool.close()

    asyncio.run(run())


def test_a_bounce_becomes_a_fact_in_the_journal_and_has_ended(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        message = await place.send()
        await place.work(lambda: any(each.type == "late_bounce" for each in place.happened(message)))
        (bounce,) = [each for each in place.happened(message) if each.type == "late_bounce"]
        assert (bounce.index, bounce.reply) == (0, "550 5.1.1 no such user")
        assert len(place.desk) == 0
        mail = MessageId(bytes.fromhex(bounce.details["mail"]))
        assert place.store.timeline(mail, Whose()) is None  # it is no mail that was sent
        _, events = await place.engine.spool.history(mail)
        assert [(each.type, each.state, each.note) for each in events] == [
            ("read", "delivered", "late_bounce")
        ]
        assert await place.open() == 0

    play(tmp_path, story)


def test_what_says_nothing_ends_in_a_fact_too(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        await place.come_back("fbl@back.test", b"\xff\x00 no mail at all")
        await place.work(lambda: place.told()["feedback"] == 1)
        assert await place.open() == 0

    play(tmp_path, story)


def test_a_message_that_was_made_up_is_looked_for_in_no_day(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        text = (
            b"From: MAILER-DAEMON@x.test\r\nSubject: failed\r\n\r\nReceived: by x id " + b"f" * 32 + b"\r\n"
        )
        await place.come_back("fbl@back.test", text)
        await place.work(lambda: place.told()["feedback"] == 1)
        assert place.recorder.status.error == ""

    play(tmp_path, story)


def test_mail_that_has_not_ended_holds_its_journal(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        place.is_away = True
        message = await place.send()
        for _ in range(40):
            place.clock.at += 1
            place.recorder.step()
            await asyncio.sleep(0)
        assert len(place.desk) == 1
        place.begin()  # killed: all that it knew of the bounce is in the journal
        place.is_away = False
        await place.work(lambda: any(each.type == "late_bounce" for each in place.happened(message)))
        await place.work(lambda: len(place.desk) == 0)

    play(tmp_path, story)


def test_the_desk_holds_so_much_text_and_so_many_mails() -> None:
    """A journal full of large ones is read no faster than they are."""
    asked: list[Future[list[MessageId]]] = []

    def end(read: list[ReadMail]) -> "Future[list[MessageId]]":
        asked.append(Future())
        return asked[-1]

    desk = FeedbackDesk(lambda message, text: [], end, ManualClock(NOW))
    body, mails = b"x" * (MOST_BYTES // 4), [make_message(fate="feedback") for _ in range(MOST)]
    for number, mail in enumerate(mails[:4]):
        assert not desk.is_full
        desk.came(desk, number, mail, body)
    assert desk.is_full
    assert desk.work()  # they are read, and what is left of them is small
    assert not desk.is_full
    for number, mail in enumerate(mails[4:], 4):
        desk.came(desk, number, mail, b"")
    assert desk.is_full
    assert desk.before(desk) == 0
    asked[0].set_result([mail.id for mail in mails[:4]])
    assert desk.work()
    assert (desk.is_full, desk.before(desk), len(desk)) == (False, 4, MOST - 4)


def test_told_twice_it_happens_once(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        mail = await place.come_back("fbl@back.test")
        read = ReadMail(mail, [Fact(kind="feedback", id=b"i" * 16, at=NOW)])
        ended: list[MessageId] = []
        while not ended:  # it may be on its way to the settled store
            ended = await place.engine.to_us.end([read])
        assert await place.engine.to_us.end([read]) == [mail]
        unknown = ReadMail(MessageId(new_id(NOW)), [])
        assert await place.engine.to_us.end([unknown]) == []
        await place.work(lambda: place.told()["feedback"] > 0)
        entries = FileJournalReader(place.folder / "spool/partition").entries()
        kinds = [entry.kind for entry in entries if entry.fact or entry.event]
        assert kinds == ["fact", "event"]  # the fact before the end

    play(tmp_path, story)


@pytest.mark.parametrize("seed", range(6))
def test_each_bounce_is_told_once_whoever_is_killed_when(tmp_path: Path, seed: int) -> None:
    async def story(place: Place) -> None:
        place.loses_answers = True
        for _ in range(12):
            for _ in range(place.rng.randrange(4)):
                await place.send()
            for _ in range(place.rng.randrange(5)):
                place.clock.at += place.rng.choice((0.1, 1, 11))
                place.recorder.step()
                await asyncio.sleep(place.rng.choice((0, 0.001)))
            place.is_away = place.rng.random() < 0.3
            if place.rng.random() < 0.5:
                place.begin()
        place.is_away = place.loses_answers = False
        await place.work(lambda: place.told()["late_bounce"] >= len(place.sent) and len(place.desk) == 0)
        place.begin()  # once more from where it was kept: nothing comes twice
        for _ in range(20):
            place.clock.at += 1
            place.recorder.step()
            await asyncio.sleep(0.001)
        assert len(place.desk) == 0
        assert await place.open() == 0
        counts: dict[str, Any] = {
            format_id(message): Counter(each.type for each in place.happened(message))["late_bounce"]
            for message in place.sent
        }
        assert set(counts.values()) <= {1}
        assert len(counts) == len(place.sent) > 0

    play(tmp_path, story, seed)
