"""Signing what leaves: DKIM for mail whose author's domain has a verified key.

The private keys are used in separate threads, outside the interpreter lock, so that the loop goes on meanwhile.
What was signed is kept for a while for messages with several recipients, whose transactions all need the same.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Protocol

from angarium.core.clock import Clock
from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId
from angarium.core.records import Message
from angarium.core.reply import Reply
from angarium.delivery.attempt import NeedKeys, NeedSignature
from angarium.delivery.offload import Offload
from angarium.delivery.smtputf8 import read_header
from angarium.mime.header import HeaderBlock
from angarium.render.canonical import relaxed_body_hash, relaxed_pieces_hash
from angarium.render.dkim import Keys, Prepared, prepare
from angarium.spool.port import LargeBody

_SMALL_BODY = 65_536
_PIECE = 262_144
_KEPT = 256
_KEPT_S = 300.0
_THREADS = 2  # no loop hands out more than one thread can sign; a large file then holds up only one of them
_NO_KEY = Reply(451, "4.7.0", "[internal] the signing key cannot be read at the moment")
_NO_TEXT = Reply(451, "4.3.0", "[internal] the message's text cannot be read at the moment")


class KeyFinder(Protocol):
    """Where the verified keys of a domain are; `identity.directory.Directory` is one.

    *account* 0 is mail of a sender who did not log in: the keys are then those of the first to verify the domain.
    """

    def signing_keys_now(self, account: int, domain: str) -> Keys | None:
        """Return the keys if they are known without waiting, else None. An empty tuple: the domain has none."""
        ...

    async def signing_keys(self, account: int, domain: str) -> Keys:
        """Return the keys. Raises an AngariumError when the store cannot be asked."""
        ...


class CannotSign(AngariumError):
    """A message that must not leave unsigned cannot be signed at the moment. *reply* is for its recipients."""

    def __init__(self, reply: Reply, why: str) -> None:
        super().__init__(why)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class _Kept:
    """Signatures of one message, made or being made, and what they were made by."""

    by: tuple[Keys, tuple[str, ...], tuple[str, ...]]
    at: float
    signatures: asyncio.Future[bytes]


class Signer:
    """Signs for one event loop. Without a *finder* nothing is signed."""

    def __init__(self, finder: KeyFinder | None, clock: Clock) -> None:
        self._finder = finder
        self._clock = clock
        self._threads = Offload(_THREADS, "dkim")
        self._kept: OrderedDict[MessageId, _Kept] = OrderedDict()

    def keys(self, need: NeedKeys) -> Keys | Coroutine[Any, Any, Keys]:
        """Return the keys, or what finds them out; both may raise CannotSign."""
        finder, message = self._finder, need.message
        if finder is None:
            return ()
        try:
            keys = finder.signing_keys_now(message.account, message.author_domain)
        except AngariumError as error:
            raise _no_key(message, error) from error
        return self._asked(finder, message) if keys is None else _chosen(message, keys)

    async def _asked(self, finder: KeyFinder, message: Message) -> Keys:
        try:
            keys = await finder.signing_keys(message.account, message.author_domain)
        except AngariumError as error:
            raise _no_key(message, error) from error
        return _chosen(message, keys)

    def sign(self, need: NeedSignature) -> bytes | Coroutine[Any, Any, bytes]:
        """Return the signatures, or what waits for them; both may raise CannotSign.

        Those over a message's own body, the same for all its recipients, are kept for a while.
        """
        signatures = self._kept_or_made(need) if need.is_own else self._make(need)
        is_made = signatures.done() and signatures.exception() is None
        return signatures.result() if is_made else self._made(need.message, signatures)

    async def _made(self, message: Message, signatures: asyncio.Future[bytes]) -> bytes:
        try:
            return await asyncio.shield(signatures)
        except Exception:
            kept = self._kept.get(message.id)
            if kept is not None and kept.signatures is signatures:
                del self._kept[message.id]  # the next attempt begins anew
            raise

    def _kept_or_made(self, need: NeedSignature) -> asyncio.Future[bytes]:
        message, options = need.message, need.options
        if len(message.recipients) == 1:
            return self._make(need)
        by, now = (need.keys, options.dkim_headers, options.dkim_oversign_headers), self._clock.now()
        kept = self._kept.get(message.id)
        if kept is None or kept.by != by or now - kept.at > _KEPT_S:
            kept = _Kept(by, now, self._make(need))
            self._kept[message.id] = kept
            self._kept.move_to_end(message.id)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return kept.signatures

    def _make(self, need: NeedSignature) -> asyncio.Future[bytes]:
        body = need.body
        work = partial(_prepared, need, self._clock.now())
        if not isinstance(body, bytes) or len(body) > _SMALL_BODY:
            return self._threads.start(lambda: work().signed())
        # Python's part of the work is done here: the less often a thread needs the interpreter's lock, the better.
        sign = work().signed
        return self._threads.at_once(sign) if _is_quick(need.keys) else self._threads.start(sign)


def _is_quick(keys: Keys) -> bool:
    """Whether signing a small body costs less than having it done by a thread."""
    return all(key.algorithm == "ed25519" for key in keys)


def _no_key(message: Message, error: AngariumError) -> CannotSign:
    return CannotSign(_NO_KEY, f"the keys of {message.author_domain}: {error}")


def _chosen(message: Message, keys: Keys) -> Keys:
    """Return the key that the sender named, or all when there is none of that name: never unsigned."""
    named = message.options.dkim_key
    return tuple(key for key in keys if key.selector == named) or keys if named else keys


def _prepared(need: NeedSignature, now: float) -> Prepared:
    """Prepare the signatures. Reads the file of a large body; raises CannotSign."""
    body, trace, options = need.body, need.message.trace, need.options
    if isinstance(body, LargeBody):
        try:
            block, body_hash = _hashed_file(body)
        except OSError as error:
            raise CannotSign(_NO_TEXT, str(error)) from error
    else:
        block = HeaderBlock.scan(body)
        body_hash = relaxed_body_hash(body, block.body_at)
    header = HeaderBlock(trace + block.raw, len(trace) + block.size, True)
    return prepare(header, body_hash, need.keys, options.dkim_headers, options.dkim_oversign_headers, now)


def _hashed_file(body: LargeBody) -> tuple[HeaderBlock, bytes]:
    with open(body.path, "rb") as file:
        block, start = read_header(file)
        rest = iter(partial(file.read, _PIECE), b"")
        return block, relaxed_pieces_hash(chain((start[block.body_at :],), rest))
