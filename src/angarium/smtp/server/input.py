"""What a peer has sent that was not worked on yet, and the lines in it (RFC 5321 §2.3.8)."""


class InputBuffer:
    """Bytes that wait: *data* from *pos* on.

    *is_bare*: the line that was taken or skipped last ended with an LF alone. *skipped* counts the bytes thrown away
    since `begin_skip`.
    """

    __slots__ = ("_skipped_cr", "data", "is_bare", "pos", "skipped")

    def __init__(self) -> None:
        self.data = b""
        self.pos = 0
        self.skipped = 0
        self.is_bare = self._skipped_cr = False

    def __len__(self) -> int:
        return len(self.data) - self.pos

    def add(self, data: bytes) -> None:
        """Append what has come."""
        self.data = data if self.pos >= len(self.data) else self.data[self.pos :] + data
        self.pos = 0

    def clear(self) -> None:
        """Throw everything away."""
        self.data = b""
        self.pos = 0

    def take_line(self, longest: int) -> bytes | None:
        """Return the next line without its end. None: it is not complete, or, where *longest* bytes wait, with its end
        longer than that.
        """
        data, start = self.data, self.pos
        end = data.find(b"\n", start)
        if end < 0 or end - start >= longest:
            return None
        self.pos = end + 1
        if end > start and data[end - 1] == 13:
            self.is_bare = False
            return data[start : end - 1]
        self.is_bare = True
        return data[start:end]

    def begin_skip(self) -> None:
        """The line that comes next is to be skipped."""
        self.skipped = 0

    def skip_line(self) -> bool:
        """Throw away what there is of the line; return whether its end was there."""
        data, start = self.data, self.pos
        end = data.find(b"\n", start)
        self.pos = len(data) if end < 0 else end + 1
        self.skipped += self.pos - start
        if end < 0:
            self._skipped_cr = data.endswith(b"\r")
            return False
        self.is_bare = not (self._skipped_cr if end == start else data[end - 1] == 13)
        return True
