"""The documentation at a terminal: finding in it, and writing it as a site."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from angarium.cli.command_pages import command_pages
from angarium.cli.options import Failure, finish, json_option
from angarium.cli.output import amount, print_json, print_lines, progress_of, styled, terminal_width
from angarium.cli.tables import Toned, clean, columns_of
from angarium.documentation.extract import ExtractPiece
from angarium.documentation.library import read_library, searched
from angarium.documentation.page import DocPage
from angarium.documentation.search import DocumentationSearch, FoundSection
from angarium.documentation.site import write_site
from angarium.query.problem import QueryProblem


@click.group()
def docs_command() -> None:
    """Find in the documentation, read it, write it as a site."""


@docs_command.command("search")
@click.argument("query", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 100), default=8, show_default=True, help="How many to show.")
@json_option
@click.pass_context
def search_command(context: click.Context, query: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Find what the documentation says, what fits best first.

    Words are joined by OR; write AND, NOT, "a phrase", retr*, kind:option, heading:dkim. See `angarium docs show
    search`. Exit code 1 when nothing is found.
    """
    text = " ".join(query)
    try:
        found, count = DocumentationSearch(searched(_pages(context))).find(text, limit)
    except QueryProblem as problem:
        raise Failure(f"{problem}\n{problem.pointed()}") from problem
    if as_json:
        print_json({"count": count, "found": [_shown(each) for each in found]})
    else:
        _print(found, count)
    finish(count > 0)


@docs_command.command("show")
@click.argument("page", metavar="PAGE")
@click.pass_context
def show_command(context: click.Context, page: str) -> None:
    """Print the text of a page: its name, as `docs search` shows it, or the option, metric or command it is about."""
    name = page.removesuffix(".html").removesuffix(".md").partition("#")[0]
    found = [
        each for each in _pages(context) if name.casefold() in (each.name.casefold(), each.title.casefold())
    ]
    if not found:
        raise Failure(f"there is no page {page!r}; look for it: angarium docs search {page}")
    for section in found[0].sections:
        print_lines([Toned(section.heading, "bright"), *section.text.splitlines(), ""])


@docs_command.command("build")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.pass_context
def build_command(context: click.Context, folder: Path) -> None:
    """Write the documentation to FOLDER as a site of files, with its search. Nothing in it comes from elsewhere."""
    with progress_of("writing") as progress:
        count = write_site(folder, _pages(context), progress)
    click.echo(f"Wrote {amount(count, 'file')} to {folder}; open {folder / 'index.html'}")


def _pages(context: click.Context) -> list[DocPage]:
    main = context.find_root().command
    assert isinstance(main, click.Group)
    return read_library(command_pages(main))


def _print(found: Sequence[FoundSection], count: int) -> None:
    if not found:
        print_lines(["Nothing is found. Words are joined by OR; a star stands for what follows: retr*"])
    for each in found:
        headings = dict.fromkeys(filter(None, (each.page.title, each.section.heading)))
        print_lines([Toned(" › ".join(headings), "bright"), Toned(each.address, "dim")])
        for line in filled(each.extract, terminal_width()):
            click.echo("".join(map(styled, line)))
        click.echo()
    if count > len(found) > 0:
        print_lines([Toned(f"{count} places in all: --limit, or more words with AND", "dim")])


def filled(pieces: Iterable[ExtractPiece], width: int | None) -> Iterator[list[Toned]]:
    """Give an extract as lines of at most *width* columns, None: one line; words that were asked for are bright."""
    line, used = [Toned("    ")], 4
    for piece in pieces:
        for text in re.findall(r" *[^ ]+| +", clean(piece.text)):
            if width is not None and used + columns_of(text) > width and used > 4:
                yield line
                line, used, text = [Toned("    ")], 4, text.lstrip()
            line.append(Toned(text, "bright" if piece.is_hit else ""))
            used += columns_of(text)
    if len(line) > 1:
        yield line


def _shown(found: FoundSection) -> dict[str, str]:
    return {
        "page": found.page.name,
        "kind": found.page.kind,
        "title": found.page.title,
        "heading": found.section.heading,
        "address": found.address,
        "extract": "".join(piece.text for piece in found.extract),
    }
