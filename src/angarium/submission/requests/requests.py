"""From what a request asks for to receipts: the checks of a session by SMTP, for a sender who has shown a key."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from angarium.config.model import Config
from angarium.config.records import InboundOptions
from angarium.core.fields import Fields, Form
from angarium.core.options import layered
from angarium.core.records import BULK, ForwardPath, KeyedAnswer, Origin
from angarium.core.submission import Envelope, ListSource, Problem, Raw, Reason, Receipt, Submission
from angarium.identity.principal import Principal, Refused, options_for, return_path_problem
from angarium.mime.addresses import mailboxes
from angarium.mime.header import HeaderBlock
from angarium.smtp.sasl.exchange import Claim
from angarium.sql.errors import StoreError
from angarium.submission.intake.fields import fields_problems
from angarium.submission.intake.intake import Intake
from angarium.submission.intake.ports import Keys
from angarium.submission.policy import entrance_policy
from angarium.submission.requests.lists import SendersLists, source_of
from angarium.submission.requests.mail import Mail, mailbox_of
from angarium.submission.requests.ports import Senders
from angarium.submission.requests.templates import SendersTemplates, formed
from angarium.submission.session.access import Owners, SuppressedRecipients
from angarium.suppressions.decide import MailFacts

LISTENER: Final = "http"
"""What mail that came by request says of its listener."""
_AT_ONCE = 20

_DENIALS: Final = {"suspended": Reason.LOGIN_SUSPENDED, "grant": Reason.LOGIN_GRANT}
"""What a sender is told of; all else is a key that is not good."""


Seal = Callable[[Sequence[Receipt], Sequence[float | None]], KeyedAnswer]
"""Makes what is kept of a request with a key: of the receipts, and of the times at which the mail is to leave."""


class MailLimits(NamedTuple):
    """How much one message may have; 0 for no limit."""

    message_bytes: int
    recipients: int


class Requests:
    """Takes mail of senders who show a key."""

    def __init__(
        self,
        intake: Intake,
        senders: Senders,
        owners: Owners,
        suppressed: SuppressedRecipients | None = None,
        templates: SendersTemplates | None = None,
        lists: SendersLists | None = None,
    ) -> None:
        self._intake = intake
        self._senders = senders
        self._owners = owners
        self._suppressed = suppressed
        self._templates = templates
        self._lists = lists

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._intake.config

    @property
    def keys(self) -> Keys | None:
        """The keys of requests, None where none are known."""
        return self._intake.keys

    @property
    def refuses(self) -> Problem | None:
        """Why no mail is taken at the moment, None where it is."""
        return self._intake.refuses

    async def sender_of(self, claim: Claim, peer_ip: str, now: float) -> Principal | Problem:
        """Return who shows a key, or why it may not send."""
        try:
            found = await self._senders.authenticate(claim, peer_ip, "http")
        except StoreError:
            return Problem(Reason.LOGIN_UNCHECKED)
        if isinstance(found, Refused):
            return _denied(found)
        self._senders.note_use(found, now)
        return found

    def limits_of(self, principal: Principal) -> MailLimits:
        """Return what one message of *principal* may have."""
        options = self._options
        return MailLimits(
            _stricter(options.max_message_size, principal.max_message_size),
            _stricter(options.max_recipients_per_message, principal.max_recipients),
        )

    async def take(
        self,
        principal: Principal,
        mails: Iterable[Mail],
        origin: Origin,
        *,
        dry: bool = False,
        seal: Seal | None = None,
    ) -> list[Receipt]:
        """Take what can be taken of *mails*, all of that in one commit, and return a receipt for each. With *dry*
        nothing is taken: the receipts say what would be. If anything is taken, what *seal* makes is kept with it.
        """
        made = [each async for each in self._submissions(principal, mails, origin)]
        submissions = [submission for submission, _ in made]
        most = self.limits_of(principal).message_bytes

        def whole(receipts: Sequence[Receipt]) -> list[Receipt]:
            return [_with(receipt, refused) for receipt, (_, refused) in zip(receipts, made, strict=True)]

        def sealed(receipts: Sequence[Receipt]) -> KeyedAnswer:
            assert seal is not None
            due = [each.due_at for each in submissions if isinstance(each, Submission)]
            return seal(whole(receipts), due)

        submit = self._intake.submit_all
        return whole(
            await submit(submissions, principal, most, dry=dry, seal=sealed if seal is not None else None)
        )

    # -- one message

    async def _submissions(
        self, principal: Principal, mails: Iterable[Mail], origin: Origin
    ) -> AsyncIterator[tuple[Submission[Principal] | Receipt, tuple["_LeftOut", ...]]]:
        for number, given in enumerate(mails):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            mail = await formed(given, principal, self._templates)
            refused = await self._left_out(principal, mail) if mail.refuses_suppressed else ()
            yield await self._submission(principal, mail, origin, refused), refused

    async def _submission(
        self, principal: Principal, mail: Mail, origin: Origin, refused: tuple["_LeftOut", ...]
    ) -> Submission[Principal] | Receipt:
        out = {path for path, _ in refused}
        paths, personal = mail.recipients, mail.personal
        if out:
            left = [index for index, path in enumerate(paths) if path not in out]
            paths = [paths[index] for index in left]
            personal = [personal[index] for index in left] if personal else ()
        sender = mail.reverse_path if mail.reverse_path is not None else _author_of(mail)
        mailbox = mailbox_of(sender) if sender else None
        source = await source_of(mail, principal, self._lists)
        problems = (*mail.problems, *self._problems(principal, paths, refused, source))
        if mail.problems and isinstance(mail.content, Fields):  # what the intake would find is told with them
            problems += fields_problems(mail.content, self.config.globals.forbidden_attachments)
        if sender and mailbox is None:
            problems += (Problem(Reason.FIELD, "return_path", facts={"why": "is no e-mail address"}),)
        elif mailbox is not None and not problems:
            problems += await self._return_problems(principal, mailbox.domain)
        if problems:
            return Receipt(problems=problems)
        return Submission(
            self._intake.new_id(),
            Envelope(
                mailbox.address if mailbox is not None else "",
                mailbox.domain if mailbox is not None else "",
                paths,
                not all(path.address.isascii() for path in paths) or not sender.isascii(),
            ),
            mail.content,
            origin,
            entrance_policy(self._options),
            principal,
            wishes=mail.wishes,
            personal=personal,
            due_at=mail.due_at,
            source=source if isinstance(source, ListSource) else None,
            by_request=True,
        )

    def _problems(
        self,
        principal: Principal,
        paths: Sequence[ForwardPath],
        refused: tuple["_LeftOut", ...],
        source: ListSource | Problem | None,
    ) -> tuple[Problem, ...]:
        if source is not None:
            return (source,) if isinstance(source, Problem) else ()
        most = self.limits_of(principal).recipients
        if not paths:
            return tuple(problem for _, problem in refused) or (Problem(Reason.NO_RECIPIENTS),)
        if most and len(paths) > most:
            return (Problem(Reason.TOO_MANY_RECIPIENTS, limit=most, found=len(paths)),)
        return ()

    async def _return_problems(self, principal: Principal, domain: str) -> tuple[Problem, ...]:
        owners = self._owners.now(domain)
        try:
            owners = await self._owners.get(domain) if owners is None else owners
        except StoreError:
            return (Problem(Reason.LOGIN_UNCHECKED),)
        problem = return_path_problem(principal, domain, owners)
        return () if problem is None else (problem,)

    async def _left_out(self, principal: Principal, mail: Mail) -> tuple["_LeftOut", ...]:
        if self._suppressed is None:
            return ()
        facts = _facts_of(principal, mail)
        found = []
        for path in mail.recipients:
            try:
                stop = await self._suppressed.stop_at_door(path, facts)
            except StoreError:
                continue  # it is asked again when it is to leave
            if stop is not None:
                problem = Problem(Reason.SUPPRESSED, value=path.address, facts={"why": stop.note})
                found.append((path, problem))
        return tuple(found)

    @property
    def _options(self) -> InboundOptions:
        return self._intake.config.inbound(LISTENER, "", "")


_LeftOut = tuple[ForwardPath, Problem]


def _with(receipt: Receipt, refused: tuple["_LeftOut", ...]) -> Receipt:
    return msgspec.structs.replace(receipt, refused=refused) if refused else receipt


def _denied(found: Refused) -> Problem:
    reason = _DENIALS.get(found.reason, Reason.LOGIN_UNKNOWN)
    facts = {"login": found.name or "this key", "owner": "the account or the server of this key"}
    return Problem(reason, value="transmissions/modify", facts=facts)


def _stricter(limit: int, other: int | None) -> int:
    return min((each for each in (limit, other) if each), default=0)


def _author_of(mail: Mail) -> str:
    content = mail.content
    if isinstance(content, Form):
        content = content.fields
    if isinstance(content, Fields):
        return content.author[0].address if content.author else ""
    if isinstance(content, Raw):
        header = HeaderBlock.scan(content.head)
        found = mailboxes(header.first(b"from")) if header.has(b"from") else []
        return found[0].address if found else ""
    return ""


def _facts_of(principal: Principal, mail: Mail) -> MailFacts:
    """Return what decides whether mail is suppressed; what a header field of a raw message says is not known yet."""
    options = options_for(principal, layered(*(wish.options for wish in mail.wishes)))
    kind = options.transactional
    return MailFacts(
        principal.account.id,
        principal.server.id if principal.server is not None else 0,
        options.stream or "",
        options.lane != BULK if kind is None else kind,
        options.suppressed_by,
        bool(options.skip_suppression),
    )
