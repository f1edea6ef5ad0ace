"""What a node makes of a data folder that something has happened to while it was down, or that is in use."""

import asyncio
import smtplib
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from angarium.spool.codec import ACCEPT
from angarium.spool.disk import RealDisk
from angarium.spool.files.reader import opened_log
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.programs import PATIENCE_S, free_port
from angarium.testing.sink import Sink

pytestmark = pytest.mark.process

SMALL = "Spool_Segment_Size = 1048576\nSpool_Max_Journal_Size = 8388608\nRetry_Interval = 1\n"


def config(port: int) -> str:
    return f'{SMALL}Routes = ( "smtp://127.0.0.1?port={port}" )\n'


def send(node: Node, numbers: range) -> None:
    with smtplib.SMTP("127.0.0.1", node.smtp_port) as client:
        for number in numbers:
            client.sendmail(
                "a@example.org", f"r{number}@example.com", f"Subject: {number}\r\n\r\ntext {number}\r\n"
            )


def accepted_records(partition: Path) -> list[tuple[Path, int, int]]:
    """File, begin and end of every message's record, in order."""
    found = []
    with opened_log(partition, RealDisk()) as (log, _):
        for segment in log.from_generation(0):
            records = [
                item
                for item in log.scan_of(segment).read(0, log.ends.get(segment.generation))
                if getattr(item, "kind", 0) == ACCEPT
            ]
            found += [(segment.path, record.offset, record.end) for record in records]
    return found


@contextmanager
def a_node_that_was_killed_with(count: int, folder: Path, workers: int = 1) -> Iterator[Node]:
    """A node that has taken *count* messages, whose peer never said a word, and is dead. It is closed at the end."""
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        Node(config(silent.getsockname()[1]), workers=workers, folder=folder) as node,
    ):
        send(node, range(count))
        node.kill()
        yield node


def delivered(node: Node, count: int) -> list[str]:
    """Start the node again with a peer that takes mail; return who got it, once *count* have and nothing is left."""

    async def story() -> list[str]:
        async with Sink() as sink:
            node.configure(config(sink.address[1]))
            await asyncio.to_thread(node.start)
            await asyncio.wait_for(sink.wait_for_messages(count), PATIENCE_S)
            await asyncio.to_thread(node.stop)
            return sorted(message.recipients[0] for message in sink.messages)

    return asyncio.run(story())


def addresses(*numbers: int) -> list[str]:
    return [f"r{number}@example.com" for number in numbers]


@pytest.mark.parametrize("left", ["nothing", "half a header", "half a body"])
def test_a_torn_last_write_costs_what_it_held_and_nothing_else(tmp_path: Path, left: str) -> None:
    with a_node_that_was_killed_with(5, tmp_path) as node:
        path, begin, end = accepted_records(node.data / "spool" / "p0")[-1]
        keep = {"nothing": begin, "half a header": begin + 16, "half a body": (begin + end) // 2}[left]
        with path.open("r+b") as file:
            file.truncate(keep)
        (node.data / "spool" / "p0" / "durable").unlink()  # it says that the write was finished
        assert delivered(node, 4) == addresses(0, 1, 2, 3)
        (recovered,) = [event for event in node.events if event["event"] == "recovered"]
        assert (recovered["recipients"], recovered["damaged"]) == (4, 0)
        assert (recovered["torn_bytes"] > 0) == (left != "nothing")


def test_a_flipped_bit_in_the_middle_is_set_aside_and_counted(tmp_path: Path) -> None:
    with a_node_that_was_killed_with(5, tmp_path) as node:
        path, begin, end = accepted_records(node.data / "spool" / "p0")[2]
        with path.open("r+b") as file:
            file.seek((begin + end) // 2)
            byte = file.read(1)[0]
            file.seek((begin + end) // 2)
            file.write(bytes([byte ^ 0x10]))
        assert delivered(node, 4) == addresses(0, 1, 3, 4)
        (recovered,) = [event for event in node.events if event["event"] == "recovered"]
        assert (recovered["recipients"], recovered["damaged"]) == (4, 1)
        (aside,) = (node.data / "spool" / "p0" / "damaged").iterdir()
        assert aside.stat().st_size == end - begin


def test_a_second_node_on_the_same_data_says_so_and_leaves_the_first_alone(tmp_path: Path) -> None:
    with Node(config(free_port()), workers=1) as node:
        other = tmp_path / "other.conf"
        listeners = (
            'ESMTP_Listener "a" { Listen "127.0.0.1:0" { } }',
            'HTTP_Listener "b" { Listen "127.0.0.1:0" { } }',
        )
        other.write_text("\n".join(listeners))
        second = subprocess.run(
            [ANGARIUM, "serve", "--config", other, "--data", node.data, "--workers", "1"],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert second.returncode == 1
        assert "another node" in second.stderr
        assert str(node.data) in second.stderr
        send(node, range(1))
        assert node.get("/readyz")[0] == 200


def test_fewer_workers_than_before_deliver_the_mail_of_all(tmp_path: Path) -> None:
    with a_node_that_was_killed_with(0, tmp_path, workers=3) as node:
        node.start()
        for number in range(12):
            send(node, range(number, number + 1))
        node.kill()
        held = [len(accepted_records(path)) for path in sorted((node.data / "spool").iterdir())]
        assert sum(held) == 12
        with Node(config(free_port()), workers=1, folder=tmp_path) as smaller:
            assert len(smaller.pids) == 2  # a supervisor and the one worker
            smaller.stop()
            assert delivered(smaller, 12) == sorted(addresses(*range(12)))
