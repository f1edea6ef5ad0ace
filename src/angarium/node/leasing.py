"""The worker's side of shared limits: questions go to the supervisor, which answers over the link."""

from angarium.node.link import Link
from angarium.queue.commands import GiveBack, Lease


class SupervisorLeases:
    """Implements engine.pump.Leases over the link. What comes back is told to the scheduler by `Worker`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def ask(self, command: Lease) -> None:
        """See Leases."""
        self._link.tell("lease", key=command.key, want=command.want, limit=command.limit, rank=command.rank)

    def give_back(self, command: GiveBack) -> None:
        """See Leases."""
        self._link.tell("give_back", key=command.key, count=command.count)
