"""Mustachio, as a table of templates (postmark.md §6.2)."""

from typing import Any

import pytest

from angarium.render.languages.compiled import MustachioTemplate, compile_template
from angarium.render.languages.mustachio.suggested import suggested_model
from angarium.render.languages.problem import TemplateFailure, TemplateProblems

MODEL = {
    "name": "Mike",
    "tag": '<b a="1">&\'',
    "zero": 0,
    "no": False,
    "yes": True,
    "price": 5.0,
    "half": 0.5,
    "nothing": None,
    "blank": "",
    "none": [],
    "bare": {},
    "person": {"name": "Ann", "home": {"city": "Oslo"}},
    "list": ["a", "b"],
    "orders": [{"id": 1, "lines": [{"n": "x"}, {"n": "y"}]}, {"id": 2, "lines": []}],
    "naïve": "é",
}

RENDERED = [
    ("{{name}} and {{ name }}", "Mike and Mike"),
    ("{{tag}}", "&lt;b a=&quot;1&quot;&gt;&amp;&#39;"),
    ("{{{tag}}} {{&tag}}", '<b a="1">&\' <b a="1">&\''),
    ("{{naïve}}", "&#233;"),
    ("{{{{name}}", "{{Mike"),
    ("{{name}}}", "Mike}"),
    ("{ {name} } {{}} {name}", "{ {name} } {{}} {name}"),
    ("a{{! not this }}b", "ab"),
    ("{{zero}} {{no}} {{yes}} {{price}} {{half}}", "0 False True 5 0.5"),
    ("[{{missing}}{{nothing}}{{person}}{{list}}{{missing.deep.down}}]", "[]"),
    ("{{person.name}} in {{person.home.city}}", "Ann in Oslo"),
    ("{{#person}}{{name}}, not {{../name}}{{/person}}", "Ann, not Mike"),
    ("{{#person.home}}{{city}} {{../name}} {{../../name}}{{/person.home}}", "Oslo Ann Mike"),
    ("{{../../name}}", "Mike"),
    ("{{#list}}once {{/list}}", "once "),
    ("{{#missing}}x{{/missing}}{{^missing}}none, {{../name}}{{/missing}}", "none, Mike"),
    ("{{#zero}}x{{/zero}}{{#blank}}x{{/blank}}{{#none}}x{{/none}}{{#bare}}x{{/bare}}", ""),
    ("{{#yes}}A{{^yes}}B{{/yes}} {{#no}}A{{^no}}B{{/no}} {{^no}}A{{#no}}B{{/no}}", "A B A"),
    ("{{#each list}}{{.}};{{/each}}", "a;b;"),
    ("{{#each list}}{{ }}{{/each}}", "ab"),
    (
        "{{#each orders}}{{id}}:{{#each lines}}{{n}}{{../../id}}{{/each}} {{../../name}};{{/each}}",
        "1:x1y1 Mike;2: Mike;",
    ),
    ("{{#each missing}}x{{/each}}{{#each none}}x{{/each}}", ""),
    ("{{#person}}{{#each ../list}}{{.}}{{/each}}{{/person}}", "ab"),
    ("{{person../name}}", "Mike"),
    ("{{{ @content }}} {{{pm:unsubscribe}}}", "{{{ @content }}} {{{ pm:unsubscribe }}}"),
]


@pytest.mark.parametrize(("template", "rendered"), RENDERED)
def test_what_a_template_renders_to(template: str, rendered: str) -> None:
    assert compile_template("mustachio", template, "html").render(MODEL) == rendered


def test_text_is_not_escaped_and_a_header_field_stays_one() -> None:
    data = {"x": "<a>\r\nBcc: all@example.com"}
    assert compile_template("mustachio", "{{x}}", "text").render(data) == "<a>\r\nBcc: all@example.com"
    for subject in ("{{x}}", "{{{x}}}", "{{&x}}"):
        assert compile_template("mustachio", subject, "header").render(data) == "<a> Bcc: all@example.com"


WRONG = [
    ("{{#a}}x", 1, 1, "never closed"),
    ("\n  {{/a}}", 2, 3, "nothing is open"),
    ("{{#a}}{{/b}}{{/a}}", 1, 7, "another block"),
    ("{{#a}}{{#a}}x{{/a}}{{/a}}", 1, 20, "nothing is open"),
    ("{{#each}}{{/each}}", 1, 1, "needs a path"),
    ("{{#each\tlist}}{{/each}}", 1, 1, "needs a path"),
    ("😀{{a b}}", 1, 3, "no path"),
    ("{{a..b}}", 1, 1, "no path"),
    ("{{.../a}}", 1, 1, "no path"),
    ("{{a/b}}", 1, 1, "no path"),
    ("{{#if x}}{{/if}}", 1, 1, "no path"),
    ("{{#a}}{{#b}}" * 26, 1, 1, "never closed"),
]


@pytest.mark.parametrize(("template", "line", "column", "problem"), WRONG)
def test_what_is_wrong_is_told_with_its_place(template: str, line: int, column: int, problem: str) -> None:
    with pytest.raises(TemplateProblems) as raised:
        compile_template("mustachio", template, "html")
    assert raised.value.problems[0].place == (line, column)
    assert problem in str(raised.value)


def test_all_that_is_wrong_is_told_at_once_up_to_a_bound() -> None:
    with pytest.raises(TemplateProblems) as raised:
        compile_template("mustachio", "{{a b}} {{c d}} {{#e}}", "html")
    assert len(raised.value.problems) == 3
    with pytest.raises(TemplateProblems) as raised:
        compile_template("mustachio", "{{a b}}" * 1000, "html")
    assert len(raised.value.problems) == 20


@pytest.mark.parametrize("value", ["text", 7, {"a": 1}, True])
def test_each_over_what_is_no_list_fails(value: Any) -> None:
    template = compile_template("mustachio", "\n{{#each x}}{{/each}}", "html")
    with pytest.raises(TemplateFailure, match="line 2, column 1: each goes over a list, and x is none"):
        template.render({"x": value})


def test_a_strict_template_wants_every_value() -> None:
    template = compile_template("mustachio", "{{a}}{{#b}}x{{/b}}", "html", is_strict=True)
    assert template.render({"a": None}) == ""
    with pytest.raises(TemplateFailure, match="a is not in the data"):
        template.render({})


SUGGESTED = [
    ("{{name}}{{name}}", {"name": "name_Value"}),
    ("{{a.b}}{{a.c}}", {"a": {"b": "b_Value", "c": "c_Value"}}),
    ("{{#a}}{{b}}{{../c}}{{/a}}", {"a": {"b": "b_Value"}, "c": "c_Value"}),
    ("{{#a}}x{{/a}}", {"a": "a_Value"}),
    ("{{#each l}}{{.}}{{/each}}", {"l": ["l_1", "l_2", "l_3"]}),
    ("{{#each l}}{{n}}{{../../c}}{{/each}}", {"l": [{"n": "n_Value"}], "c": "c_Value"}),
]


@pytest.mark.parametrize(("template", "model"), SUGGESTED)
def test_a_model_is_suggested_that_the_template_can_be_rendered_with(
    template: str, model: dict[str, Any]
) -> None:
    compiled = compile_template("mustachio", template, "html", is_strict=True)
    assert isinstance(compiled, MustachioTemplate)
    assert suggested_model(compiled.nodes) == model
    compiled.render(model)


def test_blocks_stand_in_one_another_up_to_a_depth() -> None:
    deep = "{{#a}}{{#b}}" * 25 + "{{/b}}{{/a}}" * 25
    compile_template("mustachio", deep, "html")
    with pytest.raises(
        TemplateProblems, match="line 1, column 301: blocks stand in one another more than 50 deep"
    ):
        compile_template("mustachio", f"{{{{#c}}}}{{{{#b}}}}{deep}{{{{/b}}}}{{{{/c}}}}", "html")
