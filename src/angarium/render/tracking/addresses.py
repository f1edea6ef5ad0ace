"""The addresses that openings, clicks and unsubscriptions come in by: each names one recipient of one message. Pure.

`/t/` and a letter for the kind, then 40 characters (RFC 4648 §5) that hold the message's id, the recipient's number,
that of the link in the document, and a code of 72 bits over all of it and the kind. Of a click the target follows,
encoded byte by byte: it is redirected to without looking anything up, and nothing is redirected to that this node has
not written itself. Behind it stands the name of the link, if the sender has given it one. What is appended as a query,
as some gateways do, is no part of the path and says nothing.

Between `/t/` and the letter there may be a segment of the sender's choice, by which apps know the links that they are
to open; it is not signed and says nothing.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Literal, Protocol
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

from angarium.core.ids import MessageId, made_at

TrackedKind = Literal["open", "initial_open", "click", "unsubscribe", "link_unsubscribe", "resubscribe"]

PURPOSE: Final = b"tracking"
"""What the node's key is used for, see `identity.secrets.KeyRing`."""

PREFIX: Final = "/t/"
_LETTERS: Final[dict[TrackedKind, str]] = {
    "open": "o",
    "initial_open": "i",
    "click": "c",
    "unsubscribe": "u",
    "link_unsubscribe": "l",
    "resubscribe": "r",
}
_KINDS: Final = {letter: kind for kind, letter in _LETTERS.items()}
_WITH_TARGET: Final = ("click", "link_unsubscribe")
_ID_BYTES, _INDEX_BYTES, _LINK_BYTES, _CODE_BYTES = 16, 3, 2, 9
_NAMED_BYTES: Final = _ID_BYTES + _INDEX_BYTES + _LINK_BYTES
_TOKEN: Final = (_NAMED_BYTES + _CODE_BYTES) * 4 // 3
IN_TEXT: Final = 1 << 8 * _LINK_BYTES - 1
"""Added to the number of a link that stands in the plain part."""

MOST_LINKS: Final = IN_TEXT - 1
LONGEST_TARGET: Final = 4096
"""Bytes; a longer link is left as it is, since its address would be longer than servers take."""

_SCHEMES: Final = {b"https://": b"s:", b"http://": b"p:"}
_WRITTEN: Final = {written: scheme for scheme, written in _SCHEMES.items()}
_OTHER: Final = b"x:"

SUBLINK: Final = re.compile(r"[A-Za-z0-9._~-]{1,60}")
"""What may stand between `/t/` and the letter."""
LONGEST_NAME: Final = 63
"""Bytes of a link's name."""

_PATH: Final = re.compile(
    rf"{PREFIX}(?:{SUBLINK.pattern}/)?([a-z])([A-Za-z0-9_-]{{{_TOKEN}}})(?:/([^/]*)(?:/([^/]*))?)?"
)


@dataclass(frozen=True, slots=True)
class Tracked:
    """What an address names: *link* counts the links of the part from 1, with `IN_TEXT` added where that is the plain
    one; 0 where it is about none. *target* is where a click goes, in UTF-8; empty where it goes nowhere. *name* is what
    the sender calls the link, mostly nothing.
    """

    kind: TrackedKind
    message: MessageId
    index: int
    link: int = 0
    target: bytes = b""
    name: bytes = b""

    @property
    def made_at(self) -> float:
        """When the message was accepted, in epoch seconds."""
        return made_at(self.message)


class TrackingAddresses(Protocol):
    """Writes and reads the paths of these addresses; `SignedTrackingAddresses` does."""

    def path(self, tracked: Tracked, sublink: str = "") -> str:
        """Return the path that names *tracked*, the same each time as long as the key is, with *sublink* in it."""
        ...

    def read(self, path: str) -> Tracked | None:
        """Return what the raw *path* of a request names, None for one that this node has not made."""
        ...


class SignedTrackingAddresses:
    """Implements `TrackingAddresses`. *keys* returns the keys in force: the first signs, any is believed."""

    def __init__(self, keys: Callable[[], Sequence[bytes]]) -> None:
        self._keys = keys

    def path(self, tracked: Tracked, sublink: str = "") -> str:
        """See TrackingAddresses."""
        numbers = tracked.index.to_bytes(_INDEX_BYTES, "big") + tracked.link.to_bytes(_LINK_BYTES, "big")
        named = tracked.message + numbers
        token = base64.urlsafe_b64encode(named + _code(self._keys()[0], tracked, named)).decode()
        between = f"{sublink}/" if sublink else ""
        path = f"{PREFIX}{between}{_LETTERS[tracked.kind]}{token}"
        if tracked.kind not in _WITH_TARGET:
            return path
        name = f"/{quote(tracked.name, safe='')}" if tracked.name else ""
        return f"{path}/{_encoded(tracked.target)}{name}"

    def read(self, path: str) -> Tracked | None:
        """See TrackingAddresses."""
        match = _PATH.fullmatch(path)
        if match is None:
            return None
        letter, token, written, name = match.groups()
        kind = _KINDS.get(letter)
        if kind is None or (written is None) is (kind in _WITH_TARGET):
            return None
        target = b"" if written is None else _decoded(written)
        data = _bytes_of(token)
        if data is None or target is None or name == "":
            return None
        named, code = data[:_NAMED_BYTES], data[_NAMED_BYTES:]
        index, link = named[_ID_BYTES:][:_INDEX_BYTES], named[_ID_BYTES + _INDEX_BYTES :]
        tracked = Tracked(
            kind,
            MessageId(named[:_ID_BYTES]),
            int.from_bytes(index, "big"),
            int.from_bytes(link, "big"),
            target,
            unquote_to_bytes(name or ""),
        )
        is_ours = any(hmac.compare_digest(code, _code(key, tracked, named)) for key in self._keys())
        return tracked if is_ours else None


def _bytes_of(token: str) -> bytes | None:
    try:
        return base64.b64decode(token, b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def _encoded(target: bytes) -> str:
    """Write *target* into a path: its scheme as a letter, so that nothing on the way takes `//` for `/`."""
    for scheme, written in _SCHEMES.items():
        if target.startswith(scheme):
            return quote_from_bytes(written + target[len(scheme) :], safe="")
    return quote_from_bytes(_OTHER + target, safe="")


def _decoded(text: str) -> bytes | None:
    data = unquote_to_bytes(text)
    written, rest = data[:2], data[2:]
    if written == _OTHER:
        return rest
    scheme = _WRITTEN.get(written)
    return None if scheme is None else scheme + rest


def _code(key: bytes, tracked: Tracked, named: bytes) -> bytes:
    said = _LETTERS[tracked.kind].encode() + named + tracked.target
    if tracked.name:  # a capital begins no address without a name
        said = b"N%c%b%b" % (len(tracked.name), tracked.name, said)
    return blake2b(said, digest_size=_CODE_BYTES, key=key).digest()  # a third of what HMAC takes
