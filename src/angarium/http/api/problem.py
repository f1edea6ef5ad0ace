"""Errors of an API, as problem documents (RFC 9457).

Programs go by `type`; `detail` is the sentence for people and says what to send instead.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from angarium.core.errors import AngariumError

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:angarium:problem:"


class Sort(NamedTuple):
    """One sort of problem: its HTTP status and title."""

    status: int
    title: str


SORTS: Final[dict[str, Sort]] = {
    "invalid": Sort(400, "The request is not valid"),
    "not-authenticated": Sort(401, "An API key is needed"),
    "not-allowed": Sort(403, "The API key does not allow this"),
    "not-found": Sort(404, "There is no such thing"),
    "method": Sort(405, "Not a method of this resource"),
    "conflict": Sort(409, "It stands against what there is"),
    "too-large": Sort(413, "The body is too large"),
    "media-type": Sort(415, "The body is not JSON"),
    "too-many": Sort(429, "More than is allowed at the moment"),
    "internal": Sort(500, "A fault of the node"),
    "unavailable": Sort(503, "The node cannot answer at the moment"),
}


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one field. *pointer* is a JSON pointer into the body, or the query parameter's name.

    *code* names what is wrong for programs, where there is a name for it. Of a text that
    cannot be read, *position* is how many characters stand before what is wrong, and *shown* is the text
    round it with a caret below the place.
    """

    pointer: str
    detail: str
    position: int | None = None
    shown: str = ""
    code: str = ""


class ProblemBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The document. *errors* tells of each field, where it is about fields."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()


class HttpProblem(AngariumError):
    """Ends a request with the problem document of *sort*, one of `SORTS`."""

    def __init__(
        self,
        sort: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.sort = sort
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        """The HTTP status."""
        return SORTS[self.sort].status

    def body(self) -> bytes:
        """Return the document as JSON."""
        status, title = SORTS[self.sort]
        return msgspec.json.encode(
            ProblemBody(TYPE_PREFIX + self.sort, title, status, str(self), self.errors)
        )


def unavailable(what: str = "the identity store") -> HttpProblem:
    """Return the problem of a store that is silent."""
    said = f"{what} does not answer; try again in a moment"
    return HttpProblem("unavailable", said, headers={"Retry-After": "5"})
