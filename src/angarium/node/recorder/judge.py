"""Why an attempt has failed, in a word, for the event store."""

import re
from functools import lru_cache

from angarium.core.providers import OTHER, provider_of
from angarium.core.records import Event, Stage
from angarium.feedback.classify import classify
from angarium.feedback.occurrences import STAGES

_OWN_NUMBERS = re.compile(r"\b(?=\w*\d)\w{11,}\b")
"""Queue ids and the like: different in each answer, and never what it means. Codes of providers are shorter."""


def reason_of(event: Event) -> str:
    """Return the name of the reason (`feedback.reasons`), empty for an event without an answer."""
    if event.reply is None:
        return ""
    stage: Stage | None = event.attempt.stage if event.attempt is not None else None
    answer = _OWN_NUMBERS.sub("*", f"{event.reply.code} {event.reply.text}")
    provider = provider_of(event.attempt.host) if event.attempt is not None else OTHER
    return _judged(answer, event.reply.enhanced, STAGES.get(stage or "", ""), provider)


@lru_cache(maxsize=10_000)
def _judged(answer: str, status: str, stage: str, provider: str) -> str:
    return classify(answer, status, stage, provider).reason.name
