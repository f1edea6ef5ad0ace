"""What is shipped for running as a service: the configuration is good and does what it says on every port."""

import configparser
import re
import shlex
import smtplib
import socket
import ssl
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from angarium.cli.main import main
from angarium.testing.node import Node
from angarium.testing.programs import free_port

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "packaging/angarium.conf"
PORTS = (25, 587, 2525, 465)


def test_the_shipped_configuration_is_good():
    assert CliRunner().invoke(main, ["config", "check", str(SHIPPED)]).exit_code == 0


def test_the_unit_runs_commands_that_there_are():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(ROOT / "packaging/angarium.service")
    for key in ("ExecStartPre", "ExecStart", "ExecReload"):
        program, name, *rest = shlex.split(unit["Service"][key])
        assert program == "/opt/angarium/bin/angarium"
        shown = CliRunner().invoke(main, [name, *(["check"] if name == "config" else []), "--help"])
        assert shown.exit_code == 0
        assert all(word in shown.output for word in rest if not word.startswith("/")), key
    drain_s = 30  # the default of Drain_Timeout
    assert int(unit["Service"]["TimeoutStopSec"]) > drain_s


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """The shipped configuration with every port moved to a free one on loopback, and folders under another."""
    ports = {port: free_port() for port in PORTS}
    text = SHIPPED.read_text()
    for port, moved in ports.items():
        text, found = re.subn(rf'Listen "\*:{port}"', f'Listen "127.0.0.1:{moved}"', text)
        assert found == 1
    text = re.sub(r"Data_Directory = \S+|HTTP_Listener \{.*?\n\}", "", text, flags=re.DOTALL)
    folder = tmp_path_factory.mktemp("service")
    text = text.replace("/run/angarium/", f"{folder}/").replace("/var/spool/angarium", f"{folder}/drop")
    with Node(text, workers=1, folder=folder) as node:
        yield node, ports


@pytest.mark.parametrize("port", PORTS)
def test_every_port_wants_tls_and_a_login(service, port):
    node, ports = service
    context = ssl.create_default_context(cafile=str(node.data / "tls/certificate.pem"))
    if port == 465:
        client = smtplib.SMTP_SSL("127.0.0.1", ports[port], "client.test", context=context)
        client.ehlo()
    else:
        client = smtplib.SMTP("127.0.0.1", ports[port], "client.test")
        client.ehlo()
        assert "PLAIN" not in client.esmtp_features.get("auth", "").split()
        assert client.mail("a@far.test")[0] == 530
        client.starttls(context=context)
        client.ehlo()
    with client:
        assert {"PLAIN", "LOGIN"} <= set(client.esmtp_features["auth"].split())
        assert client.mail("a@far.test")[0] == 530


def test_users_of_the_machine_need_no_login(service):
    node, _ = service
    client = smtplib.SMTP()
    client.sock = socket.socket(socket.AF_UNIX)
    client.sock.connect(str(node.folder / "submission.sock"))
    assert client.getreply()[0] == 220
    with client:
        client.ehlo()
        assert client.mail("a@far.test")[0] == 250
        assert client.rcpt("b@far.test")[0] == 250
    assert stat.S_IMODE((node.folder / "submission.sock").stat().st_mode) == 0o666
