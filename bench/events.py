"""The event store under a month of mail: how fast it takes it, how much it keeps, and how long questions take.

Run: `.venv/bin/python -m bench.events [--events 10000000]`. The month is made up (`bench.mailings`), always the same;
it comes as a journal's bytes, so that reading, decoding and summarising are in the figures. What making it up costs is
not. Ctrl-C ends the month early: what was taken until then is asked.
"""

import argparse
import gc
import itertools
import json
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from angarium.core.clock import SystemClock
from angarium.core.ids import MessageId
from angarium.events.fields import MAIL
from angarium.events.port import FoundMail, Whose
from angarium.events.sqlite.store import SqliteEventStore
from angarium.node.recorder.judge import reason_of
from angarium.node.recorder.recorder import JournalRecorder
from angarium.query.parser import parse
from angarium.query.values import Now
from angarium.spool.codec import MAX_OFFSET
from angarium.spool.codec import Record as Found
from angarium.spool.files.reader import FileJournalReader
from angarium.spool.files.scan import Scan
from bench.mailings import DAY_S, GENERATION_SALT, START, Mix, Month, segment_of

PER_MESSAGE = 5
SEGMENT = 20_000
QUESTIONS = 60
ALL = Whose()


class MemoryJournal(FileJournalReader):
    """A journal of one segment in memory, read as one on disk is."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))
        self.data = b""
        self.generation = 0

    def hold(self, data: bytes) -> None:
        """Have another segment."""
        self.data = data
        self.generation += 1

    def entries(self, after: int = -1) -> Iterator[Any]:
        """See `JournalReader.entries`."""
        base, data = self.generation << 32, self.data
        scan = Scan(lambda offset, size: data[offset : offset + size], self.generation, GENERATION_SALT)
        for found in scan.read(after & MAX_OFFSET if after > base else 0, len(data)):
            if isinstance(found, Found) and base + found.offset > after:
                entry = self._entry(found, base + found.offset)
                if entry is not None:
                    yield entry

    def commit(self, name: str, place: int) -> None:
        """See `JournalReader.commit`."""


def main() -> None:
    """Take, ask, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.events", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="about so many (default 200,000)")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--single", action="store_true", help="one recipient a message")
    parser.add_argument("--body", type=int, default=10_000, help="bytes of a message (default 10,000)")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    options = parser.parse_args()
    mix = Mix(options.events // PER_MESSAGE, options.days, not options.single, options.body)
    folder = Path(tempfile.mkdtemp(prefix="angarium-bench-events-", dir=options.folder))
    gc.set_threshold(50_000, 20, 50)
    try:
        print(json.dumps(measure(mix, folder), indent=1))
    finally:
        shutil.rmtree(folder)


def measure(mix: Mix, folder: Path) -> dict[str, Any]:
    """Return all figures; the keys carry the units."""
    store = SqliteEventStore(folder / "events", reason_of)
    journal = MemoryJournal()
    recorder = JournalRecorder(folder / "spool", store, SystemClock())
    recorder.follow(Path("p0"), journal, -1)
    month = Month(mix)
    figures = take(month.records(), journal, recorder, mix)
    store.close()  # what is in the logs of SQLite goes into the files
    figures["bytes_per_event"] = round(sum(store.sizes().values()) / figures["events"], 1)
    figures["gigabytes"] = round(sum(store.sizes().values()) / 1e9, 2)
    asking = Asking(store, month)
    figures["ms_p50_p95"] = asking.all()
    figures["ms_p50_p95_while_taking"] = while_taking(asking, store, mix)
    store.close()
    return figures


def take(
    records: Iterator[Any], journal: MemoryJournal, recorder: JournalRecorder, mix: Mix
) -> dict[str, Any]:
    """Have all taken; return rates. Each segment is made first, and its making not counted."""
    cpu = wall = 0.0
    count = 0
    by_part: list[float] = []
    ended = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: ended.set())
    while not ended.is_set() and (chunk := list(itertools.islice(records, SEGMENT))):
        journal.hold(segment_of(chunk, journal.generation + 1))
        count += len(chunk)
        began, busy = time.perf_counter(), time.thread_time()
        while recorder.step():
            pass
        if recorder.status.error:
            raise RuntimeError(recorder.status.error)
        spent = time.thread_time() - busy
        cpu, wall = cpu + spent, wall + time.perf_counter() - began
        by_part.append(spent / len(chunk) * 1e6)
        print(f"\r{count:,} events, {cpu / count * 1e6:.1f} µs each ", end="", file=sys.stderr, flush=True)
    signal.signal(signal.SIGINT, before)
    recorder.keep()
    print(file=sys.stderr)
    tenth = max(1, len(by_part) // 10)
    return {
        "events": count,
        "messages": mix.messages,
        "events_per_s": round(count / wall),
        "cpu_us_per_event": round(cpu / count * 1e6, 1),
        "cpu_us_first_tenth": round(statistics.median(by_part[:tenth]), 1),
        "cpu_us_last_tenth": round(statistics.median(by_part[-tenth:]), 1),
    }


class Asking:
    """Questions that people ask, with words that there are."""

    def __init__(self, store: SqliteEventStore, month: Month) -> None:
        self._store = store
        self._rng = random.Random(7)
        self._now = Now(START + len(store.sizes()) * DAY_S)
        self._month = month
        self._known = self._sample()

    def _sample(self) -> list[FoundMail]:
        found: list[FoundMail] = []
        for date in self._store.sizes():
            found += self._store.search(parse(f"date:{date}", MAIL, self._now), ALL, limit=40).found
        return found

    def all(self) -> dict[str, list[float]]:
        """Return median and 95th percentile of each question, in milliseconds."""
        return {name: self.times(ask) for name, ask in self.questions().items()}

    def times(self, ask: Callable[[], object]) -> list[float]:
        """Return the two figures of one question."""
        spent: list[float] = []
        for _ in range(QUESTIONS):
            began = time.perf_counter()
            ask()
            spent.append((time.perf_counter() - began) * 1000)
        spent.sort()
        return [round(statistics.median(spent), 2), round(spent[int(len(spent) * 0.95)], 2)]

    def questions(self) -> dict[str, Callable[[], object]]:
        """Return what is asked, by name."""
        return {
            "timeline of a message": lambda: self._store.timeline(
                MessageId(bytes.fromhex(self._mail().message)), ALL
            ),
            "all mail to one recipient": lambda: self._find(f"to:{self._mail().address}"),
            "two subject words and domain, 7 days": lambda: self._find(
                f"date:7d AND subject:{self._word()} AND subject:{self._word()} AND domain:{self._mail().domain}"
            ),
            "order number": lambda: self._find(
                f"subject:{self._rng.randrange(4_000_000, 4_000_000 + self._month.mix.messages)}"
            ),
            "word that never occurs": lambda: self._find(f"xyzzy{self._rng.randrange(1000)}"),
            "bare word": lambda: self._find(self._word()),
            "prefix": lambda: self._find(f"subject:{self._word()[:5]}*"),
            "phrase": lambda: self._find('subject:"{}"'.format(" ".join(self._mail().subject.split()[:2]))),
            "word in replies": lambda: self._find("reply:greylisted"),
            "bounced with a tag": lambda: self._find(f"status:bounced tag:{self._mail().tags[0]}"),
            "bounced and tagged": lambda: self._find(f"status:bounced AND tag:{self._mail().tags[0]}"),
            "newest of an account": lambda: self._find("", Whose(account=self._mail().account)),
            "newest of a stream": lambda: self._find(f"stream:{self._mail().stream}"),
            "log, 1,000 from a place": self._log,
        }

    def _find(self, query: str, scope: Whose = ALL) -> None:
        self._store.search(parse(query, MAIL, self._now), scope, limit=50)

    def _log(self) -> None:
        after = self._rng.randrange(max(1, self._store.last()))
        self._store.log(parse("", MAIL, self._now), ALL, after=after, limit=1000)

    def _mail(self) -> FoundMail:
        return self._rng.choice(self._known)

    def _word(self) -> str:
        return self._rng.choices(self._month.vocabulary, cum_weights=self._month.words)[0]


def while_taking(asking: Asking, store: SqliteEventStore, mix: Mix) -> dict[str, list[float]]:
    """Ask while a thread of the same process takes more mail of the last day, as the recorder does."""
    ended = threading.Event()
    more = Month(mix._replace(messages=max(1000, mix.messages // 10), days=1, seed=2))

    def work() -> None:
        journal = MemoryJournal()
        recorder = JournalRecorder(store.folder, store, SystemClock())
        recorder.follow(Path("p1"), journal, -1)
        records = more.records()
        while not ended.is_set() and (chunk := list(itertools.islice(records, SEGMENT))):
            journal.hold(segment_of(chunk, journal.generation + 1))
            while not ended.is_set() and recorder.step():
                pass

    thread = threading.Thread(target=work)
    thread.start()
    names = ("timeline of a message", "phrase", "bare word", "log, 1,000 from a place")
    try:
        return {name: asking.times(asking.questions()[name]) for name in names}
    finally:
        ended.set()
        thread.join()


if __name__ == "__main__":
    main()
