"""The sending side of SMTP and LMTP without I/O (RFC 5321, 2033, 2920, 3030).

    opening ─► ready ─► a transaction ─► ready … ─► quit ─► closed          the stages of all: `client.stages`

The shell around it gives it what happens (`start`, `receive`, `connection_lost`, `timed_out`; after `NeedTls`
`secured` or `tls_failed`) and what is wanted (`deliver`, `feed`, `quit`), and after each call writes
`take_output()`, obeys `take_events()` and sets its timer to `deadline`.
"""

from typing import Literal

import msgspec

from angarium.core.errors import AngariumError
from angarium.core.reply import Reply
from angarium.smtp.client.events import (
    ClientEvent,
    ClientSettings,
    Closed,
    NeedDowngrade,
    NeedPieces,
    NeedTls,
    NotReady,
    Ready,
    RecipientResult,
    Trace,
    Transaction,
    TransactionFinished,
    Verdict,
)
from angarium.smtp.client.opening import INJECTED, NO_MORE_XCLIENT, Opening
from angarium.smtp.client.run import Findings, Run
from angarium.smtp.client.stages import STAGES
from angarium.smtp.client.writer import ClientWriter
from angarium.smtp.client.xclient import Told
from angarium.smtp.envelope import message_refusal
from angarium.smtp.extensions import NO_EXTENSIONS, Extensions, without
from angarium.smtp.replies import ReplyParser, shorten


class LocalProtocolError(AngariumError):
    """The machine was asked for something it cannot do now. A mistake of the caller, never of the peer."""


class ClientMachine:
    """One session. Times are seconds on any clock that does not run backwards."""

    __slots__ = (
        "_count",
        "_dropped",
        "_events",
        "_held",
        "_introduced",
        "_is_clear",
        "_is_encrypted",
        "_needs_reset",
        "_opening",
        "_parser",
        "_run",
        "_settings",
        "_since",
        "_stage",
        "_told",
        "_writer",
        "extensions",
    )

    def __init__(self, settings: ClientSettings, trace: Trace | None = None) -> None:
        self.extensions: Extensions = NO_EXTENSIONS
        self._settings = settings
        self._writer = ClientWriter(trace)
        self._parser = ReplyParser()
        self._events: list[ClientEvent] = []
        self._stage: Literal["new", "ready", "quit", "closed"] = "new"
        """What is waited for outside of an opening and a transaction."""
        self._since = 0.0
        self._opening: Opening | None = None
        self._run: Run | None = None
        self._held: Transaction | None = None
        """The one that `NeedDowngrade` was about."""
        self._introduced: Transaction | None = None
        """The one that begins when XCLIENT was answered."""
        self._told = Told()
        self._is_encrypted = self._is_clear = False
        self._dropped: frozenset[str] = frozenset()
        """Extensions that were refused in this session and are not used in it."""
        self._needs_reset = False
        """The transaction before left something to undo."""
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
        """Whether `deliver` may be called."""
        return self._stage == "ready" and self._run is None and self._opening is None

    @property
    def is_message_sent(self) -> bool:
        """Whether the peer has a whole message whose answer is outstanding: breaking off now would be ambiguous."""
        return self._run is not None and self._run.is_sent

    @property
    def trace(self) -> Trace | None:
        """Called with each line of the dialog; may be set at any time."""
        return self._writer.trace

    @trace.setter
    def trace(self, trace: Trace | None) -> None:
        self._writer.trace = trace

    @property
    def deadline(self) -> float | None:
        """When to call `timed_out`, on the clock of the *now* arguments; None while nothing is awaited."""
        wait_s = self.wait_s
        return None if wait_s is None else self._since + wait_s

    @property
    def wait_s(self) -> float | None:
        """How long the present stage may take, in seconds, from its last progress on."""
        limit = STAGES[self._awaited_stage].limit
        return None if limit is None else getattr(self._settings.timeouts, limit)

    @property
    def awaits(self) -> tuple[str, str, float] | None:
        """What of the peer is awaited, in words, the field of `Timeouts` that ends that, and since when: the last
        progress. None while nothing is.
        """
        stage = STAGES[self._awaited_stage]
        return None if stage.limit is None else (stage.awaited, stage.limit, self._since)

    @property
    def _awaited_stage(self) -> str:
        run = self._run
        return "rset" if run is not None and run.is_resetting else self.stage

    @property
    def _awaited(self) -> str:
        return STAGES[self._awaited_stage].awaited

    @property
    def _has_mails_left(self) -> bool:
        most = self.extensions.mail_max  # RFC 9422 §4.1
        return most is None or self._count < most

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
            opening = self._opening
            if opening is not None:
                if opening.stage == "tls":
                    self._end(INJECTED, now)
                    return
                reply = opening.without_secrets(reply)
            if self._writer.trace is not None:
                self._writer.note_reply(reply)
            self._on_reply(reply, now)
        if self._opening is not None and self._opening.stage == "tls":
            self._need_tls(now)
        elif self._parser.error is not None and self._stage != "closed":
            self._end(Reply(421, "4.5.0", f"[internal] {self._parser.error}"), now)

    def secured(self, now: float) -> None:
        """The handshake that `NeedTls` asked for was made."""
        opening = self._opening
        if opening is None or opening.stage != "tls":
            raise LocalProtocolError(f"a handshake while the session is at {self.stage}")
        self._parser = ReplyParser()
        self._since = now
        opening.secured(now)

    def tls_failed(self, why: str, now: float) -> None:
        """It was not, or what it showed will not do, or encryption failed before the first encrypted answer."""
        if self._opening is None or not self._opening.is_about_tls:
            raise LocalProtocolError(f"a failed handshake while the session is at {self.stage}")
        self._end(Reply(421, "4.7.5", f"[internal] {why}"), now)

    def connection_lost(self, now: float, why: str = "") -> None:
        """The connection has ended, or the shell has given it up; *why* goes into the replies we make up."""
        if self._stage != "closed":
            text = f"[internal] connection lost while waiting for {self._awaited}"
            self._end(Reply(421, "4.4.2", f"{text}: {why}" if why else text), now, is_lost=True)

    def timed_out(self, now: float) -> None:
        """`deadline` has passed. Does nothing if it was moved meanwhile."""
        deadline = self.deadline
        if deadline is not None and now >= deadline:
            text = f"[internal] timed out after {self.wait_s:g} s waiting for {self._awaited}"
            self._end(Reply(421, "4.4.2", text), now, is_lost=True)

    # What the shell wants

    def deliver(self, transaction: Transaction, now: float) -> None:
        """Begin a transaction, or replace the one that `NeedDowngrade` was about.

        Raises LocalProtocolError, and has done nothing, unless `is_ready` or after NeedDowngrade.
        """
        if self._held is not None:
            self._held = None
        elif not self.is_ready:
            raise LocalProtocolError(f"deliver while the session is at {self.stage}")
        self._take(transaction, now)

    def feed(self, piece: bytes, last: bool, now: float) -> bool:
        """Send the next piece of the body asked for by `NeedPieces`; an empty one is fine.

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

    def _need_tls(self, now: float) -> None:
        # What came in clear text behind the answer must not be taken for encrypted: believe nothing of it
        # (RFC 3207 §5).
        if self._parser.is_between_replies and self._parser.error is None:
            self._events.append(NeedTls())
        else:
            self._end(INJECTED, now)

    def _on_reply(self, reply: Reply, now: float) -> None:
        self._since = now
        run = self._run
        if run is not None:
            run.reply(reply, now)
            if run.done:
                self._finish(run, now)
            elif run.needs_body:
                run.needs_body = False
                self._events.append(NeedPieces(run.transaction))
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
            self._writer.said = None
            self._stage = "ready"
            self._is_encrypted = opening.is_encrypted
            self._is_clear = opening.is_in_clear_for_want
            self.extensions = without(opening.extensions, self._dropped)
            if self._introduced is not None:
                self._on_introduced(self._introduced, opening)
            else:
                self._events.append(Ready(opening.extensions, tuple(opening.timings), opening.said))

    def _not_ready(self, opening: Opening, reply: Reply, tls_failed: bool = False) -> None:
        self._opening = self._writer.said = None
        if self._introduced is not None:
            self._not_introduced(self._introduced, opening, reply)
            return
        # A host that wants no session speaks for itself, whatever the code (RFC 5321 §5.1).
        address_fault = reply.code < 500 or not opening.is_on_terms
        timings, on_terms = tuple(opening.timings), opening.is_on_terms
        self._events.append(
            NotReady(
                reply, opening.reported_stage, address_fault, timings, tls_failed, on_terms, opening.said
            )
        )

    def _opening_ended(self, opening: Opening, reply: Reply, now: float) -> None:
        """The session ended by *reply*, one of ours, before it was ready."""
        opening.note_time(now)
        tls_failed = opening.is_about_tls and reply is not INJECTED
        if tls_failed:
            text = reply.text.removeprefix("[internal] ")
            reply = Reply(451, "4.7.5", f"[internal] TLS negotiation failed: {text}")
        self._not_ready(opening, reply, tls_failed)

    # XCLIENT

    def _introduce(self, transaction: Transaction, now: float) -> bool:
        """Tell the peer where the message came from, if it wants to know; returns whether there is no beginning now."""
        attributes = transaction.xclient
        if not attributes or not self._told.is_news(attributes):
            return False
        opening = Opening(self._settings, self._writer, now)
        if not opening.introduce(
            attributes,
            self.extensions,
            is_encrypted=self._is_encrypted,
            has_told=self._told.has_told,
            needs_reset=self._needs_reset,
        ):
            if self._told.has_told:
                self._refuse(transaction, NO_MORE_XCLIENT, usable=False, untried=True)
                self._close()
            return self._told.has_told
        self._opening, self._introduced, self._since = opening, transaction, now
        self._needs_reset = False
        return True

    def _on_introduced(self, transaction: Transaction, opening: Opening) -> None:
        self._introduced = None
        self._told.note(transaction.xclient, opening.is_believed)
        self._run_through(transaction, self._since, opening)

    def _not_introduced(self, transaction: Transaction, opening: Opening, reply: Reply) -> None:
        """The session ended before the transaction; a new one would be better only if this one had been good."""
        self._introduced = None
        verdict: Verdict = "untried" if self._count else "transient"
        stage = opening.reported_stage
        results = [
            RecipientResult(index, verdict, reply, stage, True)
            for index in range(len(transaction.recipients))
        ]
        self._events.append(
            TransactionFinished(transaction, results, False, False, tuple(opening.timings), 0)
        )

    # Transactions

    def _take(self, transaction: Transaction, now: float) -> None:
        refusal = message_refusal(transaction, self.extensions, self._settings.eight_bit)
        if refusal is not None:
            self._refuse(transaction, refusal)
        elif self._needs_downgrade(transaction):
            self._held = transaction
            self._events.append(NeedDowngrade(transaction))
        else:
            self._begin(transaction, now)

    def _needs_downgrade(self, transaction: Transaction) -> bool:
        policy = self._settings.eight_bit
        return transaction.eight_bit and policy == "convert" and not self.extensions.eight_bit_mime

    def _begin(self, transaction: Transaction, now: float) -> None:
        if self._settings.xclient == "no" or not self._introduce(transaction, now):
            self._run_through(transaction, now)

    def _run_through(self, transaction: Transaction, now: float, opening: Opening | None = None) -> None:
        is_first = self._count == 0
        run = Run(transaction, self._settings, self.extensions, self._writer, is_first, self._is_clear)
        if opening is not None:
            run.timings += opening.timings
        run.begin(now, self._needs_reset, self._settings.bdat_at_once_bytes)
        if run.done:
            self._report(run)
            return
        self._count += 1
        self._needs_reset = False
        self._run = run
        self._since = now

    def _refuse(
        self, transaction: Transaction, reply: Reply, usable: bool = True, untried: bool = False
    ) -> None:
        """Finish a transaction of which nothing was sent."""
        indexes = range(len(transaction.recipients))
        verdict: Verdict = "untried" if untried else "permanent" if reply.code >= 500 else "transient"
        results = [RecipientResult(index, verdict, reply, "mail", untried) for index in indexes]
        usable = usable and self._has_mails_left
        self._events.append(TransactionFinished(transaction, results, usable, False, (), 0))

    def _finish(self, run: Run, now: float) -> None:
        """Report *run*, or have it repeated; be ready again, or closed."""
        self._needs_reset |= run.needs_reset
        self._run = None
        found = run.findings
        if found is not None and found.drops and not run.dead:
            self._repeat(run, found.drops, now)
            return
        if self._dropped and run.has_accepted:
            run.found.distrusts |= self._dropped  # it went better without
        self._report(run)
        if run.dead:
            self._end(_last_reply(run), now, is_told=True)

    def _repeat(self, run: Run, drops: frozenset[str], now: float) -> None:
        """Do once more what *run* was to do, without *drops*, which it has found to be refused."""
        self._count -= 1
        self._dropped |= drops
        self.extensions = without(self.extensions, drops)
        self._take(run.transaction, now)

    def _report(self, run: Run) -> None:
        results = [result for result in run.results if result is not None]
        usable = not run.dead and self._has_mails_left and not self._is_spent_for(results)
        finished = TransactionFinished(
            run.transaction, results, usable, run.extensions.dsn, tuple(run.timings), run.bytes_sent
        )
        finished.dialogue = run.dialogue
        if run.findings is not None:
            self._note(run.findings, finished)
        self._events.append(finished)

    def _note(self, findings: Findings, finished: TransactionFinished) -> None:
        """Tell *findings*, and go by them in this session."""
        finished.distrusts, finished.needs_tls = findings.distrusts, findings.needs_tls
        if findings.rcpt_max is not None:
            self.extensions = msgspec.structs.replace(self.extensions, rcpt_max=findings.rcpt_max)

    def _is_spent_for(self, results: list[RecipientResult]) -> bool:
        """Whether a session had better end because the peer will hear of no other client.

        Nothing was delivered in it: to be found of no use by the next message would speak against the peer.
        """
        if not self._told.has_told or self.extensions.xclient:
            return False
        return all(result.verdict != "delivered" for result in results)

    def _end(self, reply: Reply, now: float, *, is_told: bool = False, is_lost: bool = False) -> None:
        """The session is over because of *reply*: report what was under way, and close.

        *is_lost*: the peer has hung up, or fallen silent.
        """
        if self._run is not None:
            run, self._run = self._run, None
            run.note_time(now)
            run.fail(reply, is_lost=is_lost)
            self._report(run)
            is_told = True
        if self._held is not None:
            held, self._held = self._held, None
            self._refuse(held, reply, usable=False, untried=True)
            is_told = True
        if self._opening is not None:
            self._opening_ended(self._opening, reply, now)
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
