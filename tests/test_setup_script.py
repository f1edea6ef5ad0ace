"""`script/setup` ends well the first time and every time, with and without what the tests need: `script/server` and
`script/test` stop where it does not. Python and pip are stand-ins, so that nothing is installed.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[1]
STAND_IN = """\
#!/bin/sh
if [ "$2" = venv ]; then mkdir -p .venv/bin && cp "$0" .venv/bin/python; fi
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "script").mkdir()
    for name in ("script/setup", "pyproject.toml", "requirements.lock", "requirements-test.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / "python"
    python.write_text(STAND_IN)
    python.chmod(0o755)
    return tmp_path


def set_up(checkout: Path, *arguments: str) -> tuple[int, str]:
    env = {**os.environ, "PYTHON": str(checkout / "python")}
    command = [str(checkout / "script/setup"), *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", [[], ["--test"]])
def test_the_first_time_and_again(checkout: Path, arguments: list[str]) -> None:
    status, said = set_up(checkout, *arguments)
    assert status == 0
    assert said.startswith("setting up")
    assert set_up(checkout, *arguments) == (0, "")


def test_what_serves_the_tests_serves_the_server_too(checkout: Path) -> None:
    set_up(checkout, "--test")
    assert set_up(checkout) == (0, "")
