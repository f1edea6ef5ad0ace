"""What `angarium find` asks for, answered by the event store."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from angarium.core.finding import Wanted
from angarium.core.reply import Reply
from angarium.events.finding import EventSource
from angarium.events.sqlite.store import SqliteEventStore
from angarium.testing.happenings import START, event, reception

FIRST = reception(
    1, to=("bob@example.com", "ann@example.net"), message_id="One@shop.example.org", tags=("news",)
)
SECOND = reception(2, START + 60, to=("eve@example.com",))


@pytest.fixture
def source(tmp_path: Path) -> Iterator[EventSource]:
    store = SqliteEventStore(tmp_path / "events")
    store.take([FIRST, SECOND, event(FIRST, "bounced", "bounced", reply=Reply(550, "5.1.1", "no such user"))])
    yield EventSource(store)
    store.close()


def found(source: EventSource, **wanted: Any) -> list[str]:
    return [row.message for row in source.find(Wanted(**wanted), lambda *_: None).rows]


@pytest.mark.parametrize(
    "wanted",
    [
        {"recipient": "bob@example.com"},
        {"recipient": "example.net"},
        {"recipient": "b*@example.com"},
        {"words": "bob@example.com"},
        {"words": "news"},
        {"words": FIRST.message.id.hex()[:31]},
        {"words": "<one@shop.example.org>"},
        {"message_id": "One@shop.example.org"},
        {"id": FIRST.message.id.hex()[:31]},
        {"tag": "News"},
        {"until": START},
        {"sender": "shop.example.org", "tag": "news"},
        {"before": SECOND.message.id.hex()},
    ],
)
def test_a_message_is_found(source: EventSource, wanted: dict[str, Any]) -> None:
    assert found(source, **wanted) == [FIRST.message.id.hex()]


def test_the_newest_comes_first_and_what_is_left_is_told(source: EventSource) -> None:
    finding = source.find(Wanted(sender="shop.example.org", limit=1), lambda *_: None)
    newest = SECOND.message.id.hex()
    assert ([row.message for row in finding.rows], finding.next) == ([newest], newest)


def test_all_recipients_are_counted_by_their_state(source: EventSource) -> None:
    (row,) = source.find(Wanted(tag="news"), lambda *_: None).rows
    assert (row.recipient_count, row.states) == (2, {"bounced": 1, "queued": 1})


def test_what_cannot_be_looked_for_finds_nothing(source: EventSource) -> None:
    assert found(source, login="shop", tag="news") == []
    assert found(source, sender="<>") == []


def test_a_domain_is_found_in_either_spelling(tmp_path: Path) -> None:
    store = SqliteEventStore(tmp_path / "idn")
    store.take([reception(3, to=("eva@xn--bcher-kva.example",))])
    for text in ("bücher.example", "eva@BÜCHER.example", "xn--bcher-kva.example", "e*@bücher.example"):
        assert len(found(EventSource(store), recipient=text)) == 1, text
    store.close()
