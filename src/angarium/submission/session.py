"""One SMTP session in: socket and time around the sans-IO server machine, and the listener's decisions."""

import asyncio
from functools import partial
from typing import Protocol

from angarium.config.model import Config
from angarium.config.records import InboundOptions
from angarium.core.clock import Clock
from angarium.core.identity import IdentityCache
from angarium.core.ids import MessageId
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.records import ForwardPath, Origin
from angarium.core.reply import Reply
from angarium.core.tasks import Tasks
from angarium.smtp import answers
from angarium.smtp.command import MailCommand, RcptCommand
from angarium.smtp.server import ServerMachine
from angarium.spool.port import Body, SpoolError
from angarium.submission.intake import Envelope, Intake, Spill
from angarium.submission.limits import Settings, server_settings
from angarium.submission.policy import (
    ENOUGH_RECIPIENTS,
    ENOUGH_TIME,
    NO_LITERAL,
    NO_NULL_SENDER,
    RECONFIGURED,
    SHUTTING_DOWN,
    Relay,
    refuses_session,
    storage_reply,
)


class Board(Protocol):
    """Counts sessions over all workers; `node.board.Board` is one."""

    def enter(self, peer: str) -> None:
        """Count in."""
        ...

    def leave(self, peer: str) -> None:
        """Count out."""
        ...

    def sessions(self) -> int:
        """Sessions of all workers."""
        ...

    def sessions_of(self, peer: str) -> int:
        """Sessions of one peer."""
        ...


class Reception:
    """What all sessions of one worker share, and the sessions themselves."""

    def __init__(
        self, config: Config, intake: Intake, board: Board, clock: Clock, log: Log, counters: Counters
    ) -> None:
        self.config = config
        self.intake = intake
        self.board = board
        self.clock = clock
        self.log = log
        self.counters = counters
        self.sessions: set[Session] = set()
        self.tasks = Tasks(log, clock)
        self.settings = _settings_by(config)
        self._number = 0

    def next_name(self) -> str:
        """Return a name for a session, unique on this node for as long as anybody looks for it."""
        self._number += 1
        return f"{int(self.clock.now() * 1000):x}.{self._number:x}"

    def sweep(self, now: float) -> None:
        """End what takes too long; called each second, so that no session needs a timer."""
        for session in list(self.sessions):
            session.check(now)
        self.counters.set("sessions_open", len(self.sessions))

    def reconfigure(self, config: Config, changed: set[str]) -> None:
        """Obey a new configuration; sessions of *changed* listeners end with 421 at their next boundary."""
        self.config = config
        self.settings = _settings_by(config)
        self.intake.config = config
        for session in list(self.sessions):
            if session.listener in changed:
                session.end(RECONFIGURED)

    def shutdown(self) -> None:
        """End every session with 421 at its next boundary."""
        for session in list(self.sessions):
            session.end(SHUTTING_DOWN)

    def cut_off(self) -> None:
        """End the sessions that are left, in the middle of a message: it has not been answered, so it is not lost."""
        for session in list(self.sessions):
            session.cut_off(SHUTTING_DOWN)


class Session(asyncio.Protocol):
    """One connection of one peer. Implements smtp.server_handler.ServerHandler."""

    def __init__(
        self, reception: Reception, listener: str, listen: str, peer: tuple[str, int] | None
    ) -> None:
        self.listener = listener
        self.peer_ip, port = peer or ("", 0)
        self._reception = reception
        self._started_at = reception.clock.now()
        self._options: InboundOptions = reception.config.inbound(listener, listen, self.peer_ip)
        self._relay = Relay.of_peer(self._options, self.peer_ip)
        self._machine = ServerMachine(self, *reception.settings(self._options), self._started_at)
        self._name = reception.next_name()
        self._peer = _join(self.peer_ip, port) if peer else ""
        self._origin: Origin | None = None
        self._mail: MailCommand | None = None
        self._recipients: list[ForwardPath] = []
        self._spill: Spill | None = None
        self._message_id: MessageId | None = None
        self._transport: asyncio.Transport | None = None
        self._paused = self._is_disk_slow = self._is_write_blocked = False
        self._accepted = 0
        self._recipient_count = 0
        self._reception_began: float | None = None
        self._ended = ""
        self._bytes = 0
        self._lost = False
        reception.board.enter(self.peer_ip)

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = transport  # type: ignore[assignment]
        reception = self._reception
        reception.sessions.add(self)
        reception.counters.add("sessions_total")
        board = reception.board
        no = refuses_session(self._options, board.sessions(), board.sessions_of(self.peer_ip))
        if no is not None:
            reception.counters.add("sessions_refused_total", "too_many")
            self._ended = str(no)
            self._greet(no)
        elif self._options.banner_delay:
            asyncio.get_running_loop().call_later(self._options.banner_delay, self._greet)
        else:
            self._greet()

    def _greet(self, refusal: Reply | None = None) -> None:
        self._machine.greet(self._reception.clock.now(), refusal)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        now = self._reception.clock.now()
        if self._machine.state == "connect" and not self._options.refuse_early_talkers:
            self._machine.greet(now)
        self._machine.receive(data, now)
        self._flush()

    def eof_received(self) -> bool:
        """See asyncio.Protocol. A peer that stops sending is done: nobody pipelines QUIT by half-closing."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self._lost:
            return
        self._lost = True
        self._machine.connection_lost()
        reception = self._reception
        reception.sessions.discard(self)
        reception.board.leave(self.peer_ip)
        now = reception.clock.now()
        reception.log.info(
            "session",
            now,
            session=self._name,
            listener=self.listener,
            peer=self._peer,
            helo=self._machine.helo_name,
            messages=self._accepted,
            bytes=self._bytes,
            commands=self._machine.counters.commands,
            recipients=self._recipient_count,
            errors=self._machine.counters.errors,
            seconds=round(now - self._started_at, 3),
            ended=self._ended or (str(exc) if exc else ""),
        )

    def check(self, now: float) -> None:
        """End the session if it takes too long over what it is doing."""
        options, state = self._options, self._machine.state
        if options.session_time and now - self._started_at > options.session_time:
            self._machine.shutdown(ENOUGH_TIME)
        cut_off = self._machine.check(now)
        if cut_off is not None:
            self._ended = str(cut_off)
        elif (
            not self._machine.helo_name and state == "command" and self._late(options.first_command_time, now)
        ):
            self._cut("no EHLO or HELO in time")
        elif self._reception_began is not None and self._late(
            options.reception_time, now, self._reception_began
        ):
            self._cut("the message took too long to come in")
        self._flush()

    def _late(self, most_s: int, now: float, since: float | None = None) -> bool:
        return bool(most_s) and now - (self._started_at if since is None else since) > most_s

    def _cut(self, why: str) -> None:
        """End it in the middle of whatever it is: the peer has had its time."""
        self._ended = why
        self._machine.cut_off(ENOUGH_TIME)

    def end(self, reply: Reply) -> None:
        """Say 421 at the next boundary and close."""
        self._ended = str(reply)
        self._machine.shutdown(reply)
        self._flush()

    def cut_off(self, reply: Reply) -> None:
        """Say 421 at once and close."""
        self._ended = str(reply)
        self._machine.cut_off(reply)
        self._flush()

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        machine = self._machine
        output = machine.take_output()
        if output:
            transport.write(output)
        if machine.state == "closed":
            transport.close()
        elif self._paused or machine.state == "waiting":  # else nothing that reading depends on has changed
            self._pace()

    def pause_writing(self) -> None:
        """See asyncio.Protocol. Who does not read our answers is not read either."""
        self._is_write_blocked = True
        self._pace()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._is_write_blocked = False
        self._pace()

    def _slow_down(self, is_disk_slow: bool) -> None:
        self._is_disk_slow = is_disk_slow
        self._pace()

    def _pace(self) -> None:
        wants_pause = self._is_disk_slow or self._is_write_blocked or not self._machine.wants_read
        if wants_pause != self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = wants_pause
            if wants_pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    # -- smtp.server_handler.ServerHandler

    def on_helo(self, verb: str, name: str) -> Reply | None:
        """See ServerHandler."""
        self._origin = None
        return answers.HELO_OK

    def on_mail(self, command: MailCommand) -> Reply | None:
        """See ServerHandler."""
        refusal = self._reception.intake.refuses
        if refusal is not None:
            return refusal
        if not command.path and not self._options.allow_null_envelope_sender:
            return NO_NULL_SENDER
        self._mail = command
        return answers.SENDER_OK

    def on_rcpt(self, command: RcptCommand) -> Reply | None:
        """See ServerHandler."""
        assert self._mail is not None
        if command.domain.startswith("[") and not self._options.allow_ip_literal:
            return NO_LITERAL
        most = self._options.max_recipients_per_connection
        if most and self._recipient_count >= most:
            return ENOUGH_RECIPIENTS
        # A bare "postmaster" is ours (RFC 5321 §4.5.1).
        domain = command.domain or self._reception.config.globals.hostname
        refusal = self._relay.refuses(self._mail.domain, domain)
        if refusal is not None:
            return refusal
        self._recipient_count += 1
        self._recipients.append(ForwardPath(command.address, domain, command.notify, command.orcpt))
        return answers.RECIPIENT_OK

    def on_data(self) -> Reply | None:
        """See ServerHandler."""
        reception = self._reception
        if reception.intake.refuses is not None:
            return reception.intake.refuses
        self._message_id = reception.intake.new_id()
        self._reception_began = reception.clock.now()
        return answers.GO_AHEAD

    def on_chunk(self, piece: bytes) -> None:
        """See ServerHandler."""
        if self._spill is None:
            assert self._message_id is not None
            self._spill = Spill(self._reception.intake.large_body(self._message_id), self._slow_down)
        self._spill.add(piece)

    def on_message(self, rest: bytes) -> None:
        """See ServerHandler."""
        spill, self._spill = self._spill, None
        self._reception_began = None
        if spill is None:
            self._submit(rest, rest, not rest.isascii())
        else:
            spill.add(rest)
            self._reception.tasks.start(self._submit_large(spill))

    def on_reset(self) -> None:
        """See ServerHandler."""
        self._mail = None
        self._recipients = []
        self._reception_began = None
        if self._spill is not None:
            self._spill.abandon()
            self._spill = None

    def on_vrfy(self, argument: str) -> Reply | None:
        """See ServerHandler."""
        return answers.CANNOT_VERIFY

    def on_help(self, argument: str) -> Reply | None:
        """See ServerHandler."""
        return answers.HELP

    async def _submit_large(self, spill: Spill) -> None:
        try:
            body = await spill.finish()
        except SpoolError as error:
            self._answer(storage_reply(error))
        else:
            self._submit(body, spill.head, spill.eight_bit)

    def _submit(self, body: Body, head: bytes, eight_bit: bool) -> None:
        mail, recipients = self._mail, self._recipients
        self._mail, self._recipients = None, []
        assert mail is not None
        assert self._message_id is not None
        self._bytes += len(body) if isinstance(body, bytes) else body.size
        envelope = Envelope(
            mail.path, mail.domain, recipients, eight_bit, mail.smtputf8, mail.ret, mail.envid
        )
        self._reception.intake.submit(
            self._message_id, envelope, self._where_from(), self._options, body, head, self._answer
        )

    def _where_from(self) -> Origin:
        if self._origin is None:
            protocol = "ESMTP" if self._machine.is_esmtp else "SMTP"
            name = self._machine.helo_name
            self._origin = Origin(self.listener, self._peer, name, protocol, self._name)
        return self._origin

    def _answer(self, reply: Reply) -> None:
        if reply.code == 250:
            self._accepted += 1
        else:
            self._reception.counters.add("refused_messages_total", str(reply.code))
        if not self._lost:
            self._machine.answer(reply)
            self._flush()


def _settings_by(config: Config) -> IdentityCache[InboundOptions, Settings]:
    large_bytes = config.globals.large_message_threshold
    return IdentityCache(partial(server_settings, large_message_bytes=large_bytes))


def _join(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
