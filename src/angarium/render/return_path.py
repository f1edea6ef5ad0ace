"""The addresses that mail comes back to: each names one recipient of one message, and is signed. Pure.

A local part is `b-` (bounces) or `u-` (unsubscriptions), and 48 letters and digits: the message's id, the recipient's
number and a code of 88 bits over both, the kind and the domain. It holds no capital letters and is read in any case,
since there are hosts that change it. 50 octets fit wherever 64 do (RFC 5321 §4.5.3.1.1).
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from angarium.core.ids import MessageId, made_at

ReturnKind = Literal["bounce", "unsubscribe"]

PURPOSE: Final = b"return paths"
"""What the node's key is used for, see `identity.secrets.KeyRing`."""

_PREFIXES: Final[dict[ReturnKind, str]] = {"bounce": "b-", "unsubscribe": "u-"}
_KINDS: Final[dict[str, ReturnKind]] = {prefix: kind for kind, prefix in _PREFIXES.items()}
_ID_BYTES, _INDEX_BYTES, _CODE_BYTES = 16, 3, 11
_NAMED_BYTES = _ID_BYTES + _INDEX_BYTES
LOCAL_OCTETS: Final = 2 + (_NAMED_BYTES + _CODE_BYTES) * 8 // 5
"""Of every such local part."""
MOST_INDEX: Final = (1 << 8 * _INDEX_BYTES) - 1


@dataclass(frozen=True, slots=True)
class Returned:
    """What an address of this node names: recipient *index* of *message*."""

    kind: ReturnKind
    message: MessageId
    index: int

    @property
    def made_at(self) -> float:
        """When the message was accepted, in epoch seconds."""
        return made_at(self.message)


class ReturnPaths(Protocol):
    """Writes and reads the addresses of a node; `SignedReturnPaths` does."""

    def address(self, kind: ReturnKind, message: MessageId, index: int, domain: str) -> str:
        """Return the address under *domain* that names a recipient."""
        ...

    def read(self, address: str) -> Returned | None:
        """Return what *address* names, None for one that this node has not made."""
        ...


class SignedReturnPaths:
    """Implements `ReturnPaths`. *keys* returns the keys in force: the first signs, any is believed."""

    def __init__(self, keys: Callable[[], Sequence[bytes]]) -> None:
        self._keys = keys

    def address(self, kind: ReturnKind, message: MessageId, index: int, domain: str) -> str:
        """See ReturnPaths. The same for the same recipient as long as the key is."""
        named = message + index.to_bytes(_INDEX_BYTES, "big")
        code = _code(self._keys()[0], kind, named, domain)
        return f"{_PREFIXES[kind]}{base64.b32encode(named + code).decode().lower()}@{domain}"

    def read(self, address: str) -> Returned | None:
        """See ReturnPaths."""
        local, _, domain = address.rpartition("@")
        if not looks_signed(local):
            return None
        try:
            data = base64.b32decode(local[2:].upper())
        except (binascii.Error, ValueError):
            return None
        kind, named, code = _KINDS[local[:2].lower()], data[:_NAMED_BYTES], data[_NAMED_BYTES:]
        if not any(hmac.compare_digest(code, _code(key, kind, named, domain)) for key in self._keys()):
            return None
        return Returned(kind, MessageId(named[:_ID_BYTES]), int.from_bytes(named[_ID_BYTES:], "big"))


def looks_signed(local: str) -> bool:
    """Whether a local part has the form of these addresses; whether this node has made it is another question."""
    return len(local) == LOCAL_OCTETS and local[:2].lower() in _KINDS


def _code(key: bytes, kind: ReturnKind, named: bytes, domain: str) -> bytes:
    text = _PREFIXES[kind].encode() + named + domain.lower().encode("utf-8", "replace")
    return hmac.digest(key, text, "sha256")[:_CODE_BYTES]
