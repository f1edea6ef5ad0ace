"""A million recipients queued for a destination that is down: memory, idle CPU, how long a restart takes, and how long
the operator's commands about all of them.

Run: `.venv/bin/python -m bench.million [--recipients N]`. They come as messages of 2 KB for 100 recipients each,
on many domains, and nobody listens where they should go.
"""

import argparse
import contextlib
import json
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from angarium.testing.node import ANGARIUM, Node
from angarium.testing.programs import free_port
from bench.latency import Client
from bench.processes import cpu_s, memory_bytes

PER_MESSAGE = 100
SESSIONS = 8
COMMANDS = ("hold --all", "release --all", "rebind --to other --all", "flush --all", "fail --quiet --all")
BODY = b"Subject: for later\r\n\r\n" + (b"x" * 78 + b"\r\n") * 25


def main() -> None:
    """Queue, measure, restart, measure; print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.million", description=__doc__)
    parser.add_argument("--recipients", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    options = parser.parse_args()
    tempfile.tempdir = str(options.folder)
    config = f'Gateway = "127.0.0.1"\nRemote_SMTP_Port = {free_port()}\nRetry_Interval = 3600\nBinding "other" {{}}\n'
    log = options.folder / "million.log"
    with contextlib.closing(Node(config, log_to=log)) as node:
        figures = measure(node, options.recipients)
    log.unlink()
    print(json.dumps(figures, indent=1))


def measure(node: Node, recipients: int) -> dict[str, Any]:
    """Return all figures; the keys carry the units."""
    start = time.monotonic()
    queued = queue(node.smtp_port, recipients)
    queued_s = time.monotonic() - start
    figures: dict[str, Any] = {"recipients": queued, "queued_in_s": round(queued_s, 1)}
    settle(node)
    figures["settled_after_s"] = round(time.monotonic() - start, 1)
    figures |= {f"before_{key}": value for key, value in at_rest(node).items()}
    node.stop()
    start = time.monotonic()
    node.start(ready_within_s=300)
    figures["ready_after_restart_s"] = round(time.monotonic() - start, 2)
    settle(node)
    figures |= {f"after_{key}": value for key, value in at_rest(node).items()}
    for command in COMMANDS:
        figures |= carry_out(node, command)
    return figures


def queue(port: int, recipients: int) -> int:
    """Submit on several connections; return how many recipients were accepted."""
    share = recipients // PER_MESSAGE // SESSIONS

    def submit(session: int) -> None:
        with Client(port) as client:
            for number in range(share):
                prefix = f"{session}-{number}"
                addresses = [f"u{n}@d{(number + n) % 1000}.example.com" for n in range(PER_MESSAGE)]
                client.send(BODY, sender=f"{prefix}@source.example.org", recipients=addresses)

    with ThreadPoolExecutor(SESSIONS) as pool:
        list(pool.map(submit, range(SESSIONS)))
    return share * SESSIONS * PER_MESSAGE


def settle(node: Node, patience_s: float = 600) -> None:
    """Wait until the node uses less than 5 % of one core over two seconds."""
    give_up_at = time.monotonic() + patience_s
    while True:
        before = cpu_s(node.program.pid)
        time.sleep(2)
        if cpu_s(node.program.pid) - before < 0.1:
            return
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"not idle after {patience_s:g} s")


def carry_out(node: Node, command: str) -> dict[str, float]:
    """Have all recipients changed by *command*, and say what that took until the node is at rest again."""
    words = [str(ANGARIUM), *command.split(), "--yes", "--json", "--data", str(node.data)]
    name, before, start = words[1], cpu_s(node.program.pid), time.monotonic()
    said = json.loads(subprocess.run(words, check=True, capture_output=True, timeout=3600).stdout)
    took = time.monotonic() - start
    settle(node)
    spent = cpu_s(node.program.pid) - before
    return {
        f"{name}_changed": said["changed"]["changed"],
        f"{name}_s": round(took, 1),
        f"{name}_cpu_s": round(spent, 1),
    }


def at_rest(node: Node) -> dict[str, float]:
    """Memory, and CPU over ten seconds in percent of one core."""
    before = cpu_s(node.program.pid)
    time.sleep(10)
    return {
        "memory_mb": round(memory_bytes(node.program.pid) / 1e6, 1),
        "idle_cpu_percent": round((cpu_s(node.program.pid) - before) * 10, 2),
    }


if __name__ == "__main__":
    main()
