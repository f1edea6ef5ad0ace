"""What is said of problems by SMTP: the one place where a reason has a code and an enhanced status (RFC 3463).

Whatever door a message came through, its refusal stands in logs as such a reply, and so does the failure of a message
that is taken only to be reported as failed.
"""

from collections.abc import Sequence
from typing import Final

from angarium.core.ids import format_id
from angarium.core.reply import Reply
from angarium.core.submission import Problem, Reason, Receipt
from angarium.dialects.table import sentence_of

_MOST_SENTENCES = 5

_OF_THE_TEXT: Final = 550, "5.6.0"
"""What the message itself says is wrong: the usual."""

_NO_LOGIN: Final = 535, "5.7.8"

_CODES: Final = {
    Reason.STORAGE_FULL: (452, "4.3.1"),
    Reason.STORAGE: (451, "4.3.0"),
    Reason.QUEUE_FULL: (452, "4.3.1"),
    Reason.MEMORY: (451, "4.3.1"),
    Reason.FAULT: (451, "4.3.0"),
    Reason.QUOTA: (450, "4.7.1"),
    Reason.QUOTA_TOO_SMALL: (450, "4.7.1"),
    Reason.UNCOUNTED: (451, "4.3.0"),
    Reason.ACCOUNT_QUEUE: (452, "4.3.1"),
    Reason.LOGIN_UNCHECKED: (454, "4.7.0"),
    Reason.LOGIN_REVOKED: _NO_LOGIN,
    Reason.LOGIN_DISABLED: _NO_LOGIN,
    Reason.LOGIN_EXPIRED: _NO_LOGIN,
    Reason.LOGIN_SUSPENDED: _NO_LOGIN,
    Reason.LOGIN_SMTP_OFF: _NO_LOGIN,
    Reason.LOGIN_GRANT: _NO_LOGIN,
    Reason.LOGIN_UNKNOWN: _NO_LOGIN,
    Reason.LOGIN_MISSING: (530, "5.7.0"),
    Reason.BODY_SIZE: (552, "5.3.4"),
    Reason.MESSAGE_SIZE: (552, "5.3.4"),
    Reason.NO_RECIPIENTS: (554, "5.5.1"),
    Reason.KEY_SYNTAX: (550, "5.6.0"),
    Reason.KEY_DIFFERS: (554, "5.6.0"),
    Reason.KEY_RUNNING: (451, "4.3.0"),
    Reason.KEYS_UNKNOWN: (451, "4.3.0"),
    Reason.HEADER_SIZE: (552, "5.3.4"),
    Reason.LOOP: (554, "5.4.6"),
    Reason.TOO_MANY_RECIPIENTS: (550, "5.5.3"),
    Reason.LITERAL: (550, "5.1.3"),
    Reason.COPIES_SIZE: (552, "5.3.4"),
    Reason.DOMAIN: (550, "5.7.1"),
    Reason.NO_DOMAIN: (550, "5.7.1"),
    Reason.UNREADABLE_AUTHOR: (550, "5.7.1"),
    Reason.RETURN_PATH: (550, "5.7.1"),
    Reason.SUPPRESSED: (550, "5.7.1"),
    Reason.LOGIN_BINDING: (451, "4.3.5"),
    Reason.BINDING: (550, "5.7.1"),
}


def reply_to(problem: Problem) -> Reply:
    """Return the refusal for one problem."""
    code, enhanced = _CODES.get(problem.reason, _OF_THE_TEXT)
    return Reply(code, enhanced, sentence_of(problem))


def closing(problem: Problem) -> Reply:
    """Return the answer that ends the session of a client that goes on in spite of a temporary problem."""
    reply = reply_to(problem)
    return Reply(421, reply.enhanced, reply.text)


def leading(problems: Sequence[Problem]) -> Problem:
    """Return the problem that decides the code: a permanent refusal goes before a temporary one."""
    return max(problems, key=lambda problem: _code(problem) >= 500)


def refusal_of(problems: Sequence[Problem]) -> Reply:
    """Return one refusal for *problems*, with the sentences of all that have its code; fit for reports too: ASCII."""
    first = leading(problems)
    reply = reply_to(first)
    same = (problem for problem in problems if _code(problem) == reply.code)
    sentences = dict.fromkeys((reply.text, *(reply_to(problem).text for problem in same)))
    return Reply(reply.code, reply.enhanced, _ascii("\n".join(list(sentences)[:_MOST_SENTENCES])))


def reply_for(receipt: Receipt) -> Reply:
    """Return the answer at the end of data."""
    if receipt.messages:
        return Reply(250, "2.0.0", f"queued as {format_id(receipt.messages[0])}")
    return refusal_of(receipt.problems)


def _code(problem: Problem) -> int:
    return _CODES.get(problem.reason, _OF_THE_TEXT)[0]


def _ascii(text: str) -> str:
    """Return *text* as a reply may carry it (RFC 5321 §4.2)."""
    return text.encode("ascii", "replace").decode("ascii")


UNCHECKED: Final = reply_to(Problem(Reason.LOGIN_UNCHECKED))
"""While the identity store does not answer."""
