"""What is kept of a message's header, so that people find the message by what they remember of it."""

from typing import NamedTuple

from angarium.mime.header import HeaderBlock
from angarium.mime.words import decode_words

LONGEST = 500
"""Characters of a field that are kept."""


class MailSummary(NamedTuple):
    """Fields of the header, decoded (RFC 2047), on one line each; empty where there is none.

    *author* is the From field as it is shown, *message_id* without angle brackets.
    """

    subject: str = ""
    author: str = ""
    message_id: str = ""


def summary_of(data: bytes) -> MailSummary:
    """Return the summary of a message, given its beginning, whatever it is."""
    header = HeaderBlock.scan(data)
    return MailSummary(
        _shown(decode_words(header.first(b"subject"))),
        _shown(decode_words(header.first(b"from"))),
        _shown(header.first(b"message-id")).strip("<>"),
    )


def _shown(text: str) -> str:
    line = " ".join(text.split())[:LONGEST]
    return line if line.isascii() else line.encode("utf-8", "replace").decode()
