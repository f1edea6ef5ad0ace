"""What a problem is called as Postmark would: its number, and the sentence before it."""

from collections.abc import Iterable, Sequence
from typing import Final

from angarium.core.submission import Problem, Reason
from angarium.dialects.postmark.problem import (
    BAD_TOKEN,
    FAULT,
    MAINTENANCE,
    NO_TOKEN_SENTENCE,
    RATE,
    SUSPENDED,
    PostmarkProblem,
)
from angarium.dialects.sentences import Sentence, sentence_of

BAD_REQUEST: Final = 300
BAD_SENDER: Final = 400
INACTIVE: Final = 406
BAD_ATTACHMENT: Final = 411
NO_TEMPLATE: Final = 1101
UNKNOWN_STREAM: Final = 1235
UNUSABLE_STREAM: Final = 1236

_NUMBERS: Final = {
    Reason.DOMAIN: BAD_SENDER,
    Reason.NO_DOMAIN: BAD_SENDER,
    Reason.UNREADABLE_AUTHOR: BAD_SENDER,
    Reason.UNKNOWN_STREAM: UNKNOWN_STREAM,
    Reason.ARCHIVED_STREAM: UNUSABLE_STREAM,
    Reason.BOUND_STREAM: UNUSABLE_STREAM,
    Reason.SUPPRESSED: INACTIVE,
    Reason.ATTACHMENT_TYPE: BAD_ATTACHMENT,
    Reason.LOGIN_SUSPENDED: SUSPENDED,
    **dict.fromkeys(
        (
            *(Reason.LOGIN_UNKNOWN, Reason.LOGIN_MISSING, Reason.LOGIN_REVOKED, Reason.LOGIN_DISABLED),
            *(Reason.LOGIN_EXPIRED, Reason.LOGIN_GRANT),
        ),
        BAD_TOKEN,
    ),
    **dict.fromkeys((Reason.QUOTA, Reason.ACCOUNT_QUEUE), RATE),
    **dict.fromkeys(
        (
            *(Reason.STORAGE_FULL, Reason.STORAGE, Reason.QUEUE_FULL, Reason.MEMORY, Reason.UNCOUNTED),
            *(Reason.LOGIN_UNCHECKED, Reason.KEYS_UNKNOWN, Reason.LOGIN_BINDING),
        ),
        MAINTENANCE,
    ),
    Reason.FAULT: FAULT,
}
_STATUSES: Final = {Reason.BODY_SIZE: 413, Reason.KEY_DIFFERS: 409, Reason.KEY_RUNNING: 409}

_SENTENCES: Final[dict[Reason, Sentence]] = {
    Reason.METADATA_COUNT: "Invalid metadata content. There may be {limit} X-PM-Metadata fields, not {found}",
    Reason.METADATA_NAMELESS: "Invalid metadata content. A name must follow X-PM-Metadata-",
    Reason.METADATA_NAME: "Invalid metadata content. Field names are limited to {limit} characters; {shown} "
    "has {found}",
    Reason.METADATA_VALUE: "Invalid metadata content. Field values are limited to {limit} characters; that of {shown} "
    "has {found}",
}

_API_SENTENCES: Final[dict[Reason, Sentence]] = {
    **_SENTENCES,
    Reason.UNKNOWN_STREAM: "The stream provided: {shown} does not exist on this server.",
    Reason.NO_RECIPIENTS: "Zero recipients specified",
    Reason.LOGIN_UNKNOWN: "Request does not contain a valid Server token.",
    Reason.LOGIN_MISSING: NO_TOKEN_SENTENCE,
    Reason.DOMAIN: "The 'From' address you supplied ({value}) is not a Sender Signature on your account. Please add "
    "and confirm this address in order to be able to use it in the 'From' field of your messages.",
}

NO_TEMPLATE_SENTENCE: Final = (
    "The Template's 'TemplateId' or 'Alias' associated with this request is not valid or was not found."
)


def number_of(problem: Problem) -> int:
    """Return the ErrorCode of Postmark's API."""
    return _NUMBERS.get(problem.reason, BAD_REQUEST)


def api_problem(problems: Sequence[Problem]) -> PostmarkProblem:
    """Return what a request, or one message of it, is refused with for *problems*, the first of which tells."""
    inactive = [problem.value for problem in problems if problem.reason is Reason.SUPPRESSED]
    if inactive and len(inactive) == len(problems):
        return PostmarkProblem(INACTIVE, inactive_sentence(inactive))
    first = problems[0]
    if first.reason is Reason.FIELD and first.field == "template":
        return PostmarkProblem(NO_TEMPLATE, NO_TEMPLATE_SENTENCE)
    return PostmarkProblem(
        number_of(first), sentence_of(first, _API_SENTENCES), status=_STATUSES.get(first.reason)
    )


def inactive_sentence(addresses: Iterable[str]) -> str:
    """Return what is said where all recipients are suppressed; clients find the addresses in it."""
    return (
        "You tried to send to recipient(s) that have been marked as inactive. Found inactive addresses: "
        f"{_listed(addresses)}. Inactive recipients are ones that have generated a hard bounce, a spam complaint, or a "
        "manual suppression."
    )


def partly_inactive_sentence(addresses: Iterable[str]) -> str:
    """Return what is said where some recipients are suppressed, and the others have the message."""
    return (
        f"Message OK, but will not deliver to these inactive addresses: {_listed(addresses)}. Inactive recipients are "
        "ones that have generated a hard bounce or a spam complaint."
    )


def _listed(addresses: Iterable[str]) -> str:
    return ", ".join(address.lower() for address in addresses)


def sentence(problem: Problem) -> str:
    """Return the sentence for a reply, which has no other place for the number."""
    return f"{sentence_of(problem, _SENTENCES)} (Postmark error {number_of(problem)})"
