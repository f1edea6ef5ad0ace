"""The table of states is the same in the code, in the documentation and in what happens."""

import re
from pathlib import Path

from angarium.core.records import TERMINAL
from angarium.queue.states import TRANSITIONS

DOCS = Path(__file__).parents[2] / "docs" / "queue.md"


def documented() -> dict[tuple[str, str], frozenset[str]]:
    section = DOCS.read_text().split("## States of a recipient")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \| (\w+) \| ([\w, ]+) \|$", section, re.MULTILINE)
    return {(state, event): frozenset(after.split(", ")) for state, event, after in rows if state != "state"}


def test_the_documentation_shows_every_transition() -> None:
    assert documented() == dict(TRANSITIONS)


def test_nothing_happens_after_a_final_state() -> None:
    assert not {state for state, _ in TRANSITIONS} & TERMINAL


def test_every_final_state_can_be_reached() -> None:
    assert {state for after in TRANSITIONS.values() for state in after} >= TERMINAL
