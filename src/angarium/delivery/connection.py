"""One outbound connection: socket, encryption and time around the sans-IO client machine."""

import asyncio
import errno
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from msgspec.structs import replace as replaced

from angarium.core.clock import Clock
from angarium.core.records import Attempt, Message, QueueKey, Recipient, Stage
from angarium.core.reply import Reply
from angarium.delivery.distrust import Distrust
from angarium.delivery.goodbye import Goodbye
from angarium.delivery.login import LoginSetupError, login_of
from angarium.delivery.settings import TIMEOUT_OPTIONS, bind_ip, transaction_of, xclient_of
from angarium.queue.causes import Silence
from angarium.queue.commands import Connect, ConnectFailure, Deliver, Fault, Result, Verdict
from angarium.smtp.client.dialogue import Said, dialogue_lines
from angarium.smtp.client.events import (
    ClientEvent,
    ClientSettings,
    Closed,
    NeedDowngrade,
    NeedPieces,
    NeedTls,
    NotReady,
    Ready,
    Timings,
    Transaction,
    TransactionFinished,
)
from angarium.smtp.client.machine import ClientMachine
from angarium.smtp.refusals import ANOTHER_TIME, temporary
from angarium.spool.port import Body
from angarium.tls import ENCRYPTION_BYTES
from angarium.tls.client.context import TlsSetupError
from angarium.tls.client.handshake import Encryption, HandshakeFailed, words_of

_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_CANNOT_BIND = {errno.EADDRNOTAVAIL, errno.EADDRINUSE}
"""With nothing to bind to, they tell of the way to one peer: no ports are left, or we have no address of its family."""
_TLS_SLACK_S = 5
"""The machine ends a handshake that takes too long; the event loop's own limit must not come first."""
_GOODBYE_BYTES = 64
"""A QUIT may still leave when a connection ends. Waiting for a peer to read more would keep the socket for ever."""
_FAULT = Reply(451, "4.3.0", "[internal] the connection failed by a fault of our own; see the log")
_UNPREPARED = Reply(451, "4.3.0", "[internal] the files for TLS or the login could not be read in time")


class Owner(Protocol):
    """Who hears of a connection's progress; `outbound.Outbound` is one."""

    def connection_opened(self, connection: "Connection") -> None:
        """It is ready for mail."""
        ...

    def connection_failed(self, connection: "Connection", failure: ConnectFailure) -> None:
        """It never became ready, and is gone or going."""
        ...

    def connection_retried(self, connection: "Connection", failure: ConnectFailure) -> None:
        """It never became ready, has ended, and is to be opened again in another way; it knows which."""
        ...

    def transaction_finished(self, connection: "Connection", results: list[Result], usable: bool) -> None:
        """A transaction has ended; when not *usable* the connection is gone or going."""
        ...

    def connection_closed(self, connection: "Connection") -> None:
        """It was idle, and is gone or going."""
        ...

    def connection_ended(self, connection: "Connection") -> None:
        """Its socket has ended: only now the peer counts it no more. Said once, of one that is not retried.

        That of a transaction's connection may end before `transaction_finished`.
        """
        ...

    def body_wanted(self, connection: "Connection") -> None:
        """The peer is ready for a body that is fed in pieces."""
        ...

    def downgrade_wanted(self, connection: "Connection") -> None:
        """The peer cannot take the 8-bit body; the owner gives another one with `retry_with`."""
        ...


class Connection(asyncio.Protocol):
    """One session with one address. `open` makes the connection; the owner is told how it went."""

    def __init__(
        self,
        command: Connect,
        settings: ClientSettings,
        encryption: Encryption,
        distrust: Distrust,
        owner: Owner,
        clock: Clock,
        session: str,
    ) -> None:
        self.id = command.conn
        self.command = command
        self.session = session
        self.queue: QueueKey = command.queue
        self.peer = str(command.address)
        self.body: Body = b""
        self.is_over = False
        self._recipients: list[Recipient] = []
        self._return_path = ""
        self._started_at = clock.now()
        self._settings = settings
        self._machine = ClientMachine(settings)
        self._encryption = encryption
        self._distrust = distrust
        self.timings: Timings = ()
        """Of what has ended last: making the connection ready, failing to, or a transaction."""
        self._opening_timings: Timings = ()
        self._opening_said: Said = []
        self._began = 0.0
        self._owner = owner
        self._clock = clock
        self._transport: asyncio.Transport | None = None
        self._source = ""
        self._was_ready = False
        self.gone = asyncio.Event()
        """Set when the socket has ended, which is a moment after the session has."""
        self._retried: ConnectFailure | None = None
        self._goodbye: Goodbye | None = None
        self._is_in_handshake = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._settled = asyncio.Event()
        """Set when a handshake is wanted, and when it is known that none is."""

    async def open(self) -> None:
        """Connect, from the address that the options name, and encrypt if that is wanted and offered.

        A fault of ours on the way is raised again after the owner has heard of it. It counts against the address, since
        the peer may be what brings it about.
        """
        try:
            await self._open()
        except Exception:
            if not self.is_over and not self._was_ready:
                self._refused(_FAULT, "address")
            raise

    async def _open(self) -> None:
        if not await self._prepare() or self.is_over:
            return
        await self._connect()
        if self._encryption.way.context is not None and not self.is_over:
            await self._settled.wait()
            if self._machine.stage == "tls":
                await self._encrypt()

    async def _prepare(self) -> bool:
        """Find out how to go about it; what is wrong with our own files holds this destination's mail."""
        try:
            async with asyncio.timeout(self.command.options.connect_timeout):
                await self._encryption.prepare(self._clock.now())
                auth = await login_of(self.command.options)
        except TimeoutError:
            self._refused(_UNPREPARED, "site")
            return False
        except TlsSetupError as error:
            self._refused(Reply(451, "4.7.5", f"[internal] {error}"), "site")
            return False
        except LoginSetupError as error:
            self._refused(Reply(451, "4.7.0", f"[internal] {error}"), "site")
            return False
        use, distrusted = self._encryption.way.use, self._distrust.of(self.command.address, self._clock.now())
        if use != self._settings.tls or auth is not None or distrusted:
            settings = replace(
                self._settings,
                tls=use,
                auth=auth,
                distrusted=distrusted,
                fell_back=self._encryption.fell_back,
            )
            self._machine = ClientMachine(settings, self._machine.trace)
        return True

    async def _connect(self) -> None:
        address, options = self.command.address, self.command.options
        self._began = self._clock.now()
        local = bind_ip(options, address.ip)
        try:
            async with asyncio.timeout(options.connect_timeout):
                await asyncio.get_running_loop().create_connection(
                    lambda: self,
                    address.ip,
                    address.port,
                    family=socket.AF_INET6 if ":" in address.ip else socket.AF_INET,
                    local_addr=(local, 0) if local else None,
                )
        except TimeoutError:
            self._note_connected(self._clock.now())
            self._refused(Reply(450, "4.4.1", "[internal] connection timed out"), "address")
        except OSError as error:
            self._note_connected(self._clock.now())
            reply = Reply(451, "4.4.1", f"[internal] cannot connect: {_words(error)}")
            ours = _OUT_OF_RESOURCES | _CANNOT_BIND if local else _OUT_OF_RESOURCES
            self._refused(reply, "local" if error.errno in ours else "address")

    def _note_connected(self, now: float) -> None:
        """The socket is connected, or will not be."""
        self.timings = (("connect", (now - self._began) * 1000),)

    async def _encrypt(self) -> None:
        assert self._transport is not None
        timeout_s = self.command.options.tls_timeout + _TLS_SLACK_S
        self._is_in_handshake = True
        try:
            self._transport = await self._encryption.begin(self._transport, self, timeout_s)
        except HandshakeFailed as error:
            if self.is_over:
                self._ended()
            else:
                self._machine.tls_failed(str(error), self._clock.now())
                self._progress()
            return
        finally:
            self._is_in_handshake = False
        if self.is_over:  # given up meanwhile: nobody is to hear of it
            self._transport.close()
        else:
            self._machine.secured(self._clock.now())
            self._progress()

    # -- what the owner asks

    def deliver(self, command: Deliver, body: Body, head: bytes, return_path: str = "") -> None:
        """Begin a transaction on this ready, idle connection. *head* leaves before *body*: whole lines. *return_path*,
        unless empty, is what mail comes back to instead of the message's reverse path.
        """
        self.queue = command.queue
        self._return_path = return_path
        self.body = body
        self._recipients = command.recipients
        self._started_at = now = self._clock.now()
        self._machine.deliver(self._transaction(body, head), now)
        self._progress()

    def retry_with(self, body: bytes, head: bytes) -> None:
        """Go on with a 7-bit form of the body, and what leaves before it, after `downgrade_wanted`."""
        self.body = body
        transaction = self._transaction(body, head)
        transaction.body_size = len(body)
        transaction.eight_bit = False
        self._machine.deliver(transaction, self._clock.now())
        self._progress()

    def refuse_held(self, reply: Reply) -> None:
        """Give the message up after `downgrade_wanted`; the session ends with it."""
        recipients, self._recipients = self._recipients, []
        attempt = self.attempt("mail")
        if reply.is_permanent and self._machine.extensions.is_reduced:
            reply = temporary(reply, ANOTHER_TIME)
        verdict: Verdict = "permanent" if reply.code >= 500 else "transient"
        results = [Result(each, verdict, reply, attempt) for each in recipients]
        self.quit()
        self._owner.transaction_finished(self, results, usable=False)

    async def feed(self, piece: bytes, last: bool) -> bool:
        """Send a piece of a large body, at the pace the peer takes it; return whether more is wanted."""
        more = self._machine.feed(piece, last, self._clock.now())
        self._progress()
        await self._writable.wait()
        return more

    def quit(self) -> None:
        """Say QUIT and see the peer off; of this connection nothing is heard any more but its end."""
        self.is_over = True
        self._machine.quit(self._clock.now())
        self._write()
        self._leave()

    def give_up(self) -> None:
        """End a transaction under way; the owner hears of its results as after a lost connection."""
        self._machine.quit(self._clock.now())
        self._progress()

    def check(self, now: float) -> None:
        """End the present stage if its time is up."""
        deadline = self._machine.deadline
        if deadline is not None and now >= deadline and not self.is_over:
            self._machine.timed_out(now)
            self._progress()

    def transcribe(self, hear: Callable[[str, str], None] | None) -> None:
        """Tell *hear* each line said from now on, or stop telling."""
        self._machine.trace = hear

    @property
    def message(self) -> Message | None:
        """The message under way."""
        return self._recipients[0].message if self._recipients else None

    @property
    def silence(self) -> Silence | None:
        """What of the peer is waited for, and since when; None while nothing is."""
        if self.is_over:
            return None
        if self._transport is None:
            until = self._started_at + self.command.options.connect_timeout
            return Silence("the connection", self._started_at, "Connect_Timeout", until)
        awaits, deadline = self._machine.awaits, self._machine.deadline
        if awaits is None or deadline is None:
            return None
        return Silence(awaits[0], awaits[2], TIMEOUT_OPTIONS[awaits[1]], deadline)

    @property
    def held_bytes(self) -> int:
        """About what it has in memory, the body on its way included."""
        body = len(self.body) if isinstance(self.body, bytes) else 0
        return body + (ENCRYPTION_BYTES if self._encryption.name else 0)

    @property
    def past_final_dot(self) -> bool:
        """Whether the peer may already have taken responsibility for what is under way."""
        return not self.is_over and self._machine.is_message_sent

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = transport  # type: ignore[assignment]
        if self.is_over:
            transport.close()
            return
        name = transport.get_extra_info("sockname")
        self._source = f"{name[0]}:{name[1]}" if isinstance(name, tuple) else ""
        now = self._clock.now()
        self._note_connected(now)
        self._machine.start(now)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if not self.is_over:
            self._machine.receive(data, self._clock.now())
            self._progress()
        elif self._machine.stage == "quit":
            self._machine.receive(data, self._clock.now())
            if self._goodbye is not None and self._machine.stage == "closed":
                self._goodbye.hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._writable.set()
        if self._machine.stage == "tls":
            return  # the handshake's error says more
        if not self.is_over:
            self._machine.connection_lost(self._clock.now(), words_of(exc))
            self._progress()
        if self._goodbye is not None:
            self._goodbye.lost()
        elif self.is_over:
            self._ended()
        self._transport = None  # which has what the encryption takes

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._writable.set()

    # -- between machine and owner

    def _progress(self) -> None:
        self._write()
        for event in self._machine.take_events():
            self._tell(event)

    def _write(self) -> None:
        output = self._machine.take_output()
        transport = self._transport
        if output and transport is not None and not transport.is_closing():
            transport.writelines(output)

    def _tell(self, event: ClientEvent) -> None:
        if type(event) is TransactionFinished:
            self._finished(event)
        elif isinstance(event, Ready):
            self._was_ready = True
            self._settled.set()
            self.timings += event.timings
            self._opening_said = event.said
            if self._encryption.name:
                self._opening_timings = event.timings
                self._keep_session()
            self._owner.connection_opened(self)
        elif isinstance(event, NeedPieces):
            self._owner.body_wanted(self)
        elif isinstance(event, NeedDowngrade):
            self._owner.downgrade_wanted(self)
        elif isinstance(event, NeedTls):
            assert self._transport is not None
            self._transport.pause_reading()
            self._settled.set()
        elif isinstance(event, NotReady):
            self._not_ready(event)
        elif isinstance(event, Closed):
            self._closed()

    def _not_ready(self, event: NotReady) -> None:
        self.is_over = True
        self.timings += event.timings
        attempt = replaced(self.attempt(event.stage, event.timings), dialogue=dialogue_lines(event.said))
        failure = ConnectFailure(
            event.reply, attempt, "address" if event.address_fault else "host", event.on_terms
        )
        self._encryption.in_vain()
        problem = event.reply.text.removeprefix("[internal] ")
        if event.tls_failed and self._encryption.has_another_way(problem, self._clock.now()):
            self._retried = failure
        else:
            self._owner.connection_failed(self, failure)
        self._leave()

    def _finished(self, event: TransactionFinished) -> None:
        recipients, self._recipients = self._recipients, []
        self.timings = event.timings
        timings, self._opening_timings = self._opening_timings + event.timings, ()
        self.body = b""
        if event.distrusts:
            self._distrust.learn(self.command.address, event.distrusts, self._clock.now())
        if event.needs_tls:
            self._encryption.in_vain()
        attempts: dict[str, Attempt] = {}
        results = []
        sample = self.command.options.dialogue_sample
        is_sample = sample and recipients and not int.from_bytes(recipients[0].message.id[-4:]) % sample
        for result in event.results:
            attempt = attempts.get(result.stage)
            if attempt is None:
                attempt = self.attempt(result.stage, timings, event.bytes_sent, event.dsn_relayed)
                attempts[result.stage] = attempt
            if result.verdict != "delivered" or is_sample:
                attempt = replaced(attempt, dialogue=self._dialogue(event, result.index))
            recipient = recipients[result.index]
            results.append(Result(recipient, result.verdict, result.reply, attempt, result.session_fault))
        self._opening_said = []
        if not event.usable:
            self.quit()
        self._owner.transaction_finished(self, results, event.usable)

    def _dialogue(self, event: TransactionFinished, index: int) -> tuple[str, ...]:
        """Return what was said of one recipient; in the first transaction, with how the session was opened."""
        said = event.dialogue(index) if event.dialogue is not None else []
        return dialogue_lines(self._opening_said + said)

    def _closed(self) -> None:
        was_idle = self._was_ready and not self.is_over
        self.is_over = True
        if was_idle:
            self._owner.connection_closed(self)
        self._leave()

    def _refused(self, reply: Reply, fault: Fault) -> None:
        self.is_over = True
        failure = ConnectFailure(reply, self.attempt("connect"), fault, on_terms=fault == "site")
        self._owner.connection_failed(self, failure)
        self._leave()

    def _transaction(self, body: Body, head: bytes) -> Transaction:
        recipients, options = self._recipients, self.command.options
        if options.xclient == "no":
            return transaction_of(recipients, body, head, return_path=self._return_path)
        xclient = xclient_of(recipients[0].message, options.ehlo_hostname, self._source)
        return transaction_of(recipients, body, head, xclient, return_path=self._return_path)

    def _leave(self) -> None:
        """Close with the peer: it counts the session until it has ended it too, or `QUIT_Timeout` is over."""
        if self._goodbye is not None:
            return
        self._settled.set()
        transport = self._transport
        if self._was_ready and self._encryption.name:
            self._keep_session()
        if transport is None or transport.is_closing():
            self._ended()
        elif self._is_in_handshake or transport.get_write_buffer_size() > _GOODBYE_BYTES:
            transport.abort()
        else:
            self._goodbye = Goodbye(transport, self.command.options.quit_timeout, self._ended)
            if self._machine.stage != "quit":
                self._goodbye.hang_up()

    def _ended(self) -> None:
        if self.gone.is_set():
            return
        self.gone.set()
        self._goodbye = None
        if self._retried is None:
            self._owner.connection_ended(self)
        else:
            self._owner.connection_retried(self, self._retried)

    def _keep_session(self) -> None:
        if self._transport is not None:
            self._encryption.keep(self._transport)

    def attempt(
        self, stage: Stage, timings: Timings = (), bytes_sent: int = 0, dsn_passed: bool = False
    ) -> Attempt:
        """Return the record of what was tried here, as far as *stage*."""
        return Attempt(
            started_at=self._started_at,
            stage=stage,
            session=self.session,
            host=self.command.address.host,
            peer=self.peer,
            source=self._source,
            method=self.command.method,
            tls=self._encryption.name,
            timings=timings,
            bytes_sent=bytes_sent,
            dsn_passed=dsn_passed,
            tls_facts=self._encryption.facts,
        )


def _words(error: OSError) -> str:
    return error.strerror.lower() if error.strerror else str(error)
