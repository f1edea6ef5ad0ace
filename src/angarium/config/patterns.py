"""Patterns that an operator writes and that mail is held against: matched in time linear in both.

They are RE2's (https://github.com/google/re2/wiki/Syntax), the syntax of PCRE without look-around, back references and
possessive repetition: with those a pattern can be written that one line of a stranger's header keeps busy for hours.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import re2

from angarium.config.reading import BadValue

LONGEST = 1_000
"""Characters that a pattern may have."""
MOST_STEPS = 2_000
"""Instructions of RE2 that a pattern may be made into: each may be looked at for each byte of a text, which is then
some 10 ms for a header field. Only nested and very large counts need more."""


@dataclass(frozen=True)
class Pattern:
    """One pattern as written; *ignores_case* as its stanza wants. Made by `read_pattern`, which checks it."""

    text: str
    ignores_case: bool = False

    def is_in(self, text: str) -> bool:
        """Whether it matches anywhere in *text*. Lone surrogates count as the replacement character."""
        return self._compiled.search(text.encode("utf-8", "replace")) is not None

    @property
    def steps(self) -> int:
        """How many instructions it is made into."""
        return int(self._compiled.programsize)

    @cached_property
    def _compiled(self) -> Any:
        options = re2.Options()
        options.log_errors = False
        options.case_sensitive = not self.ignores_case
        return re2.compile(self.text.encode(), options)

    def __getstate__(self) -> tuple[str, bool]:
        """Return what goes to another process: not what was compiled."""
        return self.text, self.ignores_case

    def __setstate__(self, state: tuple[str, bool]) -> None:
        """Take what `__getstate__` gave."""
        object.__setattr__(self, "text", state[0])
        object.__setattr__(self, "ignores_case", state[1])


def glob_pattern(glob: str) -> Pattern:
    """Return what matches all of a text as *glob* does: `*` stands for any characters, `?` for one."""
    body = "".join(
        {"*": ".*", "?": "."}.get(piece) or re2.escape(piece) for piece in re.split(r"(\*|\?)", glob)
    )
    return Pattern(f"^(?s:{body})$")


def read_pattern(text: str, *, ignores_case: bool = False) -> Pattern:
    """Return *text* as a pattern. Raises BadValue that says what is wrong, and what to write."""
    if len(text) > LONGEST:
        raise BadValue(f"the pattern has {len(text)} characters; write at most {LONGEST}")
    pattern = Pattern(text, ignores_case)
    try:
        pattern.is_in("")
    except (re2.error, UnicodeEncodeError) as error:
        problem = error.args[0].decode("utf-8", "replace") if isinstance(error, re2.error) else str(error)
        raise BadValue(f'the pattern "{text}" is wrong: {problem}', _hint(text)) from None
    if pattern.steps > MOST_STEPS:
        raise BadValue(
            f'the pattern "{text}" is made of {pattern.steps} steps',
            "write smaller counts, and none inside others",
        )
    return pattern


def _hint(text: str) -> str:
    """Say what RE2 lacks, where that is what is wrong."""
    try:
        re.compile(text)
    except re.error:
        return ""
    return "write it without look-around (?=…), back references \\1, possessive a++ and very large counts"
