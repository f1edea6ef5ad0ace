"""Where a message's body is: in memory under a budget, in the log, in the settled store, or a large body's file."""

import asyncio

from angarium.core.ids import MessageId
from angarium.core.records import Message
from angarium.spool.contents import Contents, KeptContent
from angarium.spool.engine import SpoolEngine
from angarium.spool.port import Body, SpoolError
from angarium.spool.residents import Live, Residents
from angarium.spool.settlement.settler import Settler

BODY_TRIES = 5
READ_BYTES = 16 << 20
"""So much of what was read is remembered."""


class ResidentBodies:
    """Bodies of messages on their way, and contents, so that most are never read back. The oldest go when the budget
    is spent.
    """

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self.size_bytes = 0
        self._bodies: dict[bytes, bytes] = {}

    def add(self, message_id: bytes, body: bytes) -> None:
        """Keep *body*."""
        self._bodies[message_id] = body
        self.size_bytes += len(body)
        while self.size_bytes > self.budget_bytes:
            self.drop(next(iter(self._bodies)))

    def get(self, message_id: bytes) -> bytes | None:
        """Return the body if it is here."""
        return self._bodies.get(message_id)

    def drop(self, message_id: bytes) -> None:
        """Forget the body, if it is here."""
        body = self._bodies.pop(message_id, None)
        if body is not None:
            self.size_bytes -= len(body)


class BodyPlaces:
    """Finds bodies, of *residents* and of settled messages, their own and *contents*.

    What many recipients ask for one after the other, a content or the data of a slice, is remembered for a while after
    it was read: apart from bodies on their way, which a mailing must not push out.
    """

    def __init__(
        self,
        resident: ResidentBodies,
        engine: SpoolEngine,
        residents: Residents,
        contents: Contents,
    ) -> None:
        self._resident = resident
        self._contents = contents
        self._log = engine.log
        self._large = engine.large
        self._threads = engine.threads
        self._residents = residents
        self._unreadable: dict[bytes, int] = {}
        self._read = ResidentBodies(READ_BYTES)

    def now(self, message: Message) -> bytes | None:
        """See `Spool.body_now`."""
        body = self._resident.get(message.content or message.id)
        return self._read.get(message.content) if body is None and message.content else body

    def data_now(self, message: Message) -> bytes | None:
        """See `Spool.data_now`."""
        return self._read.get(message.id)

    def was_read(self, id: bytes, body: Body) -> None:
        """Remember what other recipients will ask for."""
        if isinstance(body, bytes) and self._read.get(id) is None:
            self._read.add(id, body)

    def forget(self, id: bytes) -> None:
        """Nobody will ask for a content any more."""
        self._read.drop(id)

    async def load_data(self, message: Message, settler: Settler) -> bytes:
        """See `Spool.load_data`."""
        data = self.data_now(message)
        if data is None:
            found = await self.load_own(message.id, settler)
            assert isinstance(found, bytes)
            self.was_read(message.id, found)
            data = found
        return data

    async def load(self, message: Message, settler: Settler) -> Body:
        """See `Spool.load_body`."""
        resident = self.now(message)
        if resident is not None:
            return resident
        if message.content:
            body = await self._load_content(message.content, settler)
            self.was_read(message.content, body)
            return body
        return await self.load_own(message.id, settler)

    async def _load_content(self, content_id: bytes, settler: Settler) -> Body:
        kept = self._contents.get(content_id)
        if kept is None or not kept.is_in_journal or not kept.is_large:
            if kept is not None and kept.is_in_journal:
                loop = asyncio.get_running_loop()
                try:
                    return await loop.run_in_executor(self._threads, kept.read_body, self._log)
                except SpoolError:
                    if not kept.stored:
                        raise
            known, body = await settler.ask(lambda store: store.content(content_id))
            if body is not None:
                return body
            if not known:
                raise SpoolError(f"content {content_id.hex()} is not in the spool any more")
        return self._large.load(MessageId(content_id))

    async def load_own(self, message_id: MessageId, settler: Settler) -> Body:
        """Return what is a message's own, body or data, from where it lies. Raises SpoolError."""
        live = self._residents.get(message_id)
        if live is not None and not live.is_large:
            loop = asyncio.get_running_loop()
            try:
                return await loop.run_in_executor(self._threads, live.read_body, self._log)
            except SpoolError:
                if message_id in self._residents and not live.stored:
                    raise
        if live is None:
            known, body = await settler.ask(lambda store: store.body(message_id))
            if body is not None:
                return body
            if not known:
                raise SpoolError(f"the body of message {message_id.hex()} is not in the spool any more")
        return self._large.load(message_id)

    def read_to_settle(self, kept: Live | KeptContent) -> bytes | None:
        """Return the body of a message or content that settles, None for one in a separate file. In the settler's
        thread.

        Raises SpoolError: then ask again later.
        """
        if kept.is_large:
            return None
        has_data = isinstance(kept, Live) and kept.message.content
        body = None if has_data else self._resident.get(kept.id)
        if body is not None:
            return body
        try:
            return kept.read_body(self._log)
        except SpoolError:
            # tried again with the whole transaction, since a disk may recover; in the end the message settles
            # without its body, which `load` will report, rather than hold up all others
            tries = self._unreadable[kept.id] = self._unreadable.get(kept.id, 0) + 1
            if tries < BODY_TRIES:
                raise
            return None
