"""The operations of the control socket: asks the workers, merges what they say.

The same answers feed the HTTP health checks and metrics.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from angarium.config.explain import evaluate, read_question, show_effective
from angarium.config.model import Config
from angarium.core.errors import AngariumError
from angarium.node.answers import Glance, Health, NodeInfo, Queues, Stat, Status
from angarium.node.arguments import (
    CHANGES_ONLY,
    ActArgs,
    BadRequest,
    ConfigEvalArgs,
    ConfigShowArgs,
    CountArgs,
    MessageArgs,
    Nothing,
    QueuesArgs,
    RecipientsArgs,
    TopArgs,
    TraceArgs,
    read_args,
)
from angarium.node.merge import (
    Answers,
    RunningTotals,
    merge_changes,
    merge_counts,
    merge_health,
    merge_history,
    merge_queues,
    merge_recipients,
)
from angarium.node.streams import Streams, Subscription

SendItem = Callable[[Any], Awaitable[None]]
"""Sends one item to the client. Raises ConnectionError when the client has gone."""

STREAMS = frozenset({"trace", "top"})
"""Operations that go on until the client hangs up."""

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

    async def reload(self) -> dict[str, Any]:
        """Read the configuration again; return `generation`, `changed_listeners` and `needs_restart`.

        Raises AngariumError with all problems; then the old one stays in force.
        """
        ...

    @property
    def config(self) -> Config:
        """The configuration in force."""
        ...


class Console:
    """Serves operations. Give `handle` to the control server, and every tell of a worker to `heard`."""

    def __init__(self, node: NodePort) -> None:
        self._node = node
        self._streams = Streams()
        self._totals = RunningTotals()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._operations: dict[str, tuple[type, Callable[[Any, SendItem], Awaitable[Any]]]] = {
            "status": (Nothing, self._status),
            "health": (Nothing, self._health),
            "stats": (Nothing, self._stats),
            "queues": (QueuesArgs, self._queues),
            "recipients": (RecipientsArgs, self._recipients),
            "message": (MessageArgs, self._message),
            "count": (CountArgs, self._count),
            "act": (ActArgs, self._act),
            "trace": (TraceArgs, self._trace),
            "top": (TopArgs, self._top),
            "reload": (Nothing, self._reload),
            "config_eval": (ConfigEvalArgs, self._config_eval),
            "config_show": (ConfigShowArgs, self._config_show),
        }

    async def handle(self, op: str, args: dict[str, Any], send_item: SendItem) -> Any:
        """Carry out one operation. Raises AngariumError with a sentence for the client."""
        operation = self._operations.get(op)
        if operation is None:
            raise BadRequest(f"unknown operation {op!r}; there are: {', '.join(sorted(self._operations))}")
        kind, method = operation
        return await method(read_args(args, kind), send_item)

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
        return merge_health(await self._ask_all("health", {}, QUICK_S))

    async def stats(self) -> list[Stat]:
        """All counters and gauges, of the workers that answer and of the supervisor."""
        answers = await self._ask_all("stats", {}, QUICK_S)
        return self._totals.merge({**answers.results, _SUPERVISOR: self._node.stats()})

    async def queues(self, args: QueuesArgs) -> Queues:
        """The queues that match, heaviest first. With very many queues the adding up takes a while, in a
        thread.
        """
        asked = {"domain": args.domain, "binding": args.binding}
        answers = await self._ask_all("queues", asked, LOOK_S)
        return await asyncio.to_thread(merge_queues, answers, args.limit)

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

    async def _status(self, args: Nothing, send_item: SendItem) -> Status:
        queues, health = await asyncio.gather(self.queues(QueuesArgs(limit=0)), self.health())
        return Status(self._node.describe(), health, queues.totals, queues.problems)

    async def _health(self, args: Nothing, send_item: SendItem) -> Health:
        return await self.health()

    async def _stats(self, args: Nothing, send_item: SendItem) -> list[Stat]:
        return await self.stats()

    async def _queues(self, args: QueuesArgs, send_item: SendItem) -> Queues:
        return await self.queues(args)

    async def _recipients(self, args: RecipientsArgs, send_item: SendItem) -> Any:
        asked = msgspec.to_builtins(args)
        asked["limit"] = args.limit + 1
        return merge_recipients(await self._ask_all("recipients", asked), args.limit)

    async def _message(self, args: MessageArgs, send_item: SendItem) -> Any:
        return merge_history(await self._ask_all("message", {"id": args.id}))

    async def _count(self, args: CountArgs, send_item: SendItem) -> Any:
        selection = args.selection
        if args.action is not None and selection.state is None:
            selection.state = CHANGES_ONLY.get(args.action)
        answers = await self._ask_all("count", {"selection": msgspec.to_builtins(selection)})
        answers.need_one()
        return merge_counts(answers)

    # -- changing

    async def _act(self, args: ActArgs, send_item: SendItem) -> Any:
        """Change what waits. When the client hangs up, what was begun is finished all the same."""
        progress = self._streams.open()
        asked = {**msgspec.to_builtins(args), "name": progress.name}
        teller = self._begin(_tell_progress(progress, send_item))
        try:
            answers = await asyncio.shield(self._begin(self._ask_all("act", asked, None)))
        finally:
            teller.cancel()
            self._streams.close(progress)
        answers.need_one()
        return merge_changes(answers)

    async def _reload(self, args: Nothing, send_item: SendItem) -> dict[str, Any]:
        return await self._node.reload()

    async def _config_eval(self, args: ConfigEvalArgs, send_item: SendItem) -> Any:
        return evaluate(self._node.config, read_question(args.words))._asdict()

    async def _config_show(self, args: ConfigShowArgs, send_item: SendItem) -> Any:
        return show_effective(self._node.config, defaults=args.defaults)._asdict()

    # -- streams

    async def _trace(self, args: TraceArgs, send_item: SendItem) -> None:
        lines = self._streams.open()
        asked = {**msgspec.to_builtins(args), "name": lines.name}
        try:
            answers = await self._ask_all("trace_start", asked, QUICK_S)
            answers.need_one()
            await send_item({"tracing": args.domain or args.message, "problems": answers.problems})
            while True:
                await send_item(await lines.next())
        finally:
            self._streams.close(lines)
            self._begin(self._ask_all("trace_stop", {"name": lines.name}, QUICK_S))

    async def _top(self, args: TopArgs, send_item: SendItem) -> None:
        while True:
            queues, health, stats = await asyncio.gather(
                self.queues(QueuesArgs(limit=args.limit)), self.health(), self.stats()
            )
            await send_item(Glance(time.time(), self._node.describe(), health, queues, stats))
            await asyncio.sleep(args.interval_s)

    def _begin(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _tell_progress(progress: Subscription, send_item: SendItem) -> None:
    done: dict[int, int] = {}
    try:
        while True:
            item = await progress.next()
            if "done" in item:
                done[item["worker"]] = item["done"]
                await send_item({"done": sum(done.values())})
    except ConnectionError:
        return
