"""All pages of the documentation: those that are written, and those that are made from the code."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import angarium
from angarium.core.errors import AngariumError
from angarium.documentation.made.catalogues import LISTS, made_pages
from angarium.documentation.markdown import Reader
from angarium.documentation.page import KINDS, DocPage, DocSource, PageKind
from angarium.documentation.subjects import Subjects

_PACKAGE = Path(angarium.__file__).parent


class NoPages(AngariumError):
    """The pages are not where they should be: the installation is not whole."""


def pages_folder() -> Path:
    """Return the folder of the written pages: of an installation, or of a source tree. Raises NoPages."""
    for folder in (_PACKAGE / "documentation/pages", _PACKAGE.parents[1] / "docs"):
        if (folder / "search.md").is_file():
            return folder
    raise NoPages(f"the pages of the documentation are not in {_PACKAGE}; install angarium again")


def written_pages(folder: Path) -> Iterator[DocSource]:
    """Give the pages of *folder*, by name."""
    for path in sorted(folder.rglob("*.md")):
        yield DocSource(path.relative_to(folder).with_suffix("").as_posix(), path.read_text(encoding="utf-8"))


def read_library(more: Iterable[DocSource] = ()) -> list[DocPage]:
    """Return all pages: the guides by name, then what is made from the code, and *more* of that. Raises NoPages."""
    sources = [*written_pages(pages_folder()), *made_pages(), *more]
    reader = Reader((source.name for source in sources), Subjects(sources).about)
    return [reader.read(source) for source in sources]


def searched(pages: Iterable[DocPage]) -> Iterator[DocPage]:
    """Give those of *pages* that are searched: of a list whose entries have pages of their own, nothing."""
    return (page for page in pages if page.name not in LISTS)


class Shelf(NamedTuple):
    """The pages of a kind, by title."""

    kind: PageKind
    title: str
    pages: Sequence[DocPage]


def shelves_of(pages: Sequence[DocPage]) -> list[Shelf]:
    """Return *pages* by what they are about; no shelf is empty."""
    by_title = sorted(pages, key=lambda page: page.title.casefold())
    shelves = [
        Shelf(kind, title, [page for page in by_title if page.kind == kind]) for kind, title in KINDS.items()
    ]
    return [shelf for shelf in shelves if shelf.pages]
