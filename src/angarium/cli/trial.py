"""Sending a message through the running node as a program would, and telling what becomes of it."""

import os
import smtplib
import ssl
import time
from email import policy
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from angarium.cli.client import ControlClient
from angarium.cli.message import event_lines
from angarium.cli.options import Failure, data_option, finish, json_option
from angarium.cli.output import print_json, print_lines
from angarium.cli.tables import Cell
from angarium.cli.where import connect
from angarium.config.source import CATCH_DOMAIN, CATCH_FOLDER
from angarium.core.operations import MessageHistory, NodeInfo, Status

_LOOK_S = 0.1
_ENDS = ("delivered", "bounced", "expired", "suppressed", "cancelled", "held")
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Tried(msgspec.Struct, frozen=True):
    """What came of it. *id* is empty when the node has refused the message."""

    reply: str
    id: str
    state: str
    events: list[dict[str, Any]]


class _Mail(NamedTuple):
    sender: str
    recipient: str
    user: str
    password: str


@click.command()
@click.option(
    "--to",
    "recipient",
    default=f"someone@{CATCH_DOMAIN}",
    show_default=True,
    metavar="ADDRESS",
    help="Whom to write to; a node without a configuration file keeps mail to the default.",
)
@click.option(
    "--from",
    "sender",
    default=f"try@{CATCH_DOMAIN}",
    show_default=True,
    metavar="ADDRESS",
    help="Who writes.",
)
@click.option(
    "--login",
    "user",
    default="",
    metavar="NAME",
    help="Log in as NAME; the password is ANGARIUM_PASSWORD, or asked for.",
)
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=10,
    show_default=True,
    help="Seconds to follow it.",
)
@data_option
@json_option
def try_command(
    recipient: str, sender: str, user: str, wait_s: float, data: Path | None, as_json: bool
) -> None:
    """Send a message through the node by SMTP, and tell what becomes of it.

    Exit code 1 when the node refuses it, or it is not delivered in time.
    """
    password = os.environ.get("ANGARIUM_PASSWORD", "") if user else ""
    if user and not password:
        password = click.prompt("Password", hide_input=True, err=True)
    with connect(data) as client:
        tried = _try(client, _Mail(sender, recipient, user, password), wait_s)
    if as_json:
        print_json(tried)
    else:
        print_lines(_lines(tried))
        if tried.state == "delivered" and recipient.lower().endswith(f"@{CATCH_DOMAIN}"):
            print_lines([f"kept in {client.data / CATCH_FOLDER}"])
    finish(tried.state == "delivered")


def _try(client: ControlClient, mail: _Mail, wait_s: float) -> Tried:
    host, port = _smtp_socket(client.call("status", kind=Status).node)
    try:
        with smtplib.SMTP(host, port, timeout=30) as smtp:
            reply, id = _send(smtp, mail)
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error if isinstance(error.smtp_error, bytes) else error.smtp_error.encode()
        return Tried(f"{error.smtp_code} {said.decode('utf-8', 'replace')}", "", "refused", [])
    except (OSError, smtplib.SMTPException) as error:
        raise Failure(f"the node does not take mail at {host}:{port}: {error}") from error
    return Tried(reply, id, *_follow(client, id, wait_s))


def _smtp_socket(node: NodeInfo) -> tuple[str, int]:
    """Return where the node takes mail by TCP and in clear text first. Raises Failure."""
    for name, address in node.addresses.items():
        host, colon, port = address.rpartition(":")
        if colon and not name.startswith("http ") and port != "465":
            host = host.strip("[]")
            return _WILDCARDS.get(host, host), int(port)
    raise Failure("the node takes mail by no TCP port that a message could be tried at")


def _send(smtp: smtplib.SMTP, mail: _Mail) -> tuple[str, str]:
    """Return the reply to the message and the id in it. Raises SMTPResponseException when it is refused."""
    smtp.ehlo()
    if smtp.has_extn("starttls"):
        smtp.starttls(context=_unverified())
        smtp.ehlo()
    if mail.user:
        smtp.login(mail.user, mail.password)
    _agreed(smtp.mail(mail.sender))
    _agreed(smtp.rcpt(mail.recipient))
    said = _agreed(smtp.data(_text(mail)))
    return f"250 {said}", said.split()[-1]


def _agreed(answer: tuple[int, bytes]) -> str:
    code, said = answer
    if code != 250:
        raise smtplib.SMTPResponseException(code, said)
    return said.decode("utf-8", "replace")


def _unverified() -> ssl.SSLContext:
    """The peer is this machine itself, and may show a certificate for any name."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _text(mail: _Mail) -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = mail.sender, mail.recipient
    message["Subject"] = "A message to try Angarium with"
    message["Date"], message["Message-ID"] = formatdate(localtime=True), make_msgid(domain="angarium.invalid")
    message.set_content("It works.\n")
    return message.as_bytes(policy=policy.SMTP)


def _follow(client: ControlClient, id: str, wait_s: float) -> tuple[str, list[dict[str, Any]]]:
    """Return state and events of message *id* once it has ended, or as they are when the time is over."""
    give_up_at = time.monotonic() + wait_s
    while True:
        history = client.call("message", {"id": id}, kind=MessageHistory)
        state = history.recipients[0].state if history.recipients else "unknown"
        if state in _ENDS or time.monotonic() > give_up_at:
            return state, history.events
        time.sleep(_LOOK_S)


def _lines(tried: Tried) -> list[Cell]:
    if not tried.id:
        hint = "; say by --login as whom" if tried.reply.startswith("530 ") else ""
        return [f"the node refused the message: {tried.reply}{hint}"]
    lines: list[Cell] = [f"the node took the message: {tried.reply}"]
    for event in tried.events:
        lines += event_lines(event)
    look = f"; look again with `angarium message {tried.id}`" if tried.state not in _ENDS else ""
    return [*lines, f"{tried.state}{look}"]
