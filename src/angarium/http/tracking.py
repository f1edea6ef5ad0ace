"""The addresses behind opens, clicks and the way out: a picture of one dot, redirections, a page with a button; and
pictures that mail has brought with it.

Opens and clicks are answered, and then counted. To unsubscribe is to POST, by the button or by a mail program (RFC
8058): that is durable before it is answered, wants no cookie and is never redirected. To GET the page changes nothing,
since programs follow links, too. A link that the sender has marked as the way out leads to that page first, and from
there to where it led.

Nothing is looked up: an address says all that is needed, and is signed (`render.tracking.addresses`). What this node
has not made is answered 404, without a word of what was asked for.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId
from angarium.core.records import FactKind
from angarium.http.unsubscribe_page import PAGE_FIELDS, language_of, page_of
from angarium.render.images.names import HostedImage
from angarium.render.images.shelf import ImageShelf
from angarium.render.tracking.addresses import IN_TEXT, Tracked, TrackingAddresses
from angarium.render.tracking.redirection import location_of

_DOT: Final = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)
"""A GIF of one transparent dot."""

_UNSEEN: Final = {
    "Cache-Control": "no-store, no-cache, must-revalidate, max-age=0, private",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "no-referrer",
}
_UNSEEN_RAW: Final = [(name.lower().encode(), value.encode()) for name, value in _UNSEEN.items()]
_EMPTY: Final = (b"content-length", b"0")
_DOT_FIELDS: Final = [
    *_UNSEEN_RAW,
    (b"content-type", b"image/gif"),
    (b"content-length", str(len(_DOT)).encode()),
]
_METHODS: Final = ("GET", "HEAD")
_KEPT: Final = {
    # it is named by what is in it, so it never changes
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}

_ACTS: Final = ("unsubscribe", "link_unsubscribe", "resubscribe")
"""Kinds that something follows from: a POST does it, a GET shows a page."""

Deed = tuple[FactKind, MessageId, int, int]
"""What a reader has done: the kind of the fact, message, recipient and link."""

Note = Callable[[Deed, dict[str, Any]], None]
"""Hears what a reader has done, and the fields of the fact."""

Keep = Callable[[Deed, dict[str, Any]], Awaitable[None]]
"""The same, and returns when it is durable. Raises AngariumError."""


class TrackingDoor:
    """An ASGI application. *note* hears of each request that counts, *keep* of what something follows from. Pictures
    come from *images*.
    """

    def __init__(
        self, addresses: TrackingAddresses, note: Note, keep: Keep, images: ImageShelf | None = None
    ) -> None:
        self._addresses = addresses
        self._note = note
        self._keep = keep
        self._images = images

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = _raw_path(scope)
        tracked = self._addresses.read(path)
        image = self._images.named(path) if tracked is None and self._images is not None else None
        if image is not None:
            await (await self._image(image, scope))(scope, receive, send)
            return
        if tracked is not None and tracked.kind in _ACTS:
            response = await self._act(tracked, scope)
            await response(scope, receive, send)
            return
        if tracked is not None and tracked.kind == "click" and not tracked.target:
            tracked = None  # nothing that leads nowhere was ever written
        if tracked is None or scope["method"] not in _METHODS:
            await _refusal(tracked)(scope, receive, send)
            return
        await _answer(tracked, send)
        self._note(_deed(tracked), _fields(tracked, scope))

    async def _image(self, image: HostedImage, scope: Scope) -> Response:
        assert self._images is not None
        if scope["method"] not in _METHODS:
            return Response(status_code=405, headers={**_UNSEEN, "Allow": ", ".join(_METHODS)})
        headers = {**_KEPT, "ETag": f'"{image.digest.hex()}"'}
        if _header(scope, b"if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        try:
            data = await asyncio.to_thread(self._images.read, image)
        except OSError:
            return Response("try again in a minute\n", 503, {**_UNSEEN, "Retry-After": "60"}, "text/plain")
        if data is None:
            return Response("this picture is not kept any more\n", 404, _UNSEEN, "text/plain")
        return Response(data, headers=headers, media_type=image.media_type)

    async def _act(self, tracked: Tracked, scope: Scope) -> Response:
        method, is_back = scope["method"], tracked.kind == "resubscribe"
        language = language_of(_header(scope, b"accept-language"))
        target = location_of(tracked.target).decode("latin-1")
        if method in _METHODS:
            self._note_click(tracked, scope)
            return _shown(page_of("ask_again" if is_back else "ask", language, target=target))
        if method != "POST":
            return Response(status_code=405, headers={**_UNSEEN, "Allow": "GET, HEAD, POST"})
        try:
            await self._keep(_deed(tracked), _fields(tracked, scope))
        except AngariumError:
            headers = {**_UNSEEN, "Retry-After": "60"}
            return Response("this could not be kept; try again in a minute\n", 503, headers, "text/plain")
        back = self._addresses.path(Tracked("resubscribe", tracked.message, tracked.index))
        return _shown(page_of("again" if is_back else "done", language, back=back, target=target))

    def _note_click(self, tracked: Tracked, scope: Scope) -> None:
        """Who comes by a link of the mail has clicked on it, whatever he does then."""
        if tracked.kind == "link_unsubscribe":
            click = replace(tracked, kind="click")
            self._note(_deed(click), _fields(click, scope))


def _refusal(tracked: Tracked | None) -> Response:
    if tracked is None:
        return Response("there is nothing here\n", 404, _UNSEEN, "text/plain")
    return Response(status_code=405, headers={**_UNSEEN, "Allow": ", ".join(_METHODS)})


async def _answer(tracked: Tracked, send: Send) -> None:
    """Send a reader on, or the dot. By hand: it is what is asked for most, and a library's answer costs as much again.

    The target is as it stood in the mail, byte for byte: no library encodes it anew.
    """
    is_click = tracked.kind == "click"
    headers = [*_UNSEEN_RAW, (b"location", location_of(tracked.target)), _EMPTY] if is_click else _DOT_FIELDS
    await send({"type": "http.response.start", "status": 302 if is_click else 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_click else _DOT})


def _shown(page: str) -> Response:
    return Response(page, headers=PAGE_FIELDS, media_type="text/html")


def _deed(tracked: Tracked) -> Deed:
    return tracked.kind, tracked.message, tracked.index, tracked.link


def _raw_path(scope: Scope) -> str:
    """Return the path as it was sent: what stands encoded in it must not be decoded twice."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode("latin-1", "replace")
    return raw.partition(b"?")[0].decode("latin-1")


def _header(scope: Scope, wanted: bytes) -> str:
    """Return the first header of that name, empty where there is none."""
    value: bytes = next((value for name, value in scope["headers"] if name == wanted), b"")
    return value.decode("utf-8", "replace")


def _fields(tracked: Tracked, scope: Scope) -> dict[str, Any]:
    client = scope.get("client")
    method = scope["method"]
    return {
        "address": client[0] if client else "",
        "agent": _header(scope, b"user-agent"),
        "method": "" if method == ("POST" if tracked.kind in _ACTS else "GET") else method,
        "url": tracked.target.decode("utf-8", "replace"),
        "name": tracked.name.decode("utf-8", "replace"),
        **(_place(tracked) if tracked.link else {}),
    }


def _place(tracked: Tracked) -> dict[str, Any]:
    """Return which link it is, of which part."""
    is_in_text = tracked.link >= IN_TEXT
    number = tracked.link - IN_TEXT if is_in_text else tracked.link
    return {"link": number, "part": "text" if is_in_text else "html"}
