"""The record of an accepted message, and the lines that are put before it. Pure but for the binding drawn."""

import random
import re
import uuid
from functools import lru_cache, partial

import msgspec

from angarium.config.model import Config
from angarium.core.ids import MessageId, format_id
from angarium.core.records import ForwardPath, Lane, Message, Origin
from angarium.core.reply import Reply
from angarium.core.submission import EntrancePolicy, Problem, Reason, Submission
from angarium.core.waiting import ACCOUNT_TENANT
from angarium.identity.principal import Principal, options_for
from angarium.mime.header import HeaderBlock
from angarium.mime.trace import date_line, message_id_line, received_line
from angarium.queue.binding import DEFAULT, BindingFacts, choose_binding, member_of
from angarium.submission.intake.draft import MessageDraft, dialect_of
from angarium.submission.policy import lane_of

_A_PRIORITY = re.compile(rb"\npriority")


def peer_ip(origin: Origin) -> str:
    """Return the numeric address of the peer, empty for a Unix socket."""
    return _ip_of(origin.peer)


@lru_cache(4096)
def _ip_of(peer: str) -> str:
    return peer.rpartition(":")[0].strip("[]")


def binding_of(
    config: Config,
    submission: Submission[Principal],
    draft: MessageDraft,
    header: HeaderBlock,
    rng: random.Random,
) -> str | Problem:
    """Return the binding that the options name (of a group one member), else the one that the rules choose."""
    name = draft.options.binding
    if name is None:
        if not config.binding_rules:  # as is usual
            return DEFAULT
        origin, domain = submission.origin, submission.envelope.sender_domain
        facts = BindingFacts(origin.listener, peer_ip(origin), domain, partial(_value, header))
        return choose_binding(config, facts, rng)
    is_asked = draft.asked.binding == name
    if is_asked:
        problem = _confined(config, submission.principal, draft)
        if problem is not None:
            return problem
    if name in config.bindings:
        return name
    if name in config.groups:
        return member_of(config, name, rng)
    if is_asked:
        return Problem(Reason.UNKNOWN_BINDING, value=name, dialect=dialect_of(draft.wishes, "binding"))
    return Problem(Reason.LOGIN_BINDING, value=name)


def _confined(config: Config, principal: Principal | None, draft: MessageDraft) -> Problem | None:
    """Hold the binding that a message names against the one its login is set to: that, or one of that group."""
    if principal is None:
        return None
    named = draft.asked.binding
    bound = options_for(principal, msgspec.structs.replace(draft.asked, binding=None)).binding
    if bound is None or named == bound or named in config.groups.get(bound, ()):
        return None
    return Problem(Reason.BINDING, value=bound, dialect=dialect_of(draft.wishes, "binding"))


def _value(header: HeaderBlock, name: str) -> str | None:
    """Return the value of a header field for the binding rules."""
    field = name.encode("ascii", "replace")
    return header.first(field) if header.has(field) else None


def message_of(
    submission: Submission[Principal],
    at: float,
    draft: MessageDraft,
    header: HeaderBlock,
    *,
    binding: str,
    body_size: int,
    eight_bit: bool,
    long_lines: bool,
    further: tuple[ForwardPath, ...] = (),
    refusal: Reply | None = None,
) -> Message:
    """Return the message that came *at* that time. *further* are recipients besides those of the envelope."""
    envelope, principal, policy = submission.envelope, submission.principal, submission.policy
    recipients = (*envelope.recipients, *further)
    single = _traced(recipients[0]) if len(recipients) == 1 else ""
    server = principal.server if principal is not None else None
    vouched = principal is not None or submission.is_known
    return Message(
        id=submission.id,
        received_at=at,
        reverse_path=envelope.reverse_path,
        recipients=recipients,
        binding=binding,
        lane=_lane(policy, draft, header),
        tenant=_tenant(submission),
        trace=received(submission, at, submission.id, single) + added_lines(submission, at, draft),
        body_size=body_size,
        eight_bit=eight_bit or not draft.lines.isascii(),
        smtputf8=envelope.smtputf8,
        ret=envelope.ret,
        envid=envelope.envid,
        origin=submission.origin,
        account=principal.account.id if principal is not None else 0,
        server=server.id if server is not None else 0,
        options=draft.options,
        author_domain=draft.author_domain,
        refusal=refusal,
        fate="deliver" if refusal is None else "fail",
        is_vouched=vouched,
        mends_lines=long_lines and policy.mends_lines and vouched,
    )


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
