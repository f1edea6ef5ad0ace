"""Encryption of outgoing connections: which way a connection is tried, and what is learnt from how it went.

    way = await tls.way(policy, address, now)       clear text, or a context to make the handshake with
    tls.failed(policy, address, way, error, now)    whether another way is to be tried at once
    tls.in_vain(policy, address)                    the other way led to nothing either

What was learnt of an address is remembered for a while, so that not every connection pays for it again.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from angarium.core.address import Address
from angarium.core.lessons import Lessons
from angarium.core.log import Log
from angarium.tls.client.context import ClientContext, TlsSetupError, make_context, stamps_of
from angarium.tls.client.policy import TlsPolicy

CLEAR_FOR_S: Final = 600.0
"""After a handshake that failed, an address gets its mail in clear text for so long, where the policy allows it."""
UNPROVED_FOR_S: Final = 3600.0
"""With `TLS_Verify = optional`, a certificate that proved nothing is not checked again for so long."""
LOOK_AGAIN_S: Final = 60.0
"""Files are looked at this often; what was wrong with them is believed as long."""
_MOST_CONTEXTS = 256


class Way(NamedTuple):
    """How a connection is to be tried.

    *context* is None where *use* is "no". *verified*: the handshake fails unless the peer's issuer is known.
    *problem* says why it is not done as the policy would like best, empty if it is.
    """

    use: Literal["no", "ifavailable", "required"]
    context: ClientContext | None = None
    verified: bool = False
    problem: str = ""


CLEAR = Way("no")


_Where = tuple[TlsPolicy, str, int]


@dataclass(slots=True)
class _Entry:
    """A context, or what was wrong, and the files it was made from."""

    made: ClientContext | TlsSetupError
    stamps: tuple[object, ...]
    looked_at: float


class TlsClient:
    """One worker's contexts, sessions and lessons. *make* makes a context, in a thread."""

    def __init__(self, log: Log, make: Callable[..., ClientContext] = make_context) -> None:
        self._log = log
        self._make = make
        self._entries: dict[tuple[TlsPolicy, bool], _Entry] = {}
        self._clear: Lessons[_Where, str] = Lessons()
        self._unproved: Lessons[_Where, str] = Lessons()
        self._renewing = asyncio.Lock()

    async def way(self, policy: TlsPolicy, address: Address, now: float) -> Way:
        """Return how to try *address*. Raises TlsSetupError when files or values of ours will not do."""
        if policy.use == "no":
            return CLEAR
        where = (policy, address.ip, address.port)
        problem = self._clear.get(where, now)
        if problem is not None:
            return Way("no", problem=problem)
        problem = self._unproved.get(where, now)
        verified = policy.verify != "no" and problem is None
        context = await self._context(policy, verified, now)
        return Way(policy.use, context, verified, problem or "")

    def failed(
        self, policy: TlsPolicy, address: Address, way: Way, problem: str, now: float, *, unproved: bool
    ) -> bool:
        """Learn from a handshake that came to nothing; returns whether to try again at once, in another way.

        *unproved*: it was the peer's certificate that would not do.
        """
        where = (policy, address.ip, address.port)
        if unproved and policy.verify == "optional" and way.verified:
            self._unproved.learn(where, problem, now + UNPROVED_FOR_S, now)
            return True
        if policy.falls_back and way.context is not None:
            self._clear.learn(where, problem, now + CLEAR_FOR_S, now)
            return True
        return False

    def in_vain(self, policy: TlsPolicy, address: Address) -> None:
        """Clear text has come to nothing as well: encryption is tried again next time."""
        self._clear.forget((policy, address.ip, address.port))

    async def _context(self, policy: TlsPolicy, verified: bool, now: float) -> ClientContext:
        key = (policy, verified)
        entry = self._entries.get(key)
        if entry is None or _is_due(entry, now):
            async with self._renewing:
                entry = self._entries.get(key)
                if entry is None or _is_due(entry, now):
                    entry = await self._look(key, entry, now)
        if isinstance(entry.made, TlsSetupError):
            raise entry.made
        return entry.made

    async def _look(self, key: tuple[TlsPolicy, bool], old: _Entry | None, now: float) -> _Entry:
        entry = await asyncio.to_thread(self._renew, key, old, now)
        if len(self._entries) >= _MOST_CONTEXTS:
            self._entries.clear()  # of former configurations, most of them
        self._entries[key] = entry
        error = entry.made
        if isinstance(error, TlsSetupError) and (old is None or old.made is not error):
            self._log.error("tls", now, option=error.option, path=str(error.path or ""), error=str(error))
        return entry

    def _renew(self, key: tuple[TlsPolicy, bool], old: _Entry | None, now: float) -> _Entry:
        """Return *old*, looked at again, unless its files have changed or it was none."""
        policy, verified = key
        stamps = stamps_of(policy)
        if old is not None and old.stamps == stamps and not _is_outdated(old, now):
            return _Entry(old.made, stamps, now)
        try:
            return _Entry(self._make(policy, verified=verified, now=now), stamps, now)
        except TlsSetupError as error:
            return _Entry(error, stamps, now)


def _is_due(entry: _Entry, now: float) -> bool:
    return now >= entry.looked_at + LOOK_AGAIN_S or _is_outdated(entry, now)


def _is_outdated(entry: _Entry, now: float) -> bool:
    return isinstance(entry.made, ClientContext) and now >= entry.made.expires_at
