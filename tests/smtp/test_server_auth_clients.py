"""Clients that were not written here authenticate with the server machine: smtplib, and GNU SASL in msmtp."""

import asyncio
import os
import smtplib
import subprocess
from collections.abc import Callable

import pytest

from angarium.smtp.sasl.exchange import MECHANISMS
from angarium.testing.programs import PATIENCE_S
from angarium.testing.server_peer import ServerPeer

PASSWORD = 'se=c,r"e\\t'
"""All that has to be escaped somewhere."""


class Shell(asyncio.Protocol):
    """As little of a server as there can be."""

    def __init__(self, peer: ServerPeer) -> None:
        self.peer = peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.peer.take_output())

    def data_received(self, data: bytes) -> None:
        self.peer.send(data)
        self.transport.write(self.peer.take_output())
        if self.peer.closing:
            self.transport.close()


async def served(client: Callable[[int], None], mechanism: str, password: str = PASSWORD) -> ServerPeer:
    """Run *client*, which gets our port, in a thread. Return the server, which offers one mechanism."""
    peer = ServerPeer(f"option auth {mechanism}", f"user alice {password}")
    server = await asyncio.get_running_loop().create_server(lambda: Shell(peer), "127.0.0.1", 0)
    async with server:
        await asyncio.to_thread(client, server.sockets[0].getsockname()[1])
    return peer


def smtplib_with(password: str) -> Callable[[int], None]:
    def client(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="client.example") as smtp:
            smtp.login("alice", password)
            smtp.sendmail("alice@example.org", "bob@example.net", "Subject: hello\r\n\r\nhello\r\n")

    return client


def msmtp_with(mechanism: str, password: str) -> Callable[[int], None]:
    def client(port: int) -> None:
        login = (f"--auth={mechanism.lower()}", "--user=alice", "--passwordeval=printenv PASSWORD")
        command = ("msmtp", "-C", "/dev/null", "--host=127.0.0.1", f"--port={port}", "--tls=off", *login)
        envelope = ("--from=alice@example.org", "bob@example.net")
        environment = {**os.environ, "PASSWORD": password}
        subprocess.run(
            (*command, *envelope),
            input=b"Subject: hello\n\nhello\n",
            env=environment,
            check=True,
            timeout=PATIENCE_S,
        )

    return client


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_smtplib(mechanism: str) -> None:
    peer = asyncio.run(served(smtplib_with(PASSWORD), mechanism))
    assert "authenticated alice" in peer.handler.events
    assert peer.handler.bodies == [b"Subject: hello\r\n\r\nhello\r\n"]


def test_smtplib_with_a_wrong_password() -> None:
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        asyncio.run(served(smtplib_with("wrong"), "CRAM-MD5"))
    assert refused.value.smtp_code == 535


@pytest.mark.peer
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_gnu_sasl(mechanism: str) -> None:
    password = f"{PASSWORD} äß"  # smtplib can do ASCII only
    peer = asyncio.run(served(msmtp_with(mechanism, password), mechanism, password))
    assert "authenticated alice" in peer.handler.events
    assert peer.handler.bodies[0].endswith(b"Subject: hello\r\n\r\nhello\r\n")


@pytest.mark.peer
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_gnu_sasl_with_a_wrong_password(mechanism: str) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        asyncio.run(served(msmtp_with(mechanism, "wrong"), mechanism))
