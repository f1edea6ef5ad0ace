"""Finding in the documentation."""

import pytest

from angarium.documentation.page import DocPage, DocSection
from angarium.documentation.search import DocumentationSearch
from angarium.query.problem import QueryProblem


def page(name, *sections, kind="guide"):
    made = tuple(DocSection(heading, heading.lower(), 2, text) for heading, text in sections)
    return DocPage(name, sections[0][0], kind, "", made)


PAGES = [
    page(
        "queue", ("The queue", "How mail waits."), ("Retry", "After a failure it is tried again, ever later.")
    ),
    page("options/Retry_Interval", ("Retry_Interval", "Wait after the first failure."), kind="option"),
    page(
        "dkim", ("DKIM", "Mail is signed by the key of the domain.\nKeys of Köln rotate: a retry signs anew.")
    ),
]


def found(query, limit=20):
    return [each.address for each in DocumentationSearch(PAGES).find(query, limit)[0]]


def shown(query):
    (first, *_), _ = DocumentationSearch(PAGES).find(query)
    return "".join(f"[{piece.text}]" if piece.is_hit else piece.text for piece in first.extract)


def test_words_are_joined_by_or_and_a_heading_counts_more_than_the_text():
    assert found("retry")[-1] == "dkim.html#dkim"
    assert set(found("waits signed")) == {"queue.html#the queue", "dkim.html#dkim"}


@pytest.mark.parametrize(
    ("query", "addresses"),
    [
        ("retry AND signs", {"dkim.html#dkim"}),
        ("failure NOT kind:option", {"queue.html#retry"}),
        ('"first failure"', {"options/Retry_Interval.html#retry_interval"}),
        ("heading:retr*", {"queue.html#retry", "options/Retry_Interval.html#retry_interval"}),
        ("title:queue AND failure", {"queue.html#retry"}),
        ("koln", {"dkim.html#dkim"}),
        ("page:dkim", {"dkim.html#dkim"}),
        ("(waits OR wait) AND mail", {"queue.html#the queue"}),
        ("nothing_of_this", set()),
        ("  ", set()),
    ],
)
def test_the_language_is_that_of_every_search(query, addresses):
    assert set(found(query)) == addresses


def test_a_wrong_query_is_told_where():
    with pytest.raises(QueryProblem) as caught:
        found("retry AND red^4")
    assert caught.value.at == len("retry AND red")


def test_what_was_asked_for_is_marked_where_it_stands():
    assert shown("koln AND retr*") == "Keys of [Köln] rotate: a [retry] signs anew."
    assert shown("kind:option") == "Wait after the first failure."


def test_there_is_no_more_than_was_asked_for_and_all_are_counted():
    best, count = DocumentationSearch(PAGES).find("failure mail retry", 2)
    assert (len(best), count) == (2, 4)


def test_an_extract_of_a_long_text_shows_where_most_of_it_stands():
    text = f"{'early word here. ' * 40}At last the quick brown fox jumps. {'late filler here. ' * 40}"
    (only,), _ = DocumentationSearch([page("x", ("X", text))]).find("fox AND quick AND word")
    extract = "".join(piece.text for piece in only.extract)
    assert "quick brown fox" in extract
    assert extract.startswith("… ")
    assert extract.endswith(" …")
    assert len(extract) < 320
