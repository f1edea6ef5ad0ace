"""Answers that may be used again, bounded in number. Pure: the time is an argument."""

from collections import OrderedDict
from dataclasses import replace
from typing import NamedTuple

from angarium.dns.records import Answer, Question


class _Entry(NamedTuple):
    asked_at: float
    expires_at: float
    answer: Answer


class AnswerCache:
    """Keeps each answer for its TTL and drops the least recently used one when full."""

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._entries: OrderedDict[Question, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, question: Question, now: float, since: float = 0.0) -> Answer | None:
        """Return the answer with what is left of its TTL, or None; also if it was asked for before *since*."""
        entry = self._entries.get(question)
        if entry is None or entry.asked_at < since:
            return None
        if entry.expires_at <= now:
            del self._entries[question]
            return None
        self._entries.move_to_end(question)
        return replace(entry.answer, ttl_s=max(1, int(entry.expires_at - now)))

    def put(self, question: Question, answer: Answer, now: float, asked_at: float | None = None) -> None:
        """Keep *answer* for its TTL from *now* on; one with TTL 0 is not kept. *asked_at* None: asked just now."""
        if answer.ttl_s <= 0 or self._max_entries <= 0:
            return
        self._entries[question] = _Entry(
            asked_at if asked_at is not None else now, now + answer.ttl_s, answer
        )
        self._entries.move_to_end(question)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def clear(self, name: str | None = None) -> int:
        """Forget all answers, or those to questions about *name*. Returns how many."""
        gone = [question for question in self._entries if name is None or question.name == name]
        for question in gone:
            del self._entries[question]
        return len(gone)
