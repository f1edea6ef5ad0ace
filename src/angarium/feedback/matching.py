"""From a mail to this node to facts: which recipient of which message it is about, and what it says of that one.

The recipient is found by an address that this node has signed: the one that it came to, or one that stands in it. Else
by the Message-ID of the message, or the id in its trace; that anybody can write, so it is believed of one recipient at
most. Nobody is blamed for what is not said of himself: then a fact tells what has come, and why nothing follows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, Literal, NamedTuple, Protocol

from angarium.core.ids import MessageId, format_id, parse_id
from angarium.core.records import Fact, FactKind, Message
from angarium.feedback.classify import Verdict, classify
from angarium.feedback.consequences import WANTED
from angarium.feedback.parts import MailParts, take_apart
from angarium.feedback.reading import Feedback, ReportedRecipient, read_parts
from angarium.feedback.sections import essence
from angarium.render.return_path import LOCAL_OCTETS, Returned, ReturnPaths

Matched = Literal["return_path", "message_id", "trace"]
"""What a message was found by."""

_SIGNED: Final = re.compile(rb"(?i)(?<![a-z0-9-])([bu]-[a-z2-7]{%d}@[a-z0-9.-]{1,253})" % (LOCAL_OCTETS - 2))
_TRACED: Final = re.compile(
    rb"(?im)\bid[ \t]+([0-9a-f]{32})\b|^x-pm-message-id:[ \t]*([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b"
)
_MOST_LOOKED_AT: Final = 100
_OURS: Final = re.compile(
    r"(?i)([0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\.([0-9]{1,4}))?@.*"
)
"""A Message-ID that this node has written: with the recipient's number where each has one of its own."""
_MOST_TEXT: Final = 2_000
_MOST_FIELD: Final = 320
_SETTLED: Final = {
    "delivered": "a delivery",
    "relayed": "a delivery further on",
    "expanded": "a list that took it",
}


class Mailing(NamedTuple):
    """A message that was sent from here: its recipients by their number, and whose it is."""

    message: MessageId
    recipients: Mapping[int, str]
    account: int = 0
    server: int = 0


class Mailings(Protocol):
    """Knows what was sent. Both may raise what their store raises."""

    def by_id(self, message: MessageId) -> Mailing | None:
        """Return a message by its id here, None for one that is not known."""
        ...

    def by_message_id(self, text: str) -> Mailing | None:
        """Return the message whose Message-ID, without angle brackets, that is; None without one, and of several."""
        ...


@dataclass(frozen=True, slots=True)
class _Target:
    """What a mail is about. *index* None: not known which recipient."""

    by: Matched
    message: MessageId
    mailing: Mailing | None
    index: int | None = None

    @property
    def address(self) -> str:
        """The recipient's; empty where it is not known."""
        return (
            "" if self.mailing is None or self.index is None else self.mailing.recipients.get(self.index, "")
        )


class _Said(NamedTuple):
    """What follows of a mail: a kind of fact, about whom, and what it says."""

    kind: FactKind
    target: _Target | None
    fields: dict[str, Any]


def facts_of(message: Message, text: bytes, returns: ReturnPaths | None, mailings: Mailings) -> list[Fact]:
    """Return what *message*, mail to this node, says, given the first of its *text*: at least one fact, and the same
    each time as long as *mailings* says the same. Those of one mail have the same ids whatever is known.
    """
    parts = take_apart(text)
    feedback = read_parts(parts)
    came_to = [path.address for path in message.recipients]
    targets = _signed(came_to, text, returns, mailings)
    found = [_said(feedback, parts, target, kind) for kind, target in targets]
    if not targets:
        found = [_said(feedback, parts, _unsigned(feedback, text, mailings), "bounce")]
    about = _about(message, parts, came_to)
    return [_fact(message, number, each, about) for number, each in enumerate(found)]


def _fact(mail: Message, number: int, said: _Said, about: dict[str, str]) -> Fact:
    target = said.target
    whose = target.mailing if target is not None else None
    is_known = target is not None and (target.by == "return_path" or whose is not None)
    fields = {**said.fields, **about, **({"by": target.by} if target is not None else {})}
    return Fact(
        kind=said.kind,
        id=blake2b(mail.id + number.to_bytes(4, "big"), digest_size=16).digest(),
        at=mail.received_at,
        message=target.message if target is not None and is_known else None,
        index=target.index if target is not None and target.index is not None else -1,
        account=whose.account if whose is not None else 0,
        server=whose.server if whose is not None else 0,
        fields={name: value for name, value in fields.items() if value not in ("", None)},
    )


def _about(mail: Message, parts: MailParts, came_to: Sequence[str]) -> dict[str, str]:
    """Say of the mail itself what a person needs to find it again."""
    sender = parts.header.get("from", "") or mail.reverse_path
    return {
        "mail": format_id(mail.id),
        "from": sender[:_MOST_FIELD],
        "to": ", ".join(came_to)[:_MOST_FIELD],
        "subject": parts.header.get("subject", "")[:_MOST_FIELD],
    }


# -- about whom


def _signed(
    came_to: Sequence[str], text: bytes, returns: ReturnPaths | None, mailings: Mailings
) -> list[tuple[str, _Target]]:
    """Return whom the addresses name that the mail came to; else the one whom addresses within it name."""
    if returns is None:
        return []
    found = {each: None for address in came_to if (each := returns.read(address)) is not None}
    if not found:
        inside = {match.lower() for match in _SIGNED.findall(text)[:_MOST_LOOKED_AT]}
        read = [each for one in sorted(inside) if (each := returns.read(one.decode())) is not None]
        named = {(each.message, each.index) for each in read}
        found = {_bounce_of(read[0]): None} if len(named) == 1 else {}
    return [
        (each.kind, _Target("return_path", each.message, mailings.by_id(each.message), each.index))
        for each in found
    ]


def _bounce_of(returned: Returned) -> Returned:
    """Return what an address names that only stands in a mail: that of an unsubscription is in every message."""
    return Returned("bounce", returned.message, returned.index)


def _unsigned(feedback: Feedback, text: bytes, mailings: Mailings) -> _Target | None:
    """Return the message that a mail names; and its recipient, where both know of one alone."""
    by: Matched = "message_id"
    mailing = _named(feedback.message_id, mailings)
    if mailing is None:
        by = "trace"
        ids = (one or other for one, other in _TRACED.findall(text)[:_MOST_LOOKED_AT])
        known = (mailings.by_id(parse_id(each.decode())) for each in dict.fromkeys(ids))
        mailing = next((each for each in known if each is not None), None)
    if mailing is None:
        return None
    index = _numbered(feedback, mailing) if by == "message_id" else None
    return _Target(
        by, mailing.message, mailing, _only_recipient(feedback, mailing) if index is None else index
    )


def _numbered(feedback: Feedback, mailing: Mailing) -> int | None:
    """Return the recipient whose Message-ID a mail names, unless it is about another."""
    ours = _OURS.fullmatch(feedback.message_id)
    if ours is None or ours[2] is None:
        return None
    own = mailing.recipients.get(int(ours[2]))
    if own is None or not all(_is_of(each, own) for each in feedback.recipients):
        return None
    return int(ours[2])


def _named(message_id: str, mailings: Mailings) -> Mailing | None:
    if not message_id:
        return None
    ours = _OURS.fullmatch(message_id)
    found = mailings.by_id(parse_id(ours[1])) if ours is not None else None
    return found if found is not None else mailings.by_message_id(message_id)


def _only_recipient(feedback: Feedback, mailing: Mailing) -> int | None:
    if len(feedback.recipients) > 1:
        return None
    if not feedback.recipients:  # providers leave out who has complained, or who is away
        return next(iter(mailing.recipients)) if len(mailing.recipients) == 1 else None
    matching = [index for index, own in mailing.recipients.items() if _is_of(feedback.recipients[0], own)]
    return matching[0] if len(matching) == 1 else None


def _is_of(reported: ReportedRecipient, address: str) -> bool:
    return address.casefold() in (reported.address.casefold(), reported.original.casefold())


# -- what it says


def _said(feedback: Feedback, parts: MailParts, target: _Target | None, kind: str) -> _Said:
    if feedback.kind == "other":
        if kind == "unsubscribe":
            return _Said("unsubscribe", target, {})
        return _nothing(target, parts, "words", "it is no report that is known: a person is to read it")
    if target is None:
        return _nothing(target, parts, feedback.kind, "it names no message that was sent from here", feedback)
    if target.index is None:
        why = "it came to no address that this node has signed, and does not name one recipient of the message alone"
        return _nothing(target, parts, feedback.kind, why, feedback)
    if feedback.kind == "complaint":
        if feedback.complaint in WANTED:
            return _nothing(target, parts, "report", "it complains of nothing", feedback)
        return _Said("complaint", target, {"type": feedback.complaint})
    if feedback.kind == "auto_reply":
        return _Said("auto_reply", target, {})
    return _bounced(feedback, parts, target)


def _bounced(feedback: Feedback, parts: MailParts, target: _Target) -> _Said:
    reported = _reported_of(feedback, target)
    if reported is None and not feedback.recipients:
        reply = essence(parts.text)
        verdict = classify(reply)
        if not verdict.rule or verdict.is_transient:
            return _nothing(target, parts, "bounce", "it names no recipient, and says nothing that is known")
        return _Said("late_bounce", target, _failure(reply, "", verdict))
    if reported is None:
        why = "it names several recipients with different fates, and not the one that it came back for"
        return _nothing(target, parts, "bounce", why, feedback)
    verdict = classify(reported.reply, reported.status, reported.stage)
    fields = _failure(reported.reply, reported.status, verdict)
    if not target.address or not _is_of(reported, target.address):
        fields["reported"] = reported.address[:_MOST_FIELD]  # it was forwarded, or rewritten
    if reported.action == "failed":
        return _Said("late_bounce", target, fields)
    if reported.action == "delayed":
        fields |= {"about": "delayed", "why": "the peer still tries: a delay is no bounce"}
    else:
        fields = {"about": reported.action, "why": f"it reports {_SETTLED[reported.action]}"}
    return _Said("feedback", target, fields)


def _reported_of(feedback: Feedback, target: _Target) -> ReportedRecipient | None:
    """Return what is said of the recipient: under its name, or of all that are named; a failure first."""
    named = feedback.recipients
    found = [each for each in named if target.address and _is_of(each, target.address)]
    if not found and len({each.action for each in named}) == 1:
        found = list(named)
    return next((each for each in found if each.action == "failed"), found[0] if found else None)


def _failure(reply: str, status: str, verdict: Verdict) -> dict[str, Any]:
    return {
        "reply": reply[:_MOST_TEXT],
        "status": status,
        "class": verdict.reason.number,
        "reason": verdict.reason.name,
    }


def _nothing(
    target: _Target | None, parts: MailParts, about: str, why: str, feedback: Feedback | None = None
) -> _Said:
    """Say what has come, and why nothing follows; for a person with the beginning of its words."""
    fields: dict[str, Any] = {"about": about, "why": why, "text": parts.text.strip()[:_MOST_TEXT]}
    if feedback is not None:
        fields["reported"] = ", ".join(each.address for each in feedback.recipients)[:_MOST_FIELD]
        if feedback.kind == "bounce" and len(feedback.recipients) == 1:
            fields |= {"reply": feedback.recipients[0].reply, "status": feedback.recipients[0].status}
        if feedback.kind == "complaint":
            fields["type"] = feedback.complaint
    return _Said("feedback", target, fields)
