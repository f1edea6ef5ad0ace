"""The wheel: what is in it, and that it works where only it is installed."""

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import pytest

from angarium import __version__
from angarium.cli.main import COMMANDS
from angarium.testing.programs import PATIENCE_S, Program, free_port, run

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel in it. What it depends on is that of this one."""
    home = tmp_path_factory.mktemp("installed")
    run([sys.executable, "-m", "venv", "--without-pip", home])
    install = [sys.executable, "-m", "pip", "--python", home / "bin/python", "install"]
    run([*install, "--quiet", "--no-deps", "--no-index", wheel])
    (site,) = home.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home


def test_its_metadata_says_what_it_is(wheel: Path, names: list[str]) -> None:
    (place,) = (name for name in names if name.endswith(".dist-info/METADATA"))
    with zipfile.ZipFile(wheel) as archive:
        metadata = Parser().parsestr(archive.read(place).decode())
    assert metadata["Name"] == "angarium"
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert "Topic :: Communications :: Email :: Mail Transport Agents" in metadata.get_all("Classifier", [])
    assert metadata.get_payload().startswith("# Angarium")


def test_what_the_tests_are_made_with_stays_out(names: list[str]) -> None:
    testing = {name for name in names if name.startswith("angarium/testing/")}
    assert {name for name in testing if not name.startswith("angarium/testing/sink/")} == {
        "angarium/testing/__init__.py",
        "angarium/testing/authority.py",  # the certificate that the sink shows
    }


def test_nothing_in_it_needs_what_is_not(installed: Path) -> None:
    code = """
import importlib, pkgutil, angarium
for module in pkgutil.walk_packages(angarium.__path__, "angarium."):
    if ".migrations." not in module.name and module.name != "angarium.__main__":
        importlib.import_module(module.name)
print(angarium.__file__)
"""
    assert run([installed / "bin/python", "-c", code]).strip().startswith(str(installed))


def test_it_has_a_man_page_for_each_command(names: list[str], installed: Path) -> None:
    pages = {match[1] for name in names if (match := re.search(r"/share/man/man1/angarium-(.*)\.1$", name))}
    assert pages == set(COMMANDS)
    page = (installed / "share/man/man1/angarium-queue.1").read_text()
    assert page.startswith('.TH "ANGARIUM\\-QUEUE" "1"')
    assert "\n.SH OPTIONS\n" in page


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_by_it(installed: Path, shell: str) -> None:
    places = {
        "bash": "share/bash-completion/completions/angarium",
        "zsh": "share/zsh/site-functions/_angarium",
        "fish": "share/fish/vendor_completions.d/angarium.fish",
    }
    assert f"_ANGARIUM_COMPLETE={shell}_complete" in (installed / places[shell]).read_text()


def test_bash_completes_a_command(installed: Path) -> None:
    script = (
        f"source {installed}/share/bash-completion/completions/angarium; COMP_WORDS=(angarium que) COMP_CWORD=1; "
        '_angarium_completion angarium; echo "${COMPREPLY[@]}"'
    )
    env = {**os.environ, "PATH": f"{installed}/bin:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["queue"]


@pytest.fixture(scope="module")
def node(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Program]]:
    """A node of the wheel that sends everything to a sink of the wheel."""
    folder = tmp_path_factory.mktemp("node")
    smtp, sink = free_port(), free_port()
    (folder / "angarium.conf").write_text(
        f'Gateway = "127.0.0.1:{sink}"\nProhibited_Hosts = ( )\n'
        f'ESMTP_Listener "x" {{ Listen "127.0.0.1:{smtp}" {{ }} }} HTTP_Listener {{ Listen "127.0.0.1:0" {{ }} }}\n'
    )
    angarium = installed / "bin/angarium"
    places = ["--config", folder / "angarium.conf", "--data", folder / "data", "--workers", "1"]
    with (
        Program([angarium, "sink", "--listen", f"127.0.0.1:{sink}", "--mbox", folder / "caught"]) as caught,
        Program([angarium, "serve", *places]) as served,
    ):
        caught.wait_until(lambda: "listening" in caught.log, "the sink")
        served.wait_until(lambda: '"state":"ready"' in served.log, "readiness", PATIENCE_S)
        yield folder, served


def test_it_serves_sends_and_catches(installed: Path, node: tuple[Path, Program]) -> None:
    folder, served = node
    subprocess.run(
        [installed / "bin/angarium", "sendmail", "-C", folder / "angarium.conf", "you@example.com"],
        input=b"Subject: hello\n\nfrom the wheel\n",
        check=True,
    )
    served.wait_until(lambda: "from the wheel" in (folder / "caught").read_text(), "the mail")
