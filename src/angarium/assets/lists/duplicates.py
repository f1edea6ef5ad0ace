"""Which of many rows have the address of another, in memory that does not grow with them.

Marks of addresses are spilled into files by a part of them, so that those that are the same come together; each file is
looked at by itself then. Of ten million rows a file has 160,000, and one bit of each row is in memory.
"""

from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO, Final

from angarium.assets.lists.records import DuplicateRule

_FILES: Final = 64
_SPILLED: Final = 4_096
"""Numbers that are written at once."""


class DuplicateFinder:
    """Told the mark of each row, in their order. Raises OSError. To be closed."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._files: list[IO[bytes] | None] = [None] * _FILES
        self._waiting: list[array[int]] = [array("Q") for _ in range(_FILES)]
        self._count = 0

    def add(self, mark: int) -> None:
        """Take the mark of the next row."""
        waiting = self._waiting[mark % _FILES]
        waiting.append(mark)
        waiting.append(self._count)
        self._count += 1
        if len(waiting) >= _SPILLED:
            self._spill(mark % _FILES)

    def dropped(self, keep: DuplicateRule) -> "RowBits":
        """Return the rows that do not stay, by that rule. Nothing is told after that."""
        bits = RowBits(self._count)
        if keep != "all":
            for number in range(_FILES):
                self._look_at(number, keep, bits)
        return bits

    def close(self) -> None:
        """Take the files away."""
        self._open.close()

    def _spill(self, number: int) -> None:
        file = self._files[number]
        if file is None:
            file = self._files[number] = self._open.enter_context(TemporaryFile())  # noqa: SIM115 - closed with it
        self._waiting[number].tofile(file)
        self._waiting[number] = array("Q")

    def _look_at(self, number: int, keep: DuplicateRule, bits: "RowBits") -> None:
        found: dict[int, int] = {}
        for mark, row in self._rows(number):
            before = found.setdefault(mark, row)
            if before == row:
                continue
            bits.add(row if keep == "first" else before)
            if keep == "last":
                found[mark] = row

    def _rows(self, number: int) -> Iterator[tuple[int, int]]:
        file = self._files[number]
        if file is not None:
            file.seek(0)
            while piece := file.read(8 * _SPILLED):
                yield from _pairs(array("Q", piece))
        yield from _pairs(self._waiting[number])


def _pairs(numbers: "array[int]") -> Iterator[tuple[int, int]]:
    return zip(numbers[::2], numbers[1::2], strict=True)


class RowBits:
    """Some of *rows* rows: a bit for each."""

    def __init__(self, rows: int) -> None:
        self._bits = bytearray((rows + 7) // 8)
        self.count = 0

    def add(self, row: int) -> None:
        """Take a row that was not taken before."""
        self._bits[row >> 3] |= 1 << (row & 7)
        self.count += 1

    def __contains__(self, row: int) -> bool:
        return bool(self._bits[row >> 3] & (1 << (row & 7)))

    def any_within(self, first: int, end: int) -> bool:
        """Whether there may be any from *first* to before *end*; at the edges a neighbour may be meant."""
        return any(self._bits[first >> 3 : (end + 7) >> 3])
