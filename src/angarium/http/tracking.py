"""The addresses behind opens and clicks: a picture of one dot, and redirections. Each is answered, and then counted.

Nothing is looked up: an address says all that is needed, and is signed (`render.tracking.addresses`). What this node
has not made is answered 404, without a word of what was asked for.
"""

from collections.abc import Callable
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from angarium.core.ids import MessageId
from angarium.core.records import FactKind
from angarium.render.tracking.addresses import Tracked, TrackingAddresses

_DOT: Final = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)
"""A GIF of one transparent dot."""

_UNSEEN: Final = {
    "Cache-Control": "no-store, no-cache, must-revalidate, max-age=0, private",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "no-referrer",
}
_METHODS: Final = ("GET", "HEAD")

Note = Callable[[tuple[FactKind, MessageId, int, int], dict[str, Any]], None]
"""Hears what a reader has done, and the fields of the fact."""


class TrackingDoor:
    """An ASGI application. *note* hears of each request that counts."""

    def __init__(self, addresses: TrackingAddresses, note: Note) -> None:
        self._addresses = addresses
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        tracked = self._addresses.read(_raw_path(scope))
        response = self._answer(tracked, scope)
        await response(scope, receive, send)
        if tracked is not None and response.status_code < 400:
            self._note((tracked.kind, tracked.message, tracked.index, tracked.link), _fields(tracked, scope))

    def _answer(self, tracked: Tracked | None, scope: Scope) -> Response:
        if tracked is None:
            return Response("there is nothing here\n", 404, _UNSEEN, "text/plain")
        if scope["method"] not in _METHODS:
            return Response(status_code=405, headers={**_UNSEEN, "Allow": ", ".join(_METHODS)})
        if tracked.kind in ("open", "initial_open"):
            return Response(_DOT, headers=_UNSEEN, media_type="image/gif")
        if not tracked.target:
            return Response("there is nothing here\n", 404, _UNSEEN, "text/plain")
        response = Response(status_code=302, headers=_UNSEEN)
        # as it stood in the mail, byte for byte: no library encodes it anew
        response.raw_headers.append((b"location", tracked.target))
        return response


def _raw_path(scope: Scope) -> str:
    """Return the path as it was sent: what stands encoded in it must not be decoded twice."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode("latin-1", "replace")
    return raw.partition(b"?")[0].decode("latin-1")


def _fields(tracked: Tracked, scope: Scope) -> dict[str, Any]:
    client = scope.get("client")
    agent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
    method = scope["method"]
    return {
        "address": client[0] if client else "",
        "agent": agent.decode("utf-8", "replace"),
        "method": "" if method == "GET" else method,
        "url": tracked.target.decode("utf-8", "replace"),
    }
