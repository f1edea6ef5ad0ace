"""All dialects, and what is asked of any of them: who takes mail in knows no vendor, only this."""

from collections.abc import Callable
from typing import Final, NamedTuple

from angarium.core.submission import Problem, Wishes
from angarium.dialects import sentences
from angarium.dialects.postmark import errors as postmark_errors
from angarium.dialects.postmark import headers as postmark_headers
from angarium.dialects.smtpeter import errors as smtpeter_errors
from angarium.dialects.smtpeter import headers as smtpeter_headers
from angarium.dialects.sparkpost import errors as sparkpost_errors
from angarium.dialects.sparkpost import headers as sparkpost_headers
from angarium.mime.header import Field


class Dialect(NamedTuple):
    """A vendor's words and habits.

    Fields whose names begin with *prefix* are its instructions, known or not; *read* says what they ask for. *sentence*
    puts a problem into its words. *takes_mistakes*: mail that is wrong is taken, and reported as failed. *replaces_id*:
    the sender's Message-ID gives way to ours, unless an option keeps it.
    """

    name: str
    prefix: bytes
    read: Callable[[list[Field]], Wishes]
    sentence: Callable[[Problem], str]
    takes_mistakes: bool = False
    replaces_id: bool = False


POSTMARK: Final = Dialect(
    postmark_headers.NAME,
    postmark_headers.PREFIX,
    postmark_headers.read,
    postmark_errors.sentence,
    takes_mistakes=True,
    replaces_id=True,
)
SPARKPOST: Final = Dialect(
    sparkpost_headers.NAME, sparkpost_headers.PREFIX, sparkpost_headers.read, sparkpost_errors.sentence
)
SMTPETER: Final = Dialect(
    smtpeter_headers.NAME, smtpeter_headers.PREFIX, smtpeter_headers.read, smtpeter_errors.sentence
)

DIALECTS: Final = (POSTMARK, SPARKPOST, SMTPETER)
"""Where two differ about a message, the first one counts."""

DIALECT_OF_LOGIN: Final[dict[str, Dialect]] = {
    "server_token": POSTMARK,
    "smtp_token": POSTMARK,
    "api_key": SPARKPOST,
    "smtp_login": SMTPETER,
    "person": SMTPETER,
}
"""Whose habits a sender expects, by the `identity.records.Kind` of what it logged in with."""

_BY_NAME = {dialect.name: dialect for dialect in DIALECTS}


def takes_mistakes(problem: Problem) -> bool:
    """Whether mail with this problem is taken, and reported as failed, by the habits of its dialect."""
    return bool(problem.dialect) and _BY_NAME[problem.dialect].takes_mistakes


def sentence_of(problem: Problem) -> str:
    """Return what *problem* is called in the words of its dialect."""
    dialect = _BY_NAME.get(problem.dialect)
    return sentences.sentence_of(problem) if dialect is None else dialect.sentence(problem)
