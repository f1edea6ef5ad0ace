"""Postmark's API: messages that were sent, and what became of them."""

from collections.abc import Iterator
from itertools import chain, groupby
from typing import Any, Final

from angarium.core.ids import MessageId, parse_id
from angarium.core.options import Options
from angarium.dialects.postmark.dates import moment
from angarium.dialects.postmark.events import metadata_of
from angarium.dialects.postmark.headers import LINKS_WORDS
from angarium.dialects.postmark.problem import PostmarkProblem
from angarium.events.port import FoundMail, Happening, Timeline
from angarium.http.postmark.call import MOST_LISTED, PostmarkCall, Within, page_of
from angarium.http.postmark.of_message import of_message, recipients_of
from angarium.identity.principal import options_for
from angarium.mime.texts import ShownText, TextKind, edit_texts
from angarium.query.nodes import Equal, Node, Not, Phrase
from angarium.query.parser import all_of
from angarium.query.words import folded, words

QUERY: Final = 700
MISSING: Final = 701
_ROWS_AT_ONCE: Final = 1_000
_MOST_RECIPIENTS: Final = 50
_LARGEST_TEXT: Final = 50 << 20

_STATUSES: Final[dict[str, Node]] = {
    "queued": Equal("status", "queued"),
    "sent": Not(Equal("status", "queued")),
    "processed": Not(Equal("status", "queued")),
}


class MessagesAsked(Within):
    """Which are listed."""

    recipient: str | None = None
    from_email: str | None = None
    status: str | None = None
    subject: str | None = None
    metadata: dict[str, str] | None = None


def list_messages(call: PostmarkCall, query: MessagesAsked) -> dict[str, Any]:
    """List messages, the newest first."""
    count, offset = page_of(query, QUERY)
    found: list[list[FoundMail]] = []
    for mails in _messages(call, all_of([*_meant(call, query), *call.dates(query, QUERY)])):
        found.append(mails)
        if len(found) == MOST_LISTED:
            break
    shown = [message_view(call, recipients_of(call, mails[0])) for mails in found[offset : offset + count]]
    return {"TotalCount": len(found), "Messages": shown}


def show_message(call: PostmarkCall, message: str) -> dict[str, Any]:
    """Tell a message with its text, where that is kept, and what became of it."""
    timeline = _timeline(call, message)
    raw = _raw(call, message)
    texts = texts_of(raw)
    return {
        **message_view(call, timeline.recipients),
        "TextBody": texts.get("plain", ""),
        "HtmlBody": texts.get("html", ""),
        "Body": raw.decode("utf-8", "replace"),
        "MessageEvents": list(chain.from_iterable(map(_told, timeline.happenings))),
    }


def dump_message(call: PostmarkCall, message: str) -> dict[str, Any]:
    """Give a message as it was received, where its text is kept."""
    _timeline(call, message)
    return {"Body": _raw(call, message).decode("utf-8", "replace")}


def message_view(call: PostmarkCall, mails: list[FoundMail]) -> dict[str, Any]:
    """Return a message as Postmark shows it. All recipients stand in *To*: which field named them is not kept."""
    first = mails[0]
    of = of_message(first)
    shown = mails[:_MOST_RECIPIENTS]
    options = options_for(call.principal, Options(stream=first.stream or None))
    is_queued = any(mail.state == "queued" for mail in mails)
    return {
        "Tag": of.tag,
        "MessageID": of.id,
        "MessageStream": of.stream,
        "To": [{"Email": mail.address, "Name": ""} for mail in shown],
        "Cc": [],
        "Bcc": [],
        "Recipients": [mail.address for mail in shown],
        "ReceivedAt": moment(first.at),
        "From": of.sender,
        "Subject": of.subject,
        "Attachments": [],
        "Status": "Queued" if is_queued else "Sent",
        "TrackOpens": bool(options.track_opens),
        "TrackLinks": LINKS_WORDS[options.track_links or "none"],
        "Metadata": metadata_of(of),
        "Sandboxed": call.server.delivery_type == "sandbox",
    }


def _messages(call: PostmarkCall, node: Node) -> Iterator[list[FoundMail]]:
    """Yield the recipients that are found of each message, the newest first."""
    for _, mails in groupby(_rows(call, node), key=lambda mail: mail.message):
        yield list(mails)


def _rows(call: PostmarkCall, node: Node) -> Iterator[FoundMail]:
    after: str | None = None
    left = MOST_LISTED
    while left > 0:
        page = call.events.search(node, call.whose, limit=_ROWS_AT_ONCE, after=after)
        yield from page.found
        left -= len(page.found)
        after = page.next
        if after is None:
            return


def _meant(call: PostmarkCall, query: MessagesAsked) -> list[Node]:
    parts = call.mail(query)
    for field, text in (("to", query.recipient), ("from", query.from_email), ("subject", query.subject)):
        if text is not None and (found := words(text)):
            parts.append(Phrase(field, tuple(found)))
    if query.status is not None:
        if query.status.lower() not in _STATUSES:
            raise PostmarkProblem(QUERY, "The 'status' must be queued, sent or processed.")
        parts.append(_STATUSES[query.status.lower()])
    for name, value in (query.metadata or {}).items():
        parts.append(Equal(f"meta.{name}", folded(value)))
    return parts


def _timeline(call: PostmarkCall, message: str) -> Timeline:
    found = None
    name = _id(message)
    if name is not None:
        found = call.events.timeline(name, call.whose)
    if found is None or not found.recipients:
        raise PostmarkProblem(MISSING, f"The message {message[:60]!r} was not found.")
    return found


def _id(message: str) -> MessageId | None:
    try:
        return parse_id(message)
    except ValueError:
        return None


def _raw(call: PostmarkCall, message: str) -> bytes:
    """Return a message as it was received; empty where its text is not kept."""
    kept = call.texts.read(parse_id(message), call.whose)
    if kept is None:
        return b""
    pieces = list(kept.pieces)  # to the end: they hold a file open
    return b"".join(pieces)[:_LARGEST_TEXT]


def texts_of(message: bytes) -> dict[TextKind, str]:
    """Return the first text of each kind in a message."""
    found: dict[TextKind, str] = {}

    def look(shown: ShownText) -> None:
        found.setdefault(shown.kind, shown.data.decode(shown.charset, "replace"))

    edit_texts(message, look)
    return found


def _told(happening: Happening) -> Iterator[dict[str, Any]]:
    """Yield what Postmark tells of something that happened; nothing of what it does not tell."""
    found = _event(happening)
    if found is not None:
        type, details = found
        yield {
            "Recipient": happening.address,
            "Type": type,
            "ReceivedAt": moment(happening.at),
            "Details": details,
        }


def _event(happening: Happening) -> tuple[str, dict[str, str]] | None:
    said = happening.details
    if happening.type in ("delivered", "delayed"):
        attempt = said.get("attempt") or {}
        peer = str(attempt.get("peer", "")).rpartition(":")[0].strip("[]")
        where = {"DestinationServer": str(attempt.get("host", "")), "DestinationIP": peer}
        answer = {"DeliveryMessage": f"smtp;{happening.reply}", **where}
        return ("Delivered" if happening.type == "delivered" else "Transient"), answer
    if happening.type in ("bounced", "expired", "late_bounce", "complaint"):
        return "Bounced", {"Summary": happening.reply or happening.type, "BounceID": str(happening.number)}
    if happening.type == "open" and "machine" not in said:
        return "Opened", {"Summary": f"Email opened with {said.get('agent') or 'an unknown program'}"}
    if happening.type == "click" and "machine" not in said:
        place = "Text" if said.get("part") == "text" else "HTML"
        link = str(said.get("url", ""))
        return "LinkClicked", {"Summary": f"Clicked {link}", "Link": link, "ClickLocation": place}
    if happening.type == "unsubscribe":
        return "SubscriptionChanged", {"Origin": "Recipient", "SuppressSending": "True"}
    return None
