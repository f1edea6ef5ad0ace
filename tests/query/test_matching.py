"""What a query finds among things that pass by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.query.fields import QueryField, QueryFields
from angarium.query.matching import matches
from angarium.query.parser import parse
from angarium.query.values import Now
from angarium.query.words import words

CATALOGUE = QueryFields(
    [
        QueryField("to", "text", "Recipient.", is_bare=True),
        QueryField("subject", "text", "Subject.", is_bare=True),
        QueryField("tag", "value", "Tag."),
        QueryField("size", "size", "Bytes."),
        QueryField("date", "time", "When it came."),
    ]
)
NOW = Now(1_796_000_000.0)
MAIL: dict[str, list[str | float]] = {
    "to": ["bob.jones@example.com", "ann@example.org"],
    "subject": ["Your roof in Köln is red"],
    "tag": ["Welcome-Mail"],
    "size": [2048.0],
    "date": [NOW.at - 3600],
}


def finds(query: str) -> bool:
    return matches(parse(query, CATALOGUE, NOW), lambda field: MAIL.get(field, []), CATALOGUE)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "ROOF",
        "koln",
        "KÖLN",
        "jones",
        "to:bob.jones@example.com",
        "to:ann@example.org",
        '"your roof"',
        "roof AND red",
        "roof blue",
        "+roof blue",
        "roof -blue",
        "-blue",
        "kö*",
        "subject:r?d",
        "subject:*oof",
        "to:bob.jones@exam*",
        "tag:welcome-mail",
        "tag:wel*",
        "tag:*",
        "size:2k",
        "size:[1k TO 2k]",
        "size:>2047",
        "date:2h",
        "date:<now",
        "tag:[w TO x]",
        "NOT (blue AND roof)",
    ],
)
def test_finds(query: str) -> None:
    assert finds(query)


@pytest.mark.parametrize(
    "query",
    [
        "blue",
        "roo",
        '"roof your"',
        "roof AND blue",
        "roof -red",
        "subject:jones",
        "subject:r???of",
        "to:example.net",
        '"com ann"',
        "tag:welcome",
        'tag:""',
        "size:<2048",
        "size:{2048 TO 4k}",
        "date:1m",
        "tag:[a TO w]",
    ],
)
def test_does_not_find(query: str) -> None:
    assert not finds(query)


@given(st.lists(st.text("abAB é中ё_-.", max_size=12), max_size=3), st.text("abé中 .", min_size=1, max_size=6))
def test_a_phrase_is_found_where_its_words_stand_in_a_row(values: list[str], phrase: str) -> None:
    wanted = words(phrase)
    if not wanted:
        return
    node = parse(f'subject:"{phrase}"', CATALOGUE, NOW)
    expected = any(f" {' '.join(wanted)} " in f" {' '.join(words(value))} " for value in values)
    assert matches(node, lambda field: values if field == "subject" else [], CATALOGUE) == expected


def test_ideographs_are_words_each() -> None:
    assert words("東京タワー2 Straße") == ["東", "京", "タ", "ワ", "ー", "2", "strasse"]


def test_a_glob_with_many_stars_takes_no_time() -> None:
    query = "subject:" + "*a" * 40 + "*b"
    assert not matches(parse(query, CATALOGUE, NOW), lambda _: ["a" * 5_000], CATALOGUE)
