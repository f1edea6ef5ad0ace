"""One catalogue of all that happens: whole, with numbers that stay, and a page that is made from it."""

from pathlib import Path
from typing import get_args

from angarium.core.records import FACT_FIELDS, EventType, FactKind
from angarium.events.catalogue import BY_NUMBER, DETAILS, KINDS, PARTS, kind_of
from angarium.events.docs import events_page

PAGE = Path(__file__).parents[2] / "docs/events.md"


def test_all_that_the_journals_can_say_is_in_it() -> None:
    for name in (*get_args(EventType), *get_args(FactKind)):
        assert kind_of(name).name == ("received" if name == "reception" else name)
    assert kind_of("of the future").name == "unknown"


def test_numbers_are_each_ones_own() -> None:
    assert len(BY_NUMBER) == len(KINDS)
    stored = {"received": 1, "delivered": 10, "bounced": 12, "open": 30, "complaint": 40, "unknown": 99}
    assert {name: KINDS[name].number for name in stored} == stored


def test_every_detail_is_explained_and_every_explanation_needed() -> None:
    used = {name for kind in KINDS.values() for name in kind.details}
    assert used == DETAILS.keys()
    for name, fields in FACT_FIELDS.items():
        assert name == "reception" or KINDS[name].details == fields


def test_every_kind_has_its_part() -> None:
    assert {kind.part for kind in KINDS.values()} == PARTS.keys()


def test_the_page_is_made_from_it() -> None:
    assert PAGE.read_text() == events_page(), "run: python -m angarium.events.docs > docs/events.md"
