"""HTTP that the recorder answers: how the other processes pass it on, and how it is served."""

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from angarium.http.carrier import NODE_BOUNDS, Bounds, HttpServer
from angarium.http.front import RECORDER_PATHS, FirstSegmentFront, PathFront
from angarium.http.postmark.application import away as postmark_away
from angarium.http.postmark.segments import POSTMARK_SEGMENTS
from angarium.http.upstream import Behind, Upstream, away
from angarium.node.http.private import connect_private
from angarium.node.socket_path import RECORDER_SOCKET_NAME, listen_private

START_S: Final = 5.0
"""So long a request waits for a recorder that is being started."""
_LOOK_S: Final = 0.1
_BOUNDS: Final = Bounds(8192, NODE_BOUNDS.answers)
"""Connections are counted where clients have them."""


def with_recorder(app: ASGIApp, data: Path) -> ASGIApp:
    """Return *app* with those paths passed on that the recorder of the node in *data* answers."""
    problem = "the recorder, which answers this, is not running; `angarium status` says why"

    def connect() -> Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        return _connect(data / RECORDER_SOCKET_NAME)

    upstream, postmark = Upstream(connect, away(problem)), Upstream(connect, postmark_away(problem))
    others = FirstSegmentFront(dict.fromkeys(POSTMARK_SEGMENTS, postmark), app)
    return PathFront(dict.fromkeys(RECORDER_PATHS, upstream), others)


async def _connect(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the recorder, which may be on its way. Raises OSError."""
    loop = asyncio.get_running_loop()
    until = loop.time() + START_S
    while True:
        try:
            return await connect_private(path)
        except OSError:
            if loop.time() >= until:
                raise
        await asyncio.sleep(_LOOK_S)


class RecorderHttp:
    """Serves *routes* to those who pass requests on, over a socket in *data*."""

    def __init__(self, data: Path, routes: Sequence[BaseRoute]) -> None:
        self._path = data / RECORDER_SOCKET_NAME
        app = Starlette(routes=routes)
        app.router.redirect_slashes = (
            False  # to what the Host header says, and without the encryption of a proxy
        )
        self._app = Behind(app)
        self._server: HttpServer

    async def start(self) -> None:
        """Begin to serve. Raises OSError."""
        self._server = HttpServer(self._app, [listen_private(self._path)], _BOUNDS)
        await self._server.start()

    async def stop(self) -> None:
        """Finish the answers under way, for a second at most."""
        await self._server.stop()
        self._path.unlink(missing_ok=True)
