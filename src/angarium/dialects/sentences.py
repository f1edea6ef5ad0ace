"""What a problem is called in English where no dialect has its own words for it. Pure."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import ceil
from typing import Final

from angarium.core.submission import Problem, Reason

Sentence = str | Callable[[Problem], str]
"""Text with the problem's fields and facts in braces, its value as *shown* too; or what makes the sentence of it."""

_WINDOWS = {1: "a second", 60: "a minute", 3600: "an hour", 86_400: "a day", 604_800: "a week"}


def shown(text: str) -> str:
    """Return what was written, short enough and safe for a reply."""
    short = text if len(text) <= 40 else text[:37] + "..."
    return "'" + "".join(c if c.isprintable() and c.isascii() else "?" for c in short) + "'"


def filled(sentence: Sentence, problem: Problem) -> str:
    """Return *sentence* with what *problem* knows."""
    if not isinstance(sentence, str):
        return sentence(problem)
    return sentence.format(
        field=problem.field,
        limit=problem.limit,
        value=problem.value,
        shown=shown(problem.value),
        found=problem.found,
        **problem.facts,
    )


def sentence_of(problem: Problem, own: Mapping[Reason, Sentence] | None = None) -> str:
    """Return what *problem* is called in the *own* words of a dialect, else in those of all: one line, whatever is in
    it.
    """
    text = filled((own or {}).get(problem.reason) or SENTENCES[problem.reason], problem)
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _quota(problem: Problem) -> str:
    return f"{_may(problem)} and has; send again after {_rfc3339(problem.facts['again_at'])}"


def _quota_too_small(problem: Problem) -> str:
    return f"{_may(problem)}, fewer than these {problem.found}; send to fewer at once"


def _may(problem: Problem) -> str:
    seconds = problem.facts["seconds"]
    window = _WINDOWS.get(seconds, f"in {seconds} seconds")
    return f"{problem.facts['owner']} may send to {problem.limit} recipients {window}"


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(ceil(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _unknown_stream(problem: Problem) -> str:
    return f"there is no stream {problem.value!r}: {_other_stream(problem)}"


def _archived_stream(problem: Problem) -> str:
    return f"stream {problem.value!r} is archived: unarchive it, or {_other_stream(problem)}"


def _other_stream(problem: Problem) -> str:
    names = problem.facts["streams"]
    return f"use one of {', '.join(names)}" if names else "make a server first, its streams come with it"


SENTENCES: Final[dict[Reason, Sentence]] = {
    Reason.STORAGE_FULL: "not enough storage; try again later",
    Reason.STORAGE: "the message could not be stored; try again later",
    Reason.QUEUE_FULL: "too many recipients are queued; try again later",
    Reason.MEMORY: "short of memory; try again later",
    Reason.FAULT: "a fault of this server kept it from taking the message; try again later",
    Reason.QUOTA: _quota,
    Reason.QUOTA_TOO_SMALL: _quota_too_small,
    Reason.UNCOUNTED: "the recipients could not be counted; try again in a moment",
    Reason.ACCOUNT_QUEUE: "account {account} has as many {field} queued as it may; send again when some were delivered",
    Reason.LOGIN_UNCHECKED: "logins cannot be checked at the moment; try again in a moment",
    Reason.LOGIN_REVOKED: "{login} was deleted or changed; log in again with what is valid now",
    Reason.LOGIN_DISABLED: "{login} is disabled; enable it or use another",
    Reason.LOGIN_EXPIRED: "{login} has expired; make a new one",
    Reason.LOGIN_SUSPENDED: "{owner} is suspended; ask whoever runs this service",
    Reason.LOGIN_SMTP_OFF: "this server may not be used by SMTP; switch that on or use another server",
    Reason.LOGIN_GRANT: "{login} lacks the grant {value!r}; add it or use another",
    Reason.LOGIN_UNKNOWN: "this key is not good, or not for this address; `angarium keys create` makes one",
    Reason.LOGIN_MISSING: "there is no key; send one as {field}",
    Reason.BODY_SIZE: "the body is larger than {limit} bytes; send less at once",
    Reason.REQUEST: "{why}",
    Reason.FIELD: "{field} {why}",
    Reason.ATTACHMENT_TYPE: "{shown} is not sent: files that end in .{ending} are refused by most receivers; "
    "send a link, or an archive (Forbidden_Attachments)",
    Reason.MESSAGE_SIZE: "a message may have {limit} bytes, not {found}; send less, or a link",
    Reason.NO_RECIPIENTS: "there is no recipient: name one in to, cc or bcc",
    Reason.KEY_SYNTAX: "an Idempotency-Key has up to {limit} printable ASCII characters, and no blank at either end",
    Reason.KEY_DIFFERS: "this Idempotency-Key was given with something else; take a new key for what is new",
    Reason.KEY_RUNNING: "what came with this Idempotency-Key first is not answered yet; ask again in a moment",
    Reason.KEYS_UNKNOWN: "keys of requests cannot be looked up at the moment; try again in a moment",
    Reason.HEADER_SIZE: "the header is too large",
    Reason.LOOP: "mail loop: too many Received header fields",
    Reason.CONTENT: "no message can be made here of {field} yet; send it as a whole",
    Reason.TOO_MANY_RECIPIENTS: "a message of this account may have {limit} recipients, not {found}; split it",
    Reason.LITERAL: "address literals are not accepted here (Allow_IP_Literal); use a domain name",
    Reason.COPIES_SIZE: "{found} copies of {size} bytes are more than the {limit} bytes that one message may take; "
    "send it in parts",
    Reason.NO_HEADER: "the message does not begin with a header: its first line is empty, or is no field such as "
    "From: ...",
    Reason.NO_AUTHOR: "the message has no From field: write From: with the author's address",
    Reason.SEVERAL_FROM: "the message has several From fields: write one, with all authors in it",
    Reason.LONG_FROM: "the From field is too long: name fewer authors, or shorter",
    Reason.BAD_FROM: "the From field has no usable address: write it as From: Name <name@example.com>",
    Reason.DOMAIN: "account {account} may not send from {value}: verify that domain first (angarium domains "
    "add {value}, angarium domains verify {value})",
    Reason.NO_DOMAIN: "the From field names no domain: write From with one of your verified domains",
    Reason.UNREADABLE_AUTHOR: "the {field} field has more in it than can be read: write it as {field}: Name "
    "<name@example.com>",
    Reason.RETURN_PATH: "bounces to {value} belong to another account, which has verified that domain: take an "
    "envelope sender in a domain of account {account}, or verify it for that (angarium domains add {value})",
    Reason.SUPPRESSED: "{value} is suppressed ({why}): take the address off the list first, if mail is wanted there",
    Reason.UNKNOWN_STREAM: _unknown_stream,
    Reason.ARCHIVED_STREAM: _archived_stream,
    Reason.BOUND_STREAM: "{login} sends in stream {bound!r} only, not in {value!r}: name no stream",
    Reason.UNKNOWN_BINDING: "there is no binding or binding group {shown} here",
    Reason.LOGIN_BINDING: "the binding {shown} of this login is not declared here; the operator must change "
    "one of them",
    Reason.BINDING: "the binding must be {shown} or one of that group here; name none",
    Reason.JSON: "JSON parsing error: {error}",
    Reason.JSON_TYPE: "JSON parsing error: it must be one object",
    Reason.METADATA_TYPE: "the metadata must be of type {type}",
    Reason.METADATA_SIZE: "metadata is limited to {limit} bytes of JSON",
    Reason.METADATA_DEPTH: "metadata may be nested {limit} levels deep",
    Reason.METADATA_NUMBER: "metadata has a number beyond 64 bits; write it as a string",
    Reason.METADATA_COUNT: "there may be {limit} pieces of metadata, not {found}",
    Reason.METADATA_NAMELESS: "a piece of metadata has no name",
    Reason.METADATA_NAME: "names of metadata are limited to {limit} characters; {shown} has {found}",
    Reason.METADATA_VALUE: "values of metadata are limited to {limit} characters; that of {shown} has {found}",
    Reason.OPTION_VALUE: "{field} must be {allowed}, not {shown}",
    Reason.OPTION_TYPE: "{field} must be of type {type}",
    Reason.OPTION_REPEATED: "{field} may stand in a message once",
    Reason.OPTION_ADDRESS: "{field} has {shown}, which is not one e-mail address",
    Reason.OPTION_LENGTH: "{field} may have {limit} characters, not {found}",
    Reason.OPTION_OCTETS: "{field} may have {limit} bytes, not {found}",
    Reason.OPTION_COUNT: "{field} may name {limit}, not {found}",
    Reason.OPTION_FIELDS: "the option fields {fields} of a message may be {limit} with {most_octets} bytes in all, not "
    "{found} with {octets}",
}
