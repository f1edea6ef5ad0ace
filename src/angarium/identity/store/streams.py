"""The identity store: message streams."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update

from angarium.core.options import NO_OPTIONS, Options
from angarium.identity import checks
from angarium.identity.checks import Check
from angarium.identity.records import DEFAULT_STREAMS, Server, Stream, StreamKind
from angarium.identity.store import schema
from angarium.identity.store.accounts import fetch_server
from angarium.identity.store.base import Changing, StoreBase, before_of, columns, differing, said
from angarium.identity.store.rows import stream_of
from angarium.sql.errors import Conflict, Invalid, NotFound

MOST_STREAMS = 10
"""Of one server, besides the default ones and those that are archived."""

_STREAM: Final[dict[str, Check]] = {
    "name": checks.name,
    "description": checks.description,
    "options": checks.options,
}
_kind = checks.one_of("transactional", "broadcast")
_KEY = schema.streams.c


class Streams(StoreBase):
    """Message streams: a server's mail by purpose. They are archived, not deleted: what was sent belongs to them."""

    def create_stream(
        self,
        server: int,
        id: str,
        name: str,
        kind: StreamKind,
        *,
        description: str = "",
        options: Options = NO_OPTIONS,
        actor: str,
    ) -> Stream:
        """Make a stream. Raises NotFound, Invalid, or Conflict when there is one, or there are too many."""
        id, kind = checks.stream_id("id", id), _kind("kind", kind)
        given = {"name": name, "description": description, "options": options}
        fields = {field: _STREAM[field](field, value) for field, value in given.items()}
        with self._changing(actor) as change:
            owner = fetch_server(change.connection, server)
            _check_is_new(change.connection, server, id)
            _check_room(change.connection, server)
            row = {"server": server, "id": id, "kind": kind, "created_at": change.at, **fields}
            change.connection.execute(insert(schema.streams).values(columns(row)))
            stream = fetch_stream(change.connection, server, id)
            change.note("create", f"stream {server}/{id}", owner.account, after=said(stream))
        return stream

    def stream(self, server: int, id: str) -> Stream:
        """Return a stream, archived or not. Raises NotFound."""
        with self._reading() as connection:
            return fetch_stream(connection, server, id)

    def streams(self, server: int, archived: bool = False) -> list[Stream]:
        """Return the streams of a server, the oldest first; with *archived* those that are archived as well.

        Raises NotFound when there is no such server.
        """
        query = select(schema.streams).where(_KEY.server == server)
        if not archived:
            query = query.where(_KEY.archived_at.is_(None))
        with self._reading() as connection:
            fetch_server(connection, server)
            rows = connection.execute(query).mappings()
            return sorted((stream_of(row) for row in rows), key=_age)

    def change_stream(self, server: int, id: str, *, actor: str, **fields: Any) -> Stream:
        """Change `name`, `description`, `options`. Raises NotFound, Invalid."""
        if "kind" in fields:
            raise Invalid("kind", "a stream stays what it is; make another one for the other kind of mail")
        with self._changing(actor) as change:
            owner, stream = _fetch(change.connection, server, id)
            new = differing(stream, fields, _STREAM)
            return _changed(change, owner, stream, "change", new) if new else stream

    def archive_stream(self, server: int, id: str, *, actor: str) -> Stream:
        """Archive a stream: nothing can be sent through it. Raises NotFound, or Conflict for a default stream."""
        with self._changing(actor) as change:
            owner, stream = _fetch(change.connection, server, id)
            if id in DEFAULT_STREAMS:
                raise Conflict(f"the stream {id!r} is one of those every server has and cannot be archived")
            if stream.archived_at is not None:
                return stream
            return _changed(change, owner, stream, "archive", {"archived_at": change.at})

    def unarchive_stream(self, server: int, id: str, *, actor: str) -> Stream:
        """Take a stream into use again. Raises NotFound, or Conflict when there are too many."""
        with self._changing(actor) as change:
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
    return stream_of(row)


def check_usable(connection: Connection, server: int, id: str) -> Stream:
    """Return the stream that a credential is to be bound to. Raises Invalid when there is none, or it is archived."""
    try:
        stream = fetch_stream(connection, server, checks.stream_id("stream", id))
    except NotFound as error:
        raise Invalid("stream", f"{error}") from None
    if stream.archived_at is not None:
        raise Invalid("stream", f"the stream {id!r} is archived; unarchive it, or take another one")
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
