"""The figures as tables for a terminal."""

import statistics
from typing import Any

from rich.console import Console
from rich.table import Table

LABELS = {
    "2k": "2 KB, 30 sessions of 20",
    "10k": "10 KB, 30 sessions of 20",
    "50k": "50 KB, 30 sessions of 20",
    "10k-single": "10 KB, 30 sessions of 1",
    "10k-two": "10 KB, 2 connections",
    "10k-secure": "10 KB, 30 sessions of 20, AUTH and TLS",
}


def show(figures: dict[str, Any]) -> None:
    """Print what was measured."""
    console = Console()
    if figures["summary"]:
        console.print(rates(figures))
    if figures["latency"]:
        console.print(latencies(figures["latency"]))


def rates(figures: dict[str, Any]) -> Table:
    """Rate, CPU and memory; the ratio is the median of the pairs, with the smallest and largest."""
    machine = figures["machine"]
    table = Table(title=f"{machine['cores']} cores, {machine['filesystem']}, Postfix {machine['postfix']}")
    table.add_column("load")
    for name in ("system", "msg/s", "CPU-s per 1000", "peak MB", "times Postfix"):
        table.add_column(name, justify="right")
    for scenario, row in figures["summary"].items():
        for system in ("postfix", "angarium"):
            if system in row:
                ratio = ratio_text(row.get("ratios", [])) if system == "angarium" else ""
                peak = figures["memory"].get(system, {}).get(scenario, 0) / 1e6
                rate, cpu = row[system]["messages_per_s"], row[system]["cpu_s_per_1000"]
                table.add_row(LABELS[scenario], system, f"{rate:.0f}", f"{cpu:.2f}", f"{peak:.0f}", ratio)
    return table


def ratio_text(ratios: list[float]) -> str:
    """Return `median (lowest to highest)`."""
    if not ratios:
        return ""
    return f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"


def latencies(latency: dict[str, Any]) -> Table:
    """One message through an idle relay, and the disk alone."""
    table = Table(title="one 10 KB message, idle")
    table.add_column("what")
    for name in ("p50 ms", "p99 ms", "worst ms"):
        table.add_column(name, justify="right")
    for who, series in latency.items():
        for what, times in series.items():
            name = f"{who} {what.replace('_', ' ')}"
            table.add_row(
                name, f"{times['p50_ms']:.2f}", f"{times['p99_ms']:.2f}", f"{times['worst_ms']:.2f}"
            )
    return table
