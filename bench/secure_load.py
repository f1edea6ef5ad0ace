"""A load that logs in under TLS: `python -m bench.secure_load PORT SESSIONS PER_SESSION SIZE MESSAGES`.

Postfix's smtp-source can do neither. Each session says STARTTLS and AUTH PLAIN, pipelines its envelopes as RFC 2920
allows, and waits for the answer to each message. User name and password are read from standard input. Prints how
many messages were acknowledged; ends with status 1 at the first refusal.
"""

import asyncio
import base64
import ssl
import sys
from typing import cast

import uvloop

from bench.load import RECIPIENT, SENDER

_ENVELOPE = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n".encode()
_LINE = b"x" * 76 + b"\r\n"


class Refused(Exception):
    """The server said no."""


class Client(asyncio.Protocol):
    """One session: collects answers, and hands them to whoever waits for the next *n*."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self._buffer = b""
        self._answers: list[bytes] = []
        self._waiting: tuple[int, asyncio.Future[list[bytes]]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol; called again after the handshake."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        lines = (self._buffer + data).split(b"\r\n")
        self._buffer = lines.pop()
        self._answers += [line for line in lines if line[3:4] != b"-"]
        self._serve()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self._waiting is not None and not self._waiting[1].done():
            self._waiting[1].set_exception(Refused("the connection was closed"))

    def _serve(self) -> None:
        if self._waiting is not None and len(self._answers) >= self._waiting[0]:
            count, future = self._waiting
            self._waiting = None
            future.set_result(self._answers[:count])
            del self._answers[:count]

    async def say(self, data: bytes, answers: int = 1) -> None:
        """Write *data* and wait for so many answers. Raises Refused when one is not positive."""
        future = asyncio.get_running_loop().create_future()
        self._waiting = answers, future
        if data:
            self.transport.write(data)
        self._serve()
        bad = [answer for answer in await future if answer[:1] not in b"23"]
        if bad:
            raise Refused(bad[0].decode(errors="replace"))


async def session(port: int, login: bytes, message: bytes, count: int, context: ssl.SSLContext) -> None:
    """Send *count* messages in one session."""
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(Client, "127.0.0.1", port)
    await client.say(b"")
    await client.say(b"EHLO bench.example.org\r\n")
    await client.say(b"STARTTLS\r\n")
    secured = await loop.start_tls(client.transport, client, context, server_hostname="localhost")
    assert secured is not None
    client.transport = secured
    await client.say(b"EHLO bench.example.org\r\n")
    await client.say(b"AUTH PLAIN " + login + b"\r\n")
    for _ in range(count):
        await client.say(_ENVELOPE, 3)
        await client.say(message)
    await client.say(b"QUIT\r\n")
    client.transport.close()


async def inject(port: int, login: bytes, sessions: int, per_session: int, size: int, messages: int) -> int:
    """Keep *sessions* sessions open until *messages* were sent; return how many were, whole sessions."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    head = f"From: <{SENDER}>\r\nTo: <{RECIPIENT}>\r\nSubject: load\r\n\r\n".encode()
    message = head + _LINE * max(1, (size - len(head)) // len(_LINE)) + b".\r\n"
    left = max(1, round(messages / per_session))
    total = left * per_session

    async def one_after_the_other() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await session(port, login, message, per_session, context)

    await asyncio.gather(*(one_after_the_other() for _ in range(sessions)))
    return total


def main() -> None:
    """Run as the arguments say."""
    port, sessions, per_session, size, messages = map(int, sys.argv[1:])
    user, password = sys.stdin.read().split()
    login = base64.b64encode(f"\0{user}\0{password}".encode())
    print(uvloop.run(inject(port, login, sessions, per_session, size, messages)))


if __name__ == "__main__":
    main()
