"""One SMTP reply: what a peer answered, what we answer, what stands in an event."""

import re

import msgspec

_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?: |$)")


class Reply(msgspec.Struct, frozen=True, array_like=True):
    """A reply with all its lines joined (RFC 5321 §4.2).

    *code* is 200–599. *enhanced* is the RFC 3463 code as text (`"4.7.1"`), empty when there was none. *text* is what
    follows, lines joined by `\\n`, without code, hyphen, enhanced code or CRLF.
    """

    code: int
    enhanced: str = ""
    text: str = ""

    @property
    def is_transient(self) -> bool:
        """Whether it is worth trying again (4xx)."""
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        """Whether trying again will not help (5xx)."""
        return self.code >= 500

    def __str__(self) -> str:
        code = f"{self.code} {self.enhanced}" if self.enhanced else str(self.code)
        return f"{code} {self.text}".replace("\n", " ") if self.text else code

    def encode(self) -> bytes:
        """Return the reply as it goes on the wire, each line with code and enhanced code."""
        prefix = f"{self.enhanced} " if self.enhanced else ""
        if "\n" not in self.text:
            return f"{self.code} {prefix}{self.text}\r\n".encode("utf-8", "replace")
        lines = self.text.split("\n")
        head = "".join(f"{self.code}-{prefix}{line}\r\n" for line in lines[:-1])
        return f"{head}{self.code} {prefix}{lines[-1]}\r\n".encode("utf-8", "replace")


def reply_from_lines(code: int, lines: list[str]) -> Reply:
    """Build a reply from the text of its lines, taking the enhanced code off each (RFC 2034 §4)."""
    first = _ENHANCED.match(lines[0]) if lines else None
    if first is None or int(first[1]) != code // 100:
        return Reply(code, "", "\n".join(lines))
    enhanced = first[0].rstrip()
    texts = [line[len(enhanced) :].lstrip() if line.startswith(enhanced) else line for line in lines]
    return Reply(code, enhanced, "\n".join(texts))
