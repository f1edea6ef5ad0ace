"""`angarium tls show`: what an operator reads before clients complain."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from angarium.cli.main import main
from angarium.testing.authority import CertificateAuthority
from angarium.tls.server.own import ensure_own_certificate


@pytest.fixture
def show(tmp_path):
    def run(config="", *words):
        file = tmp_path / "angarium.conf"
        file.write_text(config)
        places = ["--config", str(file), "--data", str(tmp_path / "data")]
        return CliRunner().invoke(main, ["tls", "show", *places, *words])

    return run


def listener(certificate, more=""):
    return f"""ESMTP_Listener "a" {{
        TLS_Certificate = "{certificate}"
        {more}
        Listen "127.0.0.1:465" {{ Use_SSL = true }}
    }}"""


def test_the_nodes_own_certificate_is_shown_once_it_is_made(show, tmp_path):
    before = show()
    assert before.exit_code == 1
    assert "not made yet: the node makes it when it starts" in before.output
    ensure_own_certificate(tmp_path / "data", "localhost", datetime.now(UTC).timestamp())
    after = show()
    assert after.exit_code == 0
    assert "signed by itself" in after.output
    assert "3649 d" in after.output


def test_every_certificate_of_every_socket_is_a_record(show, tmp_path):
    issued = CertificateAuthority(tmp_path).issue("mail.test", "*.mail.test")
    shown = json.loads(show(listener(issued.both), "--json").output)
    assert [(each["listener"], each["listen"], each["begins"]) for each in shown] == [
        ("a", "127.0.0.1:465", "at once")
    ]
    assert shown[0]["names"] == ["mail.test", "*.mail.test"]
    assert shown[0]["issuer"] == "CN=Test Authority"
    assert (shown[0]["own"], shown[0]["expired"], shown[0]["problem"]) == (False, False, "")


def test_an_expired_certificate_is_a_no(show, tmp_path):
    past = datetime.now(UTC) - timedelta(days=1)
    issued = CertificateAuthority(tmp_path).issue("mail.test", begins=past - timedelta(days=9), ends=past)
    answer = show(listener(issued.both))
    assert answer.exit_code == 1
    assert "problem: expired: clients that check it turn away" in answer.output


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("TLS_Verify_Mode = require", "TLS_Verify_Mode = require needs TLS_Client_CA"),
        ('TLS_Key = "/nowhere/key.pem"', "/nowhere/key.pem: no such file or directory"),
    ],
)
def test_what_is_wrong_is_said_as_the_node_would(show, tmp_path, more, problem):
    issued = CertificateAuthority(tmp_path).issue("mail.test")
    answer = show(listener(issued.both, more))
    assert answer.exit_code == 1
    assert problem in answer.output


@pytest.fixture
def trust(tmp_path):
    def run(config="", *words):
        file = tmp_path / "angarium.conf"
        file.write_text(config)
        places = ["--config", str(file), "--data", str(tmp_path / "data")]
        return CliRunner().invoke(main, ["tls", "trust", *places, *words])

    return run


def test_what_an_authority_has_issued_needs_no_telling_unless_it_is_ones_own(trust, tmp_path):
    authority = CertificateAuthority(tmp_path)
    config = listener(authority.issue("mail.test").both)
    result = trust(config)
    assert result.exit_code == 1
    assert "No listener shows a certificate that is signed by itself" in result.output
    result = trust(config, "--ca", str(authority.file), "--for", "curl")
    assert result.exit_code == 0
    assert f"curl --cacert {authority.file} --ssl-reqd" in result.output
    assert "smtps://localhost:465" in result.output
    assert ", an authority's\n" in result.output


def test_a_file_with_blanks_in_its_name_can_be_pasted_too(trust, tmp_path):
    ensure_own_certificate(tmp_path / "my data", "localhost", datetime.now(UTC).timestamp())
    result = trust("", "--ca", str(tmp_path / "my data/tls/certificate.pem"))
    assert f"NODE_EXTRA_CA_CERTS='{tmp_path}/my data/tls/certificate.pem' node app.js" in result.output
    assert f'cafile="{tmp_path}/my data/tls/certificate.pem"' in result.output
    assert "\nPHP: " in result.output


@pytest.fixture
def install(tmp_path):
    def run(certificate, key):
        places = ["--to", str(tmp_path / "tls.pem"), "--data", str(tmp_path / "data")]
        return CliRunner().invoke(main, ["tls", "install", str(certificate), str(key), *places])

    return run


def test_a_certificate_is_installed_with_its_key_in_one_file(install, tmp_path):
    issued = CertificateAuthority(tmp_path).issue("mail.test")
    result = install(issued.certificate, issued.key)
    assert result.exit_code == 0
    assert "tls.pem is for mail.test, until " in result.output
    assert "no node runs: it is read at the next start" in result.output
    installed = tmp_path / "tls.pem"
    assert issued.certificate.read_text() in installed.read_text()
    assert issued.key.read_text() in installed.read_text()
    assert installed.stat().st_mode & 0o777 == 0o600


def test_what_is_of_no_use_is_not_installed(install, tmp_path):
    authority = CertificateAuthority(tmp_path)
    one, other = authority.issue("one.test"), authority.issue("other.test")
    over = authority.issue("over.test", ends=datetime.now(UTC) - timedelta(hours=1))
    (tmp_path / "tls.pem").write_text("as it was")
    for certificate, key, why in (
        (one.certificate, other.key, "is not the key of"),
        (over.certificate, over.key, "has expired; install one that holds"),
        (tmp_path / "nothing", one.key, "no such file"),
    ):
        result = install(certificate, key)
        assert result.exit_code == 1
        assert why in result.output
    assert (tmp_path / "tls.pem").read_text() == "as it was"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    issued = CertificateAuthority(tmp_path).issue("mail.test")
    places = ["--to", str(tmp_path / "none/tls.pem"), "--data", str(tmp_path / "data")]
    result = CliRunner().invoke(main, ["tls", "install", str(issued.certificate), str(issued.key), *places])
    assert result.exit_code == 1
    assert (
        "none/tls.pem: no such file or directory; name a file in a folder of the node's user" in result.output
    )
