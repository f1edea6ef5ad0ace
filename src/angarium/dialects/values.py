"""What the option fields of the vendors come to, whichever dialect they are written in. Values only."""

from typing import Literal, NamedTuple

from angarium.core.options import NO_OPTIONS, Options
from angarium.core.reply import Reply
from angarium.mime.header import Field, Span
from angarium.mime.words import decode_words

Vendor = Literal["postmark", "smtpeter", "sparkpost"]
"""Whose way of treating a mistake is followed: Postmark takes the mail and reports it as failed, the others refuse."""

Reason = Literal[
    "json",  # X-MSYS-API is none
    "metadata",  # too many, too large, or not what metadata may be
    "option_syntax",  # any other option field that cannot be read
    "option_limit",  # too long, too many
    "unknown_stream",
    "archived_stream",
    "stream",  # any other stream that may not be used
    "unknown_binding",
    "binding",  # not one that the login may name
    "no_author",  # no From, several, or none with an address
    "domain",  # the author's is not verified
    "too_many_recipients",
    "quota",
    "header_size",
    "loop",
]
"""Why a message was refused, as logs and counters name it."""


class Problem(NamedTuple):
    """One thing that is wrong with a message. *vendor* None: refused in any case."""

    vendor: Vendor | None
    reason: Reason
    reply: Reply


class CopyTo(NamedTuple):
    """Somebody who gets the message besides those named by RCPT. *domain* in lower-case A-labels."""

    name: str
    address: str
    domain: str


class HeaderOptions(NamedTuple):
    """What a header block says by option fields, and where these stand.

    *options* and the copies hold what could be read; *problems* the rest, in the order they were met.
    """

    options: Options = NO_OPTIONS
    spans: tuple[Span, ...] = ()
    cc: tuple[CopyTo, ...] = ()
    bcc: tuple[CopyTo, ...] = ()
    archive: tuple[CopyTo, ...] = ()
    problems: tuple[Problem, ...] = ()


NOTHING_SAID = HeaderOptions()


class OptionError(ValueError):
    """A field cannot be obeyed. The text is the sentence that the sender is told."""

    def __init__(self, sentence: str, reason: Reason = "option_syntax") -> None:
        super().__init__(sentence)
        self.reason: Reason = reason


def line_of(field: Field) -> str:
    """Return a field's value as one line, a blank for each fold. What is no UTF-8 is taken for Latin-1.

    Encoded words stay as they are: what a value is made of is seen before any part of it is decoded, or text in it
    could pass for more.
    """
    value = b" ".join(filter(None, (line.strip() for line in field.value.split(b"\n"))))
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def text_of(field: Field) -> str:
    """Return a field's value where it is one text, encoded words decoded."""
    return decode_words(line_of(field))


def name_of(field: Field) -> str:
    """Return a field's name as it was written."""
    return field.raw[: len(field.name)].decode("ascii")


_WORDS = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}


def switch(field: Field) -> bool | None:
    """Return what a field that is `true` or `false` says, None when it is empty. Raises OptionError."""
    text = text_of(field).lower()
    if not text:
        return None
    try:
        return _WORDS[text]
    except KeyError:
        raise OptionError(f"{name_of(field)} must be true or false, not {shown(text)}") from None


def shown(text: str) -> str:
    """Return what somebody wrote, short enough and safe for a reply."""
    short = text if len(text) <= 40 else text[:37] + "..."
    return "'" + "".join(c if c.isprintable() and c.isascii() else "?" for c in short) + "'"
