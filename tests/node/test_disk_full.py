"""A disk that fills up under a running node: new mail is told 452, what is here goes on, and it mends by itself."""

import asyncio
import contextlib
import os
import smtplib
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from angarium.testing.node import Node
from angarium.testing.sink import Sink

pytestmark = pytest.mark.process

CONFIG = """\
Spool_Segment_Size = 1048576
Spool_Max_Journal_Size = 8388608
Spool_Min_Free_Space = {least}
Retry_Interval = 1
Max_Retry_Interval = 1
Routes = ( "smtp://127.0.0.1?port={port}" )
"""
MARGIN = 1 << 30  # other tests take some of the disk meanwhile


class Volume:
    """A place that can be filled: a small file system of its own, or, without the right to mount one, the option that
    says when the disk counts as full.
    """

    def __init__(self, folder: Path, is_own: bool) -> None:
        self.folder = folder
        self.least = 4 << 20 if is_own else self._free() - MARGIN
        self._is_own = is_own
        self._ballast = folder / "ballast"

    def _free(self) -> int:
        stat = os.statvfs(self.folder)
        return stat.f_bavail * stat.f_frsize

    def fill(self) -> None:
        """Leave no byte, or less than the option asks for."""
        with self._ballast.open("wb", buffering=0) as file:
            if not self._is_own:
                os.posix_fallocate(file.fileno(), 0, 2 * MARGIN)
            else:
                with contextlib.suppress(OSError):
                    while file.write(bytes(4096)):
                        pass

    def empty(self) -> None:
        """Take it away again."""
        self._ballast.unlink()


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", tmp_path]
    is_own = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    yield Volume(tmp_path, is_own)
    if is_own:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)


def send(node: Node, recipient: str, size: int = 100) -> int:
    """Offer a message; return the code of the answer that decided."""
    with smtplib.SMTP("127.0.0.1", node.smtp_port) as client:
        try:
            client.sendmail(
                "a@example.org", recipient, b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n" * (size // 2)
            )
        except smtplib.SMTPRecipientsRefused as error:
            return next(iter(error.recipients.values()))[0]
        except smtplib.SMTPResponseException as error:
            return error.smtp_code
    return 250


def unready(node: Node) -> str:
    """What keeps the node from being ready; empty when it is."""
    status, text = node.get("/readyz")
    return "" if status == 200 else text


def play(volume: Volume, script: str, act: Callable[[Node, Sink, Volume], None]) -> None:
    """Have *act* done to a node whose folder is *volume* and whose mail goes to a sink with *script*."""

    async def story() -> None:
        async with Sink(script) as sink:
            config = CONFIG.format(least=volume.least, port=sink.address[1])
            node = await asyncio.to_thread(lambda: Node(config, workers=1, folder=volume.folder))
            try:
                await asyncio.to_thread(act, node, sink, volume)
            finally:
                await asyncio.to_thread(node.close)

    asyncio.run(story())


def test_a_full_disk_refuses_new_mail_delivers_the_old_and_recovers_by_itself(volume: Volume) -> None:
    play(volume, "on rcpt to old*: greylist 2", live)  # the old mail is put off until the disk is full


def live(node: Node, sink: Sink, volume: Volume) -> None:
    old = {f"old{number}@example.com" for number in range(20)}
    assert [send(node, recipient) for recipient in sorted(old)] == [250] * 20
    volume.fill()
    node.program.wait_until(lambda: "refuses mail" in unready(node), "refusal")
    assert send(node, "new@example.com") == 452
    assert send(node, "large@example.com", 3 << 20) == 452
    # the queue goes on meanwhile
    node.program.wait_until(lambda: got(sink) >= old, "the old mail")
    volume.empty()
    node.program.wait_until(lambda: not unready(node), "readiness")
    assert send(node, "new@example.com") == 250
    node.program.wait_until(lambda: "new@example.com" in got(sink), "the new mail")
    # and what was recorded on the full disk is known after a crash: nothing comes twice
    node.kill()
    node.start()
    assert send(node, "last@example.com") == 250
    node.program.wait_until(lambda: "last@example.com" in got(sink), "the last mail")
    arrived = [recipient for message in sink.messages for recipient in message.recipients]
    assert sorted(recipient for recipient in arrived if recipient in old) == sorted(old)


def got(sink: Sink) -> set[str]:
    """Whom something has arrived for."""
    return {recipient for message in sink.messages for recipient in message.recipients}


@pytest.mark.parametrize("end", [Node.kill, Node.stop])
def test_a_node_can_start_on_a_full_disk_and_delivers_what_it_has(
    volume: Volume, end: Callable[[Node], object]
) -> None:
    play(volume, "on rcpt first 5: reply 451 4.2.1 later", partial(live_on, end))


def live_on(end: Callable[[Node], object], node: Node, sink: Sink, volume: Volume) -> None:
    old = {f"old{number}@example.com" for number in range(5)}
    assert [send(node, recipient) for recipient in sorted(old)] == [250] * 5
    end(node)
    volume.fill()
    node.start(is_ready=bool)
    node.program.wait_until(lambda: got(sink) >= old, "the old mail")
    assert send(node, "new@example.com") == 452
    volume.empty()
    node.program.wait_until(lambda: not unready(node), "readiness")
    assert send(node, "new@example.com") == 250
