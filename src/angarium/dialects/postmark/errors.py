"""What a problem is called as Postmark would: its number, and the sentence before it."""

from typing import Final

from angarium.core.submission import Problem, Reason
from angarium.dialects.sentences import Sentence, sentence_of

BAD_REQUEST: Final = 300
BAD_SENDER: Final = 400
UNKNOWN_STREAM: Final = 1235
UNUSABLE_STREAM: Final = 1236

_NUMBERS: Final = {
    Reason.DOMAIN: BAD_SENDER,
    Reason.NO_DOMAIN: BAD_SENDER,
    Reason.UNREADABLE_AUTHOR: BAD_SENDER,
    Reason.UNKNOWN_STREAM: UNKNOWN_STREAM,
    Reason.ARCHIVED_STREAM: UNUSABLE_STREAM,
    Reason.BOUND_STREAM: UNUSABLE_STREAM,
}

_SENTENCES: Final[dict[Reason, Sentence]] = {
    Reason.METADATA_COUNT: "Invalid metadata content. There may be {limit} X-PM-Metadata fields, not {found}",
    Reason.METADATA_NAMELESS: "Invalid metadata content. A name must follow X-PM-Metadata-",
    Reason.METADATA_NAME: "Invalid metadata content. Field names are limited to {limit} characters; {shown} "
    "has {found}",
    Reason.METADATA_VALUE: "Invalid metadata content. Field values are limited to {limit} characters; that of {shown} "
    "has {found}",
}


def number_of(problem: Problem) -> int:
    """Return the ErrorCode of Postmark's API."""
    return _NUMBERS.get(problem.reason, BAD_REQUEST)


def sentence(problem: Problem) -> str:
    """Return the sentence for a reply, which has no other place for the number."""
    return f"{sentence_of(problem, _SENTENCES)} (Postmark error {number_of(problem)})"
