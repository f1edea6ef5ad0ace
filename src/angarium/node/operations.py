"""What operators may ask of the node: the workers are asked, and what they say is merged.

The same answers feed the HTTP health checks and metrics.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from angarium.config.explain import evaluate, read_question, show_effective
from angarium.config.model import Config
from angarium.core.errors import AngariumError
from angarium.core.operations import (
    MOST_ROWS,
    ActArgs,
    Changed,
    ConfigAnswer,
    ConfigEvalArgs,
    ConfigShowArgs,
    Count,
    CountArgs,
    Glance,
    Health,
    MessageArgs,
    MessageHistory,
    NodeInfo,
    Progress,
    Queues,
    QueuesArgs,
    Recipients,
    RecipientsArgs,
    SelectionArgs,
    Stat,
    Status,
    TopArgs,
    TraceArgs,
)
from angarium.delivery.tally import binding_zeros
from angarium.node.conditions import KINDS, NodeFacts
from angarium.node.merge import (
    Answers,
    merge_changes,
    merge_counts,
    merge_health,
    merge_history,
    merge_queues,
    merge_recipients,
)
from angarium.node.recent import RecentNumbers
from angarium.node.streams import Subscription, Subscriptions
from angarium.node.totals import RunningTotals, WorkerStats
from angarium.smtp.address import domain_to_ascii

SOON_S = 2.0
"""For what is nice to know, and asked by programs."""
QUICK_S = 5.0
LOOK_S = 60.0
_SUPERVISOR = -1


class NodePort(Protocol):
    """The node as its supervisor offers it."""

    @property
    def workers(self) -> Sequence[int]:
        """The numbers of all workers."""
        ...

    def away(self) -> Mapping[int, str]:
        """The workers that cannot answer now, each with the reason in words ("reading its spool")."""
        ...

    async def ask(self, worker: int, op: str, args: dict[str, Any]) -> Any:
        """Put one question to one worker. Raises AngariumError when it is away, or its error sentence."""
        ...

    def describe(self) -> NodeInfo:
        """What the supervisor knows of itself."""
        ...

    def stats(self) -> list[Stat]:
        """The supervisor's own counters and gauges."""
        ...

    def facts(self) -> NodeFacts:
        """What the supervisor knows of what may be the matter."""
        ...

    async def reload(self) -> dict[str, Any]:
        """Read the configuration again; return `generation`, `changed_listeners`, `needs_restart` and `warnings`.

        Raises AngariumError with all problems; then the old one stays in force.
        """
        ...

    @property
    def config(self) -> Config:
        """The configuration in force."""
        ...


class NodeOperations:
    """All workers as one node. Every tell of a worker goes to `heard`. What is refused raises AngariumError with a
    sentence for the person who asked.
    """

    def __init__(self, node: NodePort) -> None:
        self._node = node
        self._streams = Subscriptions()
        self._totals = RunningTotals()
        self._recent = RecentNumbers()
        self._tasks: set[asyncio.Task[Any]] = set()

    def heard(self, op: str, args: dict[str, Any]) -> bool:
        """Take what a worker told: a line of a trace or progress. Returns False for anything else."""
        if op == "trace":
            self._streams.put(args["name"], args["record"])
        elif op == "progress":
            self._streams.put(args["name"], {"worker": args["worker"], "done": args["done"]})
        else:
            return False
        return True

    async def health(self) -> Health:
        """How the node is, in sentences."""
        return merge_health(await self._ask_all("health", {}, QUICK_S), self._node.facts())

    async def stats(self) -> list[Stat]:
        """All numbers, of the workers that answer and of the supervisor."""
        answers, health = await asyncio.gather(self._ask_all("stats", {}, QUICK_S), self.health())
        parts = {worker: msgspec.convert(part, WorkerStats) for worker, part in answers.results.items()}
        workers = len(self._node.workers)
        own: list[Stat] = [
            *self._node.stats(),
            ("workers", [], workers),
            ("workers_ready", [], workers - len(answers.failures)),
            *binding_zeros(self._node.config),
            *_counted(health),
        ]
        return self._totals.merge({**parts, _SUPERVISOR: WorkerStats(0, own)}, self._node.workers)

    async def look(self) -> None:
        """See how far the numbers are, so that of a worker that dies little is lost, and it can be told what happened
        lately. Called every few seconds.
        """
        stats = await self.stats()
        self._recent.note(time.monotonic(), stats)

    async def queues(self, args: QueuesArgs) -> Queues:
        """The queues that match, heaviest first. With very many queues the adding up takes a while, in a
        thread.
        """
        asked = {"domain": _in_ascii(args.domain), "binding": args.binding}
        answers = await self._ask_all("queues", asked, LOOK_S)
        return await asyncio.to_thread(merge_queues, answers, args.limit, args.sort)

    # -- asking

    async def _ask_all(self, op: str, args: dict[str, Any], patience_s: float | None = LOOK_S) -> Answers:
        """Ask every worker that is not away. What fails is in the answers' failures."""
        answers = Answers(failures=dict(self._node.away()))
        asked = [worker for worker in self._node.workers if worker not in answers.failures]
        await asyncio.gather(*(self._ask(answers, worker, op, args, patience_s) for worker in asked))
        return answers

    async def _ask(
        self, answers: Answers, worker: int, op: str, args: dict[str, Any], patience_s: float | None
    ) -> None:
        try:
            async with asyncio.timeout(patience_s):
                answers.results[worker] = await self._node.ask(worker, op, args)
        except TimeoutError:
            answers.failures[worker] = f"no answer within {patience_s:g} s"
        except AngariumError as error:
            answers.failures[worker] = str(error)

    # -- looking

    async def status(self) -> Status:
        """What the node is, how it is, and what waits in all."""
        queues, health, stats = await asyncio.gather(
            self.queues(QueuesArgs(limit=0)), self.health(), self.stats()
        )
        lately = self._recent.lately(time.monotonic(), stats)
        return Status(self._node.describe(), health, queues.totals, queues.problems, lately)

    def node(self) -> NodeInfo:
        """What the node is, and where its files are. Workers that are busy or hang are not waited for."""
        return self._node.describe()

    async def recipients(self, args: RecipientsArgs) -> Recipients:
        """The recipients that match, those due first first."""
        args.domain = _in_ascii(args.domain)
        asked = msgspec.to_builtins(args)
        asked["limit"] = min(args.limit + 1, MOST_ROWS)
        return merge_recipients(await self._ask_all("recipients", asked), args.limit)

    async def message(self, args: MessageArgs, patience_s: float = LOOK_S) -> MessageHistory:
        """All that is known of a message. A worker that says nothing for *patience_s* is told of as a problem."""
        return merge_history(await self._ask_all("message", {"id": args.id}, patience_s))

    async def count(self, args: CountArgs) -> Count:
        """How many recipients an action would change."""
        args.selection.domain = _in_ascii(args.selection.domain)
        answers = await self._ask_all("count", msgspec.to_builtins(args))
        answers.need_one()
        return merge_counts(answers)

    def config_eval(self, args: ConfigEvalArgs) -> ConfigAnswer:
        """Which value an option has, and who set it."""
        return ConfigAnswer(*evaluate(self._node.config, read_question(args.words)))

    def config_show(self, args: ConfigShowArgs) -> ConfigAnswer:
        """The configuration in force."""
        return ConfigAnswer(*show_effective(self._node.config, defaults=args.defaults))

    # -- changing

    async def act(self, args: ActArgs) -> AsyncIterator[Progress | Changed]:
        """Change what waits; tell how many are done, and at the end how many were changed.

        When the client hangs up, what was begun is finished all the same.
        """
        args.selection.domain = _in_ascii(args.selection.domain)
        progress = self._streams.open()
        asked = {**msgspec.to_builtins(args), "name": progress.name}
        acting = self._begin(self._ask_all("act", asked, None))
        try:
            async for done in _told(progress, acting):
                yield Progress(done)
        finally:
            self._streams.close(progress)
        answers: Answers = acting.result()
        answers.need_one()
        yield merge_changes(answers)

    async def cancel(self, id: str, note: str) -> Changed:
        """End what waits of a message, without a report to its sender; *note* says why."""
        args = ActArgs("fail", SelectionArgs(message=id), note=note, quiet=True)
        changed = Changed()
        async for each in self.act(args):
            if isinstance(each, Changed):
                changed = each
        return changed

    async def reload(self) -> dict[str, Any]:
        """Read the configuration again; see NodePort."""
        return await self._node.reload()

    # -- streams

    async def trace(self, args: TraceArgs) -> AsyncIterator[dict[str, Any]]:
        """What is said on outbound connections, after a first item that says what is traced."""
        args.domain = _in_ascii(args.domain)
        lines = self._streams.open()
        asked = {**msgspec.to_builtins(args), "name": lines.name}
        try:
            answers = await self._ask_all("trace_start", asked, QUICK_S)
            answers.need_one()
            yield {"tracing": args.domain or args.message, "problems": answers.problems}
            while True:
                yield await lines.next()
        finally:
            self._streams.close(lines)
            self._begin(self._ask_all("trace_stop", {"name": lines.name}, QUICK_S))

    async def top(self, args: TopArgs) -> AsyncIterator[Glance]:
        """The node at a glance, again and again."""
        while True:
            queues, health, stats = await asyncio.gather(
                self.queues(QueuesArgs(limit=args.limit, sort=args.sort)), self.health(), self.stats()
            )
            yield Glance(time.time(), self._node.describe(), health, queues, stats)
            await asyncio.sleep(args.interval_s)

    def _begin(self, work: Awaitable[Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _counted(health: Health) -> Iterator[Stat]:
    """Yield 1 for each condition that holds, and 0 for each other."""
    found = {each.name for each in health.conditions}
    for name in KINDS:
        yield "condition", [name], float(name in found)


def _in_ascii(domain: str | None) -> str | None:
    """Return a domain as queues have it, in A-labels. Raises AddressError for one that is none beyond ASCII."""
    return domain if domain is None or domain.isascii() else domain_to_ascii(domain)


async def _told(progress: Subscription, acting: "asyncio.Task[Any]") -> AsyncIterator[int]:
    """Yield the sum of what the workers tell of their progress, until *acting* is over."""
    done: dict[int, int] = {}
    while True:
        coming = asyncio.ensure_future(progress.next())
        try:
            await asyncio.wait((coming, acting), return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                return
            item = coming.result()
        finally:
            coming.cancel()
        if "done" in item:
            done[item["worker"]] = item["done"]
            yield sum(done.values())
