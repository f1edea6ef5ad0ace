"""A submission, looked at as a whole: what would enter the spool for it, or why it is not taken.

Pure but for the binding drawn. What is asked of others (quota, files, the spool) comes after it.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from angarium.config.model import Config
from angarium.core.body import Body
from angarium.core.fields import NOBODY, Fields, Form, Personal
from angarium.core.ids import format_id
from angarium.core.records import ForwardPath, Message
from angarium.core.submission import Content, Problem, Raw, Reason, Submission
from angarium.identity.principal import Principal
from angarium.mime.build.message import compose
from angarium.mime.header import HeaderBlock, cut, mended
from angarium.submission.intake.bounds import content_problem, header_problem
from angarium.submission.intake.copies import NO_COPIES, Copies, hidden_paths
from angarium.submission.intake.decision import Decision, decide
from angarium.submission.intake.draft import MessageDraft, draft_of
from angarium.submission.intake.fields import fields_problems
from angarium.submission.intake.forms import form_problems, sample_of, stored_form, without_id
from angarium.submission.intake.message import added_lines, message_of


class NotTaken(NamedTuple):
    """A submission is refused for *problems*."""

    problems: tuple[Problem, ...]


class PreparedMail(NamedTuple):
    """What enters: *message* with *body*, and *copies* of it. *failing* are the problems for which it is taken only to
    be reported as failed. *personal* is what each recipient of a form has of its own, in their order; empty: nothing.
    """

    submission: Submission[Principal]
    at: float
    message: Message
    body: Body
    draft: MessageDraft
    copies: Copies
    failing: tuple[Problem, ...]
    personal: Sequence[Personal] = ()

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return self.message.body_size

    @property
    def added(self) -> bytes:
        """The lines that stand before the header block of each copy, too."""
        return added_lines(self.submission, self.at, self.draft)


def prepared(
    config: Config,
    submission: Submission[Principal],
    at: float,
    uncounted: Sequence[ForwardPath],
    rng: random.Random,
) -> PreparedMail | NotTaken:
    """Look at a submission that came *at* a time, in epoch seconds. *uncounted* are recipients that no door has looked
    at.
    """
    content = _as_raw(config, submission)
    if isinstance(content, NotTaken):
        return content
    body = content.body
    header = HeaderBlock.scan(content.head)
    if header.lacks_blank_line and isinstance(body, bytes):
        body = mended(body)
        header = HeaderBlock.scan(body)
    problem = header_problem(header, submission.policy)
    if problem is not None:
        return NotTaken((problem,))
    draft = draft_of(header, submission.principal, is_trusted=submission.is_known, wishes=submission.wishes)
    form = submission.content if isinstance(submission.content, Form) else None
    if form is not None:
        content = stored_form(form, header, draft, submission.policy)
        body, draft = content.body, without_id(draft)
    elif isinstance(body, bytes) and (draft.spans or body is not content.body):
        body = cut(body, draft.spans)
        content = Raw(body, body, not body.isascii(), content.long_lines)
    size = len(body) if isinstance(body, bytes) else body.size
    decision = decide(config, submission, uncounted, draft, header, size, rng)
    if decision.refused:
        return NotTaken(decision.refused)
    message = message_of(submission, at, draft, header, content, decision)
    if form is not None:
        return _prepared_form(submission, at, message, body, draft, decision)
    return PreparedMail(submission, at, message, body, draft, decision.copies, decision.failing)


def _prepared_form(
    submission: Submission[Principal],
    at: float,
    message: Message,
    body: Body,
    draft: MessageDraft,
    decision: Decision,
) -> PreparedMail | NotTaken:
    """Copies of a form get what its one recipient gets. They are recipients of the same message, each alone."""
    named, copies, personal = submission.envelope.recipients, decision.copies, submission.personal
    if copies.number:
        if len(named) != 1:
            why = "do not go with a message of its own for each of several recipients"
            return NotTaken((Problem(Reason.FIELD, "copies", facts={"why": why}),))
        own = personal[0] if personal else NOBODY
        personal = [own, *[own._replace(to=named[0].address)] * copies.number]
    recipients = (*named, *copies.further, *hidden_paths(copies))
    message = msgspec.structs.replace(message, is_form=True, recipients=recipients)
    return PreparedMail(submission, at, message, body, draft, NO_COPIES, decision.failing, personal)


def _as_raw(config: Config, submission: Submission[Principal]) -> Raw | NotTaken:
    content: Content = submission.content
    if isinstance(content, Raw):  # as is usual
        return content
    if isinstance(content, Form):
        return _as_sample(config, content)
    if not isinstance(content, Fields):
        return NotTaken((content_problem(content),))
    problems = fields_problems(content, config.globals.forbidden_attachments)
    if problems:
        return NotTaken(problems)
    try:
        text = compose(content, seed=format_id(submission.id))
    except ValueError as error:
        return NotTaken((Problem(Reason.FIELD, facts={"why": str(error)}),))
    return Raw(text, text, not text.isascii(), long_lines=False)


def _as_sample(config: Config, form: Form) -> Raw | NotTaken:
    problems = (*fields_problems(form.fields, config.globals.forbidden_attachments), *form_problems(form))
    if problems:
        return NotTaken(problems)
    try:
        return sample_of(form)
    except ValueError as error:
        return NotTaken((Problem(Reason.FIELD, facts={"why": str(error)}),))
