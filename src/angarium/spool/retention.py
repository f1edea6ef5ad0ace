"""Why segments are still needed, and their release from the oldest."""

from collections.abc import Iterable


class SegmentUse:
    """Why a segment is still needed: *live* messages were accepted in it, and the settled store's work up to
    *ticket* must be durable first.
    """

    __slots__ = ("live", "ticket")

    def __init__(self) -> None:
        self.live = 0
        self.ticket = 0


class SegmentUses:
    """The segments in use, oldest first. The last is the one that is written."""

    def __init__(self) -> None:
        self._uses: dict[int, SegmentUse] = {}
        self._newest = SegmentUse()
        self.newest = -1
        """The generation written last."""

    def __len__(self) -> int:
        return len(self._uses)

    @property
    def oldest(self) -> int:
        """The oldest generation in use."""
        return next(iter(self._uses))

    def recovered(self, needed: Iterable[int], live: Iterable[int]) -> None:
        """Take over the *needed* generations, and the generation of each *live* message; `begin` comes next."""
        for generation in sorted(needed):
            self._uses[generation] = SegmentUse()
        for generation in live:
            self._uses[generation].live += 1

    def begin(self, generation: int) -> None:
        """Note that records are written to *generation* from now on."""
        self.newest = generation
        self._newest = self._uses.setdefault(generation, SegmentUse())

    def accepted(self) -> None:
        """Note that a message lives in the newest segment."""
        self._newest.live += 1

    def await_store(self, ticket: int) -> None:
        """Note that the newest segment has records that the store has only when it has done *ticket*."""
        self._newest.ticket = ticket

    def finished(self, generation: int) -> None:
        """Note that a message that lived in *generation* needs it no more."""
        self._uses[generation].live -= 1

    def release(self, done_ticket: int) -> int | None:
        """Let go of the oldest segments that nothing needs any more; return the first that is left, None when
        all are.
        """
        released = False
        while len(self._uses) > 1:
            oldest, use = next(iter(self._uses.items()))
            if use.live or use.ticket > done_ticket:
                break
            del self._uses[oldest]
            released = True
        return self.oldest if released else None
