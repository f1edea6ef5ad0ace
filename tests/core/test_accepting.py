"""Sharing a listening socket with other processes: what is taken, and what is left to them."""

import asyncio
import socket
from collections.abc import Callable

from angarium.core.accepting import SharedListener
from angarium.core.clock import SystemClock
from angarium.testing.log import kept_log
from angarium.testing.programs import PATIENCE_S


def takes(leave_s: Callable[[], float], is_left: Callable[[], bool] = lambda: True) -> bool:
    """Connect once, and return once the connection was taken."""

    async def run() -> bool:
        loop = asyncio.get_running_loop()
        taken: asyncio.Future[socket.socket] = loop.create_future()
        server = socket.create_server(("127.0.0.1", 0))
        sock = server.dup()
        listener = SharedListener(
            sock, lambda found, _: taken.set_result(found), leave_s, SystemClock(), kept_log(), is_left
        )
        with server, socket.create_connection(server.getsockname()):
            async with asyncio.timeout(PATIENCE_S):
                (await taken).close()
        listener.close()
        assert sock.fileno() == -1
        return True

    return asyncio.run(run())


def test_a_connection_that_is_not_left_to_others_is_taken_at_once() -> None:
    asked: list[str] = []
    assert takes(lambda: 0, lambda: bool(asked.append("left")))
    assert asked == []


def test_a_connection_that_others_leave_is_taken_after_a_moment() -> None:
    assert takes(lambda: 0.001)


def test_while_others_take_connections_they_are_left_to_them() -> None:
    """Under load there is one to be taken always: that is no sign of a process that stands still."""
    answers = [False, False, False, True]
    rounds: list[float] = []

    def leave_s() -> float:
        rounds.append(0.001)
        return 0.001

    assert takes(leave_s, lambda: answers.pop(0))
    assert (len(rounds), answers) == (4, [])
