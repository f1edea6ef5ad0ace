"""Checking the passwords of people: slow on purpose, so in a thread of its own and for few at a time."""

import contextlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from typing import Final

from angarium.core.bounded import Bounded
from angarium.core.clock import Clock
from angarium.core.peers import is_own, network_of
from angarium.identity.directory.lookup import Found
from angarium.identity.principal import Key
from angarium.identity.secrets import hash_password
from angarium.sql.errors import StoreError
from angarium.sql.threads import StoreThread

REMEMBERED_S: Final = 60.0
"""How long a right password is taken without the slow check. The stored hash has to be the same still."""

_MOST_WAITING = 100
_MOST_OF_PEER = 25


class Passwords:
    """Checks one password at a time, each with exactly one slow verification, also for somebody who does not exist.

    Of one peer (`core.peers.network_of`) a part may wait, so that none keeps all others out by guessing; this machine
    itself may stand for many.

    *verify* is given the stored hash and the password.
    """

    def __init__(self, clock: Clock, verify: Callable[[str, str], bool]) -> None:
        self._clock = clock
        self._verify = verify
        self._worker = StoreThread("password check", _MOST_WAITING)
        self._right: Bounded[Key, tuple[float, str, bytes]] = Bounded(1000)
        self._waiting: dict[str, int] = {}
        self._nobodys: str | None = None

    async def matches(self, found: Found | None, secret: str, digest: bytes, peer_ip: str = "") -> bool:
        """Whether *secret*, whose SHA-256 is *digest*, is the password of *found*. Raises StoreError when too many
        checks are waiting, in all or of that peer.
        """
        if found is not None and self._is_remembered(found, digest):
            return True
        stored = found.password if found is not None else None
        with self._turn_of(network_of(peer_ip)):
            is_right = await self._worker.ask(lambda: self._check(stored, secret), timeout_s=30)
        if is_right and found is not None:
            until = self._clock.now() + REMEMBERED_S
            self._right.put(found.principal.key, (until, found.password, digest))
        return is_right

    async def close(self) -> None:
        """Stop the thread."""
        await self._worker.close()

    @contextlib.contextmanager
    def _turn_of(self, peer: str) -> Iterator[None]:
        waiting = self._waiting.get(peer, 0)
        if waiting >= _MOST_OF_PEER and not is_own(peer):
            raise StoreError(
                f"password check: {waiting} of {peer} are waiting already; try again in a moment"
            )
        self._waiting[peer] = waiting + 1
        try:
            yield
        finally:
            self._waiting[peer] -= 1
            if not self._waiting[peer]:
                del self._waiting[peer]

    def _is_remembered(self, found: Found, digest: bytes) -> bool:
        until, password, right = self._right.get(found.principal.key) or (0.0, "", b"")
        return self._clock.now() < until and password == found.password and hmac.compare_digest(right, digest)

    def _check(self, stored: str | None, secret: str) -> bool:
        if self._nobodys is None:
            self._nobodys = hash_password(secrets.token_hex())
        is_right = self._verify(stored or self._nobodys, secret)
        return is_right and stored is not None
