"""What is asked of DNS, and what came back. An answer is a value: hostile or missing data never raises."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

RecordType = Literal["A", "AAAA", "CNAME", "MX", "TLSA", "TXT"]

Status = Literal["found", "nodata", "nxdomain", "failure"]
"""*nodata*: the name exists without such records. *failure*: no server gave a usable answer in time."""


class Question(NamedTuple):
    """A name, lower case and without final dot, and the type of the records wanted."""

    name: str
    type: RecordType


class Mx(NamedTuple):
    """One MX record. *host* is lower case without final dot, empty for the root (RFC 7505)."""

    preference: int
    host: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What DNS says to a question, CNAMEs followed unless they are what was asked for.

    *records* are there only when *status* is found: `Mx`, or text: numeric addresses, the joined strings of
    TXT, the target of CNAME, the four fields of TLSA. Names are in presentation form, odd bytes escaped.
    *ttl_s* is how long the answer may be used from now on. *authenticated* is the AD flag (RFC 4035 §3.2.3),
    worth as much as the way to the server. *note* says what went wrong, for logs and the operator.
    """

    status: Status
    records: tuple[Mx | str, ...] = ()
    ttl_s: int = 0
    authenticated: bool = False
    note: str = ""

    @property
    def mx(self) -> tuple[Mx, ...]:
        """The MX records among the records."""
        return tuple(record for record in self.records if isinstance(record, Mx))

    @property
    def texts(self) -> tuple[str, ...]:
        """The records of any other type."""
        return tuple(record for record in self.records if isinstance(record, str))


class DnsResolver(Protocol):
    """What answers questions; `resolver.Resolver` in the program."""

    async def query(self, name: str, type: RecordType, since: float = 0.0) -> Answer:
        """Return what DNS says; a failure is an answer. What was asked before *since* (epoch) is asked again."""
        ...
