"""A node at full speed is backed up; the backup becomes a second node, which delivers what the first one owed."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from angarium.backup.manifest import NAME
from angarium.spool.offline.check import check_spool
from angarium.testing.injector import Injector
from angarium.testing.kill import CONFIG, LARGE_BYTES, queued
from angarium.testing.ledger import Ledger, Letter
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.programs import run
from angarium.testing.sink import Sink

pytestmark = pytest.mark.process

DEFERRING = """
on rcpt to gone*: reply 550 5.1.1 no such user
on rcpt share 50%: reply 451 4.2.1 try later
"""
REFUSING = "on rcpt to gone*: reply 550 5.1.1 no such user"


class Load:
    """A node that takes mail as fast as it can, and delivers half of it."""

    def __init__(
        self, node: Node, ledger: Ledger, injector: Injector, injecting: "asyncio.Task[None]"
    ) -> None:
        self.node = node
        self.ledger = ledger
        self._injector = injector
        self._injecting = injecting

    async def acknowledged(self, count: int) -> list[Letter]:
        """Wait for so many letters more; return all that were acknowledged by then."""
        count += len(self._all())
        while len(found := self._all()) < count:
            self.ledger.changed.clear()
            await asyncio.wait_for(self.ledger.changed.wait(), 60)
        return found

    def _all(self) -> list[Letter]:
        return [letter for letter in self.ledger.letters if letter.answer == "acknowledged"]

    async def stop(self) -> None:
        """The machine is gone."""
        self._injector.stop()
        await self._injecting
        await asyncio.to_thread(self.node.kill)


@asynccontextmanager
async def loaded(ledger: Ledger) -> AsyncIterator[Load]:
    async with Sink(DEFERRING, keep=False, on_message=ledger.arrive) as sink:
        node = await asyncio.to_thread(Node, CONFIG % sink.address[1])
        try:
            address = ("127.0.0.1", node.smtp_port)
            injector = Injector(address, ledger, Random(7), large_bytes=LARGE_BYTES, most=100_000)
            load = Load(node, ledger, injector, asyncio.create_task(injector.run(8)))
            yield load
        finally:
            await asyncio.to_thread(node.close)


def backup(node: Node, target: Path) -> Any:
    return node.cli("backup", str(target), "--config", str(node.config_file))


def restored(source: Path, folder: Path, *options: str) -> Any:
    return json.loads(run([ANGARIUM, "restore", source, *options, "--data", folder / "data", "--json"]))


async def second_node(folder: Path, ledger: Ledger, act: Callable[[Node], Awaitable[None]]) -> None:
    """Run a node on what was restored, and have *act* done with it."""
    async with Sink(REFUSING, keep=False, on_message=ledger.arrive) as sink:
        node = await asyncio.to_thread(lambda: Node(CONFIG % sink.address[1], folder=folder))
        try:
            await act(node)
        finally:
            await asyncio.to_thread(node.close)


async def all_arrived(node: Node, letters: list[Letter]) -> None:
    """Wait until nothing waits, and who fails has been reported: a report is made some seconds after its cause."""

    def is_done() -> bool:
        return queued(node) == 0 and not owed(letters)

    await asyncio.to_thread(node.program.wait_until, is_done, "the last mail or report", 120.0)


def owed(letters: list[Letter]) -> list[tuple[int, str]]:
    """Return who of *letters* has neither got them nor been reported."""
    return [(each.number, to) for each in letters for to in each.recipients if to not in each.arrived]


def test_what_was_acknowledged_before_the_backup_began_is_in_it(tmp_path: Path) -> None:
    async def drill() -> None:
        ledger = Ledger()
        async with loaded(ledger) as load:
            for number in range(3):
                letters = await load.acknowledged(300)
                told = await asyncio.to_thread(backup, load.node, tmp_path / f"b{number}")
                assert told["running"]
            await load.acknowledged(50)  # the node goes on
            await load.stop()
            first = {name: dict(letter.arrived) for name, letter in enumerate(ledger.letters)}
        told = await asyncio.to_thread(restored, tmp_path / "b2", tmp_path / "second", "--send")
        assert (told["problems"], told["held"]) == ([], 0)
        assert told["recipients"] >= len(owed(letters))
        await second_node(tmp_path / "second", ledger, lambda node: all_arrived(node, letters))
        assert (owed(letters), ledger.wrong) == ([], [])
        doubled = sum(
            min(count, first[letter.number].get(to, 0))
            for letter in ledger.letters
            for to, count in letter.arrived.items()
            if count > first[letter.number].get(to, 0)
        )
        assert doubled <= told["recipients"]

    asyncio.run(drill())


def test_restored_mail_is_held_until_somebody_has_looked(tmp_path: Path) -> None:
    async def look_and_release(node: Node) -> None:
        ledger = looked["ledger"]
        before = ledger.outstanding
        totals = await asyncio.to_thread(lambda: node.cli("queue")["totals"])
        assert totals["held"] == looked["told"]["held"]
        assert (totals["active"], totals["delayed"], totals["in_flight"]) == (0, 0, 0)
        assert ledger.outstanding == before
        await asyncio.to_thread(node.cli, "release", "--all", "--yes")
        await all_arrived(node, looked["letters"])

    looked: dict[str, Any] = {"ledger": Ledger()}

    async def drill() -> None:
        async with loaded(looked["ledger"]) as load:
            looked["letters"] = await load.acknowledged(300)
            await asyncio.to_thread(backup, load.node, tmp_path / "b")
            await load.stop()
        looked["told"] = await asyncio.to_thread(restored, tmp_path / "b", tmp_path / "second")
        assert looked["told"]["held"] == looked["told"]["recipients"] > 0
        await second_node(tmp_path / "second", looked["ledger"], look_and_release)
        assert (owed(looked["letters"]), looked["ledger"].wrong) == ([], [])

    asyncio.run(drill())


def test_a_backup_that_is_killed_leaves_none_and_holds_nothing(tmp_path: Path) -> None:
    target = tmp_path / "b"
    arguments = [ANGARIUM, "backup", target, "--rate", "0.05", "--data"]

    async def drill() -> None:
        async with loaded(Ledger()) as load:
            await load.acknowledged(300)
            program = await asyncio.to_thread(subprocess.Popen, [*arguments, load.node.data])
            pins = [load.node.data / f"spool/p{number}/cursors" for number in range(2)]
            await asyncio.to_thread(
                load.node.program.wait_until,
                lambda: any((tmp_path / "b.unfinished").rglob("*.seg")),
                "a segment copied",
            )
            assert all(list(folder.glob("*.pin")) for folder in pins)
            os.kill(program.pid, signal.SIGKILL)
            program.wait()
            assert not target.exists()
            assert not (tmp_path / "b.unfinished" / NAME).exists()
            await asyncio.to_thread(
                load.node.program.wait_until,
                lambda: not any(list(folder.glob("*.pin")) for folder in pins),
                "the next segment, with which the writer takes the pin away",
            )
            again = await asyncio.to_thread(backup, load.node, target)
            assert again["files"] > 0
            assert not (tmp_path / "b.unfinished").exists()
            await load.stop()

    asyncio.run(drill())


def test_in_a_folder_that_could_not_be_restored_no_node_begins(tmp_path: Path) -> None:
    async def drill() -> None:
        async with loaded(Ledger()) as load:
            await load.acknowledged(100)
            await asyncio.to_thread(backup, load.node, tmp_path / "b")
            await load.stop()

    asyncio.run(drill())
    (broken,) = (tmp_path / "b/data/spool/p0").glob("settled.db")
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    data = tmp_path / "second/data"
    refused = subprocess.run(
        [ANGARIUM, "restore", tmp_path / "b", "--data", data], capture_output=True, text=True, check=False
    )
    assert (refused.returncode, "is not as it was written" in refused.stderr) == (1, True)
    started = subprocess.run([ANGARIUM, "serve", "--data", data], capture_output=True, text=True, check=False)
    assert (started.returncode, "has not finished" in started.stderr) == (1, True)
    broken.write_bytes(whole)
    restored(tmp_path / "b", tmp_path / "second")
    assert [found.problems for found in check_spool(data / "spool")] == [[], []]
