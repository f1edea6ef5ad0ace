"""What signatures cost: `.venv/bin/python -m bench.dkim [--rounds N] [--messages N] [--only-signatures]`.

First the parts of a signature over a message of 10 KB, on one core. Then a whole node under the load of `script/bench`,
with no key, with an Ed25519 key, with an RSA-2048 key and with both, taking turns; CPU is that of the node's processes.
"""

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from angarium.config.load import parse_config
from angarium.config.records import DKIM_HEADERS, DKIM_OVERSIGN_HEADERS
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import key_file, open_database, store_url
from angarium.identity.store.store import IdentityStore
from angarium.mime.header import HeaderBlock
from angarium.render.canonical import relaxed_body_hash
from angarium.render.dkim import SigningKey, prepare
from angarium.testing.node import Node
from angarium.testing.programs import free_port
from bench.load import SCENARIOS, SENDER, Scenario, Sink, inject
from bench.processes import cpu_s
from bench.systems import ANGARIUM_CONFIG

DOMAIN = SENDER.partition("@")[2]
KINDS = ("unsigned", "ed25519", "rsa", "both")
HEADER = (
    b"Received: from client.example ([192.0.2.1])\r\n\tby mail.example with ESMTP id 1;\r\n"
    b"\tMon, 1 Jan 2026 00:00:00 +0000\r\n"
    b'From: "Sender" <sender@source.example.org>\r\nTo: "Recipient" <recipient@sink.example.com>\r\n'
    b"Subject: A subject of the usual length, more or less\r\nDate: Mon, 1 Jan 2026 00:00:00 +0000\r\n"
    b"Message-ID: <0123456789abcdef@source.example.org>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"
    b"List-Unsubscribe: <https://source.example.org/u/0123456789abcdef>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\n"
)
TEXT = b"A line of text as it stands in mail, about as long as lines are there, more or=\r\n" * 125
MARKUP = b'    <td class="cell">  A line of markup, <b>with blanks before it</b> and after </td>  \r\n' * 116


class Round(NamedTuple):
    """One run under load."""

    per_s: float
    cpu_us: float


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.dkim", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=12_000, help="of a round")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    parser.add_argument("--only-signatures", action="store_true", help="leave the node out")
    options = parser.parse_args()
    tempfile.tempdir = str(options.folder)
    show_signatures()
    if not options.only_signatures:
        show_rounds(options.rounds, options.messages)


# -- signatures by themselves


def show_signatures() -> None:
    """Print what each part of a signature takes."""
    keys = {
        "ed25519": SigningKey(DOMAIN, "e", "ed25519", Ed25519PrivateKey.generate()),
        "rsa": SigningKey(DOMAIN, "r", "rsa", generate_private_key(65537, 2048)),
    }
    for name, body in (("plain text", TEXT), ("indented HTML", MARKUP)):
        print(f"body hash, {len(body)} bytes of {name}: {cost_us(partial(relaxed_body_hash, body)):.0f} µs")
    body_hash = relaxed_body_hash(TEXT)
    print(f"{'keys':10} {'header':>8} {'signing':>9} {'with body':>10} {'messages/s on a core':>21}")
    for kind in KINDS[1:]:
        chosen = list(keys.values()) if kind == "both" else [keys[kind]]
        prepared = prepared_by(chosen, body_hash)
        header_us = cost_us(partial(prepared_by, chosen, body_hash))
        signing_us = cost_us(prepared.signed)
        whole_us = header_us + signing_us + cost_us(partial(relaxed_body_hash, TEXT))
        print(f"{kind:10} {header_us:5.0f} µs {signing_us:6.0f} µs {whole_us:7.0f} µs {1e6 / whole_us:21.0f}")


def prepared_by(keys: list[SigningKey], body_hash: bytes):  # type: ignore[no-untyped-def]
    """Do what a signature takes besides the body's hash and the private key."""
    return prepare(
        HeaderBlock.scan(HEADER), body_hash, keys, DKIM_HEADERS, DKIM_OVERSIGN_HEADERS, time.time()
    )


def cost_us(act: Callable[[], object], count: int = 1000) -> float:
    """Return the CPU time of *act*, the least of five means: what disturbs only ever adds."""
    means = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(count):
            act()
        means.append((time.process_time() - start) / count)
    return min(means) * 1e6


# -- a node under load


def show_rounds(rounds: int, messages: int) -> None:
    """Print the median of the rounds of each kind."""
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == "10k")
    results: dict[str, list[Round]] = {kind: [] for kind in KINDS}
    for _ in range(rounds):
        for kind in KINDS:
            results[kind].append(run(kind, scenario, messages))
    print(f"\n{'keys':10} {'messages/s':>11} {'CPU a message':>14}   (median of {rounds}, two workers)")
    for kind, done in results.items():
        rate = statistics.median(each.per_s for each in done)
        print(f"{kind:10} {rate:11.0f} {statistics.median(each.cpu_us for each in done):11.0f} µs")


def run(kind: str, scenario: Scenario, messages: int) -> Round:
    """Run the load through a node whose store has the keys of *kind*."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if kind != "unsigned":
            add_domain(folder / "data", kind)
        sink = Sink(port)
        try:
            config = ANGARIUM_CONFIG.format(sink_port=port)
            with contextlib.closing(Node(config, folder=folder, log_to=folder / "log")) as node:
                warm = inject(node.smtp_port, scenario, scenario.sessions * scenario.per_session)
                sink.wait_for(warm)
                cpu_before, start = cpu_s(node.program.pid), time.monotonic()
                count = inject(node.smtp_port, scenario, messages)
                taken_s = sink.wait_for(warm + count) - start
                return Round(count / taken_s, (cpu_s(node.program.pid) - cpu_before) / count * 1e6)
        finally:
            sink.stop()


def add_domain(data: Path, kind: str) -> None:
    """Make a store in which the load's domain is verified, with the keys of *kind*."""
    data.mkdir()
    config = parse_config("")
    database = open_database(store_url(config, data))
    database.migrate()
    store = IdentityStore(database, KeyRing.load_or_create(key_file(config, data)), time.time)
    account = store.accounts.create("bench", actor="bench")
    domain = store.domains.create(account.id, DOMAIN, actor="bench")
    wanted = {key.id: kind in ("both", key.algorithm) for key in domain.keys}
    store.domains.mark_checked(domain.id, wanted, time.time(), actor="bench")
    database.close()


if __name__ == "__main__":
    main()
