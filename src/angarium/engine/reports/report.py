"""Delivery status notifications: who is told what, and the message that tells it (RFC 3461, RFC 3464)."""

from dataclasses import dataclass, field
from typing import Literal

from angarium.config.model import Config
from angarium.config.records import OutboundOptions
from angarium.core.ids import MessageId, new_id
from angarium.core.records import (
    NOTIFY_DELAY,
    NOTIFY_FAILURE,
    NOTIFY_NEVER,
    NOTIFY_SUCCESS,
    TERMINAL,
    TRANSACTIONAL,
    Event,
    ForwardPath,
    Message,
    Recipient,
)
from angarium.mime.dsn import DsnRecipient, build_dsn
from angarium.mime.trace import date_text
from angarium.smtp.address import parse_mailbox
from angarium.spool.port import Body, LargeBody

Action = Literal["failed", "delayed", "delivered", "relayed"]

_MISTAKE = "mail with this mistake is not sent; of more of it within the hour there is no other report"
"""What a report says in place of the note of mail that was taken only to be reported as failed (`Mistakes`)."""

QUIET = "quietly: "
"""How the note of a `cancelled` event begins whose sender is not to be told."""

_FAILED = ("bounced", "expired", "cancelled", "generation_failure", "generation_rejection")
_HEADER_LIMIT = 65_536
_FULL_LIMIT = 1 << 20
_FULL_SHARE = 4
"""A report carries an original whole up to this part of a journal segment, where all of it has to fit."""


@dataclass(slots=True)
class Report:
    """One notification to be made: the same fate of some recipients of one message."""

    action: Action
    message: Message
    at: float
    items: list[tuple[Event, Recipient]] = field(default_factory=list)

    @property
    def ends(self) -> list[Event]:
        """The last events among those that it tells of and that wait for it: written once it is durable."""
        return [event for event, _ in self.items if waits_for_report(event, self.action, self.message)]

    def joined_by(self, other: "Report") -> "Report":
        """Take what *other* tells of the same message, and return this."""
        self.items += other.items
        return self


def waits_for_report(event: Event, action: Action, message: Message) -> bool:
    """Whether *event* is written after its report is durable: a crash in between repeats the attempt.

    That a sender hears of a failure is worth it. That a stranger hears of a delivery is not, for then his mail would
    be delivered twice.
    """
    return event.state in TERMINAL and (action == "failed" or _hears_at_once(message))


def is_collected(action: Action, message: Message) -> bool:
    """Whether what else becomes of *message* is waited for. Who may be trusted hears at once that his mail arrived."""
    if len(message.recipients) < 2:
        return False
    return action in ("failed", "delayed") or not _hears_at_once(message)


def _hears_at_once(message: Message) -> bool:
    """Whether the sender hears of each delivery as it is made. Where each recipient has a transaction of his own, that
    would be a report for each.
    """
    return message.is_vouched and not message.return_domain


def report_action(event: Event, recipient: Recipient, config: Config) -> Action | None:
    """Say what the sender is to be told of *event*, or None. The null sender is never told anything.

    Nor is anybody of mail to us and of that for a sandbox, nor of what is made here for each recipient: events tell of
    it. Of a message that is to fail only a sender is told who logged in (`Mistakes` says how often), for any other
    address may be a stranger's.
    """
    message = recipient.message
    if not message.reverse_path or message.fate in ("feedback", "sandbox"):
        return None
    if message.fate == "fail" and not message.is_vouched:
        return None
    notify = recipient.path.notify
    if event.type == "delivered":
        return _success_action(event, message) if notify & NOTIFY_SUCCESS else None
    if message.is_form:
        return None
    if event.type in _FAILED:
        wanted = not notify or bool(notify & NOTIFY_FAILURE)
        quiet = event.type == "cancelled" and event.note.startswith(QUIET)
        options = config.outbound(event.binding, event.domain)
        return "failed" if wanted and not quiet and options.generate_bounces else None
    if (
        event.type == "suppressed"
    ):  # the events tell of it; a report goes to who has asked for one (RFC 3461 §4.1)
        return "failed" if notify & NOTIFY_FAILURE else None
    if event.type == "delayed":
        options = config.outbound(event.binding, event.domain)
        return "delayed" if _delay_is_due(event, recipient, options) else None
    return None


def _success_action(event: Event, message: Message) -> Action | None:
    # With a return path of ours the wish was not passed on: what the peer writes would come to us (`transaction_of`).
    if event.attempt is not None and event.attempt.dsn_passed and not message.return_domain:
        return None
    # Over LMTP the mail is in the mailbox; over SMTP it has merely gone further, out of our sight.
    return "delivered" if event.attempt is not None and event.attempt.method == "LMTP" else "relayed"


def _delay_is_due(event: Event, recipient: Recipient, options: OutboundOptions) -> bool:
    notify = recipient.path.notify
    if notify & NOTIFY_NEVER or not (notify & NOTIFY_DELAY or (not notify and options.generate_delay_dsn)):
        return False
    wait = options.delay_dsn_retry_interval
    due = 0
    for _ in range(recipient.delay_dsns + 1):
        due += wait
        wait = min(wait * 2, options.delay_dsn_max_retry_interval)
    return event.at - recipient.message.begins_at >= due


def build_report(report: Report, body: Body | None, config: Config) -> tuple[Message, bytes]:
    """Make the notification: a separate message from the null sender, and its text.

    *body* is the original's, None when it cannot be read any more. Reads the file of a large body: call it off the
    event loop.
    """
    event, _ = report.items[0]
    options = config.outbound(event.binding, event.domain)
    hostname = config.globals.hostname
    author = options.mailerdaemon.replace("__hostname__", hostname)
    id = new_id(report.at)
    original = report.message
    text = build_dsn(
        action=report.action,
        hostname=hostname,
        mailer_daemon=author,
        to=original.reverse_path,
        message_id=f"<{id.hex()}@{hostname}>",
        at=report.at,
        envelope_id=original.envid,
        arrived_at=original.received_at,
        recipients=[_dsn_recipient(report, event, recipient, options) for event, recipient in report.items],
        original=_original(original, body),
        full=_wants_full(report, options, config.globals.spool_segment_size),
        include=options.bounces_inline_original != "none",
        smtputf8=original.smtputf8,
    )
    return _message(report, id, text, hostname, author), text


def _message(report: Report, id: MessageId, text: bytes, hostname: str, author: str) -> Message:
    """Return the notification's own envelope and origin; its sender is told nothing of it.

    It has its turn among the mail of the tenant that caused it.
    """
    to = report.message.reverse_path
    path = ForwardPath(address=to, domain=parse_mailbox(to, smtputf8=True).domain, notify=NOTIFY_NEVER)
    return Message(
        id=id,
        received_at=report.at,
        reverse_path="",
        recipients=(path,),
        binding=report.message.binding,
        lane=TRANSACTIONAL,
        tenant=report.message.tenant,
        trace=f"Received: by {hostname} id {id.hex()}; {date_text(report.at)}\r\n".encode(),
        body_size=len(text),
        eight_bit=not text.isascii(),
        smtputf8=not to.isascii(),
        author_domain=author.rpartition("@")[2].lower(),
    )


def _dsn_recipient(
    report: Report, event: Event, recipient: Recipient, options: OutboundOptions
) -> DsnRecipient:
    attempt = event.attempt
    return DsnRecipient(
        address=recipient.path.address,
        original=recipient.path.orcpt,
        reply=event.reply,
        remote=attempt.host if attempt is not None else "",
        note=event.note if recipient.message.fate != "fail" else _MISTAKE,
        last_attempt_at=event.at,
        retry_until=recipient.message.begins_at + options.message_expiration
        if report.action == "delayed"
        else None,
    )


def _wants_full(report: Report, options: OutboundOptions, segment_bytes: int) -> bool:
    """RET decides for failures; else the option. Other reports carry the header only (RFC 3461 §4.3).

    So do those to a sender who is not vouched for: the address may be another's, and the text would reach it.
    """
    if report.action != "failed" or report.message.ret == "HDRS" or not report.message.is_vouched:
        return False
    wants = report.message.ret == "FULL" or options.bounces_inline_original == "all"
    return wants and report.message.body_size <= min(_FULL_LIMIT, segment_bytes // _FULL_SHARE)


def _original(message: Message, body: Body | None) -> bytes:
    if body is None:
        return message.trace
    if isinstance(body, LargeBody):
        with open(body.path, "rb") as file:
            body = file.read(_HEADER_LIMIT)
    return message.trace + body
