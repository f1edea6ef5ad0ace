"""The sending side of SMTP and LMTP without I/O (RFC 5321, 2033, 2920, 3030).

    (opening, see `client_opening`) ─► ready ─► (a transaction, see `client_run`) ─► ready … ─► quit ─► closed

The shell around it gives it what happens (`start`, `receive`, `connection_lost`, `timed_out`) and what is
wanted (`deliver`, `feed`, `quit`), and after each call writes `take_output()`, obeys `take_events()` and sets
its timer to `deadline`.
"""

from typing import Literal

from angarium.core.errors import AngariumError
from angarium.core.reply import Reply
from angarium.smtp.client_events import (
    AWAITED,
    ClientEvent,
    ClientSettings,
    Closed,
    Finished,
    NeedBody,
    NeedDowngrade,
    NotReady,
    Ready,
    Result,
    Trace,
    Transaction,
)
from angarium.smtp.client_opening import Opening
from angarium.smtp.client_run import Run
from angarium.smtp.client_writer import ClientWriter
from angarium.smtp.envelope import message_refusal
from angarium.smtp.extensions import NO_EXTENSIONS, Extensions
from angarium.smtp.replies import ReplyParser, shorten

SessionStage = Literal["new", "ready", "quit", "closed"]


class LocalProtocolError(AngariumError):
    """The machine was asked for something it cannot do now. A mistake of the caller, never of the peer."""


class ClientMachine:
    """One session. Times are seconds on any clock that does not run backwards."""

    __slots__ = (
        "_count",
        "_events",
        "_held",
        "_needs_reset",
        "_next",
        "_opening",
        "_parser",
        "_run",
        "_settings",
        "_since",
        "_stage",
        "_writer",
        "extensions",
    )

    def __init__(self, settings: ClientSettings, trace: Trace | None = None) -> None:
        self.extensions: Extensions = NO_EXTENSIONS
        self._settings = settings
        self._writer = ClientWriter(trace)
        self._parser = ReplyParser()
        self._events: list[ClientEvent] = []
        self._opening: Opening | None = None
        self._stage: SessionStage = "new"
        self._since = 0.0
        self._run: Run | None = None
        self._next: Run | None = None
        self._held: Transaction | None = None
        self._needs_reset = False
        self._count = 0

    # What the shell reads

    def take_output(self) -> list[bytes]:
        """Return the buffers to be written, in order, and forget them."""
        return self._writer.take()

    def take_events(self) -> list[ClientEvent]:
        """Return what has happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    @property
    def stage(self) -> str:
        """What is waited for: a stage of the session or, in a transaction, of that."""
        part = self._run or self._opening
        return self._stage if part is None else part.stage

    @property
    def is_ready(self) -> bool:
        """Whether `deliver` may be called, with no transaction under way."""
        return self._stage == "ready" and self._run is None

    @property
    def is_message_sent(self) -> bool:
        """Whether the peer has a whole message whose answer is outstanding: breaking off now would be ambiguous."""
        return self._run is not None and self._run.is_sent

    @property
    def trace(self) -> Trace | None:
        """Who is told each line of the dialog; may be set at any time."""
        return self._writer.trace

    @trace.setter
    def trace(self, trace: Trace | None) -> None:
        self._writer.trace = trace

    @property
    def can_prefetch(self) -> bool:
        """Whether `deliver` may be called although the answer to the last message is outstanding.

        Its envelope then rides behind the final dot (RFC 2920 §3.1).
        """
        run = self._run
        return (
            run is not None
            and self._settings.use_prefetch
            and self._is_pipelined
            and run.is_sent
            and run.stage == "final"
            and not run.dead
            and self._next is None
            and self._has_mails_left
        )

    @property
    def deadline(self) -> float | None:
        """When to call `timed_out`, on the clock of the *now* arguments; None while nothing is awaited."""
        wait_s = self.wait_s
        return None if wait_s is None else self._since + wait_s

    @property
    def wait_s(self) -> float | None:
        """How long the present stage may take, in seconds, from its last progress on."""
        run = self._run
        stage = "rset" if run is not None and run.is_resetting else self.stage
        name = "ehlo_s" if stage == "helo" else f"{stage}_s"
        wait_s: float | None = getattr(self._settings.timeouts, name, None)
        return wait_s

    @property
    def _is_pipelined(self) -> bool:
        return self._settings.use_pipelining and self.extensions.pipelining

    @property
    def _has_mails_left(self) -> bool:
        most = self.extensions.mail_max
        return most is None or self._count < most

    @property
    def _awaited(self) -> str:
        return self._run.awaited if self._run is not None else AWAITED[self.stage]

    # What the shell tells

    def start(self, now: float) -> None:
        """The connection is open: wait for the banner."""
        self._opening = Opening(self._settings, self._writer, now)
        self._since = now

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes from the peer. Never raises, whatever they are."""
        for reply in self._parser.feed(data):
            if self._stage == "closed":
                return
            self._writer.note_reply(reply)
            self._on_reply(reply, now)
        if self._parser.error is not None and self._stage != "closed":
            self._end(Reply(421, "4.5.0", f"[internal] {self._parser.error}"), now)

    def connection_lost(self, now: float, why: str = "") -> None:
        """The connection has ended, or the shell has given it up; *why* goes into the replies we make up."""
        if self._stage != "closed":
            text = f"[internal] connection lost while waiting for {self._awaited}"
            self._end(Reply(421, "4.4.2", f"{text}: {why}" if why else text), now)

    def timed_out(self, now: float) -> None:
        """`deadline` has passed. Does nothing if it was moved meanwhile."""
        deadline = self.deadline
        if deadline is not None and now >= deadline:
            text = f"[internal] timed out after {self.wait_s:g} s waiting for {self._awaited}"
            self._end(Reply(421, "4.4.2", text), now)

    # What the shell wants

    def deliver(self, transaction: Transaction, now: float) -> None:
        """Begin a transaction, or replace the one that `NeedDowngrade` was about.

        Raises LocalProtocolError, and has done nothing, unless `is_ready`, `can_prefetch`, or after
        NeedDowngrade.
        """
        if self._held is not None:
            self._held = None
        elif not (self.is_ready or self.can_prefetch):
            raise LocalProtocolError(f"deliver while the session is at {self.stage}")
        refusal = message_refusal(transaction, self.extensions, self._settings.eight_bit)
        if refusal is not None:
            self._refuse(transaction, refusal)
        elif self._needs_downgrade(transaction):
            self._held = transaction
            self._events.append(NeedDowngrade(transaction))
        else:
            self._begin(transaction, now)

    def feed(self, piece: bytes, last: bool, now: float) -> bool:
        """Send the next piece of the body asked for by `NeedBody`; an empty one is fine.

        Call it as the transport drains. Returns whether more is wanted: False after the last piece, and when
        the transaction has ended meanwhile.
        """
        run = self._run
        if run is None:
            return False
        if run.wants_body:
            self._since = now
        return run.feed(piece, last, now)

    def quit(self, now: float) -> None:
        """End the session. A transaction under way ends as after a lost connection, else QUIT is said.

        In any case `Closed` comes, at the latest after `timeouts.quit_s`.
        """
        if self._stage == "closed":
            return
        if self.is_ready and self._held is None:
            self._writer.say("QUIT\r\n")
            self._stage = "quit"
            self._since = now
        elif self._stage != "quit":
            self._end(
                Reply(421, "4.3.2", f"[internal] session given up while waiting for {self._awaited}"), now
            )

    # Inside

    def _on_reply(self, reply: Reply, now: float) -> None:
        self._since = now
        run = self._run
        if run is not None:
            run.reply(reply, now)
            if run.done:
                self._finish(run, now)
            elif run.needs_body:
                run.needs_body = False
                self._events.append(NeedBody(run.transaction))
        elif self._opening is not None:
            self._opening.reply(reply, now)
            self._on_opening(self._opening)
        elif self._stage == "quit":
            self._close()
        else:  # a reply to nothing: most often 421 to a session that was idle too long
            self._end(shorten(reply), now)

    def _on_opening(self, opening: Opening) -> None:
        if opening.refusal is not None:
            self._not_ready(opening, opening.refusal)
            self._close()
        elif opening.is_open:
            self._opening = None
            self._stage = "ready"
            self.extensions = opening.extensions
            self._events.append(Ready(opening.extensions, tuple(opening.timings)))

    def _not_ready(self, opening: Opening, reply: Reply) -> None:
        self._opening = None
        address_fault = reply.code < 500
        timings = tuple(opening.timings)
        self._events.append(NotReady(reply, opening.reported_stage, address_fault, timings))

    # Transactions

    def _needs_downgrade(self, transaction: Transaction) -> bool:
        policy = self._settings.eight_bit
        return transaction.eight_bit and policy == "convert" and not self.extensions.eight_bit_mime

    def _begin(self, transaction: Transaction, now: float) -> None:
        is_first = self._count == 0
        run = Run(transaction, self._settings, self.extensions, self._writer, is_first)
        run.begin(now, self._needs_reset, self._settings.bdat_at_once_bytes)
        if run.done:
            self._report(run)
            return
        self._count += 1
        self._needs_reset = False
        if self._run is None:
            self._run = run
            self._since = now
        else:
            self._next = run

    def _refuse(
        self, transaction: Transaction, reply: Reply, usable: bool = True, untried: bool = False
    ) -> None:
        """Finish a transaction of which nothing was sent."""
        indexes = range(len(transaction.recipients))
        verdict: Literal["untried", "permanent"] = "untried" if untried else "permanent"
        results = [Result(index, verdict, reply, "mail", untried) for index in indexes]
        usable = usable and self._has_mails_left
        self._events.append(Finished(transaction, results, usable, False, (), 0))

    def _finish(self, run: Run, now: float) -> None:
        """Report *run* and go on to the one prefetched, or be ready again, or be closed."""
        self._needs_reset |= run.needs_reset
        self._run = None
        self._report(run)
        if run.dead:
            self._end(_last_reply(run), now, is_told=True)
        elif self._next is not None:
            self._run, self._next = self._next, None
            self._run.resume(now)

    def _report(self, run: Run) -> None:
        results = [result for result in run.results if result is not None]
        usable = not run.dead and self._has_mails_left
        self._events.append(
            Finished(
                run.transaction, results, usable, self.extensions.dsn, tuple(run.timings), run.bytes_sent
            )
        )

    def _end(self, reply: Reply, now: float, is_told: bool = False) -> None:
        """The session is over because of *reply*: report what was under way, and close."""
        if self._run is not None:
            self._run.note_time(now)
        for run in (self._run, self._next):
            if run is not None:
                run.fail(reply)
                self._report(run)
                is_told = True
        self._run = self._next = None
        if self._held is not None:
            held, self._held = self._held, None
            self._refuse(held, reply, usable=False, untried=True)
            is_told = True
        if self._opening is not None:
            self._opening.note_time(now)
            self._not_ready(self._opening, reply)
            is_told = True
        self._close(None if is_told or self._stage == "quit" else reply)

    def _close(self, reply: Reply | None = None) -> None:
        self._stage = "closed"
        self._events.append(Closed(reply))


def _last_reply(run: Run) -> Reply:
    """Return the reply that made *run*'s session unusable."""
    for result in reversed(run.results):
        if result is not None and result.session_fault:
            return result.reply
    return Reply(421, "4.5.0", "[internal] session left by the transaction before")
