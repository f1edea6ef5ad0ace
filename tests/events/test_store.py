"""What an event store keeps, and how it is found again, whatever database it is in."""

import random
import threading
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from angarium.core.records import Attempt, Event, EventType, State
from angarium.core.reply import Reply
from angarium.events.days import day_at
from angarium.events.fields import MAIL
from angarium.events.port import EventStore, EventStoreError, FoundMail, ReceivedMail, Told, Whose
from angarium.events.reading import DayReader
from angarium.events.rollups.port import CountQuery
from angarium.query.matching import matches
from angarium.query.nodes import Everything
from angarium.query.parser import parse
from angarium.query.values import Now
from angarium.testing.event_stores import AnyEventStore, EventStores
from angarium.testing.happenings import DAY_S, START, an_id, event, fact, reception

NOW = Now(START + 3 * DAY_S)
NO_SUCH_USER = Reply(550, "5.1.1", "no such user here")


def found(store: EventStore, query: str, scope: Whose = Whose()) -> list[str]:  # noqa: B008 - immutable
    """The addresses that a query finds, newest first."""
    return [mail.address for mail in store.search(parse(query, MAIL, NOW), scope, limit=100).found]


def test_a_mail_is_found_by_what_people_remember_of_it(store: EventStore) -> None:
    mail = reception(
        1,
        to=("bob@example.com",),
        subject="Ihre Küche, Bestellung 4711",
        message_id="ab.C1@shop.example.org",
        tags=("welcome", "Zwei Worte"),
        stream="broadcasts",
        campaign="spring",
        metadata={"order": "A-17", "n": 3},
        account=2,
        server=5,
        size=20_480,
    )
    store.take([reception(999, to=("else@example.net",), subject="other"), mail])
    store.take([event(mail, "bounced", "bounced", reply=NO_SUCH_USER)])
    for query in (
        "kuche",
        '"bestellung 4711"',
        "best*",
        "subject:k?che",
        "to:bob",
        "to:bob@example.com",
        "to:*ob",
        "from:shop AND 4711",
        "tag:welcome",
        'tag:"zwei worte"',
        "tag:wel*",
        "worte",
        "stream:broadcasts",
        "campaign:spring",
        "meta.order:a-17",
        "meta.n:3",
        "meta.order:*",
        "status:bounced",
        "reason:no_such_recipient",
        "reason:no_such*",
        'reply:"no such user"',
        "user",
        "reply:us*r",
        "reply:u*er",
        "id:AB.c1@shop.example.org",
        "id:<ab.C1@shop.example.org>",
        f"id:{mail.message.id.hex()}",
        f"id:{mail.message.id.hex()[:30]}*",
        "account:2",
        "server:5",
        "size:[20k TO 20k]",
        "attempts:1 AND status:bounced",
        "domain:example.com",
        "-status:queued",
        "tag:[w TO x]",
    ):
        assert found(store, query) == ["bob@example.com"], query


def test_the_newest_comes_first_over_days_and_pages(store: EventStore) -> None:
    mails = [reception(n, START + n * DAY_S / 4, to=(f"r{n}@example.com",)) for n in range(12)]
    random.Random(1).shuffle(mails)
    for mail in sorted(mails, key=lambda each: each.message.id):
        store.take([mail])
    addresses: list[str] = []
    after = None
    while True:
        page = store.search(parse("roof", MAIL, NOW), Whose(), limit=5, after=after)
        assert len(page.found) <= 5
        addresses += [mail.address for mail in page.found]
        after = page.next
        if after is None:
            break
    assert addresses == [f"r{n}@example.com" for n in reversed(range(12))]
    assert store.count(parse("roof", MAIL, NOW), Whose(), most=100) == 12
    assert store.count(parse("roof", MAIL, NOW), Whose(), most=7) == 7


def test_a_day_that_is_dropped_is_gone_and_may_come_again(store: AnyEventStore) -> None:
    old, new = reception(1, START - DAY_S, to=("old@example.com",)), reception(2, to=("new@example.com",))
    store.take([old, new])
    last = store.last()
    for _ in ("once", "again"):
        store.drop(day_at(START - DAY_S))
        assert found(store, "roof") == ["new@example.com"]
        assert store.timeline(old.message.id, Whose()) is None
    store.take([old])
    store.sync()
    assert found(store, "roof") == ["new@example.com", "old@example.com"]
    assert store.last() > last


def test_an_erased_recipient_is_found_by_nothing_and_still_counted(store: AnyEventStore) -> None:
    mail = reception(1, to=("Bob.Miller@example.com",), subject="For Bob", message_id="x1@shop.example.org",
                     tags=("welcome", "zebra"), stream="news", account=1, server=2,
                     metadata={"order": "A-17"})  # fmt: skip
    shared = reception(2, to=("bob.miller@example.com", "ann@example.com"), subject="For both")
    other = reception(3, to=("bob@example.com",), subject="For another Bob")
    store.take([mail, shared, other])
    refused = Reply(550, "5.1.1", "<bob.miller@example.com> is unknown")
    store.take([event(mail, "bounced", "bounced", reply=refused), fact("open", mail, address="192.0.2.1")])
    day = day_at(START)
    assert store.alone(day, "bob.miller@EXAMPLE.com") == [mail.message.id]
    assert store.alone(day, "bob.miller@example.com", 2) == [] == store.alone("2001-01-01", "bob@example.com")
    assert store.erase(day, "bob.miller@example.com", 2) == 0
    assert store.erase(day, "bob.miller@EXAMPLE.com") == 2
    store.sync()
    for query in (
        "miller",
        "unknown",
        "subject:for AND -both AND -another",
        "A-17",
        "meta.order:*",
        "id:x1@shop.example.org",
    ):
        assert found(store, query) == [], query
    for query in ("to:mil*", "*ller", "stream:news AND subject:bob", "reply:u*n", "zebra AND bob"):
        assert found(store, query) == [], query
    assert found(store, "tag:zebra AND stream:news AND status:bounced") == [""]
    assert found(store, "both") == ["ann@example.com"]
    assert found(store, "bob") == ["bob@example.com"]
    timeline = store.timeline(mail.message.id, Whose())
    assert timeline is not None
    assert [(each.address, each.state, each.reply) for each in timeline.recipients] == [("", "bounced", "")]
    assert [(each.type, each.reply, each.details) for each in timeline.happenings] == [
        ("received", "", {}), ("bounced", "", {}), ("open", "", {})
    ]  # fmt: skip
    assert store.erase(day, "bob.miller@example.com") == 0
    assert store.erase("2001-01-01", "bob.miller@example.com") == 0


def told(store: EventStore, mail: ReceivedMail) -> list[tuple[Any, ...]]:
    """What a store tells of a message."""
    timeline = store.timeline(mail.message.id, Whose())
    assert timeline is not None
    return [
        *((each.address, each.note, each.state, each.reply, each.reason) for each in timeline.recipients),
        *((each.type, each.reply, each.details) for each in timeline.happenings),
    ]


def test_a_day_forgets_whom_it_was_about_and_counts_as_before(store: AnyEventStore) -> None:
    mail = reception(1, to=("Bob.Miller@example.com", "ann@example.net"), subject="For Bob",
                     message_id="x1@shop.example.org", tags=("welcome", "zebra"), stream="news", account=1,
                     server=2, metadata={"order": "A-17"})  # fmt: skip
    next_day = reception(2, START + DAY_S, to=("bob.miller@example.com",))
    refused = Reply(550, "5.1.1", "<bob.miller@example.com> is unknown")
    attempt = Attempt(started_at=START, stage="rcpt", host="mx.example.com", dialogue=("RCPT TO:<bob@x>",))
    store.take([mail, next_day, event(mail, "bounced", "bounced", reply=refused, attempt=attempt)])
    store.take([fact("open", mail, address="192.0.2.1"), fact("left_out", None, refusal=7)])
    every = CountQuery(dimensions=("stream", "domain"), window=(0.0, START + 9 * DAY_S), unit_s=900)
    counted = list(store.counted(every))
    assert [store.forget(day) for day in (day_at(START), day_at(START), "2001-01-01")] == [True] * 3
    store.sync()
    assert list(store.counted(every)) == counted
    for query in ("to:bob", "ann", "from:shop", "subject:for", "unknown", "reply:550", "meta.order:*",
                  "id:x1@shop.example.org", "to:a*", "*iller"):  # fmt: skip
        assert found(store, f"{query} AND date:<{day_at(START + DAY_S)}") == [], query
    assert found(store, "bob") == ["bob.miller@example.com"]
    for query in ("tag:zebra AND stream:news AND account:1", "zebra", "domain:example.com AND server:2",
                  "status:bounced", "reason:no_such*"):  # fmt: skip
        assert "" in found(store, query), query
    assert told(store, mail) == [
        ("", "address forgotten", "bounced", "550 5.1.1", "no_such_recipient"),
        ("", "address forgotten", "queued", "", ""),
        ("received", "", {}),
        ("bounced", "550 5.1.1", {}),
        ("open", "", {}),
    ]
    assert told(store, next_day)[0] == ("bob.miller@example.com", "", "queued", "", "")
    assert store.erase(day_at(START), "bob.miller@example.com") == 0
    (page,) = store.search(parse("stream:news AND domain:example.net", MAIL, NOW), Whose(), limit=9).found
    assert (page.sender, page.author, page.subject, page.message_id, page.metadata, page.tags) == (
        "", "", "", "", {}, ["welcome", "zebra"]
    )  # fmt: skip


def test_what_comes_late_to_such_a_day_is_taken_without_the_address(
    stores: EventStores, store: AnyEventStore
) -> None:
    early, stub, late = reception(1), reception(2), reception(3, tags=("zebra",))
    refused = Reply(550, "5.1.1", "<bob@example.com> is unknown")
    store.take([early, fact("open", stub, 1)])
    assert store.forget(day_at(START))
    for each in (store, stores.again(lambda event: "no_such_recipient")):
        each.take([stub, late, event(late, "bounced", "bounced", reply=refused)])
        each.take([fact("open", early, 2, address="192.0.2.1")])
        each.take([fact("late_bounce", stub, 3, reply="550 5.1.1 bob is unknown", address="bob@example.com")])
    assert store.forget(day_at(START))
    for query in ("bob", "roof", "from:shop", "unknown", "reply:u*n"):
        assert found(store, query) == [], query
    assert found(store, "zebra AND status:bounced") == [""]
    bounced = ("", "address forgotten", "bounced", "550 5.1.1")
    assert told(store, late) == [
        (*bounced, "no_such_recipient"),
        ("received", "", {}),
        ("bounced", "550 5.1.1", {}),
    ]
    assert told(store, stub) == [
        (*bounced, ""), ("received", "", {}), ("open", "", {}), ("late_bounce", "550 5.1.1", {})
    ]  # fmt: skip
    assert told(store, early)[-1] == ("open", "", {})


def test_a_place_that_no_page_ended_at_is_refused(store: EventStore) -> None:
    with pytest.raises(EventStoreError, match="leave it out"):
        store.search(parse("roof", MAIL, NOW), Whose(), limit=5, after="2026-11-30.x")


def test_each_recipient_is_found_for_itself(store: EventStore) -> None:
    mail = reception(1, to=("ann@example.com", "bob@example.net"))
    store.take([mail, event(mail, "delivered", "delivered", index=1)])
    assert found(store, "to:bob") == ["bob@example.net"]
    assert found(store, "status:queued") == ["ann@example.com"]
    assert sorted(found(store, "roof")) == ["ann@example.com", "bob@example.net"]


def test_an_account_sees_its_own_mail_only(store: EventStore) -> None:
    mine = reception(1, to=("a@example.com",), account=1, server=10)
    theirs = reception(2, to=("b@example.com",), account=2, server=20)
    store.take([mine, theirs])
    assert found(store, "roof", Whose(account=1)) == ["a@example.com"]
    assert found(store, "account:2", Whose(account=1)) == []
    assert found(store, "roof", Whose(servers=[20])) == ["b@example.com"]
    assert store.timeline(theirs.message.id, Whose(account=1)) is None


def test_the_timeline_has_everything_in_order(store: EventStore) -> None:
    mail = reception(1, to=("a@example.com", "b@example.com"))
    store.take(
        [
            mail,
            event(mail, "delayed", "queued", 1, after_s=1, reply=Reply(451, "4.7.1", "later")),
            event(mail, "delivered", "delivered", 2, after_s=70, reply=Reply(250, "", "ok")),
            event(mail, "delivered", "delivered", 1, index=1, after_s=2),
            fact("open", mail, address="192.0.2.1"),
        ]
    )
    timeline = store.timeline(mail.message.id, Whose())
    assert timeline is not None
    assert [(h.type, h.index, h.reply, h.reason) for h in timeline.happenings] == [
        ("received", None, "", ""),
        ("delayed", 0, "451 4.7.1 later", "no_such_recipient"),
        ("delivered", 1, "", ""),
        ("delivered", 0, "250 ok", ""),
        ("open", 0, "", ""),
    ]
    assert {r.reason for r in timeline.recipients} == {""}  # in the end nothing had failed
    assert timeline.happenings[4].details["address"] == "192.0.2.1"
    assert [(r.address, r.state, r.attempts) for r in timeline.recipients] == [
        ("a@example.com", "delivered", 2),
        ("b@example.com", "delivered", 1),
    ]
    assert store.timeline(an_id(9, START), Whose()) is None
    assert store.timeline(an_id(9, START - 5 * DAY_S), Whose()) is None


def test_the_log_goes_on_where_it_was_left_over_all_days(store: EventStore, stores: EventStores) -> None:
    old = reception(1, START - 3 * DAY_S, to=("old@example.com",))
    new = reception(2, to=("new@example.com",))
    everything = parse("", MAIL, NOW)
    store.take([old, event(old, "delayed", "queued", 1, reply=Reply(451, "", "later"))])
    first = store.log(everything, Whose(), after=0, limit=10)
    assert [(each.type, each.address) for each in first] == [("received", ""), ("delayed", "old@example.com")]
    store.take(
        [new, event(old, "delivered", "delivered", 2, after_s=9e5), fact("login_failed", None, user="x")]
    )
    again = stores.again()
    again.take([event(new, "delivered", "delivered", 1)])
    then = again.log(everything, Whose(), after=first[-1].number, limit=10)
    assert sorted((each.type, each.address) for each in then) == [
        ("delivered", "new@example.com"),
        ("delivered", "old@example.com"),
        ("login_failed", ""),
        ("received", ""),
    ]
    assert then[-1].address == "new@example.com"
    assert len({each.number for each in first + then}) == 6
    mine = parse("to:new", MAIL, NOW)
    assert [each.type for each in again.log(mine, Whose(), after=0, limit=10)] == ["received", "delivered"]
    assert [each.type for each in again.latest(mine, Whose(), limit=1)] == ["delivered"]


def test_a_page_of_the_log_asks_those_days_only_that_it_is_made_of(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails = [reception(n, START + n * DAY_S) for n in range(9)]
    for mail in mails:
        store.take([mail, event(mail, "delivered", "delivered", 1)])  # numbered 1 and 2, 3 and 4 ...
    store.take([event(mails[2], "delivered", "delivered", 9)])  # late: 19
    asked: list[int] = []
    look = DayReader.numbers

    def looking(self: DayReader, *args: Any, **more: Any) -> list[int]:
        asked.append(1)
        return look(self, *args, **more)

    monkeypatch.setattr(DayReader, "numbers", looking)
    everything = parse("", MAIL, NOW)

    def page(**wanted: Any) -> tuple[list[int], int]:
        asked.clear()
        ask = store.log if "after" in wanted else store.latest
        return [each.number for each in ask(everything, Whose(), **wanted)], len(asked)

    assert page(after=0, limit=2) == ([1, 2], 1)
    assert page(after=6, limit=4) == ([7, 8, 9, 10], 2)
    assert page(after=16, limit=4) == ([17, 18, 19], 2)
    assert page(after=18, limit=4) == ([19], 1)
    assert page(after=19, limit=4) == ([], 0)
    assert page(limit=3) == ([17, 18, 19], 2)
    assert page(limit=2, before=9) == ([7, 8], 1)
    assert page(limit=3, before=7) == ([4, 5, 6], 2)


@given(
    days=st.lists(st.integers(0, 6), min_size=1, max_size=40), limit=st.integers(1, 9), cut=st.integers(0, 40)
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_pages_of_the_log_are_the_log_however_the_days_lie_in_it(
    lasting_stores: EventStores, days: list[int], limit: int, cut: int
) -> None:
    """What is late lies in an old day with a new number."""
    store = lasting_stores.new()
    store.take([fact("login_failed", None, n, START + day * DAY_S) for n, day in enumerate(days)])
    everything, last = parse("", MAIL, NOW), store.last()
    numbers: list[int] = []
    while page := store.log(everything, Whose(), after=numbers[-1] if numbers else 0, limit=limit):
        assert len(page) <= limit
        numbers += [each.number for each in page]
    assert numbers == list(range(1, len(days) + 1))
    before = min(cut, last) + 1
    newest = [each.number for each in store.latest(everything, Whose(), limit=limit, before=before)]
    assert newest == numbers[: before - 1][-limit:]
    lasting_stores.done_with(store)


def test_the_log_is_asked_by_type_and_says_whose_it_is(store: EventStore) -> None:
    old = reception(1, START - 3 * DAY_S, account=3, server=7, stream="news", binding="b1")
    new = reception(2)
    store.take([old, event(old, "bounced", "bounced", 1, reply=Reply(550, "5.1.1", "no such user"))])
    store.take([new, event(new, "delayed", "queued", 1), event(new, "bounced", "bounced", 2)])
    everything, types = parse("", MAIL, NOW), ("bounced", "late_bounce")
    found = store.log(everything, Whose(), after=0, limit=10, types=types)
    assert [each.type for each in found] == ["bounced", "bounced"]
    assert found[-1].number == store.last()
    assert store.log(everything, Whose(), after=found[-1].number, limit=10, types=types) == []
    before = store.latest(everything, Whose(), limit=10, types=types, before=found[-1].number)
    assert [each.number for each in before] == [found[0].number]
    assert (found[0].account, found[0].server, found[0].stream) == (3, 7, "news")
    assert (found[0].domain, found[0].binding) == ("example.com", "default")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_late_bounce_makes_a_delivery_worse_whenever_it_is_read(
    store: EventStore, order: tuple[int, ...]
) -> None:
    mail = reception(1, to=("gone@example.com", "ann@example.com"))
    gone = fact("late_bounce", mail, reply="550 5.1.1 no such mailbox", reason="no_such_recipient")
    told = [mail, event(mail, "delivered", "delivered"), gone]
    for number in order:
        store.take([told[number]])
    store.take([event(mail, "delivered", "delivered", index=1), gone])
    timeline = store.timeline(mail.message.id, Whose())
    assert timeline is not None
    assert [(each.state, each.reason, each.reply) for each in timeline.recipients] == [
        ("bounced", "no_such_recipient", "550 5.1.1 no such mailbox"),
        ("delivered", "", ""),
    ]
    assert found(store, 'reply:"such mailbox"') == ["gone@example.com"]


@pytest.mark.parametrize(("type", "state"), [("expired", "expired"), ("cancelled", "cancelled")])
def test_a_late_bounce_makes_nothing_else_of_what_has_ended_otherwise(
    store: EventStore, type: EventType, state: State
) -> None:
    mail = reception(1)
    store.take([mail, event(mail, type, state), fact("late_bounce", mail, reply="550 gone")])
    timeline = store.timeline(mail.message.id, Whose())
    assert timeline is not None
    assert [each.state for each in timeline.recipients] == [state]


def test_what_happened_at_the_door_belongs_to_no_message(store: EventStore) -> None:
    refusal = fact("refusal", None, reply="550 5.7.1 no", peer="192.0.2.1:25")
    store.take([refusal, refusal, fact("refusal", None, 2, reply="550 5.7.1 no")])
    happenings = store.latest(Everything(), Whose(), limit=10)
    assert [(each.type, each.message, each.reply) for each in happenings] == [
        ("refusal", None, "550 5.7.1 no")
    ] * 2
    assert store.count(Everything(), Whose(), most=10) == 0


def state_of(store: EventStore, mails: list[ReceivedMail]) -> list[Any]:
    """All that can be asked of some messages, without the order in which it was told."""
    timelines = [store.timeline(mail.message.id, Whose()) for mail in mails]
    return [
        t and (t.recipients, sorted((h.at, h.type, h.index or 0, h.reply) for h in t.happenings))
        for t in timelines
    ]


def life(number: int, ends: int) -> tuple[ReceivedMail, list[Told]]:
    """A message to two recipients, and some of what happens to it."""
    mail = reception(number, START + number * 0.4 * DAY_S, to=(f"a{number}@example.com", "b@example.net"))
    later: list[Told] = [
        event(mail, "delayed", "queued", 1, after_s=1, reply=Reply(451, "4.7.1", f"later {number}")),
        event(mail, "delivered", "delivered", 1, index=1, after_s=2),
        event(mail, "bounced", "bounced", 2, after_s=60, reply=NO_SUCH_USER),
        fact("open", mail, number, address="192.0.2.1"),
    ]
    return mail, later[:ends]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ends=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    seed=st.integers(0, 10_000),
    sizes=st.lists(st.integers(1, 5), min_size=30, max_size=30),
)
def test_told_late_twice_and_in_any_order_it_comes_to_the_same(
    lasting_stores: EventStores, ends: list[int], seed: int, sizes: list[int]
) -> None:
    lives = [life(number, end) for number, end in enumerate(ends, 1)]
    told: list[Told] = [each for mail, later in lives for each in (mail, *later)]
    rng = random.Random(seed)
    confused = told + rng.sample(told, rng.randint(0, len(told)))
    rng.shuffle(confused)
    straight, shuffled = lasting_stores.new(), lasting_stores.new()
    straight.take(told)
    for size in sizes:
        shuffled.take(confused[:size])
        confused = confused[size:]
    shuffled.take(confused)
    mails = [mail for mail, _ in lives]
    assert state_of(shuffled, mails) == state_of(straight, mails)
    for query in ("roof", "status:bounced", "user", "later", "to:b", "-status:queued"):
        asked = parse(query, MAIL, NOW)
        assert set(keys(straight.search(asked, Whose(), limit=100).found)) == set(
            keys(shuffled.search(asked, Whose(), limit=100).found)
        ), query
    lasting_stores.done_with(straight)
    lasting_stores.done_with(shuffled)


def keys(found: list[FoundMail]) -> list[tuple[str, int]]:
    return [(mail.message, mail.index) for mail in found]


WORDS = ["red", "roof", "Köln", "r2", "東京"]
QUERIES = st.recursive(
    st.sampled_from(
        [
            *WORDS,
            "ro*",
            "r?d",
            "*f",
            '"red roof"',
            "subject:red",
            "to:red",
            "to:x@*",
            "tag:red",
            "tag:r*",
            "tag:*",
            'tag:""',
            "stream:s1",
            "-stream:s1",
            "stream:*",
            "status:queued",
            "status:bounced",
            "reply:roof",
            "size:>1k",
            "size:[1k TO 2k}",
            "attempts:<2",
            "date:2026-11-30",
            "date:3d",
            "meta.a:red",
            "meta.b:*",
            "tag:[a TO s]",
            "domain:red.test",
            "account:1",
            "from:shop",
        ]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["AND", "OR", "", "NOT"]), inner).map(
            lambda parts: "({}) {} ({})".format(*parts)
        ),
        inner.map(lambda text: f"-({text})"),
    ),
    max_leaves=5,
)


class Library:
    """A store, and everything in it."""

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self.everything = store.search(parse("", MAIL, NOW), Whose(), limit=1000).found


@pytest.fixture(scope="module")
def library(lasting_stores: EventStores) -> Library:
    """A store of random mail, and all of it."""
    rng = random.Random(7)
    store = lasting_stores.new()
    for number in range(80):
        mail = reception(
            number,
            START + number * 2700,
            to=tuple(rng.choices(["red@red.test", "roof.x@red.test", "roof@x.test", "red.roof@x.test"], k=2)),
            subject=" ".join(rng.sample(WORDS, rng.randint(0, 4))),
            tags=tuple(rng.sample(["red", "Roof", "a b"], rng.randint(0, 2))),
            stream=rng.choice([None, "s1", "s2"]),
            metadata=rng.choice([None, {"a": "Red"}, {"b": 1}]),
            size=rng.choice([500, 1024, 2048]),
            account=rng.choice([0, 1]),
        )
        store.take([mail])
        if rng.random() < 0.5:
            store.take(
                [event(mail, "bounced", "bounced", reply=Reply(550, "", rng.choice(["red roof", "no"])))]
            )
    return Library(store)


def values_of(mail: FoundMail, field: str) -> list[str | float]:
    """What a mail has in a field, taken from what the store shows of it."""
    plain: dict[str, list[str | float]] = {
        "to": [mail.address],
        "from": [mail.sender, mail.author],
        "subject": [mail.subject],
        "tag": [*mail.tags],
        "reply": [mail.reply],
        "status": [mail.state],
        "stream": [mail.stream],
        "domain": [mail.domain],
        "account": [str(mail.account)],
        "date": [mail.at],
        "size": [mail.size],
        "attempts": [mail.attempts],
    }
    if field.startswith("meta."):
        value = mail.metadata.get(field.removeprefix("meta."))
        return [] if value is None else [str(value)]
    return plain[field]


@settings(max_examples=200, deadline=None)
@given(query=QUERIES)
def test_the_store_finds_what_matches_one_by_one(library: Library, query: str) -> None:
    node = parse(query, MAIL, NOW)
    expected = [mail for mail in library.everything if matches(node, lambda f: values_of(mail, f), MAIL)]  # noqa: B023
    assert keys(library.store.search(node, Whose(), limit=1000).found) == keys(expected)
    assert library.store.count(node, Whose(), most=1000) == len(expected)


def test_what_fails_in_the_middle_leaves_nothing_and_is_taken_again(stores: EventStores) -> None:
    fails = [True]

    def judge(event: Event) -> str:
        if fails:
            raise EventStoreError("the power went")
        return "no_such_recipient"

    store = stores.new(judge)
    mails = [reception(n, to=(f"r{n}@example.com",)) for n in range(3)]
    bounce = event(mails[2], "bounced", "bounced", reply=NO_SUCH_USER)
    store.take(mails[:1])
    with pytest.raises(EventStoreError, match="the power went"):
        store.take([*mails[1:], bounce])
    assert found(store, "roof") == ["r0@example.com"]
    fails.clear()
    store.take([*mails[1:], bounce])
    store.sync()
    assert sorted(found(store, "roof")) == [f"r{n}@example.com" for n in range(3)]
    assert found(store, "user") == ["r2@example.com"]


def test_whoever_follows_the_log_misses_nothing_while_another_writes(stores: EventStores) -> None:
    store, follower = stores.new(), stores.again()
    ended = threading.Event()

    def write() -> None:
        try:
            for number in range(100):
                days = random.Random(number).sample(range(3), 2)
                mails = [reception(number * 3 + day, START + day * DAY_S) for day in days]
                store.take([each for mail in mails for each in (mail, event(mail, "delivered", "delivered"))])
        finally:
            ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen: list[int] = []
    is_last = False
    while not is_last:
        is_last = ended.is_set()
        while found := follower.log(Everything(), Whose(), after=seen[-1] if seen else 0, limit=7):
            seen += [each.number for each in found]
    writer.join()
    assert seen == [each.number for each in follower.latest(Everything(), Whose(), limit=1000)]
    assert len(seen) == 400


def test_nothing_that_a_mail_or_a_peer_may_say_stops_the_store(store: EventStore) -> None:
    mail = reception(
        1,
        subject="red\0roof",
        author="\0",
        tags=("t" * 5_000, "\0", "ﷺ" * 90),
        metadata={"a\0b": "c\0", "n": {"deep": ["\0"]}},
        message_id="x" * 500,
        stream="s'%?{}",
    )
    long = Reply(550, "5.1.1", "no\0such " + " ".join(f"w{number}" for number in range(8_000)))
    store.take([mail, *(event(mail, "bounced", "bounced", seq, reply=long) for seq in range(1, 6))])
    for query in ("red", "roof", "such", "w7", r"stream:s'%\?\{\}", f"id:{mail.message.id.hex()}"):
        assert found(store, query) == ["bob@example.com"], query
