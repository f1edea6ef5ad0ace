"""Who is in memory: counted and listed for operators and for admission. Changes nothing."""

from collections.abc import Iterable, Iterator
from itertools import islice

from angarium.core.records import FlowSummary, Recipient
from angarium.queue.memory import Memory
from angarium.queue.state import State
from angarium.spool.port import Selection


class Census:
    """Reads the scheduler's records."""

    def __init__(self, state: State, memory: Memory) -> None:
        self._state = state
        self._memory = memory

    @property
    def resident(self) -> int:
        """Recipients in memory, ready and in flight."""
        return self._memory.residence.total

    @property
    def queues(self) -> int:
        """Queues of which anything is in memory."""
        return len(self._state.queues)

    def standing(self) -> dict[str, tuple[int, float | None]]:
        """Return how many recipients there are in each state, and when the oldest of them was received.

        Looks at every recipient in memory and every stored flow; of a flow with both delayed and held ones, the oldest
        counts for both.
        """
        active = [recipient.message.received_at for recipient in self._ready()]
        flying = [recipient.message.received_at for recipient in self._in_flight()]
        stored = self._memory.stored.summaries.values()
        return {
            "active": (len(active), min(active, default=None)),
            "in_flight": (len(flying), min(flying, default=None)),
            "delayed": (sum(flow.queued for flow in stored), _oldest(flow for flow in stored if flow.queued)),
            "held": (sum(flow.held for flow in stored), _oldest(flow for flow in stored if flow.held)),
        }

    def count(self, selection: Selection) -> tuple[int, int]:
        """Return how many matching recipients are in memory, and how many of those are in flight."""
        if selection.state == "held":
            return 0, 0
        if selection.message is None:
            chosen = [queue for key, queue in self._state.queues.items() if selection.covers(*key)]
            flying = sum(queue.in_flight for queue in chosen)
            return sum(queue.ready.count for queue in chosen) + flying, flying
        flying = sum(1 for _ in self._matching(selection, self._in_flight()))
        return flying + sum(1 for _ in self._matching(selection, self._ready())), flying

    def matching(self, selection: Selection, limit: int) -> list[Recipient]:
        """Return up to *limit* matching recipients, those in flight first."""
        if selection.state == "held":
            return []
        flying = self._matching(selection, self._in_flight())
        found = list(islice(flying, limit))
        return found + list(islice(self._matching(selection, self._ready()), limit - len(found)))

    def _in_flight(self) -> Iterator[Recipient]:
        for connection in self._state.connections.values():
            yield from connection.batch

    def _ready(self) -> Iterator[Recipient]:
        for queue in self._state.queues.values():
            yield from queue.ready

    def _matching(self, selection: Selection, recipients: Iterator[Recipient]) -> Iterator[Recipient]:
        for recipient in recipients:
            if selection.covers(*recipient.queue) and selection.message in (None, recipient.message.id):
                yield recipient


def _oldest(flows: Iterable[FlowSummary]) -> float | None:
    return min((flow.oldest for flow in flows if flow.oldest is not None), default=None)
