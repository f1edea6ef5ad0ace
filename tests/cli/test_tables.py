"""Tables and times: what a person reads at a terminal, wide and narrow, and in a pipe."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.cli.tables import Column, Row, Toned, columns_of, table_lines, wrapped
from angarium.cli.times import clock, moment, relative, rfc3339, when

NOON = 1_700_049_600.0  # 12:00:00 UTC
COLUMNS = (
    Column("MESSAGE"),
    Column("RECIPIENT", flexible=True),
    Column("SENDER", flexible=True, yields=True),
    Column("STATE"),
    Column("TRIES", numeric=True),
)
ID = "01a1fdba29c3712cb8cc52757d868ff0"
ROWS = (
    Row((ID, "b@example.org", "<a@example.com>", "queued", "2"), ["451 4.2.1 later"]),
    Row((ID, "a.rather.long.name@mail.customer-of-ours.example", "<a@example.com>", "held", "10")),
)


def shown(width):
    return "\n".join(line.text for line in table_lines(COLUMNS, ROWS, width))


def test_without_a_width_each_row_is_one_line():
    assert shown(None) == (
        "MESSAGE                           RECIPIENT                                         "
        "SENDER           STATE   TRIES\n"
        "01a1fdba29c3712cb8cc52757d868ff0  b@example.org                                     "
        "<a@example.com>  queued      2\n"
        "    451 4.2.1 later\n"
        "01a1fdba29c3712cb8cc52757d868ff0  a.rather.long.name@mail.customer-of-ours.example  "
        "<a@example.com>  held       10"
    )


def test_what_may_yield_goes_under_its_row_first():
    assert shown(100) == (
        "MESSAGE                           RECIPIENT                                         STATE   TRIES\n"
        "01a1fdba29c3712cb8cc52757d868ff0  b@example.org                                     queued      2\n"
        "    sender <a@example.com>\n"
        "    451 4.2.1 later\n"
        "01a1fdba29c3712cb8cc52757d868ff0  a.rather.long.name@mail.customer-of-ours.example  held       10\n"
        "    sender <a@example.com>"
    )


def test_a_name_that_is_longer_than_its_column_pushes_the_rest_to_the_next_line():
    assert shown(72) == (
        "MESSAGE                           RECIPIENT                STATE   TRIES\n"
        "01a1fdba29c3712cb8cc52757d868ff0  b@example.org            queued      2\n"
        "    sender <a@example.com>\n"
        "    451 4.2.1 later\n"
        "01a1fdba29c3712cb8cc52757d868ff0\n"
        "                        a.rather.long.name@mail.customer-of-ours.example\n"
        "                                                           held       10\n"
        "    sender <a@example.com>"
    )


def test_letters_of_east_asia_take_two_columns():
    rows = [Row(("例え.テスト", "1")), Row(("example", "22"))]
    assert [columns_of(line.text) for line in table_lines([Column("A"), Column("B", True)], rows)] == [
        15,
        15,
        15,
    ]


CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS, CELLS), max_size=4), st.none() | st.integers(1, 120))
def test_whatever_the_width_every_cell_is_shown_whole(cells, width):
    lines = table_lines(COLUMNS, [Row(row) for row in cells], width)
    text = "\n".join(line.text for line in lines)
    joined = " ".join(" ".join(line.text.split()) for line in lines)
    for row in cells:
        for cell in row:
            if cell.isprintable() and cell.strip():
                assert cell in text or " ".join(cell.split()) in joined


NAMES = st.text("abc.@", max_size=50)


@given(
    st.lists(
        st.tuples(NAMES, NAMES, st.sampled_from(["queued", "held"]), st.integers(0, 99_999)), min_size=1
    ),
    st.integers(54, 120),
)
def test_no_line_is_longer_than_the_terminal(rows, width):
    columns = (Column("DOMAIN", flexible=True), Column("BINDING", flexible=True), *COLUMNS[3:])
    cells = [Row((first, second, state, str(number)), [second]) for first, second, state, number in rows]
    assert max(columns_of(line.text) for line in table_lines(columns, cells, width)) <= width


def test_details_are_dim_unless_they_say_otherwise_and_are_broken_between_words():
    row = Row(["x"], ["a long reply of a peer that explains itself", Toned("why: it waits", "warn")])
    lines = table_lines([Column("A")], [row], 30)
    assert [(line.text, line.pieces[0].tone) for line in lines[2:]] == [
        ("    a long reply of a peer", "dim"),
        ("        that explains itself", "dim"),
        ("    why: it waits", "warn"),
    ]


def test_a_number_is_not_parted_from_its_unit():
    assert wrapped("it has waited for 2 h 5 min, since 18 s", 24) == [
        "it has waited for 2 h",
        "    5 min, since 18 s",
    ]
    assert wrapped("    why: it has been so, since 18 s", 33) == [
        "    why: it has been so, since",
        "        18 s",
    ]


def test_a_word_that_is_longer_than_the_terminal_stays_whole():
    assert wrapped("see https://example.com/a-very-long-address now", 20) == [
        "see",
        "    https://example.com/a-very-long-address",
        "    now",
    ]


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (None, "-"),
        (NOON + 0.9, "now"),
        (NOON - 0.9, "now"),
        (NOON + 12, "in 12 s"),
        (NOON - 185, "3 min ago"),
        (NOON - 90_000, "1 d 1 h ago"),
    ],
)
def test_a_relative_time_knows_the_past_from_the_future(at, text):
    assert relative(at, NOON) == text


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_no_relative_time_is_negative(at, now):
    assert "-" not in relative(at, now)


@pytest.mark.parametrize(
    ("zone", "short", "day", "whole"),
    [
        ("UTC", "12:00:00Z", "2023-11-17 12:00Z", "2023-11-15 12:00:00.250Z"),
        ("Europe/Amsterdam", "13:00:00+01:00", "2023-11-17 13:00+01:00", "2023-11-15 13:00:00.250+01:00"),
        ("America/St_Johns", "08:30:00-03:30", "2023-11-17 08:30-03:30", "2023-11-15 08:30:00.250-03:30"),
    ],
)
def test_people_are_told_the_local_clock_with_its_offset_and_programs_utc(
    monkeypatch, zone, short, day, whole
):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    assert (when(NOON, NOON), when(NOON + 172_800, NOON), moment(NOON + 0.25)) == (short, day, whole)
    assert rfc3339(NOON + 0.25) == "2023-11-15T12:00:00.250Z"
    assert clock(NOON + 0.9999) == whole[11:17] + "01.000"
