"""The envelope of the message that a peer is about to send: its mail transaction (RFC 5321 §3.3)."""

from angarium.smtp.server.order import Phase, Rest

_ONWARD = frozenset(("sender", "recipients", "text", "chunks"))


class ServerTransaction:
    """How far the transaction has come, which is its *phase* (see `server.order`), and what was said for it.

    *smtputf8* is what MAIL said (RFC 6531). *tried* counts the recipients named, *recipients* those taken.
    """

    __slots__ = ("_rest", "phase", "recipients", "smtputf8", "tried")

    def __init__(self) -> None:
        self.phase: Phase = "start"
        self.smtputf8 = False
        self.recipients = self.tried = 0
        self._rest: Phase = "start"

    @property
    def is_open(self) -> bool:
        """Whether there is a sender."""
        return self.phase != self._rest

    def propose(self, smtputf8: bool) -> None:
        """A sender is named: it is the transaction's if MAIL is answered well."""
        self.smtputf8 = smtputf8
        self.recipients = self.tried = 0

    def try_recipient(self) -> None:
        """A recipient is named."""
        self.tried += 1
        if self.phase == "sender":
            self.phase = "nobody"

    def enter(self, phase: Phase | Rest) -> bool:
        """Go on, or back, to *phase*. Returns whether a transaction was open that is not any more."""
        if phase in _ONWARD:
            self.phase = phase  # type: ignore[assignment]
            if phase == "recipients":
                self.recipients += 1
            return False
        was_open = self.phase != self._rest
        if phase == "start" or phase == "ready":
            self._rest = phase
        self.phase = self._rest
        return was_open
