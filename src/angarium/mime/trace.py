"""The lines that this node puts before a message: Received, Date, Message-ID. Time and id are arguments."""

import re
import time
from functools import lru_cache

from angarium.core.records import Origin

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_HELO = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}\Z")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_UTF8_KEYWORDS = {
    "ESMTP": "UTF8SMTP",
    "ESMTPA": "UTF8SMTPA",
    "ESMTPS": "UTF8SMTPS",
    "ESMTPSA": "UTF8SMTPSA",
    "LMTP": "UTF8LMTP",
    "LMTPA": "UTF8LMTPA",
    "LMTPS": "UTF8LMTPS",
    "LMTPSA": "UTF8LMTPSA",
}
"""RFC 6531 §4.3: the keywords of RFC 3848 for transactions with SMTPUTF8."""


def date_text(now: float) -> str:
    """Return *now*, in epoch seconds, as RFC 5322 §3.3 writes it, in UTC."""
    return _date_text(int(now))


@lru_cache(maxsize=64)
def _date_text(second: int) -> str:
    year, month, day, hour, minute, sec, weekday, *_ = time.gmtime(second)
    return f"{_DAYS[weekday]}, {day} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{sec:02} +0000"


def date_line(now: float) -> bytes:
    """Return the Date field for a message that has none."""
    return f"Date: {date_text(now)}\r\n".encode()


def message_id_line(message_id: str, hostname: str) -> bytes:
    """Return the Message-ID field for a message that has none."""
    return f"Message-ID: <{message_id}@{hostname}>\r\n".encode()


def received_line(
    origin: Origin, hostname: str, message_id: str, recipient: str, now: float, smtputf8: bool = False
) -> bytes:
    """Return the Received field of a reception (RFC 5321 §4.4), folded.

    *recipient* is the only recipient's address, empty when there are several, who must not
    learn of each other.
    What the peer said of itself is written only as far as it can do no harm. How an encrypted session was encrypted
    stands as a comment behind the protocol.
    """
    protocol = _UTF8_KEYWORDS.get(origin.protocol, origin.protocol) if smtputf8 else origin.protocol
    is_safe = recipient.isprintable() or not _UNSAFE.search(recipient)
    wanted = recipient and is_safe and (smtputf8 or recipient.isascii())
    for_ = f"\r\n\tfor <{recipient}>" if wanted else ""
    secured = f" ({origin.tls})\r\n\t" if origin.tls else " "
    return (
        f"Received: {_from(origin.helo, origin.peer)}by {hostname} with {protocol}{secured}id {message_id}{for_};\r\n"
        f"\t{_date_text(int(now))}\r\n"
    ).encode()


def address_literal(ip: str) -> str:
    """Return a numeric address as RFC 5321 §4.1.3 writes it."""
    return f"[IPv6:{ip}]" if ":" in ip else f"[{ip}]"


@lru_cache(4096)
def _from(helo: str, peer: str) -> str:
    """Return the from clause with its fold, empty for a message that was made here."""
    if helo and not _HELO.match(helo):
        helo = re.sub(r"[^A-Za-z0-9._:\[\]-]", "?", helo[:255])
    if not peer:
        return f"from {helo}\r\n\t" if helo else ""
    literal = address_literal(peer.rpartition(":")[0].strip("[]"))
    return f"from {helo or literal} ({literal})\r\n\t"
