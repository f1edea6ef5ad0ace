"""Postmark's API: message streams."""

import re
from typing import Any, Final

from angarium.dialects.postmark.dates import moment
from angarium.dialects.postmark.problem import PostmarkProblem
from angarium.dialects.postmark.reading import Given
from angarium.http.postmark.call import PostmarkCall, refusals
from angarium.identity.records import DEFAULT_STREAMS, Stream, StreamKind

PURGE_S: Final = 45 * 86_400.0
MISSING: Final = (1226, "The message stream for the provided 'ID' was not found.")

_TYPES: Final[dict[StreamKind, str]] = {"transactional": "Transactional", "broadcast": "Broadcasts"}
_KINDS: Final[dict[str, StreamKind]] = {name.lower(): kind for kind, name in _TYPES.items()}
_HANDLING: Final[dict[StreamKind, str]] = {"transactional": "None", "broadcast": "Postmark"}
_HTML: Final = re.compile(r"<[a-zA-Z/!]")


class StreamsQuery(Given):
    """Which are listed."""

    message_stream_type: str | None = None
    include_archived_streams: bool = False


class Handling(Given):
    """How those who want no more are handled."""

    unsubscribe_handling_type: str | None = None


class StreamBody(Given):
    """A stream, made or changed."""

    id: str | None = None
    name: str | None = None
    message_stream_type: str | None = None
    description: str | None = None
    subscription_management_configuration: Handling | None = None


def list_streams(call: PostmarkCall, query: StreamsQuery) -> dict[str, Any]:
    """List the streams of the server."""
    wanted = (query.message_stream_type or "All").lower()
    if wanted not in ("all", "inbound", *_KINDS):
        raise PostmarkProblem(
            1221, "The 'MessageStreamType' must be All, Transactional, Broadcasts or Inbound."
        )
    found = call.store.streams.of_server(call.server.id, archived=query.include_archived_streams)
    shown = [stream_view(each) for each in found if wanted in ("all", _TYPES[each.kind].lower())]
    return {"MessageStreams": shown, "TotalCount": len(shown)}


def show_stream(call: PostmarkCall, stream: str) -> dict[str, Any]:
    """Show a stream."""
    return stream_view(found_stream(call, stream))


def create_stream(call: PostmarkCall, body: StreamBody) -> dict[str, Any]:
    """Make a stream."""
    if body.id is None:
        raise PostmarkProblem(1222, "An 'ID' is required for a message stream.")
    if body.name is None:
        raise PostmarkProblem(1223, "A 'Name' is required for a message stream.")
    kind = _kind(body.message_stream_type)
    _check_id(body.id)
    _check_handling(body, kind)
    with refusals(conflict=_taken_code(call, body.id), invalid=1227):
        made = call.store.streams.create(
            call.server.id, body.id, _name(body), kind, description=_description(body), actor=call.actor
        )
    return stream_view(made)


def change_stream(call: PostmarkCall, stream: str, body: StreamBody) -> dict[str, Any]:
    """Change the name or the description of a stream."""
    found = found_stream(call, stream)
    _check_handling(body, found.kind)
    fields = {
        "name": _name(body) if body.name is not None else None,
        "description": _description(body) if body.description is not None else None,
    }
    said = {name: value for name, value in fields.items() if value is not None}
    with refusals(missing=MISSING, invalid=1223):
        return stream_view(call.store.streams.change(call.server.id, found.id, actor=call.actor, **said))


def archive_stream(call: PostmarkCall, stream: str) -> dict[str, Any]:
    """Archive a stream."""
    found = found_stream(call, stream)
    with refusals(missing=MISSING, conflict=1229):
        archived = call.store.streams.archive(call.server.id, found.id, actor=call.actor)
    return {"ID": archived.id, "ServerID": archived.server, "ExpectedPurgeDate": _purge_date(archived)}


def unarchive_stream(call: PostmarkCall, stream: str) -> dict[str, Any]:
    """Take a stream into use again."""
    found = found_stream(call, stream)
    with refusals(missing=MISSING, conflict=1225):
        return stream_view(call.store.streams.unarchive(call.server.id, found.id, actor=call.actor))


def found_stream(call: PostmarkCall, stream: str) -> Stream:
    """Return a stream of the server. Raises PostmarkProblem."""
    with refusals(missing=MISSING):
        return call.store.streams.get(call.server.id, stream)


def stream_view(stream: Stream) -> dict[str, Any]:
    """Return a stream as Postmark shows it."""
    return {
        "ID": stream.id,
        "ServerID": stream.server,
        "Name": stream.name,
        "Description": stream.description or None,
        "MessageStreamType": _TYPES[stream.kind],
        "CreatedAt": moment(stream.created_at),
        "UpdatedAt": None,
        "ArchivedAt": moment(stream.archived_at) if stream.archived_at is not None else None,
        "ExpectedPurgeDate": _purge_date(stream),
        "SubscriptionManagementConfiguration": {"UnsubscribeHandlingType": _HANDLING[stream.kind]},
    }


def _purge_date(stream: Stream) -> str | None:
    return moment(stream.archived_at + PURGE_S) if stream.archived_at is not None else None


def _kind(said: str | None) -> StreamKind:
    kind = _KINDS.get((said or "").lower())
    if kind is None and (said or "").lower() == "inbound":
        raise PostmarkProblem(
            1221, "Inbound streams are not offered here; make a Transactional or Broadcasts stream."
        )
    if kind is None:
        raise PostmarkProblem(1221, "The 'MessageStreamType' must be Transactional or Broadcasts.")
    return kind


def _check_id(id: str) -> None:
    if id.startswith("pm-"):
        raise PostmarkProblem(1233, "An 'ID' must not begin with pm-.")
    if id in ("all", "inbound"):
        raise PostmarkProblem(1237, f"The 'ID' {id} is reserved.")


def _check_handling(body: StreamBody, kind: StreamKind) -> None:
    asked = body.subscription_management_configuration
    said = asked.unsubscribe_handling_type if asked is not None else None
    if said is None or said.lower() == _HANDLING[kind].lower():
        return
    if said.lower() == "custom":
        raise PostmarkProblem(1238, "Custom unsubscribe handling is not offered here.")
    if said.lower() not in ("none", "postmark"):
        raise PostmarkProblem(1240, "The 'UnsubscribeHandlingType' must be None, Postmark or Custom.")
    raise PostmarkProblem(1239, f"The unsubscribe handling of a {_TYPES[kind]} stream is {_HANDLING[kind]}.")


def _name(body: StreamBody) -> str:
    if body.name is not None and len(body.name) > 100:
        raise PostmarkProblem(1224, "The 'Name' may have 100 characters.")
    return body.name or ""


def _description(body: StreamBody) -> str:
    said = body.description or ""
    if len(said) > 1000:
        raise PostmarkProblem(1231, "The 'Description' may have 1000 characters.")
    if _HTML.search(said):
        raise PostmarkProblem(1234, "The 'Description' must not have HTML.")
    return said


def _taken_code(call: PostmarkCall, id: str) -> int:
    taken = {each.id for each in call.store.streams.of_server(call.server.id, archived=True)} | set(
        DEFAULT_STREAMS
    )
    return 1230 if id in taken else 1225
