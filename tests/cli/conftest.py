"""A control socket with prepared answers, and a runner for the command line."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from angarium.cli.main import main
from angarium.core.errors import AngariumError
from angarium.node.control import ControlServer


class FakeControl:
    """Answers each operation with `says[op]`; an exception is raised. `items[op]` are sent before."""

    def __init__(self) -> None:
        self.says: dict[str, Any] = {}
        self.items: dict[str, list[Any]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def handle(self, op: str, args: dict[str, Any], send_item: Any) -> Any:
        self.asked.append((op, args))
        for item in self.items.get(op, []):
            await send_item(item)
        answer = self.says.get(op, AngariumError(f"the test has no answer to {op!r}"))
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def control(tmp_path: Path) -> Iterator[FakeControl]:
    """The node in *tmp_path*, served from a thread."""
    fake = FakeControl()
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        server = ControlServer(tmp_path / "control.sock", fake.handle)
        await server.start()
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
