"""Reading a peer's replies from bytes (RFC 5321 §4.2), however they are cut.

What is tolerated: lines ended by a bare LF or with CRs too many, any 8-bit text, a code with nothing or a tab after
it. What is bounded: the bytes of a line and of a reply that are kept; the rest is passed over, since the code says
what is to be done. Control characters in the text are replaced, since it ends up in headers, logs and terminals.

The lines of one reply must have the same code, and sometimes do not. The last line's code counts: it is the
one a peer writes once it has made up its mind. But a yes after a no is not believed: it becomes a temporary
failure here, because taking it for success could lose mail and taking it for failure could bounce it.
"""

import re
from unicodedata import category

from angarium.core.reply import Reply, reply_from_lines

MAX_LINE_BYTES = 4096
MAX_REPLY_BYTES = 32_768
MAX_ENDLESS_BYTES = 1_048_576
"""A reply that has not ended by then is none."""
MAX_KEPT_CHARS = 1000

_CACHED = 512
_CACHED_LINE_BYTES = 48
_CACHED_BYTES = 512

_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

# The usual reply in one step: a line of printable ASCII, its enhanced code matching its class (RFC 2034 §4).
_USUAL = re.compile(rb"([2-5])(\d\d)(?: (?:((?!3)\1\.\d{1,3}\.\d{1,3})(?: +|(?=\r?\n)))?([ -~]*))?\r?\n")


class ReplyParser:
    """Bytes in, replies out. One per connection.

    *error* is None until the peer sends something that is not a reply; then it says what, and all further
    input is ignored, since nothing after it can be matched to a command.
    """

    __slots__ = ("_codes", "_known", "_lines", "_passed", "_rest", "_size", "error")

    _cache: dict[bytes, tuple[Reply, ...]] = {}  # noqa: RUF012  shared: peers say the same few things all day
    """Of lines, and of all that came at once, what it says."""

    def __init__(self) -> None:
        self.error: str | None = None
        self._rest = b""
        self._passed = 0
        self._lines: list[str] = []
        self._codes: list[int] = []
        self._known: set[int] = set()
        self._size = 0

    def feed(self, data: bytes) -> list[Reply]:
        """Return the replies that *data* completes, in order. Check *error* after those."""
        if self._rest or self._lines or self.error is not None or len(data) > _CACHED_BYTES:
            return self._read(self._rest + data)
        known = self._cache.get(data)
        if known is None:
            known = tuple(self._read(data))
            if known and self.is_between_replies and self.error is None:
                self._remember(data, known)
        return list(known)

    def _read(self, data: bytes) -> list[Reply]:
        replies: list[Reply] = []
        start = 0
        while self.error is None:
            end = data.find(b"\n", start) + 1
            if not end:
                break
            reply = self._line(data[start:end])
            if reply is not None:
                replies.append(reply)
            start = end
        self._keep(data[start:])
        return replies

    @property
    def is_between_replies(self) -> bool:
        """Whether nothing has come after the last whole reply."""
        return not self._rest and not self._lines

    def _keep(self, rest: bytes) -> None:
        """Remember an unfinished line, within bounds: what comes behind them adds nothing to it."""
        if len(rest) > MAX_LINE_BYTES:
            self._passed += len(rest) - MAX_LINE_BYTES
            rest = rest[:MAX_LINE_BYTES]
            if self._passed > MAX_ENDLESS_BYTES:
                self.error = self.error or f"a reply line of more than {MAX_ENDLESS_BYTES} bytes"
        self._rest = b"" if self.error else rest

    def _line(self, line: bytes) -> Reply | None:
        """Take one whole line with its line end; return the reply if this was its last."""
        self._passed = 0
        if not self._lines:
            known = self._cache.get(line)
            reply = self._usual(line) if known is None else known[0]
            if reply is not None:
                return reply
        text = line.rstrip(b"\r\n")[:MAX_LINE_BYTES]
        code, mark = text[:3], text[3:4]
        is_code = len(code) == 3 and code.isdigit() and b"200" <= code < b"600"
        if not is_code or mark not in (b"", b" ", b"\t", b"-"):
            self.error = f"not a reply line: {_clean(text[:80])!r}"
            return None
        return self._multi(int(code), text[4:], mark != b"-")

    def _usual(self, line: bytes) -> Reply | None:
        """Read a usual reply of one line, and remember it if it is short: it will come again."""
        match = _USUAL.fullmatch(line)
        if match is None or len(line) > MAX_LINE_BYTES:
            return None
        kind, rest, enhanced, text = match.groups(b"")
        reply = Reply(int(kind + rest), enhanced.decode(), text.decode())
        if len(line) <= _CACHED_LINE_BYTES:
            self._remember(line, (reply,))
        return reply

    def _remember(self, data: bytes, replies: tuple[Reply, ...]) -> None:
        if len(self._cache) >= _CACHED:
            self._cache.clear()
        self._cache[data] = replies

    def _multi(self, code: int, text: bytes, is_last: bool) -> Reply | None:
        self._size += len(text) + 6
        if self._size > MAX_ENDLESS_BYTES:
            self.error = f"a reply of more than {MAX_ENDLESS_BYTES} bytes"
            return None
        if is_last or self._size <= MAX_REPLY_BYTES or code not in self._known:
            self._lines.append(_clean(text))
            self._codes.append(code)
            self._known.add(code)
        if not is_last:
            return None
        reply = _join(self._codes, self._lines)
        self._lines, self._codes, self._known, self._size = [], [], set(), 0
        return reply


def shorten(reply: Reply) -> Reply:
    """Return *reply* with no more text than is kept in results and events."""
    if len(reply.text) <= MAX_KEPT_CHARS:
        return reply
    return Reply(reply.code, reply.enhanced, reply.text[:MAX_KEPT_CHARS] + "…")


def _join(codes: list[int], lines: list[str]) -> Reply:
    """Build a reply of several lines (RFC 5321 §4.2.1); see the top of this module for codes that differ."""
    last = codes[-1]
    refusals = [code for code in codes if code >= 400]
    if refusals and last < 400:
        text = " / ".join(f"{code} {line}" for code, line in zip(codes, lines, strict=True))
        return Reply(451, "4.5.0", f"[internal] reply that says both {refusals[0]} and {last}: {text}")
    return reply_from_lines(last, lines)


def _clean(text: bytes) -> str:
    """Decode, with U+FFFD for what is not UTF-8 and for control characters."""
    decoded = text.decode("utf-8", "replace")
    if decoded.isprintable():
        return decoded
    return "".join("\ufffd" if char != "\t" and category(char) in _UNWANTED else char for char in decoded)
