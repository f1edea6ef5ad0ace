"""What two databases say differently of the tables that a day has in each of them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from angarium.query.nodes import Phrase

Condition = tuple[str, list[Any]]
"""SQL, and what its question marks stand for."""

Ask = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
"""Asks a database, given SQL and what its question marks stand for, and returns the rows."""

Said = Callable[[bytes, float], dict[str, Any]]
"""Returns what the detail of an event says, by name; given, too, when the event was."""


class Lead(NamedTuple):
    """A way to find recipients `r` with their messages `m`, the newest first: *source* stands behind FROM, with the
    values of its question marks, *where* says which, and *number* is the recipient's, by which the source is ordered.
    *is_newest*: all that it finds is newer than what others find besides; where that is enough, they are not asked.
    """

    source: str
    values: list[Any]
    where: Condition
    number: str = "r.no"
    is_newest: bool = False


class DaySql(Protocol):
    """How a day's tables are asked. Question marks stand for values."""

    @property
    def prefix(self) -> str:
        """What stands before the name of a table."""
        ...

    @property
    def everything(self) -> str:
        """The condition that is always true."""
        ...

    @property
    def id_text(self) -> str:
        """A message's id in hexadecimal digits, in small letters."""
        ...

    @property
    def meta(self) -> str:
        """What a message `m` has under a name (`?`) in its metadata, folded; empty for none."""
        ...

    @property
    def tags(self) -> str:
        """The tags of a message `m`, as a list in JSON."""
        ...

    @property
    def reply(self) -> str:
        """What was answered last about a recipient `r`; empty for nothing."""
        ...

    @property
    def is_forgotten(self) -> str:
        """The condition that the day names nobody any more."""
        ...

    def text(self, column: str) -> str:
        """Return what a column of a message, its sender, author or subject, says."""
        ...

    def message_id(self, text: str) -> Condition:
        """Return the condition that a message has this Message-ID, given in lower case."""
        ...

    def glob(self, glob: str) -> tuple[str, str]:
        """Return the operator that compares with a glob, and the glob as it wants it."""
        ...

    def phrase(self, fields: Sequence[str], phrase: Phrase) -> Condition:
        """Return the condition that a phrase stands in one of the *fields*, which are searched by words."""
        ...

    def seen(self, fields: Sequence[str], glob: str) -> Condition:
        """Return the condition that one word in one of the *fields* is as *glob* says."""
        ...

    def whole(self, number: str) -> str:
        """Return the whole part of a number that is not negative."""
        ...

    def latency(self, seconds: str) -> str:
        """Return the bucket of a time (`rollups.histogram`)."""
        ...

    def unindexed(self, column: str) -> str:
        """Return a column in a way that nothing is looked up by it: another one finds fewer rows."""
        ...
