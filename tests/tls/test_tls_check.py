"""`angarium config check` and a reload find what outgoing TLS cannot use, with its option and line."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from angarium.config.load import parse_config
from angarium.config.problems import ConfigErrors
from angarium.testing.authority import CertificateAuthority
from angarium.tls.client.check import check_tls, tls_warnings

NOW = datetime.now(UTC)


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


def problems(text: str) -> list[str]:
    try:
        check_tls(parse_config(text, "angarium.conf"), NOW.timestamp())
    except ConfigErrors as errors:
        return [str(problem) for problem in errors.problems]
    return []


def test_good_files_are_nothing_to_speak_of(authority: CertificateAuthority) -> None:
    issued = authority.issue("node.test")
    inside = f'TLS_CA = none TLS_Certificate = "{issued.certificate}" TLS_Key = "{issued.key}" TLS_Ciphers = "HIGH"'
    assert problems(f'TLS_CA = "{authority.file}"\nDomain "a.test" {{ {inside} }}') == []


def test_each_setting_is_named_with_its_line_wherever_it_stands() -> None:
    text = """TLS_CA = "/nowhere/ca.pem"
Binding_Group "g" {
  Binding "b" {
    Domain "a.test" { TLS_Key = "/nowhere/key.pem" }
    TLS_CA = "/nowhere/ca.pem"
  }
}
TLS_Ciphers = "NONSENSE"
"""
    gone = "cannot be read: no such file or directory"
    assert sorted(problems(text)) == [
        f"angarium.conf:1: TLS_CA {gone} (/nowhere/ca.pem)",
        f"angarium.conf:4: TLS_Key {gone} (/nowhere/key.pem)",
        f"angarium.conf:5: TLS_CA {gone} (/nowhere/ca.pem)",
        "angarium.conf:8: TLS_Ciphers names no cipher that OpenSSL has; try `openssl ciphers`",
    ]


def test_a_file_with_something_else_in_it_is_told(authority: CertificateAuthority, tmp_path: Path) -> None:
    nonsense, locked = tmp_path / "nonsense.pem", tmp_path / "locked.pem"
    nonsense.write_text("nothing of the kind")
    key = ec.generate_private_key(ec.SECP256R1())
    locked.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    )
    ended = NOW - timedelta(days=1)
    old = authority.issue("node.test", begins=NOW - timedelta(days=9), ends=ended)
    for option, path, sentence in (
        ("TLS_CA", nonsense, "holds no certificate in PEM"),
        ("TLS_Certificate", nonsense, "holds no certificate in PEM"),
        ("TLS_Certificate", old.certificate, f"expired on {ended.date()}; renew it, or set TLS_Certificate"),
        ("TLS_Certificate", tmp_path, "cannot be read: is a directory"),
        ("TLS_Key", nonsense, "holds no private key in PEM, or one that is protected by a password"),
        ("TLS_Key", locked, "holds no private key in PEM, or one that is protected by a password"),
    ):
        (problem,) = problems(f'{option} = "{path}"')
        assert re.match(rf"angarium.conf:1: {option} {sentence}.*\({re.escape(str(path))}\)", problem)


def warned(text: str) -> list[tuple[int, str]]:
    return [
        (problem.line, problem.message.split(" ")[0])
        for problem in tls_warnings(parse_config(text, "a.conf"))
    ]


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("Outbound_SMTP_AUTH_Type = PLAIN", []),
        ("Outbound_SMTP_AUTH_Type = PLAIN TLS_Verify = ca", []),
        (
            "Outbound_SMTP_AUTH_Type = LOGIN\nOutbound_SMTP_AUTH_Unverified = true",
            [(2, "Outbound_SMTP_AUTH_Unverified")],
        ),
        ("Outbound_SMTP_AUTH_Type = XOAUTH2\nTLS_Verify = no", [(2, "TLS_Verify")]),
        ("Outbound_SMTP_AUTH_Type = PLAIN\nTLS_Verify = optional", [(2, "TLS_Verify")]),
        ("Outbound_SMTP_AUTH_Type = SCRAM-SHA-256 TLS_Verify = no", []),
    ],
)
def test_a_password_for_whoever_answers_is_warned_of(inside: str, expected: list[tuple[int, str]]) -> None:
    assert warned(f'Domain "relay.test" {{ {inside} }}') == expected
