"""Bodies become records, and changes keep what they do not speak of."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core import suggest
from angarium.core.options import NO_OPTIONS, Options
from angarium.http.api.decoding import decode_body, decode_query
from angarium.http.api.problem import HttpProblem
from angarium.http.manage.bodies import LimitsBody, OptionsBody, limits_with, options_with
from angarium.http.manage.call import PageQuery
from angarium.http.manage.table import ENDPOINTS
from angarium.http.manage.views import _limits
from angarium.identity.limits import Limits, Rate

BODIES = sorted({endpoint.body for endpoint in ENDPOINTS if endpoint.body}, key=lambda kind: kind.__name__)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_the_options_of_the_api_are_those_of_messages():
    """An option that is added to messages must be settable."""
    assert OptionsBody.__struct_fields__ == Options.__struct_fields__


def test_the_limits_of_the_api_are_those_of_accounts():
    assert LimitsBody.__struct_fields__ == Limits.__struct_fields__


@pytest.mark.parametrize("kind", BODIES, ids=lambda kind: kind.__name__)
def test_no_body_takes_unknown_fields(kind):
    with pytest.raises(HttpProblem) as caught:
        decode_body(b'{"surely_unknown": 1}', kind)
    assert "/surely_unknown" in {error.pointer for error in caught.value.errors}


def test_of_very_much_that_is_wrong_the_first_is_told():
    names = {f"unknown-{number}": 1 for number in range(50_000)}
    with pytest.raises(HttpProblem) as caught:
        decode_body(msgspec.json.encode(names), OptionsBody)
    *told, last = caught.value.errors
    assert [error.pointer for error in told] == [f"/unknown-{number}" for number in range(20)]
    assert (last.pointer, last.detail) == ("", "there is more that is wrong; these are the first 20")


@pytest.mark.parametrize(
    "body", [{"n" * 1_000_000: 1}, {"limits": {"n" * 1_000_000: 1}}, {"limits": [{"n" * 1_000_000: 1}]}]
)
def test_a_long_name_is_neither_compared_nor_said_back_whole(body, monkeypatch):
    """Comparing it with what is known took ten seconds, in which the node answered nobody."""
    compared = []
    monkeypatch.setattr(suggest, "get_close_matches", lambda name, *_: compared.append(name) or [])
    with pytest.raises(HttpProblem) as caught:
        decode_body(
            msgspec.json.encode(body), next(kind for kind in BODIES if "limits" in kind.__struct_fields__)
        )
    assert [name for name in compared if len(name) > 64] == []
    assert len(caught.value.body()) < 10_000


def problem_of(decode, *arguments) -> HttpProblem | None:
    """Return the problem that comes of decoding, None when a record does; nothing else may be raised."""
    try:
        decode(*arguments)
    except HttpProblem as problem:
        return problem
    return None


@pytest.mark.slow
@pytest.mark.parametrize("kind", BODIES, ids=lambda kind: kind.__name__)
@given(value=st.dictionaries(st.sampled_from(["name", "limits", "options", "grants", "x/y~z"]), json_values))
def test_whatever_comes_is_a_record_or_a_problem_with_fields(kind, value):
    problem = problem_of(decode_body, msgspec.json.encode(value), kind)
    assert problem is None or (problem.status == 400 and problem.errors)


@pytest.mark.parametrize("kind", BODIES, ids=lambda kind: kind.__name__)
@given(data=st.binary(max_size=200))
def test_whatever_bytes_come_there_is_no_other_error(kind, data):
    problem = problem_of(decode_body, data, kind)
    assert problem is None or problem.status == 400


@given(st.lists(st.tuples(st.sampled_from(["after", "limit", "x"]), st.text(max_size=5)), max_size=3))
def test_whatever_query_comes_is_a_record_or_a_problem(pairs):
    problem = problem_of(decode_query, pairs, PageQuery)
    assert problem is not None or 1 <= decode_query(pairs, PageQuery).limit <= 500
    assert problem is None or problem.status == 400


@given(
    st.builds(
        Limits,
        rate=st.none() | st.builds(Rate, st.integers(1), st.integers(1, 86_400)),
        daily_quota=st.none() | st.integers(1),
        max_recipients=st.none() | st.integers(1),
    )
)
def test_limits_that_are_shown_and_sent_back_are_the_same(limits):
    assert limits_with(Limits(daily_quota=3), _limits(limits, LimitsBody)) == limits


def test_an_option_that_is_not_said_stays_and_null_takes_it_back():
    old = Options(track_opens=True, tags=("a",), binding="warm")
    body = decode_body(b'{"tags": ["b", "c"], "binding": null}', OptionsBody)
    assert options_with(old, body) == Options(track_opens=True, tags=("b", "c"))
    assert options_with(NO_OPTIONS, msgspec.UNSET) is NO_OPTIONS


def test_a_pointer_escapes_what_rfc_6901_says():
    with pytest.raises(HttpProblem) as caught:
        decode_body(b'{"a/b~c": 1}', OptionsBody)
    assert caught.value.errors[0].pointer == "/a~1b~0c"


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000], ids=["lists", "objects"])
def test_a_body_without_end_to_its_nesting_is_told_as_such(body):
    with pytest.raises(HttpProblem, match="nested too deeply"):
        decode_body(body, BODIES[0])
