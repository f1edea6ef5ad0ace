"""Writes docs/options.md from the option table: `python -m angarium.config.docs > docs/options.md`."""

import sys
from collections.abc import Iterator

from angarium.config.build import NAMES
from angarium.config.known import KNOWN_NOT_SERVED, KNOWN_STANZAS
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

_FOOT = """## Known, not supported yet

A configuration that sets one of these is refused, so that nobody relies on what is not done.

Options: {options}.

Stanzas and modules: {stanzas}.
"""


def options_page() -> str:
    """Return the text of docs/options.md."""
    parts = [_HEAD]
    for name, (title, sentence) in _TITLES.items():
        parts += [f"## {title}\n", f"{sentence}\n", *map(_option, family(name))]
    parts.append(_FOOT.format(options=_names(KNOWN_NOT_SERVED), stanzas=_names(KNOWN_STANZAS)))
    return "\n".join(parts)


def _option(option: Option) -> str:
    lines = [f"### {option.name}\n", f"{option.sentence}\n", *_facts(option)]
    return "\n".join(lines) + "\n"


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
    yield f"- stands in: {', '.join(NAMES[scope] for scope in option.scopes)}"
    if not option.reload:
        yield "- a change takes a restart"


def _names(known: dict[str, str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(known.values(), key=str.lower))


if __name__ == "__main__":
    sys.stdout.write(options_page())
