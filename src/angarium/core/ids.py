"""Message ids: 128 bits, ordered by time of reception, unguessable.

The layout is UUID version 7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then random bits. So ids sort by time,
never collide between workers or nodes, and can be shown as a UUID where a dialect wants one.
"""

import os
import uuid
from typing import NewType

MessageId = NewType("MessageId", bytes)
"""16 bytes. Text form everywhere (CLI, logs, `Received`): `format_id`."""


def new_id(now: float) -> MessageId:
    """Return a fresh id for *now*, in epoch seconds."""
    noise = bytearray(os.urandom(10))
    noise[0] = 0x70 | (noise[0] & 0x0F)
    noise[2] = 0x80 | (noise[2] & 0x3F)
    return MessageId(int(now * 1000).to_bytes(6, "big") + noise)


def made_at(message_id: bytes) -> float:
    """Return when an id was made, in epoch seconds, to the millisecond."""
    return int.from_bytes(message_id[:6], "big") / 1000


def format_id(message_id: bytes) -> str:
    """Return the 32 hex digits that name a message to people and in logs."""
    return message_id.hex()


def parse_id(text: str) -> MessageId:
    """Return the id written as 32 hex digits or as a UUID. Raises ValueError, saying what an id looks like."""
    try:
        return MessageId(uuid.UUID(text.strip()).bytes)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a message id; one has 32 hex digits, as in `angarium queue show`"
        ) from None
