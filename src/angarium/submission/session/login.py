"""Whose session it is: logging in by AUTH (RFC 4954), or by the word of a proxy that may speak for its clients."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from angarium.core.clock import rfc3339
from angarium.core.records import Origin
from angarium.core.reply import Reply
from angarium.core.submission import Problem, Reason
from angarium.identity.forms import can_be_challenged, may_guess, shown
from angarium.identity.principal import BAD_LOGIN, Principal, Refused
from angarium.smtp.sasl.exchange import Challenge, Claim, Claimed, Exchange, Failed, NeedSecrets, Proved, Step
from angarium.smtp.sasl.server import exchange_for
from angarium.smtp.server.options import ServerOptions
from angarium.sql.errors import StoreError
from angarium.submission.replies import UNCHECKED
from angarium.submission.session.access import (
    FAILURES_PER_SESSION,
    LOGGED_IN,
    LOGIN_ENDED,
    MALFORMED,
    SAY_STARTTLS,
    TOO_MANY_FAILURES,
    XCLIENT_OK,
    Access,
    blocked,
)
from angarium.submission.session.connection import SessionConnection
from angarium.submission.session.encryption import SessionEncryption
from angarium.submission.session.peer import SessionPeer
from angarium.submission.session.reception import Reception
from angarium.submission.session.settings import limits_for

_NONCE_BYTES = 18


class SessionLogin:
    """The login of a session, and what it may log in with. Implements smtp.server.handler.AuthHandler.

    *principal* is the account and the server that it has logged in for, None without a login.
    """

    __slots__ = (
        "_connection",
        "_encryption",
        "_exchange",
        "_failures",
        "_is_guess",
        "_is_kept",
        "_mark",
        "_mechanism",
        "_origin",
        "_peer",
        "_reception",
        "_user",
        "principal",
    )

    def __init__(
        self,
        reception: Reception,
        peer: SessionPeer,
        encryption: SessionEncryption,
        connection: SessionConnection,
    ) -> None:
        self.principal: Principal | None = None
        self._reception = reception
        self._peer = peer
        self._encryption = encryption
        self._connection = connection
        self._origin: Origin | None = None
        """What messages of the session are said to come from; made anew when any of that changes."""
        self._exchange: Exchange | None = None
        self._mechanism = self._user = self._mark = ""
        """The mechanism, the user name that the peer gives, and the mark that the guard knows them by."""
        self._is_guess = True
        """Whether a failure can be one, by what the peer has said."""
        self._is_kept = True
        """Whether there is a secret that the challenge could be about."""
        self._failures = 0

    # -- smtp.server.handler.AuthHandler

    def on_auth(self, mechanism: str, initial: bytes | None) -> Reply | None:
        """See AuthHandler."""
        now = self._reception.clock.now()
        self._mechanism, self._user, self._mark = mechanism, "", self.access.guard.mark("")
        self._is_guess, self._is_kept = may_guess(mechanism, ""), True
        hostname = self._peer.options.banner_hostname
        self._exchange = exchange_for(mechanism, hostname, secrets.token_urlsafe(_NONCE_BYTES), now)
        self._go_on(self._exchange.start(initial))
        return None

    def on_auth_line(self, data: bytes) -> None:
        """See AuthHandler."""
        assert self._exchange is not None
        self._go_on(self._exchange.respond(data))

    def on_auth_cancel(self) -> None:
        """See AuthHandler."""
        self._exchange = None
        self._reception.counters.add("auth_total", "cancelled")

    # -- the exchange

    def _go_on(self, step: Step) -> None:
        match step:
            case Challenge(data):
                self._connection.machine.challenge(data)
            case NeedSecrets(username):
                self._hear(username, None, partial(self._look_up, username))
            case Claimed(claim):
                self._hear(claim.username, claim.secret, partial(self._check, claim))
            case Proved(username):
                self._reception.tasks.start(self._asked(partial(self._find, username)))
            case Failed("malformed"):
                self._reception.counters.add("auth_total", "malformed")
                self._exchange = None
                self._connection.machine.answer(MALFORMED)
            case Failed():
                self._fail(Refused("wrong"))

    @property
    def access(self) -> Access:
        """What logging in needs; only to be asked for where there is such a thing."""
        access = self._reception.access
        assert access is not None  # else AUTH is not offered
        return access

    def _hear(self, username: str, secret: str | None, question: Callable[[], Awaitable[None]]) -> None:
        """Ask the directory: at once, or later, or not at all, if *username* has failed too often lately.

        Where a challenge is not heard the session stays open: the password that follows may be one that is.
        """
        guard, now = self.access.guard, self._reception.clock.now()
        self._user, self._mark = username, guard.mark(username, secret)
        self._is_guess = may_guess(self._mechanism, username)
        self._is_kept = secret is not None or can_be_challenged(username)
        until = guard.blocked_until(self._peer.network, self._mark, now)
        wait_s = guard.wait_s(self._peer.network, self._mark, now, self._peer.options)
        if until is None:
            self._reception.tasks.start(self._asked(question, wait_s))
        elif secret is None:
            self._is_guess = False
            self._fail(Refused("blocked"))
        else:
            self._turn_away(until)

    def _turn_away(self, until: float) -> None:
        self._exchange = None
        self._note("auth_failed", reason="blocked", again_at=rfc3339(until))
        self._reception.counters.add("auth_total", "blocked")
        self._conclude(blocked(until))

    async def _asked(self, question: Callable[[], Awaitable[None]], wait_s: float = 0.0) -> None:
        try:
            if wait_s:
                await asyncio.sleep(wait_s)
            if not self._connection.is_lost:
                await question()
        except StoreError as error:
            self._exchange = None
            self._note("auth_failed", reason="store", error=str(error))
            self._reception.counters.add("auth_total", "store")
            self._conclude(UNCHECKED)
        except Exception:
            self._conclude(UNCHECKED)  # the peer is not left waiting for what a fault of ours will never say
            raise
        if not self._connection.is_lost:
            self._connection.flush()

    async def _look_up(self, username: str) -> None:
        found = await self.access.directory.secrets_for(self._mechanism, username)
        self._is_kept = self._is_kept and found is not None
        if self._exchange is not None and not self._connection.is_lost:
            self._go_on(self._exchange.supply(found))

    async def _check(self, claim: Claim) -> None:
        self._decide(await self.access.directory.authenticate(claim, self._peer.ip))

    async def _find(self, username: str) -> None:
        self._decide(await self.access.directory.principal_of(username, self._peer.ip))

    # -- its end

    def _decide(self, found: Principal | Refused) -> None:
        until = self.access.guard.blocked_until(self._peer.network, self._mark, self._reception.clock.now())
        if until is not None:  # of many guesses at once those count that were answered before the block
            self._turn_away(until)
        elif isinstance(found, Refused):
            self._fail(found)
        else:
            self._let_in(found)

    def _let_in(self, principal: Principal) -> None:
        reception, access = self._reception, self.access
        now = reception.clock.now()
        if access.guard.succeeded(self._peer.network, self._mark, now):
            access.on_success(self._peer.network, self._mark)
        access.directory.note_use(principal, now)
        reception.counters.add("auth_total", "ok")
        self._exchange = None
        if self._connection.is_lost:
            return
        self.take(principal)
        self._note("auth", login=principal.name, account=principal.account.id)
        self._connection.machine.answer(LOGGED_IN)

    def _fail(self, refused: Refused) -> None:
        """Say no; count a guess, have the others count it, and hold the answer back for a while."""
        reason = refused.reason if self._is_kept else "not_kept"
        self._reception.counters.add("auth_total", reason)
        self._note("auth_failed", reason=reason, login=refused.name)
        self._exchange = None
        if not self._is_guess:
            offered = self.offer()
            says_more = offered.starttls and offered.auth_under_tls
            self._conclude(SAY_STARTTLS if says_more else BAD_LOGIN)
            return
        access, now = self.access, self._reception.clock.now()
        access.guard.failed(self._peer.network, self._mark, now, self._peer.options)
        access.on_failure(self._peer.ip, self._mark, self._peer.listener)
        self._failures += 1
        reply = BAD_LOGIN if self._failures < FAILURES_PER_SESSION else TOO_MANY_FAILURES
        wait_s = access.guard.delay_s(self._peer.network, now, self._peer.options)
        if wait_s:
            asyncio.get_running_loop().call_later(wait_s, self._conclude, reply)
        else:
            self._conclude(reply)

    def _conclude(self, reply: Reply) -> None:
        if reply.code == 421:
            self._connection.note_end(str(reply))
        self._connection.answer(reply)

    def _note(self, event: str, **fields: Any) -> None:
        now = self._reception.clock.now()
        log = self._reception.log
        say = log.info if event == "auth" or not self._is_guess else log.warning
        user = shown(self._user) if self._user else ""
        say(event, now, **self._peer.named(), mechanism=self._mechanism, user=user, **fields)
        if event == "auth_failed":
            named = self._peer.named()
            self._reception.facts.note(
                "login_failed", **named, mechanism=self._mechanism, user=user, reason=fields["reason"]
            )

    # -- who the session is from now on

    def take(self, principal: Principal) -> None:
        """Go on as *principal*, with its limits; not in mid transaction."""
        self.principal = principal
        self._origin = None
        limits = limits_for(self._peer.settings.limits, principal)
        self._connection.machine.set_options(self.offer(), limits)

    def forget(self) -> None:
        """Go on without a login, and offer the peer what is due to it as it is now known; not in mid transaction."""
        self.principal = self._origin = None
        self._connection.machine.set_options(self.offer(), self._peer.settings.limits)

    def begin_anew(self) -> None:
        """Go on as another client, without a login and without the failures so far."""
        self._failures = 0
        self.forget()

    def forget_origin(self) -> None:
        """The peer has given itself another name."""
        self._origin = None

    def offer(self) -> ServerOptions:
        """Return what the peer is offered now."""
        peer = self._peer
        is_encrypted = self._connection.machine.is_encrypted
        return peer.settings.offer(is_encrypted, peer.xclient, self.principal is not None)

    def current(self, principal: Principal) -> Principal | Problem:
        """Return *principal* as it is now, or why it may not send; the session of one that is no more ends."""
        found = self.access.directory.current(principal, self._peer.ip)
        if isinstance(found, Problem) and found.reason is not Reason.LOGIN_UNCHECKED:
            self._connection.end(LOGIN_ENDED)
        return found

    def origin(self) -> Origin:
        """Return what a message of the session comes from."""
        if self._origin is None:
            peer, machine, tls = self._peer, self._connection.machine, self._encryption.name
            protocol = peer.said_protocol or ("ESMTP" if machine.is_esmtp else "SMTP")
            if protocol == "ESMTP":  # RFC 3848
                protocol += ("S" if tls else "") + ("A" if self.principal is not None else "")
            name = peer.said_helo or machine.helo_name
            self._origin = Origin(
                listener=peer.listener,
                peer=peer.address,
                helo=name,
                protocol=protocol,
                session=peer.session_name,
                tls=tls,
            )
        return self._origin

    def believe(self, login: str) -> None:
        """XCLIENT says that the peer has logged in as *login*; that is answered when it is known who that is."""
        self._mechanism, self._user, self._is_guess = "XCLIENT", login, True
        self._reception.tasks.start(self._asked(partial(self._look_for, login)))

    async def _look_for(self, login: str) -> None:
        found = await self.access.directory.principal_of(login, self._peer.ip)
        if self._connection.is_lost:
            return
        if isinstance(found, Refused):
            self._note("auth_failed", reason=found.reason, login=found.name)
        else:
            self.take(found)
            self._note("auth", login=found.name, account=found.account.id)
        self._connection.answer(XCLIENT_OK)
