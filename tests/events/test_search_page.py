"""docs/search.md has every field, with what is said of it in the code."""

from pathlib import Path

import pytest

from angarium.events.fields import MAIL

PAGE = (Path(__file__).parents[2] / "docs/search.md").read_text()


@pytest.mark.parametrize("name", MAIL.fields)
def test_every_field(name: str) -> None:
    field = MAIL.fields[name]
    starts = f"| `{name}`", f"| `{name}NAME`"
    (row,) = [line for line in PAGE.splitlines() if line.startswith(starts)]
    assert field.about in row
    assert ("Bare words look here." in row) == field.is_bare
    assert all(value in row for value in field.values)
