"""The log never stops the mail, and never loses a line to a reader that reads."""

import json
import os
import select

from hypothesis import given
from hypothesis import strategies as st

from angarium.core.log import Log


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
    os.close(writer)
    os.close(reader)


@given(st.lists(st.integers(0, 20_000)))
def test_what_is_read_comes_whole_and_in_order(sizes):
    reader, writer = os.pipe()
    file = os.memfd_create("log")
    to_pipe, to_file = Log(writer, fmt="json"), Log(file, fmt="json")
    came = b""
    for number, size in enumerate(sizes):
        for log in (to_pipe, to_file):
            log.info("attempt", 1.0, number=number, text="x" * size)
        came += os.read(reader, 1 << 20)
    assert came == os.pread(file, 1 << 30, 0)
    for fd in (reader, writer, file):
        os.close(fd)
