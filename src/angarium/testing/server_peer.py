"""The server machine with a handler that follows a script: the peer of dialogs, and of tests of the machine.

As `@` lines it takes `option NAME VALUE` and `limit NAME VALUE` (fields of ServerOptions and ServerLimits),
and `answer WHAT: REPLY` where WHAT is helo, mail, rcpt, data, growth, message, vrfy, help, auth, starttls or
xclient, for mail and rcpt also with an address, and REPLY is a reply or `later`; `user NAME PASSWORD` may
authenticate; `silent` keeps the greeting back until `! greet`. As `!` lines: `greet` (with a REPLY: refuse the
session), `wait SECONDS` and look at the timers, `answer REPLY`, `challenge TEXT`, `secured`, `option NAME VALUE`,
`shutdown`, `cut REPLY`, `lost`.
"""

from dataclasses import fields, replace
from typing import Any

from angarium.core.reply import Reply, reply_from_lines
from angarium.smtp.server import answers
from angarium.smtp.server.command import MailCommand, RcptCommand
from angarium.smtp.server.machine import ServerMachine
from angarium.smtp.server.options import ServerLimits, ServerOptions
from angarium.testing.auth_peer import NO_ENTRY, AuthScript

LONGEST_SHOWN = 512
"""Bodies up to this many bytes are shown in events, with escapes; of others the size."""


class ScriptedHandler:
    """Answers by *script*, positively where that says nothing, and writes down what it is asked.

    *bodies* holds every complete body. `later` in the script means that `machine.answer` is called by someone
    else. *users* (name → password) may authenticate.
    """

    def __init__(self, script: dict[str, str] | None = None, users: dict[str, str] | None = None) -> None:
        self.script = script or {}
        self.users = users or {}
        self.machine: ServerMachine | None = None
        self.events: list[str] = []
        self.bodies: list[bytes] = []
        self._pieces: list[bytes] = []
        self._auth: AuthScript | None = None

    @property
    def mail(self) -> "ScriptedHandler":
        """See ServerHandler."""
        return self

    @property
    def login(self) -> "ScriptedHandler":
        """See ServerHandler."""
        return self

    def on_helo(self, verb: str, name: str) -> Reply | None:
        self.events.append(f"helo {verb} {name}")
        return self._answer("helo", name, answers.HELO_OK)

    def on_mail(self, command: MailCommand) -> Reply | None:
        self.events.append(_described("mail", command))
        return self._answer("mail", command.path, answers.SENDER_OK)

    def on_rcpt(self, command: RcptCommand) -> Reply | None:
        self.events.append(_described("rcpt", command))
        return self._answer("rcpt", command.address, answers.RECIPIENT_OK)

    def on_data(self) -> Reply | None:
        self.events.append("data")
        return self._answer("data", "", answers.GO_AHEAD)

    def on_growth(self, size: int) -> Reply | None:
        return self._answer("growth", "", NO_ENTRY) if "growth" in self.script else None

    def on_chunk(self, piece: bytes) -> None:
        self.events.append(f"chunk {len(piece)}")
        self._pieces.append(piece)

    def on_message(self, rest: bytes) -> None:
        body = b"".join((*self._pieces, rest))
        self._pieces = []
        self.bodies.append(body)
        self.events.append(f"message {shown(body)}")
        reply = self._answer("message", "", Reply(250, "2.0.0", "taken"))
        if reply is not None and self.machine is not None:
            self.machine.answer(reply)

    def on_refusal(self, reply: Reply) -> None:
        """See ServerHandler."""

    def on_reset(self) -> None:
        self._pieces = []
        self.events.append("reset")

    def on_vrfy(self, argument: str) -> Reply | None:
        self.events.append(f"vrfy {argument}")
        return self._answer("vrfy", argument, answers.CANNOT_VERIFY)

    def on_help(self, argument: str) -> Reply | None:
        self.events.append(f"help {argument}".rstrip())
        return self._answer("help", argument, answers.HELP)

    def on_auth(self, mechanism: str, initial: bytes | None) -> Reply | None:
        self.events.append(f"auth {mechanism}" if initial is None else f"auth {mechanism} {shown(initial)}")
        if "auth" in self.script:
            return self._answer("auth", "", NO_ENTRY)
        assert self.machine is not None
        self._auth = AuthScript(self.users, self.machine.challenge, self.machine.answer, self.events)
        self._auth.begin(mechanism, initial)
        return None

    def on_auth_line(self, data: bytes) -> None:
        self.events.append(f"response {shown(data)}".rstrip())
        if self._auth is not None:
            self._auth.respond(data)

    def on_auth_cancel(self) -> None:
        self.events.append("cancelled")
        self._auth = None

    def on_starttls(self) -> Reply | None:
        self.events.append("starttls")
        return self._answer("starttls", "", answers.TLS_READY)

    def on_xclient(self, attributes: dict[str, str]) -> Reply | None:
        self.events.append(" ".join(["xclient", *(f"{name}={value}" for name, value in attributes.items())]))
        return self._answer("xclient", "", answers.XCLIENT_OK)

    def _answer(self, what: str, about: str, usual: Reply) -> Reply | None:
        text = self.script.get(f"{what} {about}", self.script.get(what))
        if text is None:
            return usual
        return None if text == "later" else parse_reply(text)


class ServerPeer:
    """A machine, its scripted handler and its clock, as a `testing.dialog.DialogPeer`."""

    def __init__(self, *settings: str) -> None:
        options, limits, script = ServerOptions(hostname="mx.test"), ServerLimits(), {}
        users: dict[str, str] = {}
        greets = True
        for setting in settings:
            word, _, rest = setting.partition(" ")
            if word == "option":
                options = replace(options, **_field(options, rest))
            elif word == "limit":
                limits = replace(limits, **_field(limits, rest))
            elif word == "answer":
                what, _, reply = rest.partition(": ")
                script[what] = reply
            elif word == "user":
                name, _, users[name] = rest.partition(" ")
            elif word == "silent":
                greets = False
            else:
                raise ValueError(f"{word!r} is not a setting of the server machine")
        self.now = 0.0
        self.options = options
        self.handler = ScriptedHandler(script, users)
        self.machine = self.handler.machine = ServerMachine(self.handler, options, limits, self.now)
        if greets:
            self.machine.greet(self.now)

    @property
    def closing(self) -> bool:
        return self.machine.closing

    def send(self, data: bytes) -> None:
        self.machine.receive(data, self.now)

    def take_output(self) -> bytes:
        return self.machine.take_output()

    def take_events(self) -> list[str]:
        events, self.handler.events = self.handler.events, []
        return events

    def act(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        if word == "greet":
            self.machine.greet(self.now, parse_reply(rest) if rest else None)
        elif word == "wait":
            self.now += float(rest)
            self.machine.check(self.now)
        elif word == "answer":
            self.machine.answer(parse_reply(rest))
        elif word == "challenge":
            self.machine.challenge(rest.encode())
        elif word == "secured":
            self.machine.secured(self.now)
        elif word == "option":
            self.options = replace(self.options, **_field(self.options, rest))
            self.machine.set_options(self.options)
        elif word == "shutdown":
            self.machine.shutdown()
        elif word == "cut":
            self.machine.cut_off(parse_reply(rest))
        elif word == "lost":
            self.machine.connection_lost()
        else:
            raise ValueError(f"{word!r} is nothing that can be done to the server machine")


def parse_reply(text: str) -> Reply:
    """Read `550 5.1.1 no such user`."""
    code, _, rest = text.partition(" ")
    return reply_from_lines(int(code), [rest])


def shown(body: bytes) -> str:
    """Return *body* as one line of text, or its size if it is long."""
    if len(body) > LONGEST_SHOWN:
        return f"of {len(body)} bytes"
    return body.decode("latin-1").encode("unicode_escape").decode("ascii")


def _described(what: str, command: MailCommand | RcptCommand) -> str:
    """Return *what*, the address, and the fields that are not as usual, in order."""
    address, domain, *rest = command.__struct_fields__
    usual = command.__struct_defaults__
    parts = [what, f"<{getattr(command, address)}>", getattr(command, domain)]
    parts += [
        f"{name}={getattr(command, name)}"
        for name, default in zip(rest, usual, strict=True)
        if getattr(command, name) != default
    ]
    return " ".join(part for part in parts if part)


def _field(record: ServerOptions | ServerLimits, text: str) -> dict[str, Any]:
    name, _, value = text.partition(" ")
    if name not in {field.name for field in fields(record)}:
        raise ValueError(f"{name!r} is not a field of {type(record).__name__}")
    present = getattr(record, name)
    if isinstance(present, bool):
        return {name: value == "true"}
    return {name: tuple(value.split()) if isinstance(present, tuple) else type(present)(value)}
