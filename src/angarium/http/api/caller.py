"""Who calls an API: what the node must be able to tell of a key, and how a request shows one."""

from collections.abc import Iterable
from typing import Protocol

from angarium.identity.records import Account


class Caller(Protocol):
    """What the API asks of a principal; `identity.principal.Principal` has it. *name* is for logs."""

    @property
    def id(self) -> int:
        """Id of the key."""
        ...

    @property
    def name(self) -> str:
        """What logs call it, never a secret."""
        ...

    @property
    def account(self) -> Account:
        """The account that it belongs to."""
        ...

    @property
    def grants(self) -> frozenset[str]:
        """What it may do."""
        ...


class Authenticator(Protocol):
    """Tells whose a key is."""

    async def authenticate(self, key: str, peer_ip: str) -> Caller | None:
        """Return whose API key it is, or None when it is unknown, disabled, expired or not for this peer.

        Raises `StoreError` when it cannot be known at the moment.
        """
        ...


def key_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the key that a request shows, `Authorization: Bearer KEY` or, as one dialect has it, the bare key."""
    values = [value for name, value in headers if name.lower() == b"authorization"]
    if len(values) != 1:
        return None
    words = values[0].decode("latin-1").split()
    if len(words) == 2 and words[0].lower() == "bearer":
        return words[1]
    return words[0] if len(words) == 1 else None


def actor_of(caller: Caller) -> str:
    """Return how the audit log names whose key it was: `key:12 "deploy"`."""
    _, quote, label = caller.name.partition(' "')
    return f"key:{caller.id}{quote}{label}"
