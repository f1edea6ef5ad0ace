"""Shared by the tests of the queue: a simulation configured by option values or by a configuration text."""

from collections.abc import Callable
from typing import Any

import pytest

from angarium.config.load import parse_config
from angarium.testing.simulation import Simulation


@pytest.fixture
def simulate() -> Callable[..., Simulation]:
    """Make a simulation from the text of a configuration file."""

    def make(config: str = "", **kwargs: Any) -> Simulation:
        return Simulation(parse_config(config), **kwargs)

    return make
