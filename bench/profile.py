"""Where the workers' CPU time goes under load: `.venv/bin/python -m bench.profile [--scenario 10k] [--messages N]`.

Prints the share of each room, of each function by itself, and of each with what it called. Needs nothing but Python:
see `sampling/sitecustomize.py`. Times in C count for the Python function that called it.
"""

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path

from angarium.testing.node import Node
from angarium.testing.programs import free_port
from bench.load import SCENARIOS, Scenario, Sink, inject
from bench.systems import ANGARIUM_CONFIG

SAMPLING = Path(__file__).parent / "sampling"

Stacks = list[tuple[tuple[str, ...], int]]
"""Innermost function first, and how many milliseconds of CPU time were seen there."""


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
            with Node(ANGARIUM_CONFIG.format(sink_port=port), env=env) as node:
                sink.wait_for(inject(node.smtp_port, scenario, messages))
                node.stop()
        finally:
            sink.stop()
        rows = [row for path in Path(folder).glob("*.json") for row in json.loads(path.read_text())]
        return [(tuple(stack), count) for stack, count in rows], sink.taken


def report(stacks: Stacks, messages: int, lines: int) -> None:
    """Print shares in percent and microseconds a message."""
    total = sum(count for _, count in stacks)
    if not total:
        raise SystemExit("no samples: did the workers end in order?")
    print(
        f"{total} ms of CPU time in the workers, {messages} messages: {total / messages * 1000:.0f} µs each"
    )
    rooms, own, whole = Counter[str](), Counter[str](), Counter[str]()
    for stack, count in stacks:
        own[stack[0]] += count
        rooms[room(stack)] += count
        whole.update(dict.fromkeys(stack, count))
    for title, counts in (("by room", rooms), ("by function", own), ("with what it called", whole)):
        print(f"\n{title}")
        for name, count in counts.most_common(lines):
            print(f"{count / total:7.1%} {count / messages * 1000:7.1f} µs  {name}")


def room(stack: tuple[str, ...]) -> str:
    """Return the innermost function's room of Angarium, or `outside`."""
    for name in stack:
        if name.startswith("angarium/"):
            return name.split("/")[1]
    return "outside"


if __name__ == "__main__":
    main()
