"""Whether an event store has all that the journals of a node say, each once."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from angarium.core.ids import format_id
from angarium.core.records import Event, Fact
from angarium.events.catalogue import kind_of
from angarium.events.port import EventStore, Happening, Whose
from angarium.query.nodes import Everything
from angarium.spool.files.cursors import read_cursors
from angarium.spool.files.reader import FileJournalReader
from angarium.spool.port import JournalEntry

READER: Final = "drill"
RECORDER: Final = "recorder"
_PAGE = 10_000
_SHOWN = 20


class Happened(NamedTuple):
    """One thing that has happened, as a journal and the event store both tell it."""

    type: str
    at: float
    message: str
    place: int


Key = tuple[object, ...]
"""What tells an entry of a journal from all others; said twice, it is one."""


class JournalBooks:
    """What the journals of the partitions in *folder* say, read beside the node's own recorder, and apart from it.

    Call `read` before there is any mail, and then often: what has been read the node may forget.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._readers: dict[Path, FileJournalReader] = {}
        self._places: dict[Path, int] = {}
        self._said: dict[Key, Happened] = {}
        self.wrong: list[str] = []

    def read(self) -> None:
        """Read on. Blocks. Raises OSError."""
        for journal in sorted(self._folder.glob("p*/journal")):
            path = journal.parent
            if path not in self._readers:
                self._readers[path] = FileJournalReader(path)
                self._places[path] = -1
            before = self._places[path]
            for entry in self._readers[path].entries(before):
                self._take(entry)
                self._places[path] = entry.position
            if before < 0 or self._places[path] != before:
                self._readers[path].commit(READER, self._places[path])

    def _take(self, entry: JournalEntry) -> None:
        for key, said in _said(entry):
            if self._said.setdefault(key, said) != said:
                self.wrong.append(f"two entries of a journal are told as one: {self._said[key]} and {said}")

    def __len__(self) -> int:
        """How many entries have been read."""
        return len(self._said)

    def unread(self) -> list[str]:
        """Say what the recorder of a node that has stopped has left in the journals."""
        left = {
            path.name: sum(1 for _ in reader.entries(read_cursors(path / "cursors").get(RECORDER, -1)))
            for path, reader in self._readers.items()
        }
        return [f"unread: {count} entries of the journal of {name}" for name, count in left.items() if count]

    def said(self) -> Counter[Happened]:
        """Return what they have said so far."""
        return Counter(self._said.values())


async def keep_reading(journals: JournalBooks, every_s: float) -> None:
    """Read on every so many seconds, until cancelled."""
    while True:
        await asyncio.to_thread(journals.read)
        await asyncio.sleep(every_s)


def _said(entry: JournalEntry) -> Iterator[tuple[Key, Happened]]:
    if entry.message is not None:
        message = entry.message
        yield ("received", message.id), Happened("received", message.received_at, format_id(message.id), -1)
    elif entry.event is not None:
        event: Event = entry.event
        yield (
            ("event", event.message, event.index, event.seq),
            Happened(event.type, event.at, format_id(event.message), event.index),
        )
    elif entry.fact is not None:
        fact: Fact = entry.fact
        about = "" if fact.message is None else format_id(fact.message)
        yield ("fact", fact.id), Happened(kind_of(fact.kind).name, fact.at, about, max(-1, fact.index))


def stored(store: EventStore) -> Counter[Happened]:
    """Return all that *store* has. Raises EventStoreError."""
    found: Counter[Happened] = Counter()
    last = 0
    while page := store.log(Everything(), Whose(), after=last, limit=_PAGE):
        found.update(_said_again(each) for each in page)
        last = page[-1].number
    return found


def _said_again(each: Happening) -> Happened:
    return Happened(each.type, each.at, each.message or "", -1 if each.index is None else each.index)


def differences(said: Counter[Happened], found: Counter[Happened]) -> list[str]:
    """Say what the store lacks, has twice, or has without anybody having said it."""
    wrong = [f"not recorded: {each}" for each in (said - found).elements()]
    wrong += [f"recorded twice: {each}" for each in (found - said).elements() if each in said]
    wrong += [f"recorded, and never said: {each}" for each in (found - said).elements() if each not in said]
    more = [f"… and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
    return wrong[:_SHOWN] + more
