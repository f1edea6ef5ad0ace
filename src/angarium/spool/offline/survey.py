"""What a partition holds, read without its writer: beside a running node, or after a crash. Nothing is
changed.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from angarium.core.ids import MessageId, format_id
from angarium.core.records import TERMINAL, Message
from angarium.spool.codec import (
    ACCEPT,
    CONTENT,
    EVENT,
    FACT,
    KINDS,
    VERSION,
    Damage,
    End,
    Record,
    decode_content,
    decode_event,
    decode_message,
)
from angarium.spool.contents import KeptContent
from angarium.spool.disk import Disk, RealDisk
from angarium.spool.files.reader import is_in_use, opened_log
from angarium.spool.files.segment import SegmentLog
from angarium.spool.port import NewerFormat, SpoolError
from angarium.spool.residents import Live
from angarium.spool.sqlite.schema import SCHEMA_VERSION


@dataclass(slots=True)
class SegmentSurvey:
    """One segment. *needed* False: it is kept as history. *unread_bytes* are those that the disk would not
    give, *unknown* counts records of kinds that a newer program has written.
    """

    name: str
    needed: bool
    messages: int = 0
    events: int = 0
    facts: int = 0
    contents: int = 0
    unknown: int = 0
    used_bytes: int = 0
    torn_bytes: int = 0
    damaged: int = 0
    unread_bytes: int = 0


class Unfinished(NamedTuple):
    """A message with the indices of its recipients that are still owed an end. *settled*: it is in the
    store.
    """

    message: Message
    indices: list[int]
    settled: bool


@dataclass(slots=True)
class Survey:
    """One partition. *live* messages are in the journal only; *ended* are recipients in the store whose end
    is in the journal and has not been applied yet."""

    path: Path
    segments: list[SegmentSurvey] = field(default_factory=list)
    live: dict[MessageId, Live] = field(default_factory=dict)
    ended: set[tuple[MessageId, int]] = field(default_factory=set)
    contents: dict[bytes, KeptContent] = field(default_factory=dict)

    def unfinished(self) -> Iterator[Unfinished]:
        """Yield the unfinished messages of journal and store. Raises SpoolError when the store cannot be
        read.
        """
        stored: dict[MessageId, int] = {}
        for message, indices in stored_messages(self.path):
            stored[message.id] = sum(1 << index for index in indices)
            live = self.live.get(message.id)
            bits = stored[message.id] | (live.open if live is not None else 0)
            left = [i for i in _indices(bits) if (message.id, i) not in self.ended]
            if left:
                yield Unfinished(message, left, True)
        for message_id, live in self.live.items():
            if message_id not in stored:
                yield Unfinished(live.message, list(_indices(live.open)), False)


def partitions(data: Path) -> list[Path]:
    """Return the partitions at or right below the directory *data*, by name."""
    if (data / "journal").is_dir():
        return [data]
    return sorted(path.parent for path in data.glob("*/journal"))


def survey(path: Path, disk: Disk | None = None) -> Survey:
    """Read a partition's journal. Beside a running writer, what it has not synced yet may be missing.

    Raises SpoolError when it is no partition or cannot be read.
    """
    found = Survey(path)
    try:
        with opened_log(path, disk or RealDisk()) as (log, _):
            for segment in log.from_generation(0):
                facts = SegmentSurvey(segment.path.name, segment.generation >= log.first)
                found.segments.append(facts)
                for item in log.scan_of(segment).read(0, log.ends.get(segment.generation)):
                    _take(found, facts, segment.generation, item)
                facts.unread_bytes = segment.unread_bytes
    except OSError as exc:
        raise SpoolError(f"the spool partition {path} cannot be read: {exc}") from exc
    return found


def _take(found: Survey, facts: SegmentSurvey, generation: int, item: Record | Damage | End) -> None:
    if isinstance(item, Record) and item.version > VERSION:
        raise NewerFormat(f"the journal of {found.path}", item.version, VERSION)
    if isinstance(item, End):
        facts.used_bytes, facts.torn_bytes = item.offset, item.torn_bytes
    elif isinstance(item, Damage):
        facts.damaged += 1
    elif item.kind == ACCEPT:
        facts.messages += 1
        if facts.needed:
            message = decode_message(item.meta)
            found.live[message.id] = Live(
                message, generation, item.offset, item.end - item.offset, item.flags
            )
    elif item.kind == EVENT:
        facts.events += 1
        _take_event(found, item)
    elif item.kind == CONTENT:
        facts.contents += 1
        if facts.needed:
            kept = KeptContent(decode_content(item.meta).id, bytes(item.meta))
            kept.is_at(generation, item.offset, item.end - item.offset, item.flags)
            found.contents[kept.id] = kept
    elif item.kind == FACT:
        facts.facts += 1
    elif item.kind not in KINDS:
        facts.unknown += 1


def _take_event(found: Survey, item: Record) -> None:
    event = decode_event(item.meta)
    live = found.live.get(event.message)
    if event.index < 0 or event.state not in TERMINAL:
        return
    found.ended.add((event.message, event.index))
    if live is not None:
        live.note(event, b"")
        if not live.open:
            del found.live[event.message]


def _indices(bits: int) -> Iterator[int]:
    while bits:
        yield (bits & -bits).bit_length() - 1
        bits &= bits - 1


def open_store(path: Path) -> sqlite3.Connection | None:
    """Open the settled store of a partition for reading; None when it has none. Raises SpoolError."""
    database = path / "settled.db"
    if not database.exists():
        return None
    # without a writer and its log, SQLite need not (and then does not) make separate files beside the database
    at_rest = not (path / "settled.db-wal").exists() and not is_in_use(path)
    try:
        store = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro{'&immutable=1' * at_rest}", uri=True)
    except sqlite3.Error as exc:
        raise SpoolError(f"the settled store of {path} cannot be read: {exc}") from exc
    version = _version_of(store)
    if version > SCHEMA_VERSION:
        store.close()
        raise NewerFormat(f"the settled store {database}", version, SCHEMA_VERSION)
    return store


def _version_of(store: sqlite3.Connection) -> int:
    """Return the format of a settled store; 0 when it cannot be read, which is told by who reads it."""
    try:
        return int(store.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error:
        return 0


def stored_messages(path: Path) -> Iterator[tuple[Message, list[int]]]:
    """Yield the messages of the settled store with the indices of their rows, in key order. Raises
    SpoolError.
    """
    store = open_store(path)
    if store is None:
        return
    with closing(store):
        try:
            rows = store.execute(
                "SELECT m.meta, group_concat(r.idx) FROM recipient r JOIN message m ON m.id = r.message "
                "GROUP BY r.message ORDER BY r.message"
            )
            for meta, indices in rows:
                yield decode_message(meta), sorted(map(int, indices.split(",")))
        except sqlite3.Error as exc:
            raise SpoolError(f"the settled store of {path} cannot be read: {exc}") from exc


def stored_contents(path: Path) -> set[bytes]:
    """Return the contents that the settled store has. Raises SpoolError."""
    store = open_store(path)
    if store is None:
        return set()
    with closing(store):
        try:
            is_old = _version_of(store) < 2
            return (
                set() if is_old else {content_id for (content_id,) in store.execute("SELECT id FROM content")}
            )
        except sqlite3.Error as exc:
            raise SpoolError(f"the settled store of {path} cannot be read: {exc}") from exc


def unfinished_body(found: Survey, message: Message, log: SegmentLog) -> bytes:
    """Return a message's body, or its content's, from journal, store or its own file. Raises SpoolError."""
    table, name = ("content", message.content) if message.content else ("message", message.id)
    kept = found.contents.get(name) if message.content else found.live.get(message.id)
    if kept is not None and not kept.is_large:
        return kept.read_body(log)
    store = open_store(found.path)
    if store is not None:
        with closing(store):
            row = store.execute(f"SELECT body FROM {table} WHERE id = ?", (name,)).fetchone()
        if row is not None and row[0] is not None:
            return bytes(row[0])
    try:
        return (found.path / "large" / format_id(name)).read_bytes()
    except OSError as exc:
        raise SpoolError(
            f"the body of message {format_id(message.id)} cannot be read: {exc.strerror}"
        ) from exc
