"""The message that a session of the sink is taking."""

from typing import Final

from angarium.testing.sink.script import Deed

END: Final = b"\r\n.\r\n"


class SinkMail:
    """What was said for it, and what has come.

    *has_begun* once MAIL was taken. *size* counts bytes as on the wire. *body_rule* is what the script wants done once
    so many bytes have come. *finals* are those for whom the end of the message is still to be answered, *kept_for*
    those for whom it was answered well. *tail* is what the end of the data may begin in.
    """

    __slots__ = (
        "body_rule",
        "chunk_left",
        "finals",
        "has_answered",
        "has_begun",
        "is_chunked",
        "is_last_chunk",
        "kept_for",
        "parameters",
        "pieces",
        "rcpt_parameters",
        "recipients",
        "sender",
        "size",
        "skips_chunk",
        "tail",
    )

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget it; the next one begins."""
        self.has_begun = False
        self.sender = self.parameters = ""
        self.recipients: list[str] = []
        self.rcpt_parameters: list[str] = []
        self.pieces: list[bytes] = []
        self.size = self.chunk_left = 0
        self.tail = b""
        self.is_last_chunk = self.is_chunked = self.skips_chunk = self.has_answered = False
        self.body_rule: tuple[int, Deed] | None = None
        self.finals: list[str] = []
        self.kept_for: list[str] = []

    def data(self) -> bytes:
        """Return what has come, without dot-stuffing."""
        data = b"".join(self.pieces)
        return data if self.is_chunked else (b"\r\n" + data)[:-3].replace(b"\r\n..", b"\r\n.")[2:]
