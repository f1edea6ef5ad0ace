"""What has come back, as a list and counted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from angarium.core.records import Attempt
from angarium.core.reply import Reply
from angarium.events.port import Whose
from angarium.events.sqlite.store import SqliteEventStore
from angarium.feedback.bounces import bounce_numbered, bounce_of, newest_first, summarise
from angarium.query.nodes import Everything
from angarium.testing.happenings import START, event, fact, reception

NOWHERE = Everything()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteEventStore]:
    made = SqliteEventStore(tmp_path)
    for number in range(3):
        mail = reception(number, START + number, to=(f"r{number}@example.com",), account=1, stream="news")
        attempt = Attempt(started_at=START, stage="rcpt", host="gmail-smtp-in.l.google.com")
        reply = Reply(550, "5.1.1", f"no such user r{number}@example.com, 01HX{number}ABCDEFGH - gsmtp")
        made.take([mail, event(mail, "bounced", "bounced", reply=reply, attempt=attempt)])
    mail = reception(9, START + 9, to=("ann@example.org",), account=2)
    made.take([mail, event(mail, "delivered", "delivered"), fact("complaint", mail, 1, type="abuse")])
    yield made
    made.close()


def test_one_has_its_verdict_and_what_vendors_call_it(store: SqliteEventStore) -> None:
    *_, happening = newest_first(store, NOWHERE, Whose())
    bounce = bounce_of(happening)
    assert (bounce.type, bounce.address, bounce.domain) == ("bounced", "r0@example.com", "example.com")
    assert bounce.provider == "google"
    assert (bounce.reason, bounce.class_number, bounce.category) == ("no_such_recipient", 10, "Hard")
    assert (bounce.rule, bounce.postmark, bounce.follows) == ("no such recipient", "HardBounce", "suppress")
    assert (bounce.account, bounce.stream) == (1, "news")


def test_the_newest_come_first_and_deliveries_not_at_all(store: SqliteEventStore) -> None:
    listed = [(each.type, each.address) for each in newest_first(store, NOWHERE, Whose())]
    assert listed == [
        ("complaint", "ann@example.org"),
        *(("bounced", f"r{n}@example.com") for n in (2, 1, 0)),
    ]
    assert [each.type for each in newest_first(store, NOWHERE, Whose(2))] == ["complaint"]
    assert list(newest_first(store, NOWHERE, Whose(), since=START + 200)) == []
    assert [each.type for each in newest_first(store, NOWHERE, Whose(), types=("complaint",))] == [
        "complaint"
    ]


def test_one_is_found_by_its_number_if_it_is_one_of_these(store: SqliteEventStore) -> None:
    for each in store.log(NOWHERE, Whose(), after=0, limit=100):
        found = bounce_numbered(store, NOWHERE, Whose(), each.number)
        assert (found is not None) == (each.type in ("bounced", "complaint"))
        assert bounce_numbered(store, NOWHERE, Whose(3), each.number) is None


def test_they_are_counted_by_what_they_have_in_common(store: SqliteEventStore) -> None:
    found = list(newest_first(store, NOWHERE, Whose()))
    assert [(each.key, each.count) for each in summarise(found, "class", 100).groups] == [
        ("10 Invalid Recipient", 3),
        ("complaint", 1),
    ]
    by_reply = summarise(found, "reply", 100).groups[0]
    assert (by_reply.key, by_reply.count) == ("550 5.1.1 no such user *, * - gsmtp", 3)
    cut = summarise(found, "provider", 2)
    assert (cut.total, cut.is_cut) == (2, True)
