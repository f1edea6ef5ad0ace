"""How many descriptors are left is found by trying, and the soft limit goes up to the hard one."""

import subprocess
import sys

import pytest

from angarium.core.descriptors import ENOUGH, descriptors


def said(limits, code):
    """Run *code* with these limits in a process of its own; return what it printed."""
    program = (
        "import resource\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, {limits})\n"
        "from angarium.core import descriptors as d\n" + code
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def test_enough_are_left_and_trying_leaves_none_open():
    assert [descriptors().left for _ in range(1000)] == [ENOUGH] * 1000


@pytest.mark.process
def test_what_is_left_is_counted_wherever_the_holes_are():
    code = (
        "import os\n"
        "while True:\n"
        "    try: last = os.open(os.devnull, 0)\n"
        "    except OSError: break\n"
        "print(d.descriptors())\n"
        "for fd in (10, 20, 30): os.close(fd)\n"
        "print(d.descriptors())\n"
    )
    assert said((64, 64), code) == "Descriptors(left=0, most=64)\nDescriptors(left=3, most=64)\n"


@pytest.mark.process
def test_the_soft_limit_goes_up_to_the_hard_one():
    code = "print(d.most_possible())\nd.raise_limit()\nprint(resource.getrlimit(resource.RLIMIT_NOFILE))\n"
    assert said((100, 300), code) == "300\n(300, 300)\n"
