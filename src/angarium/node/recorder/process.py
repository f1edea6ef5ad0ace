"""Entry of the recorder process: `python -m angarium.node.recorder.process LINK_FD`.

The work is done in a thread; the event loop beside it only listens to the supervisor, and tells it how things are. It
ends when it is told to stop and has read everything, or when the supervisor is gone: then at once, since the next one
reads on from where it was.
"""

import asyncio
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from angarium.core.clock import SystemClock
from angarium.core.errors import AngariumError
from angarium.events.sqlite.store import SqliteEventStore
from angarium.node.link import Link
from angarium.node.recorder.judge import reason_of
from angarium.node.recorder.recorder import JournalRecorder

_TELL_S = 1.0
_NICE = 10
"""Where the workers need all there is, it gets a tenth of a core, and lags: mail goes first."""


class RecorderProcess:
    """Does as its supervisor says."""

    def __init__(self) -> None:
        self._link = Link(self._handle, lambda op, args: False, self._supervisor_lost)
        self._ended = asyncio.Event()
        self._stopping = threading.Event()
        self._recorder: JournalRecorder | None = None
        self._thread: threading.Thread | None = None
        self._loop = asyncio.get_running_loop()

    async def run(self, link: socket.socket) -> None:
        """Serve until all is read after `stop`."""
        await self._loop.connect_accepted_socket(lambda: self._link, link)
        telling = self._loop.create_task(self._tell())
        await self._ended.wait()
        telling.cancel()

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(_TELL_S)
            if self._recorder is not None:
                self._link.tell("recorder", **msgspec.structs.asdict(self._recorder.status))

    async def _handle(self, op: str, args: dict[str, Any]) -> Any:
        if op == "start":
            self._start(Path(args["spool"]), Path(args["events"]))
        elif op == "stop":
            self._stopping.set()
        else:
            raise AngariumError(f"the recorder does not know {op!r}")

    def _start(self, spool: Path, events: Path) -> None:
        store = SqliteEventStore(events, reason_of)
        self._recorder = recorder = JournalRecorder(spool, store, SystemClock())

        def work() -> None:
            try:
                recorder.run(self._stopping.is_set, self._stopping.wait)
                store.close()
            finally:
                self._loop.call_soon_threadsafe(self._ended.set)

        self._thread = threading.Thread(target=work, name="recorder")
        self._thread.start()

    def _supervisor_lost(self) -> None:
        os._exit(0)


def main() -> None:
    """Run until told to stop."""
    os.nice(_NICE)
    # Signals are the supervisor's business: Ctrl-C on a terminal reaches all processes of the group.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)

    async def serve() -> None:
        await RecorderProcess().run(socket.socket(fileno=int(sys.argv[1])))

    asyncio.run(serve())


if __name__ == "__main__":
    main()
