"""For the packages: what script/package builds, once for all tests of a worker."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from angarium.testing.programs import PATIENCE_S, run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is built from, so that nothing is built in the checkout; its environment is the checkout's."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("src", "docs", "packaging", "script"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "requirements.lock"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


@pytest.fixture(scope="session")
def build(source: Path) -> Callable[..., None]:
    """Do a step of script/package in the copy."""

    def do(step: str, within_s: float = PATIENCE_S) -> None:
        script = f"cd {source}; source packaging/build.sh; {step}"
        run(["bash", "-euo", "pipefail", "-c", script], timeout_s=within_s)

    return do


@pytest.fixture(scope="session")
def wheel(source: Path, build: Callable[..., None]) -> Path:
    """The wheel, made as script/package makes it."""
    build("build_wheel")
    (found,) = (source / "dist").glob("angarium-*.whl")
    return found
