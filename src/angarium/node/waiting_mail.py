"""What waits of each account after a start: the journal's at once, the settled store's when it has been summed up."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.records import Recipient
from angarium.core.waiting import ACCOUNT_TENANT, WaitingMail, account_of
from angarium.spool.port import SpoolError
from angarium.spool.sqlite.stored_mail import StoredMail


def count_recovered(waiting: WaitingMail, recipients: Iterable[Recipient]) -> None:
    """Count the recipients that a start has found in the journal."""
    for recipient in recipients:
        account = account_of(recipient.message.tenant)
        if account:
            waiting.wait(account, 1, recipient.message.body_size)


def stored_mail(folders: Iterable[Path], clock: Clock, log: Log) -> list[StoredMail]:
    """Take a picture of each partition's settled store. One that cannot be read is left out."""
    found = []
    for folder in folders:
        try:
            found.append(StoredMail(folder / "settled.db"))
        except SpoolError as error:
            log.error("waiting_mail", clock.now(), error=str(error))
    return found


async def count_stored(waiting: WaitingMail, stores: Iterable[StoredMail], clock: Clock, log: Log) -> None:
    """Count what the settled stores had at the start. Without it limits come late; mail goes on."""
    for stored in stores:
        try:
            found = await asyncio.to_thread(stored.by_tenant, ACCOUNT_TENANT)
        except SpoolError as error:
            log.error("waiting_mail", clock.now(), error=str(error))
            continue
        _count(waiting, found)


def _count(waiting: WaitingMail, found: dict[str, tuple[int, int]]) -> None:
    for tenant, (recipients, size_bytes) in found.items():
        account = account_of(tenant)
        if account:
            waiting.wait(account, recipients, size_bytes)
