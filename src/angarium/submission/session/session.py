"""One SMTP session in: what comes over a connection, and how long that may take."""

import asyncio
from typing import Any

from angarium.core.reply import Reply
from angarium.identity.principal import BAD_LOGIN
from angarium.smtp.server import answers
from angarium.smtp.server.machine import ServerMachine
from angarium.submission.policy import ENOUGH_TIME, NO_TLS_NOW, TLS_READY
from angarium.submission.session.access import SAY_STARTTLS, TOO_MANY_FAILURES, XCLIENT_OK
from angarium.submission.session.connection import SessionConnection
from angarium.submission.session.encryption import SessionEncryption
from angarium.submission.session.login import SessionLogin
from angarium.submission.session.mail import SessionMail
from angarium.submission.session.peer import Peer, SessionPeer, known
from angarium.submission.session.reception import Reception
from angarium.tls import ENCRYPTION_BYTES

MOST_REFUSALS_TOLD = 20
"""So many refusals of one session are logged each by itself; the session's record counts them all."""

_TOLD = (BAD_LOGIN, TOO_MANY_FAILURES, SAY_STARTTLS)


class Session(asyncio.Protocol):
    """One connection of one peer. Implements smtp.server.handler.ServerHandler.

    Each thing that there is to know has one owner: who the other side is `SessionPeer`, socket and machine
    `SessionConnection`, encryption `SessionEncryption`, the login `SessionLogin`, the mail `SessionMail`. Each of them
    knows those before it, and none the session. Here they are put together, and looked at as time goes by.
    """

    __slots__ = (
        "__weakref__",
        "_began_anew_at",
        "_connection",
        "_encryption",
        "_peer",
        "_reception",
        "_refusals_told",
        "_started_at",
        "_told_last",
        "login",
        "mail",
    )

    def __init__(self, reception: Reception, listener: str, listen: str, peer: Peer) -> None:
        now = reception.clock.now()
        self._reception = reception
        self._started_at = self._began_anew_at = now
        self._refusals_told = 0
        self._told_last: Reply | None = None
        self._peer = SessionPeer(reception, listener, listen, peer)
        settings = self._peer.settings
        machine = ServerMachine(self, settings.offer(False, self._peer.xclient, False), settings.limits, now)
        self._connection = SessionConnection(reception, self._peer, machine, self._begin_handshake)
        self._encryption = SessionEncryption(reception, self._peer)
        self.login = SessionLogin(reception, self._peer, self._encryption, self._connection)
        self.mail = SessionMail(reception, self._peer, self.login, self._connection)
        self._peer.count_in()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol. With TLS from the first byte the handshake is over by now."""
        if transport.get_extra_info("ssl_object") is not None:
            self._secured(transport)
        self._connection.attach(transport)
        reception = self._reception
        reception.sessions.add(self)
        reception.counters.add("sessions_total")
        delay_s = self._peer.options.banner_delay
        no = self._peer.one_too_many()
        if no is not None:
            reception.counters.add("sessions_refused_total", "too_many")
            self._connection.note_end(str(no))
            self._greet(no)
        elif delay_s:
            asyncio.get_running_loop().call_later(delay_s, self._greet)
        else:
            self._greet()

    def _greet(self, refusal: Reply | None = None) -> None:
        self._connection.machine.greet(self._reception.clock.now(), refusal)
        self._connection.flush()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        connection = self._connection
        machine, now = connection.machine, self._reception.clock.now()
        if machine.state == "connect" and not self._peer.options.refuse_early_talkers:
            machine.greet(now)
        try:
            machine.receive(data, now)
        except Exception as error:  # noqa: BLE001 - the peer is told, whatever it was
            connection.break_off(error)
        connection.flush()

    def eof_received(self) -> bool:
        """See asyncio.Protocol. A peer that sends no more still reads: what it waits for is answered, then it is over.

        Not in TLS: asyncio and uvloop answer the end of it with theirs (RFC 5246 §7.2.1 asked for that, RFC 8446 §6.1
        does not), whatever is returned here. There the answer is lost, and the log says so.
        """
        connection = self._connection
        if self._encryption.name and connection.machine.owes_answer:
            connection.note_end("TLS was closed before the answer")
            return False
        return connection.half_close()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._connection.block(True)

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._connection.block(False)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self._connection.is_lost:
            return
        self._connection.lose(exc)
        reception = self._reception
        reception.sessions.discard(self)
        self._peer.count_out()
        now = reception.clock.now()
        seconds = round(now - self._started_at, 3)
        reception.log.info("session", now, **self._facts(), seconds=seconds, ended=self._connection.ended)

    def _facts(self) -> dict[str, Any]:
        """Return what the log says of the session."""
        machine, via = self._connection.machine, self._peer.via
        facts = {
            **self._peer.named(),
            "helo": machine.helo_name,
            "commands": machine.counters.commands,
            "errors": machine.counters.errors,
            **({"via": via} if via else {}),
            **({"injected_bytes": machine.injected} if machine.injected else {}),
            **self._encryption.facts,
            **self.mail.facts(),
        }
        if self.login.principal is not None:
            facts["login"] = self.login.principal.name
        return facts

    # -- smtp.server.handler.ServerHandler

    def on_helo(self, verb: str, name: str) -> Reply | None:
        """See ServerHandler."""
        self.login.forget_origin()
        return answers.HELO_OK

    def on_vrfy(self, argument: str) -> Reply | None:
        """See ServerHandler."""
        return answers.CANNOT_VERIFY

    def on_help(self, argument: str) -> Reply | None:
        """See ServerHandler."""
        return answers.HELP

    def on_starttls(self) -> Reply | None:
        """See ServerHandler."""
        return NO_TLS_NOW if self._encryption.context() is None else TLS_READY

    def on_xclient(self, attributes: dict[str, str]) -> Reply | None:
        """See ServerHandler. From here on the session is that of the client named, with its rights: those of the proxy,
        that of saying XCLIENT again among them, end with an address or a login of the client.
        """
        login = known(attributes.get("LOGIN"), "")
        self._began_anew_at = self._reception.clock.now()
        self._peer.introduce_by(attributes, login)
        self.login.begin_anew()
        no = self._peer.one_too_many()
        if no is not None:
            self._reception.counters.add("sessions_refused_total", "too_many")
            return no
        if not login or self._reception.access is None:
            return XCLIENT_OK
        self.login.believe(login)
        return None

    def on_refusal(self, reply: Reply) -> None:
        """See ServerHandler: write it down, unless it was when the login failed. Of many the first speak for all."""
        self._reception.strangers.refused(self._peer, reply)
        if reply.code in (421, 521) and not self._connection.ended:
            self._connection.note_end(str(reply))
        if reply in _TOLD or reply is self._told_last or self._refusals_told >= MOST_REFUSALS_TOLD:
            return
        self._refusals_told += 1
        self._told_last = reply if reply is answers.TOO_MANY_RECIPIENTS else None
        reception = self._reception
        reception.log.info("rejected", reception.clock.now(), **self._peer.named(), reply=str(reply))
        if reply is not self.mail.refused:  # which the intake has noted
            reception.facts.note("refusal", **self._peer.named(), reply=str(reply))

    # -- encryption

    def _begin_handshake(self, transport: asyncio.Transport) -> None:
        self._reception.tasks.start(self._upgrade(transport))

    async def _upgrade(self, raw: asyncio.Transport) -> None:
        try:
            upgraded = await self._encryption.upgrade(raw, self)
        except OSError as error:
            self._connection.note_end(self._encryption.fail(error))
            self.connection_lost(error)
            return
        self._connection.attach(upgraded)
        self._secured(upgraded)
        self._connection.flush()

    def _secured(self, transport: asyncio.BaseTransport) -> None:
        """What was said in clear text is forgotten (RFC 3207 §4.2)."""
        self._encryption.begin(transport)
        self._began_anew_at = self._reception.clock.now()
        self._connection.machine.secured(self._began_anew_at)
        self.login.forget()

    # -- what comes before a session, for the listener

    def introduce(self, peer: tuple[str, int]) -> None:
        """Go on as the session of *peer*, which a trusted proxy has named."""
        self._peer.introduce(peer)
        self.login.forget()

    def one_too_many(self) -> Reply | None:
        """Return why there may not be so many sessions, or None."""
        return self._peer.one_too_many()

    def turned_away(self, why: str, reason: str) -> None:
        """The connection ends before the session could begin."""
        self._reception.counters.add("sessions_refused_total", reason)
        self._reception.facts.note("refusal", **self._peer.named(), reason=reason, reply=why)
        self._connection.note_end(why)
        self.connection_lost(None)

    def handshake_failed(self, error: Exception) -> None:
        """There will be no session: the protocol is not told of a connection that dies in its handshake."""
        why = self._encryption.fail(error)
        self._reception.strangers.failed(self._peer, why)
        self._connection.note_end(why)
        self.connection_lost(error)

    # -- seen from outside, and its end; see reception.OpenSession

    @property
    def listener(self) -> str:
        """See OpenSession."""
        return self._peer.listener

    @property
    def held_bytes(self) -> int:
        """See OpenSession."""
        return self._connection.machine.held_bytes + (ENCRYPTION_BYTES if self._encryption.name else 0)

    def check(self, now: float) -> None:
        """See OpenSession."""
        connection, machine, options = self._connection, self._connection.machine, self._peer.options
        if options.session_time and now - self._started_at > options.session_time:
            machine.shutdown(ENOUGH_TIME)
        cut_off = machine.check(now)
        if cut_off is not None:
            connection.note_end(str(cut_off))
        elif self._says_nothing and _is_late(options.first_command_time, now, self._began_anew_at):
            connection.cut_off(ENOUGH_TIME, "no EHLO or HELO in time")
        elif _is_late(options.reception_time, now, self.mail.began_at):
            connection.cut_off(ENOUGH_TIME, "the message took too long to come in")
        connection.flush()

    @property
    def _says_nothing(self) -> bool:
        machine = self._connection.machine
        return not machine.helo_name and machine.state == "command"

    def end(self, reply: Reply) -> None:
        """See OpenSession."""
        self._connection.end(reply)

    def cut_off(self, reply: Reply) -> None:
        """See OpenSession."""
        self._connection.cut_off(reply)


def _is_late(most_s: int, now: float, since: float | None) -> bool:
    return bool(most_s) and since is not None and now - since > most_s
