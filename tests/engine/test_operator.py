"""What an operator asks for concerns all mail that waits, wherever it is at the moment, and is told in one line."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from angarium.config.load import parse_config
from angarium.core.ids import format_id
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.operations import ActArgs, Action, Changed, SelectionArgs
from angarium.engine.engine import Engine
from angarium.spool.embedded import open_partition
from angarium.spool.partition import Partition
from angarium.spool.port import Selection
from angarium.spool.settings import SpoolSettings
from angarium.testing.clock import ManualClock
from angarium.testing.engine import NoWay, engine_on
from angarium.testing.log import kept_log, records_of
from angarium.testing.programs import PATIENCE_S
from angarium.testing.spool import NOW, SpoolDriver, make_message

SETTINGS = replace(SpoolSettings(), segment_bytes=4 << 20, min_free_bytes=0, write_delay_s=1000.0)
MANY = 3000
LATER = NOW + 1_000_000


class House:
    """A worker's spool and scheduler, and who commands them."""

    def __init__(self, engine: Engine, routes: NoWay, clock: ManualClock, log: Log) -> None:
        self.engine = engine
        self.routes = routes
        self.clock = clock
        self.log = log
        self.spool = engine.spool
        self.operator = engine.operator
        self.told: list[int] = []

    @classmethod
    async def on(cls, spool: Partition, most: int = 200) -> "House":
        """Build one on *spool* that has *most* recipients in memory."""
        config = parse_config(f'Max_Resident_Messages = {most}\nBinding "other" {{}}')
        routes, clock, log = NoWay(), ManualClock(LATER), kept_log()
        engine = await engine_on(spool, config, clock, log, Counters(), routes)
        return cls(engine, routes, clock, log)

    async def act(self, action: Action, selection: SelectionArgs | None = None, **more: Any) -> Changed:
        """Carry *action* out on what *selection* names, or all; *more* as in ActArgs."""
        asked = ActArgs(action, SelectionArgs() if selection is None else selection, **more)
        return await self.operator.act(asked, self.told.append)

    async def fill(self, number: int = MANY) -> None:
        """Settle mail that is due, and wait until some of it is in memory again."""
        message = make_message(*["a.example", "b.example"] * (number // 2))
        recipients = await SpoolDriver(self.spool).take(message, b"body")
        assert await SpoolDriver(self.spool).settle(*recipients) is None
        while self.engine.scheduler.census.resident < 10:
            self.engine.sweeper.sweep()
            await asyncio.sleep(0.001)

    async def work(self) -> None:
        """Carry out at every turn what the scheduler wants, as a worker with other mail does."""
        while True:
            self.engine.sweeper.sweep()
            await asyncio.sleep(0)


def play(folder: Path, story: Callable[[House], Awaitable[None]]) -> None:
    """Play *story* on a fresh spool."""

    async def run() -> None:
        spool = open_partition(folder / "partition", asyncio.get_running_loop(), SETTINGS)
        spool.recover()
        async with asyncio.timeout(PATIENCE_S):
            await story(await House.on(spool))
        await spool.close()

    asyncio.run(run())


def test_mail_that_was_put_off_a_moment_ago_is_held(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        (recipient,) = await SpoolDriver(house.spool).take(make_message(), b"body")
        house.spool.settle([recipient])
        result = await house.act("hold")
        assert result == Changed(1, 0)

    play(tmp_path, story)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("action", "left"),
    [
        ("hold", (Selection(state="queued"), 0)),
        ("rebind", (Selection(binding="default"), 0)),
        ("reroute", (Selection(domain="b.example"), 0)),
        ("fail", (Selection(), 0)),
    ],
)
def test_mail_that_falls_due_meanwhile_is_not_missed(tmp_path: Path, action: Any, left: Any) -> None:
    """What is due comes into memory, where only the beginning of the command looks."""

    async def story(house: House) -> None:
        await house.fill()
        work = asyncio.ensure_future(house.work())
        target = {"rebind": "other", "reroute": "a.example"}.get(action, "")
        result = await house.act(action, target=target, quiet=True)
        work.cancel()
        assert result == Changed(MANY, 0)
        selection, number = left
        resident, _ = house.engine.scheduler.census.count(selection)
        assert resident + await house.spool.count(selection) == number

    play(tmp_path, story)


@pytest.mark.parametrize("action", get_args(Action))
def test_the_log_has_one_line_for_all(tmp_path: Path, action: Any) -> None:
    async def story(house: House) -> None:
        await house.fill(100)
        if action == "release":
            await house.act("hold")
        before = len(records_of(house.log))
        target = {"rebind": "other", "reroute": "c.example"}.get(action, "")
        await house.act(action, SelectionArgs(binding="default"), target=target, note="why", quiet=True)
        (line,) = records_of(house.log)[before:]
        assert (line["event"], line["action"], line["changed"]) == ("changed", action, 100)
        assert (line["binding"], line["domain"], line["note"]) == ("default", None, "why")

    play(tmp_path, story)


def test_every_recipient_has_its_event(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        message = make_message("a.example", "b.example")
        first, second = await SpoolDriver(house.spool).take(message, b"body")
        assert await SpoolDriver(house.spool).settle(first) is None
        house.engine.acceptance.add([second])
        await house.act("hold", note="why")
        _, events = await house.spool.history(message.id)
        assert sorted((each.index, each.type, each.note) for each in events) == [
            (0, "held", "why"),
            (1, "held", "why"),
        ]

    play(tmp_path, story)


def test_progress_is_told_and_other_work_has_its_turn_meanwhile(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        await house.fill()
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        work = asyncio.ensure_future(others())
        await house.act("hold")
        work.cancel()
        assert house.told == sorted(house.told)
        assert len(house.told) > MANY // 1000
        assert house.told[-1] == MANY
        assert turns > MANY // 200

    play(tmp_path, story)


def test_one_command_is_carried_out_after_the_other(tmp_path: Path) -> None:
    """The second would not find what the first is just changing."""

    async def story(house: House) -> None:
        await house.fill()
        held, failed = await asyncio.gather(house.act("hold"), house.act("fail", quiet=True))
        assert (held.changed, failed.changed) == (MANY, MANY)
        assert await house.spool.count(Selection()) == 0

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("action", "selection", "asked"),
    [
        ("flush", {}, [()]),
        ("flush", {"binding": "default"}, [()]),
        ("flush", {"domain": "to.example"}, [("to.example",)]),
        ("flush", {"message": True}, [("to.example",)]),
        ("flush", {"message": False}, []),
        ("release", {"domain": "to.example"}, [("to.example",)]),
        ("hold", {}, []),
    ],
)
def test_what_is_to_be_tried_at_once_is_looked_up_anew(
    tmp_path: Path, action: Any, selection: dict[str, Any], asked: list[tuple[str, ...]]
) -> None:
    async def story(house: House) -> None:
        (recipient,) = await SpoolDriver(house.spool).take(make_message(), b"body")
        if "message" in selection:
            selection["message"] = format_id(recipient.message.id if selection["message"] else bytes(16))
        house.spool.settle([recipient])
        await house.act(action, SelectionArgs(**selection))
        assert house.routes.forgotten == asked

    play(tmp_path, story)


@pytest.mark.parametrize("action", get_args(Action))
def test_mail_to_this_node_is_sent_by_no_action_and_can_only_be_failed(
    tmp_path: Path, action: Action
) -> None:
    async def story(house: House) -> None:
        entered = asyncio.get_running_loop().create_future()
        house.engine.acceptance.enter(make_message(fate="feedback"), b"bounced", entered.set_result)
        assert await entered is None
        target = {"rebind": "other", "reroute": "b.example"}.get(action, "")
        changed = await house.act(action, target=target)
        assert changed.changed == (action == "fail")
        assert await house.spool.count(Selection(state="held")) == (action != "fail")
        assert house.engine.scheduler.census.resident == 0

    play(tmp_path, story)
