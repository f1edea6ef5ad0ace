"""Webhooks under a virtual clock: a log in memory, endpoints that answer as they are told, and what they heard."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from angarium.core.ids import MessageId, format_id
from angarium.dialects.event import MailEvent
from angarium.events.port import Happening, Timeline, Whose
from angarium.fetch.answer import HttpAnswer, Unanswered
from angarium.identity.webhooks import SigningSecret, WatchedWebhook, Webhook, WebhookSecrets
from angarium.query.nodes import Node
from angarium.testing.log import kept_log
from angarium.testing.virtual_loop import VirtualClock, at_once
from angarium.webhooks.deliverer import LOOK_S, DelivererSettings, WebhookDeliverer
from angarium.webhooks.ledger import WebhookLedger
from angarium.webhooks.source import LogSource

RETRIES = (10.0, 60.0, 300.0, 3_600.0, 86_400.0)
DAY_S = 86_400.0


class MemoryLog:
    """As much of an event store as webhooks ask for."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.happenings: list[Happening] = []

    def add(self, type: str, message: int = 1, *, account: int = 1, **fields: Any) -> Happening:
        """Have something happen now to a message, by its number."""
        number = (self.happenings[-1].number if self.happenings else 0) + 1
        said: dict[str, Any] = {
            "number": number,
            "type": type,
            "at": self._clock.now(),
            "message": format_id(MessageId(message.to_bytes(16, "big"))),
            "index": 0,
            "address": "bob@example.com",
            "reply": "",
            "reason": "",
            "details": {},
            "account": account,
            "server": 1,
            "stream": "outbound",
            "sequence": number,
        }
        made = Happening(**said | fields)
        self.happenings.append(made)
        return made

    def last(self) -> int:
        """See EventStore."""
        return self.happenings[-1].number if self.happenings else 0

    def log(
        self, node: Node, scope: Whose, *, after: int, limit: int, types: Sequence[str] = ()
    ) -> list[Happening]:
        """See EventStore."""
        begin = 0 if not self.happenings else max(0, after - self.happenings[0].number + 1)
        found: list[Happening] = []
        for each in self.happenings[begin:]:
            if each.number > after and (not types or each.type in types):
                if scope.account in (None, each.account):
                    found.append(each)
                if len(found) == limit:
                    break
        return found

    def timeline(self, message: MessageId, scope: Whose) -> Timeline | None:
        """See EventStore."""
        text = format_id(message)
        return Timeline([], [each for each in self.happenings if each.message == text])


Answering = Callable[[int], int | float | HttpAnswer | Unanswered]
"""Given how often an endpoint was asked: a status, seconds to wait before 200, an answer, or none."""


class WebhookLab:
    """Also the store: webhooks that are added are served. *heard* are events by webhook, in order of success."""

    def __init__(self, clock: VirtualClock, folder: Path, seed: int = 1) -> None:
        self.clock = clock
        self.log = MemoryLog(clock)
        self.ledger = WebhookLedger(folder / "webhooks.db")
        self.records = kept_log()
        self.boot = "boot 1"
        self.answers: dict[int, Answering] = defaultdict(lambda: lambda asked: 200)
        self.heard: dict[int, list[MailEvent]] = defaultdict(list)
        self.heard_at: dict[int, list[float]] = defaultdict(list)
        self.asked: Counter[int] = Counter()
        self.tries: list[tuple[int, str, float]] = []
        self.under_way: Counter[int] = Counter()
        self.most_under_way: Counter[int] = Counter()
        self.settings = DelivererSettings(RETRIES, 5 * DAY_S, 256)
        self._watched: dict[int, WatchedWebhook] = {}
        self._change = 0
        self._seed = seed
        self._task: asyncio.Task[None] | None = None
        self.deliverer: WebhookDeliverer

    def add(self, id: int, *, account: int = 1, **fields: Any) -> None:
        """Make or change a webhook."""
        shape: dict[str, Any] = {"name": f"hook {id}", "url": f"https://hook{id}.test/", "created_at": 0.0}
        self._put(Webhook(id=id, account=account, **shape | fields))

    def change(self, id: int, **fields: Any) -> None:
        """Change a webhook."""
        self._put(msgspec.structs.replace(self._watched[id].webhook, **fields))

    def webhook(self, id: int) -> Webhook:
        """Return a webhook as it is."""
        return self._watched[id].webhook

    def remove(self, id: int) -> None:
        """Delete a webhook."""
        del self._watched[id]

    def _put(self, webhook: Webhook) -> None:
        self._change += 1
        secrets = WebhookSecrets(signing=(SigningSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 0.0),))
        self._watched[webhook.id] = WatchedWebhook(webhook, secrets, self._change)

    # -- as the store

    def changed(self, after: int) -> tuple[list[WatchedWebhook], set[int]]:
        """See WebhookStore."""
        return [each for each in self._watched.values() if each.change > after], set(self._watched)

    def switch_off(self, id: int, reason: str, *, actor: str) -> object:
        """See WebhookStore."""
        self.change(id, enabled=False, off_reason=reason, off_at=self.clock.now())
        return None

    # -- as a process

    async def start(self, look_s: float = LOOK_S) -> None:
        """Start to deliver; where days are to go by, look less often for what is new."""
        self.deliverer = WebhookDeliverer(
            self,
            LogSource(self.log),  # type: ignore[arg-type]
            self.ledger,
            self._tell,
            lambda: self.settings,
            self.clock,
            self.records,
            at_once,
            at_once,
            self.boot,
            Random(self._seed),
            look_s,
        )
        await self.deliverer.begin()
        self._task = asyncio.get_running_loop().create_task(self.deliverer.run())

    async def kill(self) -> None:
        """Kill it, at whatever it is doing."""
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()
        await asyncio.sleep(0)
        for timer in self.deliverer._timers.values():
            timer.cancel()
        self.under_way.clear()
        await asyncio.sleep(0)

    async def rest(self, seconds: float = 5.0) -> None:
        """Let time go by."""
        await asyncio.sleep(seconds)

    async def _tell(
        self, watched: WatchedWebhook, id: str, events: Sequence[MailEvent], tries: int, left: int
    ) -> HttpAnswer | Unanswered:
        webhook = watched.webhook.id
        self.asked[webhook] += 1
        self.tries.append((webhook, id, self.clock.now()))
        self.under_way[webhook] += 1
        self.most_under_way[webhook] = max(self.most_under_way[webhook], self.under_way[webhook])
        try:
            said = self.answers[webhook](self.asked[webhook])
            if isinstance(said, float):
                await asyncio.sleep(said)
                said = 200 if said < 10.0 else Unanswered("answer", "no answer within 10 s")
            else:
                await asyncio.sleep(0.01)
        finally:
            self.under_way[webhook] -= 1
        answer = HttpAnswer(said, (), b"", False, "") if isinstance(said, int) else said
        if isinstance(answer, HttpAnswer) and 200 <= answer.status < 300:
            self.heard[webhook] += events
            self.heard_at[webhook].append(self.clock.now())
        return answer

    def numbers(self, webhook: int) -> list[int]:
        """Return the numbers of the events that a webhook has heard, in their order."""
        return [event.number for event in self.heard[webhook]]
