"""One webhook as it is served: what waits for it, what is under way, what is tried again, and whether it is left alone.
Pure: the time and chance arrive as arguments, and what is to be kept is returned.

What is to be told comes in the order of the log. What is of one message is told in that order: while something of it is
under way or waits to be tried again, what follows waits as well. All else goes on, *parallel* requests at a time where
the endpoint is quick enough to deserve that.
"""

import uuid
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple

from angarium.dialects.event import MailEvent
from angarium.webhooks.verdict import WebhookFailure, backoff_s, probe_s

MOST_PENDING: Final = 128
"""So much waits in memory for an endpoint; what follows stays in the log, and is read when there is room."""
MOST_PARKED: Final = 500
"""With so much to be tried again, nothing new is taken."""
FAILURES: Final = 5
"""So many in a row open the breaker."""

_BATCHES: Final = uuid.UUID("2f0c5b52-6c1e-4e0e-9c1d-0d8a4f5b7a10")


class EventLetter(NamedTuple):
    """Something to be told: its number in the log, its id, and what it is of: a message, or only itself. *event* None:
    it is still to be read.
    """

    number: int
    id: str
    key: str
    event: MailEvent | None = None


@dataclass(slots=True)
class EventBatch:
    """What is told in one request. *tries* counts those that have failed, *parked*: it is kept, to be tried again."""

    id: str
    letters: tuple[EventLetter, ...]
    first_at: float
    tries: int = 0
    due_at: float = 0.0
    parked: bool = False

    @property
    def number(self) -> int:
        """That of the first."""
        return self.letters[0].number


@dataclass(slots=True)
class Outcome:
    """What is to be kept: batches that wait from now on, those that are *dead*, those that are *done*. *off* is why the
    webhook is to be switched off; empty: it is not.
    """

    parked: list[EventBatch] = field(default_factory=list)
    dead: list[EventBatch] = field(default_factory=list)
    done: list[EventBatch] = field(default_factory=list)
    failure: WebhookFailure | None = None
    off: str = ""


class EndpointSettings(NamedTuple):
    """*most* events a request, *parallel* requests at a time; waits between *retries*, and after how long of nothing
    but failure it is switched off, in seconds.
    """

    most: int
    parallel: int
    retries: Sequence[float]
    off_after_s: float


class WebhookEndpoint:
    """Of one webhook. *position* is the number up to which all was told, or is kept to be told again."""

    def __init__(self, settings: EndpointSettings, position: int, done: Iterable[int] = ()) -> None:
        self.settings = settings
        self.considered = position
        """The number up to which the log was looked through for it."""
        self.is_live = False
        """Whether it is handed what happens as it happens; else it reads the log for itself, from *considered*."""
        self.failing_since: float | None = None
        self.failures = 0
        self.open_until: float | None = None
        """Until when it is left alone, None: it is not."""
        self._pending: deque[EventLetter] = deque()
        self._flying: dict[str, EventBatch] = {}
        self._parked: dict[str, EventBatch] = {}
        self._held: Counter[str] = Counter()
        self._flown: Counter[str] = Counter()
        self._told: set[int] = set(done)
        self._width = 1

    # -- what comes in

    @property
    def room(self) -> int:
        """How much more may wait."""
        if len(self._parked) >= MOST_PARKED or self.open_until is not None:
            return 0
        return max(MOST_PENDING, self.settings.most) - len(self._pending)

    def offer(self, letter: EventLetter) -> None:
        """Take something that is to be told, of which there is room; what was told already is not told again."""
        self.considered = max(self.considered, letter.number)
        if letter.number not in self._told and not self._is_flying(letter):
            self._pending.append(letter)

    def skip(self, number: int) -> None:
        """Say that up to *number* there is nothing more for it."""
        self.considered = max(self.considered, number)

    def restore(self, batches: Iterable[EventBatch]) -> None:
        """Take what was kept to be tried again, and is not known yet."""
        for batch in batches:
            if batch.id not in self._parked:
                batch.parked = True
                self._parked[batch.id] = batch
                self._held.update(letter.key for letter in batch.letters)

    # -- what is kept

    @property
    def position(self) -> int:
        """The number up to which all was told, or is kept to be told again."""
        first = [self._pending[0].number] if self._pending else []
        first += [
            letter.number for batch in self._flying.values() if not batch.parked for letter in batch.letters
        ]
        return min(first) - 1 if first else self.considered

    @property
    def told(self) -> list[int]:
        """What was told that is numbered above that."""
        return sorted(number for number in self._told if number > self.position)

    @property
    def is_settled(self) -> bool:
        """Whether all that has happened was told, or is kept to be told again."""
        return (
            self.is_live and not self._pending and not any(not each.parked for each in self._flying.values())
        )

    @property
    def waiting(self) -> int:
        """How much waits in memory or is under way."""
        return len(self._pending) + sum(len(batch.letters) for batch in self._flying.values())

    @property
    def flying(self) -> int:
        """How many requests are under way."""
        return len(self._flying)

    @property
    def parked(self) -> int:
        """How many batches are to be tried again."""
        return len(self._parked)

    @property
    def oldest_at(self) -> float | None:
        """When that happened which waits longest, but for what is tried again; None: nothing does."""
        waiting = [*self._pending, *(each for batch in self._flying.values() for each in batch.letters)]
        return min((letter.event.at for letter in waiting if letter.event is not None), default=None)

    # -- what goes out

    def next(self, now: float) -> EventBatch | None:
        """Return what is to be sent now; it is under way then. None: nothing."""
        if self.open_until is not None:
            return self._probe(now)
        if len(self._flying) >= self._width:
            return None
        batch = self._due(now) or self._fresh(now)
        if batch is not None:
            self._fly(batch)
        return batch

    def wake_at(self) -> float | None:
        """Return when to ask again, if nothing happens before; None: never."""
        if self._flying and self.open_until is not None:
            return None
        if self.open_until is not None:
            return self.open_until
        return min((batch.due_at for batch in self._leaders()), default=None)

    def followers(self, now: float) -> Outcome:
        """Put aside what waits for something of its own message that is tried again: the log goes on meanwhile."""
        outcome = Outcome()
        if not self._held:
            return outcome
        for letter in [each for each in self._pending if self._held[each.key] and not self._flown[each.key]]:
            self._pending.remove(letter)
            batch = EventBatch(letter.id, (letter,), now, due_at=now)
            self._park(batch)
            outcome.parked.append(batch)
        return outcome

    def delivered(self, batch: EventBatch) -> Outcome:
        """Note that *batch* was taken."""
        self._land(batch)
        if batch.parked:
            self._unpark(batch)
        else:
            self._note_told(batch)
        self.failures, self.failing_since = 0, None
        if self.open_until is not None:
            self.open_until = None
            for each in self._parked.values():
                each.due_at = 0.0
        self._width = min(self.settings.parallel, self._width + 1)
        return Outcome(done=[batch])

    def failed(self, batch: EventBatch, failure: WebhookFailure, now: float, chance: Random) -> Outcome:
        """Note that *batch* was not taken."""
        was_open = self.open_until is not None
        self._land(batch)
        outcome = Outcome(failure=failure)
        if not batch.parked:
            self._note_told(batch)
            self._park(batch)
        if failure.blame == "endpoint" or failure.blame == "gone":
            self._suffer(failure, now, chance)
            outcome.off = self._off(failure, now)
        if not was_open or failure.blame in ("event", "refused"):
            batch.tries += 1
        wait_s = (
            None
            if failure.blame == "refused"
            else backoff_s(max(batch.tries, 1), self.settings.retries, chance)
        )
        if wait_s is None:
            self._unpark(batch)
            outcome.dead.append(batch)
        else:
            batch.due_at = now + (wait_s if failure.wait_s is None else max(wait_s, failure.wait_s))
            outcome.parked.append(batch)
        return outcome

    def put_back(self, batch: EventBatch) -> None:
        """Have *batch*, which was kept and could not be read, sent another time."""
        self._land(batch)

    def lost(self, batch: EventBatch) -> Outcome:
        """Note that what *batch* tells of is not kept any more."""
        self._land(batch)
        self._unpark(batch)
        return Outcome(dead=[batch])

    def revive(self) -> None:
        """Begin anew, as one that has never failed: it was switched on, or changed."""
        self.failures, self.failing_since, self.open_until = 0, None, None

    def _probe(self, now: float) -> EventBatch | None:
        """Return the oldest there is, once it was left alone for long enough: one request shows whether it is back."""
        if self._flying or self.open_until is None or now < self.open_until:
            return None
        batch = min(self._parked.values(), key=lambda each: each.number, default=None) or self._fresh(now)
        if (
            batch is None
        ):  # with nothing to ask it by, it is handed something again; one failure opens it again
            self.open_until, self.failures = None, FAILURES - 1
        else:
            self._fly(batch)
        return batch

    def _due(self, now: float) -> EventBatch | None:
        """Return what is to be tried again."""
        return next((batch for batch in self._leaders() if batch.due_at <= now), None)

    def _leaders(self) -> Iterator[EventBatch]:
        """Return what is to be tried again, and is not under way, of each message the oldest only."""
        seen: set[str] = set()
        for batch in sorted(self._parked.values(), key=lambda each: each.number):
            keys = {letter.key for letter in batch.letters}
            if seen.isdisjoint(keys) and not any(self._flown[key] for key in keys):
                yield batch
            seen |= keys

    def _fresh(self, now: float) -> EventBatch | None:
        """Return the first of what waits, of messages of which nothing is under way or to be tried again."""
        skipped: set[str] = set()
        taken: list[EventLetter] = []
        for letter in self._pending:
            if letter.key in skipped or self._flown[letter.key] or self._held[letter.key]:
                skipped.add(letter.key)
            else:
                taken.append(letter)
                if len(taken) == self.settings.most:
                    break
        if not taken:
            return None
        for letter in taken:
            self._pending.remove(letter)
        return EventBatch(batch_id(taken), tuple(taken), now)

    def _is_flying(self, letter: EventLetter) -> bool:
        if not self._flown[letter.key]:
            return False
        return any(each.number == letter.number for batch in self._flying.values() for each in batch.letters)

    def _fly(self, batch: EventBatch) -> None:
        self._flying[batch.id] = batch
        self._flown.update(letter.key for letter in batch.letters)

    def _land(self, batch: EventBatch) -> None:
        self._flying.pop(batch.id, None)
        self._flown.subtract(letter.key for letter in batch.letters)
        self._flown = +self._flown

    def _park(self, batch: EventBatch) -> None:
        batch.parked = True
        self._parked[batch.id] = batch
        self._held.update(letter.key for letter in batch.letters)

    def _unpark(self, batch: EventBatch) -> None:
        if self._parked.pop(batch.id, None) is not None:
            self._held.subtract(letter.key for letter in batch.letters)
            self._held = +self._held

    def _note_told(self, batch: EventBatch) -> None:
        self._told.update(letter.number for letter in batch.letters)
        position = self.position
        self._told = {number for number in self._told if number > position}

    def _suffer(self, failure: WebhookFailure, now: float, chance: Random) -> None:
        self.failures += 1
        self.failing_since = now if self.failing_since is None else self.failing_since
        self._width = 1
        if self.failures >= FAILURES or failure.wait_s is not None or self.open_until is not None:
            wait_s = probe_s(self.failures - FAILURES, chance) if failure.wait_s is None else failure.wait_s
            self.open_until = now + wait_s
            self._withdraw()

    def _withdraw(self) -> None:
        """Leave in the log what waits in memory: it is read again when the endpoint is back."""
        self.considered = self.position
        self._pending.clear()
        self.is_live = False

    def _off(self, failure: WebhookFailure, now: float) -> str:
        if failure.blame == "gone":
            return "it answered 410: it is gone for good"
        failing_s = now - (self.failing_since or now)
        if failing_s < self.settings.off_after_s:
            return ""
        return f"nothing was taken for {failing_s / 86_400:.1f} days; the last time {failure.why}"


def batch_id(letters: Sequence[EventLetter]) -> str:
    """Return the id of what is told in one request: of one event its own, of several one that is made of theirs."""
    if len(letters) == 1:
        return letters[0].id
    return str(uuid.uuid5(_BATCHES, " ".join(letter.id for letter in letters)))
