"""The clock for promises of time: it stands while the machine stands, and runs while it runs."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.process

_MEASURE = """
import time
from angarium.testing.pulse import Pulse
with Pulse() as pulse:
    print(flush=True)
    input()
    print(time.monotonic() - pulse.began_at, pulse.seconds)
"""


@pytest.mark.parametrize("stopped", [False, True])
def test_a_time_in_which_nothing_runs_is_not_counted(stopped: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _MEASURE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        if stopped:
            os.kill(process.pid, signal.SIGSTOP)
        time.sleep(0.7)
        os.kill(process.pid, signal.SIGCONT)
        passed_s, counted_s = map(float, process.communicate(b"\n")[0].split())
    assert passed_s >= 0.7
    assert (counted_s < 0.3) == stopped
