"""Writes the documentation as a site of files: it needs no server but one for files, and asks nobody else."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from angarium.documentation.library import Shelf, searched, shelves_of
from angarium.documentation.page import KINDS, DocPage

_HERE: Final = Path(__file__).parent
STATIC: Final = ("site.css", "search.js", "page.js")
"""Files of the site that are not made."""


def site_files(pages: Sequence[DocPage]) -> Iterator[tuple[str, str]]:
    """Give every file of the site: its path from the root, and its text."""
    shelves = shelves_of(pages)
    for page in pages:
        yield page.address, _page(page, shelves)
    for name, title in (("index", "Documentation"), ("find", "Search")):
        yield (
            f"{name}.html",
            _templates()
            .get_template(f"{name}.html")
            .render(title=title, root="", name="", kind="guide", shelves=shelves),
        )
    yield "search-data.js", _search_data(pages)
    for name in STATIC:
        yield name, (_HERE / "static" / name).read_text(encoding="utf-8")


def write_site(folder: Path, pages: Sequence[DocPage], progress: Callable[[int, int], None]) -> int:
    """Write the site to *folder*, which is made; return how many files it has. What else is in the folder stays.

    Raises OSError; then some are written.
    """
    files = list(site_files(pages))
    for done, (name, text) in enumerate(files):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        progress(done + 1, len(files))
    return len(files)


def _page(page: DocPage, shelves: Sequence[Shelf]) -> str:
    return (
        _templates()
        .get_template("page.html")
        .render(
            title=page.title,
            root="../" * page.name.count("/"),
            name=page.name,
            kind=page.kind,
            shelves=[shelf for shelf in shelves if shelf.kind in ("guide", page.kind)],
            body=Markup(page.html),  # of our own pages, and of what the code says
        )
    )


def search_sections(pages: Iterable[DocPage]) -> list[dict[str, str]]:
    """Return what `search.js` looks through, of those of *pages* that are searched."""
    return [
        {
            "page": page.name,
            "kind": page.kind,
            "title": page.title,
            "heading": section.heading,
            "text": section.text,
            "address": f"{page.address}#{section.anchor}" if section.anchor else page.address,
        }
        for page in searched(pages)
        for section in page.sections
    ]


def _search_data(pages: Iterable[DocPage]) -> str:
    data = {"kinds": list(KINDS), "sections": search_sections(pages)}
    return f"window.documentation = {json.dumps(data, ensure_ascii=False, separators=(',', ':'))};\n"


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("angarium.documentation"), autoescape=True, undefined=StrictUndefined
    )
