"""All mail of a restored spool is held, so that nothing leaves it before somebody has looked.

The backup does not know what its node has delivered since. By the spool's own means: events as an operator's `hold`
makes them, which the journals keep.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from angarium.backup.errors import BackupError
from angarium.core.ids import MessageId
from angarium.core.records import Recipient
from angarium.spool.embedded import open_partition
from angarium.spool.partition import Partition
from angarium.spool.port import Selection, SpoolError
from angarium.spool.settings import SpoolSettings

_AT_ONCE = 1000


class Held(NamedTuple):
    """How many recipients were held. *too_old*: so many of them expire as soon as a node has them."""

    recipients: int = 0
    too_old: int = 0


def hold_all(partitions: Iterable[Path], settings: SpoolSettings, now: float, note: str) -> Held:
    """Hold what waits in *partitions*, which nobody uses.

    *settings* say which queue a recipient is in that was never tried. What was taken only to be reported as failed ends
    as that, and mail to us is held as it is. Raises SpoolError.
    """
    quiet = replace(settings, min_free_bytes=0)
    held = [asyncio.run(_Holding(path, quiet, now, note).run()) for path in partitions]
    return Held(sum(each.recipients for each in held), sum(each.too_old for each in held))


class _Holding:
    """Holds the mail of one partition."""

    def __init__(self, path: Path, settings: SpoolSettings, now: float, note: str) -> None:
        self._path = path
        self._settings = settings
        self._now = now
        self._note = note
        self._held = Held()

    async def run(self) -> Held:
        """Do it. Raises SpoolError, BackupError."""
        spool = open_partition(self._path, asyncio.get_running_loop(), self._settings)
        try:
            _, recipients = spool.recover()
            self._check(spool)
            for start in range(0, len(recipients), _AT_ONCE):
                some = await self._hold(spool, recipients[start : start + _AT_ONCE])
                await _answer(partial(spool.settle, some))
            after: tuple[MessageId, int] | None = None
            while found := await spool.select(Selection(state="queued"), after, _AT_ONCE):
                after = found[-1].key
                await self._hold(spool, found)
        finally:
            await spool.close()
        return self._held

    def _check(self, spool: Partition) -> None:
        if (refusal := spool.status().accepting) is not None:
            raise BackupError(
                f"the mail in {self._path} cannot be held: {refusal}; make room, and restore again"
            )

    async def _hold(self, spool: Partition, recipients: Sequence[Recipient]) -> list[Recipient]:
        """Hold those that wait to be sent, durably; return them."""
        waiting = [each for each in recipients if each.state == "queued" and each.message.fate == "deliver"]
        events = [each.event("held", self._now, "held", note=self._note) for each in waiting]
        await _answer(partial(spool.record, events))
        for recipient, event in zip(waiting, events, strict=True):
            recipient.apply(event)
        old = sum(self._settings.expires_at(each) <= self._now for each in waiting)
        self._held = Held(self._held.recipients + len(waiting), self._held.too_old + old)
        return waiting


async def _answer(ask: Callable[[Callable[[SpoolError | None], None]], None]) -> None:
    """Wait for what a call answers that takes a callback last. Raises the SpoolError that it is answered with."""
    answer: asyncio.Future[SpoolError | None] = asyncio.get_running_loop().create_future()
    ask(answer.set_result)
    if (error := await answer) is not None:
        raise error
