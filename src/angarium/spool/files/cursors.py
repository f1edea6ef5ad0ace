"""Named places up to which a consumer has read the journal: a file each, so that any process can keep one."""

from pathlib import Path

from angarium.core.files import replace_file
from angarium.spool.files.pins import is_pinned

NOTHING_PINNED = 1 << 62


def read_cursors(directory: Path) -> dict[str, int]:
    """Return the positions by name; -1 (nothing read yet) for one that is not a number."""
    found = {}
    for path in directory.glob("*.cursor"):
        text = path.read_text("ascii", "replace").strip()
        found[path.stem] = int(text) if text.lstrip("-").isdigit() else -1
    return found


def write_cursor(directory: Path, name: str, position: int) -> None:
    """Note, durably, that *name* has taken all up to *position*. Raises OSError; then the old place holds."""
    replace_file(directory / f"{name}.cursor", f"{position}\n".encode("ascii"))


def pinned_generation(directory: Path) -> int:
    """Return the oldest generation that a consumer still has to read; 0 while somebody holds a pin."""
    return 0 if is_pinned(directory) else pinned_by_cursors(directory)


def pinned_by_cursors(directory: Path) -> int:
    """Return the oldest generation that a consumer with a cursor still has to read."""
    return min(
        (max(0, position) >> 32 for position in read_cursors(directory).values()), default=NOTHING_PINNED
    )
