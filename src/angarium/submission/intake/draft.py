"""What becomes of a header block before it is stored: options in force, fields taken out, fields added. Pure."""

from typing import Literal, NamedTuple

from angarium.core.options import NO_OPTIONS, Options
from angarium.core.reply import Reply
from angarium.dialects.headers import option_spans, read_options
from angarium.dialects.postmark import headers as postmark
from angarium.dialects.values import NOTHING_SAID, HeaderOptions, Problem, Reason
from angarium.identity.principal import Principal, options_for, stream_of, stream_problem
from angarium.mime.addresses import FieldMailbox
from angarium.mime.header import HeaderBlock, Span
from angarium.submission.intake.copies import cc_field
from angarium.submission.intake.duties import (
    VENDORS,
    author_problem,
    authors_of,
    hidden_spans,
    identity_problem,
    replaces_id,
    sender_line,
    unstamped,
)

_MOST_SENTENCES = 5
_FROM_ELSEWHERE = Options(sign=False)


class Draft(NamedTuple):
    """A header block as it was understood.

    *options* are those in force, *said* what the message itself asks for. *spans* are to be cut out of the message,
    *lines* (whole, with CRLF) to be put before it. *author_domain* is that of the first author, or empty.
    *silent* are those of `duties.STAMPS` that say nothing. *replaces_id* says that a Message-ID of ours takes the
    place of the sender's.
    """

    author_domain: str
    options: Options = NO_OPTIONS
    spans: tuple[Span, ...] = ()
    lines: bytes = b""
    replaces_id: bool = False
    said: HeaderOptions = NOTHING_SAID
    problems: tuple[Problem, ...] = ()
    silent: tuple[bytes, ...] = ()


class Verdict(NamedTuple):
    """What becomes of a message with problems: "refuse" at the end of data, or take and "fail" it."""

    action: Literal["refuse", "fail"]
    reason: Reason
    reply: Reply


def draft_of(header: HeaderBlock, principal: Principal | None, *, is_trusted: bool) -> Draft:
    """Read a header block. *principal* is who logged in; *is_trusted* says that the peer needs no login.

    Where neither holds, the message comes from elsewhere: its option fields are taken out, unheeded, and it is not
    signed, since anybody may have written the author's name.
    """
    authors = authors_of(header)
    author_domain = authors[0].domain if authors else ""
    silent = unstamped(header)
    spans = header.empty(*silent) if silent else []
    if principal is None and not is_trusted:
        return Draft(author_domain, _FROM_ELSEWHERE, (*option_spans(header), *spans), silent=silent)
    said = read_options(header)
    cc, replaced = cc_field(header, said.cc)
    spans += (*said.spans, *replaced, *hidden_spans(header))
    if principal is None:
        return Draft(author_domain, said.options, tuple(spans), cc, False, said, said.problems, silent)
    options = options_for(principal, said.options)
    replaces = replaces_id(principal, options)
    if replaces:
        spans += header.spans(b"message-id")
    problems = (
        *said.problems,
        *_stream_problems(principal, said.options.stream),
        *_author_problems(header, principal, authors),
    )
    lines = sender_line(header, authors) + cc
    return Draft(author_domain, options, tuple(spans), lines, replaces, said, problems, silent)


def _stream_problems(principal: Principal, wanted: str | None) -> list[Problem]:
    sentence = stream_problem(principal, wanted)
    if sentence is None:
        return []
    chosen = stream_of(principal, wanted)
    stream = principal.streams.get(chosen or "")
    reason: Reason = "unknown_stream" if stream is None else "stream"
    if stream is not None and stream.archived_at is not None:
        reason = "archived_stream"
    code = postmark.UNKNOWN_STREAM if stream is None else postmark.UNUSABLE_STREAM
    # only Postmark's field names a stream: whoever writes it expects Postmark's ways
    return [_problem(principal, reason, Reply(550, "5.6.0", sentence), code, is_pm=wanted is not None)]


def _author_problems(
    header: HeaderBlock, principal: Principal, authors: tuple[FieldMailbox, ...]
) -> list[Problem]:
    reply = author_problem(header, authors)
    if reply is not None:
        return [_problem(principal, "no_author", reply, postmark.BAD_REQUEST)]
    if principal.needs_verified_domain:
        reply = identity_problem(header, principal)
    return [_problem(principal, "domain", reply, postmark.BAD_SENDER)] if reply is not None else []


def _problem(
    principal: Principal, reason: Reason, reply: Reply, code: int, *, is_pm: bool = False
) -> Problem:
    vendor = VENDORS[principal.kind]
    if is_pm or vendor == "postmark":
        return postmark.problem(ascii_text(reply.text), reason, code, reply.enhanced)
    return Problem(vendor, reason, Reply(reply.code, reply.enhanced, ascii_text(reply.text)))


def ascii_text(text: str) -> str:
    """Return *text* as a reply may carry it (RFC 5321 §4.2)."""
    return text.encode("ascii", "replace").decode("ascii")


def judge(problems: tuple[Problem, ...], principal: Principal | None) -> Verdict | None:
    """Say what becomes of a message with *problems*: None without any.

    The server decides where it has a say (`Server.on_error`), else the vendor whose words were used. Without a login
    nobody would see the report of a failure, so everything is refused.
    """
    if not problems:
        return None
    wish = "refuse" if principal is None else "vendor"
    if principal is not None and principal.server is not None:
        wish = principal.server.on_error
    hard = [
        problem
        for problem in problems
        if problem.vendor is None or wish == "refuse" or (wish == "vendor" and problem.vendor != "postmark")
    ]
    return _verdict("refuse", hard) if hard else _verdict("fail", list(problems))


def _verdict(action: Literal["refuse", "fail"], problems: list[Problem]) -> Verdict:
    """Put the sentences together; a permanent refusal goes before a temporary one."""
    first = max(problems, key=lambda problem: problem.reply.code >= 500)
    same = [problem.reply for problem in problems if problem.reply.code == first.reply.code]
    sentences = dict.fromkeys((first.reply.text, *(reply.text for reply in same)))
    text = "\n".join(list(sentences)[:_MOST_SENTENCES])
    return Verdict(action, first.reason, Reply(first.reply.code, first.reply.enhanced, text))
