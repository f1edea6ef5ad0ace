"""A webhook that is served: what is known of it from the store, the endpoint, and how the last requests went."""

from dataclasses import dataclass

from angarium.events.port import Happening
from angarium.identity.webhooks import WatchedWebhook, Webhook
from angarium.webhooks.endpoint import EventBatch, EventLetter, Outcome, WebhookEndpoint
from angarium.webhooks.forms import tells
from angarium.webhooks.places import SLOW_S
from angarium.webhooks.records import CursorRow, KeptLetter, LetterState
from angarium.webhooks.told import is_engagement
from angarium.webhooks.verdict import WebhookFailure


@dataclass(slots=True)
class ServedWebhook:
    """*watched* is replaced when it is changed. Times are epoch seconds, None: never."""

    watched: WatchedWebhook
    endpoint: WebhookEndpoint
    ok_at: float | None = None
    failed_at: float | None = None
    failure: WebhookFailure | None = None
    latency_s: float = 0.0
    is_reading: bool = False
    saved_behind: bool = True

    @property
    def webhook(self) -> Webhook:
        """As the store has it."""
        return self.watched.webhook

    @property
    def is_slow(self) -> bool:
        """Whether it is likely to keep a place for long."""
        return self.latency_s > SLOW_S or self.endpoint.failures > 0

    def wants(self, happening: Happening) -> bool:
        """Whether it is told of that as it happens, as far as can be said without a look at the message."""
        return happening.at >= self.webhook.created_at and self.would_want(happening)

    def would_want(self, happening: Happening) -> bool:
        """The same, whenever it has happened."""
        webhook = self.webhook
        return (
            happening.account == webhook.account
            and tells(webhook, happening.type)
            and (webhook.server is None or webhook.server == happening.server)
            and (webhook.stream is None or webhook.stream == happening.stream)
        )

    def takes(self, letter: EventLetter) -> bool:
        """Whether it is told of that, in the end."""
        event = letter.event
        return event is None or event.is_first or not (self.webhook.first_opens and is_engagement(event.type))

    def cursor(self) -> CursorRow:
        """Return what is to be kept of how far it is."""
        endpoint, failure = self.endpoint, self.failure
        self.saved_behind = not endpoint.is_settled or not self.webhook.enabled
        return CursorRow(
            webhook=self.webhook.id,
            position=endpoint.position,
            behind=self.saved_behind,
            told=endpoint.told,
            ok_at=self.ok_at,
            failed_at=self.failed_at,
            failing_since=endpoint.failing_since,
            open_until=endpoint.open_until,
            status=failure.status if failure else 0,
            error=failure.why if failure else "",
            answer=failure.answer if failure else "",
        )

    def letters(self, outcome: Outcome, now: float, latency_s: float) -> list[KeptLetter]:
        """Return what is to be kept of what came of a request."""
        sorts: tuple[tuple[LetterState, list[EventBatch]], ...] = (
            ("waiting", outcome.parked),
            ("dead", outcome.dead),
            ("done", [batch for batch in outcome.done if batch.parked]),
        )
        return [
            self._kept(batch, state, outcome.failure, now, latency_s)
            for state, some in sorts
            for batch in some
        ]

    def _kept(
        self,
        batch: EventBatch,
        state: LetterState,
        failure: WebhookFailure | None,
        now: float,
        latency_s: float,
    ) -> KeptLetter:
        return KeptLetter(
            webhook=self.webhook.id,
            id=batch.id,
            numbers=[letter.number for letter in batch.letters],
            ids=[letter.id for letter in batch.letters],
            keys=[letter.key for letter in batch.letters],
            state=state,
            tries=batch.tries,
            first_at=batch.first_at,
            due_at=batch.due_at,
            changed_at=now,
            status=failure.status if failure else 0,
            error=failure.why if failure else "",
            answer=failure.answer if failure else "",
            latency_ms=int(latency_s * 1000),
        )


def batch_of(kept: KeptLetter) -> EventBatch:
    """Return what was kept, to be sent again; its events are still to be read."""
    letters = [
        EventLetter(number, id, key)
        for number, id, key in zip(kept.numbers, kept.ids, kept.keys, strict=True)
    ]
    return EventBatch(kept.id, tuple(letters), kept.first_at, kept.tries, kept.due_at, parked=True)
