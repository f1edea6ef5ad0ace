"""A control socket with prepared answers, and a runner for the command line."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from angarium.cli.main import main
from angarium.core.errors import AngariumError
from angarium.core.operations import Progress
from angarium.http.api.problem import HttpProblem
from angarium.http.api.stream import streamed
from angarium.node.control import ControlServer

STREAMS = ("act", "trace", "top")


class FakeControl:
    """Answers each operation with `says[op]`; an exception is raised. `items[op]` come before, in those that stream."""

    def __init__(self) -> None:
        self.says: dict[str, Any] = {"node": {}}
        self.items: dict[str, list[Any]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.endless: set[str] = set()
        """Streams that go on, with nothing more to say."""

    async def handle(self, request: Request) -> Response:
        op = request.path_params["op"]
        body = await request.body()
        args = json.loads(body) if body else dict(request.query_params)
        self.asked.append((op, args))
        answer = self.says.get(op, AngariumError(f"the test has no answer to {op!r}"))
        if op in STREAMS:
            return await streamed(self._items(op, answer))
        if isinstance(answer, Exception):
            return Response(HttpProblem("conflict", str(answer)).body(), 409)
        return Response(msgspec.json.encode(answer))

    async def _items(self, op: str, answer: Any) -> AsyncIterator[Any]:
        for item in self.items.get(op, []):
            yield Progress(**item) if op == "act" else item
        if op in self.endless:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            yield answer


@pytest.fixture
def control(tmp_path: Path) -> Iterator[FakeControl]:
    """The node in *tmp_path*, served from a thread."""
    fake = FakeControl()
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        server = ControlServer(tmp_path / "control.sock")
        server.open()
        route = Route("/operate/v1/{op}", fake.handle, methods=["GET", "POST"])
        await server.serve(Starlette(routes=[route]))
        ready.set()
        await stop.wait()
        await server.stop()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(20)
    yield fake
    loop.call_soon_threadsafe(stop.set)
    thread.join(20)
    loop.close()


Cli = Callable[..., Result]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run `angarium ARGUMENTS --data TMP_PATH`; *answer* is typed at a question."""

    def run(*arguments: str, answer: str | bytes = "", data: bool = True) -> Result:
        where = ["--data", str(tmp_path)] if data else []
        return CliRunner().invoke(main, [*arguments, *where], input=answer)

    return run


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are shown as in Greenwich."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
