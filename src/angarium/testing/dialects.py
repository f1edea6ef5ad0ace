"""What a header asks for, in whatever dialects, as one record that a test can look at."""

from typing import NamedTuple

from angarium.core.options import Options, layered
from angarium.core.submission import CopyTo, Problem
from angarium.dialects.headers import option_spans, read_wishes
from angarium.mime.header import HeaderBlock, Span


class Asked(NamedTuple):
    """The options in force where nothing else has a say, the copies, what is wrong, and where it stands."""

    options: Options
    spans: tuple[Span, ...]
    cc: tuple[CopyTo, ...]
    bcc: tuple[CopyTo, ...]
    archive: tuple[CopyTo, ...]
    problems: tuple[Problem, ...]


def read_options(header: HeaderBlock) -> Asked:
    """Return what *header* asks for."""
    spans = option_spans(header)
    wishes = read_wishes(header, spans)
    return Asked(
        layered(*(wish.options for wish in wishes)),
        spans,
        tuple(copy for wish in wishes for copy in wish.cc),
        tuple(copy for wish in wishes for copy in wish.bcc),
        tuple(copy for wish in wishes for copy in wish.archive),
        tuple(problem for wish in wishes for problem in wish.problems),
    )
