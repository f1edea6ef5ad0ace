"""docs/search.md has every field of the documentation, with what is said of it in the code."""

from pathlib import Path

import pytest

from angarium.documentation.search import DOCUMENTATION

PAGE = (Path(__file__).parents[2] / "docs/search.md").read_text().partition("## In the documentation")[2]


@pytest.mark.parametrize("name", DOCUMENTATION.fields)
def test_every_field(name: str) -> None:
    field = DOCUMENTATION.fields[name]
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}`")]
    assert field.about in row
    assert all(value in row for value in field.values)
