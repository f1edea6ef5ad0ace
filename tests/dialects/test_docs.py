"""docs/message-options.md says what the code does."""

import re
from pathlib import Path

import pytest

from angarium.core.options import NO_OPTIONS
from angarium.core.submission import Reason
from angarium.dialects import headers
from angarium.dialects.postmark import headers as postmark
from angarium.dialects.smtpeter import headers as smtpeter
from angarium.dialects.sparkpost import headers as sparkpost
from angarium.mime.header import Field

PAGE = (Path(__file__).parents[2] / "docs" / "message-options.md").read_text()


@pytest.mark.parametrize("reason", sorted({reason.label for reason in Reason}))
def test_every_reason_of_a_refusal_has_its_row(reason: str) -> None:
    assert any(line.startswith("|") and f"`{reason}`" in line.split("|")[1] for line in PAGE.splitlines())


@pytest.mark.parametrize(
    "limit",
    [
        postmark.MAX_TAG,
        postmark.MAX_KEYS,
        postmark.MAX_KEY,
        postmark.MAX_VALUE,
        postmark.MAX_STREAM,
    ],
)
def test_limits_stand_there(limit: int) -> None:
    assert str(limit) in PAGE


def test_limits_of_metadata_and_campaign_stand_there() -> None:
    assert f"at most {sparkpost.MAX_METADATA_OCTETS:,} bytes of JSON" in PAGE
    assert f"at most {sparkpost.MAX_CAMPAIGN_OCTETS} bytes" in PAGE
    assert f"at most {smtpeter.MAX_TAGS} tags of at most {smtpeter.MAX_TAG} characters" in PAGE
    assert f"{sparkpost.MAX_COPIES} in all" in PAGE
    assert f"{headers.MOST_FIELDS} option fields with {headers.MOST_OCTETS:,} bytes in all" in PAGE


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
    assert any(postmark.read([_field(name, value)]).options != NO_OPTIONS for value in ("true", "None", "x"))


@pytest.mark.parametrize("name", named("x-smtpeter-"))
def test_smtpeters_fields_are_understood(name: str) -> None:
    assert any(
        smtpeter.read([_field(name, value)]).options != NO_OPTIONS for value in ("true", "hosted", "x")
    )


@pytest.mark.parametrize("value", ["", " ", "\r\n\t", "=?utf-8?q??="])
@pytest.mark.parametrize("name", [*named("x-pm-"), *named("x-smtpeter-"), "x-smtpeter-", "x-pm-unknown"])
def test_an_empty_field_says_nothing(name: str, value: str) -> None:
    read = postmark.read if name.startswith("x-pm-") else smtpeter.read
    wish = read([_field(name, value)])
    assert (wish.options, wish.problems) == (NO_OPTIONS, ())


def _field(name: str, value: str) -> Field:
    return Field(name.encode(), f"{name}: {value}\r\n".encode(), b" " + value.encode())
