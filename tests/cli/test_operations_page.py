"""docs/operations.md has every command, option, operation and field; other pages have those of their parts."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from angarium.cli.main import main
from angarium.core import operations
from angarium.http.operate.table import OPERATE

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "operations.md").read_text()
COMMAND_PAGES = "".join(
    (DOCS / f"{name}.md").read_text()
    for name in ("operations", "identity-cli", "campaigns", "templates", "lists")
)


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


def structs(module: object) -> Iterator[type]:
    for _, member in inspect.getmembers(module, inspect.isclass):
        if issubclass(member, msgspec.Struct) and member is not msgspec.Struct:
            yield member


COMMANDS = list(commands(main, "angarium"))


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[path for path, _ in COMMANDS])
def test_every_command_and_option(path, command):
    if not isinstance(command, click.Group):
        assert path in COMMAND_PAGES or f"`{path.split()[-1]}`" in COMMAND_PAGES
    for parameter in command.params:
        for option in parameter.opts:
            assert not option.startswith("--") or option in COMMAND_PAGES, option


def test_every_operation():
    for endpoint in OPERATE.endpoints:
        name = endpoint.path.removeprefix("/")
        assert f"`{name}`" in PAGE, name


@pytest.mark.parametrize("struct", list(structs(operations)), ids=lambda struct: struct.__name__)
def test_every_field(struct):
    for field in msgspec.structs.fields(struct):
        assert f"`{field.name}`" in PAGE, field.name


def test_every_exit_code():
    for code in range(4):
        assert f"\n| {code} | " in PAGE
