"""What a server says, or why it has said nothing."""

from typing import Literal, NamedTuple

from angarium.core.errors import AngariumError

Stage = Literal["refused", "name", "connect", "tls", "answer"]
"""How far a request came that has no answer: it was not to be sent there, the name has no address, nobody took the
connection, its encryption failed, or the answer did not come whole.
"""


class HttpAnswer(NamedTuple):
    """*headers* have lower-case names. *is_cut*: the body was longer than what was to be taken of it. *peer* is the
    address that has answered.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_cut: bool
    peer: str

    def header(self, name: str) -> str:
        """Return the first field with that name, in lower case; empty: there is none."""
        return next((value for each, value in self.headers if each == name), "")

    @property
    def is_redirect(self) -> bool:
        """Whether it sends elsewhere. Nobody goes there."""
        return 300 <= self.status < 400


class Unanswered(AngariumError):
    """A request has no answer. The text says why. *peer* is the address that it went to; empty: to none."""

    def __init__(self, stage: Stage, why: str, peer: str = "") -> None:
        super().__init__(why)
        self.stage = stage
        self.peer = peer


class BrokenOff(AngariumError):
    """A connection has ended before the whole answer. *is_unheard*: not a byte of one had come."""

    def __init__(self, why: str, *, is_unheard: bool) -> None:
        super().__init__(why)
        self.is_unheard = is_unheard
