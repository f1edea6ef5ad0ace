"""The log of events as it is read for webhooks. Blocking; threads may share it."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from angarium.core.ids import parse_id
from angarium.events.port import EventStore, FoundMail, Happening, Timeline, Whose
from angarium.query.nodes import Everything
from angarium.webhooks.endpoint import EventLetter
from angarium.webhooks.told import event_id, is_engagement, letter_of

_REMEMBERED: Final = 5_000
"""Recipients whose mail is known without a look: what happens to one comes in a row."""
_MOST_RECIPIENTS: Final = 50
"""Of a message with more, only the one that is looked for is remembered."""

Wanted = Callable[[Happening], bool]


class LogPage(NamedTuple):
    """What is to be told, in order, and the number up to which the log was looked through."""

    found: list[tuple[Happening, EventLetter]]
    upto: int


class LogSource:
    """Reads *store*. Raises EventStoreError throughout."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._mail: OrderedDict[tuple[str, int | None], FoundMail | None] = OrderedDict()

    def last(self) -> int:
        """Return the number of what was stored last."""
        return self._store.last()

    def read(
        self, account: int | None, after: int, limit: int, types: Sequence[str], wanted: Wanted
    ) -> LogPage:
        """Return what is *wanted* of the next *limit* happenings of *types*, of one account or of all."""
        last = self._store.last()
        if last <= after:
            return LogPage([], after)
        found = self._store.log(Everything(), Whose(account), after=after, limit=limit, types=types)
        upto = found[-1].number if len(found) >= limit else max([last, *(each.number for each in found[-1:])])
        return LogPage([(each, self._letter(each)) for each in found if wanted(each)], upto)

    def letters(self, account: int, numbers: Sequence[int], ids: Sequence[str]) -> list[EventLetter] | None:
        """Return what is numbered so, and has those ids; None: something of it is not kept any more."""
        letters: list[EventLetter] = []
        for number, id in zip(numbers, ids, strict=True):
            found = self._store.log(Everything(), Whose(account), after=number - 1, limit=1)
            if not found or found[0].number != number or event_id(found[0]) != id:
                return None
            letters.append(self._letter(found[0]))
        return letters

    def number_at(self, moment: float) -> int:
        """Return a number in the log before which nothing was stored that happened at *moment* or later, as far as what
        was stored in its time goes.
        """
        low, high = 0, self._store.last()
        while low < high:
            middle = (low + high) // 2
            found = self._store.log(Everything(), Whose(), after=middle, limit=1)
            if found and found[0].at < moment:
                low = max(found[0].number, middle + 1)
            else:
                high = middle
        return low

    def _letter(self, happening: Happening) -> EventLetter:
        if happening.message is None:
            return letter_of(happening, None)
        if is_engagement(happening.type):
            timeline = self._timeline(happening.message)
            return letter_of(
                happening, _of(timeline, happening.index), is_first=_is_first(timeline, happening)
            )
        return letter_of(happening, self._mail_of(happening.message, happening.index))

    def _mail_of(self, message: str, index: int | None) -> FoundMail | None:
        key = message, index
        if key in self._mail:
            return self._mail[key]
        timeline = self._timeline(message)
        found = self._mail[key] = _of(timeline, index)
        if timeline is not None and 1 < len(timeline.recipients) <= _MOST_RECIPIENTS:
            self._mail.update({(message, each.index): each for each in timeline.recipients})
        while len(self._mail) > _REMEMBERED:
            self._mail.popitem(last=False)
        return found

    def _timeline(self, message: str) -> Timeline | None:
        return self._store.timeline(parse_id(message), Whose())


def _of(timeline: Timeline | None, index: int | None) -> FoundMail | None:
    """Return the recipient with that number; of what is about all of the message the first, since the rest is one."""
    recipients = [] if timeline is None else timeline.recipients
    return next((each for each in recipients if index is None or each.index == index), None)


def _is_first(timeline: Timeline | None, happening: Happening) -> bool:
    """Whether nothing of its type was stored of its recipient before."""
    before = [] if timeline is None else timeline.happenings
    return not any(
        each.type == happening.type and each.index == happening.index and each.number < happening.number
        for each in before
    )
