"""Texts of messages that are kept: once each, for their days, for whose they are."""

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from angarium.core.ids import MessageId
from angarium.core.options import Options
from angarium.core.records import Message
from angarium.events.bodies.port import BodyStoreError, TextToKeep, body_of, kept_until
from angarium.events.bodies.store import BodyStore
from angarium.events.port import Whose
from angarium.testing.happenings import DAY_S, START, an_id, reception

TEXT = b"Subject: Your roof\r\n\r\nIt is red.\r\n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BodyStore]:
    store = BodyStore(tmp_path / "texts")
    yield store
    store.close()


def a_message(number: int, days: int = 7, at: float = START, content: bytes = b"", **of: int) -> Message:
    message = reception(number, at, account=of.get("account", 0), server=of.get("server", 0)).message
    options = Options(keep_body_days=days)
    return msgspec.structs.replace(message, options=options, content=content, trace=b"Received: here\r\n")


def to_keep(message: Message, text: bytes | Path | None = TEXT) -> TextToKeep:
    return TextToKeep(message, body_of(message), kept_until(message), text)


def text_of(store: BodyStore, message: Message, scope: Whose = Whose()) -> bytes | None:  # noqa: B008 - immutable
    kept = store.read(message.id, scope)
    return None if kept is None else b"".join(kept.pieces)


def test_a_text_is_kept_for_as_long_as_its_stream_says() -> None:
    assert kept_until(a_message(1, days=0)) == ""
    assert kept_until(reception(1).message) == ""
    assert kept_until(a_message(1, days=7)) == "2026-12-07"


def test_a_message_is_read_as_it_was_received(store: BodyStore) -> None:
    message = a_message(1)
    assert store.read(message.id) is None
    store.take([to_keep(message)])
    store.sync()
    assert text_of(store, message) == b"Received: here\r\n" + TEXT


def test_said_twice_it_is_kept_once(store: BodyStore) -> None:
    message = a_message(1)
    store.take([to_keep(message), to_keep(message)])
    store.take([to_keep(message, b"something else")])
    assert text_of(store, message) == b"Received: here\r\n" + TEXT
    with sqlite3.connect(store.folder / "2026-12-07.db") as db:
        assert db.execute("SELECT count(*) FROM piece").fetchone() == (1,)


def test_a_large_text_is_never_whole_in_memory_and_comes_back_the_same(
    store: BodyStore, tmp_path: Path
) -> None:
    text = random.Random(1).randbytes(2_500_000)
    (tmp_path / "large").write_bytes(text)
    message = a_message(1)
    store.take([to_keep(message, tmp_path / "large")])
    kept = store.read(message.id)
    assert kept is not None
    pieces = list(kept.pieces)
    assert b"".join(pieces) == b"Received: here\r\n" + text
    assert max(map(len, pieces)) == 1 << 20


def test_what_a_campaign_shares_is_kept_once(store: BodyStore) -> None:
    content = an_id(99, START)
    first, second = a_message(1, content=content), a_message(2, content=content)
    store.take([to_keep(first), to_keep(second, None)])
    assert text_of(store, first) == text_of(store, second) == b"Received: here\r\n" + TEXT
    with sqlite3.connect(store.folder / "2026-12-07.db") as db:
        assert db.execute("SELECT count(*) FROM piece").fetchone() == (1,)
    assert store.erase([first.id]) == 1
    assert text_of(store, first) is None
    assert text_of(store, second) is not None
    store.erase([second.id])
    with sqlite3.connect(store.folder / "2026-12-07.db") as db:
        assert db.execute("SELECT count(*) FROM piece").fetchone() == (0,)


def test_an_account_reads_its_own_texts_only(store: BodyStore) -> None:
    message = a_message(1, account=3, server=7)
    store.take([to_keep(message)])
    assert text_of(store, message, Whose(account=3, servers=[7, 8]))
    assert text_of(store, message, Whose(account=4)) is None
    assert text_of(store, message, Whose(account=3, servers=[8])) is None


def test_what_was_erased_is_in_no_file(store: BodyStore) -> None:
    secret = random.Random(2).randbytes(5_000)  # no compression makes anything of it
    messages = [a_message(number) for number in range(3)]
    store.take([to_keep(messages[0]), to_keep(messages[1], secret), to_keep(messages[2])])
    assert any(secret[100:200] in path.read_bytes() for path in store.folder.iterdir())
    assert store.erase([messages[1].id, MessageId(bytes(16))]) == 1
    assert not any(secret[100:200] in path.read_bytes() for path in store.folder.iterdir())
    assert text_of(store, messages[0]) is not None
    store.take([to_keep(messages[1], secret)])  # as a recorder does that begins again a little before
    assert text_of(store, messages[1]) is None
    assert store.erase([messages[1].id]) == 0


def test_a_day_goes_as_a_whole(store: BodyStore) -> None:
    short, long = a_message(1, days=1), a_message(2, days=30)
    store.take([to_keep(short), to_keep(long)])
    assert list(store.sizes()) == ["2026-12-01", "2026-12-30"]
    store.drop("2026-12-01")
    assert text_of(store, short) is None
    assert text_of(store, long) is not None
    assert sorted({path.name[:10] for path in store.folder.iterdir()}) == ["2026-12-30"]


def test_what_fails_in_the_middle_leaves_nothing_and_is_taken_again(store: BodyStore, tmp_path: Path) -> None:
    first, second = a_message(1), a_message(2)
    missing = tmp_path / "missing"
    with pytest.raises(BodyStoreError, match="No such file"):
        store.take([to_keep(first), to_keep(second, missing)])
    assert text_of(store, first) is None
    missing.write_bytes(TEXT)
    store.take([to_keep(first), to_keep(second, missing)])
    assert text_of(store, second) == b"Received: here\r\n" + TEXT


def test_a_file_of_a_newer_format_is_refused(store: BodyStore) -> None:
    store.take([to_keep(a_message(1))])
    store.close()
    with sqlite3.connect(store.folder / "2026-12-07.db") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(BodyStoreError, match="has format 99; this program reads 1"):
        store.take([to_keep(a_message(2))])


def test_each_day_is_found(store: BodyStore) -> None:
    messages = [a_message(number, days=number + 1, at=START + number * DAY_S) for number in range(5)]
    store.take([to_keep(message) for message in messages])
    assert all(text_of(store, message) for message in messages)
