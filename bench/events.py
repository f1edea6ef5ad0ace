"""The event store under a month of mail: how fast it takes it, how much it keeps, and how long questions take.

Run: `.venv/bin/python -m bench.events [--events 10000000]`. The month is made up (`bench.mailings`), always the same;
it comes as a journal's bytes, so that reading, decoding and summarising are in the figures. What making it up costs is
not. Ctrl-C ends the month early: what was taken until then is asked. `--keep FOLDER` leaves the store there, and
`--ask FOLDER` asks one that was left, as often as one likes.
"""

import argparse
import gc
import itertools
import json
import resource
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from angarium.core.clock import SystemClock
from angarium.events.rollups.roller import AT_ONCE, Roller
from angarium.events.rollups.store import FILE_NAME, RollupsFile
from angarium.events.sqlite.store import SqliteEventStore
from angarium.feedback.reasons import category_of
from angarium.node.recorder.judge import reason_of
from angarium.node.recorder.recorder import JournalRecorder
from angarium.spool.codec import MAX_OFFSET
from angarium.spool.codec import Record as Found
from angarium.spool.files.reader import FileJournalReader
from angarium.spool.files.scan import Scan
from bench.asking import Asking
from bench.mailings import GENERATION_SALT, Mix, Month, segment_of

PER_MESSAGE = 5
SEGMENT = 20_000
MIX = "mix.json"
"""What a store that was left is made of."""


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
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="where it is made, and removed")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="make it in this folder, and leave it there"
    )
    parser.add_argument(
        "--ask", type=Path, metavar="FOLDER", help="make nothing: ask what is left in this folder"
    )
    options = parser.parse_args()
    gc.set_threshold(50_000, 20, 50)
    if options.ask is not None:
        print(json.dumps(ask(options.ask), indent=1))
        return
    mix = Mix(options.events // PER_MESSAGE, options.days, not options.single, options.body)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="angarium-bench-events-", dir=options.folder))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MIX).write_text(json.dumps(mix._asdict()))
    try:
        figures = fill(mix, folder) | ask(folder)
        if options.keep is None:
            figures["ms_p50_p95_while_taking"] = while_taking(mix, folder)
        print(json.dumps(figures, indent=1))
    finally:
        if options.keep is None:
            shutil.rmtree(folder)


def fill(mix: Mix, folder: Path) -> dict[str, Any]:
    """Take all of it; return what that has cost, and what it takes. The keys carry the units."""
    store = SqliteEventStore(folder / "events", reason_of)
    file = RollupsFile(folder / FILE_NAME)
    recorder = JournalRecorder(folder / "spool", store, SystemClock())
    figures = Taking(store, recorder, Roller(store, file, category_of), file).all(mix)
    store.close()  # what is in the logs of SQLite goes into the files
    file.close()
    (folder / "taken.json").write_text(json.dumps(figures, indent=1))
    return figures


def ask(folder: Path) -> dict[str, Any]:
    """Return how large the store in *folder* is, and how long questions take."""
    mix = Mix(**json.loads((folder / MIX).read_text()))
    store = SqliteEventStore(folder / "events", reason_of)
    sizes, events = store.sizes(), store.last()
    asking = Asking(store, folder / FILE_NAME, Month(mix))
    figures = {
        "events": events,
        "days": len(sizes),
        "gigabytes": round(sum(sizes.values()) / 1e9, 2),
        "bytes_per_event": round(sum(sizes.values()) / events, 1),
        "sums_bytes_per_event": round((folder / FILE_NAME).stat().st_size / events, 1),
        "ms_p50_p95": asking.all(),
    }
    store.close()
    return figures


class Taking:
    """Has *recorder* read a month, and *roller* add it to the sums, each portion as soon as it is there."""

    def __init__(
        self, store: SqliteEventStore, recorder: JournalRecorder, roller: Roller, file: RollupsFile
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._roller = roller
        self._file = file
        self._journal = MemoryJournal()
        self._ended = threading.Event()
        self._wall_s = self._sums_s = 0.0
        self._by_part: list[float] = []
        recorder.follow(Path("p0"), self._journal, -1)

    def all(self, mix: Mix) -> dict[str, Any]:
        """Return rates. Each segment is made first, and its making not counted."""
        records, count = Month(mix).records(), 0
        before = signal.signal(signal.SIGINT, lambda *_: self._ended.set())
        while not self._ended.is_set() and (chunk := list(itertools.islice(records, SEGMENT))):
            self._journal.hold(segment_of(chunk, self._journal.generation + 1))
            self._take(len(chunk))
            self._add()
            count += len(chunk)
            self._tell(count)
        signal.signal(signal.SIGINT, before)
        print(file=sys.stderr)
        return self._figures(count)

    def _take(self, count: int) -> None:
        began, busy = time.perf_counter(), time.thread_time()
        while self._recorder.step():
            pass
        if self._recorder.status.error:
            raise RuntimeError(self._recorder.status.error)
        self._wall_s += time.perf_counter() - began
        self._by_part.append((time.thread_time() - busy) / count)

    def _add(self) -> None:
        busy, last = time.thread_time(), self._store.last()
        while (upto := self._file.upto()) < last:
            self._roller.roll(min(last, upto + AT_ONCE))
        self._sums_s += time.thread_time() - busy

    def _tell(self, count: int) -> None:
        mean = statistics.fmean(self._by_part) * 1e6
        told = f"{count:,} events, {mean:.1f} µs each, and {self._sums_s / count * 1e6:.1f} for the sums"
        print(f"\r{told} ", end="", file=sys.stderr, flush=True)

    def _figures(self, count: int) -> dict[str, Any]:
        tenth = max(1, len(self._by_part) // 10)
        return {
            "taken": count,
            "events_per_s": round(count / self._wall_s),
            "cpu_us_per_event": round(statistics.fmean(self._by_part) * 1e6, 1),
            "cpu_us_first_tenth": round(statistics.median(self._by_part[:tenth]) * 1e6, 1),
            "cpu_us_last_tenth": round(statistics.median(self._by_part[-tenth:]) * 1e6, 1),
            "sums_cpu_us_per_event": round(self._sums_s / count * 1e6, 1),
            "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }


def while_taking(mix: Mix, folder: Path) -> dict[str, list[float]]:
    """Ask while a thread of the same process takes more mail, as the recorder does."""
    store = SqliteEventStore(folder / "events", reason_of)
    asking = Asking(store, folder / FILE_NAME, Month(mix))
    ended = threading.Event()
    more = Month(mix._replace(messages=max(1000, mix.messages // 10), days=1, seed=2))

    def work() -> None:
        journal = MemoryJournal()
        recorder = JournalRecorder(folder / "spool", store, SystemClock())
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
        store.close()


if __name__ == "__main__":
    main()
