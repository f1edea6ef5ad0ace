"""The envelope of the message that a peer is about to send: its mail transaction (RFC 5321 §3.3)."""

from angarium.smtp.server.order import Phase, Rest


class ServerTransaction:
    """How far the transaction has come, which is its *phase* (see `server.order`), and what was said for it. The
    machine itself sets a phase that a command leads on to: a verb for that would cost each command a call.

    *smtputf8* is what MAIL said (RFC 6531): of the transaction if that was answered well. *recipients* counts those
    that were taken, *refused* the others.
    """

    __slots__ = ("_rest", "phase", "recipients", "refused", "smtputf8")

    def __init__(self) -> None:
        self.phase: Phase = "start"
        self.smtputf8 = False
        self.recipients = self.refused = 0
        self._rest: Phase = "start"

    @property
    def is_open(self) -> bool:
        """Whether there is a sender."""
        return self.phase != self._rest

    def refuse_recipient(self) -> None:
        """A recipient was named and not taken."""
        if self.is_open:
            self.refused += 1
        if self.phase == "sender":
            self.phase = "nobody"

    def end(self, back: Phase | Rest) -> bool:
        """Go back to a phase without a transaction. Returns whether one was open."""
        was_open = self.phase != self._rest
        if back != "rest":
            self._rest = back
        self.phase = self._rest
        self.recipients = self.refused = 0
        return was_open
