"""Signing what leaves: DKIM for mail whose author's domain has a verified key.

The private keys are used in threads of their own, outside the interpreter lock, so that the loop goes on meanwhile.
What was signed is kept for a while for messages with several recipients, whose transactions all need the same.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Protocol

from angarium.config.records import OutboundOptions
from angarium.core.clock import Clock
from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId
from angarium.core.records import Message
from angarium.core.reply import Reply
from angarium.delivery.offload import Offload
from angarium.delivery.smtputf8 import read_header
from angarium.mime.header import HeaderBlock
from angarium.mime.lines import has_long_line
from angarium.render.canonical import relaxed_body_hash, relaxed_pieces_hash
from angarium.render.dkim import Prepared, SigningKey, prepare
from angarium.spool.port import Body, LargeBody

Keys = tuple[SigningKey, ...]

_SMALL_BODY = 65_536
_PIECE = 262_144
_KEPT = 256
_KEPT_S = 300.0
_THREADS = 2  # no loop hands out more than one thread can sign; a large file then holds up only one of them
_NO_KEY = Reply(451, "4.7.0", "[internal] the signing key cannot be read at the moment")
_NO_TEXT = Reply(451, "4.3.0", "[internal] the message's text cannot be read at the moment")


class KeySource(Protocol):
    """Where the verified keys of a domain are; `identity.directory.Directory` is one.

    *account* 0 is mail of nobody who logged in: the keys are then those of whoever had the domain verified first.
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
    """Signs for one event loop. Without a *source* nothing is signed."""

    def __init__(self, source: KeySource | None, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._threads = Offload(_THREADS, "dkim")
        self._kept: OrderedDict[MessageId, _Kept] = OrderedDict()

    def head_now(self, message: Message, body: Body, options: OutboundOptions) -> bytes | None:
        """Return what leaves before *body*: signatures, if there are any, and trace lines.

        None when that takes time: ask `head_for`.
        """
        if self._source is None or not _is_wanted(message, options):
            return message.trace
        try:
            keys = self._source.signing_keys_now(message.account, message.author_domain)
        except AngariumError:
            return None  # asked again, and told, by head_for
        if not keys:
            return None if keys is None else message.trace
        keys = _chosen(message, keys)
        if message.id not in self._kept and not _is_quick(body, keys):
            return None
        if needs_mending(message, body):
            return None
        try:
            signatures = self._signatures(message, body, keys, options)
        except Exception:  # noqa: BLE001 - raised again, and told, by head_for
            return None
        is_made = signatures.done() and signatures.exception() is None
        return signatures.result() + message.trace if is_made else None

    async def head_for(self, message: Message, body: Body, options: OutboundOptions) -> bytes:
        """Return what leaves before *body*, when it is there. Raises CannotSign."""
        keys = await self._keys(message, options)
        if not keys:
            return message.trace
        signatures = self._signatures(message, body, keys, options)
        try:
            return await asyncio.shield(signatures) + message.trace
        except Exception:
            self._kept.pop(message.id, None)  # the next attempt begins anew
            raise

    async def head_of_other(self, message: Message, body: bytes, options: OutboundOptions) -> bytes:
        """Return the same for a *body* that is not the message's own any more: one converted for a peer."""
        keys = await self._keys(message, options)
        if not keys:
            return message.trace
        return await self._sign(message, body, keys, options) + message.trace

    async def signs(self, message: Message, options: OutboundOptions) -> bool:
        """Whether the message leaves with a signature; what is in the way of that is told by `head_for`."""
        try:
            return bool(await self._keys(message, options))
        except CannotSign:
            return False

    async def _keys(self, message: Message, options: OutboundOptions) -> Keys:
        if self._source is None or not _is_wanted(message, options):
            return ()
        try:
            keys = self._source.signing_keys_now(message.account, message.author_domain)
            if keys is None:
                keys = await self._source.signing_keys(message.account, message.author_domain)
        except AngariumError as error:
            raise CannotSign(_NO_KEY, f"the keys of {message.author_domain}: {error}") from error
        return _chosen(message, keys)

    def _signatures(
        self, message: Message, body: Body, keys: Keys, options: OutboundOptions
    ) -> asyncio.Future[bytes]:
        """Return the signatures over the message's own body, for several recipients those that are kept."""
        if len(message.recipients) == 1:
            return self._sign(message, body, keys, options)
        by, now = (keys, options.dkim_headers, options.dkim_oversign_headers), self._clock.now()
        kept = self._kept.get(message.id)
        if kept is None or kept.by != by or now - kept.at > _KEPT_S:
            kept = _Kept(by, now, self._sign(message, body, keys, options))
            self._kept[message.id] = kept
            self._kept.move_to_end(message.id)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return kept.signatures

    def _sign(
        self, message: Message, body: Body, keys: Keys, options: OutboundOptions
    ) -> asyncio.Future[bytes]:
        work = partial(_prepared, message.trace, body, keys, options, self._clock.now())
        if not isinstance(body, bytes) or len(body) > _SMALL_BODY:
            return self._threads.start(lambda: work().signed())
        # Python's part of the work is done here: the less often a thread needs the interpreter's lock, the better.
        sign = work().signed
        return self._threads.at_once(sign) if _is_quick(body, keys) else self._threads.start(sign)


def needs_mending(message: Message, body: Body) -> bool:
    """Whether *body* has lines that are to be encoded anew before it is signed."""
    return message.mends_lines and (not isinstance(body, bytes) or has_long_line(body))


def _is_quick(body: Body, keys: Keys) -> bool:
    """Whether signing costs less than having it done by a thread."""
    is_small = isinstance(body, bytes) and len(body) <= _SMALL_BODY
    return is_small and all(key.algorithm == "ed25519" for key in keys)


def _is_wanted(message: Message, options: OutboundOptions) -> bool:
    return bool(message.author_domain) and options.opendkim_sign and message.options.sign is not False


def _chosen(message: Message, keys: Keys) -> Keys:
    """Return the key that the sender named, or all when there is none of that name: never unsigned."""
    named = message.options.dkim_key
    return tuple(key for key in keys if key.selector == named) or keys if named else keys


def _prepared(trace: bytes, body: Body, keys: Keys, options: OutboundOptions, now: float) -> Prepared:
    """Prepare the signatures over *trace* and *body*. Reads the file of a large body; raises CannotSign."""
    if isinstance(body, LargeBody):
        try:
            block, body_hash = _hashed_file(body)
        except OSError as error:
            raise CannotSign(_NO_TEXT, str(error)) from error
    else:
        block = HeaderBlock.scan(body)
        body_hash = relaxed_body_hash(body, block.body_at)
    header = HeaderBlock(trace + block.raw, len(trace) + block.size, True)
    return prepare(header, body_hash, keys, options.dkim_headers, options.dkim_oversign_headers, now)


def _hashed_file(body: LargeBody) -> tuple[HeaderBlock, bytes]:
    with open(body.path, "rb") as file:
        block, start = read_header(file)
        rest = iter(partial(file.read, _PIECE), b"")
        return block, relaxed_pieces_hash(chain((start[block.body_at :],), rest))
