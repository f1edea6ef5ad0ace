"""A large body on its way from its session to its file."""

import asyncio
from collections.abc import Callable, Iterable

from angarium.dialects.headers import option_spans
from angarium.mime.header import HeaderBlock, Span, cut, mended, without_mbox_lines
from angarium.mime.lines import LineMeter
from angarium.spool.port import Body, LargeBodyWriter
from angarium.submission.policy import is_too_large

Prepare = Callable[[HeaderBlock], Iterable[Span]]
"""Says what of a header block must not be stored."""


class Spill:
    """Writes at the pace of the disk.

    *slow* is called with True when the session should stop reading for a while, and with False when it may go on.
    Nothing is written before the header block is complete, or has become longer than *max_header_size*, and what
    *prepare* names of it never is. *head* is the beginning of the message, the whole header block in it, as it came
    but for what had to be mended; *eight_bit* says of what was stored whether it is more than ASCII, *lines* whether
    any is too long.
    """

    _HIGH = 2_097_152

    def __init__(
        self,
        writer: LargeBodyWriter,
        slow: Callable[[bool], None],
        prepare: Prepare = option_spans,
        max_header_size: int = 524_288,
    ) -> None:
        self.head = b""
        self.eight_bit = False
        self.lines = LineMeter()
        self._prepare = prepare
        self._max_header_size = max_header_size
        self._has_header = False
        self._writer = writer
        self._slow = slow
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._error: Exception | None = None
        self._wake = asyncio.Event()
        self._ended = False
        self._task = asyncio.get_running_loop().create_task(self._run())

    def add(self, piece: bytes) -> None:
        """Take a piece; it is written in the background. What goes wrong is told by `finish`."""
        if self._error is not None:
            return
        try:
            self._add(piece)
        except Exception as error:  # noqa: BLE001 - whoever sends the message is answered at its end
            self._error = error

    def _add(self, piece: bytes) -> None:
        if self._has_header:
            self._write(piece)
            return
        self.head = without_mbox_lines(self.head + piece)
        if HeaderBlock.scan(self.head).is_complete or self._is_beyond_bounds():
            self._write_head()

    def _is_beyond_bounds(self) -> bool:
        """Whether the header is too large, whatever comes: a last line that has no end yet may be the blank one."""
        most = self._max_header_size
        return self.head.rfind(b"\n") >= most or len(self.head) > 2 * most

    def _write_head(self) -> None:
        self._has_header = True
        self.head = mended(self.head)
        header = HeaderBlock.scan(self.head)
        # a header beyond the limit is refused later, whatever is in it
        is_read = not is_too_large(header, self._max_header_size)
        self._write(cut(self.head, self._prepare(header)) if is_read else self.head)

    def _write(self, piece: bytes) -> None:
        self.eight_bit = self.eight_bit or not piece.isascii()
        self.lines.add(piece)
        self._waiting.append(piece)
        self._waiting_bytes += len(piece)
        self._wake.set()
        if self._waiting_bytes > self._HIGH:
            self._slow(True)

    async def finish(self) -> Body:
        """Write what is left and make it durable. Raises SpoolError; the file is gone then, whatever is raised."""
        try:
            if not self._has_header and self._error is None:
                self._write_head()
            self._ended = True
            self._wake.set()
            await self._task
            if self._error is not None:
                raise self._error
            return await self._writer.finish()
        except Exception:
            self.abandon()
            raise

    def abandon(self) -> None:
        """The message will not come to its end: forget it and its file."""
        self._task.cancel()
        self._writer.discard()

    async def _run(self) -> None:
        while not (self._ended and not self._waiting):
            if not self._waiting:
                self._wake.clear()
                self._slow(False)
                await self._wake.wait()
                continue
            piece = b"".join(self._waiting)
            self._waiting.clear()
            self._waiting_bytes = 0
            if self._error is None:
                try:
                    await self._writer.write(piece)
                except Exception as error:  # noqa: BLE001 - the session goes on reading, and is told at the end
                    self._error = error
        self._slow(False)
