"""What is kept of a message's text, and what it is read as."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId
from angarium.core.records import Message
from angarium.events.days import day_at

DAY_S = 86_400


class BodyStoreError(AngariumError):
    """Bodies cannot be read or written."""


class TextToKeep(NamedTuple):
    """The text of a message, to be kept up to and with the day *until* (`2026-12-07`). *text*: the header block and the
    body as submitted, or the file that has them; None: it is the text of *body*, a content that was given before.
    """

    message: Message
    body: MessageId
    until: str
    text: bytes | Path | None


class KeptText(NamedTuple):
    """A message as it was received: what this node put before it, and then *pieces*. *size* counts the bytes of all."""

    size: int
    until: str
    pieces: Iterator[bytes]


def body_of(message: Message) -> MessageId:
    """Return what the body of a message goes by: its own, or that of the content which it shares."""
    return MessageId(message.content or message.id)


def kept_until(message: Message) -> str:
    """Return the last day (UTC) on which the text of a message is kept; empty: it is not."""
    days = message.options.keep_body_days
    return day_at(message.received_at + days * DAY_S) if days else ""
