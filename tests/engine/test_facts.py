"""What anybody can make happen is written down within bounds, and of the rest how much it was."""

import asyncio
from collections.abc import Sequence
from typing import Any

from angarium.core.ids import new_id
from angarium.core.metrics import Counters
from angarium.core.records import FACT_FIELDS, Fact
from angarium.engine.facts import MOST_AT_ONCE, MOST_TEXT, PER_S, FactWriter
from angarium.spool.embedded import open_partition
from angarium.spool.files.reader import FileJournalReader
from angarium.testing.clock import ManualClock
from angarium.testing.disk import FailingDisk
from angarium.testing.spool import NOW, SMALL


class Notes:
    """A spool as far as facts are concerned."""

    def __init__(self) -> None:
        self.calls: list[list[Fact]] = []

    def note(self, facts: Sequence[Fact]) -> None:
        self.calls.append(list(facts))


def writer() -> tuple[FactWriter, Notes, Counters]:
    spool, counters = Notes(), Counters()
    return FactWriter(spool, ManualClock(NOW), counters), spool, counters  # type: ignore[arg-type]


def test_facts_of_a_second_are_written_together() -> None:
    facts, spool, _ = writer()
    facts.note("refusal", peer="192.0.2.1:4", reply="550 no", reason="")
    facts.note("login_failed", account=7, user="ann")
    assert spool.calls == []
    facts.sweep()
    facts.sweep()
    ((refusal, failed),) = spool.calls
    assert (refusal.kind, refusal.at, refusal.fields) == (
        "refusal",
        NOW,
        {"peer": "192.0.2.1:4", "reply": "550 no"},
    )
    assert (failed.kind, failed.account, failed.message) == ("login_failed", 7, None)
    assert refusal.id != failed.id


def test_of_an_attack_there_are_so_many_facts_and_the_number_of_the_others() -> None:
    facts, spool, counters = writer()
    for _ in range(10_000):
        facts.note("login_failed", user="x" * 5000)
    facts.sweep()
    (first,) = spool.calls
    assert [fact.kind for fact in first] == ["login_failed"] * MOST_AT_ONCE + ["left_out"]
    assert first[-1].fields == {"login_failed": 10_000 - MOST_AT_ONCE}
    assert set(first[-1].fields) <= set(FACT_FIELDS["left_out"])
    assert len(first[0].fields["user"]) == MOST_TEXT
    assert counters.values["facts_left_out_total", "login_failed"] == 10_000 - MOST_AT_ONCE
    for _ in range(1000):
        facts.note("refusal", reply="550 no")
    facts.sweep()
    assert len(spool.calls[-1]) == PER_S + 1


def test_a_disk_that_takes_nothing_costs_facts_and_no_memory(tmp_path: Any) -> None:
    disk = FailingDisk()

    async def story() -> None:
        spool = open_partition(tmp_path, asyncio.get_running_loop(), SMALL, disk)
        spool.recover()
        facts = FactWriter(spool, ManualClock(NOW), Counters())
        disk.dead = True
        for _ in range(100):
            facts.note("refusal", reply="550 no")
        facts.write()
        await spool.history(new_id(NOW))  # which waits for what came before it
        assert (spool.status().backlog, bool(spool.status().unwell)) == (0, True)
        disk.dead = False
        await spool.close()

    asyncio.run(story())
    disk.release()
    assert [fact for _, fact in FileJournalReader(tmp_path).facts()] == []
