"""Mail that was taken only to be reported as failed: it ends as soon as it comes into memory."""

from collections.abc import Callable

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.records import Recipient
from angarium.engine.turn import Turn
from angarium.queue.commands import WriteEvents

FAIL_NOTE = "taken only to be reported as failed"


class Failing:
    """Between those by whom recipients come into memory (accepted, recovered, paged in) and who records what becomes
    of them and tells senders. Neither knows the other, for what senders are told enters as mail.

    A crash between the acceptance and the events makes the next start do it.
    """

    def __init__(self, turn: Turn, clock: Clock, log: Log) -> None:
        self._turn = turn
        self._clock = clock
        self._log = log
        self._failing: list[Recipient] = []

    def taken_out(self, recipients: list[Recipient]) -> list[Recipient]:
        """Bounce those whose message is to fail at the end of this turn of the loop, and return the others."""
        failing = [each for each in recipients if each.message.fate == "fail"]
        if not failing:
            return recipients
        self._failing += failing
        self._turn.plan()
        return [each for each in recipients if each.message.fate != "fail"]

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
            record(
                WriteEvents.of(
                    failing,
                    lambda each: each.event(
                        "bounced", now, "bounced", reply=each.message.refusal, note=FAIL_NOTE
                    ),
                )
            )
        except Exception as error:  # noqa: BLE001 - other mail waits for the end of this turn
            self._log.fault(now, error, messages=len(failing))
