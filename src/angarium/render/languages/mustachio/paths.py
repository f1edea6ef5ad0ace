"""Where a tag points: `a.b`, `../a`, `.`."""

import re
import unicodedata
from typing import Final, NamedTuple

from angarium.render.languages.values import Value, child

# `..` stands before a slash only, a slash after `..` only, and no three dots in a row.
_PATH: Final = re.compile(r"(?:(?<!\.)\.\./|\.(?!\.)|[^./]+)+")
_STEP: Final = re.compile(r"\.\./|[^.]+")

UP: Final = "../"


class ModelScope(NamedTuple):
    """What a path begins at: a value, and what it was found in, None for the model itself."""

    value: Value
    parent: "ModelScope | None" = None


def steps_of(path: str) -> tuple[str, ...] | None:
    """Return the steps of *path*: names, and UP. `.` has none. Returns None when it is no path."""
    if not _PATH.fullmatch(path) or not all(char in "./" or _is_word(char) for char in path):
        return None
    return tuple(_STEP.findall(path))


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_" or unicodedata.category(char) in ("Mn", "Mc", "Pc", "Lm")


def found(scope: ModelScope, steps: tuple[str, ...]) -> ModelScope:
    """Follow *steps* from *scope*. Above the model there is the model; what nobody has given is MISSING."""
    for step in steps:
        if step == UP:
            scope = scope.parent or scope
        else:
            scope = ModelScope(child(scope.value, step), scope)
    return scope
