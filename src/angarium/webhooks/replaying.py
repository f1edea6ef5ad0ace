"""Windows of the past that are told again: page by page what is in the log becomes letters that wait."""

from collections.abc import Mapping
from typing import Final

from angarium.core.clock import Clock
from angarium.webhooks.endpoint import EventLetter, batch_id
from angarium.webhooks.forms import form_of
from angarium.webhooks.keeping import Run
from angarium.webhooks.ledger import WebhookLedger
from angarium.webhooks.records import KeptLetter, ReplayRow
from angarium.webhooks.served import ServedWebhook, batch_of
from angarium.webhooks.source import LogPage, LogSource

_ENOUGH: Final = 100
"""While so much waits for an endpoint, nothing more is taken out of the past."""
_PAGE: Final = 200


class Replayer:
    """Goes on with the replays in *ledger*. A page and how far it is are written together: killed at any moment,
    nothing is missing, and nothing is found twice.
    """

    def __init__(
        self, ledger: WebhookLedger, source: LogSource, run: Run, run_ledger: Run, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._source = source
        self._run = run
        self._run_ledger = run_ledger
        self._clock = clock

    async def step(self, served: Mapping[int, ServedWebhook]) -> None:
        """Take a page of each replay whose endpoint has room. Raises LedgerError, EventStoreError."""
        replays: list[ReplayRow] = await self._run_ledger(self._ledger.replays)
        for replay in replays:
            one = served.get(replay.webhook)
            if one is not None and one.endpoint.parked < _ENOUGH and one.endpoint.open_until is None:
                await self._go_on(replay, one)

    async def _go_on(self, replay: ReplayRow, served: ServedWebhook) -> None:
        types = sorted(served.webhook.types)
        page: LogPage = await self._run(
            self._source.read, served.webhook.account, replay.position, _PAGE, types, served.would_want
        )
        letters = [
            letter
            for happening, letter in page.found
            if replay.since <= happening.at < replay.until
            and happening.number <= replay.end
            and served.takes(letter)
        ]
        kept = self._waiting(served, letters)
        is_done = page.upto >= replay.end
        now_at = ReplayRow(
            id=replay.id,
            webhook=replay.webhook,
            since=replay.since,
            until=replay.until,
            position=page.upto,
            end=replay.end,
            made_at=replay.made_at,
            found=replay.found + len(letters),
            done_at=self._clock.now() if is_done else None,
        )
        await self._run_ledger(self._ledger.go_on, now_at, kept)
        served.endpoint.restore([batch_of(each) for each in kept])

    def _waiting(self, served: ServedWebhook, letters: list[EventLetter]) -> list[KeptLetter]:
        most, now = form_of(served.webhook).most, self._clock.now()
        parts = [letters[begin : begin + most] for begin in range(0, len(letters), most)]
        return [
            KeptLetter(
                webhook=served.webhook.id,
                id=batch_id(part),
                numbers=[each.number for each in part],
                ids=[each.id for each in part],
                keys=[each.key for each in part],
                state="waiting",
                tries=0,
                first_at=now,
                due_at=now,
                changed_at=now,
            )
            for part in parts
        ]
