"""Who gets the mail of `root` and others without a domain: /etc/aliases, as Sendmail and Postfix read it. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

_LINE: Final = re.compile(r"^(\"[^\"]+\"|[^\s:#]+)[ \t]*:(.*)$")
_TARGET: Final = re.compile(r'"[^"]*"|[^,\s]+')
_MOST_STEPS: Final = 20


def read_aliases(text: str) -> dict[str, tuple[str, ...]]:
    """Return the targets of each name, names in lower case. Lines that begin with a blank go on with the one before."""
    lines = (line for line in re.sub(r"\n[ \t]+(?=\S)", " ", text).splitlines() if not line.startswith("#"))
    found = (match for match in map(_LINE.match, lines) if match)
    return {match[1].strip('"').lower(): tuple(_TARGET.findall(match[2])) for match in found}


def expand(recipients: Iterable[str], aliases: Mapping[str, tuple[str, ...]], host: str) -> list[str]:
    """Return whom mail for *recipients* goes to, each once.

    Names without a domain are looked up, and get *host* as their domain when there is nothing. Programs, files and
    lists of an alias are passed over: nothing is delivered on this machine. An alias that names nobody else is as none.
    """
    found: dict[str, None] = {}
    for recipient in recipients:
        found |= dict.fromkeys(_expand(recipient, aliases, host, ()))
    return list(found)


def _expand(name: str, aliases: Mapping[str, tuple[str, ...]], host: str, seen: tuple[str, ...]) -> list[str]:
    if "@" in name:
        return [name]
    key = name.removeprefix("\\").lower()
    if key in seen or len(seen) > _MOST_STEPS or name.startswith("\\"):
        return [f"{key}@{host}"]
    targets = [target for target in aliases.get(key, ()) if target[0] not in '|/:"']
    found = [each for target in targets for each in _expand(target, aliases, host, (*seen, key))]
    return found or [f"{name}@{host}"]
