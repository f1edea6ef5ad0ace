"""A worker process between its start and its end, as its supervisor sees it."""

import asyncio
import os
import signal
import socket

from angarium.node.link import Link
from angarium.node.worker import Worker
from angarium.testing.programs import PATIENCE_S


def test_what_is_told_before_the_service_has_begun_does_no_harm() -> None:
    """Another worker may hear of a failed login while this one still reads its spool."""

    async def story() -> None:
        ours, theirs = socket.socketpair()
        sockets, _ = socket.socketpair()
        worker = asyncio.create_task(Worker(theirs, sockets, os.memfd_create("counts")).run())
        link = await Link.connect(
            ours, lambda op, args: asyncio.sleep(0), lambda op, args: True, lambda: None
        )
        link.tell("login_failed", address="192.0.2.1", mark="x", listener="default")
        assert await link.call("drain", seconds=1) is None
        await worker

    try:
        asyncio.run(asyncio.wait_for(story(), PATIENCE_S))
    finally:
        signal.alarm(0)  # by which a worker that has lost its supervisor sees to its end
