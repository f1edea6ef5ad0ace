"""A session that has ended is gone at once, however it ended: none waits for the collector of garbage, which may be
hours away, with what the encryption of a connection takes (256 kB). Played with the collector switched off.
"""

import asyncio
import gc
import ssl
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from angarium.submission.session.session import Session
from angarium.testing.authority import CertificateAuthority
from angarium.testing.caller import run_on
from angarium.testing.intake import IntakeDesk

TIMES = 15
BIG = b"Subject: big\r\n\r\n" + b"x" * 78 * 5000 + b"\r\n"

ENDINGS = {
    "quit": "EHLO; QUIT",
    "hang-up in a transaction": "EHLO; MAIL FROM:<a@b.example>; RCPT TO:<c@d.example>; close",
    "reset": "EHLO; MAIL FROM:<a@b.example>; abort",
    "a message": "EHLO; MAIL FROM:<a@b.example>; RCPT TO:<c@d.example>; DATA; message; QUIT",
    "a message and a hang-up": "EHLO; MAIL FROM:<a@b.example>; RCPT TO:<c@d.example>; DATA; message; abort",
    "half a large message": "EHLO; MAIL FROM:<a@b.example>; RCPT TO:<c@d.example>; DATA; half; abort",
    "a login": "EHLO; AUTH PLAIN AGFubgBzZWNyZXQ=; QUIT",
    "half a login": "EHLO; AUTH CRAM-MD5; abort",
    "a failed login": "EHLO; AUTH PLAIN AGFubgB3cm9uZw==; QUIT",
    "too many errors": "EHLO; BAD; BAD; BAD; end",
}
IN_CLEAR = {
    "no handshake": "EHLO; STARTTLS; close",
    "a broken handshake": "EHLO; STARTTLS; noise; end",
}


class Client:
    """Carries out a script: commands and what else the peer of a session may do."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._port = port
        self._context = context

    async def play(self, script: str, *, encrypted: bool) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        await self._reply()
        if encrypted:
            await self._say(b"EHLO client.test\r\n")
            await self._say(b"STARTTLS\r\n")
            await self._writer.start_tls(self._context)
        for step in script.split("; "):
            await self._do(step)
        self._writer.transport.abort()

    async def _do(self, step: str) -> None:
        if step in ("close", "abort"):
            getattr(self._writer.transport, step)()
        elif step == "half":
            self._writer.write(BIG)
            await self._writer.drain()
        elif step == "noise":
            self._writer.write(b"\r\n" * 100)
        elif step == "message":
            await self._say(BIG + b".\r\n")
        elif step == "end":
            await self._reader.read()
        else:
            await self._say(step.replace("EHLO", "EHLO client.test").encode() + b"\r\n")

    async def _say(self, data: bytes) -> None:
        self._writer.write(data)
        await self._reply()

    async def _reply(self) -> None:
        while (await self._reader.readline())[3:4] == b"-":
            pass


class House:
    """A listener with sessions of which only the living are known."""

    def __init__(self, door: Any, folder: Any) -> None:
        authority = CertificateAuthority(folder)
        own = authority.issue("mx.test").server_context()
        self.context = ssl.create_default_context(cafile=authority.file)
        self.context.check_hostname = False
        self._hall = door("Auth_Without_TLS = true\nMax_Errors_Per_Connection = 2")
        reception = self._hall.reception
        reception.intake = IntakeDesk(folder).intake
        reception.tls = type("Contexts", (), {"of": lambda *socket: own})()
        reception.settings = reception._settings_by(reception.config)
        self.sessions: weakref.WeakSet[Session] = weakref.WeakSet()

    def session(self) -> Session:
        session = Session(self._hall.reception, "default", "127.0.0.1:0", ("127.0.0.1", 4711))
        self.sessions.add(session)
        return session


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "encrypted"),
    [
        *(pytest.param(script, False, id=name) for name, script in (ENDINGS | IN_CLEAR).items()),
        *(pytest.param(script, True, id=f"{name}, encrypted") for name, script in ENDINGS.items()),
    ],
)
def test_a_session_is_gone_when_it_has_ended(door, tmp_path, no_collector, script, encrypted):
    async def play() -> None:
        house = House(door, tmp_path)
        server = await asyncio.get_running_loop().create_server(house.session, "127.0.0.1", 0)
        client = Client(server.sockets[0].getsockname()[1], house.context)
        for _ in range(TIMES):
            await client.play(script, encrypted=encrypted)
        while house.sessions or _encryptions() > 1:  # noqa: ASYNC110 - nobody tells of an object that goes
            await asyncio.sleep(0)
        server.close()

    run_on("uvloop", play())


def _encryptions() -> int:
    """Count what encrypts a connection, and is not gone. One is the client's, which is the last to hang up."""
    return sum(type(each).__name__ == "SSLProtocol" for each in gc.get_objects())
