"""One day's file as it is written: what was told becomes rows, in one transaction, and what is there already stays."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from angarium.core.ids import MessageId, made_at
from angarium.core.providers import provider_of
from angarium.core.records import Event, Fact, Message
from angarium.events.catalogue import KINDS, STATES
from angarium.events.forgetting import COUNTED, code_of, nameless
from angarium.events.port import Judge, ReceivedMail, Told
from angarium.events.rows import (
    INDEX_BITS,
    LATE_SEQ,
    WHOLE,
    WORSENED,
    due_of,
    is_late_bounce,
    is_of_machine,
    kind_number_of,
    message_of,
    number_of,
    sequence_of,
    traits_of,
)
from angarium.events.sqlite.detail import pack_event, pack_fact
from angarium.events.sqlite.erasure import alone, erase
from angarium.events.sqlite.forgetting import forget, is_forgotten
from angarium.events.sqlite.schema import SCHEMA_VERSION, open_to_write
from angarium.events.sqlite.words import (
    NOTHING,
    Recent,
    SharedValues,
    StoredWords,
    cut,
    hash_of,
    marks_of,
    reply_row,
)

_AT_ONCE = 400
_REPLY_AT = 7
"""Where the reply stands in the row of an event."""
_IN_MEMORY = 50_000
"""So many messages and words of the newest day are known without asking its file; of days before it, to which little
comes, a tenth.
"""

_encode = msgspec.msgpack.Encoder().encode
_STATES = {state: number for number, state in enumerate(STATES)}
_KINDS = {name: kind.number for name, kind in KINDS.items()}
_DELIVERED = _STATES["delivered"]
_UNKNOWN = _KINDS["unknown"]
_RECEIVED = _KINDS["received"]

_MESSAGE = """
INSERT INTO message (no, id, at, account, server, stream, campaign, listener, sender, author, subject, message_id,
  named, size, traits, came, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET at = excluded.at, account = excluded.account, server = excluded.server,
  stream = excluded.stream, campaign = excluded.campaign, listener = excluded.listener, sender = excluded.sender,
  author = excluded.author, subject = excluded.subject, message_id = excluded.message_id, named = excluded.named,
  size = excluded.size, traits = excluded.traits, came = excluded.came, metadata = excluded.metadata"""
_RECIPIENT = """
INSERT INTO recipient (no, address, home, domain, binding, state, seq, at, due, attempts, reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (no) DO UPDATE SET address = excluded.address, home = excluded.home"""
_BRING = """
INSERT INTO recipient (no, address, domain, binding, state, seq, at, due, attempts, reason)
VALUES (?, '', ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (no) DO UPDATE SET domain = excluded.domain, binding = excluded.binding, state = excluded.state,
  seq = excluded.seq, at = excluded.at, due = excluded.due, attempts = excluded.attempts,
  reason = iif(excluded.reason = 1 AND excluded.state <> 1, reason, excluded.reason)
WHERE excluded.seq > seq"""
_LATE = f"""
INSERT INTO recipient (no, address, domain, binding, state, seq, at, due, attempts, reason)
VALUES (?, '', {NOTHING}, {NOTHING}, {_STATES["bounced"]}, {LATE_SEQ}, ?, NULL, 0, ?)
ON CONFLICT (no) DO UPDATE SET state = excluded.state, seq = excluded.seq, at = excluded.at, due = NULL,
  reason = excluded.reason WHERE state IN ({", ".join(map(str, WORSENED))})"""
_EVENT = """
INSERT OR IGNORE INTO event (no, recipient, seq, at, kind, server, stream, reply, reason, binding, provider, tries,
  machine, detail)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_TAG = "INSERT OR IGNORE INTO tag (word, message) VALUES (?, ?)"
_WORDS = 'INSERT INTO words (rowid, "to", "from", subject, tag, mark) VALUES (?, ?, ?, ?, ?, ?)'
_REPLY = "INSERT INTO reply_words (rowid, reply) VALUES (?, ?)"


class _Known(NamedTuple):
    """A message that is in the file. *is_whole*: it has been received, and not only events of it."""

    no: int
    server: int
    stream: int
    is_whole: bool


_NO_MESSAGE = _Known(0, 0, NOTHING, True)


class _Numbers(NamedTuple):
    """The numbers of a message's words."""

    stream: int
    campaign: int
    binding: int
    tags: list[int]


class _State(NamedTuple):
    """What a recipient has come to, by its last event."""

    domain: int
    binding: int
    state: int
    seq: int
    at: float
    due: float | None
    attempts: int
    reason: int


class _Rows:
    """What a transaction is to write. *received* are recipients and what they begin with, *received_late* those of
    which something was known before; *states* are by the recipient's number, *replies* of failures by that and the
    sequence; *late* are recipients that have bounced late, when and why.
    """

    def __init__(self) -> None:
        self.messages: list[tuple[Any, ...]] = []
        self.received: list[tuple[tuple[int, str, int], _State]] = []
        self.received_late: list[tuple[tuple[int, str, int], _State]] = []
        self.tags: list[tuple[int, int]] = []
        self.words: list[tuple[Any, ...]] = []
        self.events: list[tuple[Any, ...]] = []
        self.states: dict[int, _State] = {}
        self.late: list[tuple[int, float, int]] = []
        self.replies: dict[tuple[int, int], str] = {}

    def forget_replies(self) -> None:
        """Leave the codes of all replies."""
        self.replies.clear()
        self.events = [
            (*row[:_REPLY_AT], code_of(row[_REPLY_AT]), *row[_REPLY_AT + 1 :]) for row in self.events
        ]


class DayFile:
    """Writes a day's file. Raises sqlite3.Error throughout, and ValueError for a file of a newer format."""

    def __init__(self, path: Path, judge: Judge, *, is_newest: bool = True) -> None:
        self._judge = judge
        self._numbers: Iterator[int] = count(1)
        self._db = open_to_write(path, is_newest=is_newest)
        most = _IN_MEMORY if is_newest else _IN_MEMORY // 10
        self._words = StoredWords(self._db, most)
        self._shared = SharedValues(self._db, most // 4)
        self._known: Recent[MessageId, _Known] = Recent(self._stub, most)
        self._next = self._first_free()
        self._is_forgotten = is_forgotten(self._db)

    def take(self, told: Sequence[Told], numbers: Iterator[int]) -> None:
        """Store what was told of messages of this day, or of none, in one transaction: all of it or nothing. Events get
        *numbers*, which only grow.
        """
        self._numbers = numbers
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._learn(told)
            rows = self._rows_of(told)
            if self._is_forgotten:
                rows.forget_replies()
            self._write(rows)
            self._db.execute("COMMIT")
        except BaseException:
            self._forget()
            raise

    def alone(self, address: str, account: int | None) -> list[MessageId]:
        """See `erasure.alone`."""
        return alone(self._db, address, account)

    def erase(self, address: str, account: int | None) -> int:
        """See `erasure.erase`."""
        try:
            found = erase(self._db, address, account)
            self._shared.forget()
            return found
        except BaseException:
            self._forget()
            raise
        finally:
            self._db.execute("PRAGMA secure_delete = OFF")

    def forget(self) -> bool:
        """See `forgetting.forget`."""
        try:
            return forget(self._db)
        finally:
            self._forget()
            self._db.execute("PRAGMA secure_delete = OFF")

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
        """Close the file. Its log goes into it if nobody reads at the moment; else it stays, and nothing is lost."""
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()

    def _forget(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._known.forget()
        self._words.forget()
        self._shared.forget()
        self._next = self._first_free()
        self._is_forgotten = is_forgotten(self._db)

    def _first_free(self) -> int:
        return int(self._db.execute("SELECT ifnull(max(no), 0) + 1 FROM message").fetchone()[0])

    def _learn(self, told: Sequence[Told]) -> None:
        """Have in memory which of the messages are in the file."""
        knows = self._known.knows
        asked = [each for each in {message_of(each) for each in told} if each is not None and not knows(each)]
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            sql = f"SELECT id, no, server, stream, listener FROM message WHERE id IN ({','.join('?' * len(some))})"
            for message_id, no, server, stream, listener in self._db.execute(sql, some):
                self._known.put(message_id, _Known(no, server, stream, listener != NOTHING))

    def _rows_of(self, told: Sequence[Told]) -> _Rows:
        rows = _Rows()
        for each in told:
            if isinstance(each, Event):
                self._note_event(each, rows)
            elif isinstance(each, Fact):
                self._note_fact(each, rows)
            else:
                self._receive(each, rows)
        return rows

    def _write(self, rows: _Rows) -> None:
        self._index_replies(rows.replies)  # before their events are there
        write = self._db.executemany
        write(_MESSAGE, rows.messages)
        write(_RECIPIENT, [(*row, *rows.states.pop(row[0], beginning)) for row, beginning in rows.received])
        write(_RECIPIENT, [(*row, *beginning) for row, beginning in rows.received_late])
        write(_TAG, rows.tags)
        write(_WORDS, rows.words)
        write(_EVENT, rows.events)
        write(_BRING, [(number, *state) for number, state in rows.states.items()])
        write(_LATE, rows.late)

    def _index_replies(self, replies: dict[tuple[int, int], str]) -> None:
        asked = list(replies)
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            marks = ",".join(["(?, ?)"] * len(some))
            sql = f"""WITH asked (number, place) AS (VALUES {marks})
              SELECT recipient, seq FROM asked CROSS JOIN event ON recipient = number AND seq = place"""
            for found in self._db.execute(sql, [part for key in some for part in key]).fetchall():
                del replies[found]
        rows = {reply_row(*key): cut(text) for key, text in replies.items()}
        self._db.executemany(_REPLY, sorted(rows.items()))

    def _receive(self, reception: ReceivedMail, rows: _Rows) -> None:
        reception = nameless(reception) if self._is_forgotten else reception
        message = reception.message
        before = self._known.get(message.id)  # it has been learnt, if it is there
        if before is not None and before.is_whole:
            return
        no = self._number() if before is None else before.no
        numbers = self._numbers_of(message)
        self._known.put(message.id, _Known(no, message.server, numbers.stream, True))
        came = next(self._numbers)
        rows.messages.append(self._message_row(no, reception, numbers, came))
        rows.tags += [(tag, no) for tag in numbers.tags]
        rows.events.append((came, no << INDEX_BITS | WHOLE, 0, message.received_at, _RECEIVED,
                            message.server, numbers.stream, "", NOTHING, numbers.binding, NOTHING, 0, 0,
                            None))  # fmt: skip
        recipients = rows.received if before is None else rows.received_late
        marks = marks_of(message.account, message.server, numbers.stream, numbers.campaign, numbers.tags)
        texts = _texts(reception)
        for index, path in enumerate(message.recipients):
            number, home = no << INDEX_BITS | index, self._words.number(path.domain)
            beginning = _State(home, numbers.binding, 0, 0, message.received_at, None, 0, NOTHING)
            recipients.append(((number, path.address, home), beginning))
            rows.words.append((number, cut(path.address), *texts, f"d{home} {marks}"))

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def _numbers_of(self, message: Message) -> _Numbers:
        options, number = message.options, self._words.number
        return _Numbers(number(options.stream or ""), number(options.campaign or ""), number(message.binding),
                        self._words.numbers(options.tags or ()))  # fmt: skip

    def _message_row(self, no: int, reception: ReceivedMail, numbers: _Numbers, came: int) -> tuple[Any, ...]:
        message, summary = reception
        metadata, share = message.options.metadata, self._shared.share
        return (
            no,
            message.id,
            message.received_at,
            message.account,
            message.server,
            numbers.stream,
            numbers.campaign,
            self._words.number(message.origin.listener),
            share(message.reverse_path),
            share(summary.author),
            share(summary.subject),
            summary.message_id,
            hash_of(summary.message_id.lower().encode()) if summary.message_id else None,
            message.size,
            traits_of(message),
            came,
            _encode(metadata) if metadata else None,
        )

    def _note_event(self, event: Event, rows: _Rows) -> None:
        """Note what happened, and what the recipient has come to."""
        known = self._known[event.message]
        number, state, reply, word = number_of(event, known.no), _STATES[event.state], "", self._words.number
        reason, binding, attempt = NOTHING, word(event.binding), event.attempt
        if event.reply is not None:
            reply = str(event.reply)
            if state != _DELIVERED:
                reason = word(self._judge(event))
                rows.replies[number, event.seq] = reply
        provider = word(provider_of(attempt.host)) if attempt is not None and attempt.host else NOTHING
        rows.events.append((next(self._numbers), number, event.seq, event.at, _KINDS[event.type], known.server,
                            known.stream, reply, reason, binding, provider, event.attempts, 0,
                            self._detail(event)))  # fmt: skip
        now = _State(
            word(event.domain), binding, state, event.seq, event.at, due_of(event), event.attempts, reason
        )
        before = rows.states.setdefault(number, now)
        if before is not now:
            rows.states[number] = _later(before, now)

    def _note_fact(self, fact: Fact, rows: _Rows) -> None:
        known = _NO_MESSAGE if fact.message is None else self._known[fact.message]
        number, seq, fields, reply, reason = (
            number_of(fact, known.no),
            sequence_of(fact),
            fact.fields,
            "",
            NOTHING,
        )
        if "reply" in fields and (reply := str(fields["reply"])) and known.no:
            rows.replies[number, seq] = reply
        if "reason" in fields:
            reason = self._words.number(str(fields["reason"]))
        if is_late_bounce(fact):
            rows.late.append((number, fact.at, reason))
        rows.events.append((next(self._numbers), number, seq, fact.at, _KINDS.get(fact.kind, _UNKNOWN),
                            known.server or fact.server, known.stream, reply, reason, NOTHING, NOTHING, 0,
                            is_of_machine(fact), self._detail(fact)))  # fmt: skip

    def _detail(self, told: Event | Fact) -> bytes | None:
        """Return what is in no column; None in a day that names nobody."""
        if self._is_forgotten and kind_number_of(told) != COUNTED:
            return None
        share = self._shared.share
        return pack_event(told, share) if isinstance(told, Event) else pack_fact(told, share)

    def _stub(self, message: MessageId) -> _Known:
        """Write down a message of which only events are known."""
        known = _Known(self._number(), 0, NOTHING, False)
        sql = "INSERT INTO message (no, id, at) VALUES (?, ?, ?)"
        self._db.execute(sql, (known.no, message, made_at(message)))
        return known


def _later(one: _State, other: _State) -> _State:
    """Return the later of two states. A reason stays until another is given, or the mail is delivered."""
    first, last = (one, other) if one.seq < other.seq else (other, one)
    return last._replace(reason=first.reason) if last.reason == NOTHING and last.state != _DELIVERED else last


def _texts(reception: ReceivedMail) -> tuple[str, str, str]:
    """Return the words of sender, subject and tags."""
    message, summary = reception
    return cut(message.reverse_path, summary.author), cut(summary.subject), cut(*message.options.tags or ())
