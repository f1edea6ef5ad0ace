"""What readers do is written down, within bounds."""

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from angarium.core.ids import MessageId
from angarium.core.metrics import Counters
from angarium.core.records import Fact
from angarium.engine.readers import MOST_OF_ONE, MOST_TEXT, WINDOW_S, ReaderFacts
from angarium.spool.port import Spool, SpoolError, Then
from angarium.testing.clock import ManualClock

ONE, OTHER = MessageId(bytes(16)), MessageId(bytes(15) + b"1")


class Noted:
    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.clock = ManualClock(1_900_000_000.0)
        self.counters = Counters()
        self.readers = ReaderFacts(cast("Spool", self), self.clock, self.counters)
        self.error: SpoolError | None = None

    def note(self, facts: Sequence[Fact], then: Then | None = None) -> None:
        if self.error is None:
            self.facts += facts
        if then is not None:
            asyncio.get_running_loop().call_soon(then, self.error)


def test_facts_are_handed_over_each_second() -> None:
    noted = Noted()
    noted.readers.note(("click", ONE, 2, 1), {"url": "https://a.test", "agent": "", "method": ""})
    assert noted.facts == []
    noted.readers.write()
    noted.readers.write()
    (fact,) = noted.facts
    assert (fact.kind, fact.message, fact.index, fact.fields) == ("click", ONE, 2, {"url": "https://a.test"})


def test_the_same_again_and_again_is_counted_and_left_out() -> None:
    noted = Noted()
    for _ in range(MOST_OF_ONE + 3):
        noted.readers.note(("open", ONE, 0, 0), {})
    noted.readers.note(("open", ONE, 1, 0), {})
    noted.readers.note(("open", OTHER, 0, 0), {})
    noted.readers.write()
    assert len(noted.facts) == MOST_OF_ONE + 2
    assert noted.counters.values["facts_left_out_total", "open"] == 3
    noted.clock.at += WINDOW_S + 1
    noted.readers.note(("open", ONE, 0, 0), {})
    noted.readers.write()
    assert len(noted.facts) == MOST_OF_ONE + 3


def test_what_a_stranger_says_is_cut() -> None:
    noted = Noted()
    noted.readers.note(("open", ONE, 0, 0), {"agent": "x" * 10_000})
    noted.readers.write()
    assert len(noted.facts[0].fields["agent"]) == MOST_TEXT


def test_what_something_follows_from_is_durable_or_told_not_to_be() -> None:
    noted, deed = Noted(), ("unsubscribe", ONE, 0, 0)
    noted.error = SpoolError("no room")
    with pytest.raises(SpoolError):
        asyncio.run(noted.readers.keep(deed, {}))
    noted.error = None
    asyncio.run(noted.readers.keep(deed, {}))
    assert [fact.kind for fact in noted.facts] == ["unsubscribe"]
