"""A node whose workers are tables of answers, and a way to run coroutines."""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from angarium.config.load import parse_config
from angarium.config.model import Config
from angarium.core.errors import AngariumError
from angarium.node.answers import NodeInfo, Stat

Reply = Callable[[int, dict[str, Any]], Any]


class FakeNode:
    """Two workers. `says[op]` is what each answers, or a function of worker and arguments; `asked` what came."""

    def __init__(self) -> None:
        self.workers = [0, 1]
        self.says: dict[str, Any] = {}
        self.gone: dict[int, str] = {}
        self.asked: list[tuple[int, str, dict[str, Any]]] = []
        self.config: Config = parse_config('Binding "b" { Retry_Interval = 60 }', "angarium.conf")

    def away(self) -> Mapping[int, str]:
        return self.gone

    async def ask(self, worker: int, op: str, args: dict[str, Any]) -> Any:
        self.asked.append((worker, op, args))
        if op not in self.says:
            raise AngariumError(f"worker {worker} was not told what to say to {op!r}")
        answer = self.says[op]
        answer = answer(worker, args) if callable(answer) else answer
        return await answer if asyncio.iscoroutine(answer) else answer

    def describe(self) -> NodeInfo:
        return NodeInfo("1.0", 42, 1000.0, "/data", "angarium.conf", 3, 2, {"default": "127.0.0.1:2525"})

    def stats(self) -> list[Stat]:
        return [("worker_restarts_total", "", 1)]

    async def reload(self) -> dict[str, Any]:
        return {"generation": 4, "changed_listeners": []}


class Dialog:
    """A control connection in raw lines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, line: str | bytes | dict[str, Any]) -> None:
        text = json.dumps(line) if isinstance(line, dict) else line
        self.writer.write((text.encode() if isinstance(text, str) else text) + b"\n")

    async def hear(self) -> Any:
        line = await self.reader.readline()
        return json.loads(line) if line else None


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
def dial() -> Callable[[Path], Any]:
    async def connect(path: Path) -> Dialog:
        return Dialog(*await asyncio.open_unix_connection(str(path)))

    return connect
