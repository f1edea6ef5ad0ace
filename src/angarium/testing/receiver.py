"""A server of HTTP that says what the test wants, byte for byte, and keeps what it was asked."""

import asyncio
import ssl
from collections.abc import Callable
from types import TracebackType

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"


class RawReceiver:
    """Answers each request with what *answer* returns; None: with nothing, for ever; an empty one: it hangs up."""

    def __init__(self, answer: Callable[[bytes], bytes | None] = lambda request: OK) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.connections = 0
        self.open = 0
        self.server_names: list[str] = []
        self._server: asyncio.Server
        self._silence = asyncio.Event()

    async def start(self, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> None:
        """Listen, encrypted with a *context*. `server_names` are what clients have called it then."""
        if context is not None:
            context.sni_callback = lambda sock, name, ctx: self.server_names.append(name)
        self._server = await asyncio.start_server(self._serve, host, 0, ssl=context)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """What to send to."""
        return f"http://127.0.0.1:{self.port}/hook"

    async def __aenter__(self) -> "RawReceiver":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Listen no more, and leave those that wait."""
        self._server.close()
        self._silence.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while request := await self._read(reader):
                self.requests.append(request)
                said = self.answer(request)
                if said is None:
                    await self._silence.wait()
                    return
                if not said:
                    return
                writer.write(said)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""
        length = next(
            (
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            ),
            0,
        )
        return head + await reader.readexactly(length)
