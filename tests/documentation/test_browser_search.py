"""The search in the browser finds what the module of room `query` finds, in the same order."""

import json
import random
import re
import subprocess
from pathlib import Path

import pytest

import angarium.documentation
from angarium.documentation.library import searched
from angarium.documentation.page import KINDS
from angarium.documentation.search import DocumentationSearch
from angarium.documentation.site import search_sections
from angarium.query.problem import QueryProblem
from angarium.testing.peers import find_program

pytestmark = pytest.mark.peer

SCRIPT = Path(angarium.documentation.__file__).parent / "static/search.js"
WRITTEN = """
retry / queue / why does mail not move / dkim AND keys / "return path" / kind:option AND retr* / heading:queue / ***
title:(queue OR dkim) / suppress* NOT kind:option / -kind:endpoint +bounce / *ing / r?try / Köln / page:queue / "
page:[a TO c] / page:{a TO c} / page:>c / kind:* / *:* / a && b || !c / roof^4 / roof~ / (a / a) / \\ / AND / a AND
OR b / kind:nothing / nope:x / text: / [a TO b] / kind:(option OR event) / : / --- / 日本 / \\(retry\\) / f*o
"""
PIECES = [
    *(
        "retry",
        "queue",
        "mail",
        "the",
        "dkim",
        '"not move"',
        "retr*",
        "?ail",
        "\\*x",
        "*",
        "kind:option",
        "page:q*",
    ),
    *(
        "heading:retry",
        "title:the",
        "AND",
        "OR",
        "NOT",
        "&&",
        "||",
        "!",
        "+",
        "-",
        "(",
        ")",
        "(",
        ")",
        "~",
        "^2",
        ":",
    ),
    *("[a TO b]", "page:[a TO q}", '"', "\\", "\\(", "ß", "İx", "Ⅸ", "e\u0301", "一二"),
]


def random_queries(count):
    """Give queries of pieces in any order, most of which are wrong, and others that are right."""
    chosen = random.Random(7)
    for _ in range(count):
        pieces = chosen.choices(PIECES, k=chosen.randint(1, 7))
        yield "".join(piece + chosen.choice(("", " ", " ")) for piece in pieces)
        yield right_query(chosen, 3)


def right_query(chosen, depth):
    if depth == 0 or chosen.random() < 0.3:
        return chosen.choice(PIECES[:9])
    parts = [right_query(chosen, depth - 1) for _ in range(chosen.randint(1, 3))]
    joined = chosen.choice((" ", " AND ", " OR ", " && ", " || ", " +", " -", " NOT ")).join(parts)
    return (
        chosen.choice(("({})", "{}", "-({})", "text:(word {})")).format(joined)
        if "text:" not in joined
        else joined
    )


def by_module(search, query):
    try:
        found, count = search.find(query, 20)
    except QueryProblem as problem:
        return {"at": len(query[: problem.at].encode("utf-16-le")) // 2}
    return {
        "count": count,
        "found": [[each.address, [list(piece) for piece in each.extract]] for each in found],
    }


def test_both_find_the_same(library):
    node = find_program("node", "nodejs")
    guides = [page for page in searched(library) if page.name < "e"]
    queries = [*re.split(r" / |\n", WRITTEN.strip()), *random_queries(80)]
    asked = {"sections": search_sections(guides), "kinds": list(KINDS), "queries": queries}
    done = subprocess.run(
        [node, Path(__file__).with_name("agree.js"), SCRIPT],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == ""
    search = DocumentationSearch(guides)
    here = [by_module(search, query) for query in queries]
    there = json.loads(done.stdout)
    assert [pair for pair in zip(queries, here, there, strict=True) if pair[1] != pair[2]] == []
    assert sum(bool(each.get("count")) for each in here) > 60
    assert sum("at" in each for each in here) > 25
