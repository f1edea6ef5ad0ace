"""What a mail that came back says: which recipients it is about, and what became of each (RFC 3464, RFC 5965, RFC 3834,
and the many that keep to none of them). Pure, and for any bytes.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from types import MappingProxyType
from typing import Literal, NamedTuple

from angarium.feedback.parts import MailParts, fields_of, parts_of, take_apart
from angarium.feedback.sections import (
    ANY_ADDRESS,
    REPLY,
    Section,
    Stage,
    essence,
    in_line,
    sections,
    stage_of,
    together,
)

FeedbackKind = Literal[
    "bounce",  # somebody's mail was not delivered, or not yet, or was: see each recipient's action
    "complaint",  # a recipient has called it unwanted
    "auto_reply",  # a program answers for a person
    "other",  # anything else, of a person mostly
]
ReportedAction = Literal["failed", "delayed", "delivered", "relayed", "expanded"]

_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_NEVER_A_RECIPIENT = re.compile(
    r"(?i)^(?:postmaster|mailer-daemon|abuse|support|help|helpdesk|admin|info|no-?reply|root|webmaster)@"
)
_DAEMON = re.compile(
    r"(?i)mailer-daemon|post_?master|mail delivery (?:sub)?system|mail-daemon|maildaemon|mail administrator"
    r"|system administrator|internet mail delivery|mail delivery agent"
)
_SUBJECT = re.compile(
    r"(?i)undeliver|not be delivered|delivery (?:status|notification|fail|error|problem|report)"
    r"|fail(?:ed|ure)? (?:notice|delivery)|returned mail|mail (?:delivery|system|could not|error)|delivery has failed"
    r"|message (?:delivery|not delivered|status)|nondeliverable|non-?delivery|unzustellbar|warning: could not send"
    r"|error (?:sending|delivering)|nicht zugestellt|bounce|unable to deliver|échec|rejected"
)
_AUTO_SUBJECT = re.compile(
    r"(?i)^(?:re: ?)?(?:auto(?:matic)?[ :-]?(?:matic )?(?:reply|response|answer)|out of (?:the )?office|abwesen"
    r"|autoreply|vacation|i am away|automatische antwort|réponse automatique|respuesta autom|risposta automatica"
    r"|absence)"
)
_AUTO_FIELDS = ("x-autoreply", "x-autorespond", "x-auto-response-suppress", "x-autoreply-domain")
_DELAYED = re.compile(
    r"(?i)still (?:being|trying)|not yet been delivered|has been delayed|will (?:be retried|keep trying|continue)"
    r"|delayed|do not need to resend|warning message only"
)
_FOR_GOOD = re.compile(r"(?i)permanent|fatal|giv(?:en|ing) up|[^.]\b5\d\d[ -]")


class ReportedRecipient(NamedTuple):
    """One recipient of a report. *address* is the one that the report names; *original* the one that was first asked
    for, if it says so. *status* is an enhanced code (RFC 3463) or empty, *reply* what was answered or said, on one
    line, *stage* to which command, where it says so.
    """

    address: str
    action: ReportedAction
    status: str = ""
    reply: str = ""
    original: str = ""
    stage: Stage = ""


class Feedback(NamedTuple):
    """What came back. *message_id* is that of the message it is about, without angle brackets, empty where it does not
    say; *returned* are the fields of that message that came back with it. *complaint* is the kind of a complaint
    (RFC 5965 §3.1: `abuse`, `fraud`, `not-spam` …).
    """

    kind: FeedbackKind
    recipients: tuple[ReportedRecipient, ...] = ()
    message_id: str = ""
    complaint: str = ""
    returned: Mapping[str, str] = MappingProxyType({})


def read_feedback(mail: bytes) -> Feedback:
    """Return what *mail*, header block and body, says."""
    return read_parts(take_apart(mail))


def read_parts(parts: MailParts) -> Feedback:
    """Return what a mail says that was taken apart."""
    if complaint := _complaint(parts):
        return complaint
    if reported := tuple(_reported(parts)):
        return _bounce(parts, reported)
    if _is_auto_reply(parts):
        return Feedback("auto_reply", message_id=_answered(parts), returned=parts.returned)
    if _is_of_a_program(parts):
        return _told_inside(parts) or _bounce(parts, tuple(_named_in_text(parts)))
    return Feedback("other", message_id=_answered(parts), returned=parts.returned)


def _bounce(parts: MailParts, recipients: tuple[ReportedRecipient, ...]) -> Feedback:
    return Feedback(
        "bounce", recipients, _bare(parts.returned.get("message-id", "")), returned=parts.returned
    )


def _told_inside(parts: MailParts) -> Feedback | None:
    """Return what the returned message says, where it is a report itself, and the outer one names nobody: a gateway
    has wrapped what another server reported.
    """
    if parts.inside is None or ANY_ADDRESS.search(parts.text):
        return None
    inner = parts_of(parts.inside)
    reported = tuple(_reported(inner))
    return _bounce(inner, reported) if reported else None


def _answered(parts: MailParts) -> str:
    return _bare(parts.header.get("in-reply-to", "").split(" ")[0] or parts.returned.get("message-id", ""))


def _bare(message_id: str) -> str:
    return message_id.strip("<> ")


# -- complaints


def _complaint(parts: MailParts) -> Feedback | None:
    fields = {name: value for group in reversed(parts.reports) for name, value in group.items()}
    if parts.report_type == "feedback-report" or "feedback-type" in fields:
        asked = ("original-rcpt-to", "removal-recipient")
        named = [group[name] for group in parts.reports for name in asked if name in group]
        kind = fields.get("feedback-type", "abuse").lower()
        return _complained(parts, kind, named or [parts.returned.get("to", "")])
    junk = "x-hmxmroriginalrecipient"  # Microsoft's programme for senders
    if recipient := parts.returned.get(junk) or parts.header.get(junk):
        return _complained(parts, "abuse", [recipient])
    if re.search(r"(?i)^complaint about message from ", parts.header.get("subject", "")):
        return _complained(parts, "abuse", [parts.returned.get("to", "")])
    return None


def _complained(parts: MailParts, kind: str, named: Iterable[str]) -> Feedback:
    addresses = dict.fromkeys(address for text in named for address in ANY_ADDRESS.findall(text))
    recipients = tuple(ReportedRecipient(address, "delivered") for address in addresses)
    return Feedback(
        "complaint", recipients, _bare(parts.returned.get("message-id", "")), kind, parts.returned
    )


# -- fields for programs (RFC 3464 §2.3)


def _reported(parts: MailParts) -> Iterator[ReportedRecipient]:
    """Yield the recipients of a delivery status: in its own part, or as plain text where a program has no better."""
    groups = parts.reports
    if not parts.report_type.endswith("delivery-status"):
        is_in_text = "\nFinal-Recipient:" in parts.text
        groups = [fields_of(block) for block in re.split(r"\n[ \t]*\n", parts.text)] if is_in_text else []
        parts = parts._replace(text="")
    told = sections(parts.text) if groups else []
    for group in groups:
        address = _typed(group.get("final-recipient", "")) or _typed(group.get("original-recipient", ""))
        if address:
            yield _of_fields(
                group, address, [each for each in told if each.address.lower() == address.lower()], parts
            )


def _of_fields(
    group: dict[str, str], address: str, told: list[Section], parts: MailParts
) -> ReportedRecipient:
    status = _first_status(group.get("status", ""))
    diagnostic = _whole(_diagnostic(group.get("diagnostic-code", "")), parts.text) or _comment(
        group.get("status", "")
    )
    original = _typed(group.get("original-recipient", "")) or _typed(group.get("x-actual-recipient", ""))
    words = told[-1].reply if told else essence(parts.text)
    stage = (
        stage_of(diagnostic) or next((each.stage for each in told if each.stage), "") or stage_of(parts.text)
    )
    return ReportedRecipient(
        address,
        _action(group.get("action", ""), status, diagnostic),
        status,
        diagnostic if _has_words(diagnostic) else f"{diagnostic} {words}".strip()[:2_000],
        original if original != address else "",
        stage,
    )


def _whole(diagnostic: str, text: str) -> str:
    """Return all lines of an answer of which a report has kept the first (`552-5.7.0 …`), where its transcript has
    them.
    """
    if not re.match(r"[245]\d\d-", diagnostic):
        return diagnostic
    start = text.find(f"<<< {diagnostic}")
    lines = text[max(0, start) :].split("\n")[:20] if start >= 0 else []
    said = [line[4:] for line in takewhile(lambda line: line.startswith("<<< "), lines)]
    return in_line(" ".join(said)) or diagnostic


def _comment(status: str) -> str:
    """Return what a status says in words: `4.0.0 (host name lookup failure)`."""
    found = re.search(r"\(([^()]{4,200})\)", status)
    return in_line(found[1]) if found else ""


def _has_words(diagnostic: str) -> bool:
    """Whether a diagnostic says something besides its codes."""
    return len(re.findall(r"[A-Za-z\u0080-\uffff]{3,}", diagnostic)) > 1


def _action(said: str, status: str, diagnostic: str) -> ReportedAction:
    word = re.sub(r"[^a-z]", "", said.lower().split("(")[0].split(" ")[0] if said else "")
    actions: tuple[ReportedAction, ...] = ("failed", "delayed", "delivered", "relayed", "expanded")
    for action in actions:
        if word.startswith(action[:5]):
            return action
    reply = REPLY.search(diagnostic)
    first = status[:1] or (reply["code"][:1] if reply else "5")
    return "delayed" if first == "4" else "delivered" if first == "2" else "failed"


def _typed(field: str) -> str:
    """Return the address of a field of type and address."""
    found = ANY_ADDRESS.findall(field.partition(";")[2] or field)
    return str(found[0]) if found else ""


def _diagnostic(field: str) -> str:
    kind, semicolon, text = field.partition(";")
    return in_line(text if semicolon and re.fullmatch(r"[\w -]{1,40}", kind) else field)


def _first_status(text: str) -> str:
    return str((_STATUS.findall(text) or [""])[0])


# -- words for people


def _is_auto_reply(parts: MailParts) -> bool:
    header = parts.header
    if _AUTO_SUBJECT.search(header.get("subject", "")):
        return True
    is_automatic = header.get("auto-submitted", "").lower().startswith("auto-replied")
    is_automatic = is_automatic or header.get("precedence", "").lower() in ("auto_reply", "auto-reply")
    return (is_automatic or any(name in header for name in _AUTO_FIELDS)) and not _is_of_a_server(parts)


def _is_of_a_program(parts: MailParts) -> bool:
    """Whether a mail looks like one that a mail server has written, and no person and no person's program."""
    has_no_sender = parts.header.get("return-path", "x").strip() == "<>"
    return _is_of_a_server(parts) or (has_no_sender and not parts.header.get("in-reply-to"))


def _is_of_a_server(parts: MailParts) -> bool:
    header = parts.header
    if header.get("x-failed-recipients") or _DAEMON.search(header.get("from", "")):
        return True
    return bool(_SUBJECT.search(header.get("subject", "")))


def _named_in_text(parts: MailParts) -> Iterator[ReportedRecipient]:
    """Yield the recipients that words for people name as failed."""
    is_late = bool(_DELAYED.search(parts.text)) and not _FOR_GOOD.search(parts.text)
    for each in _likely(parts):
        reply = each.reply
        if not REPLY.search(reply) and (REPLY.search(parts.text) or len(reply.split()) < 3):
            reply = f"{reply} {essence(parts.text)}".strip()
        stage = each.stage or stage_of(parts.text)
        action: ReportedAction = "delayed" if is_late else "failed"
        yield ReportedRecipient(each.address, action, _first_status(reply), reply, stage=stage)


def _likely(parts: MailParts) -> list[Section]:
    """Return the pieces of the text that are about a recipient each: those that stand in a list, or are known to be
    recipients; else any address that is no sender's; else the one recipient of the message that came back.
    """
    known = _addresses(parts.header, "x-failed-recipients")
    known |= _addresses(parts.returned, "to", "x-envelope-to", "cc", "envelope-to")
    senders = _addresses(parts.header, "to") | _addresses(parts.returned, "from", "return-path", "sender")
    found = [
        each
        for each in sections(parts.text)
        if not (each.is_sender or _NEVER_A_RECIPIENT.search(each.address))
    ]
    first = [each for each in found if each.is_first]
    likely = [each for each in found if each.address.lower() in known]
    strangers = [each for each in found if each.address.lower() not in senders]
    chosen = [*first, *likely] if first else likely or strangers or found
    left = known - senders
    if not chosen and len(left) == 1:
        chosen = [Section(left.pop(), True, essence(parts.text), "")]
    by_address: dict[str, Section] = {}
    for each in chosen:
        before = by_address.get(each.address.lower())
        by_address[each.address.lower()] = each if before is None else together(before, each)
    return list(by_address.values())


def _addresses(fields: Mapping[str, str], *names: str) -> set[str]:
    return {address.lower() for name in names for address in ANY_ADDRESS.findall(fields.get(name, ""))}
