"""One request to Postmark's API as its handlers see it, and what it may touch."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Final

import msgspec

from angarium.core.clock import Clock
from angarium.dialects.postmark.dates import span_of
from angarium.dialects.postmark.problem import NOT_FOUND, SUSPENDED, PostmarkProblem
from angarium.dialects.postmark.reading import Given
from angarium.events.bodies.store import BodyStore
from angarium.events.erasing import ErasureFolder
from angarium.events.port import EventStore, Whose
from angarium.events.reports.reporter import MailReporter
from angarium.http.api.caller import actor_of
from angarium.http.manage.call import Checker
from angarium.identity.principal import Principal
from angarium.identity.records import Server
from angarium.identity.store.store import IdentityStore
from angarium.query.nodes import Between, Equal, Node
from angarium.query.words import folded
from angarium.sql.errors import Conflict, Invalid, NotFound

MOST_LISTED: Final = 10_000
"""So far a listing of what happened goes: count and offset together."""
MOST_AT_ONCE: Final = 500
_NEVER: Final = 253_402_300_799.0

Whole = Annotated[int, msgspec.Meta(ge=-(1 << 60), le=1 << 60)]


class Paged(Given):
    """How much of a listing, and behind how many."""

    count: Whole | None = None
    offset: Whole | None = None


class Within(Paged):
    """A part of what happened, from the first day to the last."""

    tag: str | None = None
    from_date: str | None = None
    to_date: str | None = None
    message_stream: str | None = None


@dataclass(frozen=True)
class PostmarkCall:
    """A request whose token is known. *hostname* is the node's name."""

    store: IdentityStore
    events: EventStore
    reports: MailReporter
    texts: BodyStore
    erasures: ErasureFolder
    check: Checker
    principal: Principal
    hostname: str
    clock: Clock

    @property
    def account(self) -> int:
        """The account that the token belongs to."""
        return self.principal.account.id

    @cached_property
    def server(self) -> Server:
        """The server that the token is for. Raises PostmarkProblem: the account has none."""
        if self.principal.server is None:
            raise PostmarkProblem(SUSPENDED, "The account of this token has no server yet; make one first.")
        return self.principal.server

    @cached_property
    def whose(self) -> Whose:
        """The mail of the server."""
        return Whose(self.account, (self.server.id,))

    @property
    def actor(self) -> str:
        """How the audit log names who asks."""
        return actor_of(self.principal)

    def mail(self, query: Within) -> list[Node]:
        """Return what mail a listing is of."""
        found: list[Node] = []
        if query.tag is not None:
            found.append(Equal("tag", folded(query.tag)))
        if query.message_stream is not None:
            found.append(Equal("stream", folded(query.message_stream)))
        return found

    def period(self, query: Within, code: int) -> tuple[float, float]:
        """Return when it was: from the beginning of the first day to the end of the last. Raises PostmarkProblem with
        *code*.
        """
        since, until = self.bounds(query.from_date, query.to_date, code)
        return (0.0 if since is None else since), (_NEVER if until is None else until)

    def bounds(
        self, from_date: str | None, to_date: str | None, code: int
    ) -> tuple[float | None, float | None]:
        """Return the beginning of the first day and the end of the last, None where none is said. Raises
        PostmarkProblem with *code*.
        """
        since, until = self._date("fromdate", from_date, code), self._date("todate", to_date, code)
        return (since[0] if since else None), (until[1] if until else None)

    def dates(self, query: Within, code: int) -> list[Node]:
        """Return when mail was accepted, as a part of a query. Raises PostmarkProblem with *code*."""
        if query.from_date is None and query.to_date is None:
            return []
        return [Between("date", *self.period(query, code))]

    def _date(self, name: str, text: str | None, code: int) -> tuple[float, float] | None:
        if text is None:
            return None
        span = span_of(text, self.clock.now())
        if span is None:
            raise PostmarkProblem(
                code, f"The '{name}' is no date: write it as 2026-11-30 or 2026-11-30T14:05:00."
            )
        return span


def page_of(
    query: Paged, code: int, *, most: int | None = MOST_LISTED, default: int = 100
) -> tuple[int, int]:
    """Return count and offset. *most*: of both together. Raises PostmarkProblem with *code*."""
    count = default if query.count is None else query.count
    offset = 0 if query.offset is None else query.offset
    if not 1 <= count <= MOST_AT_ONCE:
        raise PostmarkProblem(code, f"The 'count' must be from 1 to {MOST_AT_ONCE}.")
    if offset < 0:
        raise PostmarkProblem(code, "The 'offset' must be 0 or more.")
    if most is not None and count + offset > most:
        raise PostmarkProblem(code, f"'count' and 'offset' together must not be more than {most:,}.")
    return count, offset


Coded = int | tuple[int, str]
"""An ErrorCode, alone where the sentence of what refused will do."""


@contextmanager
def refusals(
    *, missing: Coded = NOT_FOUND, conflict: Coded = NOT_FOUND, invalid: Coded = NOT_FOUND
) -> Iterator[None]:
    """Turn what a store refuses into Postmark's codes."""
    try:
        yield
    except NotFound as error:
        raise _coded(missing, error) from error
    except Conflict as error:
        raise _coded(conflict, error) from error
    except Invalid as error:
        raise _coded(invalid, error) from error


def _coded(code: Coded, error: Exception) -> PostmarkProblem:
    number, said = code if isinstance(code, tuple) else (code, "")
    return PostmarkProblem(number, said or str(error))
