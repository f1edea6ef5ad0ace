"""Openings and clicks as they come from the journals: told apart, people and machines, before they are stored."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from angarium.config.values import CidrSet
from angarium.core.ids import MessageId, made_at
from angarium.core.records import Event, Fact
from angarium.events.machines import Look, looker
from angarium.events.port import Told

_MOST_DELIVERIES = 20_000
"""Of so many it is known when they were delivered: who asks sooner than a person does asks of one of the last."""
_LOOKS = frozenset(("open", "initial_open", "click", "link_unsubscribe"))
_CLICKS = frozenset(("click", "link_unsubscribe"))


class Lookers:
    """Says of each who has looked. *networks_of* returns the networks of programs, as of now."""

    def __init__(self, networks_of: Callable[[], CidrSet]) -> None:
        self._networks_of = networks_of
        self._delivered: dict[tuple[MessageId, int], float] = {}

    def judged(self, told: Sequence[Told]) -> list[Told]:
        """Return *told*, openings and clicks with who has looked. Told again, they are judged alike, or less well."""
        return [self._judged(each) for each in told]

    def _judged(self, told: Told) -> Told:
        if isinstance(told, Event):
            if told.type == "delivered":
                self._note(told)
        elif isinstance(told, Fact) and told.kind in _LOOKS:
            return replace(told, fields=told.fields | self._fields(told))
        return told

    def _note(self, event: Event) -> None:
        self._delivered[event.message, event.index] = event.at
        if len(self._delivered) > _MOST_DELIVERIES:
            del self._delivered[next(iter(self._delivered))]

    def _fields(self, fact: Fact) -> dict[str, Any]:
        said = fact.fields
        is_click = fact.kind in _CLICKS
        look = Look(
            str(said.get("agent", "")),
            str(said.get("address", "")),
            str(said.get("method", "GET")),
            self._after_s(fact),
            is_click,
        )
        found = looker(look, self._networks_of())
        fields = {name: value for name, value in found._asdict().items() if value}
        return fields | ({"opened": not found.machine} if fact.kind == "click" else {})

    def _after_s(self, fact: Fact) -> float | None:
        """Return how long ago the message was delivered; where that is long ago, no less than since it came."""
        if fact.message is None:
            return None
        return fact.at - self._delivered.get((fact.message, fact.index), made_at(fact.message))
