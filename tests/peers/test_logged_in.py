"""Clients of other people, logged in under TLS: each mechanism with at least one that was not written here.

The cases are the two tables of `docs/clients.md`: what it says is what is tried.
"""

import re
import uuid
from pathlib import Path

import dkim
import pytest

from angarium.testing.clients import CLIENTS, relaying_postfix
from angarium.testing.programs import ProgramFailed
from angarium.testing.service import Service

DRIVERS = Path(__file__).parent / "clients"
DOCS = Path(__file__).parents[2] / "docs" / "clients.md"
OFFERED = ["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-256"]
IDENTITIES = ["login", "login for challenges", "server token", "SMTP token", "API key", "person"]


def published_table(first_column: str, columns: list[str]) -> list[tuple[str, str, str]]:
    """Return the cells of a table in the docs, as name of the row, name of the column and text."""
    found = re.search(
        rf"^\| {first_column} \|(.*)\|\n\|[-|]+\|\n((?:\|.*\n)+)", DOCS.read_text(), re.MULTILINE
    )
    assert found
    assert [name.strip() for name in found[1].split("|")] == columns
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in found[2].splitlines()]
    return [(row[0], name, text) for row in rows for name, text in zip(columns, row[1:], strict=True)]


SPOKEN = [(client, name) for client, name, text in published_table("speaks", OFFERED) if text == "yes"]
CHOSEN = published_table("takes by itself", IDENTITIES)


def test_the_docs_speak_of_every_client_and_every_mechanism() -> None:
    assert [client for client, _, _ in CHOSEN[:: len(IDENTITIES)]] == list(CLIENTS)
    assert list(dict.fromkeys(client for client, _ in SPOKEN)) == list(CLIENTS)
    assert {mechanism for _, mechanism in SPOKEN} == set(OFFERED)


@pytest.mark.parametrize(("client", "mechanism"), SPOKEN)
def test_a_client_logs_in_after_starttls(service: Service, client: str, mechanism: str) -> None:
    at = service.challenges_port
    mail = service.sent_by(CLIENTS[client], DRIVERS, port=at, mechanism=mechanism, text="a few words")
    assert service.mechanism_of(mail) == mechanism
    assert b"with ESMTPSA" in mail
    assert b"a few words" in mail
    assert verified(service, mail) == ["rsa-sha256", "ed25519-sha256"]


def test_a_client_of_cyrus_that_comes_again_logs_in_again(service: Service) -> None:
    """Its library answers the challenge of the session before at once (RFC 2831 §2.2.2)."""
    job = service.job(port=service.challenges_port, mechanism="DIGEST-MD5")
    users = [uuid.uuid4().hex for _ in range(2)]
    with relaying_postfix(job) as relay:
        for number, user in enumerate(users, 1):
            relay.sendmail(job.sender, [f"{user}@local.example.com"], job.mail())
            *_, last = relay.program.wait_for(r"status=(\w+) .*", number)
            assert last[1] == "sent", last[0]
    for user in users:
        assert service.mechanism_of(service.dovecot.messages(user, 1)[0]) == "DIGEST-MD5"


def verified(service: Service, mail: bytes) -> list[str]:
    """The algorithms of the signatures that hold, as a receiver checks them."""

    def look_up(name: bytes, timeout: int = 5) -> bytes:
        return service.records[name.decode().rstrip(".")].encode()

    message = mail.replace(b"\n", b"\r\n")
    algorithms = re.findall(rb"\bDKIM-Signature:.*?\ba=([\w-]+)", message, re.DOTALL)
    holds = [dkim.DKIM(message).verify(idx=at, dnsfunc=look_up) for at in range(len(algorithms))]
    return [name.decode() for name, does_hold in zip(algorithms, holds, strict=True) if does_hold]


@pytest.mark.parametrize(("client", "identity", "mechanism"), CHOSEN)
def test_a_client_chooses_the_mechanism(service: Service, client: str, identity: str, mechanism: str) -> None:
    if mechanism == "–":
        with pytest.raises(ProgramFailed, match=r"535|[Aa]uthentic"):
            service.sent_by(CLIENTS[client], DRIVERS, identity, mechanism="")
    else:
        mail = service.sent_by(CLIENTS[client], DRIVERS, identity, mechanism="")
        assert service.mechanism_of(mail) == mechanism


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_logs_in_where_tls_begins_at_once(service: Service, client: str) -> None:
    mail = service.sent_by(CLIENTS[client], DRIVERS, port=service.tls_port, tls="tls")
    assert b"with ESMTPSA" in mail


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_sees_that_its_password_is_wrong(service: Service, client: str) -> None:
    wrong = service.job(password="wrong", user=uuid.uuid4().hex)
    with pytest.raises(ProgramFailed, match=r"535|[Aa]uthentic"):
        CLIENTS[client](wrong, DRIVERS)
