"""The worker's side of shared limits: questions go to the supervisor, answers come back to the scheduler."""

from typing import Any, Protocol

from angarium.node.link import Link
from angarium.queue.commands import GiveBack, Lease


class Asker(Protocol):
    """Who gets the answers; `delivery.dispatcher.Dispatcher` is one."""

    def granted(self, key: str, count: int, retry_at: float | None, left: int) -> None:
        """Units were granted, or none before *retry_at*; *left* units nobody holds."""
        ...

    def recall(self, key: str, count: int, rank: int) -> None:
        """Others wait for units."""
        ...


class SupervisorLeases:
    """Implements delivery.dispatcher.Leases over the link."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._asker: Asker

    def answer_to(self, asker: Asker) -> None:
        """Say who is to be told."""
        self._asker = asker

    def ask(self, command: Lease) -> None:
        """See Leases."""
        self._link.tell("lease", key=command.key, want=command.want, limit=command.limit, rank=command.rank)

    def give_back(self, command: GiveBack) -> None:
        """See Leases."""
        self._link.tell("give_back", key=command.key, count=command.count)

    def granted(self, args: dict[str, Any]) -> None:
        """Pass the supervisor's answer on."""
        self._asker.granted(args["key"], args["count"], args["retry_at"], args["left"])

    def recall(self, args: dict[str, Any]) -> None:
        """Pass the supervisor's wish on."""
        self._asker.recall(args["key"], args["count"], args["rank"])
