"""`angarium config`: from a file, or from what the node has in force."""

import json

import pytest

CONFIG = 'Retry_Interval = 300\nBinding "warm" { Retry_Interval = 60 }\n'


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "angarium.conf"
    path.write_text(CONFIG)
    return str(path)


def test_a_good_file(cli, file):
    result = cli("config", "check", file, data=False)
    assert result.exit_code == 0
    assert "is good" in result.stdout


def test_a_bad_file_is_exit_code_1_with_every_problem(cli, tmp_path):
    path = tmp_path / "bad.conf"
    path.write_text("Retry_Intervall = 5\nMax_Retries = soon\n")
    result = cli("config", "check", str(path), data=False)
    assert result.exit_code == 1
    assert f"{path}:1:1" in result.stdout
    assert "did you mean Retry_Interval?" in result.stdout
    assert f"{path}:2:" in result.stdout
    as_json = cli("config", "check", str(path), "--json", data=False)
    assert (as_json.exit_code, len(json.loads(as_json.stdout)["problems"])) == (1, 2)


def test_files_that_a_listener_or_a_peer_needs_are_looked_at(cli, tmp_path):
    path, gone = tmp_path / "tls.conf", tmp_path / "gone.pem"
    path.write_text(
        f"TLS_CA = {gone}\n"
        "ESMTP_Listener {\n"
        f'  Listen "127.0.0.1:25" {{ TLS_Certificate = {gone} }}\n'
        '  Listen "127.0.0.1:26" { TLS_Ciphers = "NOTHING" }\n'
        '  Listen "127.0.0.1:27" { TLS_Verify_Mode = require }\n'
        "}\n"
    )
    result = cli("config", "check", str(path), data=False)
    assert result.exit_code == 1
    assert f"{path}:1: " in result.stdout
    assert f"{path}:3: {gone}: no such file or directory" in result.stdout
    assert f'{path}:4: TLS_Ciphers "NOTHING" names no cipher' in result.stdout
    assert f"{path}:5: TLS_Verify_Mode = require needs TLS_Client_CA" in result.stdout


def test_a_value_and_what_set_it_from_a_file(cli, file):
    result = cli("config", "eval", "--config", file, "binding", "warm", "Retry_Interval")
    assert result.stdout.startswith(f"Retry_Interval = 60    {file}:2")
    record = json.loads(cli("config", "eval", "--config", file, "Retry_Interval", "--json").stdout)
    assert (record["value"], record["where"]) == (300, f"{file}:1")


def test_a_value_in_force_is_asked_of_the_node(cli, control):
    answer = {"ok": True, "text": "Retry_Interval = 60    angarium.conf:2", "record": {"value": 60}}
    control.says["config_eval"] = answer
    assert cli("config", "eval", "binding", "warm", "Retry_Interval").stdout == answer["text"] + "\n"
    assert control.asked == [("config_eval", {"words": ["binding", "warm", "Retry_Interval"]})]
    assert json.loads(cli("config", "eval", "Retry_Interval", "--json").stdout) == {"value": 60}


def test_a_question_that_cannot_be_understood_is_exit_code_1(cli, file):
    result = cli("config", "eval", "--config", file, "planet", "mars", "Retry_Interval")
    assert result.exit_code == 1
    assert "planet is no scope" in result.stderr


def test_show_writes_what_is_set_and_effective_also_the_defaults(cli, file):
    plain = cli("config", "show", "--config", file).stdout
    assert f"Retry_Interval = 300  # {file}:1" in plain
    assert "Max_Retry_Interval" not in plain
    assert "Max_Retry_Interval" in cli("config", "show", "--config", file, "--effective").stdout


def test_show_in_force_is_asked_of_the_node(cli, control):
    control.says["config_show"] = {"ok": True, "text": "# generation 2", "record": {"generation": 2}}
    assert cli("config", "show", "--effective").stdout == "# generation 2\n"
    assert control.asked == [("config_show", {"defaults": "true"})]


def test_files_for_outgoing_tls_are_looked_at(cli, tmp_path):
    path = tmp_path / "bad.conf"
    path.write_text('Max_Retries = 3\nTLS_CA = "/nowhere/ca.pem"\n')
    result = cli("config", "check", str(path), data=False)
    assert result.exit_code == 1
    assert f"{path}:2: TLS_CA cannot be read: no such file or directory (/nowhere/ca.pem)" in result.stdout
