"""An intake at which a test hands in messages, and the people who do it. What it took is kept in memory."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from angarium.config.load import parse_config
from angarium.config.records import InboundOptions
from angarium.core.ids import MessageId, format_id
from angarium.core.metrics import Counters
from angarium.core.options import NO_OPTIONS, Options
from angarium.core.records import ForwardPath, KeyedAnswer, Message, Origin
from angarium.core.reply import Reply
from angarium.core.submission import Content, Envelope, Raw, Receipt, Submission, Wishes
from angarium.core.waiting import NOTHING_WAITS
from angarium.identity.principal import Principal
from angarium.identity.records import (
    DEFAULT_STREAMS,
    SEND_GRANT,
    Account,
    Kind,
    Server,
    Stream,
)
from angarium.spool.port import Body, LargeBody, SharedBody, SpoolError, Then
from angarium.submission.intake.intake import Intake
from angarium.submission.intake.ports import Facts
from angarium.submission.intake.quota import Quota, UsageCounter
from angarium.submission.keys.keys import RequestKeys
from angarium.submission.policy import entrance_policy
from angarium.submission.replies import reply_for
from angarium.testing.log import kept_log, records_of

NOW = 1_900_000_000.0
RELAY_HOST = "127.0.0.1:40000"
STRANGER = "198.51.100.7:40000"


def a_principal(
    kind: Kind = "smtp_login",
    *,
    stream: str | None = None,
    streams: Mapping[str, Stream] | None = None,
    options: Options = NO_OPTIONS,
    account: Account | None = None,
    verified: Sequence[str] = ("example.org",),
    **server: Any,
) -> Principal:
    """Return a principal of account 7, "acme", and its server 3, with the usual streams. *server* are its fields."""
    if streams is None:
        streams = {id: Stream(id, 3, id, kind, NOW) for id, kind in DEFAULT_STREAMS.items()}
    return Principal(
        kind=kind,
        id=11,
        name=f'{kind} 11 "app"',
        account=account or Account(7, "acme", NOW),
        server=Server(3, 7, "app", NOW, **server),
        streams=streams,
        stream=stream,
        options=options,
        grants=frozenset((SEND_GRANT,)),
        verified_domains=frozenset(verified),
    )


class Taken(NamedTuple):
    """What became of one message: the receipt, and what entered the spool for it, each with its body."""

    receipt: Receipt
    entered: list[tuple[Message, bytes]]

    @property
    def reply(self) -> Reply:
        """What SMTP answers."""
        return reply_for(self.receipt)

    @property
    def message(self) -> Message:
        """The only message that entered."""
        ((message, _),) = self.entered
        return message

    @property
    def sent(self) -> bytes:
        """The only message as it leaves, without the Received field of this node."""
        return self.texts[0]

    @property
    def texts(self) -> list[bytes]:
        """All messages as they leave, without the Received field of this node, in order."""
        return [_without_received(message.trace) + body for message, body in self.entered]


def _without_received(trace: bytes) -> bytes:
    lines = trace.split(b"\r\n")
    at = next((n for n, line in enumerate(lines) if n and line[:1] not in b"\t "), len(lines))
    return b"\r\n".join(lines[at:]) if trace.startswith(b"Received:") else trace


class IntakeDesk:
    """Takes messages by the real `Intake`. Large bodies are files in *folder*; the clock stands still.

    *full_after* is how many messages the spool takes before it is full. To be made and used in one event loop.
    """

    def __init__(
        self,
        folder: Path,
        config: str = "",
        *,
        usage: UsageCounter | None = None,
        full_after: int | None = None,
        facts: Facts | None = None,
        keys: RequestKeys | None = None,
    ) -> None:
        self.folder = folder
        self.counters = Counters()
        self.entered: list[tuple[Message, bytes]] = []
        self.own: dict[MessageId, bytes] = {}
        """What messages had besides a content that they share."""
        self._full_after = full_after
        self._config = parse_config(config, "angarium.conf")
        self._log = kept_log()
        self.intake = Intake(
            self._config,
            self,
            _Files(folder),
            self,
            self._log,
            random.Random(1),
            self.counters,
            Quota(usage, NOTHING_WAITS, self) if usage is not None else None,
            facts,
            keys=keys,
        )
        self._keys = keys

    def now(self) -> float:
        """See core.clock.Clock."""
        return NOW

    def enter(self, message: Message, body: Body, then: Then) -> None:
        """See Entrance."""
        if self._full_after is not None and len(self.entered) >= self._full_after:
            asyncio.get_running_loop().call_soon(then, SpoolError("no room"))
            return
        self.entered.append((message, body if isinstance(body, bytes) else body.path.read_bytes()))
        asyncio.get_running_loop().call_soon(then, None)

    def enter_all(
        self,
        messages: Sequence[tuple[Message, Body]],
        then: Then,
        *,
        contents: Sequence[SharedBody] = (),
        answer: KeyedAnswer | None = None,
    ) -> None:
        """See Entrance."""
        if self._full_after is not None and len(self.entered) + len(messages) > self._full_after:
            asyncio.get_running_loop().call_soon(then, SpoolError("no room"))
            return
        for message, own in messages:
            shared = (each.body for each in contents if each.content.id == message.content)
            body = next(shared, own)
            if isinstance(own, bytes):
                self.own[message.id] = own
            self.entered.append((message, body if isinstance(body, bytes) else body.path.read_bytes()))
        if answer is not None and self._keys is not None:
            self._keys.keep(answer, lambda: None)
        asyncio.get_running_loop().call_soon(then, None)

    @property
    def log(self) -> list[dict[str, Any]]:
        """What was logged so far."""
        return records_of(self._log)

    @property
    def files(self) -> set[str]:
        """The names of the large bodies that are there."""
        return {path.name for path in self.folder.glob("*.body")}

    async def submit(
        self,
        text: bytes,
        *,
        principal: Principal | None = None,
        recipients: Sequence[str] = ("to@example.net",),
        peer: str = RELAY_HOST,
        pieces: int | None = None,
        is_counted: bool = True,
        instead: Content | None = None,
        wishes: tuple[Wishes, ...] = (),
        fate: Literal["deliver", "feedback"] = "deliver",
        **options: Any,
    ) -> Taken:
        """Hand in *text*; with *pieces* as a large body that comes in so many bytes at a time. *is_counted*: the
        recipients of the envelope were counted when they were named. *instead* is handed in for *text*; *wishes* are
        what the door was asked for besides.
        """
        intake, policy = self.intake, entrance_policy(InboundOptions(**options))
        may = peer == RELAY_HOST
        origin = Origin(
            listener="default", peer=peer, helo="client.example", protocol="ESMTP", session="session"
        )
        message_id = intake.new_id()
        content = Raw(text, text, not text.isascii())
        before = len(self.entered)
        if pieces is not None:
            spill = intake.spill(message_id, lambda slow: None, policy, principal, may)
            for at in range(0, len(text), pieces):
                spill.add(text[at : at + pieces])
            body = await spill.finish()
            content = Raw(body, spill.head, spill.eight_bit, spill.lines.has_long_line)
        envelope = Envelope("from@example.org", "example.org", _paths(recipients))
        answer: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        submission = Submission(
            message_id, envelope, instead or content, origin, policy, principal, may, wishes, fate
        )
        reservation = None
        if principal is not None and is_counted:
            reservation = intake.quota.reserve(principal, self._config.globals)
        intake.submit(submission, answer.set_result, reservation)
        return Taken(await answer, self.entered[before:])


def _paths(recipients: Sequence[str]) -> list[ForwardPath]:
    domains = [address.rpartition("@")[2].lower().encode("idna").decode() for address in recipients]
    return [
        ForwardPath(address=address, domain=domain)
        for address, domain in zip(recipients, domains, strict=True)
    ]


class _Files:
    """The part of a spool that keeps large bodies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def large_body(self, message_id: MessageId) -> "_File":
        """See Spool."""
        return _File(self._folder / f"{format_id(message_id)}.body")


class _File:
    """See LargeBodyWriter."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._data = b""

    async def write(self, piece: bytes) -> None:
        self._data += piece

    async def finish(self) -> LargeBody:
        await asyncio.to_thread(self._path.write_bytes, self._data)
        return LargeBody(self._path, len(self._data))

    def discard(self) -> None:
        self._path.unlink(missing_ok=True)

    async def hold(self) -> None:
        """See LargeBodyWriter."""
