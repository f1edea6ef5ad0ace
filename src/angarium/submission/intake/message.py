"""The record of an accepted message, and the lines that are put before it. Pure."""

import re
import uuid

import msgspec

from angarium.core.ids import MessageId, format_id
from angarium.core.options import Options
from angarium.core.records import Fate, ForwardPath, Lane, Message
from angarium.core.submission import EntrancePolicy, Raw, Submission
from angarium.core.waiting import ACCOUNT_TENANT
from angarium.identity.principal import Principal
from angarium.identity.records import Server
from angarium.mime.header import HeaderBlock
from angarium.mime.trace import date_line, message_id_line, received_line
from angarium.submission.intake.decision import Decision, peer_ip
from angarium.submission.intake.draft import MessageDraft
from angarium.submission.policy import lane_of
from angarium.submission.replies import refusal_of

SANDBOX_DAYS = 7
_A_PRIORITY = re.compile(rb"\npriority")


def message_of(
    submission: Submission[Principal],
    at: float,
    draft: MessageDraft,
    header: HeaderBlock,
    stored: Raw,
    decision: Decision,
) -> Message:
    """Return the message that came *at* that time, with *stored* for its content."""
    envelope, principal, policy = submission.envelope, submission.principal, submission.policy
    recipients = (*envelope.recipients, *decision.copies.further)
    single = _traced(recipients[0]) if len(recipients) == 1 else ""
    server = principal.server if principal is not None else None
    vouched = principal is not None or submission.is_known
    body, failing = stored.body, decision.failing
    fate = "fail" if failing else _fate(submission, server)
    return Message(
        id=submission.id,
        received_at=at,
        reverse_path=envelope.reverse_path,
        recipients=recipients,
        binding=decision.binding,
        lane=_lane(policy, draft, header),
        tenant=_tenant(submission),
        trace=received(submission, at, submission.id, single) + added_lines(submission, at, draft),
        body_size=len(body) if isinstance(body, bytes) else body.size,
        eight_bit=stored.eight_bit or not draft.lines.isascii(),
        smtputf8=envelope.smtputf8,
        ret=envelope.ret,
        envid=envelope.envid,
        origin=submission.origin,
        account=principal.account.id if principal is not None else 0,
        server=server.id if server is not None else 0,
        login=principal.name if principal is not None else "",
        options=_options(draft.options, fate),
        author_domain=draft.author_domain,
        refusal=refusal_of(failing) if failing else None,
        fate=fate,
        is_vouched=vouched,
        mends_lines=stored.long_lines and policy.mends_lines and vouched,
        return_domain=decision.return_domain,
        tracking_url=decision.tracking_url,
        offers_way_out=decision.way_out.is_offered and bool(decision.tracking_url),
        footer=decision.way_out.footer if decision.tracking_url else "",
        due_at=submission.due_at,
    )


def _fate(submission: Submission[Principal], server: Server | None) -> Fate:
    if server is not None and server.delivery_type == "sandbox" and submission.fate == "deliver":
        return "sandbox"
    return submission.fate


def _options(options: Options, fate: Fate) -> Options:
    """Return *options*; the text of mail for a sandbox is kept for a week, as nobody else has it."""
    if fate == "sandbox" and options.keep_body_days is None:
        return msgspec.structs.replace(options, keep_body_days=SANDBOX_DAYS)
    return options


def _tenant(submission: Submission[Principal]) -> str:
    principal, origin = submission.principal, submission.origin
    return (
        f"{ACCOUNT_TENANT}{principal.account.id}"
        if principal is not None
        else peer_ip(origin) or origin.listener
    )


def _traced(path: ForwardPath) -> str:
    """Return the address for Received: in ASCII if its local part is, so that nothing of ours needs SMTPUTF8."""
    if path.address.isascii():
        return path.address
    local, _, _ = path.address.rpartition("@")
    return f"{local}@{path.domain}" if local.isascii() else path.address


def _lane(policy: EntrancePolicy, draft: MessageDraft, header: HeaderBlock) -> Lane:
    """The message's own Priority field goes before what login, stream, server and account say."""
    wished = draft.options.lane
    otherwise: Lane = policy.lane if wished is None else 1 if wished else 0
    if not header.matches(_A_PRIORITY) or not header.has(b"priority"):
        return otherwise
    return lane_of(policy, header.first(b"priority"), otherwise)


def received(submission: Submission[Principal], at: float, message_id: MessageId, recipient: str) -> bytes:
    """Return the Received field, or nothing where it is switched off. *recipient* is the only one, or empty."""
    policy = submission.policy
    if not policy.adds_received:
        return b""
    return received_line(
        submission.origin,
        policy.hostname,
        format_id(message_id),
        recipient,
        at,
        submission.envelope.smtputf8,
    )


def added_lines(submission: Submission[Principal], at: float, draft: MessageDraft) -> bytes:
    """Return what is put before the header block behind Received; the same in every copy."""
    policy = submission.policy
    lines = draft.lines
    if policy.adds_date and b"date" in draft.silent:
        lines += date_line(at)
    if draft.replaces_id:
        # as a UUID: so senders who know this habit know the id of a message
        lines += message_id_line(str(uuid.UUID(bytes=submission.id)), policy.hostname)
    elif policy.adds_message_id and b"message-id" in draft.silent:
        lines += message_id_line(format_id(submission.id), policy.hostname)
    return lines
