"""The mail transactions of a session, one after the other: from MAIL to the answer at the end of data."""

import msgspec

from angarium.core.ids import MessageId
from angarium.core.options import NO_OPTIONS
from angarium.core.records import BULK, ForwardPath
from angarium.core.reply import Reply
from angarium.core.submission import Envelope, Problem, Raw, Reason, Receipt, Submission
from angarium.identity.principal import Principal, options_for, return_path_problem
from angarium.identity.usage.buckets import Allowed
from angarium.render.return_path import looks_signed
from angarium.smtp.server import answers
from angarium.smtp.server.command import MailCommand, RcptCommand
from angarium.spool.port import SpoolError
from angarium.sql.errors import StoreError
from angarium.submission.intake.quota import Reservation
from angarium.submission.intake.spill import Spill
from angarium.submission.own_addresses import ALTERED, NOT_TOGETHER, Purpose, purpose_of
from angarium.submission.policy import (
    AUTHENTICATION_REQUIRED,
    ENOUGH_RECIPIENTS,
    NO_NULL_SENDER,
    NO_RECIPIENT_DOMAIN,
    NO_SENDER_DOMAIN,
    RELAYING_DENIED,
    literal_problem,
    refuses_growth,
    storage_problem,
)
from angarium.submission.replies import UNCHECKED, closing, reply_for, reply_to
from angarium.submission.session.access import Owners
from angarium.submission.session.connection import SessionConnection
from angarium.submission.session.login import SessionLogin
from angarium.submission.session.peer import SessionPeer
from angarium.submission.session.reception import Reception
from angarium.submission.session.to_us import TransactionToUs
from angarium.suppressions.decide import MailFacts

_FAULT = reply_to(Problem(Reason.FAULT))

MOST_EXCEEDED = 10
"""So many recipients over the quota are put off one by one; the next ends the session."""


class SessionMail:
    """The mail of one session. Implements smtp.server.handler.MailHandler.

    *began_at* is when the message that is coming in began to come, None between messages. *accepted* counts the
    messages taken, *recipients* those of all messages, *bytes* what came at the end of data. *refused* is the last
    reply to a message that the intake has refused, and written down.
    """

    __slots__ = (
        "_connection",
        "_exceeded",
        "_failed",
        "_held",
        "_login",
        "_mail",
        "_message_id",
        "_peer",
        "_reception",
        "_recipients",
        "_reservation",
        "_spill",
        "_to_us",
        "accepted",
        "began_at",
        "bytes",
        "recipients",
        "refused",
    )

    def __init__(
        self, reception: Reception, peer: SessionPeer, login: SessionLogin, connection: SessionConnection
    ) -> None:
        self.began_at: float | None = None
        self.refused: Reply | None = None
        self.accepted = self.recipients = self.bytes = 0
        self._reception = reception
        self._peer = peer
        self._login = login
        self._connection = connection
        self._to_us = TransactionToUs(reception, peer)
        self._mail: MailCommand | None = None
        self._recipients: list[ForwardPath] = []
        self._message_id: MessageId | None = None
        self._spill: Spill | None = None
        self._failed: Reply | None = None
        """What is told at the end of data of a message that cannot be taken any more."""
        self._reservation: Reservation | None = None
        """What the open transaction has taken of the quota of the login."""
        self._exceeded = 0
        self._held = 0
        """Bytes of the unfinished message that were counted against its peer."""

    def facts(self) -> dict[str, int]:
        """Return what the log says of the mail of the session."""
        return {"messages": self.accepted, "bytes": self.bytes, "recipients": self.recipients}

    # -- smtp.server.handler.MailHandler

    def on_mail(self, command: MailCommand) -> Reply | None:
        """See MailHandler."""
        options, principal = self._peer.options, self._login.principal
        refuses = self._reception.intake.refuses
        if refuses is not None:
            return reply_to(refuses)
        if principal is not None:
            refusal = self._refuses_login(principal, command.size)
            if refusal is not None:
                return refusal
        elif options.require_authentication:
            return AUTHENTICATION_REQUIRED
        if not command.path and not options.allow_null_envelope_sender:
            return NO_NULL_SENDER
        if command.path and not command.domain:
            if not self._submits:
                return NO_SENDER_DOMAIN
            ours = self._reception.config.globals.hostname
            command = msgspec.structs.replace(command, path=f"{command.path}@{ours}", domain=ours)
        if principal is not None and command.path:
            return self._begin_as(principal, command)
        self._mail = command
        return answers.SENDER_OK

    def on_rcpt(self, command: RcptCommand) -> Reply | None:
        """See MailHandler."""
        assert self._mail is not None
        options, principal = self._peer.options, self._login.principal
        problem = literal_problem(options.allow_ip_literal, command.domain, principal is not None)
        if problem is not None:
            return reply_to(problem)
        most = options.max_recipients_per_connection
        if most and self.recipients >= most:
            return ENOUGH_RECIPIENTS
        address, domain = command.address, command.domain
        if not domain:
            domain = self._reception.config.globals.hostname
            if address.lower() != "postmaster":  # which is ours as it is (RFC 5321 §4.5.1)
                if not self._submits:
                    return NO_RECIPIENT_DOMAIN
                address = f"{address}@{domain}"
        path = ForwardPath(address=address, domain=domain, notify=command.notify, orcpt=command.orcpt)
        if self._reception.own.concern(address, domain):
            answer = self._take_to_us(path)
            if answer is not None:
                return answer
        if self._to_us.purpose:
            return NOT_TOGETHER
        if principal is not None:
            if options.refuse_suppressed and self._login.access.suppressed is not None:
                self._reception.tasks.start(self._take_unless_suppressed(principal, path))
                return None
            return self._take_counted(path)
        if self._peer.relay.may_pass(self._mail.domain, domain):
            return self._take(path)
        return self._refuses_relaying(path)

    def on_data(self) -> Reply | None:
        """See MailHandler."""
        reception = self._reception
        if reception.intake.refuses is not None:
            return reply_to(reception.intake.refuses)
        self._message_id = reception.intake.new_id()
        self.began_at = reception.clock.now()
        return answers.GO_AHEAD

    def on_growth(self, size: int) -> Reply | None:
        """See MailHandler."""
        counts, network = self._reception.session_counts, self._peer.network
        refusal = self._to_us.refuses_size(size) or refuses_growth(
            self._peer.options, size, counts.held_by(network) - self._held
        )
        if refusal is None:
            counts.hold(network, size - self._held)
            self._held = size
        return refusal

    def on_chunk(self, piece: bytes) -> None:
        """See MailHandler."""
        if self._failed is not None:
            return
        try:
            self._spill_piece(piece)
        except Exception as error:  # noqa: BLE001 - the peer is told at the end of data
            self._connection.fault(error)
            self._failed = _FAULT

    def on_message(self, rest: bytes) -> None:
        """See MailHandler."""
        spill, self._spill = self._spill, None
        self.began_at = None
        try:
            if self._held:
                self._let_go()
            self._take_in(rest, spill)
        except Exception as error:  # noqa: BLE001 - the peer waits for an answer
            self._connection.fault(error)
            self._refuse(spill, _FAULT)

    def on_reset(self) -> None:
        """See MailHandler."""
        self._forget()
        self.began_at = self._failed = None
        if self._held:
            self._let_go()
        self._give_back()
        if self._spill is not None:
            self._spill.abandon()
            self._spill = None

    def _forget(self) -> None:
        """The transaction is over: nothing of it is part of the next."""
        self._mail = None
        self._recipients = []
        self._to_us.purpose = ""

    # -- the sender

    @property
    def _submits(self) -> bool:
        """Whether the peer sends its own mail: there a local part alone has our host name for a domain (RFC 6409 §8),
        and from others it could mean any domain.
        """
        return self._login.principal is not None or self._peer.relay.peer_may

    def _refuses_login(self, principal: Principal, size_bytes: int) -> Reply | None:
        """Return why *principal* may begin no message of that size; what has changed of it is obeyed."""
        found = self._login.current(principal)
        if isinstance(found, Problem):
            return reply_to(found)
        if found is not principal:
            self._login.take(found)
        reservation = self._reception.intake.quota.reserve(found, self._reception.config.globals)
        self._reservation = reservation
        problem = reservation.lacks_room(1, max(1, size_bytes))
        return None if problem is None else reply_to(problem)

    def _begin_as(self, principal: Principal, command: MailCommand) -> Reply | None:
        owners = self._login.access.owners.now(command.domain)
        if owners is not None:
            return self._begin(command, return_path_problem(principal, command.domain, owners))
        self._reception.tasks.start(self._begin_later(principal, command))
        return None

    async def _begin_later(self, principal: Principal, command: MailCommand) -> None:
        """Ask whose domain the bounces go to."""
        try:
            owners = await self._login.access.owners.get(command.domain)
        except StoreError:
            self._connection.answer(UNCHECKED)
        except Exception:
            self._connection.answer(UNCHECKED)
            raise
        else:
            if not self._connection.machine.closing:
                problem = return_path_problem(principal, command.domain, owners)
                self._connection.answer(self._begin(command, problem))

    def _begin(self, command: MailCommand, problem: Problem | None) -> Reply:
        if problem is not None:
            return reply_to(problem)
        self._mail = command
        return answers.SENDER_OK

    # -- the recipients

    def _take(self, path: ForwardPath) -> Reply:
        self.recipients += 1
        self._recipients.append(path)
        return answers.RECIPIENT_OK

    def _take_to_us(self, path: ForwardPath) -> Reply | None:
        """Take a recipient that is this node's own; None: it is not."""
        assert self._mail is not None
        is_first = not self._recipients
        found = self._to_us.judge(path, self._mail.size, is_first=is_first, submits=self._submits)
        return self._take(path) if isinstance(found, str) else found

    def _refuses_relaying(self, path: ForwardPath) -> Reply | None:
        """Refuse what would be relayed, but for what every domain of the accounts here has to take (RFC 2142)."""
        local, access = path.address.rpartition("@")[0], self._reception.access
        if looks_signed(local):
            return self._to_us.refuses(ALTERED)
        purpose = purpose_of(local)
        if purpose is None or access is None:
            return RELAYING_DENIED
        owners = access.owners.now(path.domain)
        if owners is not None:
            return self._take_as(purpose, path, owners)
        self._reception.tasks.start(self._take_as_later(purpose, path, access.owners))
        return None

    def _take_as(self, purpose: Purpose, path: ForwardPath, owners: frozenset[int]) -> Reply:
        assert self._mail is not None
        if not owners:
            return RELAYING_DENIED
        found = self._to_us.joins(purpose, self._mail.size, is_first=not self._recipients)
        return found if isinstance(found, Reply) else self._take(path)

    async def _take_as_later(self, purpose: Purpose, path: ForwardPath, asked: Owners) -> None:
        try:
            owners = await asked.get(path.domain)
        except StoreError:
            self._connection.answer(UNCHECKED)
        except Exception:
            self._connection.answer(UNCHECKED)
            raise
        else:
            if not self._connection.machine.closing:
                self._connection.answer(self._take_as(purpose, path, owners))

    async def _take_unless_suppressed(self, principal: Principal, path: ForwardPath) -> None:
        """Take the recipient unless mail of *principal* would end as suppressed, by what is known before its text."""
        suppressed = self._login.access.suppressed
        assert suppressed is not None
        try:
            stop = await suppressed.stop_at_door(path, _facts_of(principal))
        except StoreError:
            self._connection.answer(UNCHECKED)
            return
        except Exception:
            self._connection.answer(UNCHECKED)
            raise
        if self._connection.machine.closing:
            return
        if stop is not None:
            facts = {"why": stop.note}
            self._connection.answer(reply_to(Problem(Reason.SUPPRESSED, value=path.address, facts=facts)))
        elif (reply := self._take_counted(path)) is not None:
            self._connection.answer(reply)

    def _take_counted(self, path: ForwardPath) -> Reply | None:
        assert self._reservation is not None
        answer = self._reservation.take_now(1)
        if answer is None:
            self._reception.tasks.start(self._take_later(self._reservation, path))
            return None
        return self._counted(path, answer)

    async def _take_later(self, reservation: Reservation, path: ForwardPath) -> None:
        try:
            answer = await reservation.take(1)
        except StoreError:
            self._connection.answer(UNCHECKED)
            return
        except Exception:
            self._connection.answer(UNCHECKED)
            raise
        if self._connection.machine.closing:  # the peer that asked has gone, or was cut off
            reservation.settle(False)
            return
        self._connection.answer(self._counted(path, answer))

    def _counted(self, path: ForwardPath, answer: Allowed | Problem) -> Reply:
        if not isinstance(answer, Problem):
            return self._take(path)
        if answer.reason is Reason.ACCOUNT_QUEUE:
            return reply_to(answer)
        self._exceeded += 1
        return reply_to(answer) if self._exceeded <= MOST_EXCEEDED else closing(answer)

    def _give_back(self) -> None:
        """Nothing was accepted for what had been counted."""
        reservation, self._reservation = self._reservation, None
        if reservation is not None:
            reservation.settle(False)

    # -- the text

    def _spill_piece(self, piece: bytes) -> None:
        if self._spill is None:
            assert self._message_id is not None
            is_for_us = bool(self._to_us.purpose)
            self._spill = self._reception.intake.spill(
                self._message_id,
                self._connection.slow_down,
                self._peer.settings.policy,
                None if is_for_us else self._login.principal,
                self._peer.relay.is_known and not is_for_us,
            )
        self._spill.add(piece)

    def _let_go(self) -> None:
        """The message is complete, or will never be."""
        self._reception.session_counts.hold(self._peer.network, -self._held)
        self._held = 0

    # -- the end of data

    def _take_in(self, rest: bytes, spill: Spill | None) -> None:
        refusal, self._failed = self._failed or self._refuses_end(len(rest)), None
        if refusal is not None:
            self._refuse(spill, refusal)
        elif spill is None:
            self._submit(Raw(rest, rest, not rest.isascii()))
        else:
            spill.add(rest)
            self._reception.tasks.start(self._submit_large(spill))

    def _refuses_end(self, size: int) -> Reply | None:
        """Return why the message whose end has come is not taken: its text may have come for hours, and the login may
        by now be one that could not begin it.
        """
        if self._to_us.purpose:
            return self._to_us.refuses_size(size)
        principal = self._login.principal
        found = self._login.current(principal) if principal is not None else None
        return reply_to(found) if isinstance(found, Problem) else None

    def _refuse(self, spill: Spill | None, reply: Reply) -> None:
        if spill is not None:
            spill.abandon()
        self._forget()
        self._answer_refusal(reply)

    async def _submit_large(self, spill: Spill) -> None:
        try:
            body = await spill.finish()
            self._submit(Raw(body, spill.head, spill.eight_bit, spill.lines.has_long_line))
        except SpoolError as error:
            self._forget()
            self._answer_refusal(reply_to(storage_problem(error)))
        except Exception as error:  # noqa: BLE001 - the peer waits for an answer
            self._connection.fault(error)
            self._refuse(spill, _FAULT)

    def _submit(self, content: Raw) -> None:
        mail, recipients = self._mail, self._recipients
        self._mail, self._recipients = None, []
        assert mail is not None
        assert self._message_id is not None
        body = content.body
        self.bytes += len(body) if isinstance(body, bytes) else body.size
        submission = Submission(
            self._message_id,
            Envelope(mail.path, mail.domain, recipients, mail.smtputf8, mail.ret, mail.envid),
            content,
            self._login.origin(),
            self._peer.settings.policy,
            self._login.principal,
            self._peer.relay.is_known,
        )
        if self._to_us.purpose:
            submission = self._as_to_us(submission)
        # put aside before the answer, behind which the next transaction may begin at once
        reservation, self._reservation = self._reservation, None
        try:
            self._reception.intake.submit(submission, self._answer, reservation)
        except Exception:
            self._reservation = reservation
            raise

    def _as_to_us(self, submission: Submission[Principal]) -> Submission[Principal]:
        """Return a submission for this node itself as what it is: mail of somebody from elsewhere, to be read here or
        passed on. Nothing of a login's quota is used for it.
        """
        content, envelope = submission.content, submission.envelope
        assert isinstance(content, Raw)
        passed = self._to_us.end(list(envelope.recipients), content.head)
        self._to_us.purpose = ""
        self._give_back()
        if passed is not None:
            envelope = msgspec.structs.replace(envelope, recipients=passed)
        return msgspec.structs.replace(
            submission,
            envelope=envelope,
            principal=None,
            is_known=False,
            fate="feedback" if passed is None else "deliver",
        )

    def _answer(self, receipt: Receipt) -> None:
        """Say what became of the message."""
        if not receipt.messages:
            reply = reply_for(receipt)
            if receipt.problems[0].reason is not Reason.FAULT:
                self.refused = reply
            self._answer_refusal(reply)
            return
        self.accepted += 1
        self._connection.answer(reply_for(receipt))

    def _answer_refusal(self, refusal: Reply) -> None:
        """Say why the message is not taken."""
        try:
            self._reception.counters.add("refused_messages_total", str(refusal.code))
            self._give_back()
        except Exception as error:  # noqa: BLE001 - the peer waits for an answer
            self._connection.fault(error)
        self._connection.answer(refusal)


def _facts_of(principal: Principal) -> MailFacts:
    """Return what decides of mail of *principal* whose own options are not known yet."""
    options = options_for(principal, NO_OPTIONS)
    kind = options.transactional
    return MailFacts(
        principal.account.id,
        principal.server.id if principal.server is not None else 0,
        options.stream or "",
        options.lane != BULK if kind is None else kind,
        options.suppressed_by,
        bool(options.skip_suppression),
    )
