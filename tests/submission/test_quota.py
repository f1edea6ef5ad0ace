"""What a submission takes of its sender's quota: reserved recipient by recipient, settled once."""

import asyncio
from pathlib import Path
from typing import Any

from angarium.config.records import GlobalOptions
from angarium.core.submission import Problem, Reason
from angarium.core.waiting import WaitingCount
from angarium.identity.limits import Limits
from angarium.identity.principal import Principal
from angarium.identity.records import Account
from angarium.identity.usage.buckets import ALLOWED, Allowed, Bucket, Exceeded
from angarium.submission.intake.quota import Quota, Reservation
from angarium.testing.clock import ManualClock
from angarium.testing.intake import NOW, IntakeDesk, a_principal

LIMITED = a_principal("api_key", account=Account(7, "acme", NOW, limits=Limits(daily_quota=3)))


class Book:
    """A usage that writes down what it is told. Implements UsageCounter and WaitingMail."""

    def __init__(self, most: int = 3, waits: int = 0) -> None:
        self.entries: list[tuple[str, int, float]] = []
        self.most = most
        self.waits = waits

    def take_now(self, principal: Principal, count: int, now: float) -> Allowed | Exceeded:
        if sum(count for _, count, _ in self.entries) + count > self.most:
            return Exceeded(Bucket("account:7", 86_400, self.most, "account acme"), count, now + 60)
        self.entries.append(("take", count, now))
        return ALLOWED

    async def take(self, principal: Principal, count: int, now: float) -> Allowed | Exceeded:
        return self.take_now(principal, count, now)

    def give_back(self, principal: Principal, count: int, since: float) -> None:
        self.entries.append(("give", -count, since))

    def wait(self, account: int, recipients: int, size_bytes: int) -> None:
        self.waits += recipients

    def waiting(self, account: int) -> WaitingCount:
        return WaitingCount(self.waits, 0)


def reserved(book: Book, clock: ManualClock, principal: Principal = LIMITED, **node: Any) -> Reservation:
    return Quota(book, book, clock).reserve(principal, GlobalOptions(**node))


def test_what_is_given_back_goes_to_the_moment_it_was_taken_at_and_only_once() -> None:
    book, clock = Book(), ManualClock(NOW)
    reservation = reserved(book, clock)
    assert reservation.take_now(1) is ALLOWED
    clock.at += 86_400
    assert reservation.take_now(2) is ALLOWED
    reservation.settle(False)
    assert book.entries[2:] == [("give", -1, int(NOW)), ("give", -2, int(NOW + 86_400))]
    reservation.settle(False)
    assert len(book.entries) == 4


def test_what_was_accepted_stays_counted() -> None:
    book, clock = Book(), ManualClock(NOW)
    reservation = reserved(book, clock)
    assert reservation.take_now(2) is ALLOWED
    reservation.settle(True)
    reservation.settle(False)
    assert book.entries == [("take", 2, NOW)]


def test_of_too_many_nothing_is_taken_and_the_problem_says_until_when() -> None:
    book, clock = Book(most=3), ManualClock(NOW)
    reservation = reserved(book, clock)
    problem = reservation.take_now(4)
    assert isinstance(problem, Problem)
    assert (problem.reason, problem.limit, problem.found) == (Reason.QUOTA_TOO_SMALL, 3, 4)
    assert problem.facts["again_at"] == NOW + 60
    reservation.settle(False)
    assert book.entries == []


def test_the_accounts_queue_bounds_what_is_named_by_all_means_together(tmp_path: Path) -> None:
    """Recipients that an option adds find no more room than those of RCPT do."""

    async def story() -> None:
        desk = IntakeDesk(tmp_path, "Account_Max_Queued_Recipients = 3\n", usage=Book(99))
        text = (
            b'From: a@example.org\r\nX-MSYS-API: {"bcc": ["b@example.com", "c@example.com"%s]}\r\n\r\nx\r\n'
        )
        names = ["d@example.net"]
        fits = await desk.submit(text % b"", principal=LIMITED, recipients=names, is_counted=False)
        assert fits.reply.code == 250
        more = text % b', "e@example.com"'
        refused = await desk.submit(more, principal=LIMITED, recipients=names, is_counted=False)
        assert str(refused.reply).startswith("452 4.3.1 account acme has as many recipients queued as it may")
        assert refused.entered == []

    asyncio.run(story())


def test_for_a_sender_without_limits_nothing_is_counted() -> None:
    book, clock = Book(most=0), ManualClock(NOW)
    reservation = reserved(book, clock, a_principal())
    assert reservation.take_now(1000) is ALLOWED
    reservation.settle(False)
    assert book.entries == []
