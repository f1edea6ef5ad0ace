"""What people ask of webhooks, and have done: how they do, what they did not take, what is told once more; a try."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from angarium.core.clock import Clock
from angarium.identity.webhooks import WatchedWebhook, Webhook
from angarium.webhooks.ledger import WebhookLedger
from angarium.webhooks.records import KeptLetter, LetterCounts
from angarium.webhooks.standing import WebhookStanding, standing_of
from angarium.webhooks.trial import Trial

Try = Callable[[WatchedWebhook, str | None], Awaitable[Trial]]
"""Tells a webhook of something that has never happened; of what it is told of, where no type is said."""


class WebhookDesk:
    """Over *ledger*; *last* returns how far the log of events goes, *try_out* tells a webhook of something that has
    never happened. Blocking, but for that. Raises LedgerError, and what these two raise.
    """

    def __init__(self, ledger: WebhookLedger, last: Callable[[], int], try_out: Try, clock: Clock) -> None:
        self._ledger = ledger
        self._last = last
        self._clock = clock
        self.try_out = try_out

    def standings(self, webhooks: Iterable[Webhook]) -> Mapping[int, WebhookStanding]:
        """Return how each does."""
        cursors, counts, tail = self._ledger.cursors(), self._ledger.counts(), self._ledger.tail()
        last = self._last()
        number = tail.number if tail else last
        return {
            each.id: standing_of(
                each, cursors.get(each.id), counts.get(each.id, LetterCounts()), number, last
            )
            for each in webhooks
        }

    def dead(self, webhook: int, limit: int) -> list[KeptLetter]:
        """Return what it did not take however often it was tried, oldest first."""
        return self._ledger.letters(webhook, "dead", limit=limit)

    def lately(self, webhook: int, limit: int) -> list[KeptLetter]:
        """Return what failed at least once in the last day, or waits, what has changed last first."""
        return self._ledger.lately(webhook, limit)

    def dead_count(self, webhook: int) -> int:
        """Return how many dead letters there are."""
        return self._ledger.counts().get(webhook, LetterCounts()).dead

    def revive(self, webhook: int, ids: Sequence[str] | None) -> int:
        """Have dead letters told once more, those of *ids* or all; return how many."""
        return self._ledger.revive(webhook, ids, self._clock.now())

    def drop(self, webhook: int, ids: Sequence[str] | None) -> int:
        """Forget dead letters, those of *ids* or all; return how many."""
        return self._ledger.drop(webhook, ids)

    def replay(self, webhook: int, since: float, until: float) -> int:
        """Have all that happened in a window told once more; return the number of the replay."""
        return self._ledger.add_replay(webhook, since, until, (0, self._last()), self._clock.now())
