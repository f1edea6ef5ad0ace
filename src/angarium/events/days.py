"""Which day something lies in: that of its message, as the id tells it, or its own."""

from datetime import UTC, datetime
from functools import lru_cache

from angarium.core.ids import made_at
from angarium.events.port import ReceivedMail, Told
from angarium.query.nodes import And, Between, Node


def day_at(at: float) -> str:
    """Return the name of the day (UTC) of an instant in epoch seconds: `2026-11-30`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def day_of_id(message: bytes) -> str:
    """Return the day of the message with this id."""
    return _day(int(made_at(message)) // 86_400)


@lru_cache(100)
def _day(number: int) -> str:
    return day_at(number * 86_400)


def day_of(told: Told) -> str:
    """Return the day that what was told lies in."""
    if isinstance(told, ReceivedMail):
        return day_of_id(told.message.id)
    return day_at(told.at) if told.message is None else day_of_id(told.message)


def days_asked(node: Node) -> tuple[str, str]:
    """Return the first and the last day in which there can be anything that *node* asks for."""
    first, last = "", "9999-12-31"
    for part in node.parts if isinstance(node, And) else (node,):
        if isinstance(part, Between) and part.field == "date":
            if isinstance(part.low, float):
                first = max(first, day_at(_within(part.low)))
            if isinstance(part.high, float):
                last = min(last, day_at(_within(part.high)))
    return first, last


def _within(at: float) -> float:
    return max(0.0, min(at, 253_402_300_799.0))
