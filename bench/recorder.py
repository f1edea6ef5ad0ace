"""What recording costs the mail: the time to the 250, messages a second and CPU, with the recorder beside without.

Run: `.venv/bin/python -m bench.recorder [--rounds 4] [--seconds 10]`. One node relays a load to a sink, and a client
beside the load sends a message after the other and times its 250s. In every other turn the recorder is stopped by a
signal: it reads and syncs nothing then, and is let go on, and waited for, before the next. Turns go on, off, off, on,
so that a machine that becomes slower counts for both.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from angarium.testing.programs import free_port
from bench.latency import Client, percentiles
from bench.load import SCENARIOS, Scenario, Sink, inject
from bench.processes import cpu_s, tree_of
from bench.systems import AngariumSystem

MOST_S = 30.0
"""A recorder that is silent for a minute would be taken for stuck, and made anew."""
PAUSE_S = 0.01
TURNS = (True, False, False, True)


def main() -> None:
    """Take turns and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.recorder", description=__doc__)
    parser.add_argument(
        "--scenario", default="10k", choices=[each.name for each in SCENARIOS if not each.is_secure]
    )
    parser.add_argument("--rounds", type=int, default=4, help="of four turns each (default 4)")
    parser.add_argument("--seconds", type=float, default=10, help="of a turn (default 10, at most 30)")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    options = parser.parse_args()
    tempfile.tempdir = str(options.folder)
    scenario = next(each for each in SCENARIOS if each.name == options.scenario)
    port = free_port()
    system, sink = AngariumSystem(port, options.folder), Sink(port)
    try:
        turns = RecorderBench(system, sink, scenario, min(options.seconds, MOST_S)).run(options.rounds)
    finally:
        system.stop()
        sink.stop()
    print(json.dumps({"on": summary(turns[True]), "off": summary(turns[False])}, indent=1))


@dataclass(frozen=True)
class Turn:
    """What one turn showed; times in seconds. *recorder_cpu_s* is what it used until it had read all of the turn."""

    messages: int
    took_s: float
    answers_s: list[float]
    mail_cpu_s: float
    recorder_cpu_s: float


class RecorderBench:
    """Has *system* relay, with its recorder and without."""

    def __init__(self, system: AngariumSystem, sink: Sink, scenario: Scenario, seconds: float) -> None:
        self._system = system
        self._sink = sink
        self._scenario = scenario
        self._seconds = seconds
        self._recorder = recorder_in(system.root_pid)

    def run(self, rounds: int) -> dict[bool, list[Turn]]:
        """Return the turns with it (True) and without."""
        warm = self._turn(600)
        messages = max(600, int(warm.messages / warm.took_s * self._seconds))
        self._turn(messages // 2)
        turns: dict[bool, list[Turn]] = {True: [], False: []}
        for number in range(rounds * len(TURNS)):
            is_on = TURNS[number % len(TURNS)]
            with contextlib.nullcontext() if is_on else stopped(self._recorder):
                turn = self._turn(messages, is_on=is_on)
            self._quiet()
            turns[is_on].append(turn)
            rate, answers = turn.messages / turn.took_s, percentiles(turn.answers_s)
            say(f"{'on ' if is_on else 'off'} {rate:7.0f} msg/s, 250 {answers}")
        return turns

    def _turn(self, messages: int, *, is_on: bool = True) -> Turn:
        taken, start = self._sink.taken, time.monotonic()
        before, recorder_before = self._cpu_s(), cpu_s(self._recorder)
        with Asking(self._system.smtp_port) as asking:
            injected = inject(self._system.smtp_port, self._scenario, messages)
        sent = injected + len(asking.times_s)
        took_s = self._sink.wait_for(taken + sent) - start
        if is_on:
            self._quiet()
        return Turn(
            sent, took_s, asking.times_s, self._cpu_s() - before, cpu_s(self._recorder) - recorder_before
        )

    def _cpu_s(self) -> float:
        """Return what all but the recorder has used."""
        return cpu_s(self._system.root_pid) - cpu_s(self._recorder)

    def _quiet(self) -> None:
        """Wait until nothing is done any more."""
        before = cpu_s(self._system.root_pid)
        while True:
            time.sleep(0.5)
            now = cpu_s(self._system.root_pid)
            if now - before <= 0.03:
                return
            before = now


class Asking:
    """While it is open, sends a message after the other, and times each from MAIL to the 250."""

    def __init__(self, port: int) -> None:
        self.times_s: list[float] = []
        self._port = port
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        body = b"Subject: latency\r\n\r\n" + (b"x" * 78 + b"\r\n") * 128
        with Client(self._port) as client:
            while not self._ending.wait(PAUSE_S):
                start = time.perf_counter()
                client.send(body)
                self.times_s.append(time.perf_counter() - start)

    def __enter__(self) -> "Asking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Have a process stand still meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def recorder_in(root: int) -> int:
    """Return the process id of the recorder below *root*, once it is there."""
    for _ in range(100):
        for pid in tree_of(root):
            with contextlib.suppress(OSError):
                if b"angarium.node.recorder.process" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
        time.sleep(0.1)
    raise RuntimeError("the node has no recorder")


def summary(turns: list[Turn]) -> dict[str, Any]:
    """Return the medians of the turns, and of all answers together the percentiles."""
    per_1000 = [1000 / turn.messages for turn in turns]
    rates = [turn.messages / turn.took_s for turn in turns]
    return {
        "messages_per_s": round(statistics.median(rates), 1),
        "messages_per_s_by_turn": [round(rate) for rate in rates],
        "acknowledged": asdict(percentiles([each for turn in turns for each in turn.answers_s])),
        "p99_ms_by_turn": [percentiles(turn.answers_s).p99_ms for turn in turns],
        "mail_cpu_s_per_1000": round(
            statistics.median(turn.mail_cpu_s * each for turn, each in zip(turns, per_1000, strict=True)), 4
        ),
        "recorder_cpu_s_per_1000": round(
            statistics.median(turn.recorder_cpu_s * each for turn, each in zip(turns, per_1000, strict=True)),
            4,
        ),
    }


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
