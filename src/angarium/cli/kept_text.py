"""The text of a message, from what is kept of it."""

import email.message
import email.policy
import sys
from pathlib import Path
from typing import BinaryIO

import click

from angarium.cli.options import Failure
from angarium.cli.tables import clean
from angarium.cli.where import find_folder
from angarium.core.ids import parse_id
from angarium.events.bodies.port import KeptText
from angarium.events.bodies.store import BodyStore
from angarium.events.place import texts_folder

_LONGEST = 64 << 20
"""Bytes of a message that is decoded; what is larger can be had as it is."""


def tell_text(message_id: str, data: Path | None, *, is_raw: bool) -> None:
    """Write the text of a message to standard output: as it was received, or what it says. Raises Failure, NoNode."""
    kept = _kept(message_id, data or find_folder())
    if is_raw:
        _copy(kept, sys.stdout.buffer)
    elif kept.size > _LONGEST:
        raise Failure(f"the message has {kept.size} bytes, which are too many to decode; use --raw")
    else:
        for line in said_in(b"".join(kept.pieces)).expandtabs().splitlines():
            click.echo(clean(line))


def erase_text(message_id: str, data: Path | None) -> None:
    """Erase the text of a message. Raises Failure when none is kept, NoNode."""
    if not BodyStore(texts_folder(data or find_folder())).erase([parse_id(message_id)]):
        raise _not_kept(message_id)
    click.echo(f"the text of message {message_id} is erased")


def _kept(message_id: str, data: Path) -> KeptText:
    kept = BodyStore(texts_folder(data)).read(parse_id(message_id))
    if kept is None:
        raise _not_kept(message_id)
    return kept


def _not_kept(message_id: str) -> Failure:
    return Failure(
        f"the text of message {message_id} is not kept: its stream did not ask for that when it came "
        "(keep_body_days), or its days are over"
    )


def _copy(kept: KeptText, out: BinaryIO) -> None:
    for piece in kept.pieces:
        out.write(piece)
    out.flush()


def said_in(raw: bytes) -> str:
    """Return the plain text of a message, else its HTML; empty where it has neither."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    try:
        return payload.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:  # a charset that nobody knows
        return payload.decode("utf-8", "replace")
