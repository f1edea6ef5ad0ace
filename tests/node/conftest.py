"""For the operations: a node whose workers are tables of answers. For whole-program tests: questions to a real one."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from angarium.cli.client import ControlClient
from angarium.config.load import parse_config
from angarium.config.model import Config
from angarium.core.descriptors import Descriptors
from angarium.core.errors import AngariumError
from angarium.core.operations import NodeInfo, Stat
from angarium.node.conditions import NodeFacts, needs_of
from angarium.testing.lab import Lab
from angarium.testing.node import Node
from angarium.testing.programs import ProgramFailed

Reply = Callable[[int, dict[str, Any]], Any]


class FakeNode:
    """Two workers. `says[op]` is what each answers, or a function of worker and arguments."""

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
        return [("worker_restarts_total", [], 1)]

    def facts(self) -> NodeFacts:
        return NodeFacts(
            hostname="mx.example.com", needs=needs_of(self.config), descriptors=Descriptors(8, 1 << 20)
        )

    async def reload(self) -> dict[str, Any]:
        return {"generation": 4, "changed_listeners": [], "needs_restart": [], "warnings": []}


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


Ask = Callable[..., Any]


@pytest.fixture(scope="session")
def ask() -> Ask:
    """Put a question to a running node: `ask(node, "queues", domain="example.com")`."""

    def ask_node(node: Node, op: str, **args: Any) -> Any:
        with ControlClient(node.data) as client:
            return client.call(op, args, kind=object)

    return ask_node


@pytest.fixture(scope="session")
def act(ask: Ask) -> Ask:
    """Have an operator's command carried out; return how many recipients it changed."""

    def act_on(node: Node, action: str, *, target: str = "", quiet: bool = False, **selection: str) -> int:
        result = ask(node, "act", action=action, selection=selection, target=target, quiet=quiet)
        assert result["problems"] == []
        changed: int = result["changed"]
        return changed

    return act_on


@pytest.fixture(scope="session")
def queue_row(ask: Ask) -> Ask:
    """Wait until the queue of a domain is as *wanted* says, and return its row; None is an empty queue."""

    def wait(node: Node, domain: str, wanted: Callable[[Any], bool]) -> Any:
        row: list[Any] = [None]

        def seen() -> bool:
            rows = ask(node, "queues", domain=domain)["rows"]
            row[0] = rows[0] if rows else None
            return wanted(row[0])

        try:
            node.program.wait_until(seen, f"queue of {domain} as wanted")
        except ProgramFailed as error:
            error.add_note(f"the queue was {row[0]}")
            raise
        return row[0]

    return wait


@pytest.fixture(scope="session")
def drained(queue_row: Ask) -> Ask:
    """Wait until no mail for a domain is left."""

    def is_empty(row: Any) -> bool:
        return row is None or not (row["active"] or row["delayed"] or row["held"] or row["in_flight"])

    return lambda node, domain: queue_row(node, domain, is_empty)


@pytest.fixture(scope="session")
def sessions_are() -> Callable[[Node, int], None]:
    """Wait until as many sessions are open as said: one that has just begun or ended may not be counted yet."""

    def wait(node: Node, count: int) -> None:
        line = f"\nangarium_sessions_open {float(count)}\n"
        node.program.wait_until(lambda: line in node.get("/metrics")[1], f"{count} open sessions")

    return wait


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


@pytest.fixture(scope="module")
def shared_lab() -> Iterator[Lab]:
    """For nodes that several tests of a file share."""
    with Lab() as running:
        yield running
