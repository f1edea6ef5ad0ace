"""What a problem is called as SMTPeter would."""

from typing import Final

from angarium.core.submission import Problem, Reason
from angarium.dialects.sentences import Sentence, sentence_of

_SENTENCES: Final[dict[Reason, Sentence]] = {
    Reason.OPTION_COUNT: "{field} may name {limit} tags, not {found}",
    Reason.OPTION_LENGTH: "{field}: {shown} is longer than {limit} characters",
}


def sentence(problem: Problem) -> str:
    """Return the sentence for a reply."""
    return sentence_of(problem, _SENTENCES)
