"""A mailing to many beside single mails by SMTP, taking turns in one run; and transactional mail while it is made.

Run: `.venv/bin/python -m bench.campaign [--recipients N] [--mails N] [--rounds N]`. Nobody listens where mail should
go, so that all of it stays in the queue. *made* is until every recipient is in the queue; latencies are of one mail by
SMTP, from its first byte to its 250, at rest and while a mailing is made. *queue* is what spool and shelf take of the
disk beyond what they had: segments that were laid out before hide some of it where there are few recipients.
"""

import argparse
import contextlib
import json
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from angarium.core.clock import SystemClock
from angarium.core.fields import Fields, Form, NamedMailbox, Personal, written_form
from angarium.core.ids import MessageId, new_id
from angarium.core.options import Options
from angarium.core.orders import MailOrder, sliced
from angarium.core.records import BULK, ForwardPath, Message
from angarium.engine.orders.look import campaign
from angarium.spool.files.orders.shelf import OrderShelf, orders_folder
from angarium.testing.node import Node
from angarium.testing.programs import free_port
from bench.latency import Client
from bench.processes import memory_bytes

SESSIONS = 8
WORKERS = 2
MAIL = b"From: a@shop.example\r\nSubject: one\r\n\r\n" + (b"x" * 78 + b"\r\n") * 125
FORM = Form(
    fields=Fields(
        author=(NamedMailbox("news@shop.example", "Shop"),),
        subject="Hello {{name}}",
        html="<p>Dear {{name}}, your code is {{code}}.</p>" + "<p>text</p>\n" * 800,
    ),
    language="mustachio",
    hostname="mail.shop.example",
)


def main() -> None:
    """Measure in turns; print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.campaign", description=__doc__)
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("--mails", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    options = parser.parse_args()
    tempfile.tempdir = str(options.folder)
    config = f'Gateway = "127.0.0.1"\nRemote_SMTP_Port = {free_port()}\nRetry_Interval = 3600\n'
    log = options.folder / "campaign.log"
    with contextlib.closing(Node(config, log_to=log, workers=WORKERS)) as node:
        rounds = [one_round(node, options.recipients, options.mails) for _ in range(options.rounds)]
        figures = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
        print(json.dumps({"rounds": rounds, "median": figures}, indent=1))
    log.unlink(missing_ok=True)


def one_round(node: Node, recipients: int, mails: int) -> dict[str, Any]:
    """Return the figures of one turn of each; the keys carry the units."""
    idle = latencies(node.smtp_port, lambda done: done >= 300)
    single_s = singles(node.smtp_port, mails) / mails
    before = spool_bytes(node)
    start = time.monotonic()
    shelf, id = place(node, recipients)
    accepted_s = time.monotonic() - start
    busy = latencies(node.smtp_port, lambda done: done >= 300 and is_made(shelf, id))
    made_s = time.monotonic() - start
    return {
        "single_us": round(single_s * 1e6, 1),
        "accepted_us_each": round(accepted_s / recipients * 1e6, 1),
        "made_us_each": round(made_s / recipients * 1e6, 1),
        "times_as_fast": round(single_s * recipients / made_s, 1),
        "queue_bytes_each": round((spool_bytes(node) - before) / recipients),
        "memory_mb": round(memory_bytes(node.program.pid) / 1e6),
        "idle_p99_ms": percentile(idle, 0.99),
        "busy_p99_ms": percentile(busy, 0.99),
    }


def singles(port: int, mails: int) -> float:
    """Send single mails on several connections; return how long that took, in seconds."""

    def submit(session: int) -> None:
        with Client(port) as client:
            for number in range(mails // SESSIONS):
                client.send(MAIL, recipients=[f"u{session}@d{number % 1000}.example.com"])

    start = time.monotonic()
    with ThreadPoolExecutor(SESSIONS) as pool:
        list(pool.map(submit, range(SESSIONS)))
    return time.monotonic() - start


def latencies(port: int, enough: Any) -> list[float]:
    """Send one mail after the other until *enough*; return how long each took, in milliseconds."""
    taken: list[float] = []
    with Client(port) as client:
        while not enough(len(taken)):
            start = time.perf_counter()
            client.send(MAIL)
            taken.append((time.perf_counter() - start) * 1000)
            time.sleep(0.002)
    return taken


def place(node: Node, number: int) -> tuple[OrderShelf, MessageId]:
    """Place a mailing as the door does, from addresses and data that were read."""
    now = SystemClock().now()
    id = MessageId(new_id(now))
    message = Message(
        id=id, received_at=now, reverse_path="news@shop.example", recipients=(), binding="default", lane=BULK,
        tenant="bench", trace=b"", body_size=10_000, author_domain="shop.example", is_form=True,
        options=Options(campaign="bench"),
    )  # fmt: skip
    paths = [
        ForwardPath(address=f"somebody.{n}@d{n % 1000}.example.com", domain=f"d{n % 1000}.example.com")
        for n in range(number)
    ]
    data = [
        Personal(f"Somebody {n}", b'{"name": "Somebody", "code": "%d", "city": "London"}' % n)
        for n in range(number)
    ]
    shelf = OrderShelf(orders_folder(node.data))
    order = MailOrder(id=id, made_at=now, message=message, shares=WORKERS, name="bench")
    shelf.place(order, written_form(FORM, b"Subject: Hello\r\n"), list(sliced(paths, data)))
    return shelf, id


def is_made(shelf: OrderShelf, id: MessageId) -> bool:
    """Whether all of a mailing is in the queue."""
    return campaign(shelf, id, time.time()).state == "made"


def spool_bytes(node: Node) -> int:
    """Return what queue and shelf take on the disk."""
    files = (path for folder in ("spool", "orders") for path in (node.data / folder).rglob("*"))
    return sum(path.stat().st_blocks * 512 for path in files if path.is_file())


def percentile(values: list[float], share: float) -> float:
    """Return the value below which *share* of *values* lie."""
    return round(sorted(values)[int(share * (len(values) - 1))], 2)


if __name__ == "__main__":
    main()
