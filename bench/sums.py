"""What the sums of reports cost: to keep, on the disk, and to be asked.

Run: `.venv/bin/python -m bench.sums [--messages 66000] [--days 1]`. The mail is made up (`bench.mailings`), and comes
in its own time: what happened in a quarter-hour is added to the sums when that is over. All times are of CPU.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from angarium.core.records import Event, Fact
from angarium.events.port import ReceivedMail, Told, Whose
from angarium.events.reports.model import ReportQuery
from angarium.events.reports.reporter import MailReporter
from angarium.events.rollups.port import QUARTER_S
from angarium.events.rollups.roller import AT_ONCE, Roller
from angarium.events.rollups.store import FILE_NAME, RollupsFile, RollupsReader
from angarium.events.sqlite.store import SqliteEventStore
from angarium.events.summary import summary_of
from angarium.feedback.reasons import category_of
from angarium.node.recorder.judge import reason_of
from angarium.query.nodes import Equal
from angarium.spool.codec import ACCEPT, EVENT, decode_message
from bench.mailings import DAY_S, START, Mix, Month

BATCH = 1_000
QUESTIONS = 20

_event = msgspec.msgpack.Decoder(Event).decode
_fact = msgspec.msgpack.Decoder(Fact).decode


def main() -> None:
    """Take, add, ask, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.sums", description=__doc__)
    parser.add_argument("--messages", type=int, default=66_000)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="angarium-sums-", dir=options.folder))
    try:
        SumsBench(folder).run(Mix(options.messages, options.days, several=False, body_bytes=500))
    finally:
        shutil.rmtree(folder)


def told_in(month: Month) -> Iterator[Told]:
    """Yield what the journals would tell."""
    for kind, meta, body in month.records():
        if kind == ACCEPT:
            yield ReceivedMail(decode_message(meta), summary_of(body))
        else:
            yield _event(meta) if kind == EVENT else _fact(meta)


class SumsBench:
    """Keeps events and sums in *folder*, and reports on them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = SqliteEventStore(folder / "events", reason_of)
        self._file = RollupsFile(folder / FILE_NAME)
        self._roller = Roller(self._store, self._file, category_of)
        self._takes_s = 0.0
        self._rolls: list[float] = []
        self._events = 0

    def run(self, mix: Mix) -> None:
        """Do it all."""
        self._fill(mix)
        self._told()
        self._ask()
        self._store.close()
        self._file.close()

    def _fill(self, mix: Mix) -> None:
        batch: list[Told] = []
        quarter = 0
        for told in told_in(Month(mix)):
            at = told.message.received_at if isinstance(told, ReceivedMail) else told.at
            if int(at // QUARTER_S) != quarter:
                self._take(batch)
                batch = []
                self._roll()
                quarter = int(at // QUARTER_S)
            batch.append(told)
            if len(batch) == BATCH:
                self._take(batch)
                batch = []
        self._take(batch)
        self._roll()

    def _take(self, batch: list[Told]) -> None:
        began = time.process_time()
        self._store.take(batch)
        self._takes_s += time.process_time() - began
        self._events += len(batch)

    def _roll(self) -> None:
        last, began = self._store.last(), time.process_time()
        while self._file.upto() < last:
            self._roller.roll(min(last, self._file.upto() + AT_ONCE))
        self._rolls.append(time.process_time() - began)

    def _told(self) -> None:
        db = self._file._db
        rows, sums = db.execute("SELECT count(*), sum(length(sums)) FROM cell").fetchone()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = (self._folder / FILE_NAME).stat().st_size
        events, rolls_s = self._events, sum(self._rolls)
        print(f"{events:,} events; stored at {self._takes_s / events * 1e6:.1f} µs each")
        print(f"added to the sums at {rolls_s / events * 1e6:.1f} µs each; a quarter-hour in "
              f"{statistics.median(self._rolls) * 1e3:.0f} ms, at most {max(self._rolls) * 1e3:.0f}")  # fmt: skip
        print(
            f"{rows / events:.2f} rows and {size / events:.1f} B an event ({sums / rows:.0f} B of sums a row)"
        )

    def _ask(self) -> None:
        reporter = MailReporter(self._store, RollupsReader(self._folder / FILE_NAME), category_of)
        since, until = START - 20 * DAY_S, START + 10 * DAY_S
        zone = ZoneInfo("Asia/Kathmandu")
        asked: dict[str, Any] = {
            "all of it": {},
            "per day, in a zone": {"per": "day", "zone": zone},
            "per hour, one server": {"per": "hour", "scope": Whose(None, [1])},
            "by stream, one account": {"by": "stream", "scope": Whose(1)},
            "by domain, one server, 50 largest": {"by": "domain", "scope": Whose(None, [1]), "limit": 50},
            "by domain, all, 50 largest": {"by": "domain", "limit": 50},
            "by provider": {"by": "provider"},
            "by tag": {"by": "tag"},
            "what became of it, by campaign": {"by": "campaign", "basis": "acceptance"},
            "one domain by stream, from the events": {"by": "stream", "node": Equal("domain", "gmail.com")},
        }
        for name, more in asked.items():
            query = ReportQuery(since, until, **more)
            times = _timed(lambda query=query: reporter.report(query, until))  # type: ignore[misc]
            print(
                f"{name:<40} p50 {times[len(times) // 2]:7.1f} ms, p95 {times[int(len(times) * 0.95)]:7.1f} ms"
            )
        times = _timed(lambda: reporter.replies(ReportQuery(since, until), 20))
        print(f"{'answers of peers':<40} p50 {times[len(times) // 2]:7.1f} ms")


def _timed(ask: Callable[[], object]) -> list[float]:
    times: list[float] = []
    for _ in range(QUESTIONS):
        began = time.process_time()
        ask()
        times.append((time.process_time() - began) * 1e3)
    return sorted(times)


if __name__ == "__main__":
    main()
