"""The record of an accepted message, and the lines that are put before it. Pure but for the binding drawn."""

import random
import uuid
from functools import lru_cache, partial
from typing import NamedTuple

import msgspec

from angarium.config.model import Config
from angarium.config.records import InboundOptions
from angarium.core.ids import MessageId, format_id
from angarium.core.options import Options
from angarium.core.records import ForwardPath, Lane, Message, Origin
from angarium.core.reply import Reply
from angarium.core.waiting import ACCOUNT_TENANT
from angarium.dialects.values import Problem, shown
from angarium.identity.principal import Principal, options_for
from angarium.mime.header import HeaderBlock
from angarium.mime.trace import date_line, message_id_line, received_line
from angarium.queue.binding import BindingFacts, choose_binding, member_of
from angarium.submission.intake.draft import Draft
from angarium.submission.policy import lane_of


class Envelope(NamedTuple):
    """What MAIL and RCPT said, and what was seen of the body while it came in.

    *long_lines* False: no line of it has more than 998 octets. Of a small body that is not known.
    """

    reverse_path: str
    sender_domain: str
    recipients: list[ForwardPath]
    eight_bit: bool
    smtputf8: bool
    ret: str
    envid: str
    long_lines: bool = True


class Arrival(NamedTuple):
    """What is known of a message when its data has ended, besides its text.

    *is_known*: the operator has named the peer. *principal* is who logged in, None where nobody did.
    """

    id: MessageId
    at: float
    envelope: Envelope
    origin: Origin
    options: InboundOptions
    principal: Principal | None
    is_known: bool = False

    @property
    def peer_ip(self) -> str:
        """The numeric address of the peer, empty for a Unix socket."""
        return _ip_of(self.origin.peer)


@lru_cache(4096)
def _ip_of(peer: str) -> str:
    return peer.rpartition(":")[0].strip("[]")


def binding_of(
    config: Config, arrival: Arrival, draft: Draft, header: HeaderBlock, rng: random.Random
) -> str | Problem:
    """Return the binding that the options name (of a group one member), else the one that the rules choose."""
    name = draft.options.binding
    if name is None:
        facts = BindingFacts(
            arrival.origin.listener, arrival.peer_ip, arrival.envelope.sender_domain, partial(_value, header)
        )
        return choose_binding(config, facts, rng)
    if draft.said.options.binding == name:
        problem = _confined(config, arrival.principal, draft.said.options)
        if problem is not None:
            return problem
    if name in config.bindings:
        return name
    if name in config.groups:
        return member_of(config, name, rng)
    if draft.said.options.binding == name:
        sentence = f"X-MSYS-API 'ip_pool' names {shown(name)}, which is no binding or binding group here"
        return Problem("sparkpost", "unknown_binding", Reply(550, "5.6.0", sentence))
    sentence = (
        f"the binding {shown(name)} of this login is not declared here; the operator must change one of them"
    )
    return Problem(None, "unknown_binding", Reply(451, "4.3.5", sentence))


def _confined(config: Config, principal: Principal | None, said: Options) -> Problem | None:
    """Hold the binding that a message names against the one its login is set to: that, or one of that group."""
    if principal is None:
        return None
    bound = options_for(principal, msgspec.structs.replace(said, binding=None)).binding
    if bound is None or said.binding == bound or said.binding in config.groups.get(bound, ()):
        return None
    sentence = f"X-MSYS-API 'ip_pool' must be {shown(bound)} or a binding of that group here; leave it out"
    return Problem("sparkpost", "binding", Reply(550, "5.7.1", sentence))


def _value(header: HeaderBlock, name: str) -> str | None:
    """Return the value of a header field for the binding rules."""
    field = name.encode("ascii", "replace")
    return header.first(field) if header.has(field) else None


def message_of(
    arrival: Arrival,
    draft: Draft,
    header: HeaderBlock,
    *,
    binding: str,
    body_size: int,
    further: tuple[ForwardPath, ...],
    refusal: Reply | None,
) -> Message:
    """Return the message. *further* are recipients besides those of the envelope."""
    envelope, principal = arrival.envelope, arrival.principal
    recipients = (*envelope.recipients, *further)
    single = _traced(recipients[0]) if len(recipients) == 1 else ""
    server = principal.server if principal is not None else None
    vouched = principal is not None or arrival.is_known
    return Message(
        id=arrival.id,
        received_at=arrival.at,
        reverse_path=envelope.reverse_path,
        recipients=recipients,
        binding=binding,
        lane=_lane(arrival.options, draft, header),
        tenant=f"{ACCOUNT_TENANT}{principal.account.id}"
        if principal is not None
        else arrival.peer_ip or arrival.origin.listener,
        trace=received(arrival, arrival.id, single) + added_lines(arrival, draft),
        body_size=body_size,
        eight_bit=envelope.eight_bit or not draft.lines.isascii(),
        smtputf8=envelope.smtputf8,
        ret=envelope.ret,
        envid=envelope.envid,
        origin=arrival.origin,
        account=principal.account.id if principal is not None else 0,
        server=server.id if server is not None else 0,
        options=draft.options,
        author_domain=draft.author_domain,
        refusal=refusal,
        fate="deliver" if refusal is None else "fail",
        is_vouched=vouched,
        mends_lines=envelope.long_lines and arrival.options.rfc2822_max_line_length == "fix" and vouched,
    )


def _traced(path: ForwardPath) -> str:
    """Return the address for Received: in ASCII if its local part is, so that nothing of ours needs SMTPUTF8."""
    local, _, _ = path.address.rpartition("@")
    return f"{local}@{path.domain}" if local.isascii() and not path.address.isascii() else path.address


def _lane(options: InboundOptions, draft: Draft, header: HeaderBlock) -> Lane:
    """The message's own Priority field goes before what login, stream, server and account say."""
    wished = draft.options.lane
    otherwise: Lane = options.lane if wished is None else 1 if wished else 0
    if not header.has(b"priority"):
        return otherwise
    return lane_of(options, header.first(b"priority"), otherwise)


def received(arrival: Arrival, message_id: MessageId, recipient: str) -> bytes:
    """Return the Received field, or nothing where it is switched off. *recipient* is the only one, or empty."""
    if not arrival.options.rfc2822_trace_headers:
        return b""
    return received_line(
        arrival.origin,
        arrival.options.received_hostname,
        format_id(message_id),
        recipient,
        arrival.at,
        arrival.envelope.smtputf8,
    )


def added_lines(arrival: Arrival, draft: Draft) -> bytes:
    """Return what is put before the header block behind Received; the same in every copy."""
    options = arrival.options
    lines = draft.lines
    if options.rfc2822_date_header == "ifneeded" and b"date" in draft.silent:
        lines += date_line(arrival.at)
    if draft.replaces_id:
        # as a UUID: so senders of Postmark know the id of a message
        lines += message_id_line(str(uuid.UUID(bytes=arrival.id)), options.received_hostname)
    elif options.rfc2822_messageid_header == "ifneeded" and b"message-id" in draft.silent:
        lines += message_id_line(format_id(arrival.id), options.received_hostname)
    return lines
