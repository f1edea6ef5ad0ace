"""The page about Postmark is true."""

import importlib.metadata
import json
import re
from pathlib import Path

import pytest

from angarium.http.postmark.docs import BEGIN, END, routes_part

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/from-postmark.md").read_text()


def test_its_routes_are_those_of_the_table() -> None:
    begin, end = PAGE.index(BEGIN), PAGE.index(END) + len(END)
    assert PAGE[begin:end] == routes_part(), "run: python -m angarium.http.postmark.docs"


@pytest.mark.parametrize("name", ["postmark-python", "postmarker", "django-anymail"])
def test_versions_of_clients_are_those_that_are_run(name: str) -> None:
    assert f"| {name} | {importlib.metadata.version(name)} |" in PAGE


def test_the_version_of_the_client_for_node_is_the_one_that_is_run() -> None:
    locked = json.loads((ROOT / "tests/peers/node/package-lock.json").read_text())
    (version,) = re.findall(r"\| postmark \(Node\) \| (\S+) \|", PAGE)
    assert locked["packages"]["node_modules/postmark"]["version"] == version
