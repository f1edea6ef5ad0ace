"""What is logged is what the page on the log describes: every place in the program, and every line of a real run.

`testing.log.described` holds the lines of each test's log against the catalogue, so any test that reads one is part of
this.
"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

import angarium
from angarium.core.catalogue.docs import logs_page
from angarium.core.catalogue.logs import COMMON, FIELDS, RECORDS, faults_of
from angarium.core.log import LEVELS
from angarium.core.records import EventType

ROOT = Path(angarium.__file__).parent
PAGE = Path(__file__).parents[2] / "docs/logs.md"

NAMED_ELSEWHERE = {
    "engine/record.py": set(get_args(EventType)),
    "sql/outage.py": {"identity_outage", "identity_outage_over"},
}
"""Modules that log records whose names they are given, and those names."""


class Place(NamedTuple):
    """A call that logs: the literal name of its record, None for another expression, and the fields it names."""

    where: str
    level: str
    event: str | None
    fields: set[str]


def places() -> Iterator[Place]:
    for path in sorted(ROOT.rglob("*.py")):
        if path.is_relative_to(ROOT / "core/log.py") or path.is_relative_to(ROOT / "testing"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield from place_of(node, str(path.relative_to(ROOT)))


def place_of(call: ast.Call, where: str) -> Iterator[Place]:
    function = call.func
    fields = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
    if isinstance(function, ast.Name) and function.id == "say" and len(call.args) == 2:
        yield Place(where, "", literal(call.args[0]), fields)
    if not isinstance(function, ast.Attribute) or not ast.unparse(function.value).endswith("log"):
        return
    if function.attr == "fault":
        yield Place(where, "error", "bug", fields)
    elif function.attr == "add":
        yield Place(where, str(literal(call.args[0])), literal(call.args[1]), fields)
    elif function.attr in LEVELS:
        yield Place(where, function.attr, literal(call.args[0]), fields)


def literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


PLACES = list(places())


def test_every_place_that_logs_is_found():
    assert len(PLACES) > 50
    text = "".join(path.read_text() for path in ROOT.rglob("*.py"))
    assert len(re.findall(r"\blog\.(?:info|warning|error|debug|fault)\(", text)) <= len(PLACES)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.where}-{place.event}")
def test_every_place_logs_a_record_that_is_described_with_fields_that_are(place):
    if place.event is None:
        assert place.where in {*NAMED_ELSEWHERE, "submission/session/login.py"}
        return
    record = RECORDS[place.event]
    assert place.fields <= {*record.fields, *COMMON}
    if place.level:
        assert place.level in record.levels


def test_every_record_is_logged_somewhere():
    logged = {place.event for place in PLACES if place.event}.union(*NAMED_ELSEWHERE.values(), {"auth"})
    assert RECORDS.keys() - logged - {"auth_failed"} == set()


def test_every_field_is_of_some_record_and_every_field_of_a_record_is_described():
    used = {field for record in RECORDS.values() for field in record.fields} | set(COMMON)
    assert used == FIELDS.keys()
    for name, record in RECORDS.items():
        assert len(set(record.fields)) == len(record.fields), name
        assert not set(record.fields) & {"at", "level", "event", "cut"}, name


def test_names_say_the_kind():
    for name, field in FIELDS.items():
        assert name.endswith("_s") <= (field.kind == "number"), name
        assert (field.kind == "moment") == (name in ("at", "not_after") or name.endswith("_at")), name


@pytest.mark.parametrize(
    ("record", "faults"),
    [
        ({"event": "stopped", "level": "info", "at": "2026-11-30T14:02:10.250731Z", "worker": 0}, []),
        ({"event": "dance", "level": "info"}, ["record 'dance' is not described"]),
        ({"event": "stopped", "level": "error"}, ["stopped is not logged at level 'error'"]),
        ({"event": "stopped", "level": "info", "song": 1}, ["stopped has no field 'song'"]),
        ({"event": "stopped", "level": "info", "worker": "x"}, ["stopped: worker is no number: 'x'"]),
        ({"event": "stopped", "level": "info", "at": 1.5}, ["stopped: at is no moment: 1.5"]),
        (
            {"event": "stopped", "level": "info", "at": "30 Nov 2026"},
            ["stopped: at is no moment: '30 Nov 2026'"],
        ),
    ],
)
def test_a_line_that_is_not_as_described_is_told(record, faults):
    assert list(faults_of(record)) == faults


def test_the_page_is_made_from_the_tables():
    assert PAGE.read_text() == logs_page(), "python -m angarium.core.catalogue.docs logs > docs/logs.md"


def test_the_examples_of_the_page_are_records():
    examples = [line for line in PAGE.read_text().splitlines() if line.startswith("{")]
    assert len(examples) >= 2
    for line in examples:
        assert list(faults_of(json.loads(line))) == []
