"""One day's file as it is asked. Raises sqlite3.Error throughout."""

import json
from pathlib import Path
from typing import Any

import msgspec

from angarium.core.ids import MessageId, format_id
from angarium.core.records import Attempt
from angarium.events.catalogue import BY_NUMBER, STATES
from angarium.events.port import FoundMail, Happening, Whose
from angarium.events.sqlite.conditions import Condition
from angarium.events.sqlite.day import EventDetail
from angarium.events.sqlite.schema import INDEX_BITS, WHOLE, open_to_read
from angarium.query.words import folded

_MAIL = f"""
SELECT r.no, m.id, m.at, r.address, m.sender, m.author, m.subject, m.message_id, m.size, m.account, m.server,
  (SELECT text FROM word WHERE no = m.stream), (SELECT text FROM word WHERE no = m.campaign),
  (SELECT json_group_array(text) FROM tag JOIN word ON word.no = tag.word WHERE tag.message = m.no), m.metadata,
  (SELECT text FROM word WHERE no = r.domain), (SELECT text FROM word WHERE no = r.binding),
  (SELECT text FROM word WHERE no = m.listener), r.state, r.at, r.due, r.attempts, r.reply,
  (SELECT text FROM word WHERE no = r.reason)
FROM recipient r JOIN message m ON m.no = r.no >> {INDEX_BITS}
"""
_EVENT = f"""
SELECT e.no, m.id, e.recipient, r.address, e.at, e.kind, e.reply, (SELECT text FROM word WHERE no = e.reason), e.detail
FROM event e LEFT JOIN message m ON m.no = e.recipient >> {INDEX_BITS} LEFT JOIN recipient r ON r.no = e.recipient
"""
_EVENTS = f"{_EVENT} WHERE e.recipient BETWEEN ? AND ? ORDER BY e.at, e.no"
_OF_ANY = f"""EXISTS (SELECT 1 FROM recipient r
  WHERE r.no BETWEEN m.no << {INDEX_BITS} AND (m.no << {INDEX_BITS}) + {WHOLE} AND ({{}}))"""
"""What is about all of a message is of interest when one of its recipients is."""

_detail = msgspec.msgpack.Decoder(EventDetail).decode
_metadata = msgspec.msgpack.Decoder(dict[str, Any]).decode


class DayReader:
    """A day's file, open to read. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._db = open_to_read(path)
        self._db.create_function("meta", 2, _meta, deterministic=True)

    def mail(self, wanted: Condition, scope: Whose, below: int, limit: int) -> list[tuple[int, FoundMail]]:
        """Return the newest of what *wanted* finds, each with its number, all of which are below *below*."""
        where, values = _scoped(wanted, scope)
        sql = f"{_MAIL} WHERE r.no < ? AND {where} ORDER BY r.no DESC LIMIT ?"
        return [(row[0], _found(row)) for row in self._db.execute(sql, [below, *values, limit])]

    def count(self, wanted: Condition, scope: Whose, most: int) -> int:
        """Return how many *wanted* finds, counting up to *most*."""
        where, values = _scoped(wanted, scope)
        sql = f"""SELECT count(*) FROM (SELECT 1 FROM recipient r JOIN message m ON m.no = r.no >> {INDEX_BITS}
            WHERE {where} LIMIT ?)"""
        return int(self._db.execute(sql, [*values, most]).fetchone()[0])

    def happenings(self, message: MessageId, scope: Whose) -> list[Happening] | None:
        """Return everything that happened to a message, in order; None when it is not there, or not in *scope*."""
        where, values = _scoped(("m.id = ?", [message]), scope)
        row = self._db.execute(f"SELECT m.no FROM message m WHERE {where}", values).fetchone()
        if row is None:
            return None
        first = row[0] << INDEX_BITS
        return [_happening(event) for event in self._db.execute(_EVENTS, (first, first + WHOLE))]

    @property
    def last(self) -> int:
        """The number of the event that was stored last, 0 for none."""
        return int(self._db.execute("SELECT ifnull(max(no), 0) FROM event").fetchone()[0])

    def log(
        self, wanted: Condition, scope: Whose, after: int, limit: int, *, newest: bool
    ) -> list[Happening]:
        """Return what was stored after the event numbered *after* and is of mail that *wanted* finds, oldest first: the
        first so many, or the *newest*.
        """
        where, values = _scoped(wanted, scope)
        condition, twice = ("1", []) if (where, values) == ("(1)", []) else (_either(where), values * 2)
        sql = f"{_EVENT} WHERE e.no > ? AND ({condition}) ORDER BY e.no {'DESC' if newest else 'ASC'} LIMIT ?"
        rows = self._db.execute(sql, [after, *twice, limit]).fetchall()
        return [_happening(row) for row in (reversed(rows) if newest else rows)]

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _scoped(wanted: Condition, scope: Whose) -> Condition:
    sql, values = wanted
    parts, values = [f"({sql})"], list(values)
    if scope.account is not None:
        parts.append("m.account = ?")
        values.append(scope.account)
    if scope.servers is not None:
        parts.append(f"m.server IN ({','.join('?' * len(scope.servers))})")
        values += scope.servers
    return " AND ".join(parts), values


def _found(row: tuple[Any, ...]) -> FoundMail:
    (number, message, at, address, sender, author, subject, message_id, size, account, server, stream, campaign, tags,
     metadata, domain, binding, listener, state, changed_at, due, attempts, reply, reason) = row  # fmt: skip
    return FoundMail(
        message=format_id(message),
        index=number & WHOLE,
        at=at,
        address=address,
        sender=sender,
        author=author,
        subject=subject,
        message_id=message_id,
        size=size,
        account=account,
        server=server,
        stream=stream,
        campaign=campaign,
        tags=json.loads(tags),
        metadata=_metadata(metadata) if metadata else {},
        domain=domain,
        binding=binding,
        listener=listener,
        state=STATES[state],
        changed_at=changed_at,
        due_at=due,
        attempts=attempts,
        reply=reply,
        reason=reason,
    )


def _either(where: str) -> str:
    """Return the condition that an event is of a recipient of interest, or of all of a message with one."""
    is_whole = f"(e.recipient & {WHOLE}) = {WHOLE}"
    return f"(r.no IS NOT NULL AND {where}) OR ({is_whole} AND {_OF_ANY.format(where)})"


def _happening(row: tuple[Any, ...]) -> Happening:
    number, message, recipient, address, at, kind, reply, reason, detail = row
    index = recipient & WHOLE
    return Happening(
        number=number,
        type=BY_NUMBER[kind].name,
        at=at,
        message=None if message is None else format_id(message),
        index=None if index == WHOLE else index,
        address=address or "",
        reply=reply,
        reason=reason,
        details={} if detail is None else _said(_detail(detail)),
    )


def _said(detail: EventDetail) -> dict[str, Any]:
    """Return what a detail says, by name, without what it does not say."""
    fields = {name: getattr(detail, name) for name in ("attempts", "due_at", "note")}
    if detail.attempt is not None:
        fields["attempt"] = msgspec.to_builtins(_by_name(msgspec.convert(detail.attempt, Attempt)))
    return {**{name: value for name, value in fields.items() if value}, **detail.fields}


def _by_name(attempt: Attempt) -> dict[str, Any]:
    facts = attempt.tls_facts
    return {
        **msgspec.structs.asdict(attempt),
        "tls_facts": None if facts is None else msgspec.structs.asdict(facts),
    }


def _meta(metadata: bytes | None, name: str) -> str:
    """Return the value of a name in a message's metadata, folded; empty for none. Called by SQLite."""
    if not metadata:
        return ""
    value = _metadata(metadata).get(name, "")
    return folded(value if isinstance(value, str) else json.dumps(value))
