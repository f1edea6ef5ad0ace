"""What Postmark's API refuses with: a number of its own, a sentence, and the HTTP status that goes with the number.

Numbers that look like an HTTP status are none: 406 travels in an HTTP 422.
"""

from collections.abc import Mapping
from typing import Any, Final

from angarium.core.errors import AngariumError

BAD_TOKEN: Final = 10
MAINTENANCE: Final = 100
FAULT: Final = 101
BAD_JSON: Final = 402
BAD_FIELD: Final = 403
JSON_WANTED: Final = 409
SUSPENDED: Final = 413
RATE: Final = 429
NOT_FOUND: Final = 501
UNSUPPORTED: Final = 615

_STATUSES: Final = {
    BAD_TOKEN: 401,
    12: 404,
    MAINTENANCE: 503,
    FAULT: 500,
    JSON_WANTED: 415,
    RATE: 429,
    1002: 400,
}
_REFUSED: Final = 422

NO_TOKEN_SENTENCE: Final = (
    "No Account or Server API tokens were supplied in the HTTP headers. Please add a header for either "
    "X-Postmark-Server-Token or X-Postmark-Account-Token."
)
ACCOUNT_TOKEN_SENTENCE: Final = "Please do not include Account API Token for Server API Token calls."


class PostmarkProblem(AngariumError):
    """Ends a request with the error *code* of Postmark's. *status*: the HTTP status, None the one of the code."""

    def __init__(
        self, code: int, message: str, *, status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status or _STATUSES.get(code, _REFUSED)
        self.headers = dict(headers or {})

    def answer(self) -> dict[str, Any]:
        """Return the body of the answer."""
        return {"ErrorCode": self.code, "Message": str(self)}


def bad_token(kind: str) -> PostmarkProblem:
    """Return the problem of a token that is not good. *kind*: `Server` or `Account`."""
    return PostmarkProblem(BAD_TOKEN, f"Request does not contain a valid {kind} token.")
