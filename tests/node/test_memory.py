"""Memory is what is in use: mail is refused for what the worker holds, not for what is free to be used again."""

import os

import pytest

from angarium.node.memory import ProcessMemory, resident_bytes_of, trim
from angarium.testing.lab import Lab, submit
from angarium.testing.node import Node

LIMIT = 1000


class Process:
    """A process of whose memory the half can be given back."""

    def __init__(self) -> None:
        self.resident = 2 * LIMIT
        self.given_back = 0

    def look(self) -> int:
        return self.resident

    def give_back(self) -> None:
        self.given_back += 1
        self.resident //= 2


def test_what_is_free_is_given_back_before_it_is_called_too_much_at_most_once_a_minute() -> None:
    process = Process()
    memory = ProcessMemory(process.look, process.give_back)
    assert memory.resident_bytes(LIMIT + 1, 0.0) == LIMIT
    process.resident = 2 * LIMIT
    assert memory.resident_bytes(LIMIT, 59.0) == 2 * LIMIT
    assert memory.resident_bytes(LIMIT, 60.0) == LIMIT
    assert process.given_back == 2


def test_nothing_is_given_back_while_there_is_room_or_no_bound() -> None:
    process = Process()
    memory = ProcessMemory(process.look, process.give_back)
    assert memory.resident_bytes(3 * LIMIT, 0.0) == memory.resident_bytes(0, 0.0) == 2 * LIMIT
    assert process.given_back == 0


def test_the_system_is_asked_and_takes_back_what_is_free() -> None:
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    small = [bytes(1000) for _ in range(100_000)]  # each too small to be given back by itself
    del small[::2]
    before = resident_bytes_of(statm)
    assert before > 50_000_000
    small.clear()
    trim()
    assert resident_bytes_of(statm) < before
    os.close(statm)


@pytest.mark.process
def test_a_worker_that_is_larger_than_its_limit_and_holds_nothing_takes_mail(lab: Lab) -> None:
    """No Python process is as small as this."""
    sink = lab.sink()
    config = f'Gateway = "127.0.0.1"\nRemote_SMTP_Port = {sink.port}\nMemory_Limit = 1048576\n'
    with Node(config, workers=1) as node:
        submit(node.smtp_port, "me@example.org", ["you@example.com"])
        sink.wait_for_messages(1)
        assert "memory_resident_bytes" in node.get("/metrics")[1]
