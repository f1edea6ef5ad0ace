"""Sessions with STARTTLS and one large mail each, ten thousand of them: what the worker's memory does meanwhile.

Run: `.venv/bin/python -m bench.soak [--sessions N]`. Each mail is delivered to a sink under TLS, so that both ways are
tried. Printed is the worker's resident memory, round by round; where it stays, finished sessions leave nothing behind.
"""

import argparse
import contextlib
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from angarium.testing.authority import CertificateAuthority
from angarium.testing.programs import free_port
from bench.load import Scenario, Sink, inject_securely
from bench.processes import cpu_s, tree_of
from bench.secure import SecureAngarium

ROUNDS = 20
SIZE_BYTES = 900_000


def main() -> None:
    """Send, look after each round, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    options = parser.parse_args()
    tempfile.tempdir = str(options.folder)
    scenario = Scenario("soak", SIZE_BYTES, options.at_once, 1, is_secure=True)
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="angarium-soak-")))
        certificate = CertificateAuthority(folder).issue("localhost").both
        port = free_port()
        sink = Sink(port, certificate)
        running.callback(sink.stop)
        system = SecureAngarium(port, options.folder, certificate, workers=1)
        running.callback(system.stop)
        figures = soak(system, scenario, sink, options.sessions)
    print(json.dumps(figures, indent=1))


def soak(system: SecureAngarium, scenario: Scenario, sink: Sink, sessions: int) -> dict[str, Any]:
    """Return the memory after each round in MB, and what a session took in milliseconds of CPU."""
    assert system.login is not None
    (worker,) = tree_of(system.root_pid)[1:]
    before, memory = cpu_s(system.root_pid), [resident_mb(worker)]
    for _ in range(ROUNDS):
        taken = sink.taken
        injected = inject_securely(system.smtp_port, scenario, sessions // ROUNDS, system.login)
        sink.wait_for(taken + injected)
        time.sleep(1)
        memory.append(resident_mb(worker))
        print(f"{memory[-1]} MB", flush=True)
    spent = cpu_s(system.root_pid) - before
    return {"sessions": sessions, "memory_mb": memory, "cpu_ms_each": round(spent * 1000 / sessions, 2)}


def resident_mb(pid: int) -> int:
    """Return the resident set of a process."""
    fields = Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()
    return int(fields[0]) // 1024


if __name__ == "__main__":
    main()
