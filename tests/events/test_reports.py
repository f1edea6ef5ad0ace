"""Reports agree with a count of everything by hand, whatever came late, twice or in disorder, and however much of it is
in the sums already.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from angarium.core.records import Attempt, Event, EventType, Fact, State
from angarium.core.reply import Reply
from angarium.events.days import day_at
from angarium.events.fields import MAIL
from angarium.events.port import ReceivedMail, Told, Whose
from angarium.events.reports.model import MailReport, ReportQuery, ReportRow
from angarium.events.reports.reporter import MailReporter
from angarium.events.rollups.port import Dimension
from angarium.events.rollups.roller import Roller
from angarium.events.rollups.store import RollupsFile, RollupsReader
from angarium.events.rollups.tables import CellKey, rolled_up
from angarium.events.rollups.tally import Cell, EventTally, add
from angarium.events.sqlite.store import SqliteEventStore
from angarium.query.parser import parse
from angarium.query.values import Now
from angarium.testing.event_stores import AnyEventStore, EventStores
from angarium.testing.happenings import DAY_S, START, event, fact, reception

NOW = START + 30 * DAY_S
KATHMANDU = ZoneInfo("Asia/Kathmandu")
NEW_YORK = ZoneInfo("America/New_York")
CATEGORIES = {"no_such_recipient": "Hard", "spam": "Block", "mailbox_full": "Soft"}


def judged(event: Event) -> str:
    """The test's peers say the reason itself."""
    return event.reply.text if event.reply is not None and event.reply.text in CATEGORIES else ""


def category_of(reason: str) -> str:
    return CATEGORIES.get(reason, "Undetermined")


class Desk:
    """An event store, its sums, and who reports."""

    def __init__(self, store: AnyEventStore, folder: Path) -> None:
        self.store = store
        self.file = RollupsFile(folder / "reports.db")
        self.roller = Roller(self.store, self.file, category_of)
        self.reporter = MailReporter(self.store, RollupsReader(folder / "reports.db"), category_of)

    def take(self, *told: Told) -> None:
        self.store.take(told)

    def roll(self) -> None:
        self.roller.roll(self.store.last())

    def report(
        self, since: float = START - 10 * DAY_S, until: float = NOW, query: str = "", **more: Any
    ) -> MailReport:
        node = parse(query, MAIL, Now(NOW))
        return self.reporter.report(ReportQuery(since, until, node=node, **more), NOW)


@pytest.fixture
def desk(stores: EventStores, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(stores.new(judged), tmp_path)
    yield desk
    desk.file.close()


def counts(row: ReportRow, *names: str) -> tuple[int | None, ...]:
    return tuple(row.counts[name] for name in names)


def at_google(text: str = "") -> Attempt:
    return Attempt(started_at=START, stage="final", host=f"mx{text}.google.com")


class Recount:
    """Everything that was told, counted one by one as whoever knows mail and no database would."""

    def __init__(self, told: list[Told]) -> None:
        self.mails = {each.message.id: each for each in told if isinstance(each, ReceivedMail)}
        self.seen: set[Any] = set()
        self.first: set[Any] = set()
        self.counted: list[tuple[str, float, float | None, dict[str, list[str]], int]] = []
        for each in told:
            key = self._key(each)
            if key not in self.seen:
                self.seen.add(key)
                self._count(each)

    def _key(self, told: Told) -> Any:
        if isinstance(told, ReceivedMail):
            return told.message.id
        return (told.message, told.index, told.seq) if isinstance(told, Event) else told.id

    def _once(self, told: Fact, what: str) -> bool:
        key = told.message, told.index, what
        return key not in self.first and not self.first.add(key)  # type: ignore[func-returns-value]

    def _count(self, told: Told) -> None:
        if isinstance(told, ReceivedMail):
            for index in range(len(told.message.recipients)):
                self._add("accepted", told.message.received_at, told, index)
                self._add("accepted_bytes", told.message.received_at, told, index, told.message.size)
                if told.message.options.track_opens:
                    self._add("opens_tracked", told.message.received_at, told, index)
            return
        mail = self.mails.get(told.message) if told.message is not None else None
        if isinstance(told, Fact):
            for name in self._of_fact(told):
                self._add(name, told.at, mail, told.index, server=told.server if told.message is None else 0)
            return
        provider = "" if told.attempt is None else "google"
        for name in self._of_event(told):
            amount = (mail.message.size if mail else 0) if name == "delivered_bytes" else 1
            self._add(name, told.at, mail, told.index, amount, binding=told.binding, provider=provider)

    def _of_event(self, told: Event) -> Iterator[str]:
        if told.type == "bounced":
            yield from ("bounced_" + category_of(judged(told)).lower(), "bounced", "state_bounced")
        elif told.type in ("delivered", "delayed"):
            yield told.type
            if told.attempts == 1:
                yield f"{told.type}_first"
            if told.type == "delivered":
                yield from ("delivered_bytes", "state_delivered")
        elif told.type in ("ambiguous", "held"):
            yield told.type
        elif told.type in ("expired", "suppressed", "cancelled"):
            yield from (told.type, f"state_{told.type}")

    def _of_fact(self, told: Fact) -> Iterator[str]:
        who = "machine_" if told.fields.get("machine") else ""
        if told.kind in ("open", "click"):
            yield f"{who}{told.kind}s"
            if self._once(told, who + told.kind):
                yield f"{who}unique_{told.kind}s"
            if not who and self._once(told, "engaged"):
                yield "engaged"
        elif told.kind == "refusal":
            yield "rejected"
        elif told.kind == "left_out":
            yield from ["rejected"] * int(str(told.fields["refusal"]))
        elif self._once(told, told.kind):
            yield {"late_bounce": "late_bounces", "complaint": "complaints", "unsubscribe": "unsubscribes"}[
                told.kind
            ]
            if told.kind == "late_bounce":
                yield "state_returned"

    def _add(
        self,
        name: str,
        at: float,
        mail: ReceivedMail | None,
        index: int,
        amount: int = 1,
        server: int = 0,
        binding: str = "",
        provider: str = "",
    ) -> None:
        about: dict[str, list[str]] = {"provider": [provider], "binding": [binding]}
        message = mail.message if mail else None
        options = message.options if message else None
        about |= {
            "account": [str(message.account if message else 0)],
            "server": [str(message.server if message else server)],
            "stream": [(options.stream if options else None) or ""],
            "campaign": [(options.campaign if options else None) or ""],
            "tag": [*((options.tags if options else None) or ())],
            "domain": [message.recipients[index].domain if message and index >= 0 else ""],
        }
        accepted = message.received_at if message else None
        if not name.startswith("state_") or accepted is not None:
            self.counted.append((name, at, accepted, about, amount))

    def rows(self, asked: "Asked") -> dict[tuple[int | None, str | None], Counter[str]]:
        found: dict[tuple[int | None, str | None], Counter[str]] = defaultdict(Counter)
        for name, happened, accepted, about, amount in self.counted:
            at = accepted if name.startswith("state_") else happened
            if at is None or not asked.since <= at < asked.until or not asked.is_for(about):
                continue
            bucket = None if asked.per is None else starts(at, asked.per, asked.zone)
            for value in [None] if asked.by is None else about[asked.by]:
                if asked.by == "tag" and "tag:red" in asked.query and value != "red":
                    continue  # the tag that is asked for, and not those that are beside it
                found[bucket, value][name] += amount
        return found


def starts(at: float, per: str, zone: tzinfo) -> int:
    """The beginning of the hour or day, by the calendar."""
    there = datetime.fromtimestamp(at, zone)
    if per == "day":
        return int(datetime(there.year, there.month, there.day, tzinfo=zone).timestamp())
    past = timedelta(minutes=there.minute if per == "hour" else there.minute % 15, seconds=there.second)
    return int((there.astimezone(UTC) - past).timestamp())


class Asked(NamedTuple):
    by: Dimension | None
    per: Any
    zone: tzinfo
    since: float
    until: float
    query: str
    scope: Whose
    is_for: Callable[[dict[str, list[str]]], bool]


QUARTER = 900.0
WHEN = (START - 2 * DAY_S) // QUARTER * QUARTER
PERIODS = [
    (WHEN - 5 * DAY_S, WHEN + 20 * DAY_S),
    (WHEN // DAY_S * DAY_S + DAY_S, WHEN // DAY_S * DAY_S + 3 * DAY_S),
    (WHEN + 17 * QUARTER, WHEN + 3 * DAY_S + 5 * QUARTER),
]
ASKED: list[tuple[str, Whose, Callable[[dict[str, list[str]]], bool]]] = [
    ("", Whose(), lambda about: True),
    ("", Whose(account=1), lambda about: about["account"] == ["1"] or about["server"][0] in ("10", "11")),
    ("", Whose(servers=[11, 20]), lambda about: about["server"][0] in ("11", "20")),
    ("server:20", Whose(account=2), lambda about: about["server"] == ["20"]),
    ("stream:s1", Whose(), lambda about: about["stream"] == ["s1"]),
    (
        "domain:b.test",
        Whose(account=1),
        lambda about: about["domain"] == ["b.test"] and about["account"] == ["1"],
    ),
    ("tag:red AND stream:s1", Whose(), lambda about: "red" in about["tag"] and about["stream"] == ["s1"]),
    ("(domain:a.test OR domain:b.test)", Whose(), lambda about: about["domain"][0] in ("a.test", "b.test")),
]
BY: list[Dimension | None] = [None, "account", "server", "stream", "tag", "campaign", "domain"]


@st.composite
def questions(draw: st.DrawFn) -> Asked:
    query, scope, is_for = draw(st.sampled_from(ASKED))
    return Asked(
        draw(st.sampled_from(BY)),
        draw(st.sampled_from([None, "quarter", "hour", "day"])),
        draw(st.sampled_from([UTC, KATHMANDU, NEW_YORK])),
        *draw(st.sampled_from(PERIODS)),
        query,
        scope,
        is_for,
    )


SERVERS = [(1, 10), (1, 11), (2, 20), (0, 0)]
ENDS: list[tuple[EventType, State]] = [
    ("delivered", "delivered"),
    ("bounced", "bounced"),
    ("expired", "expired"),
    ("suppressed", "suppressed"),
    ("cancelled", "cancelled"),
    ("ambiguous", "queued"),
]


def life(rng: random.Random, number: int) -> list[Told]:
    """A message, and all that ever happens to it."""
    account, server = rng.choice(SERVERS)
    mail = reception(
        number,
        WHEN + rng.randrange(int(3 * DAY_S)) + rng.random(),
        to=tuple(rng.choice(["x@a.test", "y@b.test", "z@c.test"]) for _ in range(rng.randint(1, 3))),
        account=account,
        server=server,
        stream=rng.choice([None, "s1", "s2"]),
        campaign=rng.choice([None, "spring"]),
        tags=tuple(rng.sample(["red", "blue", "green"], rng.randint(0, 2))),
        size=rng.randint(1, 5000),
        track_opens=rng.choice([None, True]),
    )
    told: list[Told] = [mail]
    for index in range(len(mail.message.recipients)):
        told += tries(rng, mail, index) + readers(rng, mail, index, number * 100 + index * 10)
    return told


def tries(rng: random.Random, mail: ReceivedMail, index: int) -> list[Told]:
    told: list[Told] = []
    wait_s = rng.choice([0.3, 20, 3000, DAY_S])
    for seq in range(1, rng.randint(1, 4)):
        again = Reply(451, "", "later")
        told.append(event(mail, "delayed", "queued", seq, index=index, after_s=seq * wait_s, reply=again,
                          attempt=at_google()))  # fmt: skip
    seq = len(told) + 1
    type, state = rng.choice(ENDS)
    reply = Reply(550, "", rng.choice([*CATEGORIES, "odd"])) if type == "bounced" else None
    attempt = at_google() if type in ("delivered", "bounced") and rng.random() < 0.8 else None
    last = event(mail, type, state, seq, index=index, after_s=seq * wait_s + 1, reply=reply, attempt=attempt)
    told.append(msgspec.structs.replace(last, binding=rng.choice(["default", "b2"])))
    return told


def readers(rng: random.Random, mail: ReceivedMail, index: int, number: int) -> list[Told]:
    told: list[Told] = []
    for n in range(rng.randint(0, 4)):
        kind = rng.choice(["open", "open", "click", "complaint", "unsubscribe", "late_bounce"])
        machine = {"machine": "prefetch"} if kind in ("open", "click") and rng.random() < 0.4 else {}
        at = mail.message.received_at + rng.choice([5, 4000, 2 * DAY_S])
        told.append(Fact(kind=kind, id=b"f%d" % (number + n), at=at, message=mail.message.id, index=index,
                         fields={**machine}))  # fmt: skip
    return told


def doors(rng: random.Random, number: int) -> list[Told]:
    return [
        Fact(
            kind="refusal", id=b"r%d.%d" % (number, n), at=WHEN + rng.randrange(int(3 * DAY_S)), server=server
        )
        for n, server in enumerate(rng.choices([0, 10, 20], k=rng.randint(0, 2)))
    ]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1_000_000), asked=st.lists(questions(), min_size=3, max_size=6))
def test_a_report_is_what_one_by_one_comes_to(
    lasting_stores: EventStores, tmp_path_factory: pytest.TempPathFactory, seed: int, asked: list[Asked]
) -> None:
    rng = random.Random(seed)
    told = [
        each for number in range(1, rng.randint(2, 12)) for each in life(rng, number) + doors(rng, number)
    ]
    told += rng.sample(told, len(told) // 3)
    rng.shuffle(told)
    desk = Desk(lasting_stores.new(judged), tmp_path_factory.mktemp("desk"))
    given: list[Told] = [
        reception(900 + server, WHEN - 9 * DAY_S, account=account, server=server)
        for account, server in SERVERS
    ]
    desk.take(*given)
    desk.roll()  # whose a server is that refuses somebody at a door, is known once its mail is counted
    while told:
        size = rng.randint(1, 12)
        given += told[:size]
        desk.take(*told[:size])
        told = told[size:]
        if rng.random() < 0.4:
            desk.roller.roll(max(desk.file.upto(), desk.store.last() - rng.randint(0, 6)))
    right = Recount(given)
    for each in asked:
        agrees(desk, right, each)
        agrees(desk, right, each)  # nothing is counted by asking
    desk.file.close()
    lasting_stores.done_with(desk.store)


def agrees(desk: Desk, right: Recount, asked: Asked) -> None:
    expected = right.rows(asked)
    report = desk.report(
        asked.since, asked.until, asked.query, by=asked.by, per=asked.per, zone=asked.zone, scope=asked.scope
    )
    wanted = {"counts": expected}
    found = {(row.at and int(row.at), row.value): row for row in report.rows}
    if asked.by is None and asked.per is None:
        assert report.rows == []
        found = {(None, None): report.total}
    for key, row in found.items():
        assert_counts(row, wanted["counts"].get(key, Counter()), asked)
    missed = {key: count for key, count in expected.items() if key not in found and relevant(count)}
    assert missed == {}, asked
    states = desk.report(
        asked.since, asked.until, asked.query, by=asked.by, per=asked.per, zone=asked.zone, scope=asked.scope,
        basis="acceptance",
    )  # fmt: skip
    for row in [*states.rows, states.total]:
        assert (
            sum(count or 0 for name, count in row.counts.items() if name != "accepted")
            == row.counts["accepted"]
        )
    rows = states.rows if asked.by or asked.per else [states.total]
    for row in rows:
        count = expected.get((row.at and int(row.at), row.value), Counter())
        assert row.counts["accepted"] == count["accepted"]
        assert row.counts["returned"] == count["state_returned"]
        assert (row.counts["delivered"] or 0) + (row.counts["returned"] or 0) == count["state_delivered"]
        for name in ("bounced", "expired", "suppressed", "cancelled"):
            assert row.counts[name] == count[f"state_{name}"], (name, asked)


def relevant(count: Counter[str]) -> bool:
    return any(
        amount for name, amount in count.items() if not name.startswith("state_") and name != "opens_tracked"
    )


def assert_counts(row: ReportRow, expected: Counter[str], asked: Asked) -> None:
    for name, count in row.counts.items():
        if count is None:
            assert expected[name] == 0, (name, asked)
        else:
            assert count == expected[name], (name, asked)


@pytest.mark.parametrize("is_rolled", [False, True])
@pytest.mark.parametrize("by", ["provider", "binding"])
def test_of_a_provider_what_is_known_of_attempts_is_measured(
    desk: Desk, by: Dimension, is_rolled: bool
) -> None:
    rng = random.Random(4)
    told = [each for number in range(1, 30) for each in life(rng, number)]
    desk.take(*told)
    if is_rolled:
        desk.roll()
    right = Recount(told)
    for scope in (Whose(), Whose(account=1)):
        about = (lambda a: True) if scope == Whose() else (lambda a: a["account"] == ["1"])
        asked = Asked(by, None, UTC, *PERIODS[0], "", scope, about)
        report = desk.report(*PERIODS[0], by=by, scope=scope)
        expected = right.rows(asked)
        for row in report.rows:
            for name in (
                "delivered",
                "delayed",
                "bounced_hard",
                "bounced_undetermined",
                "bounced",
                "ambiguous",
            ):
                assert row.counts[name] == expected[None, row.value][name], (row.value, name)
            assert counts(row, "accepted", "opens", "complaints", "expired") == (None, None, None, None)
            assert "opened" not in row.rates


def test_what_was_done_when_it_was_late_counts_when_it_happened(desk: Desk) -> None:
    mail = reception(1, START, server=5, account=1)
    desk.take(mail, event(mail, "delivered", "delivered", 1))
    desk.roll()
    desk.take(Fact(kind="late_bounce", id=b"1", at=START + 3 * DAY_S, message=mail.message.id, index=0))
    for _ in range(2):
        day = desk.report(START + 2.5 * DAY_S, START + 3.5 * DAY_S)
        assert counts(day.total, "accepted", "delivered", "late_bounces") == (0, 0, 1)
        of_then = desk.report(START - 3600, START + 3600, basis="acceptance")
        assert counts(of_then.total, "accepted", "delivered", "returned", "waiting") == (1, 0, 1, 0)
        desk.roll()


def test_what_nobody_could_see_is_not_measured_and_not_0(desk: Desk) -> None:
    mail = reception(1, START)
    desk.take(mail, event(mail, "delivered", "delivered", 1))
    total = desk.report().total
    assert counts(total, "opens", "unique_opens", "clicks", "engaged") == (None, None, None, None)
    assert "opened" not in total.rates
    assert (total.rates["delivered"].count, total.rates["delivered"].of) == (1, 1)
    desk.take(reception(2, START, track_opens=True))
    total = desk.report().total
    assert counts(total, "opens", "unique_opens", "clicks", "engaged") == (0, 0, None, 0)
    assert total.rates["opened"].share == 0.0


def test_people_and_machines_are_counted_apart_and_once_each(desk: Desk) -> None:
    mail = reception(1, START, track_opens=True, track_links="html")
    desk.take(mail, fact("open", mail, 1, machine="prefetch"), fact("open", mail, 2), fact("open", mail, 3))
    desk.roll()
    desk.take(fact("open", mail, 4), fact("open", mail, 5, machine="scanner"), fact("click", mail, 6))
    total = desk.report().total
    assert counts(total, "opens", "unique_opens", "machine_opens", "machine_unique_opens") == (3, 1, 2, 1)
    assert counts(total, "clicks", "unique_clicks", "machine_clicks", "engaged") == (1, 1, 0, 1)


def test_a_click_implies_its_open(desk: Desk) -> None:
    mail = reception(1, START, track_opens=True, track_links="html")
    desk.take(mail, fact("click", mail, 1))
    assert counts(desk.report().total, "unique_opens", "unique_clicks", "engaged") == (0, 1, 1)


def test_mail_to_this_node_is_no_sending(desk: Desk) -> None:
    desk.take(reception(1, START, fate="feedback"))
    desk.roll()
    desk.take(reception(2, START, fate="feedback"))
    assert counts(desk.report().total, "accepted") == (0,)


def test_what_is_alike_is_put_together_and_comes_to_the_same(desk: Desk) -> None:
    """A thousand letters to one domain are a few rows; of a newsletter's tail each event is one."""
    alike = [reception(number, START, tags=("a", "b"), size=100 + number) for number in range(1, 41)]
    varied = [reception(100 + number, START, to=(f"r@d{number}.example.com",)) for number in range(40)]
    for mail in (*alike, *varied):
        desk.take(mail, event(mail, "delivered", "delivered", 1, after_s=2.0))
    half, last = 80, desk.store.last()
    assert sum(len(some.rows) for some in desk.store.each(0, half)) == 2
    assert sum(len(some.rows) for some in desk.store.each(half, last)) == 80
    tally = EventTally(category_of)
    one_by_one: dict[CellKey, Cell] = {}
    for number in range(last):
        for key, cell in rolled_up(desk.store.each(number, number + 1), tally).items():
            add(one_by_one.setdefault(key, {}), cell)
    together = rolled_up(desk.store.each(0, half), tally)
    for key, cell in rolled_up(desk.store.each(half, last), tally).items():
        add(together.setdefault(key, {}), cell)
    assert together == one_by_one
    assert desk.report(by="tag").total.counts["delivered"] == 80


def test_how_long_delivery_took_adds_up(desk: Desk) -> None:
    mails = [reception(number, START + number) for number in range(1, 101)]
    for number, mail in enumerate(mails, 1):
        desk.take(mail, event(mail, "delivered", "delivered", 1, after_s=number / 10))
        if number == 50:
            desk.roll()
    latency = desk.report(START - DAY_S, START + DAY_S).total.latency
    assert latency is not None
    assert latency.p50_s == pytest.approx(5.0, rel=0.05)
    assert latency.p95_s == pytest.approx(9.5, rel=0.05)
    assert latency.p99_s == pytest.approx(9.9, rel=0.05)


def test_a_day_on_which_the_clocks_change_has_its_own_length(desk: Desk) -> None:
    """The night of 1 November 2026 in New York has 25 hours."""
    first = datetime(2026, 10, 31, tzinfo=NEW_YORK).timestamp()
    desk.take(*(reception(hour, first + hour * 3600 + 60) for hour in range(4 * 24)))
    desk.roll()
    days = desk.report(first, first + 3 * DAY_S, per="day", zone=NEW_YORK)
    assert [row.counts["accepted"] for row in days.rows[:3]] == [24, 25, 23]  # the last one is cut off
    assert [row.until_at - row.at for row in days.rows if row.at and row.until_at] == [86_400, 90_000, 86_400]
    hours = desk.report(first + DAY_S, first + 2 * DAY_S, per="hour", zone=NEW_YORK)
    assert [row.counts["accepted"] for row in hours.rows] == [1] * 24


def test_the_largest_are_told_and_the_others_together(desk: Desk) -> None:
    names = ["a.test"] * 5 + ["b.test"] * 3 + ["c.test"] * 2 + ["d.test"]
    desk.take(*(reception(number, START, to=(f"x@{name}",)) for number, name in enumerate(names)))
    rows = desk.report(by="domain", limit=2).rows
    assert [(row.value, row.is_others, row.counts["accepted"]) for row in rows] == [
        ("a.test", False, 5),
        ("b.test", False, 3),
        (None, True, 3),
    ]


def test_of_days_whose_events_are_gone_it_is_said_what_is_missing(tmp_path: Path) -> None:
    desk = Desk(SqliteEventStore(tmp_path / "events"), tmp_path)
    old, new = reception(1, START - 5 * DAY_S, tags=("red",)), reception(2, START, tags=("red",))
    desk.take(old, new)
    desk.roll()
    (tmp_path / "events" / f"{day_at(START - 5 * DAY_S)}.db").unlink()
    since = START // DAY_S * DAY_S - 9 * DAY_S
    kept = desk.report(since, since + 10 * DAY_S, by="tag")
    assert [row.counts["accepted"] for row in kept.rows] == [2]
    assert kept.notes == []
    cut = desk.report(since, since + 10 * DAY_S, "subject:roof")
    assert cut.total.counts["accepted"] == 1
    assert cut.notes == [
        f"events are kept since {day_at(START)} 00:00 UTC: what happened before is not in these numbers, which no sums "
        "are kept of"
    ]


def test_too_many_rows_are_refused(desk: Desk) -> None:
    with pytest.raises(ValueError, match="at most 11,000 rows; ask for larger units than minute"):
        desk.report(per="minute")


def test_answers_are_put_together_without_what_is_different_each_time(desk: Desk) -> None:
    said = [
        Reply(550, "5.1.1", "<bob@example.com>: no such user (in reply to RCPT) 4AbC19xyz"),
        Reply(550, "5.1.1", "<ann@example.com>: no such user (in reply to RCPT) 7QwE20abc"),
        Reply(451, "4.7.1", "try again in 300 s, 192.0.2.7"),
    ]
    for number, reply in enumerate(said):
        mail = reception(number, START)
        kind, state = ("bounced", "bounced") if reply.code == 550 else ("delayed", "queued")
        desk.take(mail, event(mail, kind, state, 1, reply=reply))  # type: ignore[arg-type]
    found = desk.reporter.replies(ReportQuery(START - DAY_S, NOW), limit=5)
    assert [(each.kind, each.pattern, each.count) for each in found] == [
        ("bounced", "550 5.1.1 #: no such user (in reply to RCPT) #", 2),
        ("delayed", "451 4.7.1 try again in # s, #", 1),
    ]
    assert found[0].sample == "550 5.1.1 <ann@example.com>: no such user (in reply to RCPT) 7QwE20abc"
    assert [each.count for each in desk.reporter.replies(ReportQuery(START - DAY_S, NOW), limit=1)] == [2]
