"""The first start: what is made, what is printed, and that it happens once."""

import json
import signal
import subprocess

import pytest

from angarium.cli.identity.examples import Endpoints, FirstSecrets, Smtp, endpoints, examples, page
from angarium.config.load import parse_config
from angarium.testing.node import ANGARIUM
from angarium.testing.programs import PATIENCE_S, Program, free_port

SECRETS = FirstSecrets("the-token", "the-key", "the-user", "the-pass")


def test_init_makes_one_of_each_and_shows_all_secrets(cli, tmp_path):
    result = cli("init")
    assert result.exit_code == 0
    assert "shown only now" in result.stdout
    for words in ("SMTP login", "server token", "API key", "swaks --server", "smtplib", "curl"):
        assert words in result.stdout
    for resource in ("accounts", "servers", "tokens", "logins", "keys"):
        assert len(json.loads(cli(resource, "list", "--json").stdout)) == 1


def test_the_first_key_may_do_everything_over_http(cli):
    made = json.loads(cli("init", "--json").stdout)
    assert {"node/manage", "account/manage", "api_keys/manage", "smtp/inject"} <= set(made["key"]["grants"])


def test_a_second_init_changes_nothing_and_says_so(cli):
    cli("init")
    before = cli("audit", "--json").stdout
    result = cli("init")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "has an account already" in result.stderr
    again = cli("init", "--if-needed")
    assert (again.exit_code, again.stdout, again.stderr) == (0, "", "")
    assert cli("audit", "--json").stdout == before


@pytest.mark.process
def test_of_many_first_starts_at_once_one_makes_everything(tmp_path):
    arguments = [ANGARIUM, "init", "--if-needed", "--data", tmp_path, "--json"]
    started = [subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    ended = [(*process.communicate(timeout=PATIENCE_S), process.returncode) for process in started]
    assert [status for _, _, status in ended] == [0, 0, 0, 0], ended
    printed = [out for out, _, _ in ended if out]
    assert len(printed) == 1
    assert json.loads(printed[0])["account"]["id"] == 1


@pytest.mark.process
def test_serve_makes_what_is_needed_before_the_first_start_only(tmp_path):
    config = tmp_path / "angarium.conf"
    config.write_text(
        f'ESMTP_Listener "default" {{ Listen "127.0.0.1:{free_port()}" {{ }} }}\n'
        f'HTTP_Listener "default" {{ Listen "127.0.0.1:{free_port()}" {{ }} }}\n'
    )
    arguments = [
        ANGARIUM,
        "serve",
        "--init",
        "--config",
        config,
        "--data",
        tmp_path / "data",
        "--workers",
        "1",
    ]
    with Program(arguments) as first:
        first.wait_for('"event":"listening"')
        first.wait_for('"state":"ready"')
        assert first.stop(signal.SIGTERM) == 0
    assert "SMTP login" in first.log
    with Program(arguments) as second:
        second.wait_for('"state":"ready"')
        assert second.stop(signal.SIGTERM) == 0
    assert "SMTP login" not in second.log


def test_a_start_with_a_bad_configuration_makes_nothing(cli, tmp_path):
    bad = tmp_path / "bad.conf"
    bad.write_text("Retry_Intervall = 5\n")
    assert cli("serve", "--init", "--config", str(bad)).exit_code == 1
    assert not (tmp_path / "identity").exists()


LISTENERS = {
    "the defaults": ("", Smtp("127.0.0.1", 2525, "starttls"), "http://127.0.0.1:8080/manage/v1"),
    "587 goes before 25": (
        'ESMTP_Listener "a" { Listen "*:25" { } Listen "*:587" { } }',
        Smtp("127.0.0.1", 587, "starttls"),
        "http://127.0.0.1:8080/manage/v1",
    ),
    "STARTTLS goes before TLS from the first byte": (
        'ESMTP_Listener "a" { Listen "*:465" { Use_SSL = true } Listen "192.0.2.1:4025" { } }',
        Smtp("192.0.2.1", 4025, "starttls"),
        "http://127.0.0.1:8080/manage/v1",
    ),
    "465 alone": (
        'ESMTP_Listener "a" { Listen "[*]:465" { Use_SSL = true } }',
        Smtp("::1", 465, "implicit"),
        "http://127.0.0.1:8080/manage/v1",
    ),
    "sockets for proxies and those without AUTH are left out": (
        'ESMTP_Listener "a" { Listen "*:587" { Proxy_Protocol = true } }\n'
        'ESMTP_Listener "b" { SMTP_Extensions = ( STARTTLS ) Listen "*:2525" { } }\n'
        'ESMTP_Listener "c" { Listen "*:25" { } }',
        Smtp("127.0.0.1", 25, "starttls"),
        "http://127.0.0.1:8080/manage/v1",
    ),
    "no TCP at all": (
        'ESMTP_Listener "a" { Listen "/run/a.sock" { } }\nHTTP_Listener "a" { Listen "[::1]:8081" { } }',
        None,
        "http://[::1]:8081/manage/v1",
    ),
}


@pytest.mark.parametrize(("config", "smtp", "manage"), LISTENERS.values(), ids=LISTENERS)
def test_the_examples_name_the_best_sockets(config, smtp, manage):
    assert endpoints(parse_config(config)) == Endpoints(smtp, manage)


def test_the_examples_hold_the_secrets_and_the_socket():
    found = examples(
        SECRETS, Endpoints(Smtp("127.0.0.1", 2525, "starttls"), "http://127.0.0.1:8080/manage/v1")
    )
    assert "--server 127.0.0.1 --port 2525" in found["swaks"]
    assert "--tls --auth" in found["swaks"]
    assert 'smtp.login("the-user", "the-pass")' in found["smtplib"]
    assert "smtp.starttls()" in found["smtplib"]
    assert "Bearer the-key" in found["curl"]


def test_no_example_puts_a_secret_among_the_arguments_of_a_program():
    """Every user of a machine can read the arguments of its programs."""
    found = examples(
        SECRETS, Endpoints(Smtp("127.0.0.1", 2525, "starttls"), "http://127.0.0.1:8080/manage/v1")
    )
    assert "the-pass" not in found["swaks"].partition("swaks ")[2]
    assert "the-key" not in found["curl"].partition("curl")[2]


def test_implicit_tls_needs_no_starttls():
    found = examples(SECRETS, Endpoints(Smtp("::1", 465, "implicit"), None))
    assert "--tls-on-connect" in found["swaks"]
    assert "SMTP_SSL" in found["smtplib"]
    assert "starttls" not in found["smtplib"]
    assert "curl" not in found


def test_without_a_socket_only_the_secrets_are_shown(tmp_path):
    text = page(SECRETS, Endpoints(None, None), tmp_path)
    assert "the-pass" in text
    assert "swaks" not in text
