"""Numbers, sizes, durations and throttles, and what to write for what other programs take in their place."""

import re
from collections.abc import Mapping

from angarium.config.reading import BadValue, scalar, whole_number
from angarium.config.syntax import Value
from angarium.config.values import Throttle

_KIB, _MIB, _GIB, _TIB = (1 << power for power in (10, 20, 30, 40))
_SIZES = {
    **dict.fromkeys(("b", "byte", "bytes"), 1),
    **dict.fromkeys(("k", "kb", "kib"), _KIB),
    **dict.fromkeys(("m", "mb", "mib"), _MIB),
    **dict.fromkeys(("g", "gb", "gib"), _GIB),
    **dict.fromkeys(("t", "tb", "tib"), _TIB),
}
_SPANS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 604_800),
}
_WITH_UNITS = re.compile(r"(?:[0-9]{1,9}\s*[a-z]+\s*){1,4}")
_PER = re.compile(r"([0-9]{1,12})\s*(?:/|per)\s*([0-9]{0,9})\s*([a-z]+)")
_DASHES = str.maketrans("−–—", "---")
NO_LIMIT = ("-1", "none", "unlimited")
"""How people write that there is no limit, besides 0."""


def integer(value: Value) -> int:
    """Return a whole number. Raises BadValue."""
    text = scalar(value, "a whole number")
    try:
        return whole_number(text)
    except BadValue as bad:
        raise BadValue(str(bad), _plain_number(text) or bad.hint or "write a whole number") from None


def size(value: Value) -> int:
    """Return a number of bytes. Raises BadValue."""
    return _scaled(value, _SIZES, "bytes")


def seconds(value: Value) -> int:
    """Return a number of seconds. Raises BadValue."""
    return _scaled(value, _SPANS, "seconds")


def throttle(value: Value) -> Throttle | None:
    """Return so many per so many seconds, None for no throttle. Raises BadValue."""
    text = scalar(value, '"10/60"')
    if text.lower() in NO_LIMIT:
        return None
    match = re.fullmatch(r"\s*([0-9]{1,12})\s*(?:/\s*([0-9]{1,9}))?\s*", text)
    if match is None or (match[2] is not None and int(match[2]) == 0):
        raise BadValue(f'"{text}" is not a throttle', _throttle_meant(text))
    count = int(match[1])
    return Throttle(count, int(match[2] or 1)) if count else None


def _scaled(value: Value, scales: Mapping[str, int], unit: str) -> int:
    text = scalar(value, f"a number of {unit}")
    try:
        return whole_number(text)
    except BadValue:
        pass
    parts = (
        re.findall(r"([0-9]{1,9})\s*([a-z]+)\s*", text.lower()) if _WITH_UNITS.fullmatch(text.lower()) else []
    )
    if parts and all(word in scales for _, word in parts):
        raise BadValue(
            f"takes a number of {unit}", f"write {sum(int(n) * scales[word] for n, word in parts)}"
        )
    raise BadValue(
        f'"{text}" is not a number of {unit}', _plain_number(text) or f"write a whole number of {unit}"
    )


def _plain_number(text: str) -> str:
    """Return what to write for `1,000`, `1_000`, `1 000`, or a number with a dash for its minus sign."""
    plain = text.translate(_DASHES)
    if re.fullmatch(r"-?[0-9]{1,3}([,_.' ][0-9]{3}){1,5}", plain):
        plain = re.sub(r"[^0-9-]", "", plain)
    return f"write {plain}" if plain != text and re.fullmatch(r"-?[0-9]{1,18}", plain) else ""


def _throttle_meant(text: str) -> str:
    match = _PER.fullmatch(text.strip().lower())
    if match is None or match[3] not in _SPANS:
        return 'write "N" for N per second, "N/S" for N per S seconds'
    return f'write "{match[1]}/{int(match[2] or 1) * _SPANS[match[3]]}"'
