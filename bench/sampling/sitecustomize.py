"""Samples where a worker spends its CPU time; loaded by Python itself when this folder is on PYTHONPATH.

A timer of the kernel interrupts the process about 250 times in a second of CPU time, in Python or C; the handler
counts the Python stack. Time in C stands with the function that called it. At exit the counts go to a file in
ANGARIUM_SAMPLES. What it costs is a few per cent, so the picture is nearly that of an unwatched worker.
"""

import atexit
import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType

_INTERVAL_S = 0.001
_DEPTH = 60


def watch(folder: Path) -> None:
    """Start sampling this process."""
    stacks: Counter[tuple[CodeType, ...]] = Counter()

    def sample(number: int, frame: FrameType | None) -> None:
        stack = []
        while frame is not None and len(stack) < _DEPTH:
            stack.append(frame.f_code)
            frame = frame.f_back
        stacks[tuple(stack)] += 1

    def write() -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        rows = [[[_name(code) for code in stack], count] for stack, count in stacks.items()]
        found = {"cpu_s": time.process_time(), "stacks": rows}
        (folder / f"{os.getpid()}.json").write_text(json.dumps(found))

    signal.signal(signal.SIGPROF, sample)
    signal.siginterrupt(signal.SIGPROF, False)
    signal.setitimer(signal.ITIMER_PROF, _INTERVAL_S, _INTERVAL_S)
    atexit.register(write)


def _name(code: CodeType) -> str:
    path = code.co_filename
    for place in ("/src/", "/site-packages/", "/lib/python3"):
        path = path.rpartition(place)[2]
    return f"{path}:{code.co_qualname}"


if "ANGARIUM_SAMPLES" in os.environ and "angarium.node.worker" in sys.orig_argv:
    watch(Path(os.environ["ANGARIUM_SAMPLES"]))
