"""One submission, from the moment it is handed in until its receipt is given."""

from collections.abc import Callable, Sequence
from functools import partial

from angarium.core.records import ForwardPath
from angarium.core.submission import OnReceipt, Problem, Receipt, Submission
from angarium.identity.principal import Principal
from angarium.submission.intake.quota import Reservation


class Arrival:
    """A submission that came *at* a time, in epoch seconds. *settled* is called when it is answered, once.

    *failing* are the problems for which it is taken only to be reported as failed. *reservation* is what was taken of
    its sender's quota, None for a sender without a login: settled with the receipt. *before_refusal* is called before
    the submission is refused, with what is to be called after it; None for nothing.
    """

    __slots__ = (
        "_answer",
        "_settled",
        "at",
        "before_refusal",
        "failing",
        "is_open",
        "reservation",
        "submission",
    )

    def __init__(
        self,
        submission: Submission[Principal],
        at: float,
        reservation: Reservation | None,
        answer: OnReceipt,
        settled: Callable[[], None],
    ) -> None:
        self.submission = submission
        self.at = at
        self.reservation = reservation
        self.failing: tuple[Problem, ...] = ()
        self.is_open = True
        self.before_refusal: Callable[[Callable[[], None]], object] | None = None
        self._answer = answer
        self._settled = settled

    @property
    def uncounted(self) -> Sequence[ForwardPath]:
        """The recipients that no door has looked at, nor taken anything of its sender's quota for."""
        if self.reservation is not None or self.submission.principal is None:
            return ()
        return self.submission.envelope.recipients

    def answer(self, receipt: Receipt) -> None:
        """Give the receipt, unless one was given."""
        if self.is_open:
            self.is_open = False
            try:
                if self.reservation is not None:
                    self.reservation.settle(bool(receipt.messages))
            finally:
                self._settled()
                if receipt.messages or self.before_refusal is None:
                    self._answer(receipt)
                else:
                    self.before_refusal(partial(self._answer, receipt))
