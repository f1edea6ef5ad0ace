"""What was said in a session, put together afterwards: for most of what goes well nobody asks.

Each line begins with `C: ` or `S: `, and a command stands before its answer, also where several left in one write. A
login is hidden, and of a message only its size is said.
"""

from collections.abc import Iterable
from itertools import islice

from angarium.core.reply import Reply

Said = list[str | Reply]
"""Commands and answers, in order."""

MOST_CHARS = 200
MOST_LINES = 40
_CHALLENGE = 334


def dialogue_lines(said: Iterable[str | Reply]) -> tuple[str, ...]:
    """Return what was said as lines, the first so many of them, each cut where it is long."""
    return tuple(map(_line, islice(said, MOST_LINES)))


def _line(said: str | Reply) -> str:
    if isinstance(said, str):
        line = f"C: {said.rstrip()}"
    else:
        line = "S: 334 ***" if said.code == _CHALLENGE else f"S: {said}"
    return line if len(line) <= MOST_CHARS else f"{line[:MOST_CHARS]}…"
