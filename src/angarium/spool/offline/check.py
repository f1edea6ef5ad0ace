"""What `angarium spool check` says: whether a spool is whole. Reads only; also beside a running node."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from angarium.core.ids import format_id
from angarium.core.records import Message
from angarium.spool.files.reader import is_in_use
from angarium.spool.offline.survey import (
    SegmentSurvey,
    Survey,
    open_store,
    partitions,
    stored_contents,
    survey,
)
from angarium.spool.port import SpoolError


class PartitionCheck(NamedTuple):
    """One partition.

    *live* and *settled* count unfinished messages, *recipients* the unfinished recipients of both.
    *set_aside* is how many damaged records earlier starts have put into `damaged/`. *problems* are sentences,
    empty when all is well; an unfinished last write is none, since it was never promised.
    """

    path: Path
    in_use: bool
    segments: list[SegmentSurvey]
    live: int
    settled: int
    recipients: int
    large_bodies: int
    set_aside: int
    problems: list[str]


def check_spool(data: Path) -> list[PartitionCheck]:
    """Check every partition at or right below *data*. Raises SpoolError when there is none or one cannot be
    read.
    """
    found = partitions(data)
    if not found:
        raise SpoolError(f"there is no spool partition in {data}")
    return [check_partition(path) for path in found]


def check_partition(path: Path) -> PartitionCheck:
    """Read a whole partition and count. Raises SpoolError when it cannot be read."""
    found = survey(path)
    files = {file.name for file in (path / "large").glob("*")}
    problems = _segment_problems(found.segments)
    broken_store = _store_problems(path)
    problems += broken_store
    contents = set() if broken_store else stored_contents(path)
    live = settled = recipients = 0
    for unfinished in () if broken_store else found.unfinished():
        settled += unfinished.settled
        live += not unfinished.settled
        recipients += len(unfinished.indices)
        problems += _body_problems(found, unfinished.message, files, contents)
    return PartitionCheck(
        path,
        is_in_use(path),
        found.segments,
        live,
        settled,
        recipients,
        len(files),
        sum(1 for _ in (path / "damaged").glob("*.bin")),
        problems,
    )


def _body_problems(found: Survey, message: Message, files: set[str], contents: set[bytes]) -> list[str]:
    name = message.content or message.id
    kept = found.contents.get(name) if message.content else found.live.get(message.id)
    if kept is not None and kept.is_large and format_id(name) not in files:
        return [f"the body of message {format_id(message.id)} is missing in large/"]
    if message.content and kept is None and name not in contents:
        return [f"message {format_id(message.id)} names content {format_id(name)}, which is missing"]
    return []


def _segment_problems(segments: list[SegmentSurvey]) -> list[str]:
    problems = [f"{s.name}: {s.damaged} damaged records" for s in segments if s.damaged]
    return problems + [f"{s.name}: {s.unread_bytes} unreadable bytes" for s in segments if s.unread_bytes]


def _store_problems(path: Path) -> list[str]:
    store = open_store(path)
    if store is None:
        return []
    with closing(store):
        try:
            said = [line for (line,) in store.execute("PRAGMA quick_check(20)") if line != "ok"]
            without = store.execute(
                "SELECT count(*) FROM recipient r WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.id = r.message)"
            ).fetchone()[0]
        except sqlite3.Error as exc:
            return [f"settled.db: {exc}"]
    lost = [f"settled.db: {without} recipients without their message"] if without else []
    return [f"settled.db: {line}" for line in said] + lost
