"""The log never stops the mail, and never loses a line to a reader that reads."""

import json
import os
import select

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.log import MOST_LINE, Log
from angarium.testing.log import kept_log, text_of


def test_a_log_that_nobody_reads_holds_nobody_up_and_goes_on_when_it_is_read():
    reader, writer = os.pipe()
    log = Log(writer, fmt="json")
    for number in range(5000):
        log.info("attempt", 1.0, number=number, text="x" * 1000)
    came = os.read(reader, 1 << 20)
    for _ in range(20):
        log.flush()
        came += os.read(reader, 1 << 20) if select.select([reader], [], [], 0)[0] else b""
    numbers = [json.loads(line)["number"] for line in came.splitlines()]
    assert numbers == list(range(len(numbers)))
    assert 250 < len(numbers) < 5000
    assert log.lost == 5000 - len(numbers)
    assert log.unread == 0  # it is read again
    os.close(writer)
    os.close(reader)


def test_one_call_is_planned_at_a_time_however_long_nobody_reads():
    reader, writer = os.pipe()
    planned = []
    log = Log(writer, fmt="json", later=planned.append)
    for number in range(2000):
        log.info("attempt", 1.0, number=number, text="x" * 1000)
        if number % 10 == 0:
            log.flush()  # as somebody does who asks whether it is read
        if number % 25 == 0 and planned:
            planned.pop()()
        assert len(planned) <= 1
    os.read(reader, 1 << 20)
    while planned:
        planned.pop()()
        os.read(reader, 1 << 20)
    assert log.unread == 0
    os.close(writer)
    os.close(reader)


def test_lines_are_counted_that_nobody_will_read_any_more():
    reader, writer = os.pipe()
    log = Log(writer, fmt="json")
    os.close(reader)
    for number in range(3):
        log.info("attempt", 1.0, number=number)
    assert (log.lost, log.unread) == (3, 3)
    os.close(writer)


def test_it_is_unread_once_a_line_is_lost_and_not_before():
    reader, writer = os.pipe()
    log = Log(writer, fmt="json")
    number = 0
    while not log.lost:
        assert log.unread == 0
        log.info("attempt", 1.0, number=number, text="x" * 1000)
        number += 1
    assert log.unread == log.lost
    os.read(reader, 1 << 20)
    log.flush()
    assert (log.unread, log.lost > 0) == (0, True)
    os.close(writer)
    os.close(reader)


@given(st.lists(st.integers(0, 20_000)))
def test_what_is_read_comes_whole_and_in_order_in_lines_that_a_pipe_takes_whole(sizes):
    reader, writer = os.pipe()
    file = os.memfd_create("log")
    to_pipe, to_file = Log(writer, fmt="json"), Log(file, fmt="json")
    came = b""
    for number, size in enumerate(sizes):
        for log in (to_pipe, to_file):
            log.info("attempt", 1.0, number=number, text="x" * size)
        came += os.read(reader, 1 << 20)
    assert came == os.pread(file, 1 << 30, 0)
    assert [json.loads(line)["number"] for line in came.splitlines()] == list(range(len(sizes)))
    assert all(len(line) <= MOST_LINE for line in came.splitlines(keepends=True))
    for fd in (reader, writer, file):
        os.close(fd)


TEXTS = st.text(st.characters())  # with halves of surrogate pairs
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


@given(
    st.dictionaries(st.sampled_from(["peer", "reply", "user", "error", "traceback"]), VALUES), st.booleans()
)
def test_whatever_a_record_holds_its_line_is_one_whole_and_short(fields, is_long):
    if is_long:
        fields = {name: [value] * 3000 for name, value in fields.items()}
    log = kept_log()
    log.info("stopped", 1_000_000_000.25, **fields)
    [line] = text_of(log).split("\n")[:-1]
    record = json.loads(line)
    assert len(line.encode()) < MOST_LINE
    assert record["at"] == "2001-09-09T01:46:40.250000Z"
    assert record.keys() - {"at", "level", "event", "cut"} <= fields.keys()
    assert "cut" in record or record.keys() >= fields.keys()


def test_what_is_too_long_is_shortened_and_of_a_traceback_the_end_is_kept():
    log = kept_log()
    log.error(
        "bug", 0.0, error="e" * 9000, traceback="start" + "x" * 9000 + "the last line", peer="192.0.2.1:25"
    )
    record = json.loads(text_of(log))
    assert record["error"].startswith("eee")
    assert record["error"].endswith("…")
    assert record["traceback"].endswith("the last line")
    assert (record["peer"], record["cut"]) == ("192.0.2.1:25", True)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (1_796_073_040.25, "2026-11-30T21:10:40.250000Z"),
        (1_796_073_040.999999, "2026-11-30T21:10:40.999999Z"),
        (1_796_073_041.0, "2026-11-30T21:10:41.000000Z"),
    ],
)
def test_times_are_rfc_3339(at, text):
    log = kept_log()
    log.info("stopped", 5.0)
    log.info("stopped", at)
    assert json.loads(text_of(log).splitlines()[1])["at"] == text


def test_what_every_record_has_stands_before_what_one_has():
    memory = os.memfd_create("log")
    Log(memory, fmt="json", fields={"worker": 3}).info("stopped", 0.0)
    assert os.pread(memory, 1000, 0).endswith(b'"event":"stopped","worker":3}\n')
    os.close(memory)
