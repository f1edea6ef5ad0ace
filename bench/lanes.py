"""How long transactional mail takes while bulk mail goes: to nobody, to the same slow destination, and to another.

Run: `.venv/bin/python -m bench.lanes [--bulk N] [--seconds N]`. Messages come at Poisson times, over several sessions.
Times run from MAIL at the node to its 250 (*acknowledged*), from there to the final dot at the peer (*onward*), and
from the one to the other (*delivered*). What counts is the ratio to the idle node in the same minutes.
"""

import argparse
import asyncio
import contextlib
import json
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from angarium.cli.client import ControlClient
from angarium.testing.node import Node
from angarium.testing.sink import Sink
from angarium.testing.sink.store import SinkMessage
from bench.latency import Client, percentiles

SLOW_S = 0.2
CONFIG = """\
Remote_SMTP_Port = {port}
Relay_Hosts = ( "127.0.0.1" )
Max_Outbound_Connections = 50
Domain "slow.test" {{ Routes = ( "127.0.0.1:{slow}" ) Suspend_Delivery = {slow_waits} }}
Domain "quick.test" {{ Routes = ( "127.0.0.1:{quick}" ) }}
Domain "bulk.test" {{ Routes = ( "127.0.0.1:{bulk}" ) Suspend_Delivery = {bulk_waits} }}
"""
BULK = b"Subject: news\r\nPrecedence: bulk\r\nPriority: non-urgent\r\n\r\n" + (b"x" * 78 + b"\r\n") * 25
SESSIONS = 16  # a session takes ten thousand messages at most


class Peer:
    """A sink in a process of its own that tells when each transactional message had come whole."""

    def __init__(self, delay_s: float = 0.0) -> None:
        command = [sys.executable, "-m", "bench.lanes", "--sink", str(delay_s)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.arrived: dict[str, float] = {}
        self.bulk = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            name, at = line.split()
            if name == "bulk":
                self.bulk = int(at)
            else:
                self.arrived[name] = float(at)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


async def serve(delay_s: float) -> None:
    """Be the sink: print the port, then a line for each transactional message, and how many others have come."""
    bulk = 0

    def note(message: SinkMessage) -> None:
        nonlocal bulk
        at, name = time.monotonic() - delay_s, message.recipients[0].partition("@")[0]
        if name != "bulk":
            print(name, at, flush=True)
            return
        bulk += 1
        if bulk % 500 == 0:
            print("bulk", bulk, flush=True)

    script = f"on final: delay {delay_s}\n" if delay_s else ""
    async with Sink(script, keep=False, on_message=note) as sink:
        print(sink.address[1], flush=True)
        await asyncio.Event().wait()


def send_at_random(
    port: int, domain: str, prefix: str, seconds: float, rate: float
) -> dict[str, tuple[float, float]]:
    """Send at Poisson times for so long; return when each was begun and acknowledged, by name."""
    sent: dict[str, tuple[float, float]] = {}
    sessions = int(rate // 5) or 1

    def session(number: int) -> None:
        rng = random.Random(number)
        next_at, end = time.monotonic(), time.monotonic() + seconds
        with Client(port) as client:
            for count in range(1_000_000):
                next_at += rng.expovariate(rate / sessions)
                if next_at > end:
                    return
                time.sleep(max(0.0, next_at - time.monotonic()))
                name = f"{prefix}-{number}-{count}"
                begun = time.monotonic()
                client.send(b"Subject: code\r\n\r\n4711\r\n", recipients=[f"{name}@{domain}"])
                sent[name] = begun, time.monotonic()

    with ThreadPoolExecutor(sessions) as pool:
        list(pool.map(session, range(sessions)))
    return sent


def queue_bulk(port: int, domain: str, count: int) -> None:
    """Submit bulk mail on several sessions."""

    def session(number: int) -> None:
        with Client(port) as client:
            for _ in range(count // SESSIONS):
                client.send(BULK, sender=f"news{number}@source.example.org", recipients=[f"bulk@{domain}"])

    with ThreadPoolExecutor(SESSIONS) as pool:
        list(pool.map(session, range(SESSIONS)))


@contextlib.contextmanager
def running(folder: Path) -> Iterator[tuple[Node, dict[str, Peer]]]:
    """A node and its peers."""
    with contextlib.ExitStack() as stack:
        peers = {"slow": Peer(SLOW_S), "quick": Peer(), "bulk": Peer()}
        for peer in peers.values():
            stack.callback(peer.close)
        log = folder / "lanes.log"
        node = stack.enter_context(contextlib.closing(Node(config(peers), log_to=log)))
        yield node, peers
    log.unlink()


def config(peers: dict[str, Peer], *, slow_waits: bool = False, bulk_waits: bool = False) -> str:
    """The node's, with what is to wait."""
    ports = {name: peer.port for name, peer in peers.items()}
    waits = {"slow_waits": str(slow_waits).lower(), "bulk_waits": str(bulk_waits).lower()}
    return CONFIG.format(port=peers["quick"].port, **ports, **waits)


def configure(node: Node, text: str) -> None:
    """Have the node obey *text*."""
    node.configure(text)
    with ControlClient(node.data) as client:
        client.call("reload", {}, kind=object)


def measure(node: Node, peer: Peer, domain: str, prefix: str, options: argparse.Namespace) -> dict[str, Any]:
    """Send transactional mail to *domain*; return how long it took."""
    sent = send_at_random(node.smtp_port, domain, prefix, options.seconds, options.rate)
    give_up_at = time.monotonic() + 60
    while any(name not in peer.arrived for name in sent) and time.monotonic() < give_up_at:
        time.sleep(0.1)
    series: dict[str, list[float]] = {"acknowledged": [], "onward": [], "delivered": []}
    for name, (begun, answered) in sent.items():
        arrived = peer.arrived[name]
        series["acknowledged"].append(answered - begun)
        series["onward"].append(max(0.0, arrived - answered))
        series["delivered"].append(arrived - begun)
    return {name: asdict(percentiles(times)) for name, times in series.items()}


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All scenes on one node; idle between them, since the machine may be another in a minute."""
    with running(options.folder) as (node, peers):
        measure(node, peers["quick"], "quick.test", "warm", argparse.Namespace(seconds=2, rate=50))
        figures: dict[str, Any] = {"idle_slow": measure(node, peers["slow"], "slow.test", "i1", options)}
        configure(node, config(peers, slow_waits=True))
        queue_bulk(node.smtp_port, "slow.test", int(options.seconds * 50 / SLOW_S * 1.3))
        configure(node, config(peers))
        time.sleep(2)
        figures["same"] = measure(node, peers["slow"], "slow.test", "s", options)
        figures["same"]["bulk_delivered"] = peers["slow"].bulk
        configure(node, config(peers, slow_waits=True, bulk_waits=True))
        figures["idle_quick"] = measure(node, peers["quick"], "quick.test", "i2", options)
        queue_bulk(node.smtp_port, "bulk.test", options.bulk)
        configure(node, config(peers, slow_waits=True))
        figures["other"] = measure(node, peers["quick"], "quick.test", "o", options)
        figures["other"]["bulk_delivered"] = peers["bulk"].bulk
        for loaded, idle in (("same", "idle_slow"), ("other", "idle_quick")):
            busy, free = (figures[scene]["delivered"]["p99_ms"] for scene in (loaded, idle))
            figures[loaded]["p99_ratio"] = round(busy / free, 2)
        return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.lanes", description=re.sub(r"\s+", " ", __doc__ or "")
    )
    parser.add_argument("--sink", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--bulk", type=int, default=120_000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    options = parser.parse_args()
    if options.sink is not None:
        uvloop.run(serve(options.sink))
        return
    tempfile.tempdir = str(options.folder)
    print(json.dumps(run(options), indent=1))


if __name__ == "__main__":
    main()
