"""What all commands share: help, exit codes, the data folder, output that is safe to show."""

import ast
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import angarium
from angarium import __version__
from angarium.cli.client import ControlClient, NoNode, RequestRefused
from angarium.cli.main import COMMANDS, main
from angarium.cli.output import size
from angarium.cli.tables import Column, Row, clean, table_lines
from angarium.cli.times import span, when

NOON = 1_700_049_600.0


def test_help_names_every_command_with_a_sentence(cli):
    text = cli("--help", data=False).stdout
    for command in COMMANDS:
        assert any(line.split()[:1] == [command] and len(line.split()) > 2 for line in text.splitlines()), (
            command
        )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(cli, command):
    result = cli(command, "--help", data=False)
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_version(cli):
    assert cli("version", data=False).stdout == f"angarium {__version__}\n"
    assert __version__ in cli("version", "--json", data=False).stdout


@pytest.mark.parametrize(
    "words", [("accounts", "show", "\udcff"), ("message", "\udcff"), ("queue", "--domain", "a\udcff")]
)
def test_bytes_that_are_no_text_are_wrong_usage(cli, words):
    result = cli(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not UTF-8; write it in UTF-8" in result.stderr


def test_without_a_node_the_exit_code_is_3_and_the_sentence_says_what_to_do(cli, tmp_path):
    result = cli("queue")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == (
        f"angarium: no node is running in {tmp_path}; "
        "start one with `angarium serve`, or say with --data where it is\n"
    )


def test_a_data_folder_that_is_not_there_has_no_node(tmp_path):
    with pytest.raises(NoNode, match="no node is running"):
        ControlClient(tmp_path / "nowhere")


def test_a_node_that_died_has_left_a_socket_that_nobody_answers_on(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(tmp_path / "control.sock"))
    with pytest.raises(NoNode, match="no node is running"):
        ControlClient(tmp_path)


def test_a_node_that_hangs_up_before_the_answer_is_said_to_have_done_so(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(tmp_path / "control.sock"))
        server.listen()
        with ControlClient(tmp_path) as client:
            server.accept()[0].close()
            with pytest.raises(NoNode, match="hung up"):
                client.call("status", kind=dict)


def test_a_client_may_ask_one_thing_after_another(control, tmp_path):
    control.says["status"] = {"a": 1}
    with ControlClient(tmp_path) as client:
        assert client.call("status", kind=dict) == {"a": 1}
        with pytest.raises(RequestRefused, match="no answer to 'dance'"):
            client.call("dance", kind=dict)
        assert client.call("status", kind=dict) == {"a": 1}


def test_the_data_folder_can_come_from_the_environment(control, tmp_path, monkeypatch, cli):
    control.says["queues"] = {"rows": [], "totals": {}}
    monkeypatch.setenv("ANGARIUM_DATA", str(tmp_path))
    assert cli("queue", data=False).stdout == "No mail is waiting.\n"


def test_an_unknown_command_is_wrong_usage(cli):
    assert cli("dance", data=False).exit_code == 2


def test_a_node_that_cannot_start_says_why(cli, tmp_path):
    bad = tmp_path / "bad.conf"
    bad.write_text("Retry_Intervall = 5\n")
    assert cli("serve", "--config", str(bad)).exit_code == 1


@pytest.mark.process
def test_a_listing_imports_nothing_heavy():
    """Starting must stay a matter of a tenth of a second."""
    code = (
        "import sys; from angarium.cli.main import main; import angarium.cli.queue; "
        "print([m for m in ('asyncio', 'rich', 'uvicorn', 'angarium.config.load') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


LATE = {"called.py", "identity/copying.py", "identity/store.py", "serve.py"}
"""What opens databases and what runs the node: help must not wait for either."""


def test_commands_are_loaded_late_and_so_import_at_the_top():
    folder = Path(angarium.__file__).parent / "cli"
    late = {
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("angarium.")
    }
    assert late == LATE


@given(st.text())
def test_what_is_shown_is_printable_and_printable_text_is_shown_as_it_is(text):
    shown = clean(text)
    assert shown.isprintable()
    assert not text.isprintable() or shown == text


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=5))
def test_a_table_has_a_line_for_each_row_whatever_the_cells(cells):
    lines = table_lines([Column("A"), Column("B", True)], [Row(pair, ["why"]) for pair in cells])
    assert len(lines) == 1 + 2 * len(cells)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-1, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (3660, "1 h 1 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_spans(seconds, text):
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("at", "text"), [(None, "-"), (NOON, "12:00:00Z"), (NOON + 86_400, "2023-11-16 12:00Z")]
)
def test_times(at, text):
    assert when(at, NOON) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (2048, "2.0 KB"), (5 << 30, "5.0 GB")]
)
def test_sizes(count, text):
    assert size(count) == text


@pytest.mark.process
def test_the_command_is_installed():
    command = Path(sys.executable).with_name("angarium")
    out = subprocess.run([command, "version"], capture_output=True, text=True, check=True).stdout
    assert out == f"angarium {__version__}\n"
    assert main.name == "main"
