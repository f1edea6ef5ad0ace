"""The container image: built from packages alone, run as it says of itself. What starts containers for users, podman or
docker, is not here: buildah runs the program in the image's root as the image's user, without a network of its own.
"""

import json
import os
import shutil
import signal
import smtplib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from angarium import __version__
from angarium.testing.programs import PATIENCE_S, Program, ProgramFailed, free_port, run

pytestmark = [
    pytest.mark.process,
    pytest.mark.long,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(os.geteuid() != 0, reason="making a root for an image wants root"),
    pytest.mark.skipif(
        not all(map(shutil.which, ("buildah", "mmdebstrap"))),
        reason="no buildah or no mmdebstrap: apt-get install buildah mmdebstrap",
    ),
]

ROOT = Path(__file__).parents[2]
BUILD_S = 1800.0
CONFIG = "/etc/angarium/angarium.conf"


class Image(NamedTuple):
    """What was built: its name, and what it says of itself."""

    name: str
    config: dict[str, Any]


@pytest.fixture(scope="module")
def image(source: Path, build: Callable[..., None]) -> Iterator[Image]:
    name = f"localhost/angarium:{__version__}"
    build("build_deb 1; build_image", BUILD_S)
    inspected = json.loads(run(["buildah", "inspect", "--type", "image", name]))
    yield Image(name, inspected["Docker"]["config"])
    run(["buildah", "rmi", "--force", name])


def test_it_says_how_it_is_run(image: Image) -> None:
    config = image.config
    assert config["User"] == "2525:2525"
    assert set(config["Volumes"]) == {"/var/lib/angarium"}
    assert set(config["ExposedPorts"]) == {"2525/tcp", "4650/tcp", "8080/tcp"}
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"] == ["CMD", "angarium", "status", "--data", "/var/lib/angarium"]
    assert [*config["Entrypoint"], *config["Cmd"]] == ["angarium", "serve", "--config", CONFIG]


def test_it_can_be_taken_elsewhere(image: Image, source: Path) -> None:
    (archive,) = (source / "dist").glob("*.image.tar")
    names = run(["tar", "-tf", archive]).split()
    assert "manifest.json" in names


@pytest.fixture
def container(image: Image) -> Iterator[str]:
    name = run(["buildah", "from", "--pull-never", image.name]).strip()
    yield name
    run(["buildah", "rm", name])


def test_it_serves_is_healthy_and_drains(image: Image, container: str, tmp_path: Path) -> None:
    """buildah gives each run a volume of its own, so the node is asked where it runs, as `podman exec` would."""
    config, smtp = tmp_path / "angarium.conf", free_port()
    text = (ROOT / "packaging/container.conf").read_text()
    for place, port in (("*:2525", smtp), ("*:4650", free_port()), ("*:8080", free_port())):
        assert f'"{place}"' in text
        text = text.replace(f'"{place}"', f'"127.0.0.1:{port}"')
    config.write_text(text)
    start = [*image.config["Entrypoint"], *image.config["Cmd"]]
    health = image.config["Healthcheck"]["Test"][1:]
    inside = ["buildah", "run", "--isolation", "chroot", "--volume", f"{config}:{CONFIG}:ro", container, "--"]
    with Program([*inside, *start]) as program:
        program.wait_until(lambda: '"state":"ready"' in program.log, "readiness", PATIENCE_S)
        supervisor = parent_of(
            next(record["pid"] for record in records(program) if record.get("state") == "ready")
        )
        beside = [
            "nsenter",
            "--target",
            str(supervisor),
            "--mount",
            "--root",
            "--setuid",
            "2525",
            "--setgid",
            "2525",
        ]
        program.wait_until(lambda: ends_well([*beside, *health]), "health", PATIENCE_S)
        with smtplib.SMTP("127.0.0.1", smtp, timeout=PATIENCE_S) as client:
            assert client.ehlo()[0] == 250
            assert client.mail("me@example.org")[0] == 530
        os.kill(supervisor, signal.SIGTERM)
        assert program.process.wait(PATIENCE_S) == 0
        assert [record["event"] for record in records(program)].count("draining") == 1
    with pytest.raises(ProgramFailed, match="no node"):
        run([*inside, *health])


def ends_well(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def records(program: Program) -> list[dict[str, Any]]:
    return [json.loads(line) for line in program.log.splitlines() if line.startswith("{")]


def parent_of(pid: int) -> int:
    """Return the parent of a process, having seen that it is not root's."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert fields["Uid"].split() == ["2525"] * 4
    return int(fields["PPid"])
