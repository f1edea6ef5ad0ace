"""Contents: bodies that several messages of a partition share, as long as one of them is in the journal.

A content's record holds its segment while a message that is not finished names it. When messages settle, their content
settles with them, once. It goes from the store when no message names it, there or here.
"""

from collections.abc import Callable, Iterable

from angarium.spool.kept import KeptRecord
from angarium.spool.retention import SegmentUses

NOT_IN_JOURNAL = -1


class KeptContent(KeptRecord):
    """One content. *names* counts the unfinished messages that name it, those that are being written among them.

    *generation*, *offset* and *size* are its record's place; the generation is `NOT_IN_JOURNAL` until the record is
    durable, and when the settled store has the content instead. *stored*: the store may have it.
    """

    __slots__ = ("id", "meta", "names", "stored")

    def __init__(self, content_id: bytes, meta: bytes) -> None:
        self.id = content_id
        self.meta = meta
        self.names = 0
        self.flags = self.offset = self.size = 0
        self.generation = NOT_IN_JOURNAL
        self.stored = False

    def is_at(self, generation: int, offset: int, size: int, flags: int) -> None:
        """Note the place of its record."""
        self.generation, self.offset, self.size, self.flags = generation, offset, size, flags

    @property
    def is_in_journal(self) -> bool:
        """Whether its record can be read."""
        return self.generation != NOT_IN_JOURNAL


class Contents:
    """The contents that a partition's unfinished messages name. *gone* is called with one that they name no more."""

    def __init__(self, uses: SegmentUses, gone: Callable[[KeptContent], None]) -> None:
        self._uses = uses
        self._gone = gone
        self._kept: dict[bytes, KeptContent] = {}

    def __contains__(self, content_id: bytes) -> bool:
        return content_id in self._kept

    def get(self, content_id: bytes) -> KeptContent | None:
        """Return a content that is named."""
        return self._kept.get(content_id)

    def is_here(self, content_id: bytes) -> bool:
        """Whether messages may name it: it is named and durable."""
        kept = self._kept.get(content_id)
        return kept is not None and (kept.is_in_journal or kept.stored)

    def recovered(self, contents: Iterable[KeptContent]) -> None:
        """Take over what a recovery has found to be named."""
        self._kept.update((kept.id, kept) for kept in contents)

    def begin(self, content_id: bytes, meta: bytes, flags: int) -> None:
        """Note a content that is being written; messages that name it come next."""
        kept = self._kept[content_id] = KeptContent(content_id, meta)
        kept.flags = flags

    def name(self, content_id: bytes) -> KeptContent:
        """Count a message, or whatever else needs it meanwhile, that names a content of those here or begun."""
        kept = self._kept[content_id]
        kept.names += 1
        return kept

    def wrote(self, content_id: bytes, generation: int, offset: int, size: int, flags: int) -> None:
        """Note that its record is durable, in the newest segment."""
        self._kept[content_id].is_at(generation, offset, size, flags)
        self._uses.accepted()

    def unname(self, kept: KeptContent) -> None:
        """What named it is finished, settled or refused."""
        kept.names -= 1
        if not kept.names:
            del self._kept[kept.id]
            self.moved(kept)
            self._gone(kept)

    def moved(self, kept: KeptContent) -> None:
        """Its record is not needed any more: the store has it, or it is not wanted."""
        if kept.is_in_journal:
            self._uses.finished(kept.generation)
            kept.generation = NOT_IN_JOURNAL

    def up_to(self, generation: int) -> list[KeptContent]:
        """Return those whose record is in a segment up to *generation*."""
        return [kept for kept in self._kept.values() if NOT_IN_JOURNAL < kept.generation <= generation]
