"""The text of a message on its way in: how it comes, how large it has grown, and why it is refused."""

from angarium.core.reply import Reply
from angarium.smtp.server import answers
from angarium.smtp.server.data_phase import BodyReader, Fault
from angarium.smtp.server.handler import MailHandler
from angarium.smtp.server.input import InputBuffer
from angarium.smtp.server.options import ServerLimits, ServerOptions, body_rules

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


class IncomingBody:
    """One body after the other, each by DATA (RFC 5321 §4.1.1.4) or in chunks (RFC 3030 §2).

    *has_begun*: there has been one since the connection began. *chunk_size* and *is_last_chunk* are what BDAT said
    last, *is_chunk_too_large* whether the message would be that with it, *chunk_left* the bytes of it that have not
    come, *chunk_refusal* what will be answered to a chunk that is thrown away, None if it is read.
    """

    __slots__ = (
        "_arrived",
        "_ask_at",
        "_is_first_chunk",
        "_limits",
        "_reader",
        "_since",
        "_unwelcome",
        "chunk_left",
        "chunk_refusal",
        "chunk_size",
        "has_begun",
        "is_chunk_too_large",
        "is_last_chunk",
    )

    def __init__(self, options: ServerOptions, limits: ServerLimits) -> None:
        self.has_begun = self.is_last_chunk = self.is_chunk_too_large = False
        self.chunk_refusal: Reply | None = None
        self.chunk_size = 0
        self.chunk_left = self._arrived = self._ask_at = 0
        self._is_first_chunk = False
        self._since: float | None = None
        self._unwelcome: Reply | None = None
        self.obey(options, limits)

    def obey(self, options: ServerOptions, limits: ServerLimits) -> None:
        """Go by other options and limits from now on; nothing may be under way."""
        self._limits = limits
        in_chunks = body_rules(options, limits, in_chunks=True)
        self._reader = BodyReader(body_rules(options, limits), in_chunks)

    def begin(self, *, in_chunks: bool = False) -> None:
        """A body comes next."""
        self._reader.start(in_chunks=in_chunks)
        self._since = None
        self._arrived = 0
        self._ask_at = SPILL_PIECE
        self.has_begun = True

    def forget(self) -> None:
        """Keep nothing of what has come."""
        self._reader.start()

    # -- reading

    def read_text(self, buffer: InputBuffer, now: float, handler: MailHandler) -> bool:
        """Read what has come after DATA; return whether the line with the final dot is there."""
        start = buffer.pos
        end = self._reader.feed_dotted(buffer.data, start)
        buffer.pos = len(buffer.data) if end < 0 else end
        if self._since is None:
            self._since = now
        self._arrived += buffer.pos - start
        if end < 0:
            self._grow(handler)
            return False
        return True

    def announce_chunk(self, size: int, is_last: bool, *, is_first: bool) -> None:
        """BDAT announces a chunk."""
        self.chunk_size, self.is_last_chunk, self._is_first_chunk = size, is_last, is_first
        before = 0 if is_first else self._reader.size
        self.is_chunk_too_large = before + size > self._limits.max_message_size > 0

    def begin_chunk(self, refusal: Reply | None) -> None:
        """The chunk comes next. It comes in any case (RFC 3030 §2), so what is refused is read and thrown away."""
        if refusal is None and self._is_first_chunk:
            self.begin(in_chunks=True)
        self.chunk_refusal = refusal
        self._since = None
        self._arrived = 0
        self.chunk_left = self.chunk_size

    def read_chunk(self, buffer: InputBuffer, now: float, handler: MailHandler) -> None:
        """Read what has come of the chunk."""
        piece = buffer.data[buffer.pos : buffer.pos + self.chunk_left]
        size = len(piece)
        buffer.pos += size
        self.chunk_left -= size
        if self._since is None:
            self._since = now
        self._arrived += size
        if self.chunk_refusal is None:
            self._reader.feed_chunk(piece)
            if self.chunk_left or not self.is_last_chunk:
                self._grow(handler)

    def end_chunk(self) -> None:
        """The chunk is complete."""
        if self.is_last_chunk:
            self._reader.end_chunks()

    def is_too_slow(self, now: float) -> bool:
        """Whether it comes more slowly than it may: a peer that drips would hold its session for ever."""
        rate, since = self._limits.min_data_rate_bytes_per_s, self._since
        if since is None or not rate or now - since < self._limits.data_rate_grace_s:
            return False
        return self._arrived < rate * (now - since)

    # -- what has come

    def _grow(self, handler: MailHandler) -> None:
        """Ask *handler* now and then whether what grows is still welcome, and hand over what is large."""
        reader = self._reader
        if not reader.fault and reader.size >= self._ask_at:
            self._ask_at = reader.size + SPILL_PIECE
            self._unwelcome = handler.on_growth(reader.size)
            if self._unwelcome is not None:
                reader.refuse(Fault.UNWELCOME)
        self._spill(handler)

    def _spill(self, handler: MailHandler) -> None:
        """Hand over what has come of a large body, unless that is little."""
        reader = self._reader
        if reader.kept >= SPILL_PIECE and reader.size > self._limits.spill_threshold:
            handler.on_chunk(reader.take())

    def finish(self, handler: MailHandler) -> bytes:
        """All has come: return what *handler* has not got yet."""
        self._spill(handler)
        return self._reader.take()

    @property
    def held(self) -> int:
        """About how many bytes of it are in memory, here or where they were handed over."""
        return 0 if self._reader.fault else min(self._reader.size, self._limits.spill_threshold)

    # -- refusal

    @property
    def is_refused(self) -> bool:
        """Whether it is not taken, and the rest of it thrown away."""
        return bool(self._reader.fault)

    @property
    def is_hopeless(self) -> bool:
        """Whether there is no point in reading on."""
        return self._reader.fault >= Fault.SMUGGLING

    @property
    def refusal(self) -> Reply:
        """Why it is refused."""
        fault = self._reader.fault
        reply = self._unwelcome if fault is Fault.UNWELCOME else _FAULTS[fault]
        assert reply is not None
        return reply
