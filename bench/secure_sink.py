"""A sink that speaks STARTTLS: `python -m bench.secure_sink PORT CERTIFICATE`.

It takes everything, throws it away, and writes `mesg=N` as smtp-sink does, at most every 2 ms.
"""

import asyncio
import ssl
import sys
from typing import cast

import uvloop

_ANSWERS = {b"MAIL": b"250 ok\r\n", b"RCPT": b"250 ok\r\n", b"RSET": b"250 ok\r\n", b"NOOP": b"250 ok\r\n"}
_EHLO = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-STARTTLS\r\n250 ENHANCEDSTATUSCODES\r\n"
_EHLO_SECURE = _EHLO.replace(b"250-STARTTLS\r\n", b"")


class Server(asyncio.Protocol):
    """One session."""

    taken = 0

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._transport: asyncio.Transport
        self._buffer = b""
        self._in_data = self._is_secure = False
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol; called again after the handshake."""
        self._transport = cast(asyncio.Transport, transport)
        if not self._is_secure:
            transport.write(b"220 sink ESMTP\r\n")  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        buffer = self._buffer + data
        out = []
        while buffer:
            if self._in_data:
                end = buffer.find(b"\r\n.\r\n")
                if end < 0:
                    buffer = buffer[-4:]
                    break
                buffer = buffer[end + 5 :]
                self._in_data = False
                Server.taken += 1
                out.append(b"250 ok\r\n")
                continue
            line, found, rest = buffer.partition(b"\r\n")
            if not found:
                break
            buffer = rest
            out.append(self._command(line[:4].upper()))
        self._buffer = buffer
        self._transport.write(b"".join(out))

    def _command(self, verb: bytes) -> bytes:
        if verb == b"DATA":
            self._in_data = True
            return b"354 go on\r\n"
        if verb == b"EHLO":
            return _EHLO_SECURE if self._is_secure else _EHLO
        if verb == b"STAR":
            self._transport.pause_reading()
            self._task = asyncio.get_running_loop().create_task(self._secure())
            return b"220 go on\r\n"
        if verb == b"QUIT":
            asyncio.get_running_loop().call_soon(self._transport.close)
            return b"221 bye\r\n"
        return _ANSWERS.get(verb, b"502 what\r\n")

    async def _secure(self) -> None:
        self._is_secure = True
        loop = asyncio.get_running_loop()
        secured = await loop.start_tls(self._transport, self, self._context, server_side=True)
        assert secured is not None
        self._transport = secured


async def serve(port: int, certificate: str) -> None:
    """Serve until killed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    await asyncio.get_running_loop().create_server(lambda: Server(context), "127.0.0.1", port, backlog=1000)
    told = -1
    while True:
        if Server.taken != told:
            told = Server.taken
            print(f"mesg={told}", flush=True)
        await asyncio.sleep(0.002)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2]))
