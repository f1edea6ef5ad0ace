"""Mail by HTTP beside mail by SMTP, in one run: `python -m bench.requests`.

A node of this checkout, a sink, and clients that keep their connections. Accepted and end to end: single messages and
batches of 500, plain, tracked, of a template with data, and signed if the node has keys; beside them single mails by
SMTP of the same size. CPU is that of the node's processes.
"""

import argparse
import http.client
import json
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from angarium.testing.lab import Lab, LabSink
from angarium.testing.node import Node
from angarium.testing.programs import PATIENCE_S
from bench.load import Scenario, inject
from bench.processes import cpu_s

PATH = "/manage/v1/messages"
BATCH = 500
_CONFIG = """
ESMTP_Listener "default" {{ Relay_Hosts = ( "127.0.0.0/8" ) }}
Routes = ( "127.0.0.1:{port}" )
Tracking_Domain = "clicks.example.com"
"""


class Kind(NamedTuple):
    """One kind of mail: its name, and what is said of it besides."""

    name: str
    fields: dict[str, Any]


class Figures(NamedTuple):
    """What one load came to."""

    accepted_per_s: float
    delivered_per_s: float
    cpu_ms: float


def kinds(size_bytes: int) -> tuple[Kind, ...]:
    """Return the kinds of mail, each of about so many bytes."""
    html = (
        "<html><body>"
        + '<p>word</p><a href="http://shop.example/x">x</a>' * (size_bytes // 50)
        + "</body></html>"
    )
    return (
        Kind("plain", {"text": "x" * 70 + "\n" + "word " * (size_bytes // 5)}),
        Kind("tracked", {"html": html, "track_opens": True, "track_links": "all"}),
        Kind(
            "templated",
            {"html": html.replace("word", "{{word}}"), "language": "mustachio", "data": {"word": "word"}},
        ),
    )


def bodies(kind: Kind, messages: int, batch: int) -> list[bytes]:
    """Return the bodies of the requests for so many messages."""
    mail = {"from": "a@source.example.org", "to": ["b@sink.example.com"], "subject": "x", **kind.fields}
    if batch == 1:
        return [json.dumps(mail).encode()] * messages
    return [json.dumps({"messages": [mail] * batch}).encode()] * (messages // batch)


def post(node: Node, key: str, path: str, waiting: list[bytes]) -> None:
    """Send what waits, over one connection, until nothing does. Raises RuntimeError for what is not taken."""
    connection = http.client.HTTPConnection("127.0.0.1", node.http_port, timeout=PATIENCE_S)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    while True:
        try:
            body = waiting.pop()
        except IndexError:
            return connection.close()
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 202:
            raise RuntimeError(f"answered {answer.status}: {said[:300].decode()}")


def by_http(node: Node, key: str, kind: Kind, messages: int, batch: int, clients: int) -> Callable[[], None]:
    """Return what sends so many messages."""
    waiting = bodies(kind, messages, batch)
    path = PATH if batch == 1 else f"{PATH}/batch"

    def send() -> None:
        threads = [threading.Thread(target=post, args=(node, key, path, waiting)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return send


def measured(node: Node, sink: LabSink, messages: int, send: Callable[[], None]) -> Figures:
    """Send, wait until all has arrived, and return what it came to."""
    before, cpu, began = sink.counters.messages, cpu_s(node.pids[0]), time.monotonic()
    send()
    accepted = time.monotonic() - began
    sink.wait_for(lambda: sink.counters.messages >= before + messages, 600)
    whole = time.monotonic() - began
    return Figures(messages / accepted, messages / whole, 1000 * (cpu_s(node.pids[0]) - cpu) / messages)


def main() -> None:
    """Run all loads, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--messages", type=int, default=5_000, help="messages of each load, a multiple of 500"
    )
    parser.add_argument("--size", type=int, default=10_000, help="bytes of a message")
    parser.add_argument("--clients", type=int, default=20, help="connections at a time")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    with Lab() as lab:
        sink = lab.sink()
        with Node(_CONFIG.format(port=sink.port), workers=asked.workers) as node:
            node.cli("accounts", "create", "bench")
            node.cli("servers", "create", "app", "--account", "1")
            key = node.cli("keys", "create", "k", "--account", "1", "--grant", "transmissions/modify")[
                "secret"
            ]
            print(f"{'load':24}{'accepted/s':>12}{'delivered/s':>13}{'CPU ms each':>13}")
            scenario = Scenario("smtp", asked.size, asked.clients, 0)

            def show(name: str, send: Callable[[], None]) -> None:
                found = measured(node, sink, asked.messages, send)
                print(
                    f"{name:24}{found.accepted_per_s:12.0f}{found.delivered_per_s:13.0f}{found.cpu_ms:13.2f}"
                )

            show("smtp, plain", lambda: inject(node.smtp_port, scenario, asked.messages) and None)
            for kind in kinds(asked.size):
                for batch in (1, BATCH):
                    name = f"http, {kind.name}, {'single' if batch == 1 else batch}"
                    show(name, by_http(node, key, kind, asked.messages, batch, asked.clients))


if __name__ == "__main__":
    main()
