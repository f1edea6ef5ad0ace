"""Which process answers: a path decides."""

from collections.abc import Iterable, Mapping
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from angarium.http.upstream import away

WORKER_PATHS: Final = frozenset[str]()
"""What ends in a message or a fact, and is answered by the worker that has the connection. No dialect is served yet."""


class Front:
    """An ASGI application: *own* has what is answered here, by whole path; *rest* answers all else."""

    def __init__(self, own: Mapping[str, ASGIApp], rest: ASGIApp) -> None:
        self._own = own
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._own.get(scope["path"], self._rest)(scope, receive, send)


def no_worker(paths: Iterable[str]) -> dict[str, ASGIApp]:
    """Return what a process without an engine answers to *paths*, which are the workers'."""
    return dict.fromkeys(paths, away("no worker takes mail at the moment; try again in a moment"))
