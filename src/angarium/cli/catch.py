"""What catches mail on the machine itself: a sink inside of the node, and a folder of bounded size."""

import re
import socket
from collections import deque
from pathlib import Path
from typing import Final

from angarium.config.source import CATCH_FOLDER
from angarium.core.clock import Clock
from angarium.core.files import make_folder
from angarium.core.log import Log
from angarium.testing.sink import Sink
from angarium.testing.sink.store import Maildir, SinkMessage

MOST_MESSAGES: Final = 1000
MOST_BYTES: Final = 100_000_000

_SUBJECT = re.compile(rb"^subject:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


class CaughtMail:
    """Implements SinkStore: a maildir that keeps the newest messages, and says of each that it came."""

    def __init__(self, folder: Path, clock: Clock, log: Log) -> None:
        self._maildir = Maildir(folder)
        self._clock = clock
        self._log = log
        there = sorted(file for part in ("new", "cur") for file in (folder / part).iterdir())
        there.sort(key=lambda file: file.stat().st_mtime)
        self._kept = deque((file, file.stat().st_size) for file in there)
        self._bytes = sum(size for _, size in self._kept)

    def add(self, message: SinkMessage) -> None:
        """See SinkStore."""
        file = self._maildir.add(message)
        self._kept.append((file, len(message.data)))
        self._bytes += len(message.data)
        while len(self._kept) > MOST_MESSAGES or (self._bytes > MOST_BYTES and len(self._kept) > 1):
            oldest, size = self._kept.popleft()
            self._bytes -= size
            oldest.unlink(missing_ok=True)  # whoever reads the maildir may have moved it
        self._log.info(
            "caught",
            self._clock.now(),
            sender=message.reverse_path,
            to=list(message.recipients),
            subject=_subject(message.data),
            file=str(file),
        )

    def close(self) -> None:
        """See SinkStore."""
        self._maildir.close()


class Catcher:
    """A sink on a port of 127.0.0.1 that nobody has. *address* is its URL as in `Routes`, known before it starts."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = "smtp://{}?port={}".format(*self._socket.getsockname())
        self._sink: Sink | None = None

    async def start(self, data: Path, clock: Clock, log: Log) -> None:
        """Take mail from now on. Raises OSError."""
        make_folder(data / CATCH_FOLDER)
        store = CaughtMail(data / CATCH_FOLDER, clock, log)
        self._sink = Sink(keep=False, store=store, sock=self._socket)
        await self._sink.start()

    async def stop(self) -> None:
        """Hang up."""
        if self._sink is not None:
            await self._sink.stop()
        self._socket.close()


def _subject(data: bytes) -> str:
    head = data.partition(b"\r\n\r\n")[0]
    found = _SUBJECT.search(head)
    return found[1].decode("utf-8", "replace") if found is not None else ""
