"""Delivery status notifications: the message that tells a sender what became of his (RFC 3461 §6, RFC 3464).

A multipart/report (RFC 6522) of three parts: words for a person, fields for a program, and the original or
its header. All of it is 7 bit unless the sender's own address is not ASCII (RFC 6533, RFC 6531). Pure: time
and id are arguments. What peers said is hostile: it goes in as text that cannot end its line.
"""

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from angarium.core.reply import Reply
from angarium.mime.eightbit import downgrade, is_seven_bit, quoted_printable
from angarium.mime.header import HeaderBlock
from angarium.mime.trace import date_text

Action = Literal["failed", "delayed", "delivered", "relayed", "expanded"]

MAX_TEXT = 900
"""Characters of a peer's reply that are passed on."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,250}>\Z")
_TYPED_ADDRESS = re.compile(r"([A-Za-z0-9-]{1,40});(.+)\Z", re.S)
_INTERNAL = "[internal] "

_SUBJECTS: dict[Action, str] = {
    "failed": "Your mail could not be delivered",
    "delayed": "Your mail is delayed",
    "delivered": "Your mail was delivered",
    "relayed": "Your mail was passed on",
    "expanded": "Your mail was passed on to a list",
}

_OPENINGS: dict[Action, str] = {
    "failed": "Your mail could not be delivered to the recipients below. No further try will be made.",
    "delayed": "Your mail could not be delivered yet to the recipients below. You need not send it again: "
    "further tries will be made{until}.",
    "delivered": "Your mail was delivered to the recipients below.",
    "relayed": "Your mail was passed on to the next system on its way to the recipients below. That system "
    "does not send confirmations, so this is the last report about it.",
    "expanded": "Your mail was passed on to the members of the lists below.",
}

_STATUSES: dict[Action, str] = {"failed": "5.0.0", "delayed": "4.0.0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DsnRecipient:
    """What became of one recipient.

    *original* is the decoded ORCPT parameter, `type;address`, or empty. *reply* is what the peer said, or we
    in its place (its text then begins with `[internal]`); *remote* is the peer's host name, empty when none
    was reached. *note* says in words what no reply says. *retry_until*, in epoch seconds, is told for delays
    only.
    """

    address: str
    original: str = ""
    reply: Reply | None = None
    remote: str = ""
    note: str = ""
    last_attempt_at: float | None = None
    retry_until: float | None = None


def build_dsn(
    *,
    action: Action,
    hostname: str,
    mailer_daemon: str,
    to: str,
    message_id: str,
    at: float,
    envelope_id: str,
    arrived_at: float,
    recipients: Sequence[DsnRecipient],
    original: bytes,
    full: bool = False,
    include: bool = True,
    smtputf8: bool = False,
) -> bytes:
    """Return the notification, header and body, with CRLF.

    *to* is the original's reverse path, *message_id* the notification's own with angle brackets. *original*
    is the original or its beginning, its header block at least. *full* returns all of it, if that can be
    done in 7 bit, else its header; with *include* False neither. *smtputf8* says that the sender can read
    messages of RFC 6532.
    """
    utf8 = smtputf8 and not all(_is_ascii(recipient) for recipient in recipients)
    parts = [
        _part("text/plain; charset=utf-8", _human(action, hostname, recipients).encode("utf-8", "replace")),
        _part(
            "message/global-delivery-status" if utf8 else "message/delivery-status",
            _status(action, hostname, envelope_id, arrived_at, recipients, utf8).encode("utf-8", "replace"),
        ),
    ]
    if include:
        parts.append(_original(original, full, smtputf8))
    body = b"".join(parts)
    boundary = "=_" + re.sub(r"[^A-Za-z0-9]", "", message_id)[:60]
    while boundary.encode() in body:
        boundary += "="
    head = _head(action, mailer_daemon, to, message_id, at, original, boundary)
    delimiter = f"\r\n--{boundary}".encode()
    opening = b"This is a delivery report in MIME format (RFC 3464).\r\n"
    pieces = [head, opening, *(piece for part in parts for piece in (delimiter, b"\r\n", part))]
    return b"".join((*pieces, delimiter, b"--\r\n"))


def _head(
    action: Action,
    mailer_daemon: str,
    to: str,
    message_id: str,
    at: float,
    original: bytes,
    boundary: str,
) -> bytes:
    lines = [
        f"From: Mail Delivery System <{_line(mailer_daemon)}>",
        f"To: <{_line(to)}>",
        f"Subject: {_SUBJECTS[action]}",
        f"Date: {date_text(at)}",
        f"Message-ID: {_line(message_id)}",
        "Auto-Submitted: auto-replied",  # RFC 3834 §5
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="{boundary}"',
    ]
    cause = HeaderBlock.scan(original).first(b"message-id")
    if _MESSAGE_ID.match(cause):
        lines.insert(5, f"In-Reply-To: {cause}\r\nReferences: {cause}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace")


def _human(action: Action, hostname: str, recipients: Sequence[DsnRecipient]) -> str:
    until = next((each.retry_until for each in recipients if each.retry_until is not None), None)
    opening = _OPENINGS[action].format(until=f" until {date_text(until)}" if until is not None else "")
    lines = [f"This is the mail system at {_line(hostname)}.", "", *textwrap.wrap(opening, 76), ""]
    for recipient in recipients:
        lines.append(f"<{_line(recipient.address)}>")
        lines += textwrap.wrap(
            _reason(recipient), 72, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
        )
        lines.append("")
    return "\r\n".join(lines)


def _reason(recipient: DsnRecipient) -> str:
    reply = _line(str(recipient.reply)).replace(_INTERNAL, "") if recipient.reply is not None else ""
    if reply and recipient.remote:
        reply = f"{_line(recipient.remote)} said: {reply}"
    return "; ".join(part for part in (reply, _line(recipient.note)) if part)


def _status(
    action: Action,
    hostname: str,
    envelope_id: str,
    arrived_at: float,
    recipients: Sequence[DsnRecipient],
    utf8: bool,
) -> str:
    """Return the per-message fields, then a group of fields for each recipient (RFC 3464 §2)."""
    per_message = [("Reporting-MTA", f"dns; {_line(hostname)}")]
    if envelope_id:
        per_message.append(("Original-Envelope-Id", _escaped(_line(envelope_id), utf8)))
    per_message.append(("Arrival-Date", date_text(arrived_at)))
    groups = [per_message, *(_recipient_fields(action, recipient, utf8) for recipient in recipients)]
    return "\r\n".join("".join(_field(name, value) for name, value in group) for group in groups)


def _recipient_fields(action: Action, recipient: DsnRecipient, utf8: bool) -> Iterable[tuple[str, str]]:
    typed = _TYPED_ADDRESS.match(recipient.original)
    if typed is not None:
        yield "Original-Recipient", _address(typed[1], typed[2], utf8)
    yield "Final-Recipient", _address("rfc822", recipient.address, utf8)
    yield "Action", action
    reply = recipient.reply
    yield "Status", (reply.enhanced if reply is not None else "") or _STATUSES.get(action, "2.0.0")
    if recipient.remote:
        yield "Remote-MTA", f"dns; {_escaped(_line(recipient.remote), utf8)}"
    if reply is not None:
        # RFC 3464 §2.3.6: a code that no SMTP server gave has another type
        type_ = "x-angarium" if reply.text.startswith(_INTERNAL) else "smtp"
        yield "Diagnostic-Code", f"{type_}; {_escaped(_line(str(reply)).replace(_INTERNAL, ''), utf8)}"
    if recipient.last_attempt_at is not None:
        yield "Last-Attempt-Date", date_text(recipient.last_attempt_at)
    if recipient.retry_until is not None and action == "delayed":
        yield "Will-Retry-Until", date_text(recipient.retry_until)


def _address(type_: str, address: str, utf8: bool) -> str:
    """Return a typed address; one beyond ASCII has the type utf-8 (RFC 6533 §3)."""
    address = _line(address)
    if address.isascii():
        return f"{type_}; {address}"
    return f"utf-8; {_escaped(address, utf8)}"


def _escaped(text: str, utf8: bool) -> str:
    """Return *text* for a field: as it is where UTF-8 may stand, else with RFC 6533's `\\x{…}` beyond ASCII."""
    if utf8 or text.isascii():
        return text
    return "".join(each if each.isascii() else f"\\x{{{ord(each):X}}}" for each in text)[:MAX_TEXT]


def _field(name: str, value: str) -> str:
    """Return one field. Only a reply is folded: blanks inside an address are part of it."""
    if name != "Diagnostic-Code":
        return f"{name}: {value}\r\n"
    lines = textwrap.wrap(f"{name}: {value}", 76, subsequent_indent="  ", break_on_hyphens=False)
    return "\r\n".join(lines) + "\r\n"


def _line(text: str) -> str:
    """Return *text* in one line of bounded length, control characters made blanks."""
    return _CONTROLS.sub(" ", text[:MAX_TEXT]).strip()


def _is_ascii(recipient: DsnRecipient) -> bool:
    return recipient.address.isascii() and recipient.original.isascii()


def _part(content_type: str, content: bytes) -> bytes:
    """Return a body part; content beyond 7 bit as quoted-printable."""
    if _is_clean(content):
        return f"Content-Type: {content_type}\r\n\r\n".encode() + content
    head = f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return head.encode() + quoted_printable(content)


def _is_clean(content: bytes) -> bool:
    """Whether *content* can go as it is: 7 bit, and no CR or LF but in CRLF."""
    ends = content.count(b"\r\n")
    return is_seven_bit(content) and content.count(b"\r") == ends and content.count(b"\n") == ends


def _original(original: bytes, full: bool, smtputf8: bool) -> bytes:
    """Return the part that shows the original. message/rfc822 may not be encoded (RFC 2046 §5.2.1), so what cannot be
    made 7 bit comes back without its body.
    """
    header = HeaderBlock.scan(original)
    if full:
        seven_bit = downgrade(original)
        if seven_bit is not None and _is_clean(seven_bit):
            return _part("message/rfc822", seven_bit)
        if smtputf8 and not header.raw.isascii():
            return _part("message/global", original)
    beyond_ascii = smtputf8 and not header.raw.isascii()
    return _part("message/global-headers" if beyond_ascii else "text/rfc822-headers", header.raw)
