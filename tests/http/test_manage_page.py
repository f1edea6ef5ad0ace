"""docs/manage-api.md has every route, grant and sort of problem, and its example is true."""

import json
import re
from pathlib import Path

import pytest

from angarium.http.api.decoding import decode_body
from angarium.http.api.problem import SORTS, HttpProblem
from angarium.http.manage.bodies import AccountNew
from angarium.http.manage.table import MANAGE

PAGE = (Path(__file__).parents[2] / "docs/manage-api.md").read_text()


def test_every_route_and_no_other_is_in_the_table():
    rows = re.findall(r"^\| `([A-Z ]+)` \| `(/[^`]*)` \|", PAGE, re.MULTILINE)
    told = {(method, path) for methods, path in rows for method in methods.split()}
    assert told == {(endpoint.method, endpoint.path) for endpoint in MANAGE.told}


def test_every_grant_is_explained():
    for endpoint in MANAGE.told:
        assert endpoint.grant is None or re.search(rf"^\| .*`{endpoint.grant}`.* \| ", PAGE, re.MULTILINE)


def test_every_sort_of_problem_has_its_status():
    for name, sort in SORTS.items():
        assert f"\n| `{name}` | {sort.status} | " in PAGE


def test_the_example_of_a_problem_is_what_is_answered():
    shown = json.loads(re.search(r'^\{"type".*?\]\}$', PAGE, re.MULTILINE | re.DOTALL)[0])
    with pytest.raises(HttpProblem) as caught:
        decode_body(b'{"nam": "x"}', AccountNew)
    assert json.loads(caught.value.body()) == shown
