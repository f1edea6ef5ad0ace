"""The body of a message while it comes in: by DATA, up to the line with a single dot, or by BDAT, by counted
chunks.

Only CR LF . CR LF ends DATA (RFC 5321 §4.1.1.4), and a dot that begins a line is taken off (§4.5.2). Line ends that
are not CR LF (§2.3.8) are refused, mended or let through as the rules say; but a lone dot between such line ends is
never let through as it is, since the next host might take it for the end (SMTP smuggling). Nothing ends a chunk but
its size (RFC 3030 §2).

Every byte is looked at once. A read may end anywhere: what could be the beginning of the end, or of a line end, at
most a dozen bytes, is held back for the next read.
"""

import re
from enum import IntEnum
from io import IncrementalNewlineDecoder
from typing import Literal

import msgspec

LineEndPolicy = Literal["refuse", "mend", "fix", "ignore"]
"""What to do with a CR or LF alone: refuse the message, make it CR LF, or leave it as it is. "mend" does as "fix", but
refuses a lone dot between such line ends: the writer may have meant the end.
"""

_MAX_PIECES = 256
"""A body that drips in would otherwise take forty times its size in memory."""

_MENDING = frozenset(("mend", "fix"))
_END = b"\r\n.\r\n"
_LONE_DOT = re.compile(rb"(?:(?<!\r)\n|\r(?!\n))\.[\r\n]|\r\n\.(?:\n|\r(?!\n))")
_LONE_CR = re.compile(rb"\r(?!\n)")
_MOST_RETURNS = 8
"""So many CRs before an LF are one line end with it."""
_RETURNS = re.compile(rb"\r{2,%d}\n" % _MOST_RETURNS)
"""A line end that was mended once too often: programs make CR LF of every LF, that of a CR LF too."""
_HEADER_END = re.compile(rb"\n\r{0,%d}\n" % _MOST_RETURNS)


class BodyRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a body must be like. Sizes are in bytes, without the dots that were stuffed; 0 means no limit.

    *swallow_limit* bounds how much more than *max_size* is read, and thrown away, of a body that is refused.
    *max_line_length* counts without CR LF.
    """

    lone_lf_in_headers: LineEndPolicy = "refuse"
    lone_lf_in_body: LineEndPolicy = "refuse"
    lone_cr: LineEndPolicy = "refuse"
    max_size: int = 0
    max_line_length: int = 0
    swallow_limit: int = 10_485_760


class Fault(IntEnum):
    """Why a body is refused, the worst last. After SMUGGLING and ENDLESS there is no point in reading on."""

    NONE = 0
    LONG_LINE = 1
    BARE_LINE_END = 2
    NUL = 3
    UNWELCOME = 4
    """The handler's reason, see `BodyReader.refuse`."""
    TOO_LARGE = 5
    SMUGGLING = 6
    ENDLESS = 7


class BodyReader:
    """Collects one body. `start` makes it ready for the next.

    *size* counts the bytes of the body so far, *raw_size* the bytes read for it. *pieces* is what was not
    taken yet; it stays empty once *fault* is set. *kept* is its length.
    """

    __slots__ = (
        "_bound",
        "_chunk_rules",
        "_context",
        "_dotted",
        "_dotted_rules",
        "_ends_with_crlf",
        "_first",
        "_in_header",
        "_line_length",
        "_raw_end",
        "_rules",
        "_tail",
        "_wary",
        "fault",
        "kept",
        "pieces",
        "raw_size",
        "size",
    )

    def __init__(self, rules: BodyRules, chunk_rules: BodyRules | None = None) -> None:
        """*chunk_rules* hold for a body that comes by BDAT, if other ones do; sizes are the same in both."""
        self._dotted_rules, self._chunk_rules = rules, chunk_rules or rules
        self._bound = rules.max_size + rules.swallow_limit
        self.start()

    def start(self, *, in_chunks: bool = False) -> None:
        """Forget everything and begin a body."""
        self._rules = self._chunk_rules if in_chunks else self._dotted_rules
        self._dotted = not in_chunks
        self.fault = Fault.NONE
        self.pieces: list[bytes] = []
        self.kept = self.size = self.raw_size = self._line_length = 0
        self._tail = b""
        self._context = self._raw_end = b"\r\n"
        self._first = True
        self._in_header = self._rules.lone_lf_in_headers != self._rules.lone_lf_in_body
        self._wary = self._ends_with_crlf = False

    def take(self) -> bytes:
        """Return what was collected since the last call."""
        pieces, self.pieces, self.kept = self.pieces, [], 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def feed_dotted(self, data: bytes, start: int) -> int:
        """Read *data* from *start* on; there must be something.

        Returns the index after the line of the final dot, or -1 when that did not come yet.
        """
        shift = 0
        if self._tail:
            shift = start - len(self._tail)
            data, start, self._tail = self._tail + data[start:], 0, b""
        stuffed = False
        if self._first:
            if data.startswith(b".", start):
                rest = data[start : start + 3]
                if rest == b".\r\n":
                    return start + 3 + shift
                if rest in (b".", b".\r"):
                    self._tail = rest
                    return -1
                stuffed = True
            self._first = False
        end, has_dots = _find_end(data, start)
        stuffed = stuffed or has_dots
        if end >= 0:
            self._add(data[start : end + 2], stuffed)
            return end + 5 + shift
        stop = _before_returns(data, start, len(data) - _undecided(data, start))
        self._tail = data[stop:]
        if stop > start:
            self._add(data[start:stop], stuffed)
        return -1

    def feed_chunk(self, data: bytes) -> None:
        """Read a part of a BDAT chunk."""
        if self._tail:
            data, self._tail = self._tail + data, b""
        if data.endswith(b"\r"):
            stop = _before_returns(data, 0, len(data))
            data, self._tail = data[:stop], data[stop:]
        if data:
            self._add(data, False)

    def end_chunks(self) -> None:
        """Finish a body that came by BDAT, whose last line may lack its end."""
        if self._tail:
            tail, self._tail = self._tail, b""
            self._add(tail, False)
        if self.size and not self._ends_with_crlf:
            self._keep(b"\r\n")

    def _add(self, raw: bytes, stuffed: bool) -> None:
        """Check and keep *raw*, which ends neither between CR and LF nor inside what may be the end."""
        if self.raw_size + len(raw) > self._bound:
            self._add_across_bound(raw, stuffed)
        elif self._in_header:
            self._add_within(raw, stuffed)
        else:
            self._add_part(raw, stuffed, self._rules.lone_lf_in_body)

    def _add_across_bound(self, raw: bytes, stuffed: bool) -> None:
        """Beyond the bound, a body that is refused is not read on, for whatever reason it is refused."""
        cut = max(self._bound - self.raw_size, 0)
        cut = _before_returns(raw, 0, cut)
        if cut:
            self._add_within(raw[:cut], stuffed)
        if not self.fault:
            self._add_within(raw[cut:], stuffed)
        elif self.fault is Fault.SMUGGLING:
            return
        if self.fault:
            self.refuse(Fault.ENDLESS)

    def _add_within(self, raw: bytes, stuffed: bool) -> None:
        if self._in_header:
            raw = self._add_header(raw, stuffed)
        if raw:
            self._add_part(raw, stuffed, self._rules.lone_lf_in_body)

    def _add_header(self, raw: bytes, stuffed: bool) -> bytes:
        """Check and keep what of *raw* belongs to the header block, and return the rest."""
        end = _HEADER_END.search(self._raw_end + raw)
        size = end.end() - len(self._raw_end) if end else len(raw)
        self._in_header = end is None
        self._add_part(raw[:size], stuffed, self._rules.lone_lf_in_headers)
        return raw[size:]

    def _add_part(self, raw: bytes, stuffed: bool, lone_lf: LineEndPolicy) -> None:
        piece = raw
        if stuffed:
            piece = raw.replace(b"\r\n.", b"\r\n")
            if raw.startswith(b".") and self._raw_end == b"\r\n":
                piece = piece[1:]
        if self._wary or not _only_crlf(raw):
            piece = self._with_line_ends(raw, piece, lone_lf)
        else:
            self._context = raw[-3:] if len(raw) > 2 else (self._context + raw)[-3:]
        self._raw_end = raw[-2:] if len(raw) > 1 else (self._raw_end + raw)[-2:]
        self.raw_size += len(raw)
        if b"\0" in raw:
            self.refuse(Fault.NUL)
        if self._rules.max_line_length and self._has_long_line(piece):
            self.refuse(Fault.LONG_LINE)
        self._keep(piece)

    def _keep(self, piece: bytes) -> None:
        self.size += len(piece)
        self._ends_with_crlf = piece.endswith(b"\r\n")
        if self.size > self._rules.max_size > 0:
            self.refuse(Fault.TOO_LARGE)
        if not self.fault:
            self.pieces.append(piece)
            self.kept += len(piece)
            if len(self.pieces) > _MAX_PIECES:
                self.pieces = [b"".join(self.pieces)]

    def refuse(self, fault: Fault) -> None:
        """Keep nothing more of this body, because of *fault* or one that is worse."""
        if fault > self.fault:
            self.fault = fault
        self.pieces = []
        self.kept = 0

    def _with_line_ends(self, raw: bytes, piece: bytes, lone_lf: LineEndPolicy) -> bytes:
        """Apply the rules for a CR or LF alone to *piece*, which is *raw* without stuffed dots."""
        if "refuse" in (kinds := self._policies(raw, lone_lf)):
            self.refuse(Fault.BARE_LINE_END)
        mended = _mended(raw, self._rules.lone_cr, lone_lf)
        self._wary = self._wary or any(policy != "fix" for policy in kinds)
        # A dot is looked for between what came where that is mended, and between what it became where that is fixed.
        text = self._context + _mended(raw, _as_seen(self._rules.lone_cr), _as_seen(lone_lf))
        if self._wary and _LONE_DOT.search(text):
            self.refuse(Fault.SMUGGLING if self._dotted else Fault.BARE_LINE_END)
        self._context = text[-3:]
        return mended if piece is raw else _mended(piece, self._rules.lone_cr, lone_lf)

    def _policies(self, raw: bytes, lone_lf: LineEndPolicy) -> list[LineEndPolicy]:
        """Return the policies for the kinds of lone line ends that *raw* has."""
        seen = _line_ends(raw)
        return [policy for kind, policy in (("\r", self._rules.lone_cr), ("\n", lone_lf)) if kind in seen]

    def _has_long_line(self, piece: bytes) -> bool:
        """Whether a line is too long, including what earlier pieces hold of the first one.

        Leaps from the last line end within reach to the next, so that the lines need not be visited one by
        one.
        """
        limit = self._rules.max_line_length + 2
        start, size = -self._line_length, len(piece)
        while size - start > limit:
            newline = piece.rfind(b"\n", max(start, 0), max(start + limit, 0))
            if newline < 0:
                self._line_length = limit
                return True
            start = newline + 1
        newline = piece.rfind(b"\n", max(start, 0))
        self._line_length = size - (start if newline < 0 else newline + 1)
        return False


def _find_end(data: bytes, start: int) -> tuple[int, bool]:
    """Return where the end of *data*'s body begins from *start* on, or -1, and whether other dots begin lines."""
    last = len(data) - len(_END)
    # The usual body comes to its end in one go and has no other dots: rfind sees that in half the time of find.
    if last >= start and data.endswith(_END) and data.rfind(b"\r\n.", start, last) < 0:
        return last, False
    dot = data.find(b"\r\n.", start)
    if dot < 0 or data.startswith(b"\r\n", dot + 3):
        return dot, False
    return data.find(_END, dot + 3), True


def _line_ends(text: bytes) -> tuple[str, ...]:
    """Return which of CR LF, CR and LF end lines in *text*. Three times as fast as counting them with
    `bytes.count`.
    """
    decoder = IncrementalNewlineDecoder(None, False)
    decoder.decode(text.decode("latin-1"), True)
    seen = decoder.newlines
    return (seen,) if isinstance(seen, str) else seen or ()


def _only_crlf(text: bytes) -> bool:
    return _line_ends(text) in ((), ("\r\n",))


def _mended(text: bytes, lone_cr: LineEndPolicy, lone_lf: LineEndPolicy) -> bytes:
    if lone_cr in _MENDING and b"\r" in text:
        text = _LONE_CR.sub(b"\r\n", _RETURNS.sub(b"\r\n", text))
    if lone_lf in _MENDING:
        text = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return text


def _before_returns(data: bytes, start: int, stop: int) -> int:
    """Return where in *data*, from *start* on, the CRs begin that stand before *stop*: they may belong to one line end
    with what follows."""
    if stop == start or data[stop - 1] != 13:
        return stop
    begin = max(stop - _MOST_RETURNS, start)
    return begin + len(data[begin:stop].rstrip(b"\r"))


def _as_seen(policy: LineEndPolicy) -> LineEndPolicy:
    return "ignore" if policy == "mend" else policy


def _undecided(data: bytes, start: int) -> int:
    """Return how many bytes at the end of *data* may be the beginning of the end, or of a line end."""
    last = data[-1]
    if last == 13:
        return 4 if data.endswith(b"\r\n.\r", start) else 1
    if last == 10:
        return 2 if data.endswith(b"\r\n", start) else 0
    return 3 if last == 46 and data.endswith(b"\r\n.", start) else 0
