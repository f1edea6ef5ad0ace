"""A newcomer's first start: nothing but the command, and what it says works."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from angarium.cli.catch import MOST_BYTES, CaughtMail
from angarium.cli.identity.examples import Endpoints, Smtp
from angarium.cli.summary import Summary, framed
from angarium.config.load import Instead, load_config
from angarium.config.problems import ConfigErrors
from angarium.config.source import ConfigSource
from angarium.core.clock import SystemClock
from angarium.testing.log import kept_log
from angarium.testing.node import ANGARIUM
from angarium.testing.programs import PATIENCE_S, Program, free_port, run
from angarium.testing.sink.store import SinkMessage

WHERE = Endpoints(Smtp("127.0.0.1", 2525, "starttls"), "http://127.0.0.1:8080/manage/v1")


def serve(folder, *arguments, **env):
    ports = {"ANGARIUM_LISTEN": str(free_port()), "ANGARIUM_HTTP": f"127.0.0.1:{free_port()}"}
    return Program([ANGARIUM, "serve", *arguments], cwd=folder, env={**ports, **env})


@pytest.mark.process
def test_what_the_first_start_prints_can_be_pasted_and_its_result_is_seen(tmp_path):
    with serve(tmp_path, ANGARIUM_INIT="1") as node:
        (line,) = node.wait_for(r"Try +(\S+) try; catch\.test")
        assert line[1] == str(ANGARIUM)  # which is not on the path
        pasted = re.search(r"^python3 - <<'END'\n(.*?)^END$", node.log, re.MULTILINE | re.DOTALL)
        assert pasted is not None
        assert run(["python3", "-"], stdin=pasted[1].encode()) == "taken\n"
        (caught,) = node.wait_for('"event":"caught"')
        record = json.loads(caught.string)
        assert (record["to"], record["subject"]) == (["someone@catch.test"], "Hello")
        with open(record["file"], encoding="ascii") as file:
            assert file.read().endswith("\n\nIt works.\n")
        said = run([line[1], "try", "--data", tmp_path / "data"])
        assert "queued as" in said
        assert said.endswith(f"delivered\nkept in {tmp_path}/data/caught\n")
        (login,) = json.loads(run([ANGARIUM, "logins", "list", "--data", tmp_path / "data", "--json"]))
        assert f"Login  {login['username']}, password shown once" in node.log


@pytest.mark.process
def test_a_node_without_a_configuration_is_light(tmp_path):
    with serve(tmp_path) as node:
        node.wait_for("is ready")
        status = json.loads(run([ANGARIUM, "status", "--data", tmp_path / "data", "--json"]))
        assert (status["node"]["workers"], status["node"]["config"]) == (1, "")
    taken = sum(file.stat().st_blocks * 512 for file in (tmp_path / "data").rglob("*"))
    assert taken < 50_000_000


@pytest.mark.process
def test_with_catch_no_mail_leaves_whoever_it_is_for(tmp_path):
    with serve(tmp_path, "--catch") as node:
        node.wait_for("no mail leaves this machine")
        said = run([ANGARIUM, "try", "--to", "you@example.com", "--data", tmp_path / "data"])
        assert said.endswith("delivered\n")
        node.wait_for('"to":\\["you@example.com"\\]')


@pytest.mark.process
def test_mail_that_was_not_caught_yet_is_by_the_next_node_whatever_its_port(tmp_path):
    """Else it would go to whoever has the old port then."""
    (tmp_path / "angarium.conf").write_text(
        'Workers = 1\nSuspend_Delivery = true\nDomain "catch.test" { Routes = ( "smtp://127.0.0.1?port=9" ) }\n'
    )
    with serve(tmp_path) as before:
        before.wait_for('"state":"ready"')
        said = run(
            ["sh", "-c", '"$0" "$@" || true', ANGARIUM, "try", "--wait", "0", "--data", tmp_path / "data"]
        )
        assert "queued as" in said
    (tmp_path / "angarium.conf").unlink()
    with serve(tmp_path) as after:
        (delivered,) = after.wait_for('"event":"delivered"')
    assert json.loads(delivered.string)["domain"] == "catch.test"


@pytest.mark.process
def test_a_configuration_in_this_folder_is_read_by_itself_and_named(tmp_path):
    (tmp_path / "angarium.conf").write_text('Hostname = "here.test"\nWorkers = 1\n')
    with serve(tmp_path) as node:
        node.wait_for('"event":"configuration".*"file":"angarium.conf"')
        node.wait_for('"state":"ready"')
        said = run([ANGARIUM, "config", "eval", "Hostname", "--data", tmp_path / "data"])
    assert "here.test" in said
    assert "angarium.conf:1" in said
    assert "is ready" not in node.log  # a service's log is for programs; a terminal gets the summary


@pytest.mark.process
def test_a_node_that_refuses_the_message_is_not_tried_further(tmp_path):
    (tmp_path / "angarium.conf").write_text("Require_Authentication = true\nWorkers = 1\n")
    with serve(tmp_path) as node:
        node.wait_for('"state":"ready"')
        done = subprocess.run(
            [ANGARIUM, "try", "--data", tmp_path / "data"],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 1
    assert "the node refused the message: 530 " in done.stdout


def test_catch_is_not_for_a_written_configuration(cli, tmp_path):
    config = tmp_path / "a.conf"
    config.touch()
    result = cli("serve", "--catch", "--config", str(config))
    assert result.exit_code == 2
    assert "write Gateway in" in result.stderr


@pytest.mark.parametrize("given", ["nonsense", "127.0.0.1", "127.0.0.1:99999"])
def test_an_address_that_is_none_is_wrong_usage(cli, given):
    result = cli("serve", "--listen", given)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "a port alone for 127.0.0.1" in result.stderr


def test_version_is_an_option_too(cli):
    assert cli("--version", data=False).stdout == cli("version", data=False).stdout


def listens(config):
    smtp = [str(listen) for listener in config.listeners for listen in listener.listens]
    return smtp, [str(listen) for listen in config.http_listens]


def test_sockets_of_the_command_line_take_the_place_of_the_files(tmp_path):
    file = tmp_path / "a.conf"
    file.write_text('ESMTP_Listener "mail" { Idle_Time = 7 Listen "*:25" { } Listen "*:587" { } }')
    config = ConfigSource(path=file, listen=("127.0.0.1:4025", "[::1]:4025"), http=("127.0.0.1:4080",)).load()
    assert listens(config) == (["127.0.0.1:4025", "[::1]:4025"], ["127.0.0.1:4080"])
    assert config.inbound("mail", "127.0.0.1:4025", "").idle_time == 7


@pytest.mark.parametrize(
    "text",
    [
        'ESMTP_Listener "a" { Listen "*:25" { } } ESMTP_Listener "b" { Listen "*:26" { } }',
        'ESMTP_Listener "a" { Listen "*:465" { Use_SSL = true } }',
        'ESMTP_Listener "a" { Enable = false Listen "*:25" { } }',
    ],
)
def test_they_do_not_where_that_would_change_more_than_an_address(tmp_path, text):
    file = tmp_path / "a.conf"
    file.write_text(text)
    with pytest.raises(ConfigErrors, match="--listen: cannot stand in for what the file has"):
        load_config(file, instead=Instead(listen=("127.0.0.1:4025",)))


def test_the_summary_fits_into_a_terminal_and_breaks_no_word():
    data = Path("/home/me/some/where/angarium/data")
    summary = Summary(WHERE, "f" * 32, data, None, Path("data/caught"), False)
    for width in (80, 120):
        lines = framed(summary.title, summary.lines(), width).splitlines()[1:]
        assert len(lines) == 1 + 5 + 1
        assert len({len(line) for line in lines}) == 1
        assert len(lines[0]) <= width
    assert "f" * 32 in framed(summary.title, summary.lines(), 20)


def caught(number, size=10):
    return SinkMessage(
        "a@b.test", ("c@d.test",), b"Subject: %d\r\n\r\n" % number + b"x" * size, 1.0 + number, 1
    )


def test_the_folder_of_caught_mail_keeps_the_newest(tmp_path):
    store = CaughtMail(tmp_path, SystemClock(), kept_log())
    for number in range(3):
        store.add(caught(number, MOST_BYTES // 2 - 100))
    assert sorted(file.name[0] for file in (tmp_path / "new").iterdir()) == ["2", "3"]
    again = CaughtMail(tmp_path, SystemClock(), kept_log())
    again.add(caught(8, MOST_BYTES - 100))
    assert [file.name[0] for file in (tmp_path / "new").iterdir()] == ["9"]
