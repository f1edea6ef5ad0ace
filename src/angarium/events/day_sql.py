"""What two databases say differently of the tables that a day has in each of them."""

from collections.abc import Sequence
from typing import Any, Protocol

from angarium.query.nodes import Phrase

Condition = tuple[str, list[Any]]
"""SQL, and what its question marks stand for."""


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

    def glob(self, glob: str) -> tuple[str, str]:
        """Return the operator that compares with a glob, and the glob as it wants it."""
        ...

    def phrase(self, fields: Sequence[str], phrase: Phrase) -> Condition:
        """Return the condition that a phrase stands in one of the *fields*, which are searched by words."""
        ...

    def seen(self, fields: Sequence[str], glob: str) -> Condition:
        """Return the condition that one word in one of the *fields* is as *glob* says."""
        ...
