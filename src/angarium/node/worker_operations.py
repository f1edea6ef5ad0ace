"""What the supervisor asks of a worker on behalf of operators: look, change what waits, listen in, count."""

import resource
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from angarium.core.clock import Clock
from angarium.core.ids import MessageId, parse_id
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.operations import (
    ActArgs,
    Changed,
    Count,
    CountArgs,
    MessageArgs,
    MessageHistory,
    QueueRow,
    QueuesArgs,
    RecipientRow,
    RecipientsArgs,
    TraceArgs,
)
from angarium.engine.engine import Engine
from angarium.engine.to_us import ReadMail
from angarium.node.link import Link
from angarium.node.standing import Standing
from angarium.node.totals import WorkerStats

Operation = Callable[[dict[str, Any]], Awaitable[Any]]
"""Takes the arguments that came over the link; returns what goes back. Raises AngariumError, or ValueError."""


class WorkerOperations:
    """Answers for one worker, that with the number *index*."""

    def __init__(
        self,
        index: int,
        link: Link,
        engine: Engine,
        clock: Clock,
        counters: Counters,
        log: Log,
    ) -> None:
        self._index = index
        self._link = link
        self._engine = engine
        self._clock = clock
        self._counters = counters
        self._log = log
        self._operator = engine.operator
        self._standing = Standing(engine.scheduler.census.standing, counters)
        self._since = time.monotonic()

    def operations(self) -> dict[str, Operation]:
        """Return what is answered, by name."""
        return {
            "queues": self._queues,
            "recipients": self._recipients,
            "message": self._message,
            "count": self._count,
            "act": self._act,
            "trace_start": self._trace_start,
            "trace_stop": self._trace_stop,
            "stats": self._stats,
            "end_mail": self._end_mail,
        }

    async def _queues(self, args: dict[str, Any]) -> list[QueueRow]:
        return await self._operator.queues(msgspec.convert(args, QueuesArgs))

    async def _recipients(self, args: dict[str, Any]) -> list[RecipientRow]:
        return await self._operator.recipients(msgspec.convert(args, RecipientsArgs))

    async def _message(self, args: dict[str, Any]) -> MessageHistory:
        return await self._operator.message(msgspec.convert(args, MessageArgs))

    async def _count(self, args: dict[str, Any]) -> Count:
        return await self._operator.count(msgspec.convert(args, CountArgs))

    async def _act(self, args: dict[str, Any]) -> Changed:
        name = args.pop("name", "")

        def progress(done: int) -> None:
            self._link.tell("progress", name=name, worker=self._index, done=done)

        return await self._operator.act(msgspec.convert(args, ActArgs), progress)

    async def _end_mail(self, args: dict[str, Any]) -> list[MessageId]:
        return await self._engine.to_us.end(msgspec.convert(args["read"], list[ReadMail]))

    async def _trace_start(self, args: dict[str, Any]) -> None:
        name = args.pop("name")
        asked = msgspec.convert(args, TraceArgs)
        message = parse_id(asked.message) if asked.message is not None else None

        def hear(record: dict[str, Any]) -> None:
            self._link.tell(
                "trace", name=name, record={**record, "at": self._clock.now(), "worker": self._index}
            )

        self._engine.traces.start(name, asked.domain, message, hear)

    async def _trace_stop(self, args: dict[str, Any]) -> None:
        self._engine.traces.stop(args["name"])

    async def _stats(self, args: dict[str, Any]) -> WorkerStats:
        status = self._engine.spool.status()
        self._standing.count(self._clock.now(), status.settled_recipients)
        gauges = {
            "connections_open": self._engine.way_out.connections,
            "queues": self._engine.scheduler.census.queues,
            "journal_bytes": status.journal_bytes,
            "journal_segments": status.segments,
            "resident_body_bytes": status.resident_bodies_bytes,
            "spool_unwell": int(bool(status.unwell or status.accepting)),
        }
        for name, value in gauges.items():
            self._counters.set(name, value)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self._counters.set("log_lost_lines_total", self._log.lost)
        self._counters.set("cpu_seconds_total", usage.ru_utime + usage.ru_stime)
        numbers = [(name, labels, value) for (name, *labels), value in self._counters.numbers()]
        return WorkerStats(self._since, numbers)
