"""Mail that ends as soon as it comes into memory: taken only to be reported as failed, or for a sandbox."""

from collections.abc import Callable

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.records import Event, Fate, Recipient
from angarium.core.reply import Reply
from angarium.engine.turn import Turn
from angarium.queue.commands import WriteEvents

FAIL_NOTE = "taken only to be reported as failed"
SANDBOX_NOTE = "its server is a sandbox: nothing was sent"
SANDBOXED = Reply(250, "2.0.0", "[internal] delivered nowhere: a sandbox")


class Failing:
    """Between those by whom recipients come into memory (accepted, recovered, paged in) and who records what becomes
    of them and tells senders. Neither knows the other, for what senders are told enters as mail. Mail for a sandbox
    ends here as delivered, once it is known who of its recipients is suppressed.

    A crash between the acceptance and the events makes the next start do it.
    """

    def __init__(self, turn: Turn, clock: Clock, log: Log) -> None:
        self._turn = turn
        self._clock = clock
        self._log = log
        self._failing: list[Recipient] = []

    def taken_out(self, recipients: list[Recipient]) -> list[Recipient]:
        """Bounce those whose message is to fail at the end of this turn of the loop, and return the others."""
        return self._without(recipients, "fail")

    def sandboxed(self, recipients: list[Recipient]) -> list[Recipient]:
        """Have those whose message is for a sandbox delivered at the end of this turn of the loop, and return the
        others.
        """
        return self._without(recipients, "sandbox")

    def _without(self, recipients: list[Recipient], fate: Fate) -> list[Recipient]:
        ending = [each for each in recipients if each.message.fate == fate]
        if not ending:
            return recipients
        self._failing += ending
        self._turn.plan()
        return [each for each in recipients if each.message.fate != fate]

    def recorded_by(self, record: Callable[[WriteEvents], None]) -> None:
        """Have *record* take their last events from now on."""

        def at_end() -> None:
            if self._failing:
                self._end(record)

        self._turn.at_end(at_end)

    def _end(self, record: Callable[[WriteEvents], None]) -> None:
        failing, self._failing = self._failing, []
        now = self._clock.now()
        try:
            record(WriteEvents.of(failing, lambda each: _end_of(each, now)))
        except Exception as error:  # noqa: BLE001 - other mail waits for the end of this turn
            self._log.fault(now, error, messages=len(failing))


def _end_of(recipient: Recipient, now: float) -> Event:
    if recipient.message.fate == "sandbox":
        return recipient.event("delivered", now, "delivered", reply=SANDBOXED, note=SANDBOX_NOTE)
    return recipient.event("bounced", now, "bounced", reply=recipient.message.refusal, note=FAIL_NOTE)
