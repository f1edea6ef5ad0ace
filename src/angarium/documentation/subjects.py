"""What is written as code on a page, and has a page of its own."""

from collections.abc import Iterable
from typing import Final

from angarium.documentation.page import DocSource, PageKind

_LINKED: Final[frozenset[PageKind]] = frozenset(("option", "metric", "command", "endpoint"))
"""Not events: their names (`open`, `delivered`) are words that mean other things as well."""


class Subjects:
    """Knows of *sources* which is about what."""

    def __init__(self, sources: Iterable[DocSource]) -> None:
        self._pages = {
            source.text.partition("\n")[0].removeprefix("# ").replace("`", ""): source.name
            for source in sources
            if source.kind in _LINKED
        }

    def about(self, code: str) -> str | None:
        """Return the name of the page about *code*: an option, also with its value, or a command with what follows."""
        words = code.split()
        while words:
            if page := self._pages.get(" ".join(words)):
                return page
            words.pop()
        return None
