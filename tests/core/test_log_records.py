"""What is logged is what the page on the log describes.

`testing.log.described` holds the lines of each test's log against the catalogue, so any test that reads one is part of
this. The places in the program that log are looked at by `test_structure.py`.
"""

import json
from pathlib import Path

import pytest

from angarium.core.catalogue.docs import logs_page
from angarium.core.catalogue.logs import COMMON, FIELDS, RECORDS, faults_of

PAGE = Path(__file__).parents[2] / "docs/logs.md"


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
