"""What an answer means for what was told, and how long is waited before it is told again. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from typing import Final, Literal, NamedTuple

from angarium.fetch.answer import HttpAnswer, Unanswered

Blame = Literal["event", "endpoint", "gone", "refused"]
"""Whose fault a failure is: of what was told (others may be taken), of the endpoint (nothing would be taken), of one
that is gone for good (410), or it was said of this event that it is never to be told again.
"""

LONGEST_WAIT_S: Final = 3600.0
_SHOWN: Final = 1_000
_OF_THE_EVENT: Final = frozenset({400, 406, 409, 411, 412, 413, 415, 417, 422, 431})


class WebhookFailure(NamedTuple):
    """*why* is a sentence. *status* is 0 without an answer, *answer* the beginning of its body. *wait_s* is what the
    endpoint has asked for, None: nothing.
    """

    blame: Blame
    why: str
    status: int = 0
    answer: str = ""
    wait_s: float | None = None


def judged(said: HttpAnswer | Unanswered, stops: frozenset[int], now: float) -> WebhookFailure | None:
    """Return what is wrong with what an endpoint *said*; None: it has taken what it was told. *stops* are what says in
    its dialect that an event is not to be told again.
    """
    if isinstance(said, Unanswered):
        return WebhookFailure("endpoint", str(said))
    if 200 <= said.status < 300:
        return None
    why = f"it answered {said.status}"
    if said.is_redirect:
        why = f"it answered {said.status} and sends elsewhere, where nobody goes: {said.header('location')[:200]!r}"
    return WebhookFailure(_blame(said.status, stops), why, said.status, shown(said.body), _asked(said, now))


def shown(body: bytes) -> str:
    """Return the beginning of a body as it is shown: text without control characters."""
    text = body[:_SHOWN].decode("utf-8", "replace")
    return "".join(
        each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text
    )


def _blame(status: int, stops: frozenset[int]) -> Blame:
    if status == 410:
        return "gone"
    if status in stops:
        return "refused"
    return "event" if status in _OF_THE_EVENT else "endpoint"


def _asked(said: HttpAnswer, now: float) -> float | None:
    """Return what Retry-After asks for (RFC 9110 §10.2.3), an hour at most; None: nothing, or nothing that is one."""
    value = said.header("retry-after").strip()
    if not value or said.status not in (429, 503):
        return None
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_WAIT_S)
    try:
        then = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    until = (then if then.tzinfo else then.replace(tzinfo=UTC)) - datetime.fromtimestamp(now, UTC)
    return min(max(until.total_seconds(), 0.0), LONGEST_WAIT_S)


def backoff_s(tries: int, table: Sequence[float], chance: Random) -> float | None:
    """Return how long is waited after so many *tries*, anything up to what the *table* says (full jitter: endpoints
    that failed together do not wake together); None: that was the last one.
    """
    return chance.uniform(0.0, table[tries - 1]) if tries <= len(table) else None


def probe_s(failures: int, chance: Random) -> float:
    """Return how long an endpoint is left alone that has failed so often in a row: up to five minutes, half of that at
    least.
    """
    return min(5.0 * 2.0 ** min(failures, 10), 300.0) * chance.uniform(0.5, 1.0)
