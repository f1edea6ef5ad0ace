"""What a dialect must say, so that mail can be sent by it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from angarium.core.errors import AngariumError
from angarium.core.submission import Problem, Receipt
from angarium.identity.principal import Principal
from angarium.smtp.sasl.exchange import Claim
from angarium.submission.requests.mail import Mail
from angarium.submission.requests.requests import MailLimits

JSON_TYPE = "application/json"


class SendingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as a dialect sees it. Names of *headers* are in lower case; of several fields of a name the first
    counts. *query* is what stands behind `?`, undecoded. *peer_ip* is empty where it is not known.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    query: bytes = b""
    peer_ip: str = ""


class DialectAnswer(msgspec.Struct, frozen=True):
    """What is answered: it goes to the client byte for byte."""

    status: int
    body: bytes
    media_type: str = JSON_TYPE
    headers: Mapping[str, str] = {}


class DialectRefusal(AngariumError):
    """Ends a request with *answer*: nothing of it is taken."""

    def __init__(self, answer: DialectAnswer) -> None:
        super().__init__(f"refused with {answer.status}")
        self.answer = answer


class AskedMail(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for: *mails*, which are made as they are taken. *is_dry*: nothing is to be taken, only said
    what would be. *memo* is what the dialect wants to know again when it answers.
    """

    mails: Iterable[Mail]
    is_dry: bool = False
    memo: Any = None


class Taking(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, at what time (epoch seconds), and how much one message of theirs may have."""

    principal: Principal
    now: float
    limits: MailLimits


class SendingDialect(Protocol):
    """The words of one dialect. Pure: nothing here waits or knows a clock."""

    def claim(self, request: SendingRequest) -> Claim | None:
        """Return the key that a request shows, None for none."""
        ...

    def read(self, request: SendingRequest, body: bytes, taking: Taking) -> AskedMail:
        """Return what is asked for. Raises DialectRefusal for a body that asks for nothing that can be understood."""
        ...

    def answer(
        self, request: SendingRequest, asked: AskedMail, receipts: Sequence[Receipt], now: float
    ) -> DialectAnswer:
        """Return what is answered to *receipts*, one for each of the mails, in their order."""
        ...

    def refuse(self, request: SendingRequest, problems: Sequence[Problem], now: float) -> DialectAnswer:
        """Return what is answered to a request of which nothing was taken, nor read."""
        ...
