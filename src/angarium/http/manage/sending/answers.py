"""What those who send are answered, as JSON."""

from collections.abc import Sequence
from typing import Final

import msgspec

from angarium.core.ids import format_id
from angarium.core.records import ForwardPath
from angarium.core.submission import Problem, Reason, Receipt
from angarium.dialects.table import sentence_of
from angarium.http.api.problem import SORTS, TYPE_PREFIX, FieldError, ProblemBody
from angarium.http.sending.statuses import leading_status

_SORTS: Final = {422: "invalid"} | {sort.status: name for name, sort in SORTS.items()}

_POINTERS: Final = {
    **dict.fromkeys((Reason.DOMAIN, Reason.NO_DOMAIN, Reason.BAD_FROM, Reason.NO_AUTHOR), "from"),
    **dict.fromkeys((Reason.SEVERAL_FROM, Reason.LONG_FROM, Reason.UNREADABLE_AUTHOR), "from"),
    **dict.fromkeys((Reason.UNKNOWN_STREAM, Reason.ARCHIVED_STREAM, Reason.BOUND_STREAM), "stream"),
    **dict.fromkeys((Reason.UNKNOWN_BINDING, Reason.BINDING), "binding"),
    **dict.fromkeys(
        (Reason.SUPPRESSED, Reason.TOO_MANY_RECIPIENTS, Reason.NO_RECIPIENTS, Reason.LITERAL), "to"
    ),
    Reason.RETURN_PATH: "return_path",
}
"""Which field a problem is about that does not say so itself."""


class RecipientSent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One recipient: `message` is the id of the message that it gets; without one `problem` says why it gets none."""

    address: str
    message: str = ""
    problem: str = ""


class MessageSent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one message. It is durable, and has the id; or `problem` says why it was not taken.

    `accepted` and `refused` count recipients.
    """

    id: str = ""
    accepted: int = 0
    refused: int = 0
    recipients: tuple[RecipientSent, ...] = ()
    problem: ProblemBody | None = None


class BatchSent(msgspec.Struct, frozen=True):
    """What became of each message of a batch, in their order."""

    accepted: int
    refused: int
    results: list[MessageSent]


def sent(
    paths: Sequence[ForwardPath], receipt: Receipt, at: str = "/", *, is_dry: bool = False
) -> MessageSent:
    """Return what became of a message for *paths*. *at* is where it stands in the request, as a JSON pointer. With
    *is_dry* it was only looked at, and has no id.
    """
    refused = tuple(RecipientSent(path.address, problem=said(problem)) for path, problem in receipt.refused)
    if not receipt.messages:
        return MessageSent(refused=len(paths), recipients=refused, problem=problem_of(receipt.problems, at))
    out = {path for path, _ in receipt.refused}
    taken = [path for path in paths if path not in out]
    named = "" if is_dry else format_id(receipt.messages[0])
    accepted = tuple(RecipientSent(path.address, named) for path in taken)
    return MessageSent(named, len(accepted), len(refused), (*accepted, *refused))


def problem_of(problems: Sequence[Problem], at: str = "/") -> ProblemBody:
    """Return *problems* as one document, all of them."""
    sort = _SORTS.get(leading_status(problems), "invalid")
    status, title = SORTS[sort]
    errors = tuple(
        FieldError(at + pointer if (pointer := _pointer(problem)) else "", said(problem), code=problem.reason)
        for problem in problems
    )
    sentences = "; ".join(dict.fromkeys(error.detail for error in errors))
    return ProblemBody(TYPE_PREFIX + sort, title, status, sentences, errors)


def _pointer(problem: Problem) -> str:
    if problem.reason in (Reason.FIELD, Reason.ATTACHMENT_TYPE):
        return problem.field
    return _POINTERS.get(problem.reason, "")


def said(problem: Problem) -> str:
    """Return a problem in the product's own words, whose habits ever its sender expects by SMTP."""
    return sentence_of(problem.in_dialect(""))
