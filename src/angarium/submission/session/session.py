"""One SMTP session in: the transaction, from MAIL to the answer at the end of data."""

from typing import Any

import msgspec

from angarium.core.ids import MessageId
from angarium.core.records import ForwardPath, Origin
from angarium.core.reply import Reply
from angarium.core.waiting import Waiting
from angarium.identity.principal import (
    UNCHECKED,
    Principal,
    queue_problem,
    queue_room,
    return_path_problem,
)
from angarium.identity.usage.buckets import Exceeded
from angarium.smtp.server import answers
from angarium.smtp.server.command import MailCommand, RcptCommand
from angarium.spool.port import Body, SpoolError
from angarium.sql.errors import StoreError
from angarium.submission.intake.intake import Envelope, Spill
from angarium.submission.policy import (
    AUTHENTICATION_REQUIRED,
    ENOUGH_RECIPIENTS,
    FAULT,
    NO_NULL_SENDER,
    NO_RECIPIENT_DOMAIN,
    NO_SENDER_DOMAIN,
    RELAYING_DENIED,
    refuses_growth,
    refuses_literal,
    storage_reply,
)
from angarium.submission.session.access import LOGIN_ENDED
from angarium.submission.session.login import SessionLogin

MOST_EXCEEDED = 10
"""So many recipients over the quota are put off one by one; the next ends the session."""


class Session(SessionLogin):
    """One connection of one peer. Implements smtp.server.handler.ServerHandler.

    Made of four duties, one class each: socket and time (`SessionShell`), encryption (`SessionTls`), who it is
    (`SessionLogin`), and the mail (here).
    """

    _mail: MailCommand | None = None
    _spill: Spill | None = None
    _failed: Reply | None = None
    """What is told at the end of data of a message that cannot be taken any more."""
    _message_id: MessageId | None = None
    _accepted = 0
    _recipient_count = 0
    _taken = 0
    """Recipients of the open transaction that were counted against the limits of whoever has logged in."""
    _taken_since = 0.0
    _room = Waiting()
    """How much more of the account may wait, when the transaction began."""
    _exceeded = 0
    _bytes = 0
    _held = 0
    """Bytes of the unfinished message that were counted against its peer."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._recipients: list[ForwardPath] = []

    # -- smtp.server.handler.ServerHandler

    def on_helo(self, verb: str, name: str) -> Reply | None:
        """See ServerHandler."""
        self._origin = None
        return answers.HELO_OK

    def on_mail(self, command: MailCommand) -> Reply | None:
        """See ServerHandler."""
        refusal = self._reception.intake.refuses
        if refusal is not None:
            return refusal
        if self._principal is not None:
            refusal = self._refuses_principal(self._principal) or self._refuses_queue(command.size)
            if refusal is not None:
                return refusal
        elif self._options.require_authentication:
            return AUTHENTICATION_REQUIRED
        if not command.path and not self._options.allow_null_envelope_sender:
            return NO_NULL_SENDER
        if command.path and not command.domain:
            if not self._submits:
                return NO_SENDER_DOMAIN
            ours = self._reception.config.globals.hostname
            command = msgspec.structs.replace(command, path=f"{command.path}@{ours}", domain=ours)
        if self._principal is not None and command.path:
            owners = self._access.owners.now(command.domain)
            if owners is None:
                self._reception.tasks.start(self._begin_later(self._principal, command))
                return None
            refusal = return_path_problem(self._principal, command.domain, owners)
        return self._begin(command, refusal)

    def _begin(self, command: MailCommand, refusal: Reply | None) -> Reply:
        if refusal is None:
            self._mail = command
        return refusal or answers.SENDER_OK

    def on_rcpt(self, command: RcptCommand) -> Reply | None:
        """See ServerHandler."""
        assert self._mail is not None
        refusal = refuses_literal(self._options, command.domain, self._principal is not None)
        if refusal is not None:
            return refusal
        most = self._options.max_recipients_per_connection
        if most and self._recipient_count >= most:
            return ENOUGH_RECIPIENTS
        address, domain = command.address, command.domain
        if not domain:
            domain = self._reception.config.globals.hostname
            if address.lower() != "postmaster":  # which is ours as it is (RFC 5321 §4.5.1)
                if not self._submits:
                    return NO_RECIPIENT_DOMAIN
                address = f"{address}@{domain}"
        path = ForwardPath(address=address, domain=domain, notify=command.notify, orcpt=command.orcpt)
        if self._principal is not None:
            refusal = queue_problem(self._principal, self._room, len(self._recipients) + 1, 0)
            if refusal is not None:
                return refusal
            return self._take_counted(self._principal, path) if self._principal.buckets else self._take(path)
        place = self._relay.place(self._mail.domain, domain)
        return RELAYING_DENIED if place == "no" else self._take(path)

    @property
    def _submits(self) -> bool:
        """Whether the peer sends mail of its own: there a local part alone has our host name for a domain (RFC 6409
        §8), and from others it could be anybody's.
        """
        return self._principal is not None or self._relay.peer_may

    def _take(self, path: ForwardPath) -> Reply:
        self._recipient_count += 1
        self._recipients.append(path)
        return answers.RECIPIENT_OK

    def on_data(self) -> Reply | None:
        """See ServerHandler."""
        reception = self._reception
        if reception.intake.refuses is not None:
            return reception.intake.refuses
        self._message_id = reception.intake.new_id()
        self._reception_began = reception.clock.now()
        return answers.GO_AHEAD

    def on_growth(self, size: int) -> Reply | None:
        """See ServerHandler."""
        counts = self._reception.session_counts
        refusal = refuses_growth(self._options, size, counts.held_by(self._network) - self._held)
        if refusal is None:
            counts.hold(self._network, size - self._held)
            self._held = size
        return refusal

    def _let_go(self) -> None:
        """The message is complete, or will never be."""
        if self._held:
            self._reception.session_counts.hold(self._network, -self._held)
            self._held = 0

    def on_chunk(self, piece: bytes) -> None:
        """See ServerHandler."""
        if self._failed is not None:
            return
        try:
            self._spill_piece(piece)
        except Exception as error:  # noqa: BLE001 - the peer is told at the end of data
            self._fault(error)
            self._failed = FAULT

    def _spill_piece(self, piece: bytes) -> None:
        if self._spill is None:
            assert self._message_id is not None
            self._spill = self._reception.intake.spill(
                self._message_id,
                self._slow_down,
                self._options,
                self._principal,
                self._relay.is_known,
            )
        self._spill.add(piece)

    def on_message(self, rest: bytes) -> None:
        """See ServerHandler."""
        spill, self._spill = self._spill, None
        self._reception_began = None
        try:
            self._let_go()
            self._take_in(rest, spill)
        except Exception as error:  # noqa: BLE001 - the peer waits for an answer
            self._fault(error)
            self._refuse(spill, FAULT)

    def _take_in(self, rest: bytes, spill: Spill | None) -> None:
        refusal, self._failed = self._failed or self._refuses_end(), None
        if refusal is not None:
            self._refuse(spill, refusal)
        elif spill is None:
            self._submit(rest, rest, not rest.isascii())
        else:
            spill.add(rest)
            self._reception.tasks.start(self._submit_large(spill))

    def _refuse(self, spill: Spill | None, reply: Reply) -> None:
        if spill is not None:
            spill.abandon()
        self._answer_message(reply)

    def on_reset(self) -> None:
        """See ServerHandler."""
        self._mail = None
        self._recipients = []
        self._reception_began = self._failed = None
        self._let_go()
        if self._taken:
            self._give_back()
        if self._spill is not None:
            self._spill.abandon()
            self._spill = None

    def on_vrfy(self, argument: str) -> Reply | None:
        """See ServerHandler."""
        return answers.CANNOT_VERIFY

    def on_help(self, argument: str) -> Reply | None:
        """See ServerHandler."""
        return answers.HELP

    # -- what whoever has logged in may do

    def _refuses_principal(self, principal: Principal) -> Reply | None:
        """Return why *principal* may begin no further message; what has changed of it is obeyed."""
        found = self._login_now(principal)
        if isinstance(found, Reply):
            return found
        if found is not principal:
            self._take_principal(found)
        return None

    async def _begin_later(self, principal: Principal, command: MailCommand) -> None:
        """Ask whose domain the bounces go to."""
        try:
            owners = await self._access.owners.get(command.domain)
        except StoreError:
            self._answer(UNCHECKED)
        except Exception:
            self._answer(UNCHECKED)
            raise
        else:
            if not self._machine.closing:
                self._answer(self._begin(command, return_path_problem(principal, command.domain, owners)))

    def _refuses_queue(self, size_bytes: int) -> Reply | None:
        """Return why the account has too much mail waiting for one of that size; note how much more it may have."""
        principal = self._principal
        assert principal is not None
        node = self._reception.config.globals
        most = Waiting(node.account_max_queued_recipients, node.account_max_queued_bytes)
        self._room = queue_room(principal, self._access.waiting_mail.waiting(principal.account.id), most)
        return queue_problem(principal, self._room, 1, max(1, size_bytes))

    def _refuses_end(self) -> Reply | None:
        """Return why the message whose end has come is not taken: its text may have come for hours, and whoever logged
        in may be somebody by now who could not begin it.
        """
        found = self._login_now(self._principal) if self._principal is not None else None
        return found if isinstance(found, Reply) else None

    def _login_now(self, principal: Principal) -> Principal | Reply:
        """Return *principal* as it is now, or why it may not send; the session of one that is no more ends."""
        found = self._access.directory.current(principal, self.peer_ip)
        if isinstance(found, Reply) and found.is_permanent:
            self.end(LOGIN_ENDED)
        return found

    def _take_counted(self, principal: Principal, path: ForwardPath) -> Reply | None:
        now = self._reception.clock.now()
        answer = self._access.usage.take_now(principal, 1, now)
        if answer is None:
            self._reception.tasks.start(self._take_later(principal, path))
            return None
        return self._counted(path, answer, now)

    async def _take_later(self, principal: Principal, path: ForwardPath) -> None:
        since = self._reception.clock.now()
        try:
            answer = await self._access.usage.take(principal, 1, since)
        except StoreError:
            self._answer(UNCHECKED)
            return
        except Exception:
            self._answer(UNCHECKED)
            raise
        if self._machine.closing:  # whoever asked has gone, or was cut off
            if not isinstance(answer, Exceeded):
                self._access.usage.give_back(principal, 1, since)
            return
        self._answer(self._counted(path, answer, since))

    def _counted(self, path: ForwardPath, answer: object, since: float) -> Reply:
        if isinstance(answer, Exceeded):
            self._exceeded += 1
            return answer.reply if self._exceeded <= MOST_EXCEEDED else answer.closing
        if not self._taken:
            self._taken_since = since
        self._taken += 1
        return self._take(path)

    def _give_back(self) -> None:
        """Nothing was accepted for what had been counted."""
        taken, self._taken = self._taken, 0
        assert self._principal is not None
        self._access.usage.give_back(self._principal, taken, self._taken_since)

    # -- the end of data

    async def _submit_large(self, spill: Spill) -> None:
        try:
            body = await spill.finish()
            self._submit(body, spill.head, spill.eight_bit, spill.lines.has_long_line)
        except SpoolError as error:
            self._answer_message(storage_reply(error))
        except Exception as error:  # noqa: BLE001 - the peer waits for an answer
            self._fault(error)
            self._refuse(spill, FAULT)

    def _submit(self, body: Body, head: bytes, eight_bit: bool, long_lines: bool = True) -> None:
        mail, recipients = self._mail, self._recipients
        self._mail, self._recipients = None, []
        assert mail is not None
        assert self._message_id is not None
        self._bytes += len(body) if isinstance(body, bytes) else body.size
        envelope = Envelope(
            mail.path, mail.domain, recipients, eight_bit, mail.smtputf8, mail.ret, mail.envid, long_lines
        )
        self._reception.intake.submit(
            self._message_id,
            envelope,
            self._where_from(),
            self._options,
            body,
            head,
            self._answer_message,
            principal=self._principal,
            is_known=self._relay.is_known,
        )

    def _where_from(self) -> Origin:
        if self._origin is None:
            protocol = self._said_protocol or ("ESMTP" if self._machine.is_esmtp else "SMTP")
            if protocol == "ESMTP":  # RFC 3848
                protocol += ("S" if self._tls else "") + ("A" if self._principal is not None else "")
            name = self._said_helo or self._machine.helo_name
            self._origin = Origin(
                listener=self.listener,
                peer=self._peer,
                helo=name,
                protocol=protocol,
                session=self._name,
                tls=self._tls,
            )
        return self._origin

    def _answer_message(self, reply: Reply) -> None:
        """Say what the intake has decided."""
        try:
            if reply.code == 250:
                self._accepted += 1
                self._taken = 0
            else:
                self._reception.counters.add("refused_messages_total", str(reply.code))
                if self._taken:
                    self._give_back()
        except Exception as error:  # noqa: BLE001 - the peer waits for an answer
            self._fault(error)
        self._answer(reply)

    def _facts(self) -> dict[str, Any]:
        facts = super()._facts() | {
            "messages": self._accepted,
            "bytes": self._bytes,
            "recipients": self._recipient_count,
        }
        if self._principal is not None:
            facts["login"] = self._principal.name
        return facts
