"""Sending domains are looked up in the DNS again each day: a record that goes away is noticed before receivers do.

Only domains that were checked once by request. A name server that does not answer changes nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, Final

from angarium.core.clock import Clock
from angarium.core.errors import AngariumError
from angarium.core.ids import new_id
from angarium.core.log import Log
from angarium.core.records import Fact, FactKind
from angarium.identity.domains.check import DomainReport
from angarium.identity.records import Domain
from angarium.identity.store.store import IdentityStore
from angarium.sql.errors import NotFound

LOOK_S: Final = 600.0
"""How often is looked who is due."""
DUE_S: Final = 86_400.0
"""How old a check may become."""
_PAGE = 200


def is_due(domain: Domain, now: float) -> bool:
    """Whether *domain* is to be looked up again."""
    return domain.enabled and domain.checked_at is not None and now - domain.checked_at >= DUE_S


class DomainWatch:
    """Checks what is due, one domain after the other. *check* asks the DNS. *note* hears of what was lost or found."""

    def __init__(
        self,
        store: IdentityStore,
        check: Callable[[Domain], Awaitable[DomainReport]],
        clock: Clock,
        log: Log,
        note: Callable[[Fact], object] = lambda fact: None,
    ) -> None:
        self._store = store
        self._check = check
        self._clock = clock
        self._log = log
        self._note = note

    async def try_to_look(self) -> None:
        """Do `look`. A store that does not answer is asked again the next time, and so is the DNS without a server."""
        try:
            await self.look()
        except AngariumError as error:
            self._log.warning("domain", self._clock.now(), error=str(error), again_in_s=LOOK_S)

    async def look(self) -> None:
        """Check the domains that are due. Raises StoreError."""
        now = self._clock.now()
        for domain in await asyncio.to_thread(lambda: [each for each in self._all() if is_due(each, now)]):
            await self._look_up(domain)

    async def _look_up(self, domain: Domain) -> None:
        report = await self._check(domain)
        now = self._clock.now()
        try:
            after = await asyncio.to_thread(
                partial(
                    self._store.domains.mark_checked,
                    return_path=report.return_path_found,
                    tracking=report.tracking_found,
                ),
                domain.id,
                report.keys_found,
                now,
            )
        except NotFound:
            return  # deleted meanwhile
        was, is_now = domain.verified_at is not None, after.verified_at is not None
        if was != is_now:
            say = self._log.info if is_now else self._log.warning
            say("domain", now, domain=domain.name, account=domain.account, verified=is_now)
            self._note(_fact(domain, report, now, is_found=is_now))
        if domain.return_path_seen_at is not None and after.return_path_seen_at is None:
            self._log.warning(
                "domain", now, domain=domain.name, account=domain.account, return_path=domain.return_path
            )

        if domain.tracking_seen_at is not None and after.tracking_seen_at is None:
            self._log.warning(
                "domain", now, domain=domain.name, account=domain.account, tracking=domain.tracking
            )

    def _all(self) -> Iterator[Domain]:
        after: int | None = None
        while page := self._store.domains.page(after=after, limit=_PAGE):
            yield from page
            after = page[-1].id


def _fact(domain: Domain, report: DomainReport, now: float, *, is_found: bool) -> Fact:
    """Return the fact that a domain was lost, and what of it, or found again."""
    fields: dict[str, Any] = {"domain": domain.name}
    if not is_found:
        missing = [each.record for each in report.checks if each.record.required and each.status != "found"]
        fields["missing"] = [f"{record.type} {record.name}" for record in missing]
    kind: FactKind = "domain_found" if is_found else "domain_lost"
    return Fact(kind=kind, id=new_id(now), at=now, account=domain.account, fields=fields)
