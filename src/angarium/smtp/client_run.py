"""One transaction from MAIL to the answer to the final dot, as the sending side.

    rset ─► mail ─► rcpt … ─► data ─► body ─► final          with DATA; `body` only while pieces are fed
    rset ─► mail ─► rcpt … ─► body ─► final                  with BDAT

With PIPELINING the commands of an envelope leave in one write and `stage` tells whose answer is next;
without, each leaves when the one before was answered. `rset` is there only when the transaction before left
something to undo.
"""

from collections.abc import Callable

from angarium.core.records import Stage
from angarium.core.reply import Reply
from angarium.smtp.client_events import AWAITED, ClientSettings, Result, Transaction, Verdict
from angarium.smtp.client_writer import ClientWriter
from angarium.smtp.envelope import mail_command, rcpt_command, recipient_refusal
from angarium.smtp.extensions import Extensions
from angarium.smtp.replies import shorten


class Run:
    """The state of one transaction. Driven by `ClientMachine` only.

    *done*: every recipient has its result. *dead*: the session must not be used any more. *needs_reset*: the
    peer has an envelope of ours that a RSET has to clear. *is_resetting*: the answer that comes next is
    RSET's. *is_sent*: the end of the message has been given to the transport. *wants_body*: pieces are taken;
    *needs_body*: nobody has been told so yet.
    """

    __slots__ = (
        "_accepted",
        "_answered",
        "_bdat",
        "_began",
        "_chunks",
        "_commands",
        "_extensions",
        "_is_first",
        "_lmtp",
        "_mail_ok",
        "_order",
        "_pipelined",
        "_refused",
        "_writer",
        "bytes_sent",
        "dead",
        "done",
        "is_resetting",
        "is_sent",
        "needs_body",
        "needs_reset",
        "results",
        "stage",
        "timings",
        "transaction",
        "wants_body",
    )

    def __init__(
        self,
        transaction: Transaction,
        settings: ClientSettings,
        extensions: Extensions,
        writer: ClientWriter,
        is_first: bool,
    ) -> None:
        self.transaction = transaction
        self.results: list[Result | None] = [None] * len(transaction.recipients)
        self.stage: Stage = "mail"
        self.timings: list[tuple[Stage, float]] = []
        self.bytes_sent = 0
        self.done = self.dead = self.needs_reset = self.is_resetting = self.is_sent = False
        self.wants_body = self.needs_body = False
        self._extensions = extensions
        self._writer = writer
        self._is_first = is_first
        self._lmtp = settings.method == "LMTP"
        self._pipelined = settings.use_pipelining and extensions.pipelining
        self._accepted: list[int] = []
        self._answered = 0
        self._chunks = 0
        self._mail_ok = False
        self._refused = False
        self._began = 0.0
        self._order = self._choose_recipients()
        # LMTP answers BDAT LAST once per accepted recipient, so it is simpler to count answers with DATA.
        # Pieces are sent by BDAT only where the next need not wait for the answer to the one before.
        self._bdat = settings.use_chunking and extensions.chunking and not self._lmtp
        if transaction.body is None and not self._pipelined:
            self._bdat = False
        self._commands: list[str] = []

    def _choose_recipients(self) -> list[int]:
        """Return who goes into the envelope; the others get a result of our own."""
        order: list[int] = []
        most = self._extensions.rcpt_max
        for index, path in enumerate(self.transaction.recipients):
            refusal = recipient_refusal(path, self._extensions)
            if refusal is not None:
                self._put(index, "permanent", refusal)
            elif most is not None and len(order) >= most:
                text = f"[internal] the peer takes {most} recipients at a time"
                self._put(index, "untried", Reply(452, "4.5.3", text))
            else:
                order.append(index)
        return order

    @property
    def awaited(self) -> str:
        """What is waited for, in words."""
        return AWAITED["rset" if self.is_resetting else self.stage]

    # What is sent

    def begin(self, now: float, reset: bool, at_once_bytes: int) -> None:
        """Write as much of the envelope as the peer allows. With *reset*, after a RSET."""
        self._began = now
        transaction, extensions = self.transaction, self._extensions
        if not self._order:
            self.done = True
            return
        recipients = transaction.recipients
        commands = [mail_command(transaction, extensions)]
        commands += [rcpt_command(recipients[index], extensions) for index in self._order]
        if reset:
            commands.insert(0, "RSET\r\n")
            self.is_resetting = True
        if not self._pipelined:
            commands.reverse()
            self._commands = commands
            self.bytes_sent += self._writer.say(commands.pop())
            return
        if not self._bdat:
            commands.append("DATA\r\n")
        self.bytes_sent += self._writer.say("".join(commands))
        if self._bdat and transaction.body is not None and transaction.body_size <= at_once_bytes:
            self._send_chunk(transaction.body)

    def _send_chunk(self, body: bytes) -> None:
        self.bytes_sent += self._writer.message_chunk(self.transaction.head, body)
        self._note_sent()

    def feed(self, piece: bytes, last: bool, now: float) -> bool:
        """Send a piece of the body; return whether another is wanted."""
        if not self.wants_body:
            return False
        size = self._writer.piece(piece, last)
        self.bytes_sent += size
        if last:
            self.note_time(now)
            self._note_sent()
            self.stage = "final"
        elif self._bdat and size:
            self._chunks += 1
        return not last

    def _note_sent(self) -> None:
        """The end of the message has been written."""
        self.wants_body = False
        self.is_sent = True

    def note_time(self, now: float) -> None:
        """The present stage ends."""
        self.timings.append((self.stage, (now - self._began) * 1000))
        self._began = now

    # What is answered

    def resume(self, now: float) -> None:
        """The transaction before has ended: time spent waiting counts from now on."""
        self._began = now

    def reply(self, reply: Reply, now: float) -> None:
        """Take the answer to the oldest command that has none."""
        stage = self.stage
        if reply.code == 421 and not (stage == "final" and self._accepted and self._chunks == 0):
            self.fail(shorten(reply), is_answer=True)
        elif self.is_resetting:
            self._on_rset(reply)
        else:
            _ON_REPLY[stage](self, reply)
        if self.done or self.stage is not stage:
            self.timings.append((stage, (now - self._began) * 1000))
            self._began = now

    def _on_rset(self, reply: Reply) -> None:
        if reply.code >= 300:
            self._out_of_step(reply)
            return
        self.is_resetting = False
        if not self._pipelined:
            self.bytes_sent += self._writer.say(self._commands.pop())

    def _on_mail(self, reply: Reply) -> None:
        if reply.code >= 400:
            self._judge(self._order, reply)
            self._refused = True
            if not self._pipelined:
                self.done = True
        elif reply.code >= 300:
            self._out_of_step(reply)
            return
        else:
            self._mail_ok = True
        self.stage = "rcpt"
        if not self._pipelined and not self.done:
            self.bytes_sent += self._writer.say(self._commands.pop())

    def _on_rcpt(self, reply: Reply) -> None:
        index = self._order[self._answered]
        self._answered += 1
        if not self._refused:
            if reply.code < 300:
                self._accepted.append(index)
            elif reply.code < 400:
                self._out_of_step(reply)
                return
            elif self._accepted and reply.code == 452 and reply.enhanced == "4.5.3":
                self._put(index, "untried", reply)  # too many recipients (RFC 5321 §4.5.3.1.10)
            else:
                self._judge((index,), reply)
        if self._answered == len(self._order):
            self._answered = 0
            self._after_recipients()
        elif not self._pipelined:
            self.bytes_sent += self._writer.say(self._commands.pop())

    def _after_recipients(self) -> None:
        if self.is_sent:
            self.stage = "final"
        elif self._pipelined and not self._bdat:
            self.stage = "data"
        elif not self._accepted:
            self._end_without_message()
        elif not self._bdat:
            self.bytes_sent += self._writer.say("DATA\r\n")
            self.stage = "data"
        elif self.transaction.body is not None:
            self._send_chunk(self.transaction.body)
            self.stage = "final"
        else:
            self._want_body()

    def _end_without_message(self) -> None:
        self.needs_reset = self._mail_ok
        self.done = True

    def _want_body(self) -> None:
        self.bytes_sent += self._writer.begin_pieces(self.transaction.head, self._bdat)
        self.stage = "body"
        self.wants_body = self.needs_body = True

    def _on_data(self, reply: Reply) -> None:
        if reply.code >= 400:
            self._judge(self._accepted, reply)
            self._end_without_message()
        elif reply.code < 300:
            self._out_of_step(reply)
        elif not self._accepted:
            self._on_go_ahead_for_nobody()
        elif self.transaction.body is not None:
            self.bytes_sent += self._writer.message(self.transaction.head, self.transaction.body)
            self._note_sent()
            self.stage = "final"
        else:
            self._want_body()

    def _on_go_ahead_for_nobody(self) -> None:
        """End the message that a peer wants although it refused every recipient (RFC 2920 §3.1).

        In LMTP the dot would be answered once per accepted recipient, so not at all: leave that session.
        """
        if self._lmtp:
            self.done = self.dead = True
            return
        self.bytes_sent += self._writer.say(".\r\n")
        self.stage = "final"

    def _on_body(self, reply: Reply) -> None:
        """Take an answer that came before the end of the message was sent."""
        if reply.code >= 400:
            self._judge(self._accepted, reply)
            self.done = self.dead = True
            self.wants_body = False
        elif self._chunks and reply.code < 300:
            self._chunks -= 1
        else:
            self._out_of_step(reply)

    def _on_final(self, reply: Reply) -> None:
        if self._chunks:
            self._on_body(reply)
        elif 300 <= reply.code < 400:
            self._out_of_step(reply)
        elif not self._accepted:
            self.needs_reset = self._bdat and self._mail_ok
            self.done = True
        elif self._lmtp:
            self._on_final_lmtp(reply)
        else:
            self._judge(self._accepted, reply)
            self.needs_reset = self._bdat and reply.code >= 400
            self.done = True

    def _on_final_lmtp(self, reply: Reply) -> None:
        """Take one of the answers to the final dot: one per accepted recipient, in order (RFC 2033 §4.2)."""
        self._judge((self._accepted[self._answered],), reply)
        self._answered += 1
        self.done = self._answered == len(self._accepted)

    # What it comes to

    def _put(self, index: int, verdict: Verdict, reply: Reply, session_fault: bool = False) -> None:
        self.results[index] = Result(index, verdict, reply, self.stage, session_fault)

    def _judge(self, indexes: list[int] | tuple[int, ...], reply: Reply) -> None:
        """Give *indexes* what *reply* says of them."""
        reply = shorten(reply)
        is_session_fault = reply.code == 421
        self.dead |= is_session_fault
        verdict: Verdict = "delivered"
        if reply.code >= 400:
            verdict = "transient" if reply.code < 500 else "permanent"
        for index in indexes:
            self._put(index, verdict, reply, is_session_fault)

    def _out_of_step(self, reply: Reply) -> None:
        """Give up a session whose answers do not fit the commands."""
        text = f"[internal] unexpected reply while waiting for {self.awaited}: {reply}"
        self.fail(shorten(Reply(421, "4.5.0", text)))

    def fail(self, reply: Reply, is_answer: bool = False) -> None:
        """End the transaction because the session is over, for the reason *reply*.

        Whoever has a result keeps it. The others are ambiguous if the end of the message was sent, unless the
        peer itself says in a reply that it stops (*is_answer*). They are untried if no answer of this
        transaction came and it was not the session's first: then the session was used up, or the peer had
        tired of waiting; had it been the first, calling it untried would mean trying for ever. Else
        transient.
        """
        verdict: Verdict = "transient"
        if self.is_sent and not is_answer:
            verdict = "ambiguous"
        elif self.stage == "mail" and not self._is_first:
            verdict = "untried"
        for index in self._order:
            if self.results[index] is None:
                self._put(index, verdict, reply, session_fault=True)
        self.done = self.dead = True
        self.wants_body = False


_ON_REPLY: dict[str, Callable[[Run, Reply], None]] = {
    "mail": Run._on_mail,
    "rcpt": Run._on_rcpt,
    "data": Run._on_data,
    "body": Run._on_body,
    "final": Run._on_final,
}
