"""Entry of the recorder process: `python -m angarium.node.recorder.process LINK_FD`.

The journals are read in a thread; the event loop beside it listens to the supervisor, tells it how things are, and
serves by HTTP what reads or manages, with a thread for each question. It ends when it is told to stop and has read
everything, or when the supervisor is gone: then at once, since the next one reads on from where it was.
"""

import asyncio
import gc
import os
import pickle
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from angarium.config.model import Config
from angarium.core.clock import SystemClock
from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId
from angarium.core.operations import Changed, MessageHistory
from angarium.core.records import Fact, Message
from angarium.core.tasks import Tasks
from angarium.engine.to_us import ReadMail
from angarium.events.bodies.store import BodyStore
from angarium.events.erasing import Eraser, Erasure, ErasureFolder
from angarium.events.news import StoredNews
from angarium.events.place import erasures_folder, open_event_store, texts_folder
from angarium.events.port import EventStore, Told
from angarium.events.rollups.store import FILE_NAME as SUMS_NAME
from angarium.feedback.matching import facts_of
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import key_file
from angarium.identity.store.store import IdentityStore
from angarium.identity.store.webhooks import WebhooksStanding
from angarium.node import domain_watch
from angarium.node.http.recorder import RecorderHttp
from angarium.node.link import Link
from angarium.node.logs import hear_libraries, make_log
from angarium.node.management import Management
from angarium.node.recorder.acting import Acting
from angarium.node.recorder.causes import CauseWriter
from angarium.node.recorder.counting import SumsKeeper, TakenCounts
from angarium.node.recorder.deliveries import Deliveries
from angarium.node.recorder.desk import FeedbackDesk, Reader
from angarium.node.recorder.judge import reason_of
from angarium.node.recorder.lookers import Lookers
from angarium.node.recorder.mailings import StoredMailings
from angarium.node.recorder.recorder import JournalRecorder, ReadingStatus
from angarium.node.recorder.retention import EventKeeper
from angarium.node.recorder.status import RecorderStatus
from angarium.node.recorder.texts import TextKeeper
from angarium.render.return_path import PURPOSE, SignedReturnPaths
from angarium.sql.errors import StoreError
from angarium.suppressions.index.builder import LOOK_S

_TELL_S = 1.0
_FORGET_S = 3600.0
_QUESTIONS = 16
"""So many are answered at a time; others wait."""
_NICE = 10
"""Where the workers need all there is, it gets a tenth of a core, and lags: mail goes first."""


class RecorderProcess:
    """Does as its supervisor says."""

    def __init__(self) -> None:
        self._link = Link(self._handle, lambda op, args: False, self._supervisor_lost)
        self._ended = asyncio.Event()
        self._stopping = threading.Event()
        self._clock = SystemClock()
        self._config: Config
        self._recorder: JournalRecorder | None = None
        self._thread: threading.Thread | None = None
        self._acting: Acting | None = None
        self._counts = TakenCounts()
        self._texts: TextKeeper
        self._retention: EventKeeper
        self._http: RecorderHttp | None = None
        self._webhooks = WebhooksStanding(0, 0)
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(_QUESTIONS, "question"))

    async def run(self, link: socket.socket) -> None:
        """Serve until all is read after `stop`."""
        await self._loop.connect_accepted_socket(lambda: self._link, link)
        telling = self._loop.create_task(self._tell())
        await self._ended.wait()
        telling.cancel()

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(_TELL_S)
            if self._recorder is not None and self._acting is not None:
                status = self._status(self._recorder.status, self._acting)
                self._link.tell("recorder", **msgspec.structs.asdict(status))

    def _status(self, reading: ReadingStatus, acting: Acting) -> RecorderStatus:
        return RecorderStatus(
            lag_s=reading.lag_s,
            taken=reading.taken,
            error=reading.error,
            held=acting.held,
            unsuppressed=acting.problem,
            types=dict(self._counts.types),
            bounces=dict(self._counts.bounces),
            text_bytes=self._texts.size_bytes,
            texts_left_out=self._texts.left_out,
            event_bytes=self._retention.size_bytes,
            event_day_dropped=self._retention.dropped,
            events_too_late=self._retention.too_late,
            webhooks=self._webhooks.there,
            webhooks_off=self._webhooks.failed,
        )

    async def _handle(self, op: str, args: dict[str, Any]) -> Any:
        if op == "start":
            self._config = pickle.loads(args["config"])
            await self._start(Path(args["data"]), Path(args["spool"]))
        elif op == "config":
            self._config = pickle.loads(args["config"])
            self._log.level = self._config.globals.log_level
        elif op == "stop":
            self._stopping.set()
            if self._http is not None:
                await self._http.stop()
        else:
            raise AngariumError(f"the recorder does not know {op!r}")

    async def _start(self, data: Path, spool: Path) -> None:
        self._log = make_log(self._config)
        hear_libraries(self._log, self._clock)
        store = open_event_store(self._config, data, reason_of)
        news = StoredNews()
        management = Management(
            lambda: self._config, data, store, news, self._ask, self._cancel, self._clock, self._log
        )
        desk = FeedbackDesk(self._reader(data, store), self._end_mail, self._clock)
        texts = BodyStore(texts_folder(data))
        self._texts = TextKeeper(
            texts,
            lambda: self._config.globals.kept_texts_max_size,
            self._clock,
            self._log,
            self._soon,
        )
        self._retention = EventKeeper(
            store,
            lambda: self._config.globals.event_retention,
            lambda: self._config.globals.event_store_max_size,
            self._clock,
            self._log,
            self._soon,
            lambda: self._config.globals.address_retention,
        )
        recorder = JournalRecorder(
            spool,
            store,
            self._clock,
            lambda: self._soon(news.tell),
            desk,
            self._texts,
            self._retention,
            Eraser(
                ErasureFolder(erasures_folder(data)), store, texts, partial(_tell_erased, management.store)
            ),
        )
        recorder.judge = Lookers(lambda: self._config.globals.machine_networks).judged
        self._sums = await asyncio.to_thread(
            SumsKeeper, store, data / SUMS_NAME, lambda: recorder.kept, self._clock, self._log
        )
        self._record(recorder, store, management.store)
        self._http = RecorderHttp(data, management.routes())
        try:
            await self._http.start()
        except OSError as error:
            raise AngariumError(f"the recorder's socket cannot be opened: {error.strerror}") from error
        self._tasks = Tasks(self._log, self._clock)
        self._tasks.regularly(domain_watch.LOOK_S, lambda: management.watch_domains(recorder.note))
        self._tasks.regularly(LOOK_S, management.make_suppression_file)
        self._tasks.regularly(_FORGET_S, management.sweep_lists)
        self._tasks.regularly(_FORGET_S, management.forget_old_sessions)
        self._tasks.regularly(_TELL_S, lambda: self._count_webhooks(management.store))
        # What start-up made stays for good, and batches of thousands of records are no garbage while they are stored.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)

    async def _count_webhooks(self, store: IdentityStore) -> None:
        """Look how many webhooks there are: without any, nobody has to tell them."""
        try:
            self._webhooks = await asyncio.to_thread(store.webhooks.standing)
        except StoreError:
            pass  # whoever needs the store says so

    def _reader(self, data: Path, store: EventStore) -> Reader:
        """Return what reads mail to this node. Raises KeyRingError."""
        ring = KeyRing.load_or_create(key_file(self._config, data))
        returns, mailings = (
            SignedReturnPaths(partial(ring.all_derived, PURPOSE)),
            StoredMailings(store, self._clock),
        )

        def read(message: Message, text: bytes) -> list[Fact]:
            ring.refresh()  # a worker may have signed with a key that is new
            return facts_of(message, text, returns, mailings)

        return read

    async def _ask(self, message: MessageId) -> MessageHistory:
        """Ask the workers what they know of a message: see http.manage.waiting.Asking."""
        return msgspec.convert(await self._link.call("message", id=message.hex()), MessageHistory)

    async def _cancel(self, message: MessageId, note: str) -> Changed:
        """Have the workers end what waits of a message: see http.manage.waiting.Cancelling."""
        return msgspec.convert(await self._link.call("cancel", id=message.hex(), note=note), Changed)

    def _end_mail(self, read: list[ReadMail]) -> "Future[list[MessageId]]":
        """Have the workers end mail. Called by the thread that reads."""
        return asyncio.run_coroutine_threadsafe(self._link.call("end_mail", read=read), self._loop)

    def _record(self, recorder: JournalRecorder, store: EventStore, identity: IdentityStore) -> None:
        """Read the journals, in a thread; act upon what they say, and keep its sums, in two others."""
        self._recorder = recorder
        deliveries = Deliveries()
        writer = CauseWriter(
            store,
            identity,
            deliveries,
            lambda: self._config.globals,
            reader=self._config.globals.hostname,
            kept=lambda: recorder.kept,
            now=self._clock.now,
        )
        self._acting = acting = Acting(writer, identity.suppression_notes, self._clock, self._log)

        def taken(told: Sequence[Told]) -> None:
            deliveries.note(told)
            self._counts.note(told)
            acting.wake()

        recorder.on_taken = taken

        def work() -> None:
            try:
                recorder.run(self._stopping.is_set, self._stopping.wait)
                acting.finish()
                self._sums.finish()
                store.close()
            finally:
                self._soon(self._ended.set)

        self._thread = threading.Thread(target=work, name="recorder")
        self._thread.start()
        acting.start()
        self._sums.start()

    def _soon(self, what: Callable[[], object]) -> None:
        """Have *what* called in the event loop."""
        self._loop.call_soon_threadsafe(what)

    def _supervisor_lost(self) -> None:
        os._exit(0)


def _tell_erased(store: IdentityStore, number: int, erasure: Erasure) -> None:
    store.lists.erase(erasure.address, account=erasure.account, actor=erasure.by)
    store.erasures.ended(
        erasure.mark, erasure.account, number, erasure.found, erasure.texts, actor=erasure.by
    )


def main() -> None:
    """Run until told to stop."""
    os.nice(_NICE)
    # Signals are the supervisor's business: Ctrl-C on a terminal reaches all processes of the group.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)

    async def serve() -> None:
        await RecorderProcess().run(socket.socket(fileno=int(sys.argv[1])))

    uvloop.run(serve())


if __name__ == "__main__":
    main()
