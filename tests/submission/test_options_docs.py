"""docs/message-options.md says what the code does."""

import re
from pathlib import Path
from typing import get_args

import pytest

from angarium.core.options import NO_OPTIONS
from angarium.mime.header import Field
from angarium.submission import dialect, msys, pm, smtpeter
from angarium.submission.dialect_values import Reason

PAGE = (Path(__file__).parents[2] / "docs" / "message-options.md").read_text()


@pytest.mark.parametrize("reason", get_args(Reason))
def test_every_reason_of_a_refusal_has_its_row(reason: str) -> None:
    assert any(line.startswith("|") and f"`{reason}`" in line.split("|")[1] for line in PAGE.splitlines())


@pytest.mark.parametrize("limit", [pm.MAX_TAG, pm.MAX_KEYS, pm.MAX_KEY, pm.MAX_VALUE, pm.MAX_STREAM])
def test_limits_stand_there(limit: int) -> None:
    assert str(limit) in PAGE


def test_limits_of_metadata_and_campaign_stand_there() -> None:
    assert f"at most {msys.MAX_METADATA_OCTETS:,} bytes of JSON" in PAGE
    assert f"at most {msys.MAX_CAMPAIGN_OCTETS} bytes" in PAGE
    assert f"at most {smtpeter.MAX_TAGS} tags of at most {smtpeter.MAX_TAG} characters" in PAGE
    assert f"{msys.MAX_COPIES} in all" in PAGE
    assert f"{dialect.MOST_FIELDS} option fields with {dialect.MOST_OCTETS:,} bytes in all" in PAGE


def named(prefix: str) -> list[str]:
    """The fields that the page names in its tables, in lower case."""
    rows = [line.split("|")[1].lower() for line in PAGE.splitlines() if line.startswith("| `")]
    return [
        name
        for row in rows
        for name in re.findall(r"`([a-z-]+)", row)
        if len(name) > len(prefix) and name.startswith(prefix)
    ]


def test_all_of_them_stand_there() -> None:
    assert (len(named("x-pm-")), len(named("x-smtpeter-"))) == (9, 7)


@pytest.mark.parametrize("name", named("x-pm-"))
def test_postmarks_fields_are_understood(name: str) -> None:
    name += "key" if name.endswith("-") else ""
    assert any(pm.read([_field(name, value)])[0] != NO_OPTIONS for value in ("true", "None", "x"))


@pytest.mark.parametrize("name", named("x-smtpeter-"))
def test_smtpeters_fields_are_understood(name: str) -> None:
    assert any(smtpeter.read([_field(name, value)])[0] != NO_OPTIONS for value in ("true", "hosted", "x"))


@pytest.mark.parametrize("value", ["", " ", "\r\n\t", "=?utf-8?q??="])
@pytest.mark.parametrize("name", [*named("x-pm-"), *named("x-smtpeter-"), "x-smtpeter-", "x-pm-unknown"])
def test_an_empty_field_says_nothing(name: str, value: str) -> None:
    read = pm.read if name.startswith("x-pm-") else smtpeter.read
    assert read([_field(name, value)]) == (NO_OPTIONS, [])


def _field(name: str, value: str) -> Field:
    return Field(name.encode(), f"{name}: {value}\r\n".encode(), b" " + value.encode())
