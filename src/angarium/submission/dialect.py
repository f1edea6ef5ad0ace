"""Options that a message carries in its own header, in the words of the vendors, as one record."""

from angarium.core.options import layered
from angarium.mime.header import Field, HeaderBlock, Span
from angarium.submission import msys, pm, smtpeter
from angarium.submission.dialect_values import (
    NOTHING_SAID,
    CopyTo,
    HeaderOptions,
    Problem,
    Reason,
    Vendor,
)

__all__ = [
    "NOTHING_SAID",
    "CopyTo",
    "HeaderOptions",
    "Problem",
    "Reason",
    "Vendor",
    "carries_options",
    "read_options",
]

PREFIXES = (pm.PREFIX, smtpeter.PREFIX, msys.PREFIX)
"""Fields whose names begin so are instructions, known or not: they never leave with the message."""

_PM, _SMTPETER, _MSYS = (b"\n" + prefix for prefix in PREFIXES)


def carries_options(header: HeaderBlock) -> bool:
    """Whether there may be an option field. Costs next to nothing, as most mail has none."""
    return header.may_have(_PM) or header.may_have(_SMTPETER) or header.may_have(_MSYS)


def read_options(header: HeaderBlock) -> HeaderOptions:
    """Return what the option fields say. Where two dialects differ, Postmark's goes before SparkPost's, and that
    before SMTPeter's."""
    if not carries_options(header):
        return NOTHING_SAID
    spans: list[Span] = []
    fields: dict[bytes, list[Field]] = {prefix: [] for prefix in PREFIXES}
    for at, field in header.placed():
        prefix = next((prefix for prefix in PREFIXES if field.name.startswith(prefix)), None)
        if prefix is not None:
            fields[prefix].append(field)
            spans.append((at, at + len(field.raw)))
    of_pm, pm_problems = pm.read(fields[pm.PREFIX])
    of_smtpeter, smtpeter_problems = smtpeter.read(fields[smtpeter.PREFIX])
    found = msys.read(fields[msys.PREFIX])
    return found._replace(
        options=layered(of_pm, found.options, of_smtpeter),
        spans=tuple(spans),
        problems=(*pm_problems, *found.problems, *smtpeter_problems),
    )
