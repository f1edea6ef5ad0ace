"""Who makes the file: one process of a node, which the workers map it from. Blocking, for one thread."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from angarium.core.files import make_folder
from angarium.suppressions.address import entry_bytes
from angarium.suppressions.index.file import (
    NAME,
    Damaged,
    IndexDisk,
    MappedIndex,
    Stamp,
    is_of,
    merged,
    signature,
    write_index,
)
from angarium.suppressions.store.following import Following, Number

LOOK_S: Final = 1.0
LEAST_CHANGES: Final = 20_000
"""Before so many changes the file is not made anew: workers have them in memory."""
_SHARE: Final = 20
"""Nor before one in so many of what the file has: it is written in seconds, and takes the disk for that long."""
WHOLE_S: Final = 86_400.0
"""A file is made of all that suppresses once a day: what has expired is in no change."""


class Made(NamedTuple):
    """A file that was made: of *about* so many entries, as of the change *number*, of all or of what has changed."""

    about: int
    number: int
    whole: bool


class IndexBuilder:
    """Keeps the file in *folder* so close to the ledger that the workers need little memory for the rest."""

    def __init__(
        self,
        following: Following,
        folder: Path,
        disk: IndexDisk,
        now: Callable[[], float],
        least_changes: int = LEAST_CHANGES,
    ) -> None:
        self._following = following
        self._path = folder / NAME
        self._disk = disk
        self._now = now
        self._least = least_changes
        self._seen: tuple[int, int] | None = None
        self._base: MappedIndex | None = None
        self._looked_at: Number | None = None

    def step(self) -> Made | None:
        """Make the file anew if it is time, and tell of it. Raises StoreError, OSError."""
        base = self._checked()
        number = self._following.number()
        if base is None or not is_of(base.stamp, number) or self._now() - base.stamp.made_at > WHOLE_S:
            return self._make_whole(base is None)
        most = max(self._least, base.count // _SHARE)
        if number == self._looked_at or not self._following.is_far(base.stamp.number, most):
            self._looked_at = number
            return None
        touched = self._following.touched(base.stamp.number)
        entries = list(map(entry_bytes, touched.entries))
        present = set(map(entry_bytes, touched.present))
        stamp = Stamp(*touched.number, base.stamp.made_at)
        write_index(self._path, stamp, base.count + len(present), merged(base, entries, present), self._disk)
        return Made(base.count + len(present), touched.number.number, whole=False)

    def _make_whole(self, is_missing: bool) -> Made | None:
        """Make the file of all that suppresses. Where there is none, and so little that workers need none, there is
        none made.
        """
        if is_missing and not self._following.is_far(0, self._least):
            return None
        make_folder(self._path.parent)
        with self._following.whole() as whole:
            stamp = Stamp(*whole.number, self._now())
            write_index(self._path, stamp, whole.about, _each_once(whole.entries), self._disk)
        return Made(whole.about, whole.number.number, whole=True)

    def _checked(self) -> MappedIndex | None:
        """Return the file that is there, checked when it is another than before; None: there is none that is whole."""
        try:
            seen = signature(self._path)
        except FileNotFoundError:
            seen = None
        if seen != self._seen:
            self._seen, self._base = seen, None
            try:
                self._base = MappedIndex(self._path)
            except (Damaged, FileNotFoundError):
                self._disk.unlink(self._path)
        return self._base


def _each_once(pieces: Iterator[list[int]]) -> Iterator[bytes]:
    last: int | None = None
    for piece in pieces:
        kept = []
        for entry in piece:
            if entry != last:
                kept.append(entry_bytes(entry))
                last = entry
        yield b"".join(kept)
