"""Plays `dialogs/client/*.smtp` against the client machine.

A dialog is read from the top. `S:` lines are what the peer says; `C:` lines must be all that the machine
sends before the peer's next word; `=` lines must be all that it reports by then; a last `…` stands for any
rest. `!` lines are what the shell does:

    ! offer PIPELINING, SIZE 1000     open a session with these extensions, without saying so line by line
    ! settings method=LMTP …          fields of ClientSettings; before the session is opened
    ! settings distrusted=A,B         keywords, likewise discarded
    ! deliver FROM TO,TO …            field=value of Transaction follow; body="text" with \\r\\n, body=pieces
    ! feed TEXT | ! last TEXT | ! lost | ! timeout | ! quit
    ! secured | ! handshake fails WHY

In settings, `auth=PLAIN` logs in by that mechanism as `tim` with the password `tanstaaftanstaaf`. In a
transaction, `xclient="ADDR=192.0.2.7 HELO=app"` says where it came from.
"""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from angarium.core.records import ForwardPath
from angarium.smtp.client.events import (
    ClientAuth,
    ClientEvent,
    ClientSettings,
    Closed,
    NeedDowngrade,
    NeedPieces,
    NeedTls,
    NotReady,
    Ready,
    Transaction,
    TransactionFinished,
)
from angarium.smtp.client.machine import ClientMachine
from angarium.smtp.sasl.client import client_exchange

DIALOGS = sorted((Path(__file__).parent / "dialogs" / "client").glob("*.smtp"))
BODY = "Subject: hi\r\n\r\nhello\r\n"


class Player:
    """The machine, and what it has said and reported that no line has asked for yet."""

    def __init__(self, cut: int | None) -> None:
        self.cut = cut
        self.now = 1000.0
        self.settings = ClientSettings(ehlo_name="me.example")
        self.machine: ClientMachine | None = None
        self.said: list[str] = []
        self.reported: list[str] = []

    def start(self) -> ClientMachine:
        if self.machine is None:
            self.machine = ClientMachine(self.settings)
            self.machine.start(self.now)
        return self.machine

    def take(self) -> None:
        """Move what the machine produced into `said` and `reported`."""
        machine = self.start()
        wire = b"".join(machine.take_output()).decode()
        assert wire == "" or wire.endswith("\r\n")
        self.said += wire.split("\r\n")[:-1]
        for event in machine.take_events():
            self.reported += describe(event)

    def hear(self, line: str) -> None:
        """Let the peer say *line*, in pieces of `cut` bytes."""
        machine = self.start()
        wire = line.encode() + b"\r\n"
        step = self.cut or len(wire)
        self.now += 1
        for at in range(0, len(wire), step):
            machine.receive(wire[at : at + step], self.now)

    def do(self, line: str) -> None:
        """Obey one `!` line."""
        verb, _, rest = line.partition(" ")
        if verb == "offer":
            self.offer([word.strip() for word in rest.split(",") if word.strip()])
        elif verb == "settings":
            given = dict(pairs(rest))
            for name in given.keys() & {"discarded", "distrusted"}:
                given[name] = frozenset(given[name].split(","))
            if "auth" in given:
                given["auth"] = auth(given["auth"])
            self.settings = replace(self.settings, **given)
        elif verb == "deliver":
            self.start().deliver(transaction(rest), self.now)
        elif verb in ("feed", "last"):
            self.start().feed(unescape(rest), verb == "last", self.now)
        elif verb == "lost":
            self.start().connection_lost(self.now)
        elif verb == "timeout":
            deadline = self.start().deadline
            assert deadline is not None
            self.start().timed_out(deadline - 0.1)
            self.start().timed_out(deadline)
        elif verb == "quit":
            self.start().quit(self.now)
        elif verb == "secured":
            self.start().secured(self.now)
        elif verb == "handshake":
            self.start().tls_failed(rest.removeprefix("fails "), self.now)
        else:
            raise AssertionError(f"what is {line!r}?")

    def offer(self, extensions: list[str]) -> None:
        self.hear("220 peer.example")
        lines = ["peer.example", *extensions]
        for line in lines[:-1]:
            self.hear(f"250-{line}")
        self.hear(f"250 {lines[-1]}")
        self.take()
        assert self.reported[0].startswith("ready")
        self.said.clear()
        self.reported.clear()

    def play(self, text: str) -> None:
        for number, line in enumerate(text.splitlines(), 1):
            mark, _, rest = line.partition(" ")
            if mark in ("C:", "="):
                self.take()
                queue = self.said if mark == "C:" else self.reported
                assert queue, (
                    f"line {number}: nothing of the kind happened: {line}; {self.said} {self.reported}"
                )
                actual = queue.pop(0)
                same = actual.startswith(rest[:-1]) if rest.endswith("…") else actual == rest
                assert same, f"line {number}: wanted {line}, was {actual}"
            elif mark in ("S:", "!"):
                self.at_rest(number)
                self.hear(rest) if mark == "S:" else self.do(rest)
            else:
                assert mark in ("", "#"), f"line {number} cannot be read"
        self.at_rest(number + 1)

    def at_rest(self, number: int) -> None:
        if self.machine is not None:
            self.take()
        assert not self.said, f"before line {number} the machine also said {self.said}"
        assert not self.reported, f"before line {number} the machine also reported {self.reported}"


def pairs(text: str) -> list[tuple[str, Any]]:
    """Read `a=b c="d e" f=yes g=3`."""
    found: list[tuple[str, Any]] = []
    for word in shlex.split(text):
        name, _, value = word.partition("=")
        known: dict[str, object] = {"yes": True, "no": False} if name not in ("tls", "xclient") else {}
        found.append((name, known.get(value, int(value) if value.isdigit() else value)))
    return found


def auth(mechanism: str) -> ClientAuth:
    """Log in as RFC 2195 does in its example."""
    password = "tanstaaftanstaaf"
    return ClientAuth(
        mechanism=mechanism,
        begin=lambda: client_exchange(mechanism, "tim", password, "rOprNGfwEbeRWgbNEkqO"),
        needs_tls=mechanism in ("PLAIN", "LOGIN", "XOAUTH2"),
        secret=password,
    )


def unescape(text: str) -> bytes:
    return text.replace("\\r", "\r").replace("\\n", "\n").encode()


def path(text: str) -> ForwardPath:
    """Read `address[/NOTIFY bits[/ORCPT]]`."""
    address, notify, orcpt = [*text.split("/"), "", ""][:3]
    domain = address.rpartition("@")[2].encode("idna").decode()
    return ForwardPath(address=address, domain=domain, notify=int(notify or 0), orcpt=orcpt)


def transaction(text: str) -> Transaction:
    """Read what follows `! deliver`."""
    sender, recipients, rest = [*text.split(" ", 2), ""][:3]
    options = dict(pairs(rest))
    given = options.pop("body", BODY)
    if "xclient" in options:
        words = str(options.pop("xclient")).split()
        options["xclient"] = tuple(
            (name, value) for name, _, value in (word.partition("=") for word in words)
        )
    body = None if given == "pieces" else unescape(str(given))
    made = Transaction(
        reverse_path="" if sender == "<>" else sender,
        recipients=[path(word) for word in recipients.split(",")],
        head=unescape(str(options.pop("head", ""))),
        body=body,
        body_size=int(str(options.pop("size", len(body or b"")))),
    )
    for name, value in options.items():
        setattr(made, name, value)
    return made


def describe(event: ClientEvent) -> list[str]:
    """Say in words what the machine reported."""
    match event:
        case Ready(extensions):
            words = [
                name for name in ("pipelining", "chunking", "eight_bit_mime") if getattr(extensions, name)
            ]
            return [" ".join(["ready", *words])]
        case NeedTls():
            return ["needs tls"]
        case NotReady(reply, stage, address_fault, _, tls_failed):
            fault = "tls" if tls_failed else "address" if address_fault else "site"
            return [f"not ready, {stage}, {fault}: {reply}"]
        case TransactionFinished(given, results, usable, distrusts=distrusts, needs_tls=needs_tls):
            assert [result.index for result in results] == list(range(len(given.recipients)))
            lines = [
                f"{result.verdict} {given.recipients[result.index].address}, {result.stage}"
                f"{', session' if result.session_fault else ''}: {result.reply}"
                for result in results
            ]
            lines.append("usable" if usable else "not usable")
            if distrusts:
                lines.append(f"distrusts {' '.join(sorted(distrusts))}")
            return [*lines, "needs tls"] if needs_tls else lines
        case NeedPieces():
            return ["needs body"]
        case NeedDowngrade():
            return ["needs downgrade"]
        case Closed(reply):
            return [f"closed: {reply}" if reply else "closed"]


@pytest.mark.parametrize("cut", [None, 1, 7])
@pytest.mark.parametrize("dialog", DIALOGS, ids=lambda path: path.stem)
def test_dialog(dialog: Path, cut: int | None) -> None:
    Player(cut).play(dialog.read_text())
