"""A settled store in memory, for a world without disks."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from angarium.core.ids import MessageId
from angarium.core.records import Flow, FlowSummary, Recipient


@dataclass
class MemoryStore:
    """What a worker has settled, in memory."""

    flows: dict[Flow, list[tuple[float, int, Recipient]]] = field(default_factory=dict)
    held: dict[tuple[MessageId, int], Recipient] = field(default_factory=dict)
    count: int = 0

    def settle(self, recipients: Iterable[Recipient]) -> set[Flow]:
        """Take recipients in; returns the flows that have changed."""
        changed = set()
        for recipient in recipients:
            changed.add(recipient.flow)
            if recipient.state == "held":
                self.held[recipient.key] = recipient
                continue
            self.count += 1
            entry = (recipient.due_at, self.count, recipient)
            heapq.heappush(self.flows.setdefault(recipient.flow, []), entry)
        return changed

    def page(self, flow: Flow, now: float, limit: int) -> list[Recipient]:
        """Take out what is due."""
        rows = self.flows.get(flow, [])
        taken: list[Recipient] = []
        while rows and len(taken) < limit and rows[0][0] <= now:
            taken.append(heapq.heappop(rows)[2])
        return taken

    def summary(self, flow: Flow) -> FlowSummary:
        """Summarise one flow."""
        rows = self.flows.get(flow, [])
        held = sum(recipient.flow == flow for recipient in self.held.values())
        oldest = min((row[2].message.received_at for row in rows[:100]), default=None)
        return FlowSummary(len(rows), held, rows[0][0] if rows else None, oldest)
