"""The documentation: its pages, and finding in them."""

from collections.abc import Sequence
from functools import cache

from markupsafe import Markup

from angarium.dashboard.page import PageRequest, PageView
from angarium.documentation.library import read_library, searched, shelves_of
from angarium.documentation.page import DocPage
from angarium.documentation.search import DocumentationSearch
from angarium.query.problem import QueryProblem
from angarium.sql.errors import NotFound


@cache
def _pages() -> Sequence[DocPage]:
    return read_library()


@cache
def _search() -> DocumentationSearch:
    return DocumentationSearch(searched(_pages()))


def show_index(asked: PageRequest) -> PageView:
    """Show all pages, by what they are about."""
    return PageView(
        "docs_index.html", {"title": "Documentation", "shelves": shelves_of(_pages()), "query": ""}
    )


def show_page(asked: PageRequest) -> PageView:
    """Show one page."""
    name = asked.path["page"].removesuffix(".html")
    found = [page for page in _pages() if page.name == name]
    if not found:
        raise NotFound(f"page {name}")
    values = {"title": found[0].title, "body": Markup(found[0].html), "query": ""}  # of our own pages
    return PageView("docs_page.html", values, cli=f"angarium docs show {name}")


def find(asked: PageRequest) -> PageView:
    """Show what is found in the documentation; a wrong query is shown with its place."""
    text, wrong = asked.query.get("query", ""), ""
    try:
        found, count = _search().find(text, 30)
    except QueryProblem as problem:
        found, count, wrong = (), 0, f"{problem}\n{problem.pointed()}"
    values = {"title": "Search", "query": text, "found": found, "count": count, "wrong": wrong}
    return PageView("docs_find.html", values, 400 if wrong else 200, cli=f"angarium docs search '{text}'")
