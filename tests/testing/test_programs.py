"""Child processes of tests: ports that nobody else is given, and failures that say what the program said."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from angarium.testing.programs import Program, ProgramFailed, free_port, run

pytestmark = pytest.mark.process

_TALK = "for n in range(100): print('line', n, 'x' * 1000)"
_PORTS = "from angarium.testing.programs import free_port; print(*[free_port() for _ in range(150)])"


def test_no_port_is_given_twice_not_even_by_two_processes() -> None:
    mine = {free_port() for _ in range(150)}
    theirs = set(map(int, run([sys.executable, "-c", _PORTS]).split()))
    assert len(mine | theirs) == 300


def test_a_failure_ends_with_the_last_lines_cut_to_what_can_be_read() -> None:
    with pytest.raises(ProgramFailed) as failure, Program([sys.executable, "-c", _TALK]) as program:
        program.wait_for("nothing of the kind")
    said = str(failure.value).splitlines()
    assert said[0].endswith("ended with status 0 before 1 × 'nothing of the kind'; it printed last:")
    assert [line.split()[1] for line in said[1:]] == [str(n) for n in range(60, 100)]
    assert max(map(len, said)) < 310


def test_what_does_not_end_in_time_says_what_it_printed() -> None:
    with pytest.raises(ProgramFailed, match="did not end within 2 s; it printed last:\nhere I am"):
        run(["sh", "-c", "echo here I am; exec sleep 60"], timeout_s=2)


_FAILING = """
import pytest
from angarium.testing.programs import Program

pytestmark = pytest.mark.process

@pytest.fixture(scope="module")
def program():
    with Program(["sh", "-c", "echo here I am; exec sleep 60"]) as running:
        yield running

def test_that_fails(program):
    program.wait_for("here I am")
    raise AssertionError
"""


def test_a_failing_test_shows_what_programs_said_that_outlive_it(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").symlink_to(Path(__file__).parents[1] / "conftest.py")
    (tmp_path / "test_it.py").write_text(_FAILING)
    plain = ["-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", tmp_path]
    command = [sys.executable, "-m", "pytest", *plain, tmp_path]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert re.search(r"-+ end of sh's log -+\nhere I am\n", shown), shown
