"""What the settled store holds, as far as the scheduler must know: which flow has mail due, and when next."""

import heapq

from angarium.core.records import Flow, FlowSummary

RECHECK_S = 1.0
"""A page that brought less than was said to be due, or could not be read, is asked for again after this."""


class FlowSummaries:
    """Summaries by flow, and one heap of their due times."""

    def __init__(self) -> None:
        self.summaries: dict[Flow, FlowSummary] = {}
        self._heap: list[tuple[float, Flow]] = []
        self._flows_of: dict[tuple[str, str], int] = {}

    def update(self, flow: Flow, summary: FlowSummary) -> None:
        """Take over what the spool says."""
        if not (summary.queued or summary.held):
            if self.summaries.pop(flow, None) is not None:
                self._count(flow, -1)
            return
        old = self.summaries.get(flow)
        if old is None:
            self._count(flow, 1)
        self.summaries[flow] = summary
        if summary.next_due is not None and (old is None or old.next_due != summary.next_due):
            heapq.heappush(self._heap, (summary.next_due, flow))

    def recheck(self, flow: Flow, now: float) -> None:
        """A page brought less than was asked for: look at *flow* again soon if its summary still says it is
        due.

        The summary told last may be older than the page or newer; looking once more is right in both cases.
        """
        summary = self.summaries.get(flow)
        if summary is not None and summary.next_due is not None:
            heapq.heappush(self._heap, (max(summary.next_due, now + RECHECK_S), flow))

    def pop_due(self, now: float) -> Flow | None:
        """Return a flow with mail due at *now*, or None when there are no more. Each is returned once per
        change.
        """
        while self._heap and self._heap[0][0] <= now:
            _, flow = heapq.heappop(self._heap)
            if self.is_due(flow, now):
                return flow
        return None

    def is_due(self, flow: Flow, now: float) -> bool:
        """Whether *flow* is said to have mail due at *now*."""
        summary = self.summaries.get(flow)
        return summary is not None and summary.next_due is not None and summary.next_due <= now

    def has(self, key: tuple[str, str]) -> bool:
        """Whether anything of the queue (binding, domain) is stored."""
        return key in self._flows_of

    def _count(self, flow: Flow, step: int) -> None:
        key = (flow.binding, flow.domain)
        left = self._flows_of.get(key, 0) + step
        if left:
            self._flows_of[key] = left
        else:
            del self._flows_of[key]

    def next_at(self) -> float | None:
        """When the next flow may be due."""
        return self._heap[0][0] if self._heap else None
