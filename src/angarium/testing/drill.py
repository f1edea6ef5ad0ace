"""`script/crash`: everything that this machine can break on purpose, in one run with one summary."""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import SystemRandom

from angarium.testing import crash
from angarium.testing.kill import run_kill_drill
from angarium.testing.loss import run_loss_drill
from angarium.testing.upgrade import run_upgrade_drill

_DRILLS = ("disk", "upgrade", "kills", "recorder")
_QUICK_EVERY = 13
_QUICK_KILLS = 10
_QUICK_S = 20
_KILLS_PER_UPGRADE_KILL = 3
"""For so many kills under load, one while a spool is taken over."""


class _Progress:
    """Says how far something is, in a line that a terminal rewrites; elsewhere in a line every tenth."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._tenths = 0

    def __call__(self, done: int, of: int) -> None:
        tenths = done * 10 // of
        if sys.stderr.isatty():
            print(
                f"\r{self._what} {done} of {of}", end="\n" if done == of else "", file=sys.stderr, flush=True
            )
        elif tenths > self._tenths:
            self._tenths = tenths
            print(f"{self._what} {done} of {of}", file=sys.stderr, flush=True)


def _disk_matrix(seed: int, every: int) -> bool:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="angarium-crash-") as folder:
        report = crash.run_crash_matrix(_Progress("failing disk: run"), Path(folder), every, seed)
    seconds = time.monotonic() - began
    print(f"failing disk, seed {seed}: {report.runs} runs of {report.calls} disk calls in {seconds:.0f} s")
    print(f"  violations  {len(report.broken) or 'none'}")
    for sentence in report.broken:
        print(f"    {sentence}")
    return not report.broken


def _kills(seed: int, kills: int) -> bool:
    report = run_kill_drill(_Progress("kill"), kills, seed)
    print(report)
    return not report.broken


def _upgrades(seed: int, kills: int, archive: Path) -> bool:
    report = run_upgrade_drill(_Progress("upgrade"), archive, kills, seed)
    print(report)
    return not report.broken


def _losses(seed: int, seconds: int) -> bool:
    report = run_loss_drill(_Progress("recorder: second"), seconds, seed)
    print(report)
    return not report.broken


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the drills; return 0 when every promise held, 1 when not, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="script/crash", description=__doc__)
    parser.add_argument("--kills", type=int, metavar="N", help="how often to kill (default 100)")
    parser.add_argument(
        "--seconds", type=int, metavar="N", help="how long to kill recorder and node (default 120)"
    )
    parser.add_argument("--only", choices=_DRILLS, help="one drill alone")
    parser.add_argument(
        "--quick", action="store_true", help="every 13th disk call only, 10 kills, and 20 seconds"
    )
    parser.add_argument("--seed", type=int, metavar="S", help="repeat the choices of an earlier run")
    parser.add_argument(
        "--upgrade", type=Path, metavar="ARCHIVE", help="take over this spool of an older format, too"
    )
    options = parser.parse_args(arguments)
    seed = options.seed if options.seed is not None else SystemRandom().randrange(1_000_000)
    kills = options.kills if options.kills is not None else _QUICK_KILLS if options.quick else 100
    seconds = options.seconds if options.seconds is not None else _QUICK_S if options.quick else 120
    chosen = [options.only] if options.only else _DRILLS
    print(f"seed {seed}", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the node is stopped as well
    try:
        held = "disk" not in chosen or _disk_matrix(seed, _QUICK_EVERY if options.quick else 1)
        if kills and options.upgrade is not None and "upgrade" in chosen:
            held &= _upgrades(seed, -(-kills // _KILLS_PER_UPGRADE_KILL), options.upgrade)
        if kills and "kills" in chosen:
            held &= _kills(seed, kills)
        if seconds and "recorder" in chosen:
            held &= _losses(seed, seconds)
    except KeyboardInterrupt:
        print("interrupted; nothing is known")
        return 130
    print("every promise held" if held else f"broken promises; run again with --seed {seed}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
