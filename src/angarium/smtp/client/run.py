"""One transaction from MAIL to the answer to the final dot, as the sending side.

    rset ─► mail ─► rcpt … ─► data ─► body ─► final          with DATA; `body` only while pieces are fed
    rset ─► mail ─► rcpt … ─► body ─► final                  with BDAT

With PIPELINING the commands of an envelope leave in one write and `stage` tells whose answer is next;
without, each leaves when the one before was answered. `rset` is there only when the transaction before left
something to undo.

A refusal that is not about the mail (see `refusals`) is not the last word. Parameters of MAIL that the peer does not
take are left out in a repeated run, in this session. Otherwise the recipients are left untried, so that they are tried
again at once: without what was refused, or because this session is used up, in a fresh one. A session that is lost is
judged as it is, so that its try counts; but what was outstanding in it is distrusted next time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from angarium.core.records import Stage
from angarium.core.reply import Reply
from angarium.smtp.client.dialogue import Said
from angarium.smtp.client.events import ClientSettings, RecipientResult, Transaction, Verdict
from angarium.smtp.client.stages import STAGES
from angarium.smtp.client.writer import ClientWriter
from angarium.smtp.envelope import mail_command, rcpt_command, recipient_refusal, said_in_mail
from angarium.smtp.extensions import Extensions
from angarium.smtp.refusals import (
    IN_VAIN,
    is_about_chunks,
    is_about_encryption,
    is_about_number,
    is_about_parameters,
    is_about_pipelining,
    is_about_session,
    names_number,
    speaks_of_pipelining,
    speaks_of_session,
    temporary,
)
from angarium.smtp.replies import shorten


@dataclass(slots=True)
class Findings:
    """What a run has shown of the peer besides what it says of the recipients.

    *drops* are extensions to repeat the run without, since nothing but their parameters was refused; what results it
    has are for a session that is over. *distrusts* are extensions that the next session had better not use.
    *rcpt_max* is how many recipients this one takes, None while that is not known. *needs_tls* is as in
    `TransactionFinished`.
    """

    drops: frozenset[str] = frozenset()
    distrusts: frozenset[str] = frozenset()
    rcpt_max: int | None = None
    needs_tls: bool = False


class Run:
    """The state of one transaction. Driven by `ClientMachine` only.

    *done*: every recipient has its result. *dead*: the session must not be used any more. *needs_reset*: the
    peer has an envelope of ours that a RSET has to clear. *is_resetting*: the answer that comes next is
    RSET's. *is_sent*: the end of the message has been given to the transport. *wants_body*: pieces are taken;
    *needs_body*: this has not been reported yet. *findings* is what was learnt of the peer on the way, None if nothing.
    """

    __slots__ = (
        "_accepted",
        "_answered",
        "_bdat",
        "_began",
        "_chunks",
        "_commands",
        "_is_clear",
        "_is_cut_short",
        "_is_first",
        "_lmtp",
        "_mail_ok",
        "_order",
        "_pipelined",
        "_refused",
        "_replies",
        "_was_reset",
        "_writer",
        "bytes_sent",
        "dead",
        "done",
        "extensions",
        "findings",
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
        is_clear: bool = False,
    ) -> None:
        """*is_first*: no transaction of the session was judged before. *is_clear*: it is in clear text although
        encryption would be welcome.
        """
        self.transaction = transaction
        self.results: list[RecipientResult | None] = [None] * len(transaction.recipients)
        self.stage: Stage = "mail"
        self.timings: list[tuple[Stage, float]] = []
        self.bytes_sent = 0
        self.done = self.dead = self.needs_reset = self.is_resetting = self.is_sent = False
        self.wants_body = self.needs_body = False
        self.findings: Findings | None = None
        self.extensions = extensions
        self._writer = writer
        self._is_first = is_first
        self._is_clear = is_clear
        self._lmtp = settings.method == "LMTP"
        self._pipelined = extensions.pipelining
        self._accepted: list[int] = []
        self._answered = 0
        self._chunks = 0
        self._mail_ok = False
        self._refused = False
        self._is_cut_short = False
        """The last that the peer has said is 421 to one recipient too many: it may be gone."""
        self._began = 0.0
        self._order = self._choose_recipients()
        # LMTP answers BDAT LAST once per accepted recipient, so it is simpler to count answers with DATA.
        # Pieces are sent by BDAT only where the next need not wait for the answer to the one before.
        self._bdat = extensions.chunking and not self._lmtp
        if transaction.body is None and not self._pipelined:
            self._bdat = False
        self._commands: list[str] = []
        self._replies: list[Reply] = []
        self._was_reset = False

    def _choose_recipients(self) -> list[int]:
        """Return who goes into the envelope; the others get one of our own results."""
        order: list[int] = []
        most = self.extensions.rcpt_max
        for index, path in enumerate(self.transaction.recipients):
            refusal = recipient_refusal(path, self.extensions)
            if refusal is not None:
                self._put(index, _verdict(refusal), refusal)
            elif most is not None and len(order) >= most:
                text = f"[internal] the peer takes {most} recipients at a time"
                self._put(index, "untried", Reply(452, "4.5.3", text))
            else:
                order.append(index)
        return order

    @property
    def found(self) -> Findings:
        """The findings, to add to."""
        if self.findings is None:
            self.findings = Findings()
        return self.findings

    @property
    def has_accepted(self) -> bool:
        """Whether the peer took a recipient."""
        return bool(self._accepted)

    @property
    def awaited(self) -> str:
        """What is waited for, in words."""
        return STAGES["rset" if self.is_resetting else self.stage].awaited

    # What is sent

    def begin(self, now: float, reset: bool, at_once_bytes: int) -> None:
        """Write as much of the envelope as the peer allows: all of it with PIPELINING (RFC 2920 §3.1), else the first
        command. With *reset*, after a RSET.
        """
        self._began = now
        transaction, extensions = self.transaction, self.extensions
        if not self._order:
            self.done = True
            return
        recipients = transaction.recipients
        commands = [mail_command(transaction, extensions)]
        commands += [rcpt_command(recipients[index], extensions) for index in self._order]
        if reset:
            commands.insert(0, "RSET\r\n")
            self.is_resetting = self._was_reset = True
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

    def dialogue(self, index: int) -> Said:
        """Return what was said of the recipient at that place, and of no other; nothing where nothing was. Of one that
        was refused the rest, with the answer that others got, is left out.
        """
        if index not in self._order:
            return []
        paths, replies = self.transaction.recipients, self._replies
        before = ["RSET"] * self._was_reset + [mail_command(self.transaction, self.extensions)]
        count = len(before) + len(self._order)
        own = len(before) + self._order.index(index)
        if self._pipelined or own <= len(replies):
            before.append(rcpt_command(paths[index], self.extensions))
        answers = [*replies[: count - len(self._order)], *replies[own : own + 1]]
        said = _interleaved(before, answers)
        if index not in self._accepted:
            return said
        return said + _interleaved(self._said_behind(), self._answered_behind(index, count))

    def _said_behind(self) -> list[str]:
        """Return what was said behind the envelope."""
        size = len(self.transaction.head) + self.transaction.body_size
        is_sent = self.is_sent or self.stage == "body"
        if self._bdat:
            return [f"BDAT [{size} bytes of message]"] * is_sent
        has_asked = self._pipelined or self.stage in ("data", "body", "final")
        return ["DATA"] * has_asked + [f"[{size} bytes of message]"] * is_sent

    def _answered_behind(self, index: int, count: int) -> list[Reply]:
        """Return the answers behind the *count* to the envelope; in LMTP, of those to the message this recipient's."""
        rest = self._replies[count:]
        if self._bdat:
            return rest[-1:]
        if self._lmtp and index in self._accepted:
            place = 1 + self._accepted.index(index)
            return [*rest[:1], *rest[place : place + 1]]
        return rest

    # What is answered

    def reply(self, reply: Reply, now: float) -> None:
        """Take the answer to the oldest command that has none."""
        stage = self.stage
        self._replies.append(reply)
        if reply.code == 421 and not self._has_more_to_say(reply):
            self.fail(shorten(reply), is_answer=True)
        elif self.is_resetting:
            self._on_rset(reply)
        else:
            self._is_cut_short = False  # the peer goes on
            _ON_REPLY[stage](self, reply)
        if self.done or self.stage is not stage:
            self.timings.append((stage, (now - self._began) * 1000))
            self._began = now

    def _has_more_to_say(self, reply: Reply) -> bool:
        """Whether a 421 may not be the last word: it is the answer to a message, or one recipient was too many, and the
        peer may yet take the message for the others.
        """
        if not self._accepted:
            return False
        return (self.stage == "final" and self._chunks == 0) or (self.stage == "rcpt" and names_number(reply))

    def _on_rset(self, reply: Reply) -> None:
        if 300 <= reply.code < 400:
            self._out_of_step(reply)
            return
        if reply.code >= 400 and not self.is_sent:
            self._leave(self._order, reply)
            return
        self.is_resetting = False
        if not self._pipelined:
            self.bytes_sent += self._writer.say(self._commands.pop())

    def _on_mail(self, reply: Reply) -> None:
        if reply.code >= 400:
            self._refused = True
            self._on_mail_refused(reply)
            self.done = self.dead or not self._pipelined
        elif reply.code >= 300:
            self._out_of_step(reply)
            return
        else:
            self._mail_ok = True
        self.stage = "rcpt"
        if not self._pipelined and not self.done:
            self.bytes_sent += self._writer.say(self._commands.pop())

    def _on_mail_refused(self, reply: Reply) -> None:
        if self._is_in_vain(reply):
            self._turn_back(self._order, reply)
        elif not self._is_first and is_about_session(reply):
            self._leave(self._order, reply)
        elif self._pipelined and is_about_pipelining(reply):
            self._distrust("PIPELINING", self._order, reply)
        elif is_about_parameters(reply) and (said := said_in_mail(self.transaction, self.extensions)):
            # 8BITMIME goes last: without it the message has to be converted
            self._drop(said - {"8BITMIME"} or said, reply)
        else:
            # If it was the session after all, the next message had better not meet the same.
            self.dead |= not self._is_first and reply.code < 500
            self._judge(self._order, reply)

    def _on_rcpt(self, reply: Reply) -> None:
        index = self._order[self._answered]
        self._answered += 1
        if not self._refused:
            if reply.code < 300:
                self._accepted.append(index)
            elif reply.code < 400:
                self._out_of_step(reply)
                return
            else:
                self._on_rcpt_refused(index, reply)
        if self._answered == len(self._order):
            self._answered = 0
            self._after_recipients()
        elif not self._pipelined:
            self.bytes_sent += self._writer.say(self._commands.pop())

    def _on_rcpt_refused(self, index: int, reply: Reply) -> None:
        path = self.transaction.recipients[index]
        if self._accepted and is_about_number(reply):
            self._put(index, "untried", shorten(reply))
            if names_number(reply):
                self.found.rcpt_max = len(self._accepted)
            if reply.code == 421:
                self._is_cut_short = self.dead = True
                self.found.distrusts |= {f"RCPTMAX={len(self._accepted)}"}
        elif self._is_in_vain(reply):
            self._turn_back((index,), reply)
        elif self._pipelined and is_about_pipelining(reply):
            self._distrust("PIPELINING", (index,), reply)
        elif not self._is_first and speaks_of_session(reply):
            self._put(index, "untried", shorten(reply))
            self.dead = True
        elif is_about_parameters(reply) and self.extensions.dsn and (path.notify or path.orcpt):
            self._distrust("DSN", (index,), reply)
        else:
            self._judge((index,), reply)

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
            self._on_data_refused(reply)
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

    def _on_data_refused(self, reply: Reply) -> None:
        if not self._accepted:
            return
        if self._is_in_vain(reply):
            self._turn_back(self._accepted, reply)
        elif self._pipelined and is_about_pipelining(reply):
            self._distrust("PIPELINING", self._accepted, reply)
        else:
            self._judge(self._accepted, reply)

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
            if self._is_about_chunk(reply):
                self._distrust("CHUNKING", self._accepted, reply)
            else:
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
        elif reply.code >= 400 and self._is_in_vain(reply):
            self._turn_back(self._accepted[self._answered :], reply)
            self.done = True
        elif self._lmtp:
            self._on_final_lmtp(reply)
        elif reply.code >= 400 and self._is_about_chunk(reply):
            # What we took for the message, such a peer may take for commands: nothing more is said to it.
            self._distrust("CHUNKING", self._accepted, reply)
            self.done = True
        else:
            if reply.code == 421:
                self._learn_from(reply)
            self._judge(self._accepted, reply)
            self.needs_reset = self._bdat and reply.code >= 400
            self.done = True

    def _on_final_lmtp(self, reply: Reply) -> None:
        """Take one of the answers to the final dot: one per accepted recipient, in order (RFC 2033 §4.2)."""
        self._judge((self._accepted[self._answered],), reply)
        self._answered += 1
        self.done = self._answered == len(self._accepted)

    # What a refusal is about, if not the mail

    def _is_in_vain(self, reply: Reply) -> bool:
        return self._is_clear and is_about_encryption(reply)

    def _is_about_chunk(self, reply: Reply) -> bool:
        return self._bdat and bool(self._accepted) and is_about_chunks(reply)

    def _turn_back(self, indexes: Sequence[int], reply: Reply) -> None:
        """Leave an address that is of no use in clear text; another may be. What has failed there is the encryption."""
        self.found.needs_tls = self.dead = True
        for index in indexes:
            self.results[index] = RecipientResult(
                index, "untried", shorten(temporary(reply, IN_VAIN)), "tls", True
            )

    def _drop(self, keywords: frozenset[str], reply: Reply) -> None:
        """Have the run repeated without *keywords*."""
        self.found.drops = keywords
        for index in self._order:
            self._put(index, "untried", shorten(reply), session_fault=True)

    def _leave(self, indexes: Sequence[int], reply: Reply) -> None:
        """Leave a session that is used up: *indexes* are for a fresh one."""
        self.done = self.dead = True
        self._put_untried(indexes, reply)

    def _distrust(self, keyword: str, indexes: Sequence[int], reply: Reply) -> None:
        """Leave the session when it is done: *indexes* are for a fresh one, which does without *keyword*."""
        self.found.distrusts |= {keyword}
        self.dead = True
        self._put_untried(indexes, reply)

    def _put_untried(self, indexes: Sequence[int], reply: Reply) -> None:
        for index in indexes:
            self._put(index, "untried", shorten(reply))

    # What it comes to

    def _put(self, index: int, verdict: Verdict, reply: Reply, session_fault: bool = False) -> None:
        self.results[index] = RecipientResult(index, verdict, reply, self.stage, session_fault)

    def _judge(self, indexes: Sequence[int], reply: Reply) -> None:
        """Give *indexes* what *reply* says of them."""
        reply = shorten(reply)
        is_session_fault = reply.code == 421
        self.dead |= is_session_fault
        verdict = _verdict(reply)
        for index in indexes:
            self._put(index, verdict, reply, is_session_fault)

    def _out_of_step(self, reply: Reply) -> None:
        """Give up a session whose answers do not fit the commands."""
        text = f"[internal] unexpected reply while waiting for {self.awaited}: {reply}"
        self.fail(shorten(Reply(421, "4.5.0", text)))

    def fail(self, reply: Reply, *, is_answer: bool = False, is_lost: bool = False) -> None:
        """End the transaction because the session is over, for the reason *reply*.

        A recipient that has a result keeps it. The others are untried if the peer has stopped because there were too
        many: the next session knows how many it takes. They are ambiguous if the end of the message was sent, unless
        the peer itself says in a reply that it stops (*is_answer*). They are untried if no answer of this transaction
        came and it was not the session's first: then the session was used up, or the peer had tired of waiting; had it
        been the first, calling it untried would mean trying for ever. Else transient. *is_lost*: the peer has hung up,
        or fallen silent.
        """
        verdict: Verdict = "transient"
        if self._is_cut_short:
            verdict = "untried"
        elif self.is_sent and not is_answer:
            verdict = "ambiguous"
        elif self.stage == "mail" and not self._is_first:
            verdict = "untried"
        if is_lost:
            self._doubt()
        if is_answer:
            self._learn_from(reply)
        for index in self._order:
            if self.results[index] is None:
                self._put(index, verdict, reply, session_fault=verdict != "untried")
        self.done = self.dead = True
        self.wants_body = False

    def _learn_from(self, reply: Reply) -> None:
        """Note what the session was ended for, if that is not the mail."""
        if self._is_in_vain(reply):
            self.found.needs_tls = True
        elif self._pipelined and speaks_of_pipelining(reply):
            self.found.distrusts |= {"PIPELINING"}
        elif self.stage in ("body", "final"):
            self._doubt()

    def _doubt(self) -> None:
        """Distrust what the peer may have failed at: the chunk that it has not answered, else the commands.

        Not in a session in which that has worked before, nor when the peer had refused something and then hung up.
        """
        if not self._is_first or any(self.results[index] is not None for index in self._order):
            return
        if self._bdat and (self.is_sent or self._chunks):
            self.found.distrusts |= {"CHUNKING"}
        elif self._pipelined and self.stage in ("mail", "rcpt", "data"):
            self.found.distrusts |= {"PIPELINING"}


def _interleaved(commands: Sequence[str], replies: Sequence[Reply]) -> Said:
    """Return each command with its answer, which the last may be without, and the answers beyond."""
    said: Said = []
    for place, command in enumerate(commands):
        said += [command, *replies[place : place + 1]]
    return said + list(replies[len(commands) :])


def _verdict(reply: Reply) -> Verdict:
    if reply.code < 400:
        return "delivered"
    return "transient" if reply.code < 500 else "permanent"


_ON_REPLY: dict[str, Callable[[Run, Reply], None]] = {
    "mail": Run._on_mail,
    "rcpt": Run._on_rcpt,
    "data": Run._on_data,
    "body": Run._on_body,
    "final": Run._on_final,
}
