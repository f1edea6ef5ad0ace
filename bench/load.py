"""The load: Postfix's own C programs, smtp-source to inject and smtp-sink to take, so that they cost little.

smtp-source neither pipelines nor checks anything; smtp-sink offers PIPELINING, takes everything and throws it
away.
"""

import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from angarium.testing.peers import find_program
from angarium.testing.programs import run

SENDER = "bench@source.example.org"
RECIPIENT = "bench@sink.example.com"

_COUNTERS = re.compile(rb"mesg=(\d+)")


class Login(NamedTuple):
    """What a secure load logs in with."""

    user: str
    password: str


@dataclass(frozen=True)
class Scenario:
    """Injected: *sessions* at a time of *per_session* messages each; 0: kept to the end of the run."""

    name: str
    size_bytes: int
    sessions: int
    per_session: int
    is_secure: bool = False
    """With STARTTLS and AUTH PLAIN in, and STARTTLS out."""


SCENARIOS = (
    Scenario("10k", 10_240, 30, 20),
    Scenario("2k", 2_048, 30, 20),
    Scenario("50k", 51_200, 30, 20),
    Scenario("10k-single", 10_240, 30, 1),
    Scenario("10k-two", 10_240, 2, 0),
    Scenario("10k-secure", 10_240, 30, 20, is_secure=True),
)


def inject_securely(port: int, scenario: Scenario, messages: int, login: Login) -> int:
    """Inject as `inject` does, logged in under TLS. Raises ProgramFailed."""
    counts = map(str, (port, scenario.sessions, scenario.per_session, scenario.size_bytes, messages))
    command = [sys.executable, "-m", "bench.secure_load", *counts]
    return int(run(command, f"{login.user}\n{login.password}\n".encode(), timeout_s=600))


def inject(port: int, scenario: Scenario, messages: int) -> int:
    """Inject about *messages* messages, in whole sessions; return how many. Raises ProgramFailed.

    smtp-source cannot end a session after n messages, so sessions of 20 are one run of it after the other, in
    two halves side by side, so that there is no pause while one ends.
    """
    command = [str(find_program("smtp-source", "postfix")), "-l", str(scenario.size_bytes)]
    command += ["-f", SENDER, "-t", RECIPIENT]
    target = f"127.0.0.1:{port}"
    if scenario.per_session < 2:
        keep = [] if scenario.per_session else ["-d"]
        counts = ["-s", str(scenario.sessions), "-m", str(messages)]
        run([*command, *keep, *counts, target], timeout_s=600)
        return messages
    half = scenario.sessions // 2
    burst = half * scenario.per_session
    bursts = max(1, round(messages / burst / 2))

    def run_half() -> None:
        for _ in range(bursts):
            run([*command, "-d", "-s", str(half), "-m", str(burst), target], timeout_s=600)

    with ThreadPoolExecutor(2) as pool:
        for running in [pool.submit(run_half), pool.submit(run_half)]:
            running.result()
    return 2 * bursts * burst


class SinkStalled(Exception):
    """The sink did not get what was injected."""


class Sink:
    """A running smtp-sink. `taken` counts the messages it has answered with 250 since it was started."""

    def __init__(self, port: int, certificate: Path | None = None) -> None:
        """With a *certificate*, take one that speaks STARTTLS, which smtp-sink does not."""
        self.taken = 0
        self.last_at = time.monotonic()
        self._news = threading.Condition()
        command = _smtp_sink(port) if certificate is None else _secure_sink(port, certificate)
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()

    def _count(self) -> None:
        assert self._process.stdout is not None
        while piece := os.read(self._process.stdout.fileno(), 65536):
            counters = _COUNTERS.findall(piece)
            if counters and int(counters[-1]) > self.taken:
                with self._news:
                    self.taken, self.last_at = int(counters[-1]), time.monotonic()
                    self._news.notify_all()
            time.sleep(
                0.002
            )  # it prints every change: read many at once, else reading costs as much as the sink

    def wait_for(self, count: int, patience_s: float = 60) -> float:
        """Wait until *count* messages were taken; return when that was (monotonic seconds, to 2 ms).

        Raises SinkStalled when nothing came for *patience_s*.
        """
        with self._news:
            while self.taken < count:
                if self._process.poll() is not None or not self._news.wait(patience_s):
                    raise SinkStalled(
                        f"{self.taken} of {count} messages arrived, nothing for {patience_s:g} s"
                    )
            return self.last_at

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()
        self._thread.join()


def _smtp_sink(port: int) -> list[str]:
    command = [str(find_program("smtp-sink", "postfix")), "-4", "-c", "-m", "1000"]
    command += ["-u", "nobody"] if os.geteuid() == 0 else []
    return [*command, f"127.0.0.1:{port}", "1000"]


def _secure_sink(port: int, certificate: Path) -> list[str]:
    return [sys.executable, "-m", "bench.secure_sink", str(port), str(certificate)]
