"""Questions that people ask of the event store and of the reports, with words that there are."""

import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from angarium.core.ids import MessageId
from angarium.events.fields import MAIL
from angarium.events.port import FoundMail, Whose
from angarium.events.reports.model import ReportQuery
from angarium.events.reports.reporter import MailReporter
from angarium.events.rollups.store import RollupsReader
from angarium.events.sqlite.store import SqliteEventStore
from angarium.feedback.reasons import category_of
from angarium.query.parser import parse
from angarium.query.values import Now
from bench.mailings import DAY_S, START, Month

QUESTIONS, LEAST = 60, 20
MOST_MS = 10_000
PAGE = 1_000
ALL = Whose()


class Asking:
    """Asks *store*, and the *sums* of it, which are a file."""

    def __init__(self, store: SqliteEventStore, sums: Path, month: Month) -> None:
        self._store = store
        self._reporter = MailReporter(store, RollupsReader(sums), category_of)
        self._rng = random.Random(7)
        self._now = Now(START + len(store.sizes()) * DAY_S)
        self._all = parse("", MAIL, self._now)
        self._month = month
        self._known = self._sample()

    def _sample(self) -> list[FoundMail]:
        found: list[FoundMail] = []
        for date in self._store.sizes():
            found += self._store.search(parse(f"date:{date}", MAIL, self._now), ALL, limit=40).found
        return found

    def all(self) -> dict[str, list[float]]:
        """Return median and 95th percentile of each question, in milliseconds."""
        found: dict[str, list[float]] = {}
        for name, ask in self.questions().items():
            found[name] = self.times(ask)
            print(f"{name}: {found[name]}", file=sys.stderr, flush=True)
        return found

    def times(self, ask: Callable[[], object]) -> list[float]:
        """Return the two figures of one question, asked `QUESTIONS` times; less often where that takes long."""
        spent: list[float] = []
        while len(spent) < LEAST or (len(spent) < QUESTIONS and sum(spent) < MOST_MS):
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
            "two subject words and domain, all days": lambda: self._find(
                f"subject:{self._word()} AND subject:{self._word()} AND domain:{self._mail().domain}"
            ),
            "wildcards": lambda: self._find(f"subject:?{self._word()[1:4]}*"),
            "log, 1,000 from a place": lambda: self._log(self._rng.randrange(max(1, self._store.last()))),
            "log, the first 1,000": lambda: self._log(0),
            "log, the last 1,000": lambda: self._store.latest(self._all, ALL, limit=PAGE),
            "log, nothing new": lambda: self._log(self._store.last()),
            "log, 1,000 complaints and late bounces": lambda: self._log(0, ("complaint", "late_bounce")),
        } | self._reports()

    def _reports(self) -> dict[str, Callable[[], object]]:
        week = {"since": self._now.at - 8 * DAY_S, "until": self._now.at - DAY_S}
        zone = ZoneInfo("Asia/Kathmandu")
        asked: dict[str, dict[str, Any]] = {
            "report: a day, by hour": {"since": self._now.at - 2 * DAY_S, "per": "hour"},
            "report: a week, by day, in a zone": {"per": "day", "zone": zone},
            "report: a week, by tag": {"by": "tag"},
            "report: a week, by provider": {"by": "provider"},
            "report: a week, by domain, 50 largest": {"by": "domain", "limit": 50},
            "report: a week of one account, by stream": {"by": "stream", "scope": Whose(1)},
            "report: a month, by day": {"since": START, "per": "day"},
        }
        queries = {name: ReportQuery(**{**week, **more}) for name, more in asked.items()}
        return {name: partial(self._reporter.report, query, self._now.at) for name, query in queries.items()}

    def _find(self, query: str, scope: Whose = ALL) -> None:
        self._store.search(parse(query, MAIL, self._now), scope, limit=50)

    def _log(self, after: int, types: Sequence[str] = ()) -> None:
        self._store.log(self._all, ALL, after=after, limit=PAGE, types=types)

    def _mail(self) -> FoundMail:
        return self._rng.choice(self._known)

    def _word(self) -> str:
        return self._rng.choices(self._month.vocabulary, cum_weights=self._month.words)[0]
