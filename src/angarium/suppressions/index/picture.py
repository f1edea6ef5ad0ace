"""A worker's picture of all that suppresses: the file, what has changed since, and the rules.

Each worker asks the ledger itself what has changed, as it asks for whom it may let in: that is one look at a number
each half second, and holds for changes by whoever made them, on this node or another.
"""

from pathlib import Path
from typing import Final

from angarium.suppressions.address import PREFIX_BYTES, entry_bytes, prefix_of
from angarium.suppressions.decide import MailFacts, tags_of
from angarium.suppressions.index.file import NAME, Damaged, MappedIndex, is_of, signature
from angarium.suppressions.index.rules import Rules
from angarium.suppressions.store.following import Following, Number

MOST_CHANGES: Final = 1_000_000
"""That a worker has in memory beside the file: some 80 MB."""


class Picture:
    """All that suppresses, and may have been undone since the file was made: who is found has to be looked up."""

    def __init__(self, base: MappedIndex | None, rules: Rules) -> None:
        self.base = base
        self.rules = rules
        self.recent: set[bytes] = set()
        """The first bytes of the entries that have changed since; a thread adds to them."""

    def knows(self, text: str) -> bool:
        """Whether anything may be known of the address *text*, in the form that is compared."""
        prefix = prefix_of(text)
        return prefix in self.recent or (self.base is not None and self.base.has(prefix)) or bool(self.rules)

    def may_stop(self, text: str, facts: MailFacts) -> bool:
        """Whether a cause may stop such a mail to the address *text*."""
        prefix = prefix_of(text)
        if prefix in self.recent:
            return True
        if self.base is not None and any(self.base.has(prefix + tag) for tag in tags_of(facts)):
            return True
        return bool(self.rules.matching(facts.account, text))


class PictureKeeper:
    """Keeps a picture true. Its methods block, and are called by one thread; *picture* may be looked at by others.

    *picture* is None until something is known, and *problem* says why it is not all that is known.
    """

    def __init__(self, following: Following, folder: Path, most_changes: int = MOST_CHANGES) -> None:
        self.picture: Picture | None = None
        self.problem = "the suppressions are not read yet"
        self._following = following
        self._path = folder / NAME
        self._most = most_changes
        self._seen: Number | None = None
        self._file: tuple[int, int] | None = None
        self._base: MappedIndex | None = None

    def look(self) -> None:
        """Take in what has changed. Raises StoreError; a file that is there is believed until the store answers."""
        if self._map():
            self._seen = None  # it is begun anew, now or when the store answers
        if self.picture is None and self._base is not None:
            self.picture, self.problem = Picture(self._base, Rules()), ""
        number = self._following.number()
        if self._base is not None and not is_of(self._base.stamp, number):
            self._base = None  # it is of another ledger, or of a later state: this one was restored
        if self._seen is None or self._seen.epoch != number.epoch or self._seen.number > number.number:
            self._begin()
        elif self._seen != number:
            self._go_on(self._seen.number)

    def _map(self) -> bool:
        """Map the file that is there if it is a new one; return whether it was. One that is damaged is passed by, for
        it will be made anew.
        """
        try:
            found = signature(self._path)
        except FileNotFoundError:
            return False
        if found == self._file:
            return False
        self._file = found
        try:
            self._base = MappedIndex(self._path)
        except (Damaged, FileNotFoundError):
            return False
        return True

    def _begin(self) -> None:
        """Make a picture of the file and what has changed since."""
        changed = self._following.changed(
            self._base.stamp.number if self._base is not None else 0, self._most
        )
        if not changed.is_all:
            self._lose()
            return
        picture = Picture(self._base, Rules(self._following.rules()))
        picture.recent.update(entry_bytes(entry)[:PREFIX_BYTES] for entry in changed.entries)
        self.picture, self.problem, self._seen = picture, "", changed.number

    def _go_on(self, since: int) -> None:
        assert self.picture is not None
        room = self._most - len(self.picture.recent)
        changed = self._following.changed(since, room)
        if not changed.is_all:
            self._lose()
            return
        if changed.rules:
            self.picture.rules = Rules(self._following.rules())
        self.picture.recent.update(entry_bytes(entry)[:PREFIX_BYTES] for entry in changed.entries)
        self._seen = changed.number

    def _lose(self) -> None:
        """There is more than is kept in memory: nothing is known until the file has it."""
        self.picture, self._seen = None, None
        self.problem = f"more than {self._most} suppressions have changed since their file was made"
