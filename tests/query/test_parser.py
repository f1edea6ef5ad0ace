"""What queries mean, and what is said of those that mean nothing."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.query.fields import QueryField, QueryFields
from angarium.query.nodes import And, Between, Equal, Everything, Like, Node, Not, Or, Phrase, Present
from angarium.query.parser import DEEPEST, LONGEST, MOST_CLAUSES, parse
from angarium.query.problem import QueryProblem
from angarium.query.values import Now
from angarium.query.words import folded

MAIL = QueryFields(
    [
        QueryField("to", "text", "Recipient.", is_bare=True),
        QueryField("subject", "text", "Subject.", is_bare=True),
        QueryField("tag", "value", "Tag."),
        QueryField("status", "value", "State.", values=("delivered", "bounced")),
        QueryField("size", "size", "Bytes."),
        QueryField("attempts", "number", "How often it was tried."),
        QueryField("date", "time", "When it came."),
        QueryField("meta.", "value", "What the sender has said of it."),
    ],
    aliases={"rcpt": "to"},
)
NOW = Now(datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp())


def shown(node: Node) -> str:
    """The tree in one line, with the word that joins in front."""
    match node:
        case Everything():
            return "all"
        case Phrase(field, found, is_open):
            return f"{field or '?'}:{'_'.join(found)}{'*' if is_open else ''}"
        case Like(field, glob):
            return f"{field or '?'}~{glob}"
        case Equal(field, value):
            return f"{field}={value}"
        case Present(field):
            return f"{field}:any"
        case Between(field, low, high, takes_high, leaves_low):
            return f"{field}{'(' if leaves_low else '['}{end(low)}..{end(high)}{']' if takes_high else ')'}"
        case Not(part):
            return f"not({shown(part)})"
        case And(parts):
            return f"and({' '.join(map(shown, parts))})"
        case Or(parts):
            return f"or({' '.join(map(shown, parts))})"


def end(value: float | str | None) -> str:
    if isinstance(value, float) and value > 1e8:
        return datetime.fromtimestamp(value, UTC).strftime("%m%dT%H%M")
    return "" if value is None else f"{value:g}" if isinstance(value, float) else value


@pytest.mark.parametrize(
    ("query", "meaning"),
    [
        ("", "all"),
        ("  ", "all"),
        ("*:*", "all"),
        ("*", "all"),
        ("Roof", "?:roof"),
        ("red roof", "or(?:red ?:roof)"),
        ('"Red  ROOF!"', "?:red_roof"),
        ("red-roof", "?:red_roof"),
        ("Müller ﬁne", "or(?:muller ?:fine)"),
        ("red OR roof", "or(?:red ?:roof)"),
        ("red || roof", "or(?:red ?:roof)"),
        ("red AND roof", "and(?:red ?:roof)"),
        ("red && roof", "and(?:red ?:roof)"),
        ("red and roof", "or(?:red ?:and ?:roof)"),
        ("a AND b OR c AND d", "or(and(?:a ?:b) and(?:c ?:d))"),
        ("a AND b c", "or(and(?:a ?:b) ?:c)"),
        ("a AND (b OR c)", "and(?:a or(?:b ?:c))"),
        ("(a b) AND c", "and(or(?:a ?:b) ?:c)"),
        ("((a))", "?:a"),
    ],
)
def test_words_and_how_they_are_joined(query: str, meaning: str) -> None:
    assert shown(parse(query, MAIL, NOW)) == meaning


@pytest.mark.parametrize(
    ("query", "meaning"),
    [
        ('"jakarta apache" NOT "Apache Lucene"', "and(?:jakarta_apache not(?:apache_lucene))"),
        ("+jakarta lucene", "?:jakarta"),
        ("+a +b -c d", "and(?:a ?:b not(?:c))"),
        ("a !b", "and(?:a not(?:b))"),
        ("a b -c", "and(or(?:a ?:b) not(?:c))"),
        ("-a", "not(?:a)"),
        ("-a -b", "and(not(?:a) not(?:b))"),
        ("NOT a AND b", "and(not(?:a) ?:b)"),
        ("a AND NOT b", "and(?:a not(?:b))"),
        ("a OR NOT b", "or(?:a not(?:b))"),
        ("-b OR a", "or(not(?:b) ?:a)"),
        ("NOT NOT a", "?:a"),
        ("NOT (a b)", "not(or(?:a ?:b))"),
        ("well-known+x", "?:well_known_x"),
    ],
)
def test_what_is_wanted_and_what_is_not(query: str, meaning: str) -> None:
    assert shown(parse(query, MAIL, NOW)) == meaning


@pytest.mark.parametrize(
    ("query", "meaning"),
    [
        ("to:bob@example.com", "to:bob_example_com"),
        ("RCPT:bob", "to:bob"),
        ("to: bob", "to:bob"),
        ("subject:(red AND roof)", "and(subject:red subject:roof)"),
        ('subject:(+return +"pink panther")', "and(subject:return subject:pink_panther)"),
        ("tag:Welcome-Mail", "tag=welcome-mail"),
        ('tag:"two words"', "tag=two words"),
        ('tag:""', "tag="),
        ("tag:*", "tag:any"),
        ("tag:wel*", "tag~wel*"),
        (r"tag:a\*b", "tag=a*b"),
        ("meta.Order:4711", "meta.Order=4711"),
        ("tag:<x@y>", "tag=<x@y>"),
        ("<x1@example.org>", "?:x1_example_org"),
        (r"re\: roof", "or(?:re ?:roof)"),
        (r"\(1\+1\)\:2", "?:1_1_2"),
        ("roo*", "?:roof*".replace("f", "")),
        ("to:bob@exam*", "to:bob_exam*"),
        ("te?t", "?~te?t"),
        ("*son", "?~*son"),
        ("status:bounced", "status=bounced"),
    ],
)
def test_fields(query: str, meaning: str) -> None:
    assert shown(parse(query, MAIL, NOW)) == meaning


@pytest.mark.parametrize(
    ("query", "meaning"),
    [
        ("size:10k", "size[10240..10240]"),
        ("size:[1k TO 1.5M]", "size[1024..1.57286e+06]"),
        ("size:{100 TO 200}", "size(100..200)"),
        ("size:>100", "size(100..)"),
        ("size:>=1k", "size[1024..)"),
        ("attempts:<=3", "attempts[..3]"),
        ("attempts:[3 TO *]", "attempts[3..)"),
        ("tag:[a TO m}", "tag[a..m)"),
        ("date:2026-11-29", "date[1129T0000..1130T0000)"),
        ("date:2026-11", "date[1101T0000..1201T0000)"),
        ("date:2026-11-30T10", "date[1130T1000..1130T1100)"),
        (r"date:2026-11-30T10\:15", "date[1130T1015..1130T1016)"),
        ('date:"2026-11-30 10:15"', "date[1130T1015..1130T1016)"),
        ("date:[2026-11-01 TO 2026-11-03]", "date[1101T0000..1104T0000)"),
        ("date:{2026-11-01 TO 2026-11-03}", "date[1102T0000..1103T0000)"),
        ('date:["2026-11-30T10:00:00+02:00" TO now]', "date[1130T0800..1130T1200]"),
        ("date:[2026-11-30T10:00 TO *]", "date[1130T1000..)"),
        ("date:today", "date[1130T0000..1201T0000)"),
        ("date:yesterday", "date[1129T0000..1130T0000)"),
        ("date:7d", "date[1123T1200..)"),
        ("date:[now-2h TO now-1h]", "date[1130T1000..1130T1100]"),
        ("date:>2026-11-28", "date[1129T0000..)"),
        ("date:<2026-11-28", "date[..1128T0000)"),
    ],
)
def test_numbers_sizes_and_times(query: str, meaning: str) -> None:
    assert shown(parse(query, MAIL, NOW)) == meaning


def test_a_day_is_one_of_the_askers_zone_however_long_it_is() -> None:
    now = Now(NOW.at, ZoneInfo("Europe/Amsterdam"))
    node = parse("date:2026-03-29", MAIL, now)
    assert isinstance(node, Between)
    assert isinstance(node.low, float)
    assert isinstance(node.high, float)
    assert (node.high - node.low) / 3600 == 23
    assert shown(parse("date:2026-11-30", MAIL, now)) == "date[1129T2300..1130T2300)"


@pytest.mark.parametrize(
    ("query", "at", "problem"),
    [
        ("red^4", 3, "boosts change only the order"),
        ("red^", 3, "boosts change only the order"),
        ("roam~0.8", 4, "merely like another"),
        ('"a b"~10', 5, "merely like another"),
        ("(a", 0, "this bracket is never closed"),
        ("a)", 1, "this bracket was never opened"),
        ("()", 1, "there is nothing in these brackets"),
        ("a AND", 2, "nothing follows this AND"),
        ("a OR", 2, "nothing follows this OR"),
        ("AND a", 0, "AND stands between two things"),
        ("a OR OR b", 2, "nothing follows this OR"),
        ("a AND OR b", 2, "nothing follows this AND"),
        ('say "hello', 4, "this quotation mark has no second one"),
        ("a\\", 1, "nothing follows this backslash"),
        ("-", 0, "nothing follows this -"),
        ("to:", 3, "nothing to look for in to"),
        ("to:-bob", 3, "nothing to look for in to: write to:word, or -to:word"),
        (":bob", 0, "a colon follows the name of a field"),
        ("re: roof", 0, "there is no field 're'"),
        ("subjekt:roof", 0, "did you mean subject?"),
        ("to:(a tag:b)", 6, "this is looked for in to already"),
        ("!!!", 0, "nothing follows this"),
        ("...", 0, "there is no letter and no digit in this"),
        ("bob@*son", 0, "a star or a question mark is part of one word"),
        ("status:bouncd", 7, "status is never 'bouncd': did you mean bounced?"),
        ("size:big", 5, "'big' is no size: write 200, 10k, 1.5M"),
        ("date:2026-02-31", 5, "'2026-02-31' is no time"),
        ("date:[1 TO 2 TO 3]", 6, "a range is two ends with TO between them"),
        ("date:[2026-11-02 TO 2026-11-01]", 5, "nothing is in this range"),
        ("size:[1 TO 2", 5, "this range is never closed"),
        ("subject:[a TO b]", 8, "ranges are of dates"),
        ("[a TO b]", 0, "ranges are of dates"),
        ("a ]", 2, "']' cannot stand here"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(query: str, at: int, problem: str) -> None:
    with pytest.raises(QueryProblem) as caught:
        parse(query, MAIL, NOW)
    assert problem in str(caught.value)
    assert caught.value.at == at


def test_the_place_is_pointed_at() -> None:
    with pytest.raises(QueryProblem) as caught:
        parse("to:bob AND red^4", MAIL, NOW)
    assert caught.value.pointed() == "to:bob AND red^4\n              ^"


def test_in_a_long_query_the_part_round_the_place_is_shown() -> None:
    with pytest.raises(QueryProblem) as caught:
        parse("word " * 200 + "red^4" + " word" * 200, MAIL, NOW)
    part, caret = caught.value.pointed().splitlines()
    assert part[len(caret) - 1 :].startswith("^4 word")


@pytest.mark.parametrize(
    "query",
    ["a " * (LONGEST // 2 + 1), "(" * (DEEPEST + 1) + "a" + ")" * (DEEPEST + 1), "a " * (MOST_CLAUSES + 1)],
)
def test_a_query_has_bounds(query: str) -> None:
    with pytest.raises(QueryProblem, match="at most"):
        parse(query, MAIL, NOW)


_PIECES = st.sampled_from(
    [
        *'ab "()[]{}:+-!\\*?^~<>=',
        "AND ",
        "OR ",
        "NOT ",
        "&&",
        "||",
        " TO ",
        "to:",
        "date:",
        "size:",
        "2026-11-30",
        "é",
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=25).map("".join)))
def test_any_text_is_understood_or_told_where_it_is_wrong(query: str) -> None:
    problem = problem_of(query)
    assert problem is None or (0 <= problem.at <= len(query) and problem.pointed())


def problem_of(query: str) -> QueryProblem | None:
    try:
        parse(query, MAIL, NOW)
    except QueryProblem as problem:
        return problem
    return None


@given(st.text(min_size=1, max_size=30))
def test_whatever_is_quoted_with_its_marks_escaped_is_looked_for(text: str) -> None:
    escaped = "".join(f"\\{char}" if char in '\\"' else char for char in text)
    assert parse(f'tag:"{escaped}"', MAIL, NOW) == Equal("tag", folded(text))
