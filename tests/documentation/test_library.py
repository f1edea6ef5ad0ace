"""All pages that there are."""

import re

from angarium.config.tables import OPTIONS
from angarium.core.catalogue.metrics import METRICS
from angarium.documentation.library import pages_folder, searched
from angarium.documentation.search import DocumentationSearch
from angarium.documentation.site import site_files
from angarium.events.catalogue import KINDS
from angarium.http.manage.table import MANAGE

_LINK = re.compile(r'<a href="([^"]*)"')


def named(library, kind):
    return [page for page in library if page.kind == kind]


def test_everything_that_the_code_lists_has_a_page(library):
    assert {page.title for page in named(library, "option")} == {option.name for option in OPTIONS}
    assert {page.title for page in named(library, "event")} == set(KINDS)
    assert len(named(library, "metric")) == len(METRICS)
    assert len(named(library, "endpoint")) == len({(each.method, each.path) for each in MANAGE.told})
    assert {"angarium queue", "angarium spool check"} <= {page.title for page in named(library, "command")}


def test_every_written_page_is_there(library):
    names = {path.relative_to(pages_folder()).as_posix() for path in pages_folder().rglob("*.md")}
    assert {f"{page.name}.md" for page in named(library, "guide")} == names


def test_every_link_leads_to_a_place_of_the_site(library):
    addresses = {page.address for page in library}
    anchors = {page.address: set(re.findall(r' id="([^"]*)"', page.html)) for page in library}
    wrong = []
    for page in library:
        folder = page.name.rpartition("/")[0]
        for href in _LINK.findall(page.html):
            if re.match(r"[a-z]+:", href):
                continue
            path, _, anchor = href.partition("#")
            target = page.address if not path else _joined(folder, path)
            if target not in addresses or (anchor and anchor not in anchors[target]):
                wrong.append(f"{page.name}: {href}")
    assert wrong == []


def _joined(folder, path):
    steps = folder.split("/") if folder else []
    for step in path.split("/"):
        if step == "..":
            steps.pop()
        else:
            steps.append(step)
    return "/".join(steps)


def test_the_site_asks_nobody_else_and_has_no_script_of_its_own_in_a_page(library):
    for name, text in site_files(library):
        if name.endswith(".html"):
            assert not re.search(r'(?:src|action)="(?:https?:)?//', text), name
            assert not re.search(r'<link[^>]*href="(?:https?:)?//', text), name
            assert "<script>" not in text, name
            assert " style=" not in text, name
            assert text.count("<h1") == 1, name


def test_a_question_is_answered_by_the_page_about_it(library):
    search = DocumentationSearch(searched(library))

    def best(query):
        return [found.page.name for found in search.find(query, 3)[0]]

    assert "options/Bounce_Domain" in best("Bounce_Domain")
    assert "queue" in best("why does mail not move")
    assert "dkim" in best("rotate DKIM keys")
    assert best('kind:command AND "backup"')[0].startswith("commands/angarium-backup")
