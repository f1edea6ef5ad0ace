"""What the sessions of one sink share: the script as they apply it, and what they note."""

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from angarium.core.clock import Clock
from angarium.testing.sink.script import Deed, SinkRule, SinkScript, SinkStage
from angarium.testing.sink.store import SinkMessage, SinkStore
from angarium.testing.sink.wire import SinkWire


@dataclass(slots=True)
class SinkCounters:
    """What has come so far.

    *messages* counts messages kept, *recipients* those they were kept for, *bytes* message bytes as on the
    wire. *most_connections* is the highest number of them open at a time. *handshakes* counts encrypted
    connections, *failed_handshakes* those that did not become one after STARTTLS.
    """

    connections: int = 0
    open_connections: int = 0
    most_connections: int = 0
    commands: int = 0
    messages: int = 0
    recipients: int = 0
    refusals: int = 0
    bytes: int = 0
    handshakes: int = 0
    failed_handshakes: int = 0


class Conduct:
    """How sessions behave, by *script*, and what has come of it.

    With *keep*, messages are collected in `messages`. *on_message* is called with each message kept.
    """

    def __init__(
        self,
        script: SinkScript,
        clock: Clock,
        *,
        keep: bool,
        store: SinkStore | None,
        on_message: Callable[[SinkMessage], None] | None,
    ) -> None:
        self.script = script
        self.clock = clock
        self.counters = SinkCounters()
        self.messages: list[SinkMessage] = []
        self.sessions: set[SinkWire] = set()
        self.wants_data = keep or store is not None or on_message is not None
        self._keep = keep
        self._store = store
        self._on_message = on_message
        self._greylist: dict[tuple[str, str, str], float] = {}
        self._changed = asyncio.Event()
        self._random = random.Random(script.seed)
        self._seen = [0] * len(script.rules)
        self._rules: dict[str, list[tuple[int, SinkRule]]] = {}
        for number, rule in enumerate(script.rules):
            self._rules.setdefault(rule.stage, []).append((number, rule))

    def has_rules(self, stage: SinkStage) -> bool:
        """Whether any rule is about *stage*."""
        return stage in self._rules

    def choose(self, stage: SinkStage, sender: str, recipients: Iterable[str]) -> SinkRule | None:
        """Return the rule that applies: the first whose conditions hold."""
        for number, rule in self._rules.get(stage, ()):
            if self._applies(number, rule, sender, recipients):
                return rule
        return None

    def _applies(self, number: int, rule: SinkRule, sender: str, recipients: Iterable[str]) -> bool:
        if rule.sender is not None and not rule.sender.is_in(sender.lower()):
            return False
        pattern = rule.recipient
        if pattern is not None and not any(pattern.is_in(recipient.lower()) for recipient in recipients):
            return False
        if rule.above and self.counters.open_connections <= rule.above:
            return False
        self._seen[number] += 1
        if rule.first and self._seen[number] > rule.first:
            return False
        if rule.every and self._seen[number] % rule.every:
            return False
        return rule.share is None or self._random.random() < rule.share

    def is_greylisted(self, deed: Deed, peer: str, sender: str, recipient: str) -> bool:
        """Whether this client, sender and recipient were first seen less than `deed.greylist_s` ago."""
        if deed.greylist_s is None:
            return False
        now = self.clock.now()
        return now - self._greylist.setdefault((peer, sender, recipient), now) < deed.greylist_s

    def keep_message(self, message: SinkMessage) -> None:
        """Put *message* where messages go."""
        if self._keep:
            self.messages.append(message)
        if self._store is not None:
            self._store.add(message)
        if self._on_message is not None:
            self._on_message(message)

    def note_change(self) -> None:
        """Wake those who wait for something."""
        self._changed.set()

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """See Sink."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()
