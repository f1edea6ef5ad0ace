"""`http/api` is what every interface over HTTP shares: it knows none of them, and each is one table under a prefix."""

from pathlib import Path

import pytest

import angarium
from angarium.http.api.endpoint import Api
from angarium.http.manage.table import MANAGE
from angarium.http.operate.table import OPERATE

FOLDER = Path(angarium.__file__).parent / "http" / "api"


@pytest.mark.parametrize("word", ["manage", "operate"])
def test_no_interface_is_named(word: str) -> None:
    named = [path.name for path in FOLDER.glob("*.py") if word in path.read_text().lower()]
    assert named == []


@pytest.mark.parametrize(("api", "prefix"), [(MANAGE, "/manage/v1"), (OPERATE, "/operate/v1")])
def test_an_interface_is_one_table_under_its_prefix(api: Api, prefix: str) -> None:
    assert api.prefix == prefix
    assert not any(endpoint.path.startswith(prefix) for endpoint in api.endpoints)
    kinds = [(endpoint.method, endpoint.path) for endpoint in api.endpoints]
    assert len(kinds) == len(set(kinds))
