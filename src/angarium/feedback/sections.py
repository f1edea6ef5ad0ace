"""Reports in words for people: which address each piece of the text is about, and what it says of it."""

import re
from bisect import bisect_left
from itertools import islice
from typing import Literal, NamedTuple

ADDRESS = r"[^\s<>\"'()\[\],;:@]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}[A-Za-z0-9]"
ANY_ADDRESS = re.compile(ADDRESS)
REPLY = re.compile(r"\b(?P<code>[245]\d\d)(?:[ -]#?(?P<status>[245]\.\d{1,3}\.\d{1,3}))?\b")
_MOST = 2_000
"""Characters of an answer that are kept."""

_REACH = 5_000
_MOST_SECTIONS = 1_000

Stage = Literal["", "mail", "rcpt", "data"]
"""The command that an answer was given to; *data* is the whole message."""

_FIRST_IN_LINE = re.compile(rf"[\s<*\-\"'>]*(?:[45]\d\d[ -](?:\d\.\d\.\d )?<?)?{ADDRESS}")
"""An address that comes first, but for bullets and a code."""
_BULLET = re.compile(r"^[\s<*\-\"'>]+")
_ENVELOPE = re.compile(r"(?i)[\s>*]*(?:rcpt to|mail from|from|to|cc|sender|reply-to|subject) ?:[\s<\"]*")
"""What stands before an address where a report tells what was asked for, and not what came of it."""
_OF_SENDER = re.compile(r"(?i)[\s>*]*(?:mail from|from|sender|reply-to)\b")
_IN_TRANSCRIPT = re.compile(r"(?:[45]\d\d )[^\n]*?\.\.\. ?")
"""A line of a transcript (sendmail's): code, whom it is about, what is said of that."""
_TOLD = re.compile(
    r"(?i)the error that the other server returned was:|the response (?:from the remote server )?was:"
)
_STAGES: tuple[tuple[Stage, re.Pattern[str]], ...] = (
    (
        "data",
        re.compile(
            r"(?i)end of (?:data|message)|(?:to|after) (?:the )?(?:end of )?data\b|>>> \.\s|\(data\)|final data"
            r"|\bdata command"
        ),
    ),
    ("mail", re.compile(r"(?i)(?:to|after) mail from|>>> mail |\[mail_from\]|our mail from")),
    ("rcpt", re.compile(r"(?i)(?:to|after) rcpt|>>> rcpt |\[rcpt_to\]|our rcpt")),
)


class Section(NamedTuple):
    """What is said of an *address*. *is_first*: it stands first in its line, as in a list of those that failed.
    *is_sender*: it is told as the one that the mail was from.
    """

    address: str
    is_first: bool
    reply: str
    stage: Stage
    is_sender: bool = False


def sections(text: str) -> list[Section]:
    """Return each address in *text* with the words from its line up to where another one comes first in a line."""
    found = []
    for match in ANY_ADDRESS.finditer(text):
        start = text.rfind("\n", 0, match.start()) + 1
        is_first = _FIRST_IN_LINE.fullmatch(text[start : match.end()]) is not None
        found.append((start, match.end(), match.group().rstrip("."), is_first))
    firsts = [(start, address.lower()) for start, _, address, is_first in found if is_first]
    return [_section(text, *each, firsts) for each in found[:_MOST_SECTIONS]]


def _section(
    text: str, start: int, end: int, address: str, is_first: bool, firsts: list[tuple[int, str]]
) -> Section:
    line = text[start:end]
    if _ENVELOPE.fullmatch(line.removesuffix(address)):
        return Section(address, False, "", "", _OF_SENDER.match(line) is not None)
    before = _BULLET.sub("", line).removesuffix(address) if is_first else line
    later = islice(firsts, bisect_left(firsts, (end, "")), None)
    until = next((at for at, name in islice(later, 50) if name != address.lower()), len(text))
    after = text[end : min(until, end + _REACH)]
    if _IN_TRANSCRIPT.match(f"{before}{after}"):
        after = _one_of_transcript(after)
    words = f"{before}{after}"
    return Section(address, is_first, essence(words), stage_of(words[:1_500]))


def _one_of_transcript(text: str) -> str:
    """Return *text* up to the next line that is about another recipient or host."""
    lines = text.split("\n")
    others = ("while talking to", "... while talking to", ">>> ")
    for number, line in enumerate(lines[1:], 1):
        if _IN_TRANSCRIPT.match(line) or line.lower().startswith(others):
            return "\n".join(lines[:number])
    return text


def essence(text: str) -> str:
    """Return the words that matter, in one line: a reply with the paragraph it stands in, else all of them."""
    text = _TOLD.split(text)[-1]
    match = REPLY.search(text)
    if match is None or match.start() > 3_000:
        return in_line(text)[:1_000]
    start = max(0, text.rfind("\n\n", 0, match.start()))
    return in_line(text[start : match.end()] + text[match.end() :].split("\n\n")[0])


def stage_of(text: str) -> Stage:
    """Return the command that *text* says an answer was given to, empty where it says none."""
    return next((stage for stage, pattern in _STAGES if pattern.search(text)), "")


def in_line(text: str) -> str:
    """Return *text* in one line, without what only decorates its ends."""
    return re.sub(r"\s+", " ", text).strip(" <>:-*|")[:_MOST]


def together(one: Section, other: Section) -> Section:
    """Return what two pieces say of one address."""
    if other.reply in one.reply or one.reply in other.reply:
        return max(one, other, key=lambda each: len(each.reply))
    return one._replace(reply=f"{one.reply} / {other.reply}".strip(" /")[:_MOST])
