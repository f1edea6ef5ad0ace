"""Bounds that hold for every submission, from any sender. Pure."""

from collections.abc import Sequence

from angarium.core.fields import Fields
from angarium.core.records import ForwardPath
from angarium.core.submission import Content, EntrancePolicy, Problem, Reason, Submission
from angarium.identity.principal import Principal
from angarium.mime.header import HeaderBlock
from angarium.submission.intake.copies import Copies
from angarium.submission.policy import is_too_large, literal_problem

_SHARE_OF_JOURNAL = 4
"""The copies of one message may take up to one part in so many of the journal."""


def content_problem(content: Content) -> Problem:
    """Say that no message can be made of content that is no message yet."""
    return Problem(Reason.CONTENT, field="fields" if isinstance(content, Fields) else "a template")


def header_problem(header: HeaderBlock, policy: EntrancePolicy) -> Problem | None:
    """Return what is wrong with the header block as a whole, or None."""
    if is_too_large(header, policy.max_header_size):
        return Problem(Reason.HEADER_SIZE, limit=policy.max_header_size, found=header.size)
    most = policy.max_received_headers
    if most and header.received_count > most:
        return Problem(Reason.LOOP, limit=most, found=header.received_count)
    return None


def recipient_problems(
    submission: Submission[Principal], named: Sequence[ForwardPath], copies: Copies
) -> tuple[Problem, ...]:
    """Return what is wrong with the recipients that options add, and with those *named* that no door has looked at."""
    problems = (_to_literals(submission, named, copies), _too_many(submission, copies))
    return tuple(problem.in_dialect(copies.dialect) for problem in problems if problem is not None)


def copies_problems(copies: Copies, size: int, journal_size: int) -> tuple[Problem, ...]:
    """Return what is wrong with the copies of a message of *size* bytes."""
    problem = _too_large(size, copies, journal_size // _SHARE_OF_JOURNAL)
    return () if problem is None else (problem.in_dialect(copies.dialect),)


def _to_literals(
    submission: Submission[Principal], named: Sequence[ForwardPath], copies: Copies
) -> Problem | None:
    takes, has_login = submission.policy.takes_literals, submission.principal is not None
    added = [*(path.domain for path in copies.further), *(copy.domain for copy in copies.hidden)]
    domains = [*(path.domain for path in named), *added]
    problems = (literal_problem(takes, domain, has_login) for domain in domains)
    return next((problem for problem in problems if problem is not None), None)


def _too_many(submission: Submission[Principal], copies: Copies) -> Problem | None:
    """Hold a login's limit of recipients against those of the envelope and those that options add."""
    principal = submission.principal
    most = principal.max_recipients if principal is not None else None
    number = len(submission.envelope.recipients) + copies.number
    if most is None or number <= most:
        return None
    return Problem(Reason.TOO_MANY_RECIPIENTS, limit=most, found=number)


def _too_large(size: int, copies: Copies, most_bytes: int) -> Problem | None:
    """Refuse at once what the spool would refuse half-way, after some copies were taken."""
    if size * len(copies.hidden) <= most_bytes:
        return None
    return Problem(Reason.COPIES_SIZE, limit=most_bytes, found=len(copies.hidden), facts={"size": size})
