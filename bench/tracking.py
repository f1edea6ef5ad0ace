"""What is done to a newsletter costs, step by step, and what a click costs: `.venv/bin/python -m bench.tracking`.

Steps are measured by the processor time of the thread, the least of some rounds. Clicks are asked for over loopback,
on connections that are kept, of the door and of an application that answers 302 and does nothing else, in turns; it is
told what processor time the server took, and how many were answered in a second while the client had the other core.
"""

import argparse
import asyncio
import itertools
import multiprocessing
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from typing import cast

import msgspec
import uvloop
from starlette.types import Receive, Scope, Send

from angarium.core.clock import SystemClock
from angarium.core.fields import Attachment, Fields, NamedMailbox
from angarium.core.ids import MessageId, new_id
from angarium.core.metrics import Counters
from angarium.core.options import Options
from angarium.core.records import Recipient
from angarium.engine.readers import ReaderFacts
from angarium.http.carrier import HttpServer
from angarium.http.tracking import TrackingDoor
from angarium.mime.build.message import compose
from angarium.render.contents import prepared
from angarium.render.pipeline import Renderer
from angarium.render.return_path import SignedReturnPaths
from angarium.render.tracking.addresses import SignedTrackingAddresses, Tracked
from angarium.testing.spool import make_message

KEYS: list[bytes] = [b"k" * 32]
ADDRESSES = SignedTrackingAddresses(lambda: KEYS)
RENDERER = Renderer(ADDRESSES, SignedReturnPaths(lambda: KEYS))
TARGET = b"https://shop.example/sale?utm_source=news&utm_medium=mail&id=12345"
CONNECTIONS = 32

Rendered = Callable[[], object]


def newsletter() -> bytes:
    """Return a mail of about 30 KB: 47 links, a style sheet of 43 rules, a picture of 4 KB, no plain text."""
    rules = "\n".join(
        f".c{n} {{ color: #{n:06x}; padding: {n % 9}px; font-family: Arial }}" for n in range(43)
    )
    blocks = "\n".join(
        f'<table class="c{n % 43}"><tr><td class="c{(n + 7) % 43}"><a href="{TARGET.decode()}&amp;n={n}">'
        f"Offer {n}</a> {'and all that is to be said of it, ' * 12}</td></tr></table>"
        for n in range(47)
    )
    html = f'<html><head><style>{rules}</style></head><body><img src="cid:logo">{blocks}</body></html>'
    logo = Attachment("logo.png", "image/png", b"\x89PNG\r\n\x1a\n" + bytes(4096), "logo")
    news = Fields(author=(NamedMailbox("a@shop.example"),), subject="News", html=html, attachments=(logo,))
    return compose(news, seed="s")


def once_per_content(mail: bytes) -> dict[str, Rendered]:
    """Return the steps that are taken once for all recipients."""
    return {
        "style sheets into the elements": partial(prepared, mail, Options(inline_css=True)),
        "a plain text from the HTML": partial(prepared, mail, Options(text_from_html=True)),
        "pictures lifted out (kept already)": partial(
            prepared, mail, Options(host_images=True), lambda data: "https://t.example/t/p"
        ),
    }


def once_per_recipient(mail: bytes) -> dict[str, Rendered]:
    """Return what is done for each recipient, alone and together."""

    def rendering(way_out: bool = False, **options: object) -> Rendered:
        message = msgspec.structs.replace(
            make_message("one.example"),
            options=Options(**options),  # type: ignore[arg-type]
            tracking_url="https://clicks.example.com",
            offers_way_out=way_out,
            is_vouched=True,
        )
        return partial(RENDERER.render, Recipient(message, 0, "default", "one.example"), mail)

    return {
        "nothing asked for": rendering(),
        "opens": rendering(track_opens=True),
        "opens, by two pictures": rendering(track_opens=True, initial_open=True),
        "links of the HTML": rendering(track_links="html"),
        "links, but for those whose text is a URL": rendering(track_links="html", prevent_scam=True),
        "the way out, with a footer": rendering(way_out=True),
        "opens, links of both parts, the way out": rendering(
            way_out=True, track_opens=True, track_links="all"
        ),
    }


def cost_us(step: Rendered, rounds: int) -> float:
    """Return the least microseconds of processor time that a step takes."""
    times = []
    for _ in range(rounds):
        began = time.thread_time()
        step()
        times.append(time.thread_time() - began)
    return min(times) * 1e6


class _NoSpool:
    """Takes what readers have done, and forgets it."""

    def note(self, facts: object, done: object = None) -> None:
        """Forget."""


async def _bare(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"location", TARGET), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 302, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _serve(name: str, sock: socket.socket, pipe: Connection) -> None:
    clock = SystemClock()
    readers = ReaderFacts(_NoSpool(), clock, Counters())  # type: ignore[arg-type]
    app = _bare if name == "bare" else TrackingDoor(ADDRESSES, readers.note, readers.keep)
    carrier = HttpServer(app, [sock])
    await carrier.start()
    pipe.send("ready")
    began = time.process_time()
    while not pipe.poll():
        readers.write()
        await asyncio.sleep(0.05)
    pipe.send(time.process_time() - began)
    await carrier.stop()


def _server(name: str, sock: socket.socket, pipe: Connection) -> None:
    uvloop.run(_serve(name, sock, pipe))


class _Client(asyncio.Protocol):
    """Asks for one path after the other on one connection."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self.answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self.answers += data.count(b"HTTP/1.1 302")
        self.transport.write(next(self._requests))


async def _ask(port: int, seconds: float) -> int:
    now = time.time()
    paths = [
        ADDRESSES.path(Tracked("click", MessageId(new_id(now)), n, n % 47 + 1, TARGET)) for n in range(5_000)
    ]
    head = "Host: clicks.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0\r\n\r\n"
    requests = itertools.cycle([f"GET {path} HTTP/1.1\r\n{head}".encode() for path in paths])
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(partial(_Client, requests), "127.0.0.1", port))[1]
        for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(seconds)
    for client in clients:
        client.transport.abort()
    return sum(client.answers for client in clients)


def clicks(name: str, seconds: float) -> tuple[float, float]:
    """Return how many clicks a second are answered, and the microseconds of processor time of each."""
    ours, theirs = multiprocessing.Pipe()
    with socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS) as sock:
        server = multiprocessing.Process(target=_server, args=(name, sock, theirs), daemon=True)
        server.start()
        ours.recv()
        answered = uvloop.run(_ask(sock.getsockname()[1], seconds))
        ours.send("stop")
        cpu_s = ours.recv()
        server.join()
    return answered / seconds, cpu_s / max(answered, 1) * 1e6


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=201, help="of each step (default 201)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of clicks, each time (default 4)")
    args = parser.parse_args()
    mail = newsletter()
    print(f"a newsletter of {len(mail):,} bytes: µs of CPU")
    for title, steps in (("once per content", once_per_content), ("once per recipient", once_per_recipient)):
        print(f"\n{title}")
        for name, step in steps(mail).items():
            print(f"  {name:<45} {cost_us(step, args.rounds):8,.0f}")
    print("\nclicks                    a second   µs of CPU")
    found: dict[str, list[tuple[float, float]]] = {"bare": [], "door": []}
    for _ in range(3):
        for name, figures in found.items():
            figures.append(clicks(name, args.seconds))
    for name, figures in found.items():
        rate, cost = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"  {name:<22} {rate:9,.0f}   {cost:9.1f}")


if __name__ == "__main__":
    main()
