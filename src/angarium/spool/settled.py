"""The settled store: recipients that wait longer than a segment should, in SQLite, by due time.

Everything here blocks and is called from one thread (the settler's, or the loop's during recovery). A
statement takes as many rows as it can, because the driver gives up and regains the interpreter lock at every
statement.

A row that is in memory is *leased*: no index but the primary key knows it, so paging, counting and expiry
pass it by. Leases do not outlive the process. Triggers keep the number of queued and held rows of each flow.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from angarium.core.ids import MessageId
from angarium.core.records import Event, Flow, FlowSummary, Message, Recipient
from angarium.core.reply import Reply
from angarium.spool.codec import decode_event, decode_message, encode
from angarium.spool.disk import Disk
from angarium.spool.port import Selection, SpoolError
from angarium.spool.reserve import begin_anew, reserve

SCHEMA_VERSION = 1
MAX_ROWS = 1 << 62
MANY_FLOWS = 64
"""From here on, rows are selected by going through all in key order rather than flow by flow."""
KEPT_EVENTS = 20
"""How many events a settled recipient remembers."""

SCHEMA = """
CREATE TABLE message (id BLOB NOT NULL UNIQUE, meta BLOB NOT NULL, body BLOB);
CREATE TABLE flow (
  no INTEGER PRIMARY KEY,
  binding TEXT NOT NULL, domain TEXT NOT NULL, lane INTEGER NOT NULL, source TEXT NOT NULL,
  queued INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0,
  changed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE recipient (
  message BLOB NOT NULL, idx INTEGER NOT NULL,
  flow INTEGER NOT NULL, held INTEGER NOT NULL, leased INTEGER NOT NULL,
  due REAL NOT NULL, expires REAL NOT NULL, received REAL NOT NULL,
  seq INTEGER NOT NULL, attempts INTEGER NOT NULL, delay_dsns INTEGER NOT NULL,
  reply BLOB, PRIMARY KEY (message, idx)) WITHOUT ROWID;
CREATE TABLE event (
  message BLOB NOT NULL, idx INTEGER NOT NULL, seq INTEGER NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (message, idx, seq)) WITHOUT ROWID;
CREATE INDEX by_due ON recipient (flow, due) WHERE leased = 0 AND held = 0;
CREATE INDEX by_flow ON recipient (flow) WHERE leased = 0;
CREATE INDEX by_expiry ON recipient (expires) WHERE leased = 0;
CREATE INDEX by_lease ON recipient (flow) WHERE leased = 1;
CREATE INDEX flow_changed ON flow (changed) WHERE changed = 1;
CREATE TRIGGER recipient_in AFTER INSERT ON recipient WHEN new.leased = 0 BEGIN
  UPDATE flow SET queued = queued + (new.held = 0), held = held + new.held, changed = 1
    WHERE no = new.flow; END;
CREATE TRIGGER recipient_out AFTER DELETE ON recipient WHEN old.leased = 0 BEGIN
  UPDATE flow SET queued = queued - (old.held = 0), held = held - old.held, changed = 1
    WHERE no = old.flow; END;
CREATE TRIGGER recipient_changed AFTER UPDATE ON recipient BEGIN
  UPDATE flow SET queued = queued - (old.held = 0), held = held - old.held, changed = 1
    WHERE no = old.flow AND old.leased = 0;
  UPDATE flow SET queued = queued + (new.held = 0), held = held + new.held, changed = 1
    WHERE no = new.flow AND new.leased = 0; END;
"""

_COLUMNS = "message, idx, flow, held, due, seq, attempts, delay_dsns, reply"
_UPSERT = """ ON CONFLICT (message, idx) DO UPDATE SET
  flow = excluded.flow, held = excluded.held, leased = excluded.leased,
  due = excluded.due, expires = excluded.expires, seq = excluded.seq,
  attempts = excluded.attempts, delay_dsns = excluded.delay_dsns, reply = excluded.reply
  WHERE excluded.seq >= recipient.seq"""
_ROWS_PER_STATEMENT = 256
_BODIES_PER_STATEMENT = 64

_decode_reply = msgspec.msgpack.Decoder(Reply).decode


_T = TypeVar("_T")


class Settling(NamedTuple):
    """A recipient to be settled. *leased*: a copy, while the scheduler still has it. *events*: encoded, by
    seq.
    """

    recipient: Recipient
    expires: float
    leased: bool = False
    events: tuple[tuple[int, bytes], ...] = ()


class NewMessage(NamedTuple):
    """A message whose recipients settle for the first time. *body* None: it is a file of its own."""

    message: Message
    body: bytes | None


class SettledStore:
    """One partition's database."""

    def __init__(self, path: Path, disk: Disk, reserve_bytes: int = 0) -> None:
        """Open or make the database. Raises SpoolError when it cannot be used.

        *reserve_bytes* is how much it can change on a full disk.
        """
        self.path = path
        self.disk = disk
        self._flows: dict[Flow, int] = {}
        self._by_no: dict[int, Flow] = {}
        self.gone_large: list[MessageId] = []
        """Messages deleted in this transaction whose body is a file; the owner takes them after the
        commit.
        """
        try:
            self.db = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, cached_statements=256
            )
            self._prepare()
            reserve(self.db, path, reserve_bytes)
        except sqlite3.Error as exc:
            raise SpoolError(f"the settled store {path} cannot be opened: {exc}") from exc

    def _prepare(self) -> None:
        db = self.db
        db.execute("PRAGMA page_size = 16384")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -32768")
        db.execute("PRAGMA temp_store = MEMORY")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            raise SpoolError(
                f"the settled store {self.path} has format {version}; this program reads {SCHEMA_VERSION}"
            )
        db.execute("UPDATE recipient SET leased = 0 WHERE leased = 1")
        db.execute("DELETE FROM flow WHERE queued = 0 AND held = 0")
        db.execute("UPDATE flow SET changed = 0 WHERE changed = 1")
        self._load_flows()

    def _load_flows(self) -> None:
        self._flows, self._by_no = {}, {}
        for no, *names in self.db.execute("SELECT no, binding, domain, lane, source FROM flow"):
            self._intern(Flow(*names), no)

    def _intern(self, flow: Flow, no: int) -> int:
        self._flows[flow] = no
        self._by_no[no] = flow
        return no

    def begin(self, *, durable: bool = True) -> None:
        """Start a transaction. One that is not *durable* is synced with the next that is (leases may be
        lost).
        """
        self.db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self.db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """End the transaction."""
        self.disk.commit(self.db)

    def rollback(self) -> None:
        """Undo the open transaction, and forget what was noted in it."""
        self.gone_large = []
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")
        self._load_flows()
        begin_anew(self.db)  # where there was no room, there is some now

    def _flow_no(self, flow: Flow) -> int:
        no = self._flows.get(flow)
        if no is None:
            sql = "INSERT INTO flow (binding, domain, lane, source) VALUES (?, ?, ?, ?)"
            no = self._intern(flow, self.db.execute(sql, flow).lastrowid or 0)
        return no

    def known(self, ids: Iterable[MessageId]) -> set[MessageId]:
        """Return which of the messages are here."""
        found: set[MessageId] = set()
        for some in _chunks(ids, 500):
            marks = ",".join("?" * len(some))
            found.update(i for (i,) in self.db.execute(f"SELECT id FROM message WHERE id IN ({marks})", some))
        return found

    def known_keys(self, ids: Iterable[MessageId]) -> set[tuple[MessageId, int]]:
        """Return the rows that the messages have here."""
        found: set[tuple[MessageId, int]] = set()
        for some in _chunks(ids, 500):
            marks = ",".join("?" * len(some))
            found.update(
                self.db.execute(f"SELECT message, idx FROM recipient WHERE message IN ({marks})", some)
            )
        return found

    def settle(self, messages: Iterable[NewMessage], recipients: Sequence[Settling]) -> None:
        """Insert or update rows, within a transaction. A row whose seq is higher than what is given stays."""
        rows = ((m.message.id, encode(m.message), m.body) for m in messages)
        _insert(self.db, "INSERT OR IGNORE INTO message (id, meta, body)", 3, rows, "", _BODIES_PER_STATEMENT)
        _insert(self.db, "INSERT INTO recipient", 12, map(self._row, recipients), _UPSERT)
        events = ((s.recipient.message.id, s.recipient.index, *e) for s in recipients for e in s.events)
        _insert(self.db, "INSERT OR IGNORE INTO event", 4, events)

    def _row(self, settling: Settling) -> tuple[Any, ...]:
        r = settling.recipient
        return (
            r.message.id,
            r.index,
            self._flow_no(r.flow),
            r.state == "held",
            settling.leased,
            r.due_at,
            settling.expires,
            r.message.received_at,
            r.seq,
            r.attempts,
            r.delay_dsns,
            None if r.last_reply is None else encode(r.last_reply),
        )

    def apply(self, events: Iterable[tuple[Event, bytes]]) -> None:
        """Apply events to rows that are here, within a transaction: each once, in the order of its
        recipient's seq.
        """
        for some in _chunks(events, _ROWS_PER_STATEMENT):
            rows = self._rows_of(dict.fromkeys((e.message, e.index) for e, _ in some))
            finished: dict[tuple[MessageId, int], None] = {}
            updates: dict[tuple[MessageId, int], tuple[int, Event, bytes | None]] = {}
            history: list[tuple[Any, ...]] = []
            for event, data in some:
                key = event.message, event.index
                row = rows.get(key)
                if row is None or event.seq <= row[1]:
                    continue
                flow = self._by_no[row[0]]._replace(binding=event.binding, domain=event.domain)
                reply = row[2] if event.reply is None else encode(event.reply)
                rows[key] = self._flow_no(flow), event.seq, reply
                if event.state in ("queued", "held"):
                    updates[key] = rows[key][0], event, reply
                    history.append((*key, event.seq, data))
                else:
                    finished[key] = None
                    updates.pop(key, None)
            self._update(updates)
            _insert(self.db, "INSERT OR IGNORE INTO event", 4, [h for h in history if h[:2] not in finished])
            self._forget([(h[0], h[1], h[2] - KEPT_EVENTS) for h in history if h[2] > KEPT_EVENTS])
            self._delete(list(finished))

    def _rows_of(
        self, keys: Iterable[tuple[MessageId, int]]
    ) -> dict[tuple[MessageId, int], tuple[int, int, Any]]:
        keys = list(keys)
        among = f"(message, idx) IN (VALUES {_marks(2, len(keys))})"
        sql = f"SELECT message, idx, flow, seq, reply FROM recipient WHERE {among}"
        found = self.db.execute(sql, list(chain.from_iterable(keys)))
        return {(message, index): (flow, seq, reply) for message, index, flow, seq, reply in found}

    def _update(self, updates: dict[tuple[MessageId, int], tuple[int, Event, bytes | None]]) -> None:
        self.db.executemany(
            "UPDATE recipient SET flow = ?, held = ?, due = ?, seq = ?, attempts = ?, delay_dsns = ?, "
            "reply = ? WHERE message = ? AND idx = ?",
            [
                (flow, e.state == "held", e.due_at, e.seq, e.attempts, e.delay_dsns, reply, *key)
                for key, (flow, e, reply) in updates.items()
            ],
        )

    def _forget(self, old: list[tuple[Any, ...]]) -> None:
        self.db.executemany("DELETE FROM event WHERE message = ? AND idx = ? AND seq <= ?", old)

    def _delete(self, keys: list[tuple[MessageId, int]]) -> None:
        if not keys:
            return
        flat = list(chain.from_iterable(keys))
        for table in ("event", "recipient"):
            sql = f"DELETE FROM {table} WHERE (message, idx) IN (VALUES {_marks(2, len(keys))})"
            self.db.execute(sql, flat)
        ids = list(dict.fromkeys(message for message, _ in keys))
        gone = self.db.execute(
            f"DELETE FROM message WHERE id IN ({','.join('?' * len(ids))}) "
            "AND NOT EXISTS (SELECT 1 FROM recipient WHERE recipient.message = message.id) "
            "RETURNING id, typeof(body) = 'null'",  # SQLite 3.40 says 0 to `body IS NULL` here, whatever body is
            ids,
        )
        self.gone_large += [message_id for message_id, is_large in gone if is_large]

    def page(self, flow: Flow, now: float, limit: int) -> list[Recipient]:
        """Lease the queued rows of *flow* due at *now*, earliest first, at most *limit*; within a
        transaction.
        """
        no = self._flows.get(flow)
        if no is None:
            return []
        sql = (
            "UPDATE recipient SET leased = 1 WHERE (message, idx) IN (SELECT message, idx FROM recipient "
            "INDEXED BY by_due WHERE flow = ? AND leased = 0 AND held = 0 AND due <= ? ORDER BY due LIMIT ?) "
            f"RETURNING {_COLUMNS}"
        )
        rows = self.db.execute(sql, (no, now, limit)).fetchall()
        return self._recipients(sorted(rows, key=lambda row: (row[4], row[0], row[1])))

    def select(
        self, selection: Selection, after: tuple[MessageId, int] | None, limit: int
    ) -> list[Recipient]:
        """Return matching rows that are not leased, in key order behind *after*."""
        where, values = "leased = 0", []
        if selection.state is not None:
            where += f" AND held = {int(selection.state == 'held')}"
        if after is not None:
            where += " AND (message, idx) > (?, ?)"
            values += [*after]
        if selection.message is not None:
            where += " AND message = ?"
            values.append(selection.message)
        order = f"ORDER BY message, idx LIMIT {int(limit)}"
        if selection.domain is None and selection.binding is None:
            return self._recipients(
                self.db.execute(f"SELECT {_COLUMNS} FROM recipient WHERE {where} {order}", values).fetchall()
            )
        matching = self._matching(selection)
        if len(matching) > MANY_FLOWS:
            return self._select_among(matching, where, values, order)
        rows: list[tuple[Any, ...]] = []
        for no in matching:
            sql = f"SELECT {_COLUMNS} FROM recipient WHERE flow = {no} AND {where} {order}"
            rows += self.db.execute(sql, values).fetchall()
            rows = sorted(rows, key=lambda row: row[:2])[:limit]
        return self._recipients(rows)

    def _select_among(self, flows: list[int], where: str, values: list[Any], order: str) -> list[Recipient]:
        self.db.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (no INTEGER PRIMARY KEY)")
        self.db.execute("DELETE FROM wanted")
        self.db.executemany("INSERT INTO wanted VALUES (?)", [(no,) for no in flows])
        sql = (
            f"SELECT {_COLUMNS} FROM recipient NOT INDEXED "
            f"WHERE {where} AND flow IN (SELECT no FROM wanted) {order}"
        )
        return self._recipients(self.db.execute(sql, values).fetchall())

    def _matching(self, selection: Selection) -> list[int]:
        return [
            no
            for flow, no in self._flows.items()
            if selection.domain in (None, flow.domain) and selection.binding in (None, flow.binding)
        ]

    def count(self, selection: Selection) -> int:
        """Return how many rows match, without the leased ones."""
        if selection.message is not None:
            return len(self.select(selection, None, MAX_ROWS))
        columns = {None: "queued + held", "queued": "queued", "held": "held"}[selection.state]
        numbers = dict(self.db.execute(f"SELECT no, {columns} FROM flow"))
        return sum(numbers[no] for no in self._matching(selection))

    def due_to_expire(self, now: float, limit: int) -> list[Recipient]:
        """Return rows whose expiry has passed, without the leased ones, longest passed first."""
        sql = (
            f"SELECT {_COLUMNS} FROM recipient INDEXED BY by_expiry "
            "WHERE leased = 0 AND expires <= ? ORDER BY expires LIMIT ?"
        )
        return self._recipients(self.db.execute(sql, (now, limit)).fetchall())

    def _recipients(self, rows: list[tuple[Any, ...]]) -> list[Recipient]:
        messages = self.messages({row[0] for row in rows})
        recipients = []
        for message_id, index, flow, held, due, seq, attempts, delay_dsns, reply in rows:
            names = self._by_no[flow]
            r = Recipient(messages[message_id], index, names.binding, names.domain)
            r.state = "held" if held else "queued"
            r.due_at, r.seq, r.attempts, r.delay_dsns = due, seq, attempts, delay_dsns
            r.last_reply = None if reply is None else _decode_reply(reply)
            r.settled = True
            recipients.append(r)
        return recipients

    def messages(self, ids: Iterable[MessageId]) -> dict[MessageId, Message]:
        """Return the messages with these ids that are here."""
        found: dict[MessageId, Message] = {}
        for some in _chunks(ids, 500):
            sql = f"SELECT id, meta FROM message WHERE id IN ({','.join('?' * len(some))})"
            found.update((i, decode_message(meta)) for i, meta in self.db.execute(sql, some))
        return found

    def all_messages(self) -> Iterator[Message]:
        """Yield every message, in no order."""
        for (meta,) in self.db.execute("SELECT meta FROM message"):
            yield decode_message(meta)

    def body(self, message_id: MessageId) -> tuple[bool, bytes | None]:
        """Return whether the message is here, and its body unless that is a file of its own."""
        row = self.db.execute("SELECT body FROM message WHERE id = ?", (message_id,)).fetchone()
        return (False, None) if row is None else (True, row[0])

    def events(self, message_id: MessageId) -> list[Event]:
        """Return what the rows of a message remember, in the order of time."""
        rows = self.db.execute("SELECT data FROM event WHERE message = ?", (message_id,))
        return sorted((decode_event(data) for (data,) in rows), key=lambda e: (e.at, e.index, e.seq))

    def large_messages(self) -> set[MessageId]:
        """Return the messages whose body is a file of its own."""
        return {i for (i,) in self.db.execute("SELECT id FROM message WHERE body IS NULL")}

    def take_changes(self) -> list[tuple[Flow, FlowSummary]]:
        """Return the summaries of flows that have changed since the last call, within a transaction."""
        changed = self.db.execute("SELECT no, queued, held FROM flow WHERE changed = 1").fetchall()
        self.db.execute("UPDATE flow SET changed = 0 WHERE changed = 1")
        summaries = [self._summary(*row) for row in changed]
        self._drop_flows([no for no, queued, held in changed if not queued and not held])
        return summaries

    def _drop_flows(self, empty: list[int]) -> None:
        """Forget flows without rows, leased ones included, so that domains long gone take no memory."""
        for no in empty:
            sql = (
                "DELETE FROM flow WHERE no = ?1 AND NOT EXISTS "
                "(SELECT 1 FROM recipient INDEXED BY by_lease WHERE flow = ?1 AND leased = 1)"
            )
            if self.db.execute(sql, (no,)).rowcount:
                del self._flows[self._by_no.pop(no)]

    def summaries(self) -> list[tuple[Flow, FlowSummary]]:
        """Return the summary of every flow that is not empty."""
        rows = self.db.execute("SELECT no, queued, held FROM flow WHERE queued > 0 OR held > 0").fetchall()
        return [self._summary(*row) for row in rows]

    def _summary(self, no: int, queued: int, held: int) -> tuple[Flow, FlowSummary]:
        due = "SELECT min(due) FROM recipient INDEXED BY by_due WHERE flow = ? AND leased = 0 AND held = 0"
        oldest = (
            "SELECT received FROM recipient INDEXED BY by_flow "
            "WHERE flow = ? AND leased = 0 ORDER BY message LIMIT 1"
        )
        next_due = self.db.execute(due, (no,)).fetchone()[0] if queued else None
        first = self.db.execute(oldest, (no,)).fetchone() if queued or held else None
        return self._by_no[no], FlowSummary(queued, held, next_due, first[0] if first else None)

    def close(self) -> None:
        """Close the database."""
        self.db.close()


def _marks(columns: int, rows: int) -> str:
    return ",".join(["(" + ",".join("?" * columns) + ")"] * rows)


def _chunks(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some


def _insert(
    db: sqlite3.Connection,
    into: str,
    columns: int,
    rows: Iterable[tuple[Any, ...]],
    after: str = "",
    at_once: int = _ROWS_PER_STATEMENT,
) -> None:
    """Insert *rows* with few statements: full ones of *at_once* rows, and the rest in powers of two."""
    for some in _chunks(rows, at_once):
        while some:
            count = 1 << (len(some).bit_length() - 1)
            part, some = some[:count], some[count:]
            db.execute(f"{into} VALUES {_marks(columns, count)}{after}", list(chain.from_iterable(part)))
