"""Answers to requests that have a key, until they are kept elsewhere: so long their records hold their segments."""

from collections.abc import Callable, Iterable
from functools import partial

from angarium.core.records import KeyedAnswer
from angarium.spool.port import OnAnswer
from angarium.spool.retention import SegmentUses


class UnkeptAnswers:
    """Those of one partition. *released* is called when a segment may have become free."""

    def __init__(self, uses: SegmentUses, released: Callable[[], None]) -> None:
        self._uses = uses
        self._released = released
        self._tell: OnAnswer | None = None
        self._places: dict[KeyedAnswer, int] = {}
        """The answers that are kept nowhere else, each with its generation."""

    def recovered(self, found: Iterable[tuple[KeyedAnswer, int]]) -> None:
        """Take over what a recovery has found, each with its generation, which it counts in already."""
        for answer, generation in found:
            before = self._places.get(answer)
            if before is not None:  # it was written again
                self._uses.finished(before)
            self._places[answer] = generation

    def durable(self, answer: KeyedAnswer, generation: int) -> None:
        """An answer has become durable, in the newest segment; or it was written again there."""
        is_new = answer not in self._places
        if not is_new:
            self._uses.finished(self._places[answer])
        self._uses.accepted()
        self._places[answer] = generation
        if is_new and self._tell is not None:
            self._tell(answer, partial(self._kept, answer))

    def on_answer(self, tell: OnAnswer) -> None:
        """See `Spool.on_answer`."""
        self._tell = tell
        for answer in list(self._places):
            tell(answer, partial(self._kept, answer))

    def up_to(self, generation: int) -> list[KeyedAnswer]:
        """Return those that hold segments up to *generation*. Written again, they do so no more: where keys are kept
        may be broken, and no mail should have to wait for it.
        """
        return [answer for answer, place in self._places.items() if place <= generation]

    def _kept(self, answer: KeyedAnswer) -> None:
        self._uses.finished(self._places.pop(answer))
        self._released()
