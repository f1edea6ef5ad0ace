"""Writes the page of all types of events, docs/events.md: `python -m angarium.events.docs > docs/events.md`."""

import sys
from collections.abc import Iterator
from typing import Final

from angarium.events.catalogue import DETAILS, KINDS, PARTS, HappeningKind

_PAGE: Final = """# What happens

Everything that happens to mail is written into the journal and kept by the recorder. You find it by `angarium events`
and `angarium message`, and by `/events` of the [manage API](manage-api.md). This page has all types. It is made from
the code; do not edit it.

Of every event there are `number` (it only grows), `type`, `at`, `message` (null where it is about none), `index` and
`address` of the recipient (null and empty where it is about all of the message), `reply` (what was answered, in one
line), `reason` (what the [reply means](bounces.md), in a word), `account`, `server` and `stream` (whose mail it is),
`domain` and `binding` (the queue), `provider` (whose host was tried), and `details`, which are different for each type.
What is not known is left out of them. New types and fields may come with each version; those that are here keep their
meaning.

| type | |
|---|---|
{rows}

What anybody can make happen without sending mail (`refusal`, `login_failed`) is bounded: each worker writes 500 at once
and 20 a second in the long run, with 256 characters of what a stranger says, and of the rest how many there were
(`left_out`). An account is shown what was refused to those who had logged in to it.
{parts}
"""


def events_page() -> str:
    """Return docs/events.md."""
    rows = "\n".join(
        f"| [`{kind.name}`](#{kind.name}) | {kind.about}{_LATER if kind.is_later else ''} |"
        for kind in KINDS.values()
    )
    return _PAGE.format(rows=rows, parts="\n".join(_parts()))


_LATER = " *Not in this version.*"


def _parts() -> Iterator[str]:
    for part, title in PARTS.items():
        yield f"\n## {title}"
        for kind in KINDS.values():
            if kind.part == part:
                yield f"\n### {kind.name}\n\n{event_entry(kind)}"


def event_entry(kind: HappeningKind) -> str:
    """Return what there is to say of one type of event."""
    lines = [f"{kind.about}{_LATER if kind.is_later else ''}"]
    if kind.details:
        lines.append("\n| detail | |\n|---|---|")
        lines += (f"| `{name}` | {DETAILS[name]} |" for name in kind.details)
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(events_page())
