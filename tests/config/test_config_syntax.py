"""The language of angarium.conf: what is understood, what is refused, and that nothing makes it stumble."""

import time
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.config.parser import parse
from angarium.config.problems import Position, ProblemList, SourceText
from angarium.config.syntax import (
    Assignment,
    DictValue,
    Include,
    Item,
    ListValue,
    Scalar,
    Stanza,
    format_scalar,
    format_value,
)

NOWHERE = Position(SourceText("", ""), 0)


def read(text: str) -> tuple[Item, ...]:
    problems = ProblemList()
    items = parse(SourceText("t.conf", text), problems)
    assert problems.problems == []
    return items


def errors(text: str) -> list[str]:
    problems = ProblemList()
    parse(SourceText("t.conf", text), problems)
    return sorted(f"{problem.line}:{problem.column} {problem.message}" for problem in problems.problems)


def word(text: str) -> Scalar:
    return Scalar(text, False, NOWHERE)


def quoted(text: str) -> Scalar:
    return Scalar(text, True, NOWHERE)


def test_an_assignment_takes_a_word_or_a_quoted_text() -> None:
    assert read('A = b C = "d e"') == (
        Assignment("A", word("b"), NOWHERE),
        Assignment("C", quoted("d e"), NOWHERE),
    )


def test_stanzas_are_named_or_anonymous_and_nest() -> None:
    inner = Stanza("Listen", quoted(":25"), (Assignment("A", word("1"), NOWHERE),), NOWHERE)
    assert read('ESMTP_Listener { Listen ":25" { A = 1 } }') == (
        Stanza("ESMTP_Listener", None, (inner,), NOWHERE),
    )


@pytest.mark.parametrize(
    ("tolerated", "plain"),
    [
        ("L = ( a, b,c )", "L = ( a b c )"),
        ('L = ("AUTH LOGIN" XCLIENT)', 'L = ( "AUTH LOGIN" XCLIENT )'),
        ("D [ a = 1 ]", "D = [ a = 1 ]"),
        ("D = [ a = 1, b = 2 ]", "D = [ a = 1 b = 2 ]"),
        ("ESMTP_Listener = { A = 1 }", "ESMTP_Listener { A = 1 }"),
        ('Replicate = "x" {}', 'Replicate "x" { }'),
        ("node a.b.c { mta_id = 1 votes = 1 }", "node a.b.c {\n mta_id = 1\n votes = 1\n}"),
        ("A =\n   b", "A = b"),
        ("Listen /a/b {}", "Listen /a/b { }"),
        ("uri = digest:///opt/x", "uri = digest:///opt/x"),
        ("L = ( 127.0.0.0/8 10.10.10.0/24 )", "L = ( 127.0.0.0/8 10.10.10.0/24 )"),
        ("A = 1 # to the end = of {\nB = 2", "A = 1 B = 2"),
        ("A /* not\nhere */ = 1", "A = 1"),
        ("A = 1/* here */B = 2", "A = 1 B = 2"),
        ("A\u00a0=\u00a01", "A = 1"),
        ("A = 'b c'", 'A = "b c"'),
        ("L = ( 'a' \"b\" )", 'L = ( "a" "b" )'),
        (r"Domain /x\.co(m|\.uk)$/ { }", r'Domain "/x\.co(m|\.uk)$/" { }'),
        ("Host /^mx[0-9]{1,3}\\./{ }", r'Host "/^mx[0-9]{1,3}\./" { }'),
        ("A = 1\r\nB = 2\r\n", "A = 1\nB = 2"),
    ],
)
def test_what_published_examples_need_is_understood(tolerated: str, plain: str) -> None:
    assert read(tolerated) == read(plain)


def test_a_backslash_stands_for_itself_but_before_a_quote() -> None:
    assert read(r'A = "^b-\d+@\"x\"\\n"') == (Assignment("A", quoted(r'^b-\d+@"x"\\n'), NOWHERE),)


def test_includes_are_understood_in_any_scope() -> None:
    assert read('include "a.conf" D x { readonly_include b }') == (
        Include(quoted("a.conf"), False, NOWHERE),
        Stanza("D", word("x"), (Include(word("b"), True, NOWHERE),), NOWHERE),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A = ", ["1:1 A has no value"]),
        ("A =\nB = 1", ["1:1 A has no value"]),
        ("A", ["1:1 A has neither a value nor a stanza"]),
        ("A = b c", ["1:7 c has neither a value nor a stanza"]),
        ("A b c", ["1:3 after A, b stands where = or { should"]),
        ("A ( b )", ["1:3 after A, ( stands where = or { should"]),
        ("A-B = 1", ["1:1 A-B is not the name of an option"]),
        ('"A" = 1', ['1:1 "A" cannot start an option or a stanza']),
        ("A = ( b\nB = 1", ["1:5 this list is not closed"]),
        ("A = ( ( b )", ["1:5 this list is not closed"]),
        ("A = [ b c ]", ["1:5 this dictionary is not closed or has an item that is not key = value"]),
        ("A { B = 1", ["1:3 the { of A is never closed"]),
        ("A = 1 }\nB = 2", ["1:7 this } closes nothing"]),
        ("A = 'b", ["1:5 this text is not closed on its line"]),
        ('A = "b\nB = 1', ["1:5 this text is not closed on its line"]),
        ("A = 1 /* b", ["1:7 this comment is never closed"]),
        (
            "A = b\x00c",
            ["1:6 a control character (0x00) cannot stand here", "1:7 c has neither a value nor a stanza"],
        ),
    ],
)
def test_a_syntax_error_is_told_at_its_place_and_once(text: str, expected: list[str]) -> None:
    assert errors(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A = “b c” B = 1", '1:5 “ is a typographic quote | write "b c"'),
        ("A = “b\nB = 1", '1:5 “ is a typographic quote | write "b"'),
        ("A = ‘b’", '1:5 ‘ is a typographic quote | write "b"'),
        ("Domain „b.de“ { }", '1:8 „ is a typographic quote | write "b.de"'),
        ("L = ( «b» )", '1:7 « is a typographic quote | write "b"'),
        ('A = "b”', '1:5 this text ends with ”, which is a typographic quote | write "b"'),
        ("A = 'b’", "1:5 this text ends with ’, which is a typographic quote | write 'b'"),
        ("A = b”", '1:6 ” is a typographic quote | put the whole value into double quotes: "…"'),
        ("A = it's", '1:7 this text is not closed on its line | put the whole value into double quotes: "…"'),
        ('A = "b"”', '1:8 ” is a typographic quote | put the whole value into double quotes: "…"'),
        ("A = `b`", '1:5 ` is a typographic quote | write "b"'),
        ('A = "b', '1:5 this text is not closed on its line | end it with "; write \\" for a quote inside'),
        ("A\u200b = 1", "1:2 an invisible character (U+200B) stands here | take it out"),
        ("\ufeffA = 1\n\ufeffB = 2", "2:1 an invisible character (U+FEFF) stands here | take it out"),
        ("A = 1;", "1:5 nothing ends with ; here | write 1"),
        ("A = ;", "1:5 nothing ends with ; here | write a value"),
        ("A { };", "1:6 ; is not the name of an option | nothing ends with ; here: take it out"),
        ("A: 1", "1:1 A: is not the name of an option | names have letters, digits and _: write A"),
        ("A-B = 1", "1:1 A-B is not the name of an option | names have letters, digits and _: write A_B"),
        ("// a", "1:1 // is not the name of an option | comments begin with #"),
        (
            'A "b c"',
            '1:3 after A, "b c" stands where = or { should | '
            'write A = "b c" for an option, A "b c" { … } for a stanza',
        ),
        ("A := b", "1:3 after A, : stands where = or { should | write A = …"),
        ("A => b", "1:4 => cannot stand here | write A = and the value"),
        (
            "<A b>",
            "1:1 <A is not the name of an option | write NAME = VALUE, or NAME { … }",
        ),
        (
            "A = 10.0.0.0/8 ::1",
            "1:16 ::1 is not the name of an option | "
            "put a value that has spaces into double quotes, and a list into ( )",
        ),
        ("A = b // c", "1:7 // is not the name of an option | comments begin with #"),
        ("include\nA = b", '1:1 include names no file | write include "conf.d", without ='),
        (
            "A = b c",
            "1:7 c has neither a value nor a stanza | put a value that has spaces into double quotes",
        ),
        (
            "A = b c d",
            "1:9 after c, d stands where = or { should | put a value that has spaces into double quotes",
        ),
        (
            "A += ( b )",
            "1:3 after A, + stands where = or { should | nothing is appended: write A = and the whole value",
        ),
        (
            "A ( b )",
            "1:3 after A, ( stands where = or { should | write A = ( … ) for a list; a stanza has one name",
        ),
        (
            "Domain /(a|b)/i { }",
            '1:8 after Domain, / stands where = or { should | put a pattern into double quotes: "/…/"',
        ),
        (
            'Domain "a" "b" { }',
            '1:8 after Domain, "a" stands where = or { should | '
            'put a value that has spaces into double quotes; a stanza is Domain "a" { … }',
        ),
        (
            "A = 604,800",
            "1:8 , cannot start an option or a stanza | numbers have no commas, and lists stand in ( )",
        ),
        ("= 5", "1:1 = cannot start an option or a stanza | write NAME = VALUE, or NAME { … }"),
        ("A = ( B=C )", "1:8 = cannot stand in a list | put an item that has = into double quotes"),
        ("include = b", '1:1 include names no file | write include "conf.d", without ='),
        ("include ( a b )", '1:1 include names no file | write include "conf.d", without ='),
    ],
)
def test_what_other_languages_and_editors_write_is_told_with_what_to_write(text: str, expected: str) -> None:
    problems = ProblemList()
    parse(SourceText("t.conf", text.removeprefix("\ufeff")), problems)
    assert [f"{p.line}:{p.column} {p.message} | {p.hint}" for p in problems.problems] == [expected]


def test_reading_goes_on_behind_every_error() -> None:
    text = "A = ( x\nB = 1\nC D E { F = }\nG = 2\nH { I = “y”\n J =\n}\nK = 3\n"
    problems = ProblemList()
    items = parse(SourceText("t.conf", text), problems)
    assert [item.name for item in items if not isinstance(item, Include)] == ["B", "G", "H", "K"]
    assert len(problems.problems) == 4


def test_a_problem_shows_its_line_with_a_caret() -> None:
    problems = ProblemList()
    parse(SourceText("t.conf", "B = 1\n\tA-C = 1 # x\n"), problems)
    assert problems.problems[0].render() == (
        "t.conf:2:2: A-C is not the name of an option\n"
        "    A-C = 1 # x\n"
        "    ^\n"
        "    names have letters, digits and _: write A_C"
    )


def test_a_problem_in_a_very_long_line_shows_the_part_around_it() -> None:
    problems = ProblemList()
    parse(SourceText("t.conf", f"A = 1{' ' * 5000}A-B = 1{' ' * 5000}"), problems)
    rendered = problems.problems[0].render().splitlines()
    assert len(rendered[1]) < 120
    assert rendered[1][rendered[2].index("^") :].startswith("A-B")


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: not name.lower().endswith("include")
)
words = st.from_regex(r"[A-Za-z0-9_.:*@/\\-]{1,9}", fullmatch=True).filter(lambda text: "/*" not in text)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).filter(
    lambda text: not text.endswith("\\")
)
scalars = st.builds(word, words) | st.builds(quoted, texts)
values = (
    scalars
    | st.builds(ListValue, st.lists(scalars, max_size=4).map(tuple), st.just(NOWHERE))
    | st.builds(DictValue, st.lists(st.tuples(scalars, scalars), max_size=3).map(tuple), st.just(NOWHERE))
)
assignments = st.builds(Assignment, names, values, st.just(NOWHERE))
includes = st.builds(Include, scalars, st.booleans(), st.just(NOWHERE))
trees = st.recursive(
    assignments | includes,
    lambda inner: st.builds(
        Stanza, names, st.none() | scalars, st.lists(inner, max_size=4).map(tuple), st.just(NOWHERE)
    ),
    max_leaves=12,
)


def lines_of(items: Iterable[Item], indent: str) -> Iterator[str]:
    for item in items:
        if isinstance(item, Assignment):
            yield f"{indent}{item.name} = {format_value(item.value)}"
        elif isinstance(item, Include):
            yield f"{indent}{'readonly_' if item.readonly else ''}include {format_scalar(item.path)}"
        else:
            label = f" {format_scalar(item.label)}" if item.label is not None else ""
            yield f"{indent}{item.name}{label} {{"
            yield from lines_of(item.items, indent + "  ")
            yield f"{indent}}}"


@given(st.lists(trees, max_size=5).map(tuple))
def test_a_printed_tree_reads_back_the_same(items: tuple[Item, ...]) -> None:
    assert read("".join(f"{line}\n" for line in lines_of(items, ""))) == items


garbage = st.text(st.sampled_from("aB_ \n\t={}[]()\"'#/*\\,.\x00é“”’;\u200b") | st.characters(), max_size=200)


@given(garbage)
def test_garbage_never_raises_and_has_its_places_inside_the_text(text: str) -> None:
    problems = ProblemList()
    parse(SourceText("t.conf", text), problems)
    for problem in problems.problems:
        assert 1 <= problem.line <= text.count("\n") + 1
        assert problem.render()


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        "{",
        "}",
        "a {",
        "a b {",
        "(",
        "[",
        '"',
        '\\"',
        '"\\',
        "'",
        "/*",
        "a =",
        "a = (",
        "a\n",
        "a b ",
        "a-b = 1\n",
        "[a=",
        "/",
        "domain /",
        "domain /a/",
        "“",
        '"”',
        "“a ",
        "it's ",
    ],
)
def test_reading_takes_time_linear_in_the_text(piece: str) -> None:
    def seconds(count: int) -> float:
        started = time.thread_time()
        parse(SourceText("t.conf", piece * count), ProblemList())
        return time.thread_time() - started

    # a disturbed machine makes one measurement longer; time that grows with the square makes all of them
    assert min(seconds(20_000) for _ in range(3)) < 20 * max(seconds(2_000) for _ in range(3)) + 0.5
