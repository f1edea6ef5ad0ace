"""`docs/replace-postfix.md`: settings are those of Postfix, ours are read, and each command does its work."""

import re
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from angarium.config.load import parse_config
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.peers import find_program
from angarium.testing.programs import PATIENCE_S
from angarium.testing.snippets import DOCS

PAGE = (DOCS / "replace-postfix.md").read_text()


def rows(heading: str) -> list[tuple[str, str]]:
    """The first two cells of each line of a section's table."""
    (section,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    lines = re.findall(r"^\| (.*?) ?\| (.*?) ?\|.*\|$", section, re.MULTILINE)
    return lines[1:]  # without the head; the line below it has no blanks


SETTINGS, SERVICES, COMMANDS = rows("main.cf"), rows("master.cf"), rows("Commands")


@pytest.fixture(scope="session")
def postfix_settings(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all settings that the installed Postfix has."""
    folder = tmp_path_factory.mktemp("postfix")
    (folder / "main.cf").touch()
    (folder / "master.cf").touch()
    asked = [find_program("postconf", "postfix"), "-c", folder, "-d"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    return {line.split(" =")[0] for line in told.splitlines()}


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row[0])
def test_a_setting(row: tuple[str, str], postfix_settings: set[str]) -> None:
    named = re.match(r"`(\w+)", row[0])
    assert named
    assert named[1] in postfix_settings
    parse_config(row[1].strip("`"))


@pytest.mark.parametrize("row", SERVICES, ids=lambda row: row[0])
def test_a_service(row: tuple[str, str]) -> None:
    parse_config(row[1].strip("`"))


def test_what_has_no_counterpart_is_of_postfix_too(postfix_settings: set[str]) -> None:
    (told,) = re.findall(r"^Without a counterpart: (.*?)\n\n", PAGE, re.DOTALL | re.MULTILINE)
    for name in re.findall(r"`([\w…]+)`", told):
        pattern = re.compile(name.replace("…", r"\w+"))
        assert any(map(pattern.fullmatch, postfix_settings)), name


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A node that sends nothing."""
    with Node("Suspend_Delivery = true\n", workers=1) as running:
        yield running


@pytest.fixture
def waiting(node: Node) -> str:
    """The id of a message that waits."""
    with smtplib.SMTP("127.0.0.1", node.smtp_port) as client:
        client.helo("client.example.org")
        client.mail("me@example.org")
        client.rcpt("you@example.com")
        _, said = client.data(b"Subject: hello\r\n\r\nhi\r\n")
    return said.decode().split()[-1]


@pytest.mark.parametrize("row", [row for row in COMMANDS if row[1]], ids=lambda row: row[1])
def test_a_command(row: tuple[str, str], node: Node, waiting: str, tmp_path: Path) -> None:
    words = {
        "ID": waiting,
        "DOMAIN": "example.com",
        "FOLDER": str(tmp_path / "later"),
        "FILE": str(node.config_file),
    }
    _, *arguments = [words.get(word, word) for word in row[1].strip("`").split()]
    command = arguments[0]
    if command in ("flush", "hold", "release", "fail", "reroute"):
        arguments.append("--yes")
    if command == "sendmail":
        arguments[1:1] = ["-C", str(node.config_file)]
    elif command != "config":
        arguments += ["--data", str(node.data)]
    done = subprocess.run(
        [ANGARIUM, *arguments],
        input="Subject: x\n\nhi\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
