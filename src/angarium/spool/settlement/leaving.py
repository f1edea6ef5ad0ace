"""Mail on its way from the journal to the settled store."""

from collections.abc import Callable, Sequence
from functools import partial

from angarium.core.ids import MessageId
from angarium.core.records import Recipient
from angarium.spool.contents import Contents, KeptContent
from angarium.spool.residents import Live, Residents
from angarium.spool.settings import SpoolSettings
from angarium.spool.settlement.waiting import Waiting
from angarium.spool.store import Settling

STRAGGLERS_AT_ONCE = 500


class Leaving:
    """Sends to the store what is to settle."""

    def __init__(
        self,
        residents: Residents,
        contents: Contents,
        waiting: Waiting,
        settings: SpoolSettings,
    ) -> None:
        self._residents = residents
        self._contents = contents
        self._waiting = waiting
        self._settings = settings
        self.on_the_way = 0
        """Recipients that are not in memory any more and that the store does not count yet."""

    def settle(self, rows: Sequence[tuple[Recipient, float]], done: Callable[[], None]) -> None:
        """Send recipients, with their expiry, now that all that was recorded of them is durable; *done* is
        called when the store has them. They have been counted as `on_the_way`.
        """
        settling: list[Settling] = []
        leaving: dict[MessageId, int] = {}
        for recipient, expires in rows:
            message_id, bit = recipient.message.id, 1 << recipient.index
            live = self._residents.get(message_id)
            events: tuple[tuple[int, bytes], ...] = ()
            if live is not None and live.has_open(recipient.index):
                leaving[message_id] = leaving.get(message_id, 0) | bit
                events = live.events_of(recipient.index)
            settling.append(Settling(recipient, expires, False, events))
        self._send(settling, leaving, partial(self._arrived, len(rows), done))

    def settle_whole(self, lives: Sequence[Live], *, leased: bool) -> None:
        """Send all open recipients of messages."""
        settling = [
            Settling(r, self._settings.expires_at(r), leased, live.events_of(r.index))
            for live in lives
            for r in live.recipients(live.open, self._settings)
        ]
        alone = 0 if leased else len(settling)
        self.on_the_way += alone
        self._send(
            settling, {live.message.id: live.open for live in lives}, partial(self._arrived, alone, _nothing)
        )

    def relieve(self, oldest: int) -> None:
        """Settle copies of what lives in segment *oldest*, leased, since the scheduler still has it in memory.

        From then on its events go to the store like those of a paged recipient; so the segment can go. So can contents
        that later messages name, when the store has them.
        """
        stragglers = self._residents.open_up_to(oldest)
        for start in range(0, len(stragglers), STRAGGLERS_AT_ONCE):
            self.settle_whole(stragglers[start : start + STRAGGLERS_AT_ONCE], leased=True)
        if contents := self._contents.up_to(oldest):
            self._keep(contents)

    def _keep(self, contents: list[KeptContent]) -> None:
        """Have the store take contents that messages of later segments name."""
        for kept in contents:
            kept.stored = True
            self._contents.name(kept.id)
        self._waiting.keep(contents, partial(self._kept, contents))

    def _kept(self, contents: list[KeptContent]) -> None:
        for kept in contents:
            self._contents.moved(kept)
            self._contents.unname(kept)

    def _send(self, rows: list[Settling], leaving: dict[MessageId, int], done: Callable[[], None]) -> None:
        lives = self._residents.leave(leaving)
        self._waiting.send(lives, rows, partial(self._settled, leaving, done))

    def _arrived(self, count: int, done: Callable[[], None]) -> None:
        self.on_the_way -= count
        done()

    def _settled(self, leaving: dict[MessageId, int], done: Callable[[], None]) -> None:
        self._residents.arrive(leaving)
        done()


def _nothing() -> None:
    """Take an answer that is not waited for."""
