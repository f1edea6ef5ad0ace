"""Where a message's body is: in memory, in its segment, in the settled store, or in a file of its own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from angarium.core.ids import MessageId
from angarium.spool.bodies import LargeBodies, ResidentBodies
from angarium.spool.files.segment import SegmentLog
from angarium.spool.port import Body, SpoolError
from angarium.spool.recovery import read_body
from angarium.spool.residents import Live
from angarium.spool.settlement.settler import Settler

BODY_TRIES = 5


class BodyPlaces:
    """Finds bodies, of the messages in *live* and of settled ones."""

    def __init__(
        self,
        resident: ResidentBodies,
        log: SegmentLog,
        large: LargeBodies,
        live: dict[MessageId, Live],
        threads: ThreadPoolExecutor,
    ) -> None:
        self._resident = resident
        self._log = log
        self._large = large
        self._live = live
        self._threads = threads
        self._unreadable: dict[MessageId, int] = {}

    async def load(self, message_id: MessageId, settler: Settler) -> Body:
        """See `Spool.load_body`."""
        body = self._resident.get(message_id)
        if body is not None:
            return body
        live = self._live.get(message_id)
        if live is not None and not live.is_large:
            loop = asyncio.get_running_loop()
            try:
                return await loop.run_in_executor(self._threads, read_body, self._log, live)
            except SpoolError:
                if message_id in self._live and not live.stored:
                    raise
        if live is None:
            known, body = await settler.ask(lambda store: store.body(message_id))
            if body is not None:
                return body
            if not known:
                raise SpoolError(f"the body of message {message_id.hex()} is not in the spool any more")
        return self._large.load(message_id)

    def read_to_settle(self, live: Live) -> bytes | None:
        """Return the body of a message that settles, None for one in a file of its own. In the settler's thread.

        Raises SpoolError: then ask again later.
        """
        if live.is_large:
            return None
        body = self._resident.get(live.message.id)
        if body is not None:
            return body
        try:
            return read_body(self._log, live)
        except SpoolError:
            # tried again with the whole transaction, since a disk may recover; in the end the message settles
            # without its body, which `load` will report, rather than hold up all others
            tries = self._unreadable[live.message.id] = self._unreadable.get(live.message.id, 0) + 1
            if tries < BODY_TRIES:
                raise
            return None
