"""What waits of each account after a start: the journal's at once, the settled store's when it has been summed up."""

import asyncio
from collections.abc import Iterable

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


async def count_stored(waiting: WaitingMail, stored: StoredMail, clock: Clock, log: Log) -> None:
    """Count what the settled store had at the start. Without it limits come late; mail goes on."""
    try:
        found = await asyncio.to_thread(stored.by_tenant, ACCOUNT_TENANT)
    except SpoolError as error:
        log.error("waiting_mail", clock.now(), error=str(error))
        return
    for tenant, (recipients, size_bytes) in found.items():
        account = account_of(tenant)
        if account:
            waiting.wait(account, recipients, size_bytes)
