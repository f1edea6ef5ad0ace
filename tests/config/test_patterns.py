"""An operator's patterns: what they take, and that no text makes them take long."""

import pickle
import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.config.patterns import Pattern, glob_pattern, read_pattern
from angarium.config.reading import BadValue
from angarium.config.values import domains

EXPLODING = ["(a+)+$", "(a|a)*b", "(a|aa)+$", "([a-z]+)*[0-9]", r"(.*a){20}$", r"^(\s*\S+\s*)*$"]


@pytest.mark.parametrize("text", EXPLODING)
def test_patterns_that_explode_elsewhere_answer_all_the_same(text: str) -> None:
    assert read_pattern(text).is_in("a" * 997 + "!") in (True, False)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("(?=a)b", "invalid perl operator: (?="),
        (r"(a)\1", r"invalid escape sequence: \1"),
        ("a++", "bad repetition operator: ++"),
        ("(a{1000}){1000}", "invalid repetition size"),
    ],
)
def test_what_cannot_be_matched_in_linear_time_is_refused_with_what_to_write(text: str, problem: str) -> None:
    with pytest.raises(BadValue) as caught:
        read_pattern(text)
    assert problem in str(caught.value)
    assert "without look-around" in caught.value.hint


def test_what_is_no_pattern_anywhere_is_named() -> None:
    with pytest.raises(BadValue, match=r"missing \): \(a") as caught:
        read_pattern("(a")
    assert caught.value.hint == ""


def test_a_pattern_has_a_length() -> None:
    with pytest.raises(BadValue, match="write at most 1000"):
        read_pattern("a" * 1_001)


@pytest.mark.parametrize("text", ["((ab?){9}c?){99}", "(((a?){30}){30})", ".{900}", "((a|b|c){9}){99}"])
def test_a_pattern_that_is_made_into_very_much_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="steps") as caught:
        read_pattern(text)
    assert caught.value.hint == "write smaller counts, and none inside others"


def test_a_list_of_names_as_long_as_a_pattern_may_be_is_not_too_much() -> None:
    names = "|".join(f"domain{number}\\.example" for number in range(45))
    assert len(names) < 1_000
    assert read_pattern(f"^({names})$").is_in("domain44.example")
    assert read_pattern(r"\pL+").is_in("ü")


@pytest.mark.parametrize("text", ["Mx7.example.com", "mx7", "MÜLLER mx7"])
def test_case_counts_unless_it_is_ignored(text: str) -> None:
    assert read_pattern("MX[0-9]|Ü", ignores_case=True).is_in(text)
    assert not read_pattern("zz|ü m").is_in(text)


def test_a_pattern_goes_to_other_processes_and_is_equal_there() -> None:
    pattern = read_pattern("^mx[0-9]+", ignores_case=True)
    copy = pickle.loads(pickle.dumps(pattern))
    assert copy == pattern
    assert copy.is_in("MX12")


@given(st.text("ab*?.[]+\\$", max_size=8), st.text("ab.[]+\\$\n", max_size=8))
def test_a_glob_means_what_it_means_to_a_shell_but_for_brackets(glob: str, text: str) -> None:
    escaped = glob.replace("[", "[[]")
    assert glob_pattern(glob).is_in(text) == fnmatchcase(text, escaped)


@pytest.mark.parametrize("glob", ["*a" * 120 + "*b", "?" * 250 + "*", "*?" * 120])
def test_a_glob_with_many_stars_answers_all_the_same(glob: str) -> None:
    assert domains(glob).contains("a" * 253) in (True, False)


@given(
    st.lists(st.sampled_from(["a.b", "*.b", "*.a.b", "*b", "a?b", "*"])),
    st.sampled_from(["b", "a.b", "x.a.b", "axb", "c"]),
)
def test_a_set_of_domains_holds_what_one_of_its_globs_matches(globs: list[str], domain: str) -> None:
    assert domains(*globs).contains(domain) == any(fnmatchcase(domain, glob) for glob in globs)


@given(
    text=st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40),
    pattern=st.sampled_from(["^a", "b$", "[0-9]{2,}", "a.c", r"\bx\b", "(?:ab|cd)+", "^$", "[^a-z]"]),
)
def test_plain_patterns_mean_what_they_mean_in_python(text: str, pattern: str) -> None:
    assert Pattern(pattern).is_in(text) == (re.compile(pattern, re.ASCII).search(text) is not None)


@given(st.text(max_size=30))
def test_any_text_can_be_looked_at(text: str) -> None:
    """Undecodable bytes of a header arrive as lone surrogates."""
    assert read_pattern("").is_in(text + "\udc80")
