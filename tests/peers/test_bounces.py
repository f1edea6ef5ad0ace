"""A real Postfix does not know a recipient: bounce, class, suppression, the next send; undone, it goes again."""

import json
import smtplib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from angarium.testing.node import ANGARIUM, Node
from angarium.testing.peers import Postfix
from angarium.testing.programs import ProgramFailed, run

GONE = "gone@example.com"
REFUSES = f"check_recipient_access inline:{{{{{GONE}=550 5.1.1 no such user here}}}}, permit"


@pytest.fixture
def picky() -> Iterator[Postfix]:
    """A Postfix that does not know one recipient."""
    with Postfix(settings={"smtpd_recipient_restrictions": REFUSES}) as destination:
        yield destination


class Shop:
    """A sender with a login."""

    def __init__(self, folder: Path) -> None:
        run([ANGARIUM, "init", "--data", folder, "--json"])
        made = ["logins", "create", "app", "--server", "1", "--challenge", "--data", folder, "--json"]
        self._login = json.loads(run([ANGARIUM, *made]))

    def send(self, node: Node, to: str) -> None:
        text = f"From: shop@example.org\r\nTo: {to}\r\nSubject: Your roof\r\n\r\ntext\r\n"
        with smtplib.SMTP("127.0.0.1", node.smtp_port) as smtp:
            smtp.login(self._login["username"], self._login["secret"])
            smtp.sendmail("bounces@example.org", [to], text)


def told(node: Node, *arguments: str) -> Any:
    """What a command says, as data; None where its exit code says that there is nothing."""
    try:
        return node.cli(*arguments)
    except ProgramFailed:
        return None


def waited(node: Node, what: str, *arguments: str, field: str) -> Any:
    """What a command says as soon as it has something under *field*."""
    found: list[Any] = []

    def is_there() -> bool:
        answer = told(node, *arguments)
        found.append(answer)
        return bool(answer and answer[field])

    node.program.wait_until(is_there, what)
    return found[-1]


def ended(node: Node) -> list[str]:
    """How mail to the one who is gone has ended, each time."""
    return [
        each["event"]
        for each in node.events
        if each["event"] in ("bounced", "suppressed") and each.get("recipient") == GONE
    ]


def send_until(node: Node, shop: Shop, end: str) -> None:
    """Send until mail ends so: workers know of a change within a second, and not at once."""

    def has_ended() -> bool:
        before = len(ended(node))
        shop.send(node, GONE)
        node.program.wait_until(lambda: len(ended(node)) > before, "the end of a mail")
        return ended(node)[-1] == end

    node.program.wait_until(has_ended, f"a mail that is {end}")


def test_who_does_not_exist_gets_no_more_mail_until_that_is_undone(tmp_path: Path, picky: Postfix) -> None:
    shop = Shop(tmp_path / "data")
    config = f'Domain "example.com" {{ Gateway = "127.0.0.1:{picky.port}" }}\n'
    with Node(config, folder=tmp_path, workers=1) as node:
        shop.send(node, GONE)
        (bounced,) = node.wait_for_event("bounced", recipient=GONE)
        assert bounced["reply"].startswith("550 5.1.1")

        listed = waited(node, "a bounce", "bounces", "list", "to:gone", field="bounces")
        (bounce,) = listed["bounces"]
        verdict = bounce["reason"], bounce["class_number"], bounce["rule"]
        assert verdict == ("no_such_recipient", 10, "no such recipient")
        number = str(bounce["id"])
        (cause,) = waited(node, "a suppression", "bounces", "show", number, field="suppressions")[
            "suppressions"
        ]
        assert (cause["what"], cause["reason"], cause["bounce_class"]) == (GONE, "hard_bounce", 10)

        send_until(node, shop, "suppressed")
        assert node.cli("bounces", "activate", number) == {"undone": 1, "suppressed": False}
        send_until(node, shop, "bounced")
