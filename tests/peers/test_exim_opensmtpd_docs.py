"""The pages on Exim and OpenSMTPD, "With a login": set up so, they hand their mail over, and to nobody else."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from angarium.testing.guests import Exim, OpenSmtpd
from angarium.testing.service import Service
from angarium.testing.snippets import sections

CA = "ssl/certs/ca-certificates.crt"


def adapted(page: str, service: Service, ca: Path, port: int, password: str) -> dict[str, str]:
    """The files of "With a login" with the ports, names and secrets of this test; *ca* is the system's authority."""
    who = service.identities["login"]
    changes = {
        "mail.example.com": "localhost",
        "587": str(port),
        "your-user-name": who.user,
        "your-password": password,
    }
    files = {CA: ca.read_text()}
    for block in sections(page)["With a login"]:
        text = block.text
        for old, new in changes.items():
            text = text.replace(old, new)
        files[block.file.removeprefix("/etc/")] = text
    return files


def exim(service: Service, ca: Path, port: int, password: str) -> Exim:
    files = adapted("relay-for-exim.md", service, ca, port, password)
    settings = files.pop("exim4/update-exim4.conf.conf")
    lines = dict(line.split("=", 1) for line in settings.splitlines())
    return Exim({name: value.strip("'") for name, value in lines.items()}, files)


def opensmtpd(service: Service, ca: Path, port: int, password: str) -> OpenSmtpd:
    files = adapted("relay-for-opensmtpd.md", service, ca, port, password)
    return OpenSmtpd(files.pop("smtpd.conf"), files)


def log_of(source: Exim | OpenSmtpd) -> str:
    return source.main_log() if isinstance(source, Exim) else source.program.log


SOURCES: dict[str, Callable[[Service, Path, int, str], Exim | OpenSmtpd]] = {
    "exim": exim,
    "opensmtpd": opensmtpd,
}

REFUSALS = {
    ("exim", "authority"): "TLS session: (certificate verification failed)",
    ("exim", "name"): "TLS session: (certificate verification failed)",
    ("exim", "password"): "authenticator failed H=localhost [127.0.0.1] 535 5.7.8",
    ("opensmtpd", "authority"): "reason=SSL certificate check failed",
    ("opensmtpd", "name"): "reason=SSL certificate check failed",
    ("opensmtpd", "password"): "reason=AUTH rejected: 535 5.7.8",
}


@pytest.fixture(params=SOURCES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def sent(source: Exim | OpenSmtpd) -> str:
    """Send a mail to an address of its own; return that without its domain."""
    user = uuid.uuid4().hex
    source.sendmail(
        "me@example.org", [f"{user}@local.example.com"], b"From: me@example.org\nSubject: x\n\ntext\n"
    )
    return user


def test_it_logs_in(kind: str, service: Service) -> None:
    password = service.identities["login"].password
    with SOURCES[kind](service, service.ca, service.node.smtp_port, password) as source:
        mail = service.dovecot.messages(sent(source), 1)[0]
    assert b"with ESMTPSA" in mail


@pytest.mark.parametrize("wrong", ["authority", "name", "password"])
def test_nobody_else_gets_its_mail(kind: str, wrong: str, service: Service) -> None:
    password = service.identities["login"].password
    ca, port = service.ca, service.node.smtp_port
    if wrong == "authority":
        ca = service.authority  # which did not issue the certificate that is shown
    elif wrong == "name":
        ca, port = service.authority, service.misnamed_port
    else:
        password = "wrong"
    with SOURCES[kind](service, ca, port, password) as source:
        sent(source)
        source.program.wait_until(lambda: REFUSALS[kind, wrong] in log_of(source), "the reason")
        assert "250 2.0.0" not in log_of(source)
