"""The part of the server machine that reads bodies, by DATA and by BDAT."""

from angarium.core.reply import Reply
from angarium.smtp.server import answers
from angarium.smtp.server.core import ServerCore
from angarium.smtp.server.data_phase import Fault

SPILL_PIECE = 65_536
"""A large body is handed over in pieces of at least this many bytes."""

_FAULTS = {
    Fault.LONG_LINE: answers.LONG_LINE_REFUSED,
    Fault.BARE_LINE_END: answers.BARE_REFUSED,
    Fault.NUL: answers.NUL_REFUSED,
    Fault.TOO_LARGE: answers.TOO_LARGE,
    Fault.SMUGGLING: answers.SMUGGLING,
    Fault.ENDLESS: answers.TOO_LARGE,
}


class ServerBodies(ServerCore):
    """Reading of bodies. See `server.ServerMachine`."""

    __slots__ = ()

    def _bdat_done(self, reply: Reply) -> Reply | None:
        """Begin a chunk. It is read in any case; a refusal voids the transaction and is said after the chunk."""
        self._refusal = reply if reply.code >= 400 else None
        if self._refusal is not None:
            self._void()
            if self._chunk_size > self._limits.swallow_limit:
                self._end(reply)
                return None
        elif not self._in_bdat:
            self._in_bdat = True
            self._begin_body(in_chunks=True)
        self._body_at = None
        self._chunk_left = self._chunk_size
        self.state = "chunk"
        if not self._chunk_left:
            self._chunk_done()
        return None

    def _begin_body(self, *, in_chunks: bool) -> None:
        self._body.start(in_chunks=in_chunks)
        self._body_at = None
        self._has_had_body = True
        self._ask_at = SPILL_PIECE

    def _read_data(self) -> None:
        body = self._body
        end = body.feed_dotted(self._buffer, self._pos)
        stop = len(self._buffer) if end < 0 else end
        self._note_input(stop - self._pos)
        self._pos = stop
        if body.fault:
            self._refuse_body(end >= 0)
        elif end >= 0:
            self._end_of_body()
        else:
            self._grow()

    def _note_input(self, size: int) -> None:
        """Keep account of when and how much of a body came."""
        self._since = self._now
        if self._body_at is None:
            self._body_at = self._now
            self._body_bytes = 0
        self._body_bytes += size

    def _grow(self) -> None:
        """More has come of a body that is not complete: ask now and then whether it is still welcome."""
        body = self._body
        if body.size >= self._ask_at:
            self._ask_at = body.size + SPILL_PIECE
            self._unwelcome = self._handler.on_growth(body.size)
            if self._unwelcome is not None:
                body.refuse(Fault.UNWELCOME)
                self._refuse_body(at_end=False)
                return
        self._spill()

    def _spill(self) -> None:
        """Hand over what has come of a large body."""
        body = self._body
        if body.kept >= SPILL_PIECE and body.size > self._limits.spill_threshold:
            self._handler.on_chunk(body.take())

    def _refuse_body(self, at_end: bool) -> None:
        self._void()
        fault = self._body.fault
        reply = self._unwelcome if fault is Fault.UNWELCOME else _FAULTS[fault]
        assert reply is not None
        if fault >= Fault.SMUGGLING:
            self._end(reply)
        elif at_end:
            self.state = "command"
            self._say(reply)

    def _read_chunk(self) -> None:
        piece = self._buffer[self._pos : self._pos + self._chunk_left]
        self._note_input(len(piece))
        self._pos += len(piece)
        self._chunk_left -= len(piece)
        if self._refusal is None:
            self._body.feed_chunk(piece)
            if self._body.fault:
                self._refuse_body(at_end=False)
            else:
                self._grow()
        if not self._chunk_left and self.state == "chunk":
            self._chunk_done()

    def _chunk_done(self) -> None:
        self.state = "command"
        if self._refusal is not None:
            self._say(self._refusal)
            return
        if self._is_last_chunk:
            self._body.end_chunks()
        if self._body.fault:
            self._refuse_body(at_end=True)
        elif self._is_last_chunk:
            self._end_of_body()
        else:
            self._say(Reply(250, "2.0.0", f"{self._chunk_size} bytes taken"))
            if not self._chunk_size:
                self._count_idle()

    def _end_of_body(self) -> None:
        self._spill()
        self._sender = self._open = self._in_bdat = False
        self.counters.bodies += 1
        self._verb = None
        self.state = "waiting"
        self._handler.on_message(self._body.take())

    def _message_done(self, reply: Reply) -> None:
        if reply.code < 400:
            self.counters.messages += 1
            self._errors = self._idle = 0
        self._pass_on(reply)

    def _is_too_slow(self, now: float) -> bool:
        rate, began = self._limits.min_data_rate_bytes_per_s, self._body_at
        if began is None or not rate or now - began < self._limits.data_rate_grace_s:
            return False
        return self._body_bytes < rate * (now - began)
