"""A mail that came back, taken apart: what it says to people, what to programs, and what it returns."""

import re
from email import message_from_bytes, policy
from email.message import Message
from typing import NamedTuple

from angarium.mime.words import decode_words

MOST_BYTES = 1 << 20
"""Of a larger mail only so much is looked at: what matters stands in front."""
_MOST_PARTS = 50
_MOST_TEXT = 65_536

_ENDS = re.compile(
    r"""^(?: [-=_*\s>|]* (?: (?:below\ this\ line|below\ is|this|following)\ is\ (?:a\ |the\ )?copy\ of
      | (?:the\ )?(?:text|header|headers|beginning)\ of\ (?:the\ )?original
      | original\ message | message\ headers?\ follow | returned\ message | unsent\ message | forwarded\ message
      | the\ (?:header|body)\ of\ the\ original | message\ header\ follows | undelivered\ message
      | your\ original\ message | here\ is\ (?:a\ copy|your|the)
      | (?:your\ )?message\ (?:reads|begins)\ | copy\ of\ (?:the|your) )
    | (?:received|return-path|message-id|x-envelope-from|delivered-to|dkim-signature):[ \t] )""",
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
"""Where words end and the returned message begins, in a mail of one part."""
_UNFOLDED = re.compile(rb"(?im)(;[ \t]*\r?\n)(?=(?:boundary|charset|report-type|type|name)=)")
"""Where a parameter of a field stands in a line of its own without the white space that such lines begin with."""
_FIELDS = re.compile(r"^([!-9;-~]{2,60}):[ \t]*(.*(?:\n[ \t]+.*)*)", re.MULTILINE)


class MailParts(NamedTuple):
    """*header* are fields of the mail itself, by lower-case name, decoded; *text* what it says to people.

    *reports* are the groups of fields of its machine-readable part, *report_type* that part's subtype: a feedback
    report, or the status of a delivery. *returned* are fields of the message that it is about, as far as they are
    there; *inside* is that message, if it is here as a whole.
    """

    header: dict[str, str]
    text: str
    reports: list[dict[str, str]]
    report_type: str
    returned: dict[str, str]
    inside: "Message[str, str] | None" = None


def take_apart(mail: bytes) -> MailParts:
    """Return the parts of any bytes that claim to be a mail."""
    return parts_of(message_from_bytes(_UNFOLDED.sub(rb"\1 ", mail[:MOST_BYTES]), policy=policy.compat32))


def parts_of(message: "Message[str, str]") -> MailParts:
    """Return the parts of a mail that was read already."""
    header = _header(message)
    texts: list[str] = []
    reports: list[dict[str, str]] = []
    report_type = ""
    returned: dict[str, str] = {}
    inside: Message[str, str] | None = None
    for part in _leaves(message):
        kind = part.get_content_type().split()[0]  # a parameter may follow without a semicolon
        if kind in ("message/delivery-status", "message/global-delivery-status", "message/feedback-report"):
            report_type = kind.partition("/")[2]
            reports += _groups(part)
        elif kind in ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"):
            returned = returned or fields_of(_returned(part))
            inside = inside or _inside(part)
        elif part is not message and part["from"] and part["received"]:
            returned = returned or _header(part)  # a message that stands where a part should
        elif kind == "text/plain" or not (texts or part.is_multipart() or kind.startswith("text/")):
            texts.append(_text(part))
        elif kind == "text/html":
            texts.append(_without_tags(_text(part)))
    text, rest = _split("\n".join(texts)[:_MOST_TEXT])
    return MailParts(header, text, reports, report_type, returned or fields_of(rest), inside)


def _leaves(message: "Message[str, str]") -> "list[Message[str, str]]":
    """Return the parts that hold something, without going into returned messages."""
    found: list[Message[str, str]] = []
    waiting = [message]
    while waiting and len(found) < _MOST_PARTS:
        part = waiting.pop(0)
        inside = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(inside, list):
            waiting = [*inside, *waiting]
        else:
            found.append(part)
    return found


def _header(message: "Message[str, str]") -> dict[str, str]:
    """Return the fields of *message* by lower-case name, decoded; of several the first."""
    return {name.lower(): _shown(value) for name, value in reversed(message.items())}


def _groups(part: "Message[str, str]") -> list[dict[str, str]]:
    inside = part.get_payload()
    if isinstance(inside, list):  # the library reads a delivery status as messages without bodies
        messages = [each for each in inside[: _MOST_PARTS * 4] if isinstance(each, Message)]
        return [group for each in messages if (group := {**_header(each), **fields_of(_text(each))})]
    return [group for block in re.split(r"\n[ \t]*\n", _text(part)) if (group := fields_of(block))]


def _returned(part: "Message[str, str]") -> str:
    inside = part.get_payload()
    if isinstance(inside, list):
        messages = [each for each in inside[:1] if isinstance(each, Message)]
        return "\n".join(f"{name}: {value}" for each in messages for name, value in each.items())
    return _text(part)


def _inside(part: "Message[str, str]") -> "Message[str, str] | None":
    held = part.get_payload()
    return held[0] if isinstance(held, list) and held and isinstance(held[0], Message) else None


def fields_of(text: str) -> dict[str, str]:
    """Return the fields at the beginning of *text* by lower-case name, decoded; of several the first."""
    block = re.split(r"\n[ \t]*\n", text.lstrip("\n"), maxsplit=1)[0]
    fields: dict[str, str] = {}
    for name, value in _FIELDS.findall(block):
        fields.setdefault(name.lower(), _shown(value))
    return fields


def _text(part: "Message[str, str]") -> str:
    try:
        data = part.get_payload(decode=True)
    except (ValueError, AssertionError):
        data = None
    if not isinstance(data, bytes):
        inside = part.get_payload()
        return inside.replace("\r\n", "\n") if isinstance(inside, str) else ""
    charset = part.get_content_charset("utf-8")
    try:
        text = data.decode(charset, "replace")
    except (LookupError, ValueError):
        text = data.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _split(text: str) -> tuple[str, str]:
    """Return the words, and what follows of the returned message."""
    match = _ENDS.search(text)
    if match is None:
        return text, ""
    rest = text[match.start() :]
    first = re.search(r"^[!-9;-~]{2,60}:[ \t]", rest, re.MULTILINE)
    return text[: match.start()], rest[first.start() :] if first else ""


def _without_tags(text: str) -> str:
    spaced = re.sub(r"(?i)<(?:br|p|div|tr|li|h\d)\b[^<>]{0,500}>", "\n", text)
    bare = re.sub(r"<(?![^<>@\s]{1,64}@)[^<>]{0,2000}>", " ", spaced)
    for name, char in (
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&nbsp;", " "),
        ("&quot;", '"'),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ):
        bare = bare.replace(name, char)
    return bare


def _shown(value: object) -> str:
    text = decode_words(re.sub(r"\s+", " ", _japanese(str(value))).strip())
    return text.encode("utf-8", "replace").decode()


def _japanese(text: str) -> str:
    """Return *text* with its ISO-2022-JP decoded, which old programs leave where no charset is said."""
    if "\x1b$" not in text or not text.isascii():
        return text
    return text.encode("ascii").decode("iso2022_jp", "replace")
