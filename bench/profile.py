"""Where the workers' CPU time goes under load: `.venv/bin/python -m bench.profile [--scenario 10k] [--messages N]`.

Prints the share of each room, of each function by itself, and of each with what it called. Needs nothing but Python:
see `sampling/sitecustomize.py`. Time in C counts for the Python function that called it, that of other threads (the
syncs) for whatever the loop did meanwhile.
"""

import argparse
import contextlib
import json
import tempfile
from collections import defaultdict
from operator import itemgetter
from pathlib import Path
from typing import Any

from angarium.testing.node import Node
from angarium.testing.programs import free_port
from bench.load import SCENARIOS, Scenario, Sink, inject
from bench.systems import ANGARIUM_CONFIG

LOOP = "uvloop/__init__.py:run"
SAMPLING = Path(__file__).parent / "sampling"

Stacks = list[tuple[tuple[str, ...], float]]
"""Innermost function first, and how many seconds of CPU time went there."""


def main() -> None:
    """Run the load and print the three tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("--scenario", default="10k", choices=[scenario.name for scenario in SCENARIOS])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    parser.add_argument("--lines", type=int, default=40, help="how many functions to print")
    options = parser.parse_args()
    tempfile.tempdir = str(options.folder)
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == options.scenario)
    stacks, taken = sample(scenario, options.messages)
    report(stacks, taken, options.lines)


def sample(scenario: Scenario, messages: int) -> tuple[Stacks, int]:
    """Run the node under load with the sampler in its workers; return what they saw, and how many messages."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        env = {"PYTHONPATH": str(SAMPLING), "ANGARIUM_SAMPLES": folder}
        sink = Sink(port)
        try:
            log = Path(folder) / "log"
            config = ANGARIUM_CONFIG.format(sink_port=port)
            with contextlib.closing(Node(config, env=env, log_to=log)) as node:
                sink.wait_for(inject(node.smtp_port, scenario, messages))
                node.stop()
        finally:
            sink.stop()
        workers = [json.loads(path.read_text()) for path in Path(folder).glob("*.json")]
        return [seconds for worker in workers for seconds in spread(worker)], sink.taken


def spread(worker: dict[str, Any]) -> Stacks:
    """Spread a worker's CPU time over its samples, and leave out what came before its loop ran (imports)."""
    total = sum(count for _, count in worker["stacks"])
    each_s = worker["cpu_s"] / total
    return [(tuple(stack), count * each_s) for stack, count in worker["stacks"] if LOOP in stack]


def report(stacks: Stacks, messages: int, lines: int) -> None:
    """Print shares in percent and microseconds a message."""
    total = sum(seconds for _, seconds in stacks)
    if not total:
        raise SystemExit("no samples: did the workers end in order?")
    print(
        f"{total:.2f} s of CPU time in the workers, {messages} messages: {total / messages * 1e6:.0f} µs each"
    )
    rooms: defaultdict[str, float] = defaultdict(float)
    own: defaultdict[str, float] = defaultdict(float)
    whole: defaultdict[str, float] = defaultdict(float)
    for stack, seconds in stacks:
        own[stack[0]] += seconds
        rooms[room(stack)] += seconds
        for name in set(stack):
            whole[name] += seconds
    for title, shares in (("by room", rooms), ("by function", own), ("with what it called", whole)):
        print(f"\n{title}")
        for name, seconds in sorted(shares.items(), key=itemgetter(1), reverse=True)[:lines]:
            print(f"{seconds / total:7.1%} {seconds / messages * 1e6:7.1f} µs  {name}")


def room(stack: tuple[str, ...]) -> str:
    """Return the innermost function's room of Angarium, or `outside`."""
    for name in stack:
        if name.startswith("angarium/"):
            return name.split("/")[1]
    return "outside"


if __name__ == "__main__":
    main()
