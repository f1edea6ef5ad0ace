"""What becomes of a header block before it is stored: options in force, fields taken out, fields added. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from angarium.core.options import NO_OPTIONS, Options, layered
from angarium.core.submission import Problem, Wishes
from angarium.dialects.headers import option_spans, read_wishes
from angarium.dialects.table import DIALECT_OF_LOGIN
from angarium.identity.principal import Principal, options_for, stream_problem
from angarium.mime.addresses import FieldMailbox
from angarium.mime.header import HeaderBlock, Span
from angarium.submission.intake.copies import cc_field
from angarium.submission.intake.duties import (
    KEY_FIELD,
    author_problem,
    authors_of,
    hidden_spans,
    identity_problem,
    replaces_id,
    sender_line,
    unstamped,
)

_FROM_ELSEWHERE = Options(sign=False)


class MessageDraft(NamedTuple):
    """A header block as it was understood.

    *options* are those in force, *asked* what the submission itself asks for by its *wishes*. *spans* are to be cut out
    of the message, *lines* (whole, with CRLF) to be put before it. *author_domain* is that of the first author, or
    empty. *silent* are those of `duties.STAMPS` that say nothing. *replaces_id* says that a Message-ID of ours takes
    the place of the sender's. *key* is what the mail says that it may come twice by, empty for nothing.
    """

    author_domain: str
    options: Options = NO_OPTIONS
    spans: tuple[Span, ...] = ()
    lines: bytes = b""
    replaces_id: bool = False
    wishes: tuple[Wishes, ...] = ()
    asked: Options = NO_OPTIONS
    problems: tuple[Problem, ...] = ()
    silent: tuple[bytes, ...] = ()
    key: str = ""


def draft_of(
    header: HeaderBlock, principal: Principal | None, *, is_trusted: bool, wishes: tuple[Wishes, ...] = ()
) -> MessageDraft:
    """Read a header block. *principal* is who logged in; *is_trusted* says that the sender needs no login. *wishes* are
    what is asked for besides.

    Where neither holds, the message comes from elsewhere: its option fields are taken out, unheeded, and it is not
    signed, since any sender may have written the author's name.
    """
    authors = authors_of(header)
    author_domain = authors[0].domain if authors else ""
    silent = unstamped(header)
    instructions = option_spans(header)
    spans = list(instructions)
    if silent:
        spans += header.empty(*silent)
    if principal is None and not is_trusted:
        return MessageDraft(author_domain, _FROM_ELSEWHERE, tuple(spans), silent=silent)
    if instructions:
        wishes = (*wishes, *read_wishes(header, instructions))
    asked = _asked(header, wishes) if wishes else _NOTHING
    hidden = hidden_spans(header)
    key = header.first(KEY_FIELD) if hidden else ""
    spans += (*asked.replaced, *hidden)
    if principal is None:
        options, lines, replaces, problems = asked.options, asked.cc, False, asked.problems
    else:
        options = options_for(principal, asked.options)
        replaces = replaces_id(principal, options)
        if replaces:
            spans += header.spans(b"message-id")
        problems = (
            *asked.problems,
            *_stream_problems(principal, asked.options.stream, wishes),
            *_author_problems(header, principal, authors),
        )
        lines = sender_line(header, authors) + asked.cc
    return MessageDraft(
        author_domain, options, tuple(spans), lines, replaces, wishes, asked.options, problems, silent, key
    )


class _Asked(NamedTuple):
    """What *wishes* come to: options, the Cc field that shows the copies with the fields that it replaces, problems."""

    options: Options = NO_OPTIONS
    cc: bytes = b""
    replaced: Sequence[Span] = ()
    problems: tuple[Problem, ...] = ()


_NOTHING = _Asked()


def _asked(header: HeaderBlock, wishes: tuple[Wishes, ...]) -> _Asked:
    options = layered(*(wish.options for wish in wishes))
    cc, replaced = cc_field(header, [copy for wish in wishes for copy in wish.cc])
    return _Asked(options, cc, replaced, tuple(problem for wish in wishes for problem in wish.problems))


def dialect_of(wishes: Sequence[Wishes], option: str) -> str:
    """Return the dialect in which *option* is asked for, the name of a field of `Options`; empty: in none."""
    for wish in wishes:
        if getattr(wish.options, option) is not None:
            return wish.dialect
    return ""


def _stream_problems(principal: Principal, wanted: str | None, wishes: Sequence[Wishes]) -> list[Problem]:
    problem = stream_problem(principal, wanted)
    if problem is None:
        return []
    return [problem.in_dialect(dialect_of(wishes, "stream") or _habits(principal))]


def _author_problems(
    header: HeaderBlock, principal: Principal, authors: tuple[FieldMailbox, ...]
) -> list[Problem]:
    problem = author_problem(header, authors)
    if problem is None and principal.needs_verified_domain:
        problem = identity_problem(header, principal)
    return [] if problem is None else [problem.in_dialect(_habits(principal))]


def _habits(principal: Principal) -> str:
    return DIALECT_OF_LOGIN[principal.kind].name
