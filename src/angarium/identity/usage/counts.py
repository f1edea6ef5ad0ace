"""The counts that all workers share, in the store: reserved in chunks, given back, forgotten. Runs in a thread.

Whoever reserves has the rows locked, so that all workers together never reserve more than a bucket's limit.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, delete, select, update

from angarium.identity.store import schema
from angarium.identity.usage.buckets import DAY_S, Bucket, Exceeded, chunk, latest
from angarium.sql.database import Database, inserting

KEPT_S = 7 * DAY_S
"""How long the counts of whole days are kept; shorter windows go after an hour."""

_usage = schema.usage


class Need(NamedTuple):
    """What is wanted of a bucket: *recipients* in the window that began at *starts_at*."""

    bucket: Bucket
    starts_at: int
    recipients: int


class Window(NamedTuple):
    """One count: a scope, the length of a window, and when it began."""

    scope: str
    seconds: int
    starts_at: int


def reserve(database: Database, needs: Iterable[Need]) -> dict[Window, int] | Exceeded:
    """Reserve at least what is needed of each bucket, in one transaction, and say how much; or, when one of them is
    full, nothing. Raises StoreError.
    """
    wanted = sorted(needs, key=lambda need: (need.bucket.scope, need.bucket.seconds))
    with database.writing() as connection:
        left = [(need, need.bucket.limit - _used(connection, _window(need))) for need in wanted]
        full = [
            Exceeded(need.bucket, need.recipients, float(need.starts_at + need.bucket.seconds))
            for need, rest in left
            if rest < need.recipients
        ]
        if full:
            return latest(full)
        granted = {_window(need): chunk(rest, need.recipients) for need, rest in left}
        _add(connection, granted)
    return granted


def give_back(database: Database, unused: Mapping[Window, int]) -> None:
    """Take *unused* off the counts. Raises StoreError."""
    with database.writing() as connection:
        _add(connection, {window: -unused[window] for window in sorted(unused)})


def forget(database: Database, now: float) -> int:
    """Delete the counts of windows that are long over, and say how many. Raises StoreError."""
    over = _usage.c.starts_at + _usage.c.seconds
    is_old = (over < now - KEPT_S) | ((over < now - 3600) & (_usage.c.seconds < DAY_S))
    with database.writing() as connection:
        return connection.execute(delete(_usage).where(is_old)).rowcount


def _window(need: Need) -> Window:
    return Window(need.bucket.scope, need.bucket.seconds, need.starts_at)


def _used(connection: Connection, window: Window) -> int:
    """Return what is counted already, and keep others from counting until the transaction ends."""
    connection.execute(
        inserting(connection, _usage).values(**window._asdict(), used=0).on_conflict_do_nothing()
    )
    found = connection.scalar(select(_usage.c.used).where(_is(window)).with_for_update())
    return found or 0


def _add(connection: Connection, counts: Mapping[Window, int]) -> None:
    for window, count in counts.items():
        if count:
            connection.execute(update(_usage).where(_is(window)).values(used=_usage.c.used + count))


def _is(window: Window) -> Any:
    columns = _usage.c
    return and_(
        columns.scope == window.scope,
        columns.seconds == window.seconds,
        columns.starts_at == window.starts_at,
    )
