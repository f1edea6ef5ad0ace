"""What a client machine has to write: commands and messages as buffers, and the transcript of them."""

from typing import Final

from angarium.core.reply import Reply
from angarium.smtp.client.dialogue import Said
from angarium.smtp.client.events import Trace
from angarium.smtp.stuffing import DotStuffer

MAX_TRACED_CHARS: Final = 500
_NO_STUFFER: Final = DotStuffer()


class ClientWriter:
    """The output of one session. Each method returns how many bytes it has added.

    *trace* may be set and taken away at any time; *said*, while it is a list, gets each command. A body is never joined
    with what goes before and after it.
    """

    __slots__ = ("_buffers", "_by_chunks", "_lead", "_stuffer", "said", "trace")

    def __init__(self, trace: Trace | None) -> None:
        self.trace = trace
        self.said: Said | None = None
        self._buffers: list[bytes] = []
        self._stuffer = _NO_STUFFER
        self._by_chunks = False
        self._lead = b""

    def take(self) -> list[bytes]:
        """Return what there is to write, and forget it."""
        buffers, self._buffers = self._buffers, []
        return buffers

    def note_reply(self, reply: Reply) -> None:
        """Put what the peer said into the transcript."""
        if self.trace is not None:
            self.trace("S", str(reply)[:MAX_TRACED_CHARS])

    def say(self, commands: str) -> int:
        """Write one or more commands, each with its CRLF."""
        data = commands.encode("utf-8", "replace")
        self._buffers.append(data)
        if self.said is not None:
            self.said.append(commands)
        if self.trace is not None:
            for line in commands.split("\r\n")[:-1]:
                self.trace("C", line[:MAX_TRACED_CHARS])
        return len(data)

    def say_secret(self, command: str, shown: str) -> int:
        """Write a command of which the transcript gets *shown*, and nothing else keeps anything."""
        data = command.encode()
        self._buffers.append(data)
        if self.said is not None:
            self.said.append(shown)
        if self.trace is not None:
            self.trace("C", shown)
        return len(data)

    def message(self, head: bytes, body: bytes) -> int:
        """Write a whole message after 354, with the final dot (RFC 5321 §4.1.1.4; doubled dots: §4.5.2)."""
        stuffer = DotStuffer()
        return self._put(stuffer.stuff(head), stuffer.stuff(body), stuffer.line_end() + b".\r\n")

    def message_chunk(self, head: bytes, body: bytes) -> int:
        """Write a whole message as one chunk (RFC 3030 §2)."""
        self.begin_pieces(b"", by_chunks=True)
        self._stuffer.pass_by(head)
        return self._chunk(head, body, last=True)

    def begin_pieces(self, head: bytes, by_chunks: bool) -> int:
        """Begin a message whose body comes by `piece`."""
        self._stuffer = DotStuffer()
        self._by_chunks = by_chunks
        self._lead = b""
        if not by_chunks:
            return self._put(self._stuffer.stuff(head))
        self._stuffer.pass_by(head)
        self._lead = head  # it goes with the first chunk
        return 0

    def piece(self, piece: bytes, last: bool) -> int:
        """Write the next piece; after the last, what ends the message. By chunks, 0 means that none was begun."""
        if self._by_chunks:
            lead, self._lead = self._lead, b""
            return self._chunk(lead, piece, last)
        stuffed = self._stuffer.stuff(piece)
        return self._put(stuffed, self._stuffer.line_end() + b".\r\n" if last else b"")

    def _chunk(self, lead: bytes, piece: bytes, last: bool) -> int:
        self._stuffer.pass_by(piece)
        end = self._stuffer.line_end() if last else b""
        size = len(lead) + len(piece) + len(end)
        if not size and not last:
            return 0
        return self.say(f"BDAT {size}{' LAST' if last else ''}\r\n") + self._put(lead, piece, end)

    def _put(self, *buffers: bytes) -> int:
        size = 0
        for buffer in buffers:
            if buffer:
                self._buffers.append(buffer)
                size += len(buffer)
        if self.trace is not None and size:
            self.trace("C", f"[{size} bytes of message]")
        return size
