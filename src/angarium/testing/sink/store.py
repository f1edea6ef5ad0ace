"""What the sink does with the messages that it receives. Blocks on disk: the sink is a tool, not a mail
store."""

import hashlib
import json
import os
import re
import socket
import time
from pathlib import Path
from typing import NamedTuple, Protocol

_TRACE_FIELD = re.compile(rb"(?:Return-Path|Received):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", re.IGNORECASE)
_FROM_LINE = re.compile(rb"^(>*From )", re.MULTILINE)


class SinkMessage(NamedTuple):
    """One message as it came. *data* is without dot-stuffing. *mail_parameters* is what followed the sender's
    path
    in MAIL, *rcpt_parameters* likewise per recipient. *at* is in epoch seconds. *session* counts from 1. *peer* is
    the client's address. *tls* is version and cipher, empty for clear text; *resumed* belongs to it. *login* is who
    has logged in, *xclient* what was said by XCLIENT, as pairs."""

    reverse_path: str
    recipients: tuple[str, ...]
    data: bytes
    at: float
    session: int
    helo: str = ""
    mail_parameters: str = ""
    rcpt_parameters: tuple[str, ...] = ()
    peer: str = ""
    tls: str = ""
    resumed: bool = False
    login: str = ""
    xclient: tuple[tuple[str, str], ...] = ()


class SinkStore(Protocol):
    """Where messages go."""

    def add(self, message: SinkMessage) -> object:
        """Keep *message*. Raises OSError."""
        ...

    def close(self) -> None:
        """Finish writing."""
        ...


def without_trace(data: bytes) -> bytes:
    """Return the message without the Return-Path and Received fields at its top: what every relay adds."""
    start = 0
    while (match := _TRACE_FIELD.match(data, start)) is not None:
        start = match.end()
    return data[start:]


def content_hash(data: bytes) -> str:
    """Return the SHA-256, in hex, of the message without its trace fields."""
    return hashlib.sha256(without_trace(data)).hexdigest()


class HashLog:
    """One line of JSON per message: time, envelope, size and `content_hash`. Complete lines are visible at
    once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def add(self, message: SinkMessage) -> None:
        """Append the line."""
        line = {
            "at": message.at,
            "from": message.reverse_path,
            "to": message.recipients,
            "size": len(message.data),
            "sha256": content_hash(message.data),
            "session": message.session,
        }
        self._file.write(json.dumps(line) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Mbox:
    """Appends to one file, in the mboxrd form, lines ended by LF."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")

    def add(self, message: SinkMessage) -> None:
        """Append the message with its envelope sender in the From line."""
        sender = message.reverse_path.replace(" ", "_") or "MAILER-DAEMON"
        first = f"From {sender} {time.asctime(time.gmtime(message.at))}\n"
        body = _FROM_LINE.sub(rb">\1", message.data.replace(b"\r\n", b"\n"))
        self._file.write(first.encode() + body + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Maildir:
    """A file per message under `new`, with Return-Path and Delivered-To on top."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0
        for name in ("tmp", "new", "cur"):
            (path / name).mkdir(parents=True, exist_ok=True)

    def add(self, message: SinkMessage) -> Path:
        """Write the file under `tmp`, then move it to `new`, and return where it is."""
        self._count += 1
        name = f"{message.at:.6f}.P{os.getpid()}Q{self._count}.{socket.gethostname()}"
        top = [f"Return-Path: <{message.reverse_path}>"]
        top += [f"Delivered-To: {recipient}" for recipient in message.recipients]
        temporary = self._path / "tmp" / name
        temporary.write_bytes("".join(f"{line}\r\n" for line in top).encode() + message.data)
        return temporary.rename(self._path / "new" / name)

    def close(self) -> None:
        """Nothing is left to do."""
