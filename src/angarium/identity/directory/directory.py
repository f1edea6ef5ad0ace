"""Who may send, as one worker knows it: a cache over the identity store that hears of changes within half a second.

The event loop never waits for the store. Threads do: one listens for changes, so that nothing can hold it up; one
looks up who logs in; one writes last uses; one checks the passwords of people. Every login of one form costs the same
steps whether somebody of that name exists or not.

While the store is silent nobody is let in, and who is in may begin no further message, for a key may have been revoked
in the meantime. That ends by itself when the store answers again.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from typing import Any, Final

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.submission import Problem
from angarium.core.tasks import Tasks
from angarium.identity.directory.changes import Changes, Era, News
from angarium.identity.directory.known import Gone, Known
from angarium.identity.directory.last_use import LastUses, write_uses
from angarium.identity.directory.lookup import Found, Lookup
from angarium.identity.directory.owners import DomainOwners
from angarium.identity.directory.passwords import Passwords
from angarium.identity.directory.proofs import Proofs
from angarium.identity.directory.signing import SigningKeys
from angarium.identity.forms import LoginQuestion, challenge_question_of, question_of
from angarium.identity.principal import (
    UNCHECKED,
    Key,
    Principal,
    Refused,
    Way,
    allows_peer,
    may_send,
    refuses,
    revoked,
)
from angarium.identity.secrets import KeyRing, verify_password
from angarium.render.dkim import Keys
from angarium.smtp.sasl.exchange import Claim, Secrets
from angarium.sql.database import Database
from angarium.sql.errors import StoreError
from angarium.sql.outage import Outage
from angarium.sql.threads import StoreThread

POLL_S: Final = 0.5
STALE_S: Final = 2.0
"""How long the store may be silent when asked before nothing that is known counts any more."""
UNASKED_S: Final = 10.0
"""The same, when it was not asked: this process had no time to."""
FLUSH_S: Final = 5.0

_TRIES = 3


class Directory:
    """Lets senders in, and knows whether they still may send. For one event loop."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        clock: Clock,
        log: Log,
        *,
        cached: int = 50_000,
        verify: Callable[[str, str], bool] = verify_password,
    ) -> None:
        self._database = database
        self._clock = clock
        self._tasks = Tasks(log, clock)
        era = Era()
        self._watch, self._watcher = StoreThread("identity watch"), Lookup(database, era)
        self._asking, self._lookup = StoreThread("identity store"), Lookup(database, era)
        self._writing = StoreThread("identity writes")
        self._changes = Changes()
        self._known = Known(self._changes, cached)
        self._keys = SigningKeys(database, ring, self._asking, self._changes)
        self.owners = DomainOwners(database, self._asking, self._changes)
        self._passwords = Passwords(clock, verify)
        self._proofs = Proofs(ring)
        self._uses = LastUses()
        self._reloading: set[Key] = set()
        self._services: list[asyncio.Task[Any]] = []
        self._polling = asyncio.Lock()
        self._polled = asyncio.Event()
        self._asked_at: float | None = None
        self._answered_at = float("-inf")
        self._silence = Outage("identity store", "identity_outage", log, clock)
        self._unwritten = Outage("writing last uses", "identity_outage", log, clock)

    @property
    def changes(self) -> Changes:
        """Which accounts have changed, for whoever keeps what it has read of them."""
        return self._changes

    async def start(self) -> None:
        """Ask the store for the first time, and go on asking. A store that is silent is waited for, not raised."""
        await self.poll()
        self._services = [
            self._tasks.regularly(POLL_S, self.poll),
            self._tasks.regularly(FLUSH_S, self.flush),
        ]

    async def close(self) -> None:
        """Stop asking, and write what is to be written."""
        for service in self._services:
            service.cancel()
        await asyncio.gather(*self._services, return_exceptions=True)
        await self.flush()
        for thread in (self._watch, self._asking, self._writing):
            await thread.close()
        await self._passwords.close()

    async def poll(self) -> None:
        """Hear what changed. When this returns nothing older than the call is believed any more."""
        async with self._polling:
            started = self._clock.now()
            self._asked_at = self._asked_at if self._asked_at is not None else started
            try:
                await self._take(await self._watch.ask(lambda: self._watcher.news(self._changes.seen)))
            except StoreError as error:
                self._silence.begins(error)
            else:
                self._answered_at, self._asked_at = started, None
                self._silence.ends()
        self._polled.set()
        self._polled = asyncio.Event()

    def silent_s(self) -> float | None:
        """For how many seconds the store has been silent, once that keeps senders out; None: it answers."""
        now = self._clock.now()
        return now - self._silence.since if self._silence.since is not None and self._is_stale(now) else None

    async def next_poll(self) -> None:
        """Wait until the store has been asked for changes once more, whether it answered or not."""
        await self._polled.wait()

    async def authenticate(self, claim: Claim, peer_ip: str, way: Way = "smtp") -> Principal | Refused:
        """Return who *claim* is, if they are let in from *peer_ip* to send that *way*. Raises StoreError when that
        cannot be said.
        """
        login = _login(claim)
        known = self._known.remembered(login) if not self._is_stale(self._clock.now()) else None
        if known is not None:
            return self._admit(known, peer_ip, way)
        question = question_of(claim.username, claim.secret)
        found = await self._find(question)
        if not await self._is_right(question, found, claim.secret, peer_ip):
            return _refused(found)
        assert found is not None
        if question.account not in (None, found.principal.account.id):
            return _refused(found)
        if question.by != "email":  # a password is asked for its hash each time
            self._known.remember(login, found.principal)
        return self._admit(found.principal, peer_ip, way)

    async def secrets_for(self, mechanism: str, username: str) -> Secrets | None:
        """Return what *mechanism* needs to know of *username*; None: nothing, or nobody. For SCRAM somebody who does
        not exist gets a verifier too, which nothing fits. Raises StoreError.
        """
        question = challenge_question_of(username)
        return await self._asking.ask(
            lambda: self._proofs.of(self._lookup.find(question), mechanism, username)
        )

    async def principal_of(self, username: str, peer_ip: str) -> Principal | Refused:
        """Return who *username* is, that has proved to know its secret. Raises StoreError."""
        found = await self._find(challenge_question_of(username))
        return _refused(None) if found is None else self._admit(found.principal, peer_ip)

    def current(self, principal: Principal, peer_ip: str = "") -> Principal | Problem:
        """Return *principal* as it is now, or why it may not send now; UNCHECKED if that is not known at the
        moment. *peer_ip* is checked when the networks it may come from could have changed.
        """
        now = self._clock.now()
        if self._is_stale(now):
            return UNCHECKED
        latest = self._known.now(principal)
        if latest is principal:
            return refuses(principal, now) or principal
        if isinstance(latest, Gone):
            return revoked(principal)
        if latest is None:
            self._reload_soon(principal.key)
            return UNCHECKED
        if peer_ip and not allows_peer(latest, peer_ip):
            return revoked(principal)
        return refuses(latest, now) or latest

    def note_use(self, principal: Principal, now: float) -> None:
        """Note that *principal* was used; it is written some seconds later, and then once a minute at most."""
        self._uses.note(principal.key, now)

    async def signing_keys(self, account: int, domain: str) -> Keys:
        """Return the keys to sign mail of *domain* with, RSA first; account 0: those of whoever has verified it.

        Raises StoreError; then nobody knows whether there are any.
        """
        return await self._keys.get(account, domain)

    def signing_keys_now(self, account: int, domain: str) -> Keys | None:
        """Return the same without asking the store; None: it has to be asked."""
        return self._keys.now(account, domain)

    async def flush(self) -> None:
        """Write the last uses that were noted. What cannot be written is kept for the next time."""
        uses = self._uses.take()
        if not uses:
            return
        try:
            await self._writing.ask(lambda: write_uses(self._database, uses), timeout_s=30)
        except StoreError as error:
            self._uses.give_back(uses)
            self._unwritten.begins(error)
        else:
            self._unwritten.ends()

    async def _take(self, news: News) -> None:
        """Read anew who is known of the accounts that changed, then believe only what is as new as *news*."""
        keys = self._known.touched(news) if news.changed != {} else []
        found: dict[Key, Principal] | None = None
        try:
            found = await self._watch.ask(lambda: self._watcher.reload(keys), timeout_s=30) if keys else {}
        finally:
            self._changes.note(news)
        self._known.replace(keys, found)

    def _is_stale(self, now: float) -> bool:
        """Whether the store was silent for too long. Not having asked it is forgiven for a while: a process that
        was held up hears of mail before it gets to ask.
        """
        silent = now - self._answered_at
        if silent <= STALE_S:
            return False
        in_vain = self._asked_at is not None and now - self._asked_at > POLL_S
        return in_vain or silent > UNASKED_S

    async def _find(self, question: LoginQuestion) -> Found | None:
        for _ in range(_TRIES):
            found = await self._asking.ask(lambda: self._lookup.find(question))
            if found is None or self._known.keep(found.principal):
                return found
        raise StoreError("the identity store changes faster than it can be read; try again in a moment")

    async def _is_right(
        self, question: LoginQuestion, found: Found | None, secret: str, peer_ip: str
    ) -> bool:
        if question.by == "email":
            return await self._passwords.matches(found, secret, question.digest, peer_ip)
        stored = found.digest if found is not None else bytes(32)
        return hmac.compare_digest(stored, question.digest) and found is not None

    def _admit(self, principal: Principal, peer_ip: str, way: Way = "smtp") -> Principal | Refused:
        reason = may_send(principal, self._clock.now(), way)
        if reason is None and not allows_peer(principal, peer_ip):
            reason = "network"
        return principal if reason is None else Refused(reason, principal.name, principal.account.id)

    def _reload_soon(self, key: Key) -> None:
        """Read somebody who was forgotten here, for the next time they are asked for."""
        if key not in self._reloading:
            self._reloading.add(key)
            self._tasks.start(self._reload(key))

    async def _reload(self, key: Key) -> None:
        try:
            found = await self._watch.ask(lambda: self._watcher.reload([key]))
            self._known.replace([key], found)
        except StoreError as error:
            self._silence.begins(error)
        finally:
            self._reloading.discard(key)


def _login(claim: Claim) -> bytes:
    """Return what a right login is remembered by: neither name nor secret can be read from it."""
    text = f"{len(claim.username)}:{claim.username}{claim.secret}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _refused(found: Found | None) -> Refused:
    if found is None:
        return Refused("unknown")
    return Refused("wrong", found.principal.name, found.principal.account.id)
