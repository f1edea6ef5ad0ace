"""docs/from-momentum.md: its file is good and means what it says, and its commands are there."""

import re
from pathlib import Path

import click
import pytest

from angarium.cli.main import main
from angarium.config.load import parse_config

PAGE = (Path(__file__).parents[2] / "docs/from-momentum.md").read_text()
CELLS = [row.split("|")[2] for row in PAGE.splitlines() if row.startswith("| `")]
COMMANDS = sorted({command for cell in CELLS for command in re.findall(r"`angarium ([^`]+)`", cell)})


def test_the_file_is_good_and_means_what_it_says() -> None:
    (text,) = re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)
    config = parse_config(text)
    assert config.warnings == ()
    assert config.inbound("default", ":25", "192.0.2.1").auth_mechanisms == {"PLAIN", "LOGIN"}
    assert config.inbound("default", ":25", "10.1.2.3").open_relay
    assert config.outbound("b1", "yahoo.co.uk").max_outbound_connections == 5
    (rule,) = config.binding_rules
    assert rule.matches("default", "192.0.2.1", "x.com", {"x-campaign": "spring"})
    assert not rule.matches("default", "192.0.2.1", "x.com", {})


def found(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that *words* begin with, and the words behind it."""
    command: click.Command = main
    for count, word in enumerate(words):
        inner = (
            command.get_command(click.Context(command), word) if isinstance(command, click.Group) else None
        )
        if inner is None:
            return command, words[count:]
        command = inner
    return command, []


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_is_there_with_its_options(line: str) -> None:
    command, rest = found(line.split())
    assert command is not main
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= options


def test_there_are_commands_to_look_at() -> None:
    assert len(COMMANDS) > 10
