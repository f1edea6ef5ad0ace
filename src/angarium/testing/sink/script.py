"""The script language of the sink: how a scripted peer behaves, in lines of text. docs/sink.md describes it.

protocol smtp
withhold CHUNKING
on rcpt to *@gone.example: reply 550 5.1.1 no such user
on rcpt: greylist 60
on final share 5%: delay 2; reply 451 4.3.0 try later; close
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from angarium.config.patterns import Pattern, glob_pattern, read_pattern
from angarium.config.reading import BadValue
from angarium.core.errors import AngariumError
from angarium.core.reply import Reply, reply_from_lines

SinkStage = Literal[
    "connect",
    "ehlo",
    "starttls",
    "handshake",
    "auth",
    "xclient",
    "mail",
    "rcpt",
    "data",
    "bdat",
    "body",
    "final",
    "rset",
    "quit",
]
SINK_STAGES: Final[tuple[str, ...]] = get_args(SinkStage)
_CONDITIONS: Final = ("to", "from", "share", "every", "first", "above", "after")
_DEEDS: Final = ("accept", "reply", "delay", "drip", "hang", "close", "keep", "greylist")
DEFAULT_OFFER: Final = {
    "PIPELINING": "",
    "SIZE": "104857600",
    "8BITMIME": "",
    "SMTPUTF8": "",
    "DSN": "",
    "CHUNKING": "",
    "ENHANCEDSTATUSCODES": "",
}


class ScriptError(AngariumError):
    """A script cannot be read. *line* is the number of the line it is about."""

    def __init__(self, name: str, line: int, problem: str) -> None:
        super().__init__(f"{name}:{line}: {problem}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Deed:
    """What a rule does instead of just saying yes.

    First *delay_s* pass. Then, with *hang*, nothing more is ever said. Else *reply* is sent (None: the usual
    yes), byte by byte with *drip_s* between them if that is not 0; but not at all with *close* alone. With
    *close* the connection ends after that. *keep*: the message counts as received whatever was answered.
    *greylist_s*: a sender, recipient and client seen for the first time less than so long ago are answered
    450.
    """

    delay_s: float = 0.0
    drip_s: float = 0.0
    reply: Reply | None = None
    hang: bool = False
    close: bool = False
    keep: bool = False
    accept: bool = False
    greylist_s: float | None = None

    @property
    def is_silent(self) -> bool:
        """Whether the connection is closed instead of an answer."""
        return self.close and self.reply is None and not self.accept


@dataclass(frozen=True, slots=True)
class SinkRule:
    """*deed* is done at *stage* when all conditions hold; None or 0 leaves a condition out.

    *recipient* and *sender* match whole addresses in lower case. *share* is a probability, drawn from the
    script's seed. Of the times the addresses match, *every* takes each n-th and *first* the first n. *above* is
    how many connections may be open, this one included, before it holds.
    *after_bytes* is how much of the body has to have come, for stage body.
    """

    stage: SinkStage
    deed: Deed
    line: int
    recipient: Pattern | None = None
    sender: Pattern | None = None
    share: float | None = None
    every: int = 0
    first: int = 0
    above: int = 0
    after_bytes: int = 0


@dataclass(frozen=True, slots=True)
class SinkScript:
    """A whole script. Without rules, everything is accepted.

    *tls* is how encryption begins, empty for never. *certificate* names the files of the certificate and, if it
    is another, of its key; empty: one is made. *logins* are passwords by user name; empty: every one will do.
    """

    rules: tuple[SinkRule, ...] = ()
    offer: dict[str, str] = field(default_factory=lambda: dict(DEFAULT_OFFER))
    lmtp: bool = False
    hostname: str = "sink.example"
    seed: int = 0
    tls: Literal["", "starttls", "implicit"] = ""
    certificate: tuple[str, ...] = ()
    logins: dict[str, str] = field(default_factory=dict)


def load_script(path: Path) -> SinkScript:
    """Read the script in *path*. Raises ScriptError, or OSError when it cannot be read."""
    return parse_script(path.read_text("utf-8"), str(path))


def parse_script(text: str, name: str = "script") -> SinkScript:
    """Read a script. Raises ScriptError for the first line that has no meaning."""
    script = SinkScript()
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        try:
            if word not in _STATEMENTS:
                raise ValueError(f"unknown statement {word!r}; there are {', '.join(_STATEMENTS)}")
            script = _STATEMENTS[word](script, rest.strip(), number)
        except ValueError as error:
            raise ScriptError(name, number, str(error)) from None
    return script


def _protocol(script: SinkScript, rest: str, line: int) -> SinkScript:
    if rest.lower() not in ("smtp", "lmtp"):
        raise ValueError(f"protocol is smtp or lmtp, not {rest!r}")
    return replace(script, lmtp=rest.lower() == "lmtp")


def _hostname(script: SinkScript, rest: str, line: int) -> SinkScript:
    if not rest or len(rest.split()) > 1:
        raise ValueError("hostname needs one name")
    return replace(script, hostname=rest)


def _seed(script: SinkScript, rest: str, line: int) -> SinkScript:
    return replace(script, seed=_count(rest, "seed"))


def _offer(script: SinkScript, rest: str, line: int) -> SinkScript:
    """`offer SIZE 1000`: one extension with its parameters; replaces what was offered under that name."""
    keyword, _, parameters = rest.partition(" ")
    if not keyword:
        raise ValueError("offer needs an extension, as in: offer SIZE 10000000")
    if keyword.upper() == "SIZE" and parameters:
        _count(parameters.strip(), "SIZE")
    if keyword.upper() == "LIMITS":
        for limit in parameters.split():
            _count(limit.partition("=")[2], f"LIMITS {limit.partition('=')[0]}=")
    return replace(script, offer={**script.offer, keyword.upper(): parameters.strip()})


def _withhold(script: SinkScript, rest: str, line: int) -> SinkScript:
    """`withhold CHUNKING DSN` or `withhold all`."""
    names = rest.upper().split()
    if names == ["ALL"]:
        return replace(script, offer={})
    unknown = [word for word in names if word not in script.offer]
    if unknown or not names:
        offered = ", ".join(script.offer) or "nothing is"
        raise ValueError(f"withhold needs names of what is offered: {offered}")
    return replace(script, offer={key: value for key, value in script.offer.items() if key not in names})


def _tls(script: SinkScript, rest: str, line: int) -> SinkScript:
    if rest not in ("starttls", "implicit"):
        raise ValueError(f"tls is starttls or implicit, not {rest!r}")
    return replace(script, tls=cast(Literal["starttls", "implicit"], rest))


def _certificate(script: SinkScript, rest: str, line: int) -> SinkScript:
    files = tuple(rest.split())
    if not 1 <= len(files) <= 2:
        raise ValueError("certificate needs a file with certificate and key in PEM, or one of each")
    return replace(script, certificate=files)


def _login(script: SinkScript, rest: str, line: int) -> SinkScript:
    """`login USER PASSWORD`."""
    user, _, password = rest.partition(" ")
    if not user or not password:
        raise ValueError("login needs a user name and a password")
    return replace(script, logins={**script.logins, user: password})


def _on(script: SinkScript, rest: str, line: int) -> SinkScript:
    """`on STAGE CONDITIONS: DEEDS`."""
    match = re.match(r"(.*?):(?:\s+|$)(.*)", rest)
    if match is None:
        raise ValueError("a rule is: on STAGE CONDITIONS: DEED; DEED …")
    words = match[1].split()
    stage = words[0].lower() if words else ""
    if stage not in SINK_STAGES:
        raise ValueError(f"unknown stage {stage!r}; there are {', '.join(SINK_STAGES)}")
    rule = _conditions(SinkRule(cast(SinkStage, stage), _deeds(match[2]), line), words[1:])
    if rule.after_bytes and stage != "body":
        raise ValueError("`after` counts bytes of the body: it goes with `on body`")
    if rule.deed.keep and stage != "final":
        raise ValueError("keep goes with `on final`")
    if rule.deed.greylist_s is not None and stage != "rcpt":
        raise ValueError("greylist goes with `on rcpt`")
    return replace(script, rules=(*script.rules, rule))


_STATEMENTS: Final[dict[str, Callable[[SinkScript, str, int], SinkScript]]] = {
    "protocol": _protocol,
    "hostname": _hostname,
    "seed": _seed,
    "offer": _offer,
    "withhold": _withhold,
    "tls": _tls,
    "certificate": _certificate,
    "login": _login,
    "on": _on,
}


def _conditions(rule: SinkRule, words: list[str]) -> SinkRule:
    if len(words) % 2:
        raise ValueError(f"condition {words[-1]!r} lacks its value")
    for name, value in zip(words[::2], words[1::2], strict=True):
        match name:
            case "to":
                rule = replace(rule, recipient=_pattern(value))
            case "from":
                rule = replace(rule, sender=_pattern(value))
            case "share":
                rule = replace(rule, share=_share(value))
            case "every":
                rule = replace(rule, every=_count(value, name))
            case "first":
                rule = replace(rule, first=_count(value, name))
            case "above":
                rule = replace(rule, above=_count(value, name))
            case "after":
                rule = replace(rule, after_bytes=_count(value, name))
            case _:
                raise ValueError(f"unknown condition {name!r}; there are {', '.join(_CONDITIONS)}")
    return rule


def _pattern(text: str) -> Pattern:
    """Read `*@example.com`, `<>` for the null sender, or `/regular expression/`, which may match a part."""
    if text == "<>":
        return glob_pattern("")
    if not (text.startswith("/") and text.endswith("/") and len(text) > 1):
        return glob_pattern(text.lower())
    try:
        return read_pattern(text[1:-1], ignores_case=True)
    except BadValue as bad:
        hint = f"; {bad.hint}" if bad.hint else ""
        raise ValueError(f"{text} is not a regular expression: {bad}{hint}") from None


def _share(text: str) -> float:
    number = text.removesuffix("%")
    try:
        share = float(number) / 100
    except ValueError:
        share = -1.0
    if not (text.endswith("%") and 0 <= share <= 1):
        raise ValueError(f"share is a percentage from 0% to 100%, not {text!r}")
    return share


def _count(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{name} needs a whole number, not {text!r}")
    return int(text)


def _seconds(text: str, name: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{name} needs a number of seconds, not {text!r}")
    return seconds


def _deeds(text: str) -> Deed:
    deed = Deed()
    for part in text.split(";"):
        word, _, value = part.strip().partition(" ")
        match word:
            case "accept" | "hang" | "close" | "keep":
                if value:
                    raise ValueError(f"{word} stands alone; deeds are separated by `;`")
                flag: dict[str, Any] = {word: True}
                deed = replace(deed, **flag)
            case "reply":
                deed = replace(deed, reply=_reply(value))
            case "delay":
                deed = replace(deed, delay_s=_seconds(value, word))
            case "drip":
                deed = replace(deed, drip_s=_seconds(value, word))
            case "greylist":
                deed = replace(deed, greylist_s=_seconds(value, word))
            case _:
                raise ValueError(f"unknown deed {word!r}; there are {', '.join(_DEEDS)}")
    return deed


def _reply(text: str) -> Reply:
    code, _, rest = text.strip().partition(" ")
    if not re.fullmatch(r"[2-5]\d\d", code):
        raise ValueError("reply needs a code from 200 to 599 and a text, as in: reply 451 4.3.0 try later")
    return reply_from_lines(int(code), rest.replace("\\n", "\n").split("\n"))
