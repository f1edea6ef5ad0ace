"""Messages on offer: made into items for the journal, or refused."""

import asyncio
from collections.abc import Sequence

from angarium.core.records import Content, KeyedAnswer, Message
from angarium.spool import groups
from angarium.spool.admission import Admission
from angarium.spool.callbacks import Callbacks
from angarium.spool.codec import ACCEPT, ANSWER, CONTENT, LARGE, SETTLED, encode
from angarium.spool.contents import Contents
from angarium.spool.engine import LargeBodies
from angarium.spool.journal import Item, Journal
from angarium.spool.port import Body, ContentGone, LargeBody, SharedBody, SpoolError, Then
from angarium.spool.settings import SpoolSettings

SEGMENT_MARGIN = 4096


class Offers:
    """Takes messages for the journal. *closed* is what they are refused with before the start and after the end.

    Messages that were made here (origin `internal`) are kept like events: no sender waits who could be refused, so they
    are written again after a failed write, and may use the spare segment.
    """

    def __init__(
        self,
        journal: Journal,
        contents: Contents,
        admission: Admission,
        large: LargeBodies,
        callbacks: Callbacks,
        settings: SpoolSettings,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.closed: SpoolError | None = SpoolError("the spool has not been recovered yet")
        self._journal = journal
        self._contents = contents
        self._admission = admission
        self._large = large
        self._callbacks = callbacks
        self._most_bytes = settings.segment_bytes - SEGMENT_MARGIN
        self._loop = loop

    def refusal(self) -> SpoolError | None:
        """Return what a client's message would meet now, None for a welcome."""
        return self.closed or self._admission.refusal()

    def accept(self, message: Message, body: Body, then: Then, settled: bool) -> None:
        """See `Spool.accept`."""
        item = _message_item(message, body, then, settled)
        error = self._may_accept(item.size, item.refusable)
        if error is None and message.content:
            error = self._name_contents((message,), ())
        if error is not None:
            self._loop.call_soon(self._refuse, item, error)
            return
        self._journal.append(item)

    def accept_all(
        self,
        messages: Sequence[tuple[Message, Body]],
        then: Then,
        contents: Sequence[SharedBody],
        answer: KeyedAnswer | None,
        settled: bool,
    ) -> None:
        """See `Spool.accept_all`. When one of them was made here, all are kept as it is."""
        items = [_message_item(message, body, None, settled) for message, body in messages]
        begun = [self._begun(content, messages) for content in contents]
        items = [*begun, *items]
        if answer is not None:
            items.append(Item(ANSWER, encode(answer), b"", answer, None, sync=True, refusable=True))
        items[-1].then = then
        refusable = all(item.refusable for item in items)
        error = self._may_accept(sum(item.size for item in items), refusable)
        if error is None:
            error = self._name_contents([message for message, _ in messages], begun)
        if error is not None:
            self._loop.call_soon(self._refuse_all, items, error)
            return
        for item, mark in zip(items, groups.marks(len(items)), strict=True):
            item.flags |= mark
            item.refusable = refusable
        self._journal.append_group(items)

    def _begun(self, content: SharedBody, messages: Sequence[tuple[Message, Body]]) -> Item:
        if not any(message.content == content.content.id for message, _ in messages):
            raise ValueError("a content that no message names would never go")
        if content.content.id in self._contents:
            raise ValueError("a content that is given must be new: another lives under its id")
        return _content_item(content)

    def _may_accept(self, size: int, refusable: bool) -> SpoolError | None:
        if self.closed is not None:
            return self.closed
        if size > self._most_bytes:
            return SpoolError(f"a message of {size} bytes does not fit in a journal segment")
        return self._admission.refusal() if refusable else None

    def _name_contents(self, messages: Sequence[Message], begun: Sequence[Item]) -> SpoolError | None:
        """Count the messages that name a content, so that it stays: one of *begun*, or one that is here. Counts none
        where one of them names another.
        """
        named = [message.content for message in messages if message.content]
        new = {item.subject.id: item for item in begun if isinstance(item.subject, Content)}
        for content_id in set(named) - new.keys():
            if not self._contents.is_here(content_id):
                return ContentGone(f"content {content_id.hex()} is not in the spool, or not any more")
        for content_id, item in new.items():
            self._contents.begin(content_id, item.meta, item.flags)
        for content_id in named:
            self._contents.name(content_id)
        return None

    def not_kept(self, item: Item, error: SpoolError) -> None:
        """The journal could not keep a message that was taken for it."""
        if isinstance(item.subject, Message):
            kept = self._contents.get(item.subject.content)
            if kept is not None:
                self._contents.unname(kept)
        self._refuse(item, error)

    def _refuse_all(self, items: list[Item], error: SpoolError) -> None:
        for item in items:
            self._refuse(item, error)

    def _refuse(self, item: Item, error: SpoolError) -> None:
        if item.flags & LARGE and isinstance(item.subject, Message | Content):
            self._large.remove(item.subject.id)
        self._callbacks.call(item.then, error)


def _message_item(message: Message, body: Body, then: Then | None, settled: bool) -> Item:
    flags = SETTLED if settled else 0
    if isinstance(body, LargeBody):
        if message.content:
            raise ValueError("what a message has of its own beside a content is no large body")
        flags |= LARGE
        body = b""
    refusable = message.origin.listener != "internal"
    return Item(ACCEPT, encode(message), body, message, then, flags=flags, sync=True, refusable=refusable)


def _content_item(content: SharedBody) -> Item:
    flags, body = (LARGE, b"") if isinstance(content.body, LargeBody) else (0, content.body)
    return Item(CONTENT, encode(content.content), body, content.content, None, flags=flags, refusable=True)
