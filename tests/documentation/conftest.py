"""All pages, read once."""

import pytest

from angarium.cli.command_pages import command_pages
from angarium.cli.main import main
from angarium.documentation.library import read_library


@pytest.fixture(scope="session")
def library():
    return read_library(command_pages(main))
