"""Bodies that are received into files of their own: the file goes, however the message ends."""

import asyncio
import os
import smtplib
import socket
from pathlib import Path

import pytest

from angarium.testing.node import Node
from angarium.testing.sink import Sink

pytestmark = pytest.mark.process

LARGE = b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 20_000
ENVELOPE = b"EHLO c.example\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.com>\r\n"


def hand_over_and_hang_up(node: Node, wire: bytes) -> None:
    """Send all of *wire* without waiting for an answer, then vanish."""
    with socket.create_connection(("127.0.0.1", node.smtp_port)) as client:
        client.recv(100)
        client.sendall(wire)


def wait_until_no_file_is_left(node: Node) -> None:
    node.program.wait_until(lambda: not os.listdir(node.data / "spool" / "p0" / "large"), "end of the file")


def live(node: Node, sink: Sink) -> None:
    with smtplib.SMTP("127.0.0.1", node.smtp_port) as client:
        client.sendmail("a@example.org", "b@example.com", LARGE)
        wait_until_no_file_is_left(node)
        assert len(sink.messages) == 1
        # refused after it was received
        loop = b"Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n" * 200 + LARGE
        with pytest.raises(smtplib.SMTPDataError, match="loop"):
            client.sendmail("a@example.org", "b@example.com", loop)
        wait_until_no_file_is_left(node)
    # gone in the middle
    hand_over_and_hang_up(node, ENVELOPE + b"BDAT 300000 LAST\r\n" + LARGE[:200_000])
    wait_until_no_file_is_left(node)
    # gone right after the end: taken or not, but not half
    hand_over_and_hang_up(node, ENVELOPE + b"BDAT %d LAST\r\n" % len(LARGE) + LARGE)
    with smtplib.SMTP("127.0.0.1", node.smtp_port) as client:
        client.sendmail("a@example.org", "b@example.com", b"Subject: last\r\n\r\n")
    node.program.wait_until(
        lambda: any(b"Subject: last" in message.data for message in sink.messages), "mail"
    )
    wait_until_no_file_is_left(node)
    assert not [event for event in node.events if event["level"] == "error"]


def test_the_file_of_a_large_body_goes_however_its_message_ends(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink:
            config = (
                f'Large_Message_Threshold = 65536\nRoutes = ( "smtp://127.0.0.1?port={sink.address[1]}" )\n'
            )
            node = await asyncio.to_thread(lambda: Node(config, workers=1, folder=tmp_path))
            try:
                await asyncio.to_thread(live, node, sink)
            finally:
                await asyncio.to_thread(node.close)

    asyncio.run(story())
