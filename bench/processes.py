"""What a tree of processes has cost: CPU time and memory, read from /proc.

CPU time counts every process below the root, living or gone: one that ended and was waited for is in its
parent's `cutime`. So it holds for Postfix, whose master starts and reaps processes all the time, and for any
supervisor. Memory is the proportional set size (PSS): shared pages count once in the sum.
"""

import os
import threading
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def tree_of(root: int) -> list[int]:
    """Return the process ids of *root* and everything below it."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(int(entry))):
            children.setdefault(int(fields[1]), []).append(int(entry))
    pids = [root]
    for pid in pids:
        pids.extend(children.get(pid, ()))
    return pids


def cpu_s(root: int) -> float:
    """Return the CPU seconds, user and system, that the tree has used. Resolution: 10 ms a process."""
    ticks = 0
    for pid in tree_of(root):
        if fields := _stat(pid):
            ticks += sum(map(int, fields[11:15]))
    return ticks / _TICKS_PER_S


def memory_bytes(root: int) -> int:
    """Return the sum of the PSS of the tree."""
    total = 0
    for pid in tree_of(root):
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:  # it has ended meanwhile
            continue
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total * 1024


class MemoryWatch:
    """Notes the peak of `memory_bytes` while its context is open. It costs CPU: not for a timed run."""

    def __init__(self, root: int, every_s: float = 0.2) -> None:
        self.peak_bytes = 0
        self._root = root
        self._every_s = every_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while True:
            self.peak_bytes = max(self.peak_bytes, memory_bytes(self._root))
            if self._done.wait(self._every_s):
                return

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat after the command's name: state, ppid, … None: it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()
