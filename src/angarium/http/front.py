"""Which process answers: a path decides."""

from collections.abc import Iterable, Mapping
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from angarium.http.upstream import away
from angarium.render.tracking.addresses import PREFIX

WORKER_PATHS: Final = frozenset((PREFIX,))
"""What ends in a message or a fact, and is answered by the worker that has the connection; see `Front`."""

SENDING_PATHS: Final = frozenset(("/manage/v1/messages", "/manage/v1/messages/batch"))
"""What is the worker's as well, if it is posted: whole paths."""

RECORDER_PATHS: Final = frozenset(("/manage/v1", "/ui"))
"""What the recorder answers, with all that is below."""


class PathFront:
    """An ASGI application: *parts* answer the paths that they are named by and all below, *rest* answers all else."""

    def __init__(self, parts: Mapping[str, ASGIApp], rest: ASGIApp) -> None:
        self._parts = parts
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        for name, part in self._parts.items():
            if path == name or path.startswith(f"{name}/"):
                return await part(scope, receive, send)
        return await self._rest(scope, receive, send)


class FirstSegmentFront:
    """An ASGI application: *parts* answer the paths whose first segment, in any case, is their name; *rest* answers all
    else.
    """

    def __init__(self, parts: Mapping[str, ASGIApp], rest: ASGIApp) -> None:
        self._parts = parts
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        name = scope["path"][1:].partition("/")[0].lower()
        await self._parts.get(name, self._rest)(scope, receive, send)


class Front:
    """An ASGI application: *own* has what is answered here, by whole path, or by a first segment with its slashes, for
    all that begins so; *posted* what is answered here to a POST, by whole path; *rest* answers all else.
    """

    def __init__(
        self, own: Mapping[str, ASGIApp], rest: ASGIApp, posted: Mapping[str, ASGIApp] | None = None
    ) -> None:
        self._own = own
        self._rest = rest
        self._posted = posted or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        posted = self._posted.get(path) if scope["method"] == "POST" else None
        own = posted or self._own.get(path) or self._own.get(path[: path.find("/", 1) + 1], self._rest)
        await own(scope, receive, send)


def no_worker(paths: Iterable[str]) -> dict[str, ASGIApp]:
    """Return what a process without an engine answers to *paths*, which are the workers'."""
    return dict.fromkeys(paths, away("no worker takes mail at the moment; try again in a moment"))
