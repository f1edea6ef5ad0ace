"""Options that a message carries in its own header, in the words of the vendors. Pure."""

import re

from angarium.core.submission import Problem, Reason, Wishes
from angarium.dialects.table import DIALECTS
from angarium.mime.header import Field, HeaderBlock, Span, field_of

PREFIXES = tuple(dialect.prefix for dialect in DIALECTS)
"""Fields whose names begin so are instructions, known or not: they never leave with the message."""

MOST_FIELDS = 100
MOST_OCTETS = 131_072
"""So many option fields, and so many bytes of them, are read; no sender needs nearly as much."""

_CALLED = "X-PM-, x-smtpeter- and X-MSYS-API"
_AN_OPTION = re.compile(rb"\n(?:%b)" % b"|".join(map(re.escape, PREFIXES)))


def option_spans(header: HeaderBlock) -> tuple[Span, ...]:
    """Return where the option fields stand. Costs next to nothing where there are none, as in most mail."""
    return tuple(header.beginning(*PREFIXES)) if header.matches(_AN_OPTION) else ()


def read_wishes(header: HeaderBlock, spans: tuple[Span, ...]) -> tuple[Wishes, ...]:
    """Return what the option fields ask for, which stand at *spans*: of each dialect that has any, the one that counts
    first before the others. Takes bounded time: of too much nothing is read.
    """
    octets = sum(end - begin for begin, end in spans)
    if len(spans) > MOST_FIELDS or octets > MOST_OCTETS:
        return (Wishes("", problems=(_too_much(len(spans), octets),)),)
    fields = [field for begin, end in spans if (field := field_of(header.raw[begin:end])) is not None]
    return tuple(dialect.read(own) for dialect in DIALECTS if (own := _beginning(fields, dialect.prefix)))


def _beginning(fields: list[Field], prefix: bytes) -> list[Field]:
    return [field for field in fields if field.name.startswith(prefix)]


def _too_much(number: int, octets: int) -> Problem:
    facts = {"fields": _CALLED, "most_octets": MOST_OCTETS, "octets": octets}
    return Problem(Reason.OPTION_FIELDS, limit=MOST_FIELDS, found=number, facts=facts)
