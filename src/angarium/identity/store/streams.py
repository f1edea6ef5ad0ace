"""The identity store: message streams."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update

from angarium.identity import checks
from angarium.identity.fields import checks_of
from angarium.identity.records import DEFAULT_STREAMS, Server, Stream, StreamKind
from angarium.identity.store import schema
from angarium.identity.store.servers import fetch_server
from angarium.sql.changes import ChangeLog, Changing
from angarium.sql.checks import checked, differing
from angarium.sql.errors import Conflict, Invalid, NotFound
from angarium.sql.rows import before_of, columns, record_of, said

MOST_STREAMS = 10
"""Of one server, besides the default ones and those that are archived."""

_NEW: Final = checks_of(Stream, "new")
_CHANGE: Final = checks_of(Stream, "change")
_KEY = schema.streams.c


class MessageStreams:
    """Message streams: a server's mail by purpose. They are archived, not deleted: what was sent belongs to them."""

    def __init__(self, log: ChangeLog) -> None:
        self._log = log

    def create(
        self, server: int, id: str, name: str, kind: StreamKind, *, actor: str, **fields: Any
    ) -> Stream:
        """Make a stream with the *fields* of `Stream` that a new one may have.

        Raises NotFound, Invalid, or Conflict when there is one, or there are too many.
        """
        new = checked({"id": id, "name": name, "kind": kind, **fields}, _NEW)
        with self._log.changing(actor) as change:
            owner = fetch_server(change.connection, server)
            _check_is_new(change.connection, server, id)
            _check_room(change.connection, server)
            row = {"server": server, "created_at": change.at, **new}
            change.connection.execute(insert(schema.streams).values(columns(row)))
            stream = fetch_stream(change.connection, server, id)
            change.note("create", f"stream {server}/{id}", owner.account, after=said(stream))
        return stream

    def get(self, server: int, id: str) -> Stream:
        """Return a stream, archived or not. Raises NotFound."""
        with self._log.reading() as connection:
            return fetch_stream(connection, server, id)

    def of_server(self, server: int, archived: bool = False, after: str | None = None) -> list[Stream]:
        """Return the streams of a server, the oldest first, those behind *after*; with *archived* those that are
        archived as well.

        Raises NotFound when there is no such server, or no stream *after*.
        """
        query = select(schema.streams).where(_KEY.server == server)
        if not archived:
            query = query.where(_KEY.archived_at.is_(None))
        with self._log.reading() as connection:
            fetch_server(connection, server)
            begin = _age(fetch_stream(connection, server, after)) if after is not None else None
            rows = connection.execute(query).mappings()
            found = sorted((record_of(row, Stream) for row in rows), key=_age)
        return found if begin is None else [stream for stream in found if _age(stream) > begin]

    def change(self, server: int, id: str, *, actor: str, **fields: Any) -> Stream:
        """Change the *fields* of `Stream` that can be changed. Raises NotFound, Invalid."""
        if "kind" in fields:
            raise Invalid("kind", "a stream stays what it is; make another one for the other kind of mail")
        with self._log.changing(actor) as change:
            owner, stream = _fetch(change.connection, server, id)
            new = differing(stream, fields, _CHANGE)
            return _changed(change, owner, stream, "change", new) if new else stream

    def archive(self, server: int, id: str, *, actor: str) -> Stream:
        """Archive a stream: nothing can be sent through it. Raises NotFound, or Conflict for a default stream."""
        with self._log.changing(actor) as change:
            owner, stream = _fetch(change.connection, server, id)
            if id in DEFAULT_STREAMS:
                raise Conflict(f"the stream {id!r} is one of those every server has and cannot be archived")
            if stream.archived_at is not None:
                return stream
            return _changed(change, owner, stream, "archive", {"archived_at": change.at})

    def unarchive(self, server: int, id: str, *, actor: str) -> Stream:
        """Take a stream into use again. Raises NotFound, or Conflict when there are too many."""
        with self._log.changing(actor) as change:
            owner, stream = _fetch(change.connection, server, id)
            if stream.archived_at is None:
                return stream
            _check_room(change.connection, server)
            return _changed(change, owner, stream, "unarchive", {"archived_at": None})


def fetch_stream(connection: Connection, server: int, id: str) -> Stream:
    """Return a stream. Raises NotFound."""
    query = select(schema.streams).where(_KEY.server == server, _KEY.id == id)
    # not every database takes every character in a question
    row = connection.execute(query).mappings().first() if id.isprintable() else None
    if row is None:
        raise NotFound(f"stream {id[:60]} of server {server}")
    return record_of(row, Stream)


def check_usable(connection: Connection, server: int, id: str) -> Stream:
    """Return the stream that a credential is to be bound to. Raises Invalid for what is no name of a stream, NotFound,
    or Conflict when it is archived.
    """
    stream = fetch_stream(connection, server, checks.stream_id("stream", id))
    if stream.archived_at is not None:
        raise Conflict(f"the stream {id!r} is archived; unarchive it, or take another one")
    return stream


def _fetch(connection: Connection, server: int, id: str) -> tuple[Server, Stream]:
    return fetch_server(connection, server), fetch_stream(connection, server, id)


def _changed(
    change: Changing, owner: Server, stream: Stream, action: str, new: Mapping[str, object]
) -> Stream:
    where = (_KEY.server == stream.server, _KEY.id == stream.id)
    change.connection.execute(update(schema.streams).where(*where).values(columns(new)))
    what = f"stream {stream.server}/{stream.id}"
    change.note(action, what, owner.account, before_of(stream, new), new)
    return fetch_stream(change.connection, stream.server, stream.id)


def _check_is_new(connection: Connection, server: int, id: str) -> None:
    where = (_KEY.server == server, _KEY.id == id)
    if connection.scalar(select(func.count()).select_from(schema.streams).where(*where)):
        raise Conflict(f"the server has a stream {id!r} already; choose another id, or unarchive it")


def _check_room(connection: Connection, server: int) -> None:
    where = (_KEY.server == server, _KEY.archived_at.is_(None), _KEY.id.not_in(list(DEFAULT_STREAMS)))
    count = connection.scalar(select(func.count()).select_from(schema.streams).where(*where)) or 0
    if count >= MOST_STREAMS:
        raise Conflict(f"the server has {count} streams besides the default ones already; archive one first")


def _age(stream: Stream) -> tuple[float, int, str]:
    defaults = list(DEFAULT_STREAMS)  # made together
    return stream.created_at, defaults.index(stream.id) if stream.id in defaults else len(defaults), stream.id
