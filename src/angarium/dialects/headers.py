"""Options that a message carries in its own header, in the words of the vendors, as one record."""

from angarium.core.options import layered
from angarium.core.reply import Reply
from angarium.dialects.postmark import headers as postmark
from angarium.dialects.smtpeter import headers as smtpeter
from angarium.dialects.sparkpost import headers as sparkpost
from angarium.dialects.values import (
    NOTHING_SAID,
    CopyTo,
    HeaderOptions,
    Problem,
    Reason,
    Vendor,
)
from angarium.mime.header import Field, HeaderBlock, Span, field_of

__all__ = [
    "NOTHING_SAID",
    "CopyTo",
    "HeaderOptions",
    "Problem",
    "Reason",
    "Vendor",
    "carries_options",
    "option_spans",
    "read_options",
]

PREFIXES = (postmark.PREFIX, smtpeter.PREFIX, sparkpost.PREFIX)
"""Fields whose names begin so are instructions, known or not: they never leave with the message."""

MOST_FIELDS = 100
MOST_OCTETS = 131_072
"""So many option fields, and so many bytes of them, are read; no sender needs nearly as much."""

_POSTMARK, _SMTPETER, _SPARKPOST = (b"\n" + prefix for prefix in PREFIXES)


def carries_options(header: HeaderBlock) -> bool:
    """Whether there may be an option field. Costs next to nothing, as most mail has none."""
    return header.may_have(_POSTMARK) or header.may_have(_SMTPETER) or header.may_have(_SPARKPOST)


def option_spans(header: HeaderBlock) -> tuple[Span, ...]:
    """Return where the option fields stand."""
    return tuple(header.beginning(*PREFIXES)) if carries_options(header) else ()


def read_options(header: HeaderBlock) -> HeaderOptions:
    """Return what the option fields say. Where two dialects differ, Postmark's goes before SparkPost's, and that
    before SMTPeter's. Takes bounded time: of too much nothing is read."""
    spans = option_spans(header)
    if not spans:
        return NOTHING_SAID
    octets = sum(end - begin for begin, end in spans)
    if len(spans) > MOST_FIELDS or octets > MOST_OCTETS:
        return HeaderOptions(spans=spans, problems=(_too_much(len(spans), octets),))
    fields: dict[bytes, list[Field]] = {prefix: [] for prefix in PREFIXES}
    for begin, end in spans:
        field = field_of(header.raw[begin:end])
        if field is not None:
            fields[next(filter(field.name.startswith, PREFIXES))].append(field)
    of_postmark, postmark_problems = postmark.read(fields[postmark.PREFIX])
    of_smtpeter, smtpeter_problems = smtpeter.read(fields[smtpeter.PREFIX])
    found = sparkpost.read(fields[sparkpost.PREFIX])
    return found._replace(
        options=layered(of_postmark, found.options, of_smtpeter),
        spans=spans,
        problems=(*postmark_problems, *found.problems, *smtpeter_problems),
    )


def _too_much(number: int, octets: int) -> Problem:
    sentence = (
        f"the option fields X-PM-, x-smtpeter- and X-MSYS-API of a message may be {MOST_FIELDS} with {MOST_OCTETS} "
        f"bytes in all, not {number} with {octets}"
    )
    return Problem(None, "option_limit", Reply(550, "5.6.0", sentence))
