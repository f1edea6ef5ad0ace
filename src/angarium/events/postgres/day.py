"""One day's tables as they are written, within the transaction of whoever writes: what is there already stays.

What is new of a batch is copied, not inserted. So it is looked first what is there, which nobody else changes
meanwhile; and of a message that comes together with what happened to it, each recipient is written once.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from angarium.core.ids import MessageId, made_at
from angarium.core.records import Event, Fact
from angarium.events.catalogue import STATES, kind_of
from angarium.events.forgetting import COUNTED, code_of, nameless
from angarium.events.port import Judge, ReceivedMail, Told
from angarium.events.postgres.schema import schema_of
from angarium.events.postgres.vectors import (
    MOST_WORDS,
    mail_vector,
    reply_vector,
    with_reply,
    without_replies,
)
from angarium.events.postgres.words import NOTHING, Cursor, NumberedWords, storable
from angarium.events.reading import folded_meta
from angarium.events.rows import (
    INDEX_BITS,
    LATE_SEQ,
    WHOLE,
    WORSENED,
    detail_of,
    due_of,
    has_failed,
    is_late_bounce,
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

_MOST_KNOWN = 50_000

_DELIVERED = STATES.index("delivered")
_encode = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode

_MESSAGE = ("no", "id", "at", "account", "server", "stream", "campaign", "listener", "sender", "author", "subject",
            "message_id", "size", "traits", "came", "metadata", "meta")  # fmt: skip
_RECIPIENT = ("no", "address", "home", "domain", "binding", "state", "seq", "at", "due", "attempts", "reply", "reason",
              "words")  # fmt: skip
_STATE_AT, _SEQ_AT, _REPLY_AT, _REASON_AT, _WORDS_AT = map(
    _RECIPIENT.index, ("state", "seq", "reply", "reason", "words")
)
_EVENT = ("no", "recipient", "seq", "at", "kind", "server", "stream", "reply", "reason", "binding",
          "provider", "tries", "machine", "detail")  # fmt: skip
_SAID_AT = _EVENT.index("reply")

_RECEIVED_LATE = """
INSERT INTO {day}.recipient AS r ({columns}) VALUES ({marks})
ON CONFLICT (no) DO UPDATE SET address = excluded.address, home = excluded.home, words = excluded.words || r.words"""
_STATE = """
INSERT INTO {day}.recipient AS r ({columns}) VALUES ({marks})
ON CONFLICT (no) DO UPDATE SET domain = excluded.domain, binding = excluded.binding, state = excluded.state,
  seq = excluded.seq, at = excluded.at, due = excluded.due, attempts = excluded.attempts,
  reply = CASE WHEN excluded.reply = '' THEN r.reply ELSE excluded.reply END,
  reason = CASE WHEN excluded.reason = 1 AND excluded.state <> 1 THEN r.reason ELSE excluded.reason END
WHERE excluded.seq > r.seq"""
_LATE = f"""
INSERT INTO {{day}}.recipient AS r ({{columns}}) VALUES ({{marks}})
ON CONFLICT (no) DO UPDATE SET state = excluded.state, seq = excluded.seq, at = excluded.at, due = NULL,
  reply = excluded.reply, reason = excluded.reason WHERE r.state IN ({", ".join(map(str, WORSENED))})"""
_REPLY = """
UPDATE {day}.recipient SET words = words || CAST(%s AS tsvector) WHERE no = %s AND length(words) < {most}"""


class _Known(NamedTuple):
    """A message that is in the tables. *is_whole*: it has been received, and not only events of it."""

    no: int
    server: int
    stream: int
    is_whole: bool


class DayTables:
    """Writes the tables of *day*, which are there; *is_forgotten*: without what names anybody. Raises psycopg.Error
    throughout.
    """

    def __init__(self, day: str, judge: Judge, *, is_forgotten: bool = False) -> None:
        self._day = schema_of(day)
        self._is_forgotten = is_forgotten
        self._judge = judge
        self._words = NumberedWords(self._day)
        self._known: dict[bytes, _Known] = {}
        self._next: int | None = None

    def take(self, cursor: Cursor, told: Sequence[Told], numbers: Iterator[int]) -> None:
        """Store what was told of messages of this day, or of none. Events get *numbers*, which only grow."""
        received = [
            nameless(each) if self._is_forgotten else each for each in told if isinstance(each, ReceivedMail)
        ]
        happened = [each for each in told if not isinstance(each, ReceivedMail)]
        self._learn(cursor, told)
        self._words.learn(cursor, self._texts(received, happened))
        batch = _Batch(cursor, self._day)
        self._receive(batch, received, numbers)
        self._note(batch, happened, numbers)
        if self._is_forgotten:
            batch.forget_replies()
        batch.write()

    def forget(self) -> None:
        """Forget what is in memory, as after a transaction that was undone."""
        self._known.clear()
        self._words.forget()
        self._next = None

    def _learn(self, cursor: Cursor, told: Sequence[Told]) -> None:
        """Have in memory which of the messages are there."""
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        asked = list({i for each in told if (i := message_of(each)) is not None and i not in self._known})
        if asked:
            sql = f"SELECT id, no, server, stream, listener FROM {self._day}.message WHERE id = ANY(%s)"
            for message_id, no, server, stream, listener in cursor.execute(sql, (asked,)):
                self._known[message_id] = _Known(no, server, stream, listener != NOTHING)
        if self._next is None:
            last = cursor.execute(f"SELECT coalesce(max(no), 0) FROM {self._day}.message").fetchone()
            assert last is not None
            self._next = last[0] + 1

    def _texts(self, received: Sequence[ReceivedMail], happened: Sequence[Event | Fact]) -> Iterable[str]:
        """Yield all that numbers stand for."""
        for message, _ in received:
            options = message.options
            yield from (
                options.stream or "",
                options.campaign or "",
                message.origin.listener,
                message.binding,
            )
            yield from options.tags or ()
            yield from (path.domain for path in message.recipients)
        for each in happened:
            yield self._reason(each)
            if isinstance(each, Event):
                yield from (each.domain, each.binding, provider_tried(each))

    def _receive(self, batch: "_Batch", received: Sequence[ReceivedMail], numbers: Iterator[int]) -> None:
        for reception in received:
            known = self._known.get(reception.message.id)
            if known is not None and known.is_whole:
                continue
            no = known.no if known else self._number()
            came = next(numbers)
            message = self._message_row(no, reception, came)
            batch.receive(message, self._recipient_rows(no, reception), was_there=known is not None)
            batch.tags |= {(self._words.number(tag), no) for tag in reception.message.options.tags or ()}
            batch.events.append((came, *self._reception_row(no, reception)))
            self._known[reception.message.id] = _Known(no, message[4], message[5], True)

    def _number(self) -> int:
        assert self._next is not None
        self._next += 1
        return self._next - 1

    def _message_row(self, no: int, reception: ReceivedMail, came: int) -> tuple[Any, ...]:
        message, summary = reception
        options, number = message.options, self._words.number
        metadata = options.metadata or None
        meta = metadata and {storable(name): storable(folded_meta(each)) for name, each in metadata.items()}
        return (no, bytes(message.id), message.received_at, message.account, message.server,
                number(options.stream or ""), number(options.campaign or ""), number(message.origin.listener),
                storable(message.reverse_path), storable(summary.author), storable(summary.subject),
                storable(summary.message_id), message.size, traits_of(message), came, metadata and _encode(metadata),
                meta and _json(meta).decode())  # fmt: skip

    def _recipient_rows(self, no: int, reception: ReceivedMail) -> Iterable[list[Any]]:
        message, summary = reception
        binding = self._words.number(message.binding)
        texts = [("from", (message.reverse_path, summary.author)), ("subject", (summary.subject,)),
                 ("tag", message.options.tags or ())]  # fmt: skip
        for index, path in enumerate(message.recipients):
            vector = mail_vector([*texts, ("to", (path.address,))])
            domain = self._words.number(path.domain)
            yield [(no << INDEX_BITS) | index, storable(path.address), domain, domain, binding, 0, 0,
                   message.received_at, None, 0, "", NOTHING, vector]  # fmt: skip

    def _note(self, batch: "_Batch", happened: Sequence[Event | Fact], numbers: Iterator[int]) -> None:
        """Note what happened, and of each recipient what it has come to."""
        rows = [(self._event_row(each, self._message_known(batch, each)), each) for each in happened]
        there = batch.there([row for row, _ in rows])
        for row, each in rows:
            if row[:2] in there:
                continue
            there.add(row[:2])
            batch.events.append((next(numbers), *row))
            if isinstance(each, Event):
                batch.apply(self._state_row(row[0], each), has_failed(each))
            elif is_late_bounce(each):
                batch.worsen(row[0], each.at, row[6], row[7])

    def _message_known(self, batch: "_Batch", told: Event | Fact) -> _Known:
        """Return the message that *told* is about, written down as far as it is known; number 0 for none."""
        if told.message is None:
            assert isinstance(told, Fact)
            return _Known(0, told.server, NOTHING, True)
        known = self._known.get(told.message)
        if known is None:
            known = self._known[told.message] = _Known(self._number(), 0, NOTHING, False)
            batch.messages.append(_unreceived(known.no, told.message))
        return known

    def _reception_row(self, no: int, reception: ReceivedMail) -> tuple[Any, ...]:
        """Return the row of the event that a message was received."""
        message, number = reception.message, self._words.number
        return ((no << INDEX_BITS) | WHOLE, 0, message.received_at, kind_of("received").number, message.server,
                number(message.options.stream or ""), "", NOTHING, number(message.binding), NOTHING, 0, False,
                None)  # fmt: skip

    def _event_row(self, told: Event | Fact, known: _Known) -> tuple[Any, ...]:
        server = known.server if isinstance(told, Event) else known.server or told.server
        return (number_of(told, known.no), sequence_of(told), told.at, kind_number_of(told), server, known.stream,
                storable(reply_of(told)), self._words.number(self._reason(told)), *self._attempt(told),
                is_of_machine(told), self._detail(told))  # fmt: skip

    def _detail(self, told: Event | Fact) -> bytes | None:
        """Return what is in no column; None in a day that names nobody."""
        return None if self._is_forgotten and kind_number_of(told) != COUNTED else detail_of(told)

    def _attempt(self, told: Event | Fact) -> tuple[int, int, int]:
        """Return by which binding and at which provider it was tried, and how often it had been then."""
        if isinstance(told, Fact):
            return NOTHING, NOTHING, 0
        number = self._words.number
        return number(told.binding), number(provider_tried(told)), told.attempts

    def _reason(self, told: Event | Fact) -> str:
        """Return the word that says why an attempt has failed, or what a fact says."""
        if isinstance(told, Fact):
            return str(told.fields.get("reason", ""))
        return self._judge(told) if has_failed(told) else ""

    def _state_row(self, number: int, event: Event) -> list[Any]:
        number_of_word = self._words.number
        return [number, "", NOTHING, number_of_word(event.domain), number_of_word(event.binding),
                STATES.index(event.state), event.seq, event.at, due_of(event), event.attempts,
                storable(said(event.reply)), number_of_word(self._reason(event)), ""]  # fmt: skip


class _Batch:
    """What a batch comes to, and the rows that are written of it."""

    def __init__(self, cursor: Cursor, day: str) -> None:
        self._cursor = cursor
        self._day = day
        self._fresh: dict[int, list[Any]] = {}
        self._received_late: list[list[Any]] = []
        self._messages_late: list[tuple[Any, ...]] = []
        self._states: dict[int, list[Any]] = {}
        self._late: list[list[Any]] = []
        self._replies: list[tuple[str, int]] = []
        self.messages: list[tuple[Any, ...]] = []
        self.tags: set[tuple[int, int]] = set()
        self.events: list[tuple[Any, ...]] = []

    def receive(self, message: tuple[Any, ...], recipients: Iterable[list[Any]], *, was_there: bool) -> None:
        """Add a message and its recipients; *was_there*: something is known of it already."""
        if was_there:
            self._messages_late.append(message)
            self._received_late += recipients
        else:
            self.messages.append(message)
            self._fresh.update((row[0], row) for row in recipients)

    def there(self, rows: Sequence[tuple[Any, ...]]) -> set[tuple[int, int]]:
        """Return which of some events, by recipient and sequence, are there already."""
        asked = [row for row in rows if row[0] not in self._fresh]
        if not asked:
            return set()
        sql = f"""SELECT recipient, seq FROM unnest(CAST(%s AS bigint[]), CAST(%s AS bigint[])) asked (recipient, seq)
            JOIN {self._day}.event USING (recipient, seq)"""
        return set(self._cursor.execute(sql, ([row[0] for row in asked], [row[1] for row in asked])))

    def apply(self, state: list[Any], has_failed: bool) -> None:
        """Bring a recipient to the state of a row, if it is not further already."""
        number = state[0]
        fresh = self._fresh.get(number)
        if has_failed and fresh is not None:
            fresh[_WORDS_AT] = with_reply(fresh[_WORDS_AT], state[_REPLY_AT])
        elif has_failed:
            self._replies.append((reply_vector(state[_REPLY_AT]), number))
        if fresh is None:
            fresh = self._states.setdefault(number, state)
        if state[_SEQ_AT] > fresh[_SEQ_AT]:
            state[1:3], state[_WORDS_AT] = fresh[1:3], fresh[_WORDS_AT]
            state[_REPLY_AT] = state[_REPLY_AT] or fresh[_REPLY_AT]
            if state[_REASON_AT] == NOTHING and state[_STATE_AT] != _DELIVERED:
                state[_REASON_AT] = fresh[_REASON_AT]
            fresh[:] = state

    def worsen(self, number: int, at: float, reply: str, reason: int) -> None:
        """A late bounce has come for a recipient."""
        self._late.append([number, "", NOTHING, NOTHING, NOTHING, STATES.index("bounced"), LATE_SEQ, at, None, 0,
                           reply, reason, ""])  # fmt: skip
        self._replies.append((reply_vector(reply), number))

    def forget_replies(self) -> None:
        """Leave the codes of all replies."""
        self._replies.clear()
        for row in (*self._fresh.values(), *self._states.values(), *self._late):
            row[_REPLY_AT] = code_of(row[_REPLY_AT])
            row[_WORDS_AT] = without_replies(row[_WORDS_AT])
        self.events = [(*row[:_SAID_AT], code_of(row[_SAID_AT]), *row[_SAID_AT + 1 :]) for row in self.events]

    def write(self) -> None:
        """Write all of it."""
        self._copy("message", _MESSAGE, self.messages)
        self._copy("recipient", _RECIPIENT, self._fresh.values())
        self._copy("tag", ("word", "message"), sorted(self.tags))
        self._copy("event", _EVENT, self.events)
        self._update_messages()
        self._each(_RECEIVED_LATE, self._received_late)
        self._each(_STATE, list(self._states.values()))
        self._each(_LATE, self._late)
        if self._replies:
            self._cursor.executemany(_REPLY.format(day=self._day, most=MOST_WORDS), self._replies)

    def _copy(self, table: str, columns: Sequence[str], rows: Collection[Sequence[Any]]) -> None:
        if not rows:
            return
        with self._cursor.copy(f"COPY {self._day}.{table} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def _update_messages(self) -> None:
        if self._messages_late:
            said = ", ".join(f"{column} = %s" for column in _MESSAGE[1:])
            rows = [(*row[1:], row[0]) for row in self._messages_late]
            self._cursor.executemany(f"UPDATE {self._day}.message SET {said} WHERE no = %s", rows)

    def _each(self, sql: str, rows: list[list[Any]]) -> None:
        if rows:
            marks = ", ".join(["%s"] * len(_RECIPIENT))
            self._cursor.executemany(
                sql.format(day=self._day, columns=", ".join(_RECIPIENT), marks=marks), rows
            )


def _unreceived(no: int, message: MessageId) -> tuple[Any, ...]:
    """Return the row of a message of which only events are known."""
    return (
        no,
        bytes(message),
        made_at(message),
        0,
        0,
        NOTHING,
        NOTHING,
        NOTHING,
        "",
        "",
        "",
        "",
        0,
        0,
        0,
        None,
        None,
    )
