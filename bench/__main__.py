"""`script/bench`: Angarium and Debian's Postfix side by side, on the same disk, taking turns."""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from angarium.testing.authority import CertificateAuthority
from angarium.testing.programs import free_port
from bench.latency import disk_latency, relay_latency
from bench.load import SCENARIOS, Scenario, Sink, inject, inject_securely
from bench.processes import MemoryWatch, cpu_s
from bench.report import show
from bench.secure import SECURE_SYSTEMS
from bench.systems import SYSTEMS, System

OUT = Path(__file__).parent / "out"


def main() -> None:
    """Run what the arguments ask for, print the table and write the figures."""
    options = arguments()
    tempfile.tempdir = str(options.folder)
    figures = run(options)
    show(figures)
    target = options.json or OUT / time.strftime("%Y%m%d-%H%M%S.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"figures: {target}")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of 2 s each, 50 latency samples")
    parser.add_argument(
        "--only", action="append", choices=[*names, "latency"], help="may be given several times"
    )
    parser.add_argument("--system", action="append", choices=list(SYSTEMS), help="leave the others out")
    parser.add_argument("--rounds", type=int, default=3, help="rounds a scenario and system (default 3)")
    parser.add_argument("--seconds", type=float, default=8, help="about how long a round lasts (default 8)")
    parser.add_argument(
        "--folder", type=Path, default=Path("/var/tmp"), help="where both keep mail (default /var/tmp)"
    )
    parser.add_argument("--json", type=Path, help="where the figures go (default bench/out/)")
    options = parser.parse_args()
    options.samples = 50 if options.quick else 300
    if options.quick:
        options.rounds, options.seconds = 1, 2.0
    return options


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure, and return the figures as they are written to the JSON file."""
    wanted = options.only or [*(scenario.name for scenario in SCENARIOS), "latency"]
    figures: dict[str, Any] = {
        "machine": machine(options.folder),
        "settings": {},
        "runs": [],
        "memory": {},
        "latency": {},
    }
    plain = [each for each in SCENARIOS if each.name in wanted and not each.is_secure]
    secure = [each for each in SCENARIOS if each.name in wanted and each.is_secure]
    if plain or "latency" in wanted:
        run_plain(plain, "latency" in wanted, options, figures)
    if secure:
        run_secure(secure, options, figures)
    figures["summary"] = summary(figures["runs"])
    return figures


def run_plain(
    scenarios: list[Scenario], with_latency: bool, options: argparse.Namespace, figures: dict[str, Any]
) -> None:
    """Measure without encryption, as `smtp-source` and `smtp-sink` can."""
    sink_port = free_port()
    with contextlib.ExitStack() as running:
        systems: list[System] = []
        for name in options.system or SYSTEMS:
            systems.append(SYSTEMS[name](sink_port, options.folder))
            running.callback(systems[-1].stop)
        figures["settings"] |= {system.name: system.settings() for system in systems}
        for scenario in scenarios:
            sink = Sink(sink_port)
            try:
                run_scenario(systems, scenario, sink, options, figures)
            finally:
                sink.stop()
        if with_latency:
            figures["latency"]["disk"] = disk_latency(options.folder, options.samples)
            for system in systems:
                say(f"latency: {system.name}")
                figures["latency"][system.name] = relay_latency(system.smtp_port, sink_port, options.samples)


def run_secure(scenarios: list[Scenario], options: argparse.Namespace, figures: dict[str, Any]) -> None:
    """Measure with logins and encryption, with a load and a sink of our own."""
    sink_port = free_port()
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="angarium-bench-")))
        certificate = CertificateAuthority(folder).issue("localhost").both
        sink = Sink(sink_port, certificate)
        running.callback(sink.stop)
        systems: list[System] = []
        for name in options.system or SECURE_SYSTEMS:
            systems.append(SECURE_SYSTEMS[name](sink_port, options.folder, certificate))
            running.callback(systems[-1].stop)
        figures["settings"] |= {f"{system.name}, secure": system.settings() for system in systems}
        for scenario in scenarios:
            run_scenario(systems, scenario, sink, options, figures)


def run_scenario(
    systems: list[System],
    scenario: Scenario,
    sink: Sink,
    options: argparse.Namespace,
    figures: dict[str, Any],
) -> None:
    """Warm each system up (untimed, with an eye on memory), then take turns."""
    counts: dict[str, int] = {}
    for system in systems:
        say(f"{scenario.name}: warming {system.name} up")
        with MemoryWatch(system.root_pid) as memory:
            warm = measure(system, scenario, sink, 600)
            rate = warm["messages_per_s"]
            counts[system.name] = max(600, int(rate * options.seconds))
            measure(system, scenario, sink, counts[system.name] // 2)
        figures["memory"].setdefault(system.name, {})[scenario.name] = memory.peak_bytes
    for number in range(options.rounds):
        for system in systems:
            result = measure(system, scenario, sink, counts[system.name])
            figures["runs"].append(
                {"system": system.name, "scenario": scenario.name, "round": number, **result}
            )
            say(
                f"{scenario.name}: {system.name} round {number + 1}: {result['messages_per_s']:.0f} msg/s, "
                f"{result['cpu_s_per_1000']:.2f} CPU-s per 1000"
            )


def measure(system: System, scenario: Scenario, sink: Sink, messages: int) -> dict[str, Any]:
    """Inject and wait for the last delivery: rate from the first connection on, and what the tree spent."""
    taken, cpu_before, start = sink.taken, cpu_s(system.root_pid), time.monotonic()
    if scenario.is_secure:
        assert system.login is not None
        injected = inject_securely(system.smtp_port, scenario, messages, system.login)
    else:
        injected = inject(system.smtp_port, scenario, messages)
    injected_after = time.monotonic() - start
    took = sink.wait_for(taken + injected) - start
    quiet(system)
    spent = cpu_s(system.root_pid) - cpu_before
    return {
        "messages": injected,
        "seconds": round(took, 3),
        "injected_after_s": round(injected_after, 3),
        "messages_per_s": round(injected / took, 1),
        "cpu_s_per_1000": round(spent / injected * 1000, 3),
        "extra_at_sink": sink.taken - taken - injected,
    }


def quiet(system: System) -> None:
    """Wait until the system is idle: what it does after the last delivery is part of the cost."""
    before = cpu_s(system.root_pid)
    while True:
        time.sleep(0.3)
        now = cpu_s(system.root_pid)
        if now - before <= 0.02:
            return
        before = now


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians by scenario and system, and how many times faster Angarium was in each pair of turns."""
    table: dict[str, Any] = {}
    for scenario in dict.fromkeys(run["scenario"] for run in runs):
        row: dict[str, Any] = {}
        for system in SYSTEMS:
            mine = [run for run in runs if run["scenario"] == scenario and run["system"] == system]
            if mine:
                row[system] = {
                    key: statistics.median(run[key] for run in mine)
                    for key in ("messages_per_s", "cpu_s_per_1000")
                }
        if len(row) == 2:
            row["ratios"] = ratios(runs, scenario)
        table[scenario] = row
    return table


def ratios(runs: list[dict[str, Any]], scenario: str) -> list[float]:
    """Angarium's rate over Postfix's, turn by turn."""
    rates = {(r["system"], r["round"]): r["messages_per_s"] for r in runs if r["scenario"] == scenario}
    rounds = sorted({number for _, number in rates})
    return [round(rates["angarium", number] / rates["postfix", number], 2) for number in rounds]


def machine(folder: Path) -> dict[str, Any]:
    """What the figures were taken on."""
    kind = subprocess.run(
        ["stat", "-f", "-c", "%T", str(folder)], check=True, capture_output=True, text=True
    ).stdout.strip()
    if kind == "tmpfs":
        sys.exit(f"{folder} is in memory; give a folder on a disk with --folder")
    postfix = subprocess.run(
        ["postconf", "-d", "-h", "mail_version"], check=True, capture_output=True, text=True
    )
    return {
        "cores": os.cpu_count(),
        "processor": processor(),
        "filesystem": kind,
        "python": platform.python_version(),
        "postfix": postfix.stdout.strip(),
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def processor() -> str:
    """Return the processor's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
