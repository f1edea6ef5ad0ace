"""Mistakes in options that a vendor takes and reports later: how often a sender hears of them by mail.

A program that makes one makes it in every message, and every message would be answered by another.
"""

import re
from typing import Final

from angarium.core.ids import MessageId
from angarium.core.records import Message

AGAIN_S: Final = 3600.0
"""So long a sender hears nothing of another mistake of the same kind."""
MOST_KNOWN: Final = 10_000

_VALUES: Final = re.compile(r"'[^']*'|\d+")


class Mistakes:
    """Remembers who was told what lately, MOST_KNOWN at most: then the oldest is forgotten, and told again."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], tuple[MessageId, float]] = {}

    def is_news(self, message: Message, at: float) -> bool:
        """Whether the sender of *message*, which is to fail, is to be told of it at *at*; from then on it is not news,
        but for the other recipients of the same message.
        """
        key = message.reverse_path.lower(), kind_of(message)
        found = self._told.get(key)
        if found is not None and at - found[1] < AGAIN_S:
            return found[0] == message.id
        self._told.pop(key, None)
        self._told[key] = message.id, at
        if len(self._told) > MOST_KNOWN:
            del self._told[next(iter(self._told))]
        return True


def kind_of(message: Message) -> str:
    """Return the refusal without the values in it, which differ from message to message."""
    return _VALUES.sub("", str(message.refusal))
