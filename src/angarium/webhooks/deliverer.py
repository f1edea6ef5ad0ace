"""The deliverer: hands out what happens, has it sent, and keeps how far it is.

What happens is read once for all endpoints that are up to date; one that is not reads the log for itself until it is.
A request under way is a task; an endpoint whose requests take long takes none of the places of those whose do not.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple, Protocol

from angarium.core.clock import Clock
from angarium.core.errors import AngariumError
from angarium.core.log import Log
from angarium.core.tasks import Tasks
from angarium.dialects.event import MailEvent
from angarium.events.port import EventStoreError, Happening
from angarium.identity.webhooks import TYPES, WatchedWebhook
from angarium.webhooks.endpoint import (
    MOST_PARKED,
    EndpointSettings,
    EventBatch,
    EventLetter,
    Outcome,
    WebhookEndpoint,
)
from angarium.webhooks.forms import form_of
from angarium.webhooks.keeping import Keeping, Run
from angarium.webhooks.ledger import WebhookLedger
from angarium.webhooks.places import RequestPlaces
from angarium.webhooks.records import CursorRow, KeptLetter, TailRow
from angarium.webhooks.replaying import Replayer
from angarium.webhooks.requesting import Tell
from angarium.webhooks.served import ServedWebhook, batch_of
from angarium.webhooks.source import LogSource
from angarium.webhooks.verdict import WebhookFailure, judged

LOOK_S: Final = 0.25
STORE_S: Final = 0.5
_AGAIN_S: Final = 1.0
SWEEP_S: Final = 3_600.0
PAGE: Final = 1_000
_FIRST_S: Final = 600.0
"""So far before the first start the log is looked through for what is of webhooks that are new."""
_PAGES: Final = 20
"""So much is handed out before another look at all else."""
_CATCHING_UP: Final = 2
"""So many endpoints read the log for themselves at a time."""
_EARLIER_S: Final = 30.0
"""What was stored so long ago survives a power cut: the recorder syncs more often."""


class WebhookStore(Protocol):
    """Where webhooks are kept; `identity.store.webhooks.Webhooks` in the program. Blocking."""

    def changed(self, after: int) -> tuple[list[WatchedWebhook], set[int]]:
        """See Webhooks."""
        ...

    def switch_off(self, id: int, reason: str, *, actor: str) -> object:
        """See Webhooks."""
        ...


class DelivererSettings(NamedTuple):
    """See the options: *retries* and *off_after_s* are seconds, *requests* how many may be under way at a time."""

    retries: Sequence[float]
    off_after_s: float
    requests: int


@dataclass(slots=True)
class DeliveryCounts:
    """Since the start. *switched_off* counts webhooks that this process has switched off."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0
    requests: int = 0
    switched_off: int = 0


@dataclass(slots=True)
class _Tail:
    number: int
    earlier: int
    earlier_at: float
    boot: str
    marked: int
    kept: int = field(default=-1)

    def mark(self, now: float) -> None:
        """Note once in a while how far it is: the mark before is of long ago."""
        if now - self.earlier_at >= _EARLIER_S:
            self.earlier, self.marked, self.earlier_at = self.marked, self.number, now

    @property
    def row(self) -> TailRow:
        return TailRow(self.number, self.earlier, self.earlier_at, self.boot)


class WebhookDeliverer:
    """For one event loop. *run* calls what blocks, *run_ledger* likewise, one call after the other; *settings* are
    asked for when a webhook is looked at, *boot* is when the machine was started. It looks for what is new each
    *look_s*.
    """

    def __init__(
        self,
        store: WebhookStore,
        source: LogSource,
        ledger: WebhookLedger,
        tell: Tell,
        settings: Callable[[], DelivererSettings],
        clock: Clock,
        log: Log,
        run: Run,
        run_ledger: Run,
        boot: str,
        chance: Random | None = None,
        look_s: float = LOOK_S,
    ) -> None:
        self._store = store
        self._source = source
        self._ledger = ledger
        self._tell = tell
        self._settings = settings
        self._clock = clock
        self._log = log
        self._run = run
        self._run_ledger = run_ledger
        self._boot = boot
        self._chance = chance or Random()
        self._look_s = look_s
        self._tasks = Tasks(log, clock)
        self._served: dict[int, ServedWebhook] = {}
        self._by_account: dict[int, list[ServedWebhook]] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._change = 0
        self._tail: _Tail
        self._keeping = Keeping(ledger, run_ledger, self._picture, clock, log)
        self._reading = asyncio.Semaphore(_CATCHING_UP)
        self._places = RequestPlaces(settings().requests)
        self._looked_at = self._swept_at = clock.now()
        self._version = -1
        self._replayer = Replayer(ledger, source, run, run_ledger, clock)
        self._sending: set[asyncio.Task[None]] = set()
        self._is_ending = False
        self.counts = DeliveryCounts()
        self.problem = ""
        """Why nothing is told at the moment; empty: it is."""

    # -- how it is

    @property
    def served(self) -> Iterable[ServedWebhook]:
        """All webhooks that there are."""
        return self._served.values()

    @property
    def lag_s(self) -> float:
        """How long ago that happened which waits longest for an endpoint that is not left alone."""
        waiting = [each.endpoint.oldest_at for each in self.served if each.endpoint.open_until is None]
        oldest = min((at for at in waiting if at is not None), default=None)
        return 0.0 if oldest is None else max(0.0, self._clock.now() - oldest)

    # -- its life

    async def begin(self) -> None:
        """Take up what was left. Raises LedgerError, EventStoreError, StoreError, KeyRingError."""
        last = await self._run(self._source.last)
        kept = await self._run_ledger(self._ledger.tail)
        now = self._clock.now()
        tail = kept or TailRow(last, last, now, self._boot)
        has_lost = tail.boot != self._boot
        number = min(tail.earlier if has_lost else tail.number, last)
        earlier = min(tail.earlier, number)
        if kept is None:  # it is started for the first webhook that there is, and not before
            earlier = min(earlier, await self._run(self._source.number_at, now - _FIRST_S))
        self._tail = _Tail(number, earlier, now, self._boot, marked=earlier)
        cursors: dict[int, CursorRow] = await self._run_ledger(self._ledger.cursors)
        upto = number if has_lost else last
        await self._look_at_store({id: _resumed(row, number, upto) for id, row in cursors.items()})
        await self._keeping.flush()

    async def run(self) -> None:
        """Serve until it is cancelled, or `end` is called."""
        self._tasks.start(self._keeping.run())
        while not self._is_ending:
            try:
                await self.step()
            except AngariumError as error:
                self._complain(str(error))
            await asyncio.sleep(self._look_s)

    async def end(self, grace_s: float) -> None:
        """Begin nothing more, wait *grace_s* at most for answers to what is under way, and keep what is known."""
        self._is_ending = True
        for timer in self._timers.values():
            timer.cancel()
        if self._sending:
            await asyncio.wait(self._sending, timeout=grace_s)
        await self._keeping.flush()

    async def step(self) -> None:
        """Look once at all that may have changed."""
        now = self._clock.now()
        if now - self._looked_at >= STORE_S:
            self._looked_at = now
            await self._look_at_store({})
            await self._look_at_ledger()
        await self._follow()
        for served in self.served:
            self._catch_up(served)
        self._tail.mark(now)
        self._keeping.wake()
        if now - self._swept_at >= SWEEP_S:
            self._swept_at = now
            await self._run_ledger(self._ledger.sweep, now, set(self._served))
        self._complain("")

    # -- which there are

    async def _look_at_store(self, cursors: dict[int, CursorRow]) -> None:
        found, ids = await self._run(self._store.changed, self._change)
        for watched in found:
            self._change = max(self._change, watched.change)
            await self._take(watched, cursors)
        for gone in self._served.keys() - ids:
            self._served.pop(gone)
        if found or len(ids) != sum(map(len, self._by_account.values())):
            self._by_account = {}
            for served in self.served:
                self._by_account.setdefault(served.webhook.account, []).append(served)

    async def _take(self, watched: WatchedWebhook, cursors: dict[int, CursorRow]) -> None:
        """Serve a webhook, or go on with what has changed of it."""
        id, settings = watched.webhook.id, self._endpoint_settings(watched)
        served = self._served.get(id)
        if served is None:
            row = cursors.get(id) or CursorRow(webhook=id, position=self._tail.earlier, behind=True)
            endpoint = WebhookEndpoint(settings, row.position, row.told)
            endpoint.is_live = not row.behind and watched.webhook.enabled
            endpoint.failing_since, endpoint.open_until = row.failing_since, row.open_until
            failure = WebhookFailure("endpoint", row.error, row.status, row.answer) if row.error else None
            served = ServedWebhook(
                watched, endpoint, row.ok_at, row.failed_at, failure, saved_behind=row.behind
            )
            self._served[id] = served
            await self._restore(served)
        else:
            if not watched.webhook.enabled and served.endpoint.is_live:
                served.endpoint.skip(self._tail.number)
            if watched.webhook.enabled:
                served.endpoint.revive()
            served.endpoint.is_live = served.endpoint.is_live and watched.webhook.enabled
            served.watched, served.endpoint.settings = watched, settings
        self._keeping.note(id)
        self._pump(served)

    def _endpoint_settings(self, watched: WatchedWebhook) -> EndpointSettings:
        settings = self._settings()
        most = form_of(watched.webhook).most
        return EndpointSettings(most, watched.webhook.parallel, settings.retries, settings.off_after_s)

    async def _restore(self, served: ServedWebhook) -> None:
        """Take what waits in the ledger, as much as there is room for; but not what the ledger is about to hear of."""
        id = served.webhook.id
        unkept = self._keeping.unkept(id)
        kept: list[KeptLetter] = await self._run_ledger(self._letters_of, id)
        unkept |= self._keeping.unkept(id)
        served.endpoint.restore([batch_of(each) for each in kept if each.id not in unkept])

    def _letters_of(self, webhook: int) -> list[KeptLetter]:
        return self._ledger.letters(webhook, "waiting", limit=MOST_PARKED)

    async def _look_at_ledger(self) -> None:
        """Take up what somebody wants to be told again."""
        version = await self._run_ledger(self._ledger.version)
        if version != self._version:
            self._version = version
            for served in list(self.served):
                await self._restore(served)
                self._pump(served)
        await self._replayer.step(self._served)
        for served in self.served:
            self._pump(served)

    # -- what happens

    def _types(self, some: Iterable[ServedWebhook]) -> list[str]:
        """Return what any of them is told of."""
        wanted = {type for served in some for type in (served.webhook.types or TYPES)}
        return [type for type in TYPES if type in wanted]

    async def _follow(self) -> None:
        """Hand out what has happened since, to all that are up to date."""
        for _ in range(_PAGES):
            live = [served for served in self.served if served.endpoint.is_live]
            if not live:
                self._tail.number = max(self._tail.number, await self._run(self._source.last))
                return
            accounts = {served.webhook.account for served in live}
            account = next(iter(accounts)) if len(accounts) == 1 else None
            page = await self._run(
                self._source.read, account, self._tail.number, PAGE, self._types(live), self._is_wanted
            )
            if page.upto <= self._tail.number:
                return
            handed = [self._hand(happening, letter) for happening, letter in page.found]
            self._tail.number = page.upto
            for id in {served.webhook.id for some in handed for served in some}:
                self._pump(self._served[id])

    def _is_wanted(self, happening: Happening) -> bool:
        return any(served.wants(happening) for served in self._by_account.get(happening.account, ()))

    def _hand(self, happening: Happening, letter: EventLetter) -> list[ServedWebhook]:
        """Hand something out, and return whom to. Who has no room for it reads it later."""
        handed: list[ServedWebhook] = []
        for served in self._by_account.get(happening.account, ()):
            endpoint = served.endpoint
            if not endpoint.is_live or letter.number <= endpoint.considered or not served.wants(happening):
                continue
            if not served.takes(letter):
                endpoint.skip(letter.number)
            elif endpoint.room > 0:
                endpoint.offer(letter)
                handed.append(served)
            else:
                endpoint.skip(letter.number - 1)
                endpoint.is_live = False
        return handed

    def _catch_up(self, served: ServedWebhook) -> None:
        """Have one that is not up to date read the log, if it has room."""
        endpoint = served.endpoint
        if served.is_reading or endpoint.is_live or not served.webhook.enabled or self._is_ending:
            return
        if endpoint.room > max(0, endpoint.settings.most // 2):
            served.is_reading = True
            self._tasks.start(self._read_up(served))

    async def _read_up(self, served: ServedWebhook) -> None:
        endpoint = served.endpoint
        try:
            async with self._reading:
                types = self._types([served])
                page = await self._run(
                    self._source.read,
                    served.webhook.account,
                    endpoint.considered,
                    max(endpoint.room, 1),
                    types,
                    served.wants,
                )
        except EventStoreError as error:
            self._complain(str(error))
            return
        finally:
            served.is_reading = False
        for _, letter in page.found:
            if served.takes(letter):
                endpoint.offer(letter)
        endpoint.skip(page.upto)
        endpoint.is_live = page.upto >= self._tail.number and served.webhook.enabled
        self._keeping.note(served.webhook.id)
        self._pump(served)

    # -- what goes out

    def _pump(self, served: ServedWebhook) -> None:
        """Have all sent that is to be sent now, and come back when there is more."""
        id, endpoint, now = served.webhook.id, served.endpoint, self._clock.now()
        if timer := self._timers.pop(id, None):
            timer.cancel()
        if not served.webhook.enabled or self._is_ending or self._served.get(id) is not served:
            return
        followers = endpoint.followers(now)
        if followers.parked:
            self._keeping.note(id, served.letters(followers, now, 0.0))
        while batch := endpoint.next(now):
            task = self._tasks.start(self._send(served, batch))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        wake_at = endpoint.wake_at()
        if wake_at is not None and wake_at > now:
            loop = asyncio.get_running_loop()
            self._timers[id] = loop.call_later(wake_at - now + 0.001, self._pump, served)
        self._catch_up(served)

    async def _send(self, served: ServedWebhook, batch: EventBatch) -> None:
        try:
            events = await self._events(served, batch)
        except AngariumError as error:
            self._complain(str(error))
            await asyncio.sleep(_AGAIN_S)
            served.endpoint.put_back(batch)
            self._pump(served)
            return
        if events is None:
            outcome = served.endpoint.lost(batch)
            outcome.failure = WebhookFailure("event", "what it tells of is not kept any more")
            await self._settle(served, outcome, 0.0)
            return
        await self._places.do(self._send_events(served, batch, events), is_slow=served.is_slow)

    async def _send_events(
        self, served: ServedWebhook, batch: EventBatch, events: Sequence[MailEvent]
    ) -> None:
        began_at = self._clock.now()
        left = max(len(served.endpoint.settings.retries) - batch.tries, 0)
        said = await self._tell(served.watched, batch.id, events, batch.tries, left)
        now = self._clock.now()
        served.latency_s = now - began_at
        failure = judged(said, form_of(served.webhook).stops, now)
        self.counts.requests += 1
        if failure is None:
            served.ok_at, self.counts.delivered = now, self.counts.delivered + len(events)
            outcome = served.endpoint.delivered(batch)
        else:
            served.failed_at, served.failure, self.counts.failed = now, failure, self.counts.failed + 1
            outcome = served.endpoint.failed(batch, failure, now, self._chance)
        await self._settle(served, outcome, served.latency_s)

    async def _settle(self, served: ServedWebhook, outcome: Outcome, latency_s: float) -> None:
        """Keep what came of a request before anything more is sent to the same endpoint because of it."""
        id, now = served.webhook.id, self._clock.now()
        self.counts.dead += len(outcome.dead)
        for batch in outcome.dead:
            why = outcome.failure.why if outcome.failure else ""
            self._log.warning("webhook_dead", now, webhook=id, letter=batch.id, tries=batch.tries, error=why)
        self._keeping.note(id, served.letters(outcome, now, latency_s))
        await self._keeping.kept()
        if outcome.off and served.webhook.enabled:
            await self._switch_off(served, outcome.off)
        self._pump(served)

    async def _switch_off(self, served: ServedWebhook, reason: str) -> None:
        id = served.webhook.id
        self._log.error("webhook_off", self._clock.now(), webhook=id, reason=reason)
        try:
            await self._run(lambda: self._store.switch_off(id, reason, actor="webhooks"))
        except AngariumError as error:  # it goes on failing, and is switched off then
            self._complain(str(error))
        else:
            self.counts.switched_off += 1

    async def _events(self, served: ServedWebhook, batch: EventBatch) -> list[MailEvent] | None:
        """Return the events of a batch; None: they are not kept any more."""
        known = [letter.event for letter in batch.letters if letter.event is not None]
        if len(known) == len(batch.letters):
            return known
        numbers, ids = [each.number for each in batch.letters], [each.id for each in batch.letters]
        read = await self._run(self._source.letters, served.webhook.account, numbers, ids)
        return None if read is None else [letter.event for letter in read if letter.event is not None]

    # -- what is kept

    def _picture(self, changed: set[int]) -> tuple[list[CursorRow], TailRow | None]:
        """Return what is to be kept as of now. With how far the log was handed out go all that are not so far."""
        some = [self._served[id] for id in changed if id in self._served]
        tail = None
        if self._tail.number != self._tail.kept:
            self._tail.kept, tail = self._tail.number, self._tail.row
            some += [each for each in self.served if each.webhook.id not in changed and _is_to_be_kept(each)]
        for served in some:
            if served.endpoint.is_live:
                served.endpoint.skip(self._tail.number)
        return [served.cursor() for served in some], tail

    def _complain(self, problem: str) -> None:
        if problem and problem != self.problem:
            self._log.error("webhooks", self._clock.now(), error=problem)
        self.problem = problem


def _is_to_be_kept(served: ServedWebhook) -> bool:
    return served.saved_behind or not served.endpoint.is_settled


def _resumed(row: CursorRow, tail: int, upto: int) -> CursorRow:
    """Return from where a webhook goes on. *upto* is the last number that means what it meant."""
    position = row.position if row.behind else max(row.position, tail)
    position = min(position, upto)
    told = [number for number in row.told if number <= upto]
    return CursorRow(
        webhook=row.webhook,
        position=position,
        behind=row.behind or position < tail,
        told=told,
        ok_at=row.ok_at,
        failed_at=row.failed_at,
        failing_since=row.failing_since,
        open_until=row.open_until,
        status=row.status,
        error=row.error,
        answer=row.answer,
    )
