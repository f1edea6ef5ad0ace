"""What problems are by HTTP: the one place where a reason has a status, and a time to come again."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Final

from angarium.core.submission import Problem, Reason

_OF_THE_MAIL: Final = 422
"""What is asked for is understood, and cannot be done: the usual."""

_STATUSES: Final = {
    Reason.STORAGE_FULL: 503,
    Reason.STORAGE: 503,
    Reason.QUEUE_FULL: 503,
    Reason.MEMORY: 503,
    Reason.FAULT: 500,
    Reason.QUOTA: 429,
    Reason.UNCOUNTED: 503,
    Reason.ACCOUNT_QUEUE: 429,
    Reason.LOGIN_UNCHECKED: 503,
    Reason.LOGIN_UNKNOWN: 401,
    Reason.LOGIN_MISSING: 401,
    Reason.LOGIN_REVOKED: 401,
    Reason.LOGIN_DISABLED: 401,
    Reason.LOGIN_EXPIRED: 401,
    Reason.LOGIN_SUSPENDED: 403,
    Reason.LOGIN_SMTP_OFF: 403,
    Reason.LOGIN_GRANT: 403,
    Reason.BODY_SIZE: 413,
    Reason.MESSAGE_SIZE: 413,
    Reason.COPIES_SIZE: 413,
    Reason.REQUEST: 400,
    Reason.KEY_SYNTAX: 400,
    Reason.KEY_DIFFERS: 409,
    Reason.KEY_RUNNING: 409,
    Reason.KEYS_UNKNOWN: 503,
    Reason.LOGIN_BINDING: 503,
    Reason.DOMAIN: 403,
    Reason.NO_DOMAIN: 403,
    Reason.RETURN_PATH: 403,
    Reason.BINDING: 403,
}

_SOON_S: Final = 5
_FULL_S: Final = 30
"""So long it takes until there may be room again."""
_WAITS: Final = {
    Reason.STORAGE_FULL: _FULL_S,
    Reason.QUEUE_FULL: _FULL_S,
    Reason.ACCOUNT_QUEUE: _FULL_S,
    Reason.LOGIN_BINDING: _FULL_S,
    Reason.KEY_RUNNING: 1,
}


def status_of(problem: Problem) -> int:
    """Return the status of one problem."""
    return _STATUSES.get(problem.reason, _OF_THE_MAIL)


def leading_status(problems: Sequence[Problem]) -> int:
    """Return the status of several: what the client must mend goes before what passes by itself."""
    return min((status_of(problem) for problem in problems), default=_OF_THE_MAIL)


def retry_headers(problems: Sequence[Problem], now: float) -> Mapping[str, str]:
    """Return when to come again, as header fields; none for what does not pass by itself."""
    waits = [retry_s(problem, now) for problem in problems if _passes(problem)]
    return {"Retry-After": str(max(waits))} if waits else {}


def _passes(problem: Problem) -> bool:
    return status_of(problem) in (429, 503) or problem.reason is Reason.KEY_RUNNING


def retry_s(problem: Problem, now: float) -> int:
    """Return after how many seconds a temporary problem may have passed."""
    again_at: float | None = problem.facts.get("again_at")
    if again_at is not None:
        return max(1, ceil(again_at - now))
    return _WAITS.get(problem.reason, _SOON_S)
