"""For all tests: what a failure shows, and what chance may not decide."""

from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from angarium.testing.programs import last_lines, running

# How long an example takes says more about the machine than about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the programs said that outlive the test; those of its own show it as they end."""
    report = yield
    if report.failed:
        report.sections += [
            (f"end of {program.name}'s log", last_lines(program.log)) for program in running()
        ]
    return report
