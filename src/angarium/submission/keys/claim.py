"""What a key is known by, and what may be found when it is claimed. Pure."""

import hashlib
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from angarium.core.records import KeyedAnswer
from angarium.core.submission import Problem, Reason
from angarium.identity.principal import Principal

LONGEST: Final = 255
LIFETIME_S: Final = 86_400.0
"""How long an answer is given again, from the time on at which the mail was to leave."""
_KEY: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")


class KeyClaim(NamedTuple):
    """A request with a key: a hash of the key and of whose it is, and one of what is asked."""

    key: bytes
    digest: bytes


Found = KeyedAnswer | Problem | None
"""What a claim finds: the answer that was given, why none can be given now, or that the key is its own."""


def key_problem(text: str) -> Problem | None:
    """Return what is wrong with the text of a key, or None."""
    if len(text) <= LONGEST and _KEY.fullmatch(text):
        return None
    return Problem(Reason.KEY_SYNTAX, limit=LONGEST)


def claim_of(principal: Principal, text: str, asked: Iterable[bytes]) -> KeyClaim:
    """Return the claim of *principal* for what is *asked*, whose pieces are not told from one another by their ends."""
    server = principal.server.id if principal.server is not None else 0
    key = hashlib.sha256(f"{principal.account.id} {server} {text}".encode())
    digest = hashlib.sha256()
    for piece in asked:
        digest.update(piece)
    return KeyClaim(key.digest(), digest.digest())


def until_of(now: float, due: Iterable[float | None]) -> float:
    """Return up to when an answer counts. *due* is when the messages are to leave, None for now."""
    return max((at for at in due if at is not None and at > now), default=now) + LIFETIME_S
