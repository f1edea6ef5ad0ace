"""`docs/migrating.md`: an application of each service goes on with its header fields, and a new host and password."""

import email
import json
import re
import uuid
from email.message import Message
from pathlib import Path

import pytest

from angarium.testing.clients import CLIENTS
from angarium.testing.node import ANGARIUM
from angarium.testing.programs import ProgramFailed, run
from angarium.testing.service import Identity, Service
from angarium.testing.snippets import DOCS, sections

DRIVERS = Path(__file__).parent / "clients"
SERVICES = ["SparkPost", "Postmark", "SMTPeter"]


def published(vendor: str) -> tuple[list[str], Message]:
    """The command that makes the login, and the header fields."""
    command, fields = sections("migrating.md")[vendor]
    return command.text.split()[1:], email.message_from_string(fields.text)


def made(service: Service, command: list[str]) -> Identity:
    found = json.loads(run([ANGARIUM, *command, "--data", service.node.data, "--json"]))
    user = {"api_key": "SMTP_Injection", "server_token": found["secret"]}.get(
        found["kind"], found["username"]
    )
    return Identity(user, found["secret"])


@pytest.mark.parametrize("vendor", SERVICES)
def test_its_fields_are_taken_and_not_sent_on(service: Service, vendor: str) -> None:
    command, fields = published(vendor)
    headers = {name: value.replace("\n", "\r\n") for name, value in fields.items()}
    user = uuid.uuid4().hex
    job = service.job(
        **made(service, command)._asdict(), recipients=(f"{user}@local.example.com",), headers=headers
    )
    CLIENTS["nodemailer"](job, DRIVERS)
    mail = service.dovecot.messages(user, 1)[0]
    assert b"with ESMTPSA" in mail
    assert not re.search(rb"^x-(msys|pm|smtpeter)", mail, re.IGNORECASE | re.MULTILINE)


def test_postmarks_field_chooses_the_stream(service: Service) -> None:
    _, fields = published("Postmark")
    assert fields["X-PM-Message-Stream"] == "broadcast"
    mail = service.sent_by(CLIENTS["smtplib"], DRIVERS, "server token", headers=dict(fields.items()))
    assert service.received(mail)["stream"] == "broadcast"


def test_the_id_of_the_answer_is_that_of_the_message(service: Service) -> None:
    answer = CLIENTS["nodemailer"](service.job("API key"), DRIVERS)
    found = re.search(r"^250 2\.0\.0 queued as (\w+)$", answer, re.MULTILINE)  # among its warnings
    assert found
    assert service.node.cli("message", found[1])["message"]["sender"] == "me@example.org"


def test_a_subaccount_is_the_number_of_the_keys_own_account(service: Service) -> None:
    key = service.identities["API key"].password
    mail = service.sent_by(
        CLIENTS["smtplib"], DRIVERS, user="SMTP_Injection:X-MSYS-SUBACCOUNT=1", password=key
    )
    assert b"with ESMTPSA" in mail


@pytest.mark.parametrize("vendor", SERVICES)
def test_a_mistake_is_answered_as_the_page_says(service: Service, vendor: str) -> None:
    """Postmark's is taken and bounces; the others are refused at the end of DATA."""
    wrong = {"SparkPost": {"X-MSYS-API": "{"}, "Postmark": {"X-PM-TrackLinks": "maybe"}}
    headers = wrong.get(vendor, {"x-smtpeter-trackopens": "maybe"})
    form = {"SparkPost": "API key", "Postmark": "server token"}.get(vendor, "login")
    command = service.job(form, headers=headers)
    if vendor == "Postmark":
        assert "queued as" in CLIENTS["nodemailer"](command, DRIVERS)
        service.node.program.wait_for(r'"event":"bounced".*550 5\.6\.0')
    else:
        with pytest.raises(ProgramFailed, match=r"550 5\.6\.0"):
            CLIENTS["nodemailer"](command, DRIVERS)


def test_the_page_names_every_service_that_is_understood() -> None:
    assert [name for name in sections("migrating.md") if name] == SERVICES
    assert "(migrating.md)" in (DOCS / "clients.md").read_text()
