"""The substitution language, as a table of templates (sparkpost.md §3)."""

# ruff: noqa: E501

from typing import Any

import pytest

from angarium.render.languages.compiled import TemplateSurroundings, compile_template
from angarium.render.languages.problem import TemplateFailure, TemplateProblems

DATA: dict[str, Any] = {
    "name": "Ann",
    "html": "<a href='/x'>\"&\"",
    "deal": "Daily Deal!",
    "zero": 0,
    "blank": "",
    "no": False,
    "nothing": None,
    "five": 5.00,
    "age": 20,
    "text": "7",
    "address": {"name": "Ann B", "email": "ann@example.com"},
    "key": "email",
    "odd": {"a b": "c"},
    "list": ["x", "y"],
    "empty_list": [],
    "places": [{"city": "Oslo", "shops": [{"n": 1}, {"n": 2}]}, {"city": "Rome", "shops": []}],
}

RENDERED = [
    ("{{name}} {{ name }} {{{ name }}}", "Ann Ann Ann"),
    ("{{html}}", "&lt;a href=&#39;&#x2F;x&#39;&gt;&quot;&amp;&quot;"),
    ("{{{html}}}", "<a href='/x'>\"&\""),
    ("{{address.email}} {{address['name']}} {{address[key]}} {{odd['a b']}}", "ann@example.com Ann B ann@example.com c"),
    ("{{list[1]}}{{list[2]}}[{{list[0]}}{{list[3]}}{{list['a']}}{{list[1.5]}}]", "xy[]"),
    ("{{places[2].city}}", "Rome"),
    ("[{{missing}}{{nothing}}{{missing.deep[1].down}}{{list}}{{address}}]", "[]"),
    ("{{missing or 'you'}} {{no or 'x'}} {{blank or 'x'}} {{zero or 'x'}}", "you x  0"),
    ("{{five}} {{0.5}} {{3/2}} {{4/2}} {{1 + 2 * 3}} {{(1 + 2) * 3}} {{text + 1}} {{-age}}", "5 0.5 1.5 2 7 9 8 -20"),
    ("{{#list}} {{#name}} {{#missing}}", "2 3 0"),
    ("{{true}} {{no}} {{nil}} {{not nil}} {{age and 'old'}}", "true false  true old"),
    ("{{if age >= 18}}adult{{else}}child{{end}}", "adult"),
    ("{{if age < 18 then}}child{{elseif age == 20 then}}twenty{{else}}old{{end}}", "twenty"),
    ("{{if zero}}0 is true{{end}} {{if blank}}so is nothing{{end}}", "0 is true so is nothing"),
    ("{{if missing > 3}}x{{else}}no order{{end}} {{if name > 3}}x{{else}}none here{{end}}", "no order none here"),
    ("{{if not missing and name != 'Bob' or no}}yes{{end}}", "yes"),
    ("{{if 1 == '1'}}x{{else}}other kinds are not equal{{end}}", "other kinds are not equal"),
    ("{{if true == 1}}x{{else}}nor are these{{end}}", "nor are these"),
    ("{{if missing == nil}}as nil{{end}}", "as nil"),
    ("{{each list}}{{loop_index}}{{loop_var}} {{end}}", "1x 2y "),
    ("{{each empty_list}}x{{end}}{{each missing}}x{{end}}{{each nothing}}x{{end}}", ""),
    (
        "{{each places}}{{loop_var.city}}:{{each loop_vars.places.shops}}{{loop_var.n}}{{loop_vars.places.city}} {{end}};{{end}}",
        "Oslo:1Oslo 2Oslo ;Rome:;",
    ),
    ("{{loop_var}}[{{loop_index}}]", "[]"),
    ("{{empty(list)}} {{empty(empty_list)}} {{empty(missing)}}", "false true true"),
    ("{{opening_double_curly()}}x{{closing_triple_curly()}}", "{{x}}}"),
    ("{{ '}}' }} {{ \"it's\" }} {{ 'a\\'b' }}", "}} it&#39;s a&#39;b"),
    ("<a href=\"https://e.com/{{deal}}?a={{html}}&b={{name}}\">{{deal}}</a>",
     "<a href=\"https://e.com/Daily%20Deal%21?a=%3Ca%20href%3D%27%2Fx%27%3E%22%26%22&b=Ann\">Daily Deal!</a>"),
    ("http://e.com/{{{deal}}} http://e.com/ {{deal}}", "http://e.com/Daily Deal! http://e.com/ Daily Deal!"),
    ("<a href=\"{{address.scheme}}://x/{{deal}}\">", "<a href=\"://x/Daily Deal!\">"),
    ("{ {name} } {name}", "{ {name} } {name}"),
]  # fmt: skip


@pytest.mark.parametrize(("template", "rendered"), RENDERED)
def test_what_a_template_renders_to(template: str, rendered: str) -> None:
    assert compile_template("substitution", template, "html").render(DATA) == rendered


LINES = [
    ("{{ if name }}\nBaltimore\n{{ end }}, Maryland", "Baltimore, Maryland"),
    ("A\n{{if name}}\nB\n{{else}}\nC\n{{end}}\nD", "A\nB\nD"),
    ("A\r\n  {{if name}}  \r\nB\r\n{{end}}\r\nD", "A\r\nB\r\nD"),
    ("A\n{{each list}}\n- {{loop_var}}\n{{end}}\nB", "A\n- x\n- y\nB"),
    ("A\n{{name}}\nB\n{{missing}}\nC", "A\nAnn\nB\n\nC"),
    ("A {{if name}}\nB{{end}}\nC", "A \nB\nC"),
    ("A\n{{if name}}{{if age}}\nB\n{{end}}{{end}}\nC", "A\nB\nC"),
    ("Dear\n{{if name}}{{name}}{{end}}\nC", "Dear\nAnn\nC"),
    ("{{if name}}\nB\n{{end}}", "B\n"),
]


@pytest.mark.parametrize(("template", "rendered"), LINES)
def test_a_line_of_statements_alone_leaves_no_line(template: str, rendered: str) -> None:
    assert compile_template("substitution", template, "text").render(DATA) == rendered


def test_text_is_not_escaped_and_a_header_field_stays_one() -> None:
    data = {"x": "<a>\nBcc: all@example.com"}
    assert compile_template("substitution", "{{x}}", "text").render(data) == "<a>\nBcc: all@example.com"
    for subject in ("{{x}}", "{{{x}}}", "http://{{x}}"):
        rendered = compile_template("substitution", subject, "header").render(data)
        assert rendered.endswith("<a> Bcc: all@example.com")


WRONG = [
    ("{{ if a", 1, 3, "never ended"),
    ("{{ a }", 1, 6, "cannot stand in a tag"),
    ("\n\n {{ age 'x' }}", 3, 9, "not understood here, near \"'x'\""),
    ("{{ 'x }}", 1, 4, "no second one"),
    ("{{if}}x{{end}}", 1, 5, "a value is missing"),
    ("{{if a}}x", 1, 3, "never ended"),
    ("{{end}}", 1, 3, "nothing is open"),
    ("{{else}}", 1, 3, "stands in no if"),
    ("{{each a}}{{else}}{{end}}", 1, 13, "stands in no if"),
    ("{{if a}}{{else}}{{else}}{{end}}", 1, 19, "stands in no if"),
    ("{{foo(1)}}", 1, 3, "no function foo"),
    ("{{a.}}", 1, 5, "a name is missing after the dot"),
    ("{{}}", 1, 1, "this tag is empty"),
    ("{{ local }}", 1, 4, "a word of the language"),
    ("{{ render_dynamic_content(name) }}", 1, 4, "no dynamic content"),
    ("{{ 'a' or render_snippet('x') }}", 1, 11, "stands in a tag of its own"),
    ("{{" + "(" * 60 + "1" + ")" * 60 + "}}", 1, 54, "brackets stand in one another more than 50 deep"),
    ("{{" + "+1" * 120 + "}}", 1, 3, "more than 200 pieces"),
    ("{{if a}}" * 51 + "{{end}}" * 51, 1, 403, "blocks stand in one another more than 50 deep"),
]


@pytest.mark.parametrize(("template", "line", "column", "problem"), WRONG)
def test_what_is_wrong_is_told_with_its_place(template: str, line: int, column: int, problem: str) -> None:
    with pytest.raises(TemplateProblems) as raised:
        compile_template("substitution", template, "html")
    found = next(found for found in raised.value.problems if problem in str(found))
    assert found.place == (line, column)


FAILING = [
    ("\n{{ 1 / 0 }}", "line 2, column 6: division by zero"),
    ("{{ name + 1 }}", "one can calculate with numbers only, and this is a string"),
    ("{{ missing + 1 }}", "and this is nothing"),
    ("{{ each name }}{{ end }}", "each goes over a list, and name is none"),
    ("{{ render_snippet('gone') }}", "there is no snippet 'gone'"),
]


@pytest.mark.parametrize(("template", "problem"), FAILING)
def test_what_fails_for_a_recipient(template: str, problem: str) -> None:
    with pytest.raises(TemplateFailure) as raised:
        compile_template("substitution", template, "html").render(DATA)
    assert problem in str(raised.value)


def test_a_strict_template_wants_every_value_that_it_writes() -> None:
    template = compile_template("substitution", "{{if a}}x{{end}}{{a or 'you'}}{{b}}", "text", is_strict=True)
    assert template.render({"b": None}) == "you"
    with pytest.raises(TemplateFailure, match="not in the data"):
        template.render({})


def test_braces_in_a_value_mean_nothing() -> None:
    data = {"x": "{{secret}} {{{secret}}}", "secret": "s"}
    assert compile_template("substitution", "{{x}}", "text").render(data) == data["x"]


def test_dynamic_content_is_the_senders_and_never_the_recipients() -> None:
    template = compile_template("substitution", "{{render_dynamic_content(dynamic_html[which])}}", "html")
    sender = TemplateSurroundings({"dynamic_html": {"hello": "<b>{{name}}</b>"}})
    data = {"dynamic_html": {"hello": "<script>{{name}}"}, "which": "hello", "name": "<A>"}
    assert template.render(data, sender) == "<b>&lt;A&gt;</b>"
    assert template.render({**data, "which": "gone"}, sender) == ""
    assert template.render(data) == ""


def test_dynamic_content_that_is_no_good_fails_for_the_recipient() -> None:
    template = compile_template("substitution", "{{render_dynamic_content(dynamic_html.a)}}", "html")
    with pytest.raises(TemplateFailure, match="never ended"):
        template.render({}, TemplateSurroundings({"dynamic_html": {"a": "{{ if"}}))
    again = "{{render_dynamic_content(dynamic_html.a)}}"
    with pytest.raises(TemplateFailure, match="in no snippet and in no dynamic content"):
        template.render({}, TemplateSurroundings({"dynamic_html": {"a": again}}))


def test_snippets() -> None:
    parts = {"footer": "Bye, {{name}}", "nesting": "{{render_snippet('footer')}}"}
    surroundings = TemplateSurroundings(snippet=parts.get)
    five = compile_template("substitution", "{{render_snippet('footer')}}" * 5, "text")
    assert five.render({"name": "Ann"}, surroundings) == "Bye, Ann" * 5
    for text in ("{{render_snippet('footer')}}" * 6, "{{render_snippet('nesting')}}"):
        with pytest.raises(TemplateFailure, match="5 snippets at most, and none in another"):
            compile_template("substitution", text, "text").render({}, surroundings)
