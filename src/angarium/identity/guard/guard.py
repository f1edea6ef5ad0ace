"""Who fails to log in too often: a growing delay, then a block of the address. Pure: the time is an argument.

Failures are counted twice, of the network that they come from (`core.peers.network_of`) and of the name they were tried
with. A network with too many is not heard for a while; a name with too many is heard more slowly, from wherever, so
that nobody can lock somebody else out by guessing at his password. This machine itself is never blocked: all programs
here, and all clients of a proxy that does not say who they are, would be.

Exempt from both is who logged in from that network lately with the very same name and secret. So a wrong key in an
office stops neither the right ones there nor their owner elsewhere, and guessing goes on being slow for everybody else.

What is kept is bounded, and the least recently seen is forgotten first. Names are kept as fingerprints, since people
type secrets into the wrong field.
"""

import hashlib
import hmac
import re
from typing import NamedTuple

from angarium.config.records import InboundOptions
from angarium.core.bounded import Bounded
from angarium.core.peers import is_own
from angarium.dialects.sparkpost.names import SMTP_INJECTION
from angarium.identity.guard.trust import Trust

LONGEST_DELAY_S = 30.0
LONGEST_WAIT_S = 8.0
"""How long a login as a name that is guessed at waits at most before it is looked at: less than programs do."""

_INJECTION = SMTP_INJECTION.casefold()
_FINGERPRINT_CHARS = 17
_MARK = re.compile(r"#[0-9a-f]{16}(\.[0-9a-f]{4})?")
_TAG_CHARS = 4


def fingerprint(name: str) -> str:
    """Return what *name* is counted under, fit to be told to other workers; that of a mark is what it begins with."""
    if _MARK.fullmatch(name):
        return name[:_FINGERPRINT_CHARS]
    if name[: len(_INJECTION)].casefold() == _INJECTION:  # with whatever account it names behind it
        name = SMTP_INJECTION
    return "#" + hashlib.sha256(name.casefold().encode("utf-8", "surrogatepass")).hexdigest()[:16]


_SHARED = frozenset(map(fingerprint, ("", SMTP_INJECTION)))
"""Names of nobody in particular: whoever fails under one must not slow everybody down who has it."""


class _Failures(NamedTuple):
    """Failures in a row, forgotten once *until* has passed."""

    times: int
    until: float
    blocked: bool = False


class Guard:
    """The failures of one worker, and those it is told of by others. *key* is what all workers of a node have."""

    def __init__(self, key: bytes = b"", limit: int = 50_000) -> None:
        self._key = key
        self._networks: Bounded[str, _Failures] = Bounded(limit)
        self._names: Bounded[str, _Failures] = Bounded(limit)
        self.trust = Trust(limit)

    def mark(self, name: str, secret: str | None = None) -> str:
        """Return what a login is trusted under, fit to be told and kept: the fingerprint of its name, and so little of
        a digest of its secret that no secret can be found by it; None: the secret stayed with the client.
        """
        who = fingerprint(name)
        if secret is None:
            return who
        tag = hmac.digest(self._key, f"{who}.{secret}".encode("utf-8", "surrogatepass"), "sha256")
        return f"{who}.{tag.hex()[:_TAG_CHARS]}"

    def failed(self, network: str, mark: str, now: float, options: InboundOptions) -> None:
        """Count a failed login; the same name and secret are not trusted there any more.

        One that was heard in spite of a block makes the block no longer. Not for what guesses at nothing: see
        `identity.forms.may_guess`.
        """
        who = fingerprint(mark)
        if mark != who:
            self.trust.forget(network, mark)
        if not is_own(network) and self._block(network, now) is None:
            _count(self._networks, network, now, options)
        if who not in _SHARED:
            _count(self._names, who, now, options)

    def succeeded(self, network: str, mark: str, now: float) -> bool:
        """Note a login: the failures of its name are forgotten, those of its network are not, since others may be
        behind it. To be called only where `blocked_until` did not forbid to try.

        Returns whether other workers should know, and the store: that is so once a day.
        """
        self._names.pop(fingerprint(mark))
        return self.trust.note(network, mark, now)

    def delay_s(self, network: str, now: float, options: InboundOptions) -> float:
        """Return how long the answer to a failed login is held back: doubled with each that was counted. What guesses
        at nothing is answered at once: programs go on from there to what does work.
        """
        found = self._networks.get(network)
        times = found.times if found is not None and found.until > now else 1
        return min(options.auth_failure_delay * 2.0 ** min(times - 1, 16), LONGEST_DELAY_S)

    def wait_s(self, network: str, mark: str, now: float, options: InboundOptions) -> float:
        """Return how long a login waits before it is looked at: its name has failed too often, if not its secret."""
        found = self._names.get(fingerprint(mark))
        if found is None or found.until <= now or not found.blocked or self.trust.holds(network, mark, now):
            return 0.0
        further = found.times - options.auth_failures_to_block
        return min(options.auth_failure_delay * 2.0 ** min(max(further, 0), 16), LONGEST_WAIT_S)

    def blocked_until(self, network: str, mark: str, now: float) -> float | None:
        """Return until when a login from *network* is not even looked at (nor counted), or None."""
        until = self._block(network, now)
        return None if until is None or self.trust.holds(network, mark, now) else until

    def _block(self, network: str, now: float) -> float | None:
        found = self._networks.get(network)
        return found.until if found is not None and found.blocked and found.until > now else None


def _count(kept: Bounded[str, _Failures], key: str, now: float, options: InboundOptions) -> None:
    before = kept.get(key)
    count = before.times + 1 if before is not None and before.until > now else 1
    blocked = 0 < options.auth_failures_to_block <= count
    kept.put(key, _Failures(count, now + options.auth_block_time, blocked))
