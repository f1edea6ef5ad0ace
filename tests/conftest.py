"""For all tests: what they may start, what a failure shows, and what chance may not decide."""

import sys
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from angarium.identity import secrets
from angarium.identity.store.place import open_database
from angarium.testing.memory import memory_folder
from angarium.testing.programs import last_lines, running

# How long an example takes says more about the machine than about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("any machine"), max_examples=20)
settings.load_profile("any machine")

STARTS_PROGRAMS = {"process", "peer"}
PROGRAM_STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"}

unit_under_test: str | None = None


def refuse_programs(event: str, arguments: tuple[object, ...]) -> None:
    """Fail a test that starts a program and does not say so: `--quick` would be slow, and not on every machine."""
    if unit_under_test is not None and event in PROGRAM_STARTS:
        pytest.fail(
            f"{unit_under_test} starts {arguments[:1]}: mark it `process`, or `peer` (docs/testing.md)"
        )


sys.addaudithook(refuse_programs)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `unit` what says of itself neither `process` nor `peer`; modules that take long come first, so that in
    the end no process of the tests waits for another.
    """
    weights: Counter[Path] = Counter()
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        if not STARTS_PROGRAMS & marks:
            item.add_marker(pytest.mark.unit)
        weights[item.path] += 100 if STARTS_PROGRAMS & marks else 10 if "slow" in marks else 0
    items.sort(key=lambda item: -weights[item.path])


STRONG_HASHER = secrets._ARGON2


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Passwords are hashed in this process with a hundredth of the work: 64 MB for each would be a good part of the
    run. `tests/identity/test_passwords.py` looks at the work that a node does.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "_ARGON2", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        yield


@pytest.fixture
def strong_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed as a node does it."""
    monkeypatch.setattr(secrets, "_ARGON2", STRONG_HASHER)


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """A folder in memory, where there is room, for what syncs often and is not tested for it."""
    with TemporaryDirectory(prefix="angarium-test-", dir=memory_folder()) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def migrated_file() -> Iterator[Path]:
    """A SQLite file with the tables of an identity store, to copy from: making them takes a migration for each year."""
    with TemporaryDirectory(prefix="angarium-test-", dir=memory_folder()) as folder:
        file = Path(folder) / "identity.db"
        with closing(open_database(f"sqlite:///{file}")) as database:
            database.migrate()
        yield file


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Know whether what runs now may start programs."""
    global unit_under_test
    unit_under_test = item.nodeid if item.get_closest_marker("unit") else None
    try:
        return (yield)
    finally:
        unit_under_test = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the programs said that outlive the test; those of its own show it as they end."""
    report = yield
    if report.failed:
        report.sections += [
            (f"end of {program.name}'s log", last_lines(program.log)) for program in running()
        ]
    return report
