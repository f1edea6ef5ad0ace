"""The command line of `sendmail`: options as Sendmail and Postfix have them. Pure."""

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

from angarium.sendmail.errors import SendmailUsage

Mode = Literal["send", "smtp", "queue", "aliases", "flush", "help"]

_WITH_VALUE: Final = "ABCFLNORVXbefhopr"
_OPTIONAL_VALUE: Final = "dqM"
_FLAGS: Final = "GIUcimnstvx"
_MODES: Final[dict[str, Mode]] = {"m": "send", "s": "smtp", "p": "queue", "i": "aliases"}
_NOTIFY: Final = ("never", "success", "failure", "delay")
_ELSEWHERE: Final = {
    "d": "a node is started with `angarium serve`",
    "D": "a node is started with `angarium serve`",
    "l": "a node is started with `angarium serve`",
    "h": "`angarium queue` shows which hosts failed",
    "H": "`angarium flush --all` forgets what was learnt of hosts",
    "v": "no address is tried without a mail; `angarium config eval` says how one would be routed",
    "t": "`angarium config eval` says how an address would be routed",
}


class SendmailArguments(NamedTuple):
    """What is asked for.

    *sender* None: the user who calls. *full_name* is for a From that is missing. *ends_at_dot*: a line with a dot alone
    ends the mail. *notify* and *ret* are RFC 3461's words, empty for none; *config* is what `-C` names.
    """

    mode: Mode = "send"
    sender: str | None = None
    full_name: str = ""
    recipients: tuple[str, ...] = ()
    reads_recipients: bool = False
    ends_at_dot: bool = True
    notify: str = ""
    ret: str = ""
    envid: str = ""
    is_verbose: bool = False
    config: str = ""


def read_arguments(given: list[str]) -> SendmailArguments:
    """Read what follows the program's name. Raises SendmailUsage."""
    found: dict[str, Any] = {}
    rest = list(given)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        if word == "--help":
            found["mode"] = "help"
        elif word.startswith("--"):
            raise SendmailUsage(
                f"there is no option {word}; recipients that begin with a dash stand behind `--`"
            )
        else:
            found |= _read_word(word[1:], rest)
    return SendmailArguments(recipients=tuple(rest), **found)


def _read_word(word: str, rest: list[str]) -> dict[str, Any]:
    """Read the options in one word of the command line: flags, and at most one that takes the rest as its value."""
    found: dict[str, Any] = {}
    while word:
        letter, word = word[0], word[1:]
        if letter in _WITH_VALUE:
            if not word and not rest:
                raise SendmailUsage(f"-{letter} wants a value")
            return found | _option(letter, word or rest.pop(0))
        if letter in _OPTIONAL_VALUE:
            return found | _option(letter, word)
        if letter not in _FLAGS:
            raise SendmailUsage(
                f"there is no option -{letter}; recipients that begin with a dash stand behind `--`"
            )
        found |= _option(letter, "")
    return found


def _option(letter: str, value: str) -> dict[str, Any]:
    """Return what an option sets. Those of other programs' insides set nothing."""
    if letter in _PLAIN:
        return dict((_PLAIN[letter],))
    if letter in _READERS:
        name, read = _READERS[letter]
        return {name: read(value)}
    keeps_dots = value == "i" if letter == "o" else letter == "O" and value.lower() == "ignoredots=true"
    return {"ends_at_dot": False} if keeps_dots else {}


def _mode(value: str) -> Mode:
    if value in _MODES:
        return _MODES[value]
    raise SendmailUsage(f"-b{value} is not done here: {_ELSEWHERE.get(value, 'use -bm, -bs, -bp or -bi')}")


def _notify(value: str) -> str:
    words = [word.strip().lower() for word in value.split(",")]
    if not all(word in _NOTIFY for word in words) or ("never" in words and len(words) > 1):
        raise SendmailUsage(f"-N {value}: write never, or some of success,failure,delay")
    return ",".join(words).upper()


def _ret(value: str) -> str:
    if value.lower() not in ("full", "hdrs"):
        raise SendmailUsage(f"-R {value}: write full or hdrs")
    return value.upper()


def _envid(value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise SendmailUsage(f"-V {value!r}: write printable ASCII")
    return value


def _without_brackets(value: str) -> str:
    return value[1:-1] if value.startswith("<") and value.endswith(">") else value


_PLAIN: Final[dict[str, tuple[str, Any]]] = {
    "t": ("reads_recipients", True),
    "i": ("ends_at_dot", False),
    "v": ("is_verbose", True),
    "q": ("mode", "flush"),
    "I": ("mode", "aliases"),
}
_READERS: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "b": ("mode", _mode),
    "f": ("sender", _without_brackets),
    "r": ("sender", _without_brackets),
    "F": ("full_name", str),
    "N": ("notify", _notify),
    "R": ("ret", _ret),
    "V": ("envid", _envid),
    "C": ("config", str),
}
