"""Suppressions as CSV: what vendors export is read, what is wrong is named by its line, and what is written is read."""

import csv
from collections.abc import Iterable
from datetime import UTC, datetime
from io import StringIO
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from angarium.identity.store.store import IdentityStore
from angarium.suppressions.exchange import COLUMNS, CsvLine, read_lines, row_of_csv
from angarium.suppressions.records import CauseFilter, NewCause

NOW = 1_795_262_400.0
JANUARY = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()


def make(**said: Any) -> NewCause:
    return NewCause(account=1, origin="import", **said)


def read(text: str, scope: str = "*") -> list[CsvLine]:
    return list(read_lines(text.splitlines(keepends=True), make, NOW, scope))


def causes(lines: Iterable[CsvLine]) -> list[tuple[object, ...]]:
    return [
        (each.cause.what, each.cause.reason, each.cause.scope, each.cause.at) for each in lines if each.cause
    ]


def test_a_list_of_addresses_is_enough() -> None:
    assert causes(read("a@x.example\n\nb@x.example\n", "7/news")) == [
        ("a@x.example", "manual", "7/news", NOW),
        ("b@x.example", "manual", "7/news", NOW),
    ]


def test_a_file_of_sparkpost_is_read_as_it_is() -> None:
    text = (
        "recipient,type,source,description,created,updated\n"
        "a@x.example,non_transactional,Spam Complaint,told us,2026-01-02T03:04:05Z,\n"
        "b@x.example,transactional,Bounce Rule,,2026-01-02T03:04:05+00:00,\n"
    )
    assert causes(read(text)) == [
        ("a@x.example", "complaint", "*/broadcast", JANUARY),
        ("b@x.example", "hard_bounce", "*/transactional", JANUARY),
    ]


def test_a_file_of_postmark_is_read_as_it_is() -> None:
    names = "\ufeffEmailAddress,SuppressionReason,Origin,CreatedAt\n"
    found = causes(read(names + "a@x.example,HardBounce,Recipient,2026-01-02T03:04:05Z\n"))
    assert found == [("a@x.example", "hard_bounce", "*", JANUARY)]


def test_what_is_wrong_is_named_by_its_line_and_the_others_are_read() -> None:
    text = (
        "address,reason,scope,at,expires_at\n"
        "nonsense,,,,\n"
        "a@x.example,because,,,\n"
        "a@x.example,,somewhere,,\n"
        "a@x.example,,,yesterday,\n"
        "a@x.example,,,2026-01-02,2026-01-01\n"
        '"a@x.example\nb@x.example",,,,\n'
        "good@x.example,unsubscribe,7/news,,2099-01-01\n"
    )
    found = read(text)
    assert [line.number for line in found] == [2, 3, 4, 5, 6, 8, 9]
    assert [line.cause is None for line in found] == [True] * 6 + [False]
    assert (
        found[1].problem == "reason: 'because' is none; write hard_bounce, complaint, unsubscribe or manual"
    )
    assert found[2].problem.startswith("scope: 'somewhere' is none")
    assert found[3].problem.startswith("at: 'yesterday' is no time")
    assert found[4].problem.startswith("expires_at: it expires before it begins")


@given(st.text())
def test_anything_is_read_or_said_to_be_wrong(text: str) -> None:
    for line in read(text):
        assert (line.cause is None) == bool(line.problem)


def test_what_is_written_is_read_again(store: IdentityStore) -> None:
    ledger = store.suppressions
    said = [
        make(
            what="a@x.example",
            reason="hard_bounce",
            scope="7/news",
            at=JANUARY,
            expires_at=NOW,
            note='a "b", c',
        ),
        make(what="/^a,b@/", reason="unsubscribe", at=NOW),
    ]
    ledger.add(said, actor="cli:test")
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(row_of_csv(cause) for cause in ledger.page(CauseFilter()))
    assert [line.cause for line in read(out.getvalue())] == said
