"""How long one message takes through an idle relay, beside what the disk alone takes for one sync."""

import os
import socket
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.load import RECIPIENT, SENDER


@dataclass(frozen=True)
class Percentiles:
    """Of a series of times, in milliseconds."""

    p50_ms: float
    p99_ms: float
    worst_ms: float
    samples: int


def percentiles(times_s: list[float]) -> Percentiles:
    """Sum a series up. *times_s* must not be empty."""
    ordered = sorted(times_s)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return Percentiles(
        round(statistics.median(ordered) * 1000, 2),
        round(p99 * 1000, 2),
        round(ordered[-1] * 1000, 2),
        len(ordered),
    )


def relay_latency(port: int, sink_port: int, samples: int, size_bytes: int = 10_240) -> dict[str, object]:
    """Send one message after the other. Times run from MAIL: to the 250, and to the dot at the sink."""
    acknowledged, delivered = [], []
    with OneSink(sink_port) as sink, Client(port) as client:
        body = b"Subject: latency\r\n\r\n" + (b"x" * 78 + b"\r\n") * (size_bytes // 80)
        for number in range(samples + 5):
            sink.arrived.clear()
            start = time.perf_counter()
            client.send(body)
            answered = time.perf_counter()
            if not sink.arrived.wait(30):
                raise TimeoutError(f"message {number} did not arrive within 30 s")
            if number >= 5:  # the first open connections and start processes
                acknowledged.append(answered - start)
                delivered.append(sink.arrived_at - start)
            sink.answered.wait(5)
    return {"acknowledged": asdict(percentiles(acknowledged)), "delivered": asdict(percentiles(delivered))}


def disk_latency(folder: Path, samples: int, size_bytes: int = 10_240) -> dict[str, object]:
    """Time a write and its sync: over blocks of one preallocated file, and as a new file in the folder."""
    piece = os.urandom(size_bytes)
    path = folder / "disk-latency"
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.pwrite(fd, bytes(size_bytes * samples), 0)
        os.fsync(fd)

        def overwrite(number: int) -> None:
            os.pwrite(fd, piece, number * size_bytes)
            os.fdatasync(fd)

        return {
            "overwrite": asdict(percentiles([_timed(overwrite, number) for number in range(samples)])),
            "new_file": asdict(percentiles([_timed(_new_file(path, piece), n) for n in range(samples)])),
        }
    finally:
        os.close(fd)
        path.unlink()


def _new_file(path: Path, piece: bytes) -> Callable[[int], None]:
    def create(number: int) -> None:
        name = f"{path}.{number}"
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(fd, piece)
        os.fsync(fd)
        os.close(fd)
        os.unlink(name)

    return create


def _timed(act: Callable[[int], None], number: int) -> float:
    start = time.perf_counter()
    act(number)
    return time.perf_counter() - start


class Client:
    """One kept SMTP session, envelope pipelined."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._input = self._socket.makefile("rb")
        self._expect(b"220")
        self._socket.sendall(b"EHLO bench.example.org\r\n")
        self._expect(b"250")

    def send(self, body: bytes, sender: str = SENDER, recipients: Sequence[str] = (RECIPIENT,)) -> None:
        """Send one message and wait for its 250. Raises ConnectionError at any other answer."""
        rcpts = "".join(f"RCPT TO:<{recipient}>\r\n" for recipient in recipients)
        self._socket.sendall(f"MAIL FROM:<{sender}>\r\n{rcpts}DATA\r\n".encode())
        for _ in range(1 + len(recipients)):
            self._expect(b"250")
        self._expect(b"354")
        self._socket.sendall(body + b".\r\n")
        self._expect(b"250")

    def _expect(self, code: bytes) -> None:
        line = self._input.readline()
        while line[3:4] == b"-":
            line = self._input.readline()
        if not line.startswith(code):
            raise ConnectionError(f"expected {code.decode()}, got {line!r}")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


class OneSink:
    """Takes mail on one port, a thread per connection, and notes when the final dot came."""

    def __init__(self, port: int) -> None:
        self.arrived = threading.Event()
        self.answered = threading.Event()
        self.arrived_at = 0.0
        self._listener = socket.create_server(("127.0.0.1", port), backlog=100)
        self._open: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed: the end
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            connection.sendall(b"220 sink ESMTP\r\n")
            self._converse(connection)
        except OSError:  # the relay or the end of the test closed it
            return
        finally:
            connection.close()

    def _converse(self, connection: socket.socket) -> None:
        buffer = b""
        in_data = False
        while piece := connection.recv(262_144):
            buffer += piece
            answers = b""
            while True:
                end = b"\r\n.\r\n" if in_data else b"\r\n"
                line, found, rest = buffer.partition(end)
                if not found:
                    break
                buffer = rest
                if in_data:
                    self._note()
                answers += b"250 ok\r\n" if in_data else _answer(line)
                in_data = not in_data and line[:4].upper() == b"DATA"
            if answers:
                connection.sendall(answers)
                self.answered.set()

    def _note(self) -> None:
        self.arrived_at = time.perf_counter()
        self.answered.clear()
        self.arrived.set()

    def __enter__(self) -> "OneSink":
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._open:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:  # closed already
                pass
            each.close()


def _answer(line: bytes) -> bytes:
    verb = line[:4].upper()
    if verb == b"EHLO":
        return b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
    return {b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}.get(verb, b"250 ok\r\n")
