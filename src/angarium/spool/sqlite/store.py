"""The settled store in SQLite. Implements `SettledStore`.

A statement takes as many rows as it can, because the driver gives up and regains the interpreter lock at every
statement. A leased row is in no index but the primary key's.
"""

import os
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from angarium.core.files import Ballast, open_own
from angarium.core.ids import MessageId
from angarium.core.records import Event, Flow, Message, Recipient
from angarium.core.reply import Reply
from angarium.spool.codec import decode_event, decode_message, encode, lasting
from angarium.spool.disk import Disk
from angarium.spool.port import FlowLook, Selection, SpoolError
from angarium.spool.sqlite import looks
from angarium.spool.sqlite.flows import StoredFlows
from angarium.spool.sqlite.reserve import begin_anew, reserve
from angarium.spool.sqlite.schema import (
    ROWS_PER_STATEMENT,
    SCHEMA_VERSION,
    among,
    chunks,
    insert,
    marks,
    prepare,
)
from angarium.spool.store import KEPT_EVENTS, Changes, ExpiryPlace, NewContent, NewMessage, Remains, Settling

MAX_ROWS = 1 << 62
MANY_FLOWS = 64
"""Of more flows than these, rows are selected by going through all in key order rather than flow by flow."""

_COLUMNS = "message, idx, flow, held, due, seq, attempts, delay_dsns, reply"
_UPSERT = """ ON CONFLICT (message, idx) DO UPDATE SET
  flow = excluded.flow, held = excluded.held, leased = excluded.leased,
  due = excluded.due, expires = excluded.expires, seq = excluded.seq,
  attempts = excluded.attempts, delay_dsns = excluded.delay_dsns, reply = excluded.reply
  WHERE excluded.seq >= recipient.seq"""
_BODIES_PER_STATEMENT = 64

_decode_reply = msgspec.msgpack.Decoder(Reply).decode


class SqliteStore:
    """One partition's database."""

    errors = (sqlite3.Error,)

    def __init__(self, path: Path, disk: Disk, reserve_bytes: int = 0) -> None:
        """Open or make the database. Raises SpoolError when it cannot be used.

        *reserve_bytes* is how much it can change on a full disk.
        """
        self.path = path
        self.disk = disk
        self._ballast = Ballast(path.with_name(f"{path.name}-ballast"), reserve_bytes)
        self._ballast.drop()
        self._gone = Remains([], set())
        try:
            os.close(open_own(path, os.O_RDWR | os.O_CREAT))
            self.db = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, cached_statements=256
            )
            prepare(self.db, path)
            reserve(self.db, path, reserve_bytes)
            self._flows = StoredFlows(self.db)
        except (sqlite3.Error, OSError) as exc:
            raise SpoolError(f"the settled store {path} cannot be opened: {exc}") from exc

    def begin(self, *, durable: bool = True) -> None:
        """See `SettledStore.begin`."""
        if not self._flows.is_current:
            self._flows.load()
        self.db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self.db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """See `SettledStore.commit`."""
        self.disk.commit(self.db)

    def sync(self) -> None:
        """See `SettledStore.sync`. The log is synced when something is written to it: the number that is there."""
        self.begin()
        self.db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self.commit()

    def rollback(self) -> None:
        """See `SettledStore.rollback`."""
        self._gone, self._flows.is_current = Remains([], set()), False
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")
        self._flows.load()
        begin_anew(self.db)  # where there was no room, there is some now

    def known(self, ids: Iterable[MessageId]) -> set[MessageId]:
        """See `SettledStore.known`."""
        found: set[MessageId] = set()
        for some in chunks(ids, 500):
            ids_marks = ",".join("?" * len(some))
            found.update(
                i for (i,) in self.db.execute(f"SELECT id FROM message WHERE id IN ({ids_marks})", some)
            )
        return found

    def known_keys(self, ids: Iterable[MessageId]) -> set[tuple[MessageId, int]]:
        """See `SettledStore.known_keys`."""
        found: set[tuple[MessageId, int]] = set()
        for some in chunks(ids, 500):
            ids_marks = ",".join("?" * len(some))
            found.update(
                self.db.execute(f"SELECT message, idx FROM recipient WHERE message IN ({ids_marks})", some)
            )
        return found

    def keep(self, contents: Iterable[NewContent]) -> None:
        """See `SettledStore.keep`."""
        sql = "INSERT OR IGNORE INTO content (id, meta, body)"
        insert(self.db, sql, 3, contents, "", _BODIES_PER_STATEMENT)

    def drop_contents(self, ids: Iterable[bytes]) -> list[bytes]:
        """See `SettledStore.drop_contents`."""
        dropped: list[tuple[bytes, int]] = []
        for some in chunks(ids, 500):
            sql = (
                f"DELETE FROM content WHERE id IN ({','.join('?' * len(some))}) AND NOT EXISTS "
                "(SELECT 1 FROM message WHERE message.content = content.id) "
                "RETURNING id, typeof(body) = 'null'"
            )
            dropped += self.db.execute(sql, some).fetchall()
        return [content_id for content_id, is_large in dropped if is_large]

    def known_contents(self, ids: Iterable[bytes]) -> set[bytes]:
        """See `SettledStore.known_contents`."""
        found: set[bytes] = set()
        for some in chunks(ids, 500):
            sql = f"SELECT id FROM content WHERE id IN ({','.join('?' * len(some))})"
            found.update(content_id for (content_id,) in self.db.execute(sql, some))
        return found

    def unnamed_contents(self) -> list[bytes]:
        """See `SettledStore.unnamed_contents`."""
        sql = "SELECT id FROM content WHERE NOT EXISTS (SELECT 1 FROM message WHERE message.content = content.id)"
        return [content_id for (content_id,) in self.db.execute(sql)]

    def content(self, content_id: bytes) -> tuple[bool, bytes | None]:
        """See `SettledStore.content`."""
        row = self.db.execute("SELECT body FROM content WHERE id = ?", (content_id,)).fetchone()
        return (False, None) if row is None else (True, row[0])

    def settle(self, messages: Iterable[NewMessage], recipients: Sequence[Settling]) -> None:
        """See `SettledStore.settle`."""
        rows = ((m.message.id, encode(m.message), m.body, m.message.content or None) for m in messages)
        sql = "INSERT OR IGNORE INTO message (id, meta, body, content)"
        insert(self.db, sql, 4, rows, "", _BODIES_PER_STATEMENT)
        insert(self.db, "INSERT INTO recipient", 12, map(self._row, recipients), _UPSERT)
        events = ((s.recipient.message.id, s.recipient.index, *e) for s in recipients for e in s.events)
        insert(self.db, "INSERT OR IGNORE INTO event", 4, events)

    def _row(self, settling: Settling) -> tuple[Any, ...]:
        r = settling.recipient
        return (
            r.message.id,
            r.index,
            self._flows.number(r.flow),
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
        """See `SettledStore.apply`."""
        for some in chunks(events, ROWS_PER_STATEMENT):
            rows = self._rows_of(dict.fromkeys((e.message, e.index) for e, _ in some))
            finished: dict[tuple[MessageId, int], None] = {}
            updates: dict[tuple[MessageId, int], tuple[int, Event, bytes | None]] = {}
            history: list[tuple[Any, ...]] = []
            for event, data in some:
                key = event.message, event.index
                row = rows.get(key)
                if row is None or event.seq <= row[1]:
                    continue
                flow = self._flows.name(row[0])._replace(binding=event.binding, domain=event.domain)
                reply = row[2] if event.reply is None else encode(event.reply)
                rows[key] = self._flows.number(flow), event.seq, reply
                if event.state in ("queued", "held"):
                    updates[key] = rows[key][0], event, reply
                    history.append((*key, event.seq, lasting(event, data)))
                else:
                    finished[key] = None
                    updates.pop(key, None)
            self._update(updates)
            insert(self.db, "INSERT OR IGNORE INTO event", 4, [h for h in history if h[:2] not in finished])
            self._forget([(h[0], h[1], h[2] - KEPT_EVENTS) for h in history if h[2] > KEPT_EVENTS])
            self._delete(list(finished))

    def _rows_of(
        self, keys: Iterable[tuple[MessageId, int]]
    ) -> dict[tuple[MessageId, int], tuple[int, int, Any]]:
        keys = list(keys)
        sql = f"SELECT message, idx, flow, seq, reply FROM recipient WHERE {among(len(keys))}"
        found = self.db.execute(sql, list(chain.from_iterable(keys)))
        return {(message, index): (flow, seq, reply) for message, index, flow, seq, reply in found}

    def _update(self, updates: dict[tuple[MessageId, int], tuple[int, Event, bytes | None]]) -> None:
        if not updates:
            return
        rows = [
            (*key, flow, e.state == "held", e.due_at, e.seq, e.attempts, e.delay_dsns, reply)
            for key, (flow, e, reply) in updates.items()
        ]
        sql = (
            "UPDATE recipient SET flow = column3, held = column4, due = column5, seq = column6, "
            "attempts = column7, delay_dsns = column8, reply = column9 "
            f"FROM (VALUES {marks(9, len(rows))}) WHERE message = column1 AND idx = column2"
        )
        self.db.execute(sql, list(chain.from_iterable(rows)))

    def _forget(self, old: list[tuple[Any, ...]]) -> None:
        self.db.executemany("DELETE FROM event WHERE message = ? AND idx = ? AND seq <= ?", old)

    def _delete(self, keys: list[tuple[MessageId, int]]) -> None:
        if not keys:
            return
        flat = list(chain.from_iterable(keys))
        for table in ("event", "recipient"):
            self.db.execute(f"DELETE FROM {table} WHERE {among(len(keys))}", flat)
        ids = list(dict.fromkeys(message for message, _ in keys))
        gone = self.db.execute(
            f"DELETE FROM message WHERE id IN ({','.join('?' * len(ids))}) "
            "AND NOT EXISTS (SELECT 1 FROM recipient WHERE recipient.message = message.id) "
            # SQLite 3.40 says 0 to `body IS NULL` here, whatever body is
            "RETURNING id, typeof(body) = 'null', content",
            ids,
        ).fetchall()
        self._gone.large.extend(message_id for message_id, is_large, _ in gone if is_large)
        self._gone.contents.update(content_id for _, _, content_id in gone if content_id is not None)

    def page(self, flow: Flow, now: float, limit: int) -> list[Recipient]:
        """See `SettledStore.page`."""
        no = self._flows.known_number(flow)
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
        """See `SettledStore.select`."""
        where, values = "leased = 0", []
        if selection.state is not None:
            where += f" AND held = {int(selection.state == 'held')}"
        if after is not None:
            where += " AND (message, idx) > (?, ?)"
            values += [*after]
        if selection.message is not None:
            where += " AND message = ?"
            values.append(selection.message)
        if selection.domain is None and selection.binding is None:
            return self._recipients(self._rows(where, values, limit))
        matching = self._flows.matching(selection)
        if len(matching) > MANY_FLOWS or selection.message is not None:
            return self._recipients(self._rows_among(matching, where, values, limit))
        return self._recipients(self._rows_by_flow(matching, where, values, limit))

    def _rows(self, where: str, values: list[Any], limit: int) -> list[tuple[Any, ...]]:
        sql = f"SELECT {_COLUMNS} FROM recipient WHERE {where} ORDER BY message, idx LIMIT {int(limit)}"
        return self.db.execute(sql, values).fetchall()

    def _rows_by_flow(
        self, flows: list[int], where: str, values: list[Any], limit: int
    ) -> list[tuple[Any, ...]]:
        """Take the first rows of each flow; of all but the first only those that come before the last one found."""
        rows: list[tuple[Any, ...]] = []
        for no in flows:
            before, last = (
                ("", []) if len(rows) < limit else (" AND (message, idx) < (?, ?)", [*rows[-1][:2]])
            )
            rows += self._rows(f"flow = {no} AND {where}{before}", values + last, limit)
            rows = sorted(rows, key=lambda row: row[:2])[:limit]
        return rows

    def _rows_among(
        self, flows: list[int], where: str, values: list[Any], limit: int
    ) -> list[tuple[Any, ...]]:
        self.db.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (no INTEGER PRIMARY KEY)")
        self.db.execute("DELETE FROM wanted")
        self.db.executemany("INSERT INTO wanted VALUES (?)", [(no,) for no in flows])
        # The plus keeps the index by flow out of it: with it, every page would sort all that is left.
        return self._rows(f"{where} AND +flow IN (SELECT no FROM wanted)", values, limit)

    def count(self, selection: Selection) -> int:
        """See `SettledStore.count`."""
        if selection.message is not None:
            return len(self.select(selection, None, MAX_ROWS))
        return self._flows.count(selection)

    def look(self, flows: Iterable[Flow], now: float, most: int) -> dict[Flow, FlowLook]:
        """See `SettledStore.look`."""
        numbers = ((flow, self._flows.known_number(flow)) for flow in flows)
        return {flow: looks.look(self.db, no, now, most) for flow, no in numbers if no is not None}

    def last_events(self, keys: Iterable[tuple[MessageId, int]]) -> dict[tuple[MessageId, int], Event]:
        """See `SettledStore.last_events`."""
        return looks.last_events(self.db, keys)

    def due_to_expire(
        self, now: float, after: ExpiryPlace, limit: int
    ) -> tuple[list[Recipient], ExpiryPlace | None]:
        """See `SettledStore.due_to_expire`."""
        sql = (
            f"SELECT {_COLUMNS}, expires FROM recipient INDEXED BY by_expiry WHERE leased = 0 AND expires <= ? "
            "AND (expires, message, idx) > (?, ?, ?) ORDER BY expires, message, idx LIMIT ?"
        )
        rows = self.db.execute(sql, (now, *after, limit)).fetchall()
        more = len(rows) == limit
        return self._recipients([row[:-1] for row in rows]), (rows[-1][-1], *rows[-1][:2]) if more else None

    def _recipients(self, rows: list[tuple[Any, ...]]) -> list[Recipient]:
        messages = self.messages({row[0] for row in rows})
        recipients = []
        for message_id, index, flow, held, due, seq, attempts, delay_dsns, reply in rows:
            names = self._flows.name(flow)
            r = Recipient(messages[message_id], index, names.binding, names.domain)
            r.state = "held" if held else "queued"
            r.due_at, r.seq, r.attempts, r.delay_dsns = due, seq, attempts, delay_dsns
            r.last_reply = None if reply is None else _decode_reply(reply)
            r.settled = True
            recipients.append(r)
        return recipients

    def messages(self, ids: Iterable[MessageId]) -> dict[MessageId, Message]:
        """See `SettledStore.messages`."""
        found: dict[MessageId, Message] = {}
        for some in chunks(ids, 500):
            sql = f"SELECT id, meta FROM message WHERE id IN ({','.join('?' * len(some))})"
            found.update((i, decode_message(meta)) for i, meta in self.db.execute(sql, some))
        return found

    def body(self, message_id: MessageId) -> tuple[bool, bytes | None]:
        """See `SettledStore.body`."""
        row = self.db.execute("SELECT body FROM message WHERE id = ?", (message_id,)).fetchone()
        return (False, None) if row is None else (True, row[0])

    def events(self, message_id: MessageId) -> list[Event]:
        """See `SettledStore.events`."""
        rows = self.db.execute("SELECT data FROM event WHERE message = ?", (message_id,))
        return sorted((decode_event(data) for (data,) in rows), key=lambda e: (e.at, e.index, e.seq))

    def take_changes(self) -> Changes:
        """See `SettledStore.take_changes`."""
        return self._flows.take_changes()

    def take_gone(self) -> Remains:
        """See `SettledStore.take_gone`."""
        gone, self._gone = self._gone, Remains([], set())
        return gone

    def summaries(self) -> Changes:
        """See `SettledStore.summaries`."""
        return self._flows.summaries()

    def close(self) -> None:
        """Close the database. Its log goes, and the room for the next start is kept in another way."""
        self.db.close()
        self._ballast.keep()
