"""Tests with real programs from Debian. Without one its tests fail; `script/test --no-peers` skips them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from angarium.testing.peers import DovecotLmtp, Postfix
from angarium.testing.service import Service, running_service

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.peer)


@pytest.fixture
def postfix() -> Iterator[Postfix]:
    """A Postfix that keeps mail for example.com."""
    with Postfix() as destination:
        yield destination


@pytest.fixture
def dovecot() -> Iterator[DovecotLmtp]:
    """A Dovecot that takes mail for anybody by LMTP."""
    with DovecotLmtp() as destination:
        yield destination


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A node that wants a login of everybody; what it takes arrives in a Dovecot."""
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running
