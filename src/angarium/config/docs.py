"""Writes docs/options.md from the option table: `python -m angarium.config.docs > docs/options.md`."""

import sys
from collections.abc import Iterator, Mapping

from angarium.config.build import NAMES
from angarium.config.known import KNOWN_OPTIONS, KNOWN_STANZAS, KnownName
from angarium.config.options import Family, Option
from angarium.config.tables import family

_TITLES: dict[Family, tuple[str, str]] = {
    "outbound": ("Mail on its way out", "Looked up for each pair of binding and domain."),
    "host": ("Mail hosts", "In `Host` stanzas; they hold besides the limits of the domain."),
    "inbound": ("Mail on its way in", "Looked up for each session."),
    "listen": ("Sockets", "Of listeners of any kind."),
    "global": ("The node", "At the top level only."),
}

_HEAD = """# Options

All options by what they are about. How they are written and which of several values holds is told in
[configuration.md](configuration.md). This page is made from the option table; do not edit it.
"""

_FOOT = """## Known from Momentum, not served

A configuration that sets one of these is refused, so that nobody relies on what is not done, and told what stands in
its place.

### Options

{options}

### Stanzas and modules

{stanzas}
"""


def options_page() -> str:
    """Return the text of docs/options.md."""
    parts = [_HEAD]
    for name, (title, sentence) in _TITLES.items():
        parts += [f"## {title}\n", f"{sentence}\n", *map(_option, family(name))]
    parts.append(_FOOT.format(options=_known(KNOWN_OPTIONS), stanzas=_known(KNOWN_STANZAS)))
    return "\n".join(parts)


def _option(option: Option) -> str:
    return f"### {option.name}\n\n{option_entry(option)}\n"


def option_entry(option: Option) -> str:
    """Return what there is to say of one option."""
    return "\n".join((f"{option.sentence}\n", *_facts(option)))


def _facts(option: Option) -> Iterator[str]:
    unit = f", in {option.unit}" if option.unit and option.unit != option.kind.form else ""
    yield f"- takes: {option.kind.name}, `{option.kind.form}`{unit}"
    default = option.show(option.default)
    yield (
        f"- default: `{default}`"
        if default and "(default:" not in option.sentence
        else "- default: see above"
    )
    if option.minimum is not None or option.maximum is not None:
        yield f"- range: {option.minimum} to {option.maximum}"
    if option.no_limit is not None:
        zero = "`0` or " if option.no_limit.by_zero else ""
        yield f"- no limit: {zero}`-1`"
    yield f"- stands in: {', '.join(NAMES[scope] for scope in option.scopes)}"
    if not option.reload:
        yield "- a change takes a restart"


def _known(table: Mapping[str, KnownName]) -> str:
    by_name = sorted(table.values(), key=lambda known: known.name.lower())
    rows = (f"| `{known.name}` | {known.reason} | {_cell(known.instead)} |" for known in by_name)
    return "\n".join(("| name | why | instead |", "|---|---|---|", *rows))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(options_page())
