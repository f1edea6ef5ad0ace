"""Pins: the journal is kept for as long as a process lives that copies it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from angarium.spool.files.cursors import NOTHING_PINNED, pinned_generation, write_cursor
from angarium.spool.files.pins import pinned

_HOLD = """
import sys, time
from pathlib import Path
from angarium.spool.files.pins import pinned
with pinned(Path(sys.argv[1]), "copy"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_nothing_is_used_again_while_a_pin_is_held(tmp_path: Path) -> None:
    write_cursor(tmp_path, "recorder", 7 << 32)
    with pinned(tmp_path, "copy"):
        assert pinned_generation(tmp_path) == 0
    assert pinned_generation(tmp_path) == 7
    assert {path.name for path in tmp_path.iterdir()} == {"recorder.cursor"}


@pytest.mark.process
def test_a_pin_goes_with_its_process(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", _HOLD, tmp_path], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    assert pinned_generation(tmp_path) == 0
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert pinned_generation(tmp_path) == NOTHING_PINNED
    assert list(tmp_path.iterdir()) == []
