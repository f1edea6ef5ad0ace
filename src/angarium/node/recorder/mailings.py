"""What was sent, for whoever matches what came back: asked of the event store."""

from angarium.core.clock import Clock
from angarium.core.ids import MessageId, made_at, parse_id
from angarium.events.port import EventStore, Timeline, Whose
from angarium.feedback.matching import Mailing
from angarium.query.nodes import Equal
from angarium.query.words import folded

_AHEAD_S = 3600.0
"""So far the clocks of nodes may differ."""


class StoredMailings:
    """Implements `Mailings`. Raises EventStoreError."""

    def __init__(self, store: EventStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def by_id(self, message: MessageId) -> Mailing | None:
        """See Mailings."""
        if made_at(message) > self._clock.now() + _AHEAD_S:
            return None  # nobody's: it was made up
        timeline = self._store.timeline(message, Whose())
        return None if timeline is None or not timeline.recipients else _mailing(message, timeline)

    def by_message_id(self, text: str) -> Mailing | None:
        """See Mailings."""
        page = self._store.search(Equal("id", folded(text)), Whose(), limit=1_000)
        names = {mail.message for mail in page.found}
        return self.by_id(parse_id(names.pop())) if len(names) == 1 else None


def _mailing(message: MessageId, timeline: Timeline) -> Mailing:
    first = timeline.recipients[0]
    recipients = {mail.index: mail.address for mail in timeline.recipients}
    return Mailing(message, recipients, first.account, first.server)
