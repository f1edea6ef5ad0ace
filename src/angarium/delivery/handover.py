"""Bringing transactions onto their connections: what each attempt needs is answered, and each ends once."""

import asyncio
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any, NoReturn, Protocol

import msgspec

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.records import Attempt, Message
from angarium.core.reply import Reply
from angarium.core.tasks import Tasks
from angarium.delivery.attempt import (
    Course,
    Need,
    NeedBody,
    NeedData,
    NeedIntent,
    NeedKeys,
    NeedRender,
    NeedReturnPath,
    NeedSignature,
    Payload,
    Unmet,
    attempt,
    conversion,
)
from angarium.delivery.connection import Connection
from angarium.delivery.intents import Intents
from angarium.delivery.renderings import Renderings
from angarium.delivery.signing import CannotSign, KeyFinder, Signer
from angarium.delivery.smtputf8 import is_measured, with_header
from angarium.engine.clearance import NOTHING_SUPPRESSED, Clearance, in_question
from angarium.engine.record import EventWriter
from angarium.queue.commands import Deliver, LeftOut, Result, Verdict
from angarium.render.failure import GenerationFailure, GenerationRejection
from angarium.render.pipeline import RENDERING, Rendering
from angarium.render.return_path import ReturnPaths
from angarium.spool.port import Body, LargeBody, Spool, SpoolError
from angarium.sql.errors import StoreError

_PIECE = 262_144
_GONE = Reply(421, "4.4.2", "[internal] the connection had gone")
_UNREADABLE = Reply(451, "4.3.0", "[internal] the message's text cannot be read at the moment")
_UNWRITTEN = Reply(451, "4.3.0", "[internal] the attempt cannot be written down at the moment")
_UNSIGNED = Reply(451, "4.7.0", "[internal] the message could not be signed; see the log")
_UNCLEARED = Reply(
    451, "4.3.0", "[internal] whether the recipient is suppressed cannot be looked up at the moment"
)
_FAULT = Reply(451, "4.3.0", "[internal] the attempt ended by a fault of our own; see the log")


class Finished(Protocol):
    """Hears how a transaction ended that never reached the peer; `Outbound.finished` is one."""

    def __call__(self, conn: int, results: list[Result], usable: bool) -> None:
        """Take the results; the connection can take another transaction if *usable*."""
        ...


def _not_made(failure: GenerationFailure) -> Unmet:
    if isinstance(failure, GenerationRejection):
        return Unmet(
            "generation_rejection", Reply(554, "5.6.0", f"[internal] generation rejected: {failure}")
        )
    return Unmet("generation_failure", Reply(554, "5.6.0", f"[internal] generation failure: {failure}"))


async def _failing(error: Exception) -> NoReturn:
    raise error


class _Delivery(msgspec.Struct):
    """An errand for the scheduler: *command* is answered once, by us or by the connection."""

    course: Course
    connection: Connection
    command: Deliver
    handover: "Handover"

    @property
    def is_void(self) -> bool:
        """Whether nothing is to leave any more."""
        return self.connection.is_over or self.handover.is_draining

    def leave(self, payload: Payload) -> None:
        """Give what leaves to the connection."""
        self.connection.deliver(self.command, payload.body, payload.head, payload.return_path)

    def refuse(self, unmet: Unmet) -> None:
        """Nothing leaves."""
        self.handover.end(self.command, unmet.verdict, unmet.reply, usable=not self.connection.is_over)

    def break_off(self) -> None:
        """What happened was not foreseen; the mail must not stay in flight for good."""
        verdict: Verdict = "ambiguous" if self.connection.past_final_dot else "transient"
        self.connection.quit()
        self.handover.end(self.command, verdict, _FAULT, usable=False)


class _Conversion(msgspec.Struct):
    """An errand for a connection in the middle of a transaction: what is said to it decides the results."""

    course: Course
    connection: Connection
    message: Message

    @property
    def is_void(self) -> bool:
        """Whether the connection was lost meanwhile: its owner has heard."""
        return self.connection.message is not self.message

    def leave(self, payload: Payload) -> None:
        """Go on with what leaves instead."""
        assert isinstance(payload.body, bytes)
        self.connection.retry_with(payload.body, payload.head)

    def refuse(self, unmet: Unmet) -> None:
        """Nothing leaves."""
        if not self.is_void:
            self.connection.refuse_held(unmet.reply)

    def break_off(self) -> None:
        """What happened was not foreseen; the connection would wait for good."""
        if not self.is_void:
            self.connection.refuse_held(_FAULT)


_Errand = _Delivery | _Conversion
"""A course on its way to a connection, and what is done as it ends."""


class Handover:
    """All transactions of one worker between the scheduler's command and the peer."""

    def __init__(
        self,
        spool: Spool,
        writer: EventWriter,
        clock: Clock,
        log: Log,
        finished: Finished,
        changed: Callable[[], None],
        keys: KeyFinder | None,
        rendering: Rendering = RENDERING,
        returns: ReturnPaths | None = None,
        clearance: Clearance = NOTHING_SUPPRESSED,
    ) -> None:
        """*changed* is called whenever `intents.is_writing` may have become False."""
        self.is_draining = False
        self.intents = Intents(writer, clock, changed)
        self._spool = spool
        self._clearance = clearance
        self._suppressed: dict[int, list[Result]] = {}
        self._clock = clock
        self._log = log
        self._finished = finished
        self._rendering = rendering
        self._renderings = Renderings()
        self._signer = Signer(keys, clock)
        self._returns = returns
        self._tasks = Tasks(log, clock)
        self._answers: dict[type, Callable[[Any], Any]] = {
            NeedReturnPath: self._return_path,
            NeedBody: self._body,
            NeedData: self._data,
            NeedRender: self._renderings.made,
            NeedKeys: self._signer.keys,
            NeedSignature: self._signer.sign,
            NeedIntent: self.intents.write,
        }

    def deliver(self, command: Deliver, connection: Connection | None) -> None:
        """Carry *command* out on *connection*, None when that has gone already."""
        if connection is None or connection.is_over:
            self.end(command, "untried", _GONE, usable=False)
        elif in_question(self._clearance, command.recipients):
            self._tasks.start(self._clear(command, connection))
        else:
            self._begin(command, connection)

    def _begin(self, command: Deliver, connection: Connection) -> None:
        course = attempt(command, connection.command.options, self._rendering)
        self._advance(_Delivery(course, connection, command, self))

    def convert(self, connection: Connection) -> None:
        """Give *connection* a 7-bit form of the body that its peer does not take."""
        message = connection.message
        assert message is not None
        course = conversion(message, connection.body, connection.command.options)
        self._advance(_Conversion(course, connection, message))

    # -- recipients who must not get it (any more)

    async def _clear(self, command: Deliver, connection: Connection) -> None:
        """Deliver to those who are not suppressed."""
        try:
            stops = await self._clearance.stops(command.recipients)
        except StoreError as error:
            self._log.warning("suppression", self._clock.now(), domain=command.queue.domain, error=str(error))
            self.end(command, "transient", _UNCLEARED, usable=not connection.is_over)
            return
        except BaseException:
            self.end(command, "transient", _FAULT, usable=not connection.is_over)
            raise
        tried = Attempt(started_at=self._clock.now(), stage="idle")
        those = list(zip(command.recipients, stops, strict=True))
        stopped = [
            Result(each, "suppressed", stop.reply, tried, note=stop.note) for each, stop in those if stop
        ]
        left = Deliver(command.conn, command.queue, [each for each, stop in those if stop is None])
        if stopped:
            self._suppressed[command.conn] = stopped
        if not left.recipients or connection.is_over or self.is_draining:
            self.end(left, "untried", _GONE, usable=not connection.is_over)
        else:
            self._begin(left, connection)

    def with_suppressed(self, conn: int, results: list[Result]) -> list[Result]:
        """Return the results of a transaction with those of the recipients who were left out of it."""
        return self._suppressed.pop(conn, []) + results if self._suppressed else results

    # -- the way of an errand

    def _advance(self, errand: _Errand, answer: Any = None) -> None:
        """Go on with *errand* as far as it goes without waiting; *answer* is what it waited for."""
        course = errand.course
        try:
            try:
                need = course.throw(answer) if isinstance(answer, Exception) else course.send(answer)
                while True:
                    answer = self._answer(need)
                    if type(answer) is CoroutineType:
                        self._tasks.start(self._wait(errand, need, answer))
                        return
                    need = course.send(answer)
            except StopIteration as end:
                errand.leave(end.value)
        except Unmet as unmet:
            errand.refuse(unmet)
        except Exception:
            errand.break_off()
            raise

    def _answer(self, need: Need) -> Any:
        """Return what *need* asks for, or a coroutine that finds it out or fails."""
        try:
            return self._answers[type(need)](need)
        except Exception as error:  # noqa: BLE001 - raised again where it is awaited
            return _failing(error)

    async def _wait(self, errand: _Errand, need: Need, coming: Coroutine[Any, Any, Any]) -> None:
        try:
            answer = await coming
        except Exception as error:  # noqa: BLE001 - raised again by the course unless it is foreseen
            answer = self._foreseen(need, error)
        if errand.is_void and (isinstance(answer, Unmet) or not isinstance(answer, Exception)):
            answer = Unmet("untried", _GONE)
        self._advance(errand, answer)

    def _foreseen(self, need: Need, error: Exception) -> Exception:
        """Return what *error* means to who had the *need*; what is not foreseen, as it is."""
        now = self._clock.now()
        if isinstance(need, NeedKeys | NeedSignature):  # a fault of ours never loses or bounces mail
            if not isinstance(error, CannotSign):
                self._log.fault(now, error, message=need.message.id.hex())
                return Unmet("transient", _UNSIGNED)
            self._log.error("signing", now, message=need.message.id.hex(), error=str(error))
            return Unmet("transient", error.reply)
        if isinstance(need, NeedBody | NeedData | NeedRender) and isinstance(error, SpoolError | OSError):
            self._log.error("body", now, message=need.message.id.hex(), error=str(error))
            return Unmet("transient", _UNREADABLE)
        if isinstance(need, NeedRender) and isinstance(error, GenerationFailure):
            return _not_made(error)
        if isinstance(need, NeedIntent) and isinstance(error, SpoolError):
            return Unmet("transient", _UNWRITTEN)
        return error

    def end(self, command: Deliver, verdict: Verdict | LeftOut, reply: Reply, *, usable: bool) -> None:
        """Tell that *command* has come to nothing."""
        tried = Attempt(started_at=self._clock.now(), stage="idle")
        is_untried = verdict == "untried"
        results = [Result(each, verdict, reply, tried, is_untried) for each in command.recipients]
        self._finished(command.conn, results, usable)

    # -- answers: what is known at once, or a coroutine that finds out

    def _return_path(self, need: NeedReturnPath) -> str:
        message = need.recipient.message
        if self._returns is None:
            return ""
        return self._returns.address("bounce", message.id, need.recipient.index, message.return_domain)

    def _body(self, need: NeedBody) -> Body | Coroutine[Any, Any, Body]:
        body = self._spool.body_now(need.message)
        return self._loaded(need.message) if body is None else body

    async def _loaded(self, message: Message) -> Body:
        body = await self._spool.load_body(message)
        if isinstance(body, LargeBody) and is_measured(message):
            body = await asyncio.to_thread(with_header, body)
        return body

    def _data(self, need: NeedData) -> bytes | Coroutine[Any, Any, bytes]:
        data = self._spool.data_now(need.message)
        return self._spool.load_data(need.message) if data is None else data

    # -- bodies that need more than one write

    def feed(self, connection: Connection) -> None:
        """Send the large body that the peer of *connection* is ready for."""
        self._tasks.start(self._feed(connection))

    async def _feed(self, connection: Connection) -> None:
        body = connection.body
        assert isinstance(body, LargeBody)
        try:
            with await asyncio.to_thread(open, body.path, "rb") as file:
                more = True
                while more:
                    piece = await asyncio.to_thread(file.read, _PIECE)
                    more = await connection.feed(piece, file.tell() >= body.size or not piece)
        except Exception as error:  # noqa: BLE001 - whatever it is, the peer waits for the rest in vain
            self._log.error("body", self._clock.now(), file=str(body.path), error=repr(error))
            connection.give_up()
