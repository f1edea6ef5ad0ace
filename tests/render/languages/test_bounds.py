"""What no template may do, in whatever language: run for long, write much, look into Python, take another's words."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.fields import Language
from angarium.render.languages.compiled import TemplateCache, compile_template
from angarium.render.languages.output import LONGEST, RenderBounds
from angarium.render.languages.problem import Places, TemplateFailure, TemplateProblems

LANGUAGES: Final[list[Language]] = ["mustachio", "substitution", "smarty"]

ECHO: Final[dict[Language, str]] = {"mustachio": "{{x}}", "substitution": "{{x}}", "smarty": "{$x}"}
LOOPS: Final[dict[Language, tuple[str, str]]] = {
    "mustachio": ("{{#each ../../x}}", "{{/each}}"),
    "substitution": ("{{each x}}", "{{end}}"),
    "smarty": ("{foreach $x as $y}", "{/foreach}"),
}
INSIDE: Final[dict[Language, list[str]]] = {
    "mustachio": ["{{x.__class__}}", "{{__class__}}", "{{x.upper}}", "{{items}}"],
    "substitution": ["{{x.__class__}}", "{{x['__class__']}}", "{{x.upper}}", "{{items}}"],
    "smarty": ["{$x.__class__}", "{$x['upper']}", "{$items}"],
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abx"), inner, max_size=3),
    max_leaves=8,
)
SCRAPS: Final = st.sampled_from(
    """{{ }} {{{ }}} { } {$ {{# {{/ {{^ {/ if each foreach else end a b x . .. ../ ( ) ' " | [ ] : + - * / # == and not
    1 \\ {{a}} {$a} {{end}} {/if} {/foreach} {{/a}} {{#a}} {{if~a}} {{each~b}} {if~$a} {foreach~$b~as~$x} ~""".replace(
        " ", "\n"
    )
    .replace("~", " ")
    .split("\n")
)


@pytest.mark.parametrize("language", LANGUAGES)
@given(
    scraps=st.lists(SCRAPS | st.text(max_size=3), max_size=30),
    data=st.dictionaries(st.sampled_from("abx"), json_values),
)
def test_any_text_is_a_template_or_told_to_be_none(
    language: Language, scraps: list[str], data: dict[str, Any]
) -> None:
    outcome = attempt(language, "".join(scraps), data)
    if isinstance(outcome, TemplateProblems):
        assert 1 <= len(outcome.problems) <= 20
    elif isinstance(outcome, TemplateFailure):
        assert str(outcome)
    else:
        assert len(outcome) <= 10_000


def attempt(language: Language, text: str, data: dict[str, Any]) -> str | TemplateProblems | TemplateFailure:
    try:
        return compile_template(language, text, "html").render(data, bounds=RenderBounds(1000, 10_000))
    except (TemplateProblems, TemplateFailure) as error:
        return error


@pytest.mark.parametrize("language", LANGUAGES)
@given(value=st.text())
def test_a_value_is_never_read_as_a_template(language: Language, value: str) -> None:
    assert compile_template(language, ECHO[language], "text").render({"x": value, "a": "!"}) == value


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_value_in_a_header_field_begins_another(language: Language) -> None:
    template = compile_template(language, ECHO[language], "header")
    for end in ("\r\n", "\n", "\r", "\u2028", "\x85", "\0", "\x0b"):
        assert template.render({"x": f"a{end}Bcc: b"}) == "a Bcc: b"


@pytest.mark.parametrize("language", LANGUAGES)
def test_loops_in_loops_end_at_the_bound_of_steps(language: Language) -> None:
    opens, closes = LOOPS[language]
    template = compile_template(language, opens * 12 + "x" + closes * 12, "text")
    with pytest.raises(TemplateFailure, match="too many steps"):
        template.render({"x": [1] * 100}, bounds=RenderBounds(steps=5_000))


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_written_ends_at_the_bound_of_characters(language: Language) -> None:
    template = compile_template(language, ECHO[language] * 100, "text")
    assert template.render({"x": "y" * 100}, bounds=RenderBounds(1000, 10_000)) == "y" * 10_000
    with pytest.raises(TemplateFailure, match="writes too much"):
        template.render({"x": "y" * 101}, bounds=RenderBounds(1000, 10_000))


@pytest.mark.parametrize(
    ("language", "text"), [(key, text) for key, texts in INSIDE.items() for text in texts]
)
def test_nothing_but_the_data_can_be_reached(language: Language, text: str) -> None:
    assert compile_template(language, text, "text").render({"x": "a"}) == ""


def test_a_template_that_is_too_long_is_told_so() -> None:
    with pytest.raises(TemplateProblems, match="2,000,000 are the most"):
        compile_template("smarty", "x" * (LONGEST + 1), "text")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_template_is_compiled_once(language: Language) -> None:
    assert compile_template(language, "same", "text") is compile_template(language, "same", "text")
    assert compile_template(language, "same", "text") is not compile_template(language, "same", "html")


def test_what_is_kept_compiled_is_bounded_by_characters() -> None:
    cache, template = TemplateCache(characters=10), compile_template("smarty", "x", "text")
    cache.put(b"a", template, 6)
    cache.put(b"b", template, 4)
    assert cache.get(b"a") is cache.get(b"b") is template
    cache.put(b"c", template, 1)
    assert (cache.get(b"a"), cache.get(b"c")) == (None, template)


def test_columns_count_what_editors_count() -> None:
    assert Places("a\n😀b\n").at(3) == (2, 3)
    assert Places("a\n").at(2) == (2, 1)
