"""What a program writes to `sendmail`, made into a mail: missing header fields, line ends, nobody's Bcc. Pure."""

import re
import time
from typing import Final, NamedTuple

_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:")
_DROPPED: Final = frozenset((b"bcc", b"resent-bcc", b"return-path", b"content-length"))
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class MailUser(NamedTuple):
    """Who runs the command, and where. *host* is what addresses without a domain get."""

    uid: int
    user: str
    full_name: str
    host: str

    @property
    def address(self) -> str:
        """The user's address."""
        return f"{self.user}@{self.host}"


class Written(NamedTuple):
    """A mail in two parts, with bare line feeds: the fields, each with its name in lower case, and the body."""

    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def values(self, *names: bytes) -> list[str]:
        """Return the unfolded values of the fields of these names, in order."""
        raw = [field for name, field in self.fields if name in names]
        return [
            " ".join(field.partition(b":")[2].decode("utf-8", "surrogateescape").split()) for field in raw
        ]

    def has(self, name: bytes) -> bool:
        """Whether there is such a field."""
        return any(each == name for each, _ in self.fields)


def read_message(data: bytes, ends_at_dot: bool) -> Written:
    """Divide what was written into header and body.

    What no mail may have in it (RFC 5322 §2.3) is mended rather than refused, since it is what jobs of cron print: a
    carriage return alone becomes a line end in the body and a blank in the header; NULs go. A `From ` line of a mailbox
    is passed over. Text that does not begin with a field is all body, and the first line that is no field ends the
    header, as with other programs of that name.
    """
    text = re.sub(rb"\r+\n", b"\n", data.replace(b"\0", b""))
    if ends_at_dot:
        text = re.split(rb"(?m)^\.\n", text, maxsplit=1)[0]
    if text.startswith((b"From ", b">From ")):
        text = text.partition(b"\n")[2]
    fields: list[tuple[bytes, bytes]] = []
    at = 0
    while at < len(text):
        end = text.find(b"\n", at) + 1 or len(text)
        line = text[at:end]
        if match := _FIELD.match(line):
            fields.append((match[1].lower(), line))
        elif line[:1] in (b" ", b"\t") and fields:
            name, before = fields[-1]
            fields[-1] = (name, before + line)
        else:
            at = end if line == b"\n" else at
            break
        at = end
    return Written(
        tuple((name, field.replace(b"\r", b" ")) for name, field in fields), text[at:].replace(b"\r", b"\n")
    )


def compose(written: Written, caller: MailUser, author: str, now: float, token: str) -> bytes:
    """Return the mail as it leaves, with CRLF line ends.

    Bcc and its like are taken out. From, Date and Message-ID are written where they are missing: *author* is a whole
    mailbox, *now* in epoch seconds, and *token* makes the Message-ID one of its kind.
    """
    missing = {"From": author, "Date": local_date(now), "Message-ID": f"<{token}@{caller.host}>"}
    added = [f"Received: by {caller.host} (sendmail, from userid {caller.uid}); {local_date(now)}\n"]
    added += [
        f"{name}: {value}\n" for name, value in missing.items() if not written.has(name.lower().encode())
    ]
    kept = (
        field if field.endswith(b"\n") else field + b"\n"
        for name, field in written.fields
        if name not in _DROPPED
    )
    text = "".join(added).encode("utf-8", "surrogateescape") + b"".join(kept) + b"\n" + written.body
    if not text.endswith(b"\n"):
        text += b"\n"
    return text.replace(b"\n", b"\r\n")


def local_date(now: float) -> str:
    """Return *now*, in epoch seconds, as RFC 5322 §3.3 writes it, in the machine's zone."""
    local = time.localtime(now)
    day, month = _DAYS[local.tm_wday], _MONTHS[local.tm_mon - 1]
    return time.strftime(f"{day}, {local.tm_mday} {month} %Y %H:%M:%S %z", local)
