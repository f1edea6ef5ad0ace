"""A page of the documentation, as it is shown and as it is searched."""

from dataclasses import dataclass
from typing import Literal

PageKind = Literal["guide", "option", "event", "metric", "command", "endpoint"]
"""What a page is about: a guide is written by hand, the others are made from the code, one for each thing."""

KINDS: dict[PageKind, str] = {
    "guide": "Guides",
    "option": "Options",
    "event": "Events",
    "metric": "Metrics",
    "command": "Commands",
    "endpoint": "Endpoints",
}
"""What pages of a kind are called together."""


@dataclass(frozen=True, slots=True)
class DocSource:
    """A page as it is written: *name* is its path from the root of the documentation without `.md`, *text* Markdown."""

    name: str
    text: str
    kind: PageKind = "guide"


@dataclass(frozen=True, slots=True)
class DocSection:
    """What stands below one heading. *anchor* is the heading's id; empty for what comes before the first one.

    *text* is all that is written there, without marks, in lines.
    """

    heading: str
    anchor: str
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class DocPage:
    """A page that has been read. *html* is its body; links to other pages in it are relative to the page itself."""

    name: str
    title: str
    kind: PageKind
    html: str
    sections: tuple[DocSection, ...]

    @property
    def address(self) -> str:
        """Where it is from the root of the documentation."""
        return f"{self.name}.html"
