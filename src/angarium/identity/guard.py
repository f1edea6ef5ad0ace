"""Who fails to log in too often: a growing delay, then a block for a while. Pure: the time is an argument.

Failures are counted twice, of the peer's address (IPv6: its /64, which is one customer's) and of the name it tried.
An address from which a name logged in lately is exempt for that name: whoever guesses at somebody's password locks
out himself, not the application that has it, and one wrong password in an office does not stop the others there.

What is kept is bounded, and the least recently seen is forgotten first. Names are kept as fingerprints, since people
type secrets into the wrong field. `SMTP_Injection` is the name of all API keys, so that failures under it are counted
of the address only.
"""

import hashlib
import re
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from angarium.config.records import InboundOptions
from angarium.identity.bounded import Bounded
from angarium.identity.records import SMTP_INJECTION

LONGEST_DELAY_S = 30.0
TRUST_S = 7 * 86_400.0
"""How long at least an address stays exempt for a name that logged in from it."""
_RENEWED_S = 86_400.0

_INJECTION = SMTP_INJECTION.casefold()
_FINGERPRINT = re.compile("#[0-9a-f]{16}")


def fingerprint(name: str) -> str:
    """Return what *name* is counted under, fit to be told to other workers; that of a fingerprint is itself."""
    if _FINGERPRINT.fullmatch(name):
        return name
    if name[: len(_INJECTION)].casefold() == _INJECTION:  # with whatever account it names behind it
        name = SMTP_INJECTION
    return "#" + hashlib.sha256(name.casefold().encode("utf-8", "surrogatepass")).hexdigest()[:16]


def network_of(address: str) -> str:
    """Return what *address* is counted under: an IPv4 address itself, an IPv6 address's /64, other text as it is."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if not isinstance(ip, IPv6Address):
        return str(ip)
    return str(ip.ipv4_mapped or f"{IPv6Address(int(ip) >> 64 << 64)}/64")


_SHARED = frozenset(map(fingerprint, ("", SMTP_INJECTION)))
"""Names of nobody in particular: whoever fails under one must not lock everybody out who has it."""


class _Failures(NamedTuple):
    """Failures in a row. They are forgotten once *until* has passed; blocked when *blocked*."""

    times: int
    until: float
    blocked: bool = False


class Guard:
    """The failures of one worker, and those it is told of by others."""

    def __init__(self, limit: int = 50_000) -> None:
        self._addresses: Bounded[str, _Failures] = Bounded(limit)
        self._names: Bounded[str, _Failures] = Bounded(limit)
        self._trusted: Bounded[tuple[str, str], float] = Bounded(limit)

    def failed(self, address: str, name: str, now: float, options: InboundOptions) -> None:
        """Count a failed login. *name* may be a `fingerprint`.

        Not for a challenge put to somebody of whom no secret is kept: nothing can be guessed there, and programs try
        CRAM-MD5 first, then send the password.
        """
        network, who = network_of(address), fingerprint(name)
        self._trusted.pop((network, who))
        _count(self._addresses, network, now, options)
        if who not in _SHARED:
            _count(self._names, who, now, options)

    def succeeded(self, address: str, name: str, now: float) -> bool:
        """Note that *name* (it may be a `fingerprint`) logged in: its failures are forgotten, those of its address are
        not, since others may be behind it. To be called only where `blocked_until` did not forbid to try.

        Returns whether other workers should know: that is so once a day.
        """
        network, who = network_of(address), fingerprint(name)
        self._names.pop(who)
        if (self._trusted.get((network, who)) or 0.0) > now + TRUST_S:
            return False
        self._trusted.put((network, who), now + TRUST_S + _RENEWED_S)
        return True

    def delay_s(self, address: str, name: str, now: float, options: InboundOptions) -> float:
        """Return how long to wait before a failure is answered: doubled with each further one."""
        count = max(
            (found.times for found in self._found(address, name) if found.until > now),
            default=0,
        )
        if not count:
            return 0.0
        return float(min(options.auth_failure_delay * 2 ** min(count - 1, 16), LONGEST_DELAY_S))

    def blocked_until(self, address: str, name: str, now: float) -> float | None:
        """Return until when logins as *name* from *address* are not even looked at (nor counted), or None."""
        if (self._trusted.get((network_of(address), fingerprint(name))) or 0.0) > now:
            return None
        held = [found.until for found in self._found(address, name) if found.blocked and found.until > now]
        return max(held, default=None)

    def _found(self, address: str, name: str) -> list[_Failures]:
        found = (self._addresses.get(network_of(address)), self._names.get(fingerprint(name)))
        return [each for each in found if each is not None]


def _count(kept: Bounded[str, _Failures], key: str, now: float, options: InboundOptions) -> None:
    before = kept.get(key)
    count = before.times + 1 if before is not None and before.until > now else 1
    blocked = 0 < options.auth_failures_to_block <= count
    kept.put(key, _Failures(count, now + options.auth_block_time, blocked))
