"""Where a queue's mail goes: the outcome of routing, made by `routing`, obeyed by the scheduler."""

from dataclasses import dataclass
from typing import Literal

from angarium.core.address import Address
from angarium.core.reply import Reply

Method = Literal["ESMTP", "SMTP", "LMTP"]

DNS_SILENT = "4.4.3"
"""The enhanced code of a failure that says nothing of the domain: DNS gave no answer (RFC 3463 §3.5)."""


@dataclass(frozen=True, slots=True)
class Level:
    """Addresses of equal preference: load is spread over them before a worse level is looked at."""

    preference: int
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """Where to deliver, best level first, never empty.

    *site* names the destination as a whole: queues of one binding whose plans have the same site may share
    connections. *expires_at* is when it must be asked anew, in epoch seconds. *why* says how the plan came
    about, for the operator ("MX of example.com", "Gateway, angarium.conf:12").
    """

    levels: tuple[Level, ...]
    method: Method
    site: str
    expires_at: float
    why: str


@dataclass(frozen=True, slots=True)
class RouteFailure:
    """There is no way to the domain, for now (4xx) or at all (5xx). *retry_at* is when to ask again."""

    reply: Reply
    retry_at: float
