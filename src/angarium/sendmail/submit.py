"""Hands a mail to the node by SMTP (RFC 5321), over a socket that blocks. It sends one mail and ends: no event loop, no
pipelining.
"""

import os
import socket
from collections.abc import Callable
from typing import BinaryIO, Final

from angarium.sendmail.errors import NoAnswer, NotNow, NotSent, SendmailUsage
from angarium.sendmail.posting import Posting

_CONNECT_S: Final = 10.0
_REPLY_S: Final = 300.0
_PIECE: Final = 1 << 20


def submit(address: str, posting: Posting, trace: Callable[[str], None] = lambda line: None) -> str:
    """Send *posting* and return the node's answer. All recipients get it, or none.

    *address* is a path, or HOST:PORT. *trace* hears each line of the dialogue. Raises NoAnswer when no node answers,
    NotNow when it does not take the mail now, NotSent when it refuses. When the connection is lost behind the final dot
    the mail may have been taken: that is NoAnswer as well.
    """
    try:
        with connect(address) as sock, sock.makefile("rb") as replies:
            return _Dialogue(sock, replies, trace).send(posting)
    except OSError as error:
        raise NoAnswer(
            f"the node at {address} does not answer: {(error.strerror or str(error)).lower()}"
        ) from error


def connect(address: str) -> socket.socket:
    """Return a connection to *address*. Raises OSError, or SendmailUsage for what is no address."""
    if not address.startswith("/"):
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            raise SendmailUsage(f"{address} is neither a path nor HOST:PORT")
        sock = socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S)
    else:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(_CONNECT_S)
        try:
            sock.connect(address)
        except OSError:
            sock.close()
            raise
    sock.settimeout(_REPLY_S)
    return sock


class _Dialogue:
    """One session of one mail."""

    def __init__(self, sock: socket.socket, replies: BinaryIO, trace: Callable[[str], None]) -> None:
        self._sock = sock
        self._replies = replies
        self._trace = trace

    def send(self, posting: Posting) -> str:
        """See `submit`."""
        self._expect()
        extensions = {line.partition(" ")[0].upper() for line in self._say("EHLO localhost").splitlines()[1:]}
        self._say(f"MAIL FROM:<{posting.sender}>{_mail_parameters(posting, extensions)}")
        notify = f" NOTIFY={posting.notify}" if posting.notify and "DSN" in extensions else ""
        for recipient in posting.recipients:
            self._say(f"RCPT TO:<{recipient}>{notify}", recipient)
        self._say("DATA")
        self._write(posting.text)
        answer = self._say(".")
        self._sock.sendall(b"QUIT\r\n")
        return answer

    def _say(self, line: str, recipient: str = "") -> str:
        self._trace(f">>> {line}")
        self._sock.sendall(f"{line}\r\n".encode("utf-8", "surrogateescape"))
        return self._expect(recipient)

    def _write(self, text: bytes) -> None:
        stuffed = text.replace(b"\n.", b"\n..")
        self._sock.sendall(b"." + stuffed if stuffed.startswith(b".") else stuffed)

    def _expect(self, recipient: str = "") -> str:
        lines, is_last = [], False
        while not is_last:
            line = self._replies.readline(_PIECE).decode("utf-8", "replace").rstrip("\r\n")
            if not line[:3].isdigit():
                raise NoAnswer("the node hung up" if not line else f"the node says no SMTP: {line[:100]}")
            self._trace(line)
            lines.append(line)
            is_last = line[3:4] != "-"
        _check(lines, recipient)
        return "\n".join(line[4:] for line in lines)


def _mail_parameters(posting: Posting, extensions: set[str]) -> str:
    found = ""
    if "8BITMIME" in extensions and not posting.text.isascii():
        found += " BODY=8BITMIME"
    if "SMTPUTF8" in extensions and not all(map(str.isascii, (posting.sender, *posting.recipients))):
        found += " SMTPUTF8"
    if "DSN" in extensions:
        found += f" RET={posting.ret}" if posting.ret else ""
        found += f" ENVID={_xtext(posting.envid)}" if posting.envid else ""
    if "SIZE" in extensions:
        found += f" SIZE={len(posting.text)}"
    return found


def _xtext(text: str) -> str:
    """RFC 3461 §4."""
    return "".join(char if "!" <= char <= "~" and char not in "+=" else f"+{ord(char):02X}" for char in text)


def _check(lines: list[str], recipient: str) -> None:
    reply = lines[-1]
    if reply[0] in "23":
        return
    sentence = f"{recipient}: the node answers {reply}" if recipient else f"the node answers {reply}"
    if reply[0] == "4":
        raise NotNow(sentence)
    raise NotSent(sentence, _status(reply[4:].partition(" ")[0]))


def _status(enhanced: str) -> int:
    """The exit status for a refusal with this enhanced code (RFC 3463), or what stands in its place."""
    if enhanced.startswith("5.1."):
        return os.EX_NOUSER
    if enhanced.startswith(("5.3.4", "5.5.", "5.6.")):
        return os.EX_DATAERR
    return os.EX_NOPERM if enhanced.startswith("5.7.") else os.EX_UNAVAILABLE
