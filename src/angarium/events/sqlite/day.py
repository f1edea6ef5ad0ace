"""One day's file as it is written: what was told becomes rows, in one transaction, and what is there already stays."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from angarium.core.ids import made_at
from angarium.core.records import Event, Fact
from angarium.events.catalogue import STATES, kind_of
from angarium.events.port import Judge, ReceivedMail, Told
from angarium.events.rows import (
    INDEX_BITS,
    WHOLE,
    detail_of,
    due_of,
    has_failed,
    is_of_machine,
    kind_number_of,
    message_of,
    number_of,
    provider_tried,
    reply_of,
    said,
    sequence_of,
    traits_of,
)
from angarium.events.sqlite.schema import SCHEMA_VERSION, open_to_write
from angarium.events.sqlite.words import NOTHING, StoredWords
from angarium.query.words import words

_MOST_KNOWN = 50_000
_IDS_AT_ONCE = 500

_encode = msgspec.msgpack.Encoder().encode

_MESSAGE = """
INSERT INTO message (no, id, at, account, server, stream, campaign, listener, sender, author, subject, message_id,
  size, traits, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET at = excluded.at, account = excluded.account, server = excluded.server,
  stream = excluded.stream, campaign = excluded.campaign, listener = excluded.listener, sender = excluded.sender,
  author = excluded.author, subject = excluded.subject, message_id = excluded.message_id, size = excluded.size,
  traits = excluded.traits, metadata = excluded.metadata"""
_RECIPIENT = """
INSERT INTO recipient (no, address, home, domain, binding, state, seq, at, due, attempts, reply)
VALUES (?, ?, ?, ?, ?, 0, 0, ?, NULL, 0, '')
ON CONFLICT (no) DO UPDATE SET address = excluded.address, home = excluded.home"""
_STATE = """
INSERT INTO recipient (no, address, domain, binding, state, seq, at, due, attempts, reply, reason)
VALUES (?, '', ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (no) DO UPDATE SET domain = excluded.domain, binding = excluded.binding, state = excluded.state,
  seq = excluded.seq, at = excluded.at, due = excluded.due, attempts = excluded.attempts,
  reply = iif(excluded.reply = '', reply, excluded.reply),
  reason = iif(excluded.reason = 1 AND excluded.state <> 1, reason, excluded.reason)
WHERE excluded.seq > seq"""
_EVENT = """
INSERT OR IGNORE INTO event (no, recipient, seq, at, kind, server, stream, reply, reason, binding, provider, tries,
  machine, detail)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class _Known(NamedTuple):
    """A message that is in the file. *is_whole*: it has been received, and not only events of it."""

    no: int
    server: int
    stream: int
    is_whole: bool


class DayFile:
    """Writes a day's file. Raises sqlite3.Error throughout, and ValueError for a file of a newer format."""

    def __init__(self, path: Path, judge: Judge) -> None:
        self._judge = judge
        self._numbers: Iterator[int] = iter(())
        self._db = open_to_write(path)
        self._words = StoredWords(self._db)
        self._known: dict[bytes, _Known] = {}
        self._next = self._first_free()

    def take(self, told: Sequence[Told], numbers: Iterator[int]) -> None:
        """Store what was told of messages of this day, or of none, in one transaction: all of it or nothing. Events get
        *numbers*, which only grow.
        """
        self._numbers = numbers
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._learn(told)
            self._receive([each for each in told if isinstance(each, ReceivedMail)])
            self._note([each for each in told if not isinstance(each, ReceivedMail)])
            self._db.execute("COMMIT")
        except BaseException:
            self._forget()
            raise

    def sync(self) -> None:
        """Have all that was committed survive a power cut: the log is synced with something that is written to it."""
        self._db.execute("PRAGMA synchronous = FULL")
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._db.execute("COMMIT")
        except sqlite3.Error:
            self._forget()
            raise
        finally:
            self._db.execute("PRAGMA synchronous = NORMAL")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _forget(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._known.clear()
        self._words.forget()
        self._next = self._first_free()

    def _first_free(self) -> int:
        return int(self._db.execute("SELECT ifnull(max(no), 0) + 1 FROM message").fetchone()[0])

    def _learn(self, told: Sequence[Told]) -> None:
        """Have in memory which of the messages are in the file."""
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        asked = list({i for each in told if (i := message_of(each)) is not None and i not in self._known})
        for start in range(0, len(asked), _IDS_AT_ONCE):
            some = asked[start : start + _IDS_AT_ONCE]
            sql = f"SELECT id, no, server, stream, listener FROM message WHERE id IN ({','.join('?' * len(some))})"
            for message_id, no, server, stream, listener in self._db.execute(sql, some):
                self._known[message_id] = _Known(no, server, stream, listener != NOTHING)

    def _receive(self, receptions: Sequence[ReceivedMail]) -> None:
        new: dict[bytes, tuple[int, ReceivedMail]] = {}
        for reception in receptions:
            known = self._known.get(reception.message.id)
            if reception.message.id in new or (known is not None and known.is_whole):
                continue
            new[reception.message.id] = (known.no if known else self._number(), reception)
        rows = [self._message_row(no, reception) for no, reception in new.values()]
        self._db.executemany(_MESSAGE, rows)
        self._db.executemany(
            _RECIPIENT, (row for no, r in new.values() for row in self._recipient_rows(no, r))
        )
        self._index(list(new.values()))
        self._db.executemany(
            _EVENT, [(next(self._numbers), *self._reception_row(no, each)) for no, each in new.values()]
        )
        for row in rows:
            self._known[row[1]] = _Known(row[0], row[4], row[5], True)

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def _message_row(self, no: int, reception: ReceivedMail) -> tuple[Any, ...]:
        message, summary = reception
        options = message.options
        return (
            no,
            message.id,
            message.received_at,
            message.account,
            message.server,
            *self._words.numbers((options.stream or "", options.campaign or "", message.origin.listener)),
            message.reverse_path,
            summary.author,
            summary.subject,
            summary.message_id,
            message.size,
            traits_of(message),
            _encode(options.metadata) if options.metadata else None,
        )

    def _recipient_rows(self, no: int, reception: ReceivedMail) -> Iterable[tuple[Any, ...]]:
        message = reception.message
        binding = self._words.number(message.binding)
        for index, path in enumerate(message.recipients):
            domain = self._words.number(path.domain)
            yield (no << INDEX_BITS) | index, path.address, domain, domain, binding, message.received_at

    def _index(self, new: Sequence[tuple[int, ReceivedMail]]) -> None:
        self._db.executemany(
            'INSERT INTO message_words (rowid, "from", subject, tag) VALUES (?, ?, ?, ?)',
            [
                (
                    no,
                    cut(message.reverse_path, summary.author),
                    cut(summary.subject),
                    cut(*message.options.tags or ()),
                )
                for no, (message, summary) in new
            ],
        )
        self._db.executemany(
            'INSERT INTO recipient_words (rowid, "to") VALUES (?, ?)',
            [
                ((no << INDEX_BITS) | index, cut(path.address))
                for no, reception in new
                for index, path in enumerate(reception.message.recipients)
            ],
        )
        tags = {(word, no) for no, r in new for word in self._words.numbers(r.message.options.tags or ())}
        self._db.executemany("INSERT OR IGNORE INTO tag (word, message) VALUES (?, ?)", tags)

    def _note(self, told: Sequence[Event | Fact]) -> None:
        """Store what happened, and of each recipient what it has come to."""
        plain: list[tuple[Any, ...]] = []
        latest: dict[int, Event] = {}
        for each in told:
            known = self._message_known(each)
            row = self._event_row(each, known)
            if isinstance(each, Event) and (row[0] not in latest or latest[row[0]].seq < each.seq):
                latest[row[0]] = each
            if has_failed(each):
                self._note_failure((next(self._numbers), *row))
                continue
            plain.append((next(self._numbers), *row))
        self._db.executemany(_EVENT, plain)
        self._db.executemany(_STATE, [self._state_row(number, event) for number, event in latest.items()])

    def _message_known(self, told: Event | Fact) -> _Known:
        """Return the message that *told* is about, written down as far as it is known; number 0 for none."""
        if told.message is None:
            assert isinstance(told, Fact)
            return _Known(0, told.server, NOTHING, True)
        known = self._known.get(told.message)
        if known is None:
            known = self._known[told.message] = _Known(self._number(), 0, NOTHING, False)
            self._db.execute(
                "INSERT INTO message (no, id, at) VALUES (?, ?, ?)",
                (known.no, told.message, made_at(told.message)),
            )
        return known

    def _reception_row(self, no: int, reception: ReceivedMail) -> tuple[Any, ...]:
        """Return the row of the event that a message was received."""
        message, stream = reception.message, self._words.number(reception.message.options.stream or "")
        return ((no << INDEX_BITS) | WHOLE, 0, message.received_at, kind_of("received").number, message.server, stream,
                "", NOTHING, self._words.number(message.binding), NOTHING, 0, 0, None)  # fmt: skip

    def _event_row(self, told: Event | Fact, known: _Known) -> tuple[Any, ...]:
        server = known.server if isinstance(told, Event) else known.server or told.server
        return (number_of(told, known.no), sequence_of(told), told.at, kind_number_of(told), server,
                known.stream, reply_of(told), self._reason(told), *self._attempt(told), is_of_machine(told),
                detail_of(told))  # fmt: skip

    def _attempt(self, told: Event | Fact) -> tuple[int, int, int]:
        """Return by which binding and at which provider it was tried, and how often it had been then."""
        if isinstance(told, Fact):
            return NOTHING, NOTHING, 0
        binding, provider = self._words.numbers((told.binding, provider_tried(told)))
        return binding, provider, told.attempts

    def _reason(self, told: Event | Fact) -> int:
        """Return the number of the word that says why an attempt has failed, or what a fact says."""
        if isinstance(told, Fact):
            return self._words.number(str(told.fields.get("reason", "")))
        return self._words.number(self._judge(told)) if has_failed(told) else NOTHING

    def _note_failure(self, row: tuple[Any, ...]) -> None:
        made = self._db.execute(_EVENT, row)
        if made.rowcount == 1:
            sql = "INSERT INTO reply_words (rowid, reply) VALUES (?, ?)"
            self._db.execute(sql, (row[0], cut(row[7])))

    def _state_row(self, number: int, event: Event) -> tuple[Any, ...]:
        domain, binding = self._words.numbers((event.domain, event.binding))
        state = STATES.index(event.state)
        return (number, domain, binding, state, event.seq, event.at, due_of(event), event.attempts, said(event.reply),
                self._reason(event))  # fmt: skip


def cut(*texts: str) -> str:
    """Return the words of *texts* as the index wants them, with something between two texts that is no word, so that no
    phrase goes from one into the next.
    """
    return " · ".join(" ".join(words(text)) for text in texts)
