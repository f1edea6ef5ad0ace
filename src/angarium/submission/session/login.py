"""Who a session is: logging in by AUTH (RFC 4954), and XCLIENT from those who may speak for others."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from angarium.core.records import Origin
from angarium.core.reply import Reply
from angarium.identity.forms import can_be_challenged, may_guess, shown
from angarium.identity.principal import BAD_LOGIN, UNCHECKED, Principal, Refused
from angarium.smtp.sasl.exchange import Challenge, Claim, Claimed, Exchange, Failed, NeedSecrets, Proved, Step
from angarium.smtp.sasl.server import exchange_for
from angarium.sql.errors import StoreError
from angarium.submission.session.access import (
    FAILURES_PER_SESSION,
    LOGGED_IN,
    MALFORMED,
    SAY_STARTTLS,
    TOO_MANY_FAILURES,
    Access,
    blocked,
)
from angarium.submission.session.encryption import SessionTls
from angarium.submission.session.settings import limits_for
from angarium.submission.session.shell import UNKNOWN_PEER

XCLIENT_OK = Reply(220)

_UNKNOWN = ("[UNAVAILABLE]", "[TEMPUNAVAIL]")
_NONCE_BYTES = 18


class SessionLogin(SessionTls):
    """See `session.Session`."""

    _origin: Origin | None = None
    """What messages of the session are said to come from; made anew when any of that changes."""
    _exchange: Exchange | None = None
    _mechanism = ""
    _user = _mark = ""
    """Who is said to log in, and what the guard knows that by."""
    _is_guess = True
    """Whether a failure can be one, by what the peer has said."""
    _is_kept = True
    """Whether there is a secret that the challenge could be about."""
    _failures = 0
    _said_helo = ""
    _said_protocol = ""

    # -- smtp.server.handler.ServerHandler

    def on_auth(self, mechanism: str, initial: bytes | None) -> Reply | None:
        """See ServerHandler."""
        now = self._reception.clock.now()
        self._mechanism, self._user, self._mark = mechanism, "", self._access.guard.mark("")
        self._is_guess, self._is_kept = may_guess(mechanism, ""), True
        self._exchange = exchange_for(
            mechanism, self._options.banner_hostname, secrets.token_urlsafe(_NONCE_BYTES), now
        )
        self._go_on(self._exchange.start(initial))
        return None

    def on_auth_line(self, data: bytes) -> None:
        """See ServerHandler."""
        assert self._exchange is not None
        self._go_on(self._exchange.respond(data))

    def on_auth_cancel(self) -> None:
        """See ServerHandler."""
        self._exchange = None
        self._reception.counters.add("auth_total", "cancelled")

    # -- the exchange

    def _go_on(self, step: Step) -> None:
        match step:
            case Challenge(data):
                self._machine.challenge(data)
            case NeedSecrets(username):
                self._hear(username, None, partial(self._look_up, username))
            case Claimed(claim):
                self._hear(claim.username, claim.secret, partial(self._check, claim))
            case Proved(username):
                self._reception.tasks.start(self._asked(partial(self._find, username)))
            case Failed("malformed"):
                self._reception.counters.add("auth_total", "malformed")
                self._exchange = None
                self._machine.answer(MALFORMED)
            case Failed():
                self._fail(Refused("wrong"))

    @property
    def _access(self) -> Access:
        access = self._reception.access
        assert access is not None  # else AUTH is not offered
        return access

    def _hear(self, username: str, secret: str | None, question: Callable[[], Awaitable[None]]) -> None:
        """Ask the directory: at once, or later, or not at all, as whoever says to be *username* has failed lately.

        Where a challenge is not heard the session stays open: the password that follows may be one that is.
        """
        guard, now = self._access.guard, self._reception.clock.now()
        self._user, self._mark = username, guard.mark(username, secret)
        self._is_guess = may_guess(self._mechanism, username)
        self._is_kept = secret is not None or can_be_challenged(username)
        until = guard.blocked_until(self._network, self._mark, now)
        wait_s = guard.wait_s(self._network, self._mark, now, self._options)
        if until is None:
            self._reception.tasks.start(self._asked(question, wait_s))
        elif secret is None:
            self._is_guess = False
            self._fail(Refused("blocked"))
        else:
            self._turn_away(until)

    def _turn_away(self, until: float) -> None:
        self._exchange = None
        self._note("auth_failed", reason="blocked", until=until)
        self._reception.counters.add("auth_total", "blocked")
        self._conclude(blocked(until))

    async def _asked(self, question: Callable[[], Awaitable[None]], wait_s: float = 0.0) -> None:
        try:
            if wait_s:
                await asyncio.sleep(wait_s)
            if not self._lost:
                await question()
        except StoreError as error:
            self._exchange = None
            self._note("auth_failed", reason="store", error=str(error))
            self._reception.counters.add("auth_total", "store")
            self._conclude(UNCHECKED)
        except Exception:
            self._conclude(UNCHECKED)  # the peer is not left waiting for what a fault of ours will never say
            raise
        if not self._lost:
            self._flush()

    async def _look_up(self, username: str) -> None:
        found = await self._access.directory.secrets_for(self._mechanism, username)
        self._is_kept = self._is_kept and found is not None
        if self._exchange is not None and not self._lost:
            self._go_on(self._exchange.supply(found))

    async def _check(self, claim: Claim) -> None:
        self._decide(await self._access.directory.authenticate(claim, self.peer_ip))

    async def _find(self, username: str) -> None:
        self._decide(await self._access.directory.principal_of(username, self.peer_ip))

    # -- its end

    def _decide(self, found: Principal | Refused) -> None:
        until = self._access.guard.blocked_until(self._network, self._mark, self._reception.clock.now())
        if until is not None:  # of many guesses at once those count that were answered before the block
            self._turn_away(until)
        elif isinstance(found, Refused):
            self._fail(found)
        else:
            self._let_in(found)

    def _let_in(self, principal: Principal) -> None:
        reception, access = self._reception, self._access
        now = reception.clock.now()
        if access.guard.succeeded(self._network, self._mark, now):
            access.on_success(self._network, self._mark)
        access.directory.note_use(principal, now)
        reception.counters.add("auth_total", "ok")
        self._exchange = None
        if self._lost:
            return
        self._take_principal(principal)
        self._note("auth", login=principal.name, account=principal.account.id)
        self._machine.answer(LOGGED_IN)

    def _fail(self, refused: Refused) -> None:
        """Say no; count a guess, have the others count it, and hold the answer back for a while."""
        reason = refused.reason if self._is_kept else "not_kept"
        self._reception.counters.add("auth_total", reason)
        self._note("auth_failed", reason=reason, login=refused.name)
        self._exchange = None
        if not self._is_guess:
            offered = self._offer()
            says_more = offered.starttls and offered.auth_under_tls
            self._conclude(SAY_STARTTLS if says_more else BAD_LOGIN)
            return
        access, now = self._access, self._reception.clock.now()
        access.guard.failed(self._network, self._mark, now, self._options)
        access.on_failure(self.peer_ip, self._mark, self.listener)
        self._failures += 1
        reply = BAD_LOGIN if self._failures < FAILURES_PER_SESSION else TOO_MANY_FAILURES
        wait_s = access.guard.delay_s(self._network, now, self._options)
        if wait_s:
            asyncio.get_running_loop().call_later(wait_s, self._conclude, reply)
        else:
            self._conclude(reply)

    def _conclude(self, reply: Reply) -> None:
        if reply.code == 421:
            self._ended = str(reply)
        self._answer(reply)

    def _note(self, event: str, **fields: Any) -> None:
        now = self._reception.clock.now()
        log = self._reception.log
        say = log.info if event == "auth" or not self._is_guess else log.warning
        user = shown(self._user) if self._user else ""
        say(event, now, **self._named(), mechanism=self._mechanism, user=user, **fields)

    # -- who the session is from now on

    def _take_principal(self, principal: Principal | None) -> None:
        """Go on as *principal*, with its limits; not in mid transaction."""
        self._principal = principal
        self._origin = None
        limits = self._settings.limits
        self._machine.set_options(self._offer(), limits_for(limits, principal) if principal else limits)

    def _secured(self, transport: Any) -> None:
        self._principal = self._origin = None  # what was said in clear text is forgotten (RFC 3207 §4.2)
        super()._secured(transport)

    def on_xclient(self, attributes: dict[str, str]) -> Reply | None:
        """See ServerHandler. From here on the session is somebody else's, and may do what that one may: the rights of
        the proxy, that of saying XCLIENT again among them, go with its address or with the client's login.
        """
        login = _known(attributes.get("LOGIN"), "")
        self._said_helo = _known(attributes.get("HELO"), self._said_helo)
        self._said_protocol = _known(attributes.get("PROTO"), self._said_protocol)
        self._principal = self._origin = None
        self._failures = 0
        if "ADDR" in attributes or login:
            self._is_spoken_for = True  # a certificate is the proxy's, not this client's
        self._began_anew_at = self._reception.clock.now()
        self.introduce(self._named_peer(attributes, login))
        no = self.one_too_many()
        if no is not None:
            self._reception.counters.add("sessions_refused_total", "too_many")
            return no
        if not login or self._reception.access is None:
            return XCLIENT_OK
        self._mechanism, self._user, self._is_guess = "XCLIENT", login, True
        self._reception.tasks.start(self._asked(partial(self._believe, login)))
        return None

    def _named_peer(self, attributes: dict[str, str], login: str) -> tuple[str, int]:
        """Return whose session it is now. A login without an address is nobody's whom the proxy's could stand for."""
        ip, port = self.peer_ip, self._peer.rpartition(":")[2]
        if "ADDR" in attributes or login:
            ip, port = attributes.get("ADDR", UNKNOWN_PEER), "0"
            ip = UNKNOWN_PEER if ip in _UNKNOWN else ip
        port = attributes.get("PORT", port)
        return ip, int(port) if port.isdigit() else 0

    async def _believe(self, login: str) -> None:
        found = await self._access.directory.principal_of(login, self.peer_ip)
        if self._lost:
            return
        if isinstance(found, Refused):
            self._note("auth_failed", reason=found.reason, login=found.name)
        else:
            self._take_principal(found)
            self._note("auth", login=found.name, account=found.account.id)
        self._answer(XCLIENT_OK)


def _known(value: str | None, before: str) -> str:
    """Return what XCLIENT says; not said: *before*; not known to the peer: empty."""
    if value is None:
        return before
    return "" if value in _UNKNOWN else value
