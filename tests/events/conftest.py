"""The event store in both databases: a test that asks for `stores` or `store` runs on each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from angarium.testing.event_stores import AnyEventStore, EventStores
from angarium.testing.postgres import PostgresServer

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests."""
    with PostgresServer() as server:
        yield server


def _stores(request: pytest.FixtureRequest, folder: Path) -> Iterator[EventStores]:
    stores = EventStores(
        folder, request.getfixturevalue("postgres") if request.param == "postgresql" else None
    )
    yield stores
    stores.close()


@pytest.fixture(params=BOTH)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventStores]:
    """Makes stores of one kind."""
    yield from _stores(request, tmp_path)


@pytest.fixture(scope="module", params=BOTH)
def lasting_stores(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EventStores]:
    """The same for all tests of a module."""
    yield from _stores(request, tmp_path_factory.mktemp("stores"))


@pytest.fixture
def store(stores: EventStores) -> AnyEventStore:
    """A store with nothing in it."""
    return stores.new(lambda event: "no_such_recipient")
