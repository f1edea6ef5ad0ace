"""The books of a drill: what was offered, what was answered, what arrived, and where the two do not agree.

Addresses say what is to happen to them. `to` is for a recipient like any other, `twice` for one whose mail the
sink may take without an answer that gets through, `gone` for one that the sink refuses for good. Each carries
the number of its letter, so that whatever arrives can be told.
"""

import asyncio
import json
import re
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal, NamedTuple

from angarium.testing.sink.store import SinkMessage, content_hash, without_trace

Answer = Literal["", "acknowledged", "refused"]

_ADDRESS: Final = re.compile(r"(to|twice|gone|from)\d*\.(\d+)@")
_FAILED: Final = re.compile(rb"^Final-Recipient:[^;\r\n]*;[ \t]*([^\r\n]+)", re.MULTILINE | re.IGNORECASE)
_SHOWN: Final = 20


@dataclass(slots=True)
class Letter:
    """One message and what has become of it. *answer* is "" until the reply to its end was seen, for ever if
    the connection died before. *recipients* are those that RCPT was answered with a yes for; *hidden* get a copy that
    is accepted together with the letter, or not.

    *arrived* counts copies, or reports of failure where the recipient is `gone`.
    """

    number: int
    hash: str
    recipients: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    answer: Answer = ""
    arrived: dict[str, int] = field(default_factory=dict)


class LetterText(NamedTuple):
    """What is to be sent. *arrives* is *text* as recipients get it: without the option that asks for *hidden* ones."""

    sender: str
    recipients: list[str]
    hidden: list[str]
    text: bytes
    arrives: bytes


def make_letter(number: int, random: Random, large_bytes: int) -> LetterText:
    """Return letter *number*, which is unlike any other.

    One in 40 is larger than *large_bytes*; one in five has several recipients, one in ten hidden copies.
    """
    count = random.randint(2, 5) if random.random() < 0.2 else 1
    kinds = random.choices(("to", "twice", "gone"), (90, 6, 4), k=count)
    domains = [f"d{random.randrange(5)}.example" for _ in kinds]
    recipients = [
        f"{kind}{n}.{number}@{domain}" for n, (kind, domain) in enumerate(zip(kinds, domains, strict=True))
    ]
    copies = random.randint(1, 5) if random.random() < 0.1 else 0
    hidden = [f"to{10 + n}.{number}@d{n}.example" for n in range(copies)]
    arrives = _text(number, random, large_bytes)
    text = b'X-MSYS-API: {"bcc": %b}\r\n%b' % (json.dumps(hidden).encode(), arrives) if hidden else arrives
    return LetterText(f"from.{number}@s{number % 7}.example", recipients, hidden, text, arrives)


def _text(number: int, random: Random, large_bytes: int) -> bytes:
    chance = random.random()
    if chance < 0.025:
        size = random.randint(large_bytes, 3 * large_bytes)
    elif chance < 0.15:
        size = random.randint(10_000, 60_000)
    else:
        size = random.randint(0, 4_000)
    head = f"Subject: letter {number}\r\nMessage-ID: <{number}@s.example>\r\n"
    head += "Date: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\n"
    noise = random.randbytes(size // 2).hex().encode()
    lines = (noise[start : start + 120] for start in range(0, size, 120))
    # dots where they matter: a line that begins with one, and one that is nothing else
    return head.encode() + b"".join(
        b".%b\r\n.\r\n" % line if line[:1] == b"0" else line + b"\r\n" for line in lines
    )


def _hash_for(recipient: str, letter: Letter, data: bytes) -> str:
    """Return the hash of what *recipient* got; a hidden copy begins with a Bcc field that names its recipient."""
    text = without_trace(data)
    if recipient in letter.hidden:
        text = text.removeprefix(f"Bcc: {recipient}\r\n".encode())
    return content_hash(text)


class Ledger:
    """Letters by number. *wrong* has a sentence for each thing that must never be."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.wrong: list[str] = []
        self.changed = asyncio.Event()
        self._open: set[tuple[int, str]] = set()

    @property
    def outstanding(self) -> int:
        """Recipients of acknowledged letters that have neither got them nor been reported."""
        return len(self._open)

    def offer(self, text: LetterText) -> Letter:
        """A letter is about to be sent; call it before the first byte goes."""
        letter = Letter(len(self.letters), content_hash(text.arrives), hidden=text.hidden)
        self.letters.append(letter)
        return letter

    def answered(self, letter: Letter, code: int) -> None:
        """The reply to the end of the letter was read."""
        letter.answer = "acknowledged" if code == 250 else "refused"
        if letter.answer == "acknowledged":
            letter.recipients += letter.hidden
            self._open |= {(letter.number, each) for each in letter.recipients if each not in letter.arrived}
        self.changed.set()

    def arrive(self, message: SinkMessage) -> None:
        """Take what came to the sink."""
        if message.reverse_path:
            for recipient in message.recipients:
                self._take(recipient, message)
        else:
            self._take_report(message)
        self.changed.set()

    def _letter_of(self, address: str, kinds: tuple[str, ...]) -> Letter | None:
        match = _ADDRESS.match(address)
        if match is None or match[1] not in kinds or int(match[2]) >= len(self.letters):
            return None
        return self.letters[int(match[2])]

    def _take(self, recipient: str, message: SinkMessage) -> None:
        letter = self._letter_of(recipient, ("to", "twice"))
        if letter is None:
            self.wrong.append(f"invented: mail from {message.reverse_path} for {recipient}")
        elif _hash_for(recipient, letter, message.data) != letter.hash:
            self.wrong.append(f"damaged: letter {letter.number} for {recipient}")
        else:
            self._count(letter, recipient)

    def _take_report(self, message: SinkMessage) -> None:
        failed = [match.decode().strip() for match in _FAILED.findall(message.data)]
        if not failed:
            self.wrong.append(f"a report to {message.recipients} that names no recipient")
        for recipient in failed:
            letter = self._letter_of(recipient, ("gone",))
            sender = self._letter_of(message.recipients[0], ("from",))
            if letter is None or letter is not sender:
                self.wrong.append(f"false: a report to {message.recipients} of {recipient}")
            else:
                self._count(letter, recipient)

    def _count(self, letter: Letter, recipient: str) -> None:
        letter.arrived[recipient] = letter.arrived.get(recipient, 0) + 1
        self._open.discard((letter.number, recipient))

    def broken(self) -> list[str]:
        """Return what does not agree, now that nothing more can come."""
        missing = [f"missing: letter {number} for {each}" for number, each in sorted(self._open)]
        unwanted = [
            f"delivered though refused: letter {letter.number}"
            for letter in self.letters
            if letter.answer == "refused" and letter.arrived
        ]
        torn = [
            f"torn: of letter {letter.number} a copy is missing"
            for letter in self.letters
            if letter.arrived and set(letter.hidden) - set(letter.arrived)
        ]
        found = self.wrong + missing + unwanted + torn
        more = [f"… and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        return found[:_SHOWN] + more

    def duplicates(self, kind: str) -> int:
        """Return how many copies, or reports, too many came for addresses of *kind*."""
        return sum(
            count - 1
            for letter in self.letters
            for recipient, count in letter.arrived.items()
            if recipient.startswith(kind)
        )
