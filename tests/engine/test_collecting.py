"""Failures of one message are told together, and a stranger's other reports too."""

import asyncio
from collections.abc import Awaitable

import msgspec
import pytest

from angarium.config.load import parse_config
from angarium.core.records import ForwardPath, Recipient
from angarium.core.reply import Reply
from angarium.core.waiting import ACCOUNT_TENANT, account_of
from angarium.engine.reports.collector import Collector
from angarium.engine.reports.report import Report, build_report, is_collected, waits_for_report
from angarium.testing.programs import PATIENCE_S
from angarium.testing.spool import NOW, make_message

NEVER_S = 3600.0


def failure_of(message, index=0, action="failed"):
    recipient = Recipient(message, index, "default", "to.example")
    event = recipient.event("bounced", NOW, "bounced", reply=Reply(550, "5.1.1", "gone"))
    return Report(action, message, NOW, [(event, recipient)])


def mail_to(number, *, is_vouched=True):
    paths = tuple(ForwardPath(address=f"u{each}@to.example", domain="to.example") for each in range(number))
    return msgspec.structs.replace(make_message(), recipients=paths, is_vouched=is_vouched)


class Closed(list):
    """The reports that were closed, as the indexes they tell of."""

    def __init__(self):
        self._came = asyncio.Event()

    def __call__(self, report):
        self.append([recipient.index for _, recipient in report.items])
        self._came.set()

    async def come(self, number):
        while len(self) < number:
            self._came.clear()
            await self._came.wait()


def run(story: Awaitable[None]) -> None:
    asyncio.run(asyncio.wait_for(story, PATIENCE_S))


def test_what_fails_meanwhile_is_in_the_same_report():
    async def story():
        closed = Closed()
        collector = Collector(closed, (0.01,))
        message = mail_to(10)
        for index in (0, 3, 7):
            collector.add(failure_of(message, index))
        assert (closed, len(collector)) == ([], 1)
        await closed.come(1)
        assert (closed, len(collector)) == ([[0, 3, 7]], 0)

    run(story())


def test_with_the_last_recipient_it_is_closed_at_once():
    async def story():
        closed = Closed()
        collector = Collector(closed, (NEVER_S,))
        message = mail_to(3)
        for index in range(3):
            collector.add(failure_of(message, index))
        assert (closed, len(collector)) == ([[0, 1, 2]], 0)

    run(story())


def test_each_further_report_of_a_message_waits_longer():
    """A thousand recipients that fail one after another, as the one who made them up likes: a few reports."""

    async def story():
        closed = Closed()
        collector = Collector(closed, (0.0, NEVER_S))
        message, other = mail_to(1000), mail_to(2)
        collector.add(failure_of(message, 0))
        await closed.come(1)
        for index in range(1, 500):
            collector.add(failure_of(message, index))
        collector.add(failure_of(other))  # its first
        await closed.come(2)
        assert (closed, len(collector)) == ([[0], [0]], 1)

    run(story())


def test_who_waits_for_all_reports_has_them_closed():
    async def story():
        closed = Closed()
        collector = Collector(closed, (NEVER_S,))
        collector.add(failure_of(mail_to(2)))
        collector.add(failure_of(mail_to(2)))
        collector.close_all()
        assert (closed, len(collector)) == ([[0], [0]], 0)

    run(story())


def test_the_oldest_is_closed_when_very_many_are_open():
    async def story():
        closed = Closed()
        collector = Collector(closed, (NEVER_S,))
        for _ in range(5_001):
            collector.add(failure_of(mail_to(2)))
        assert (len(closed), len(collector)) == (1, 5_000)
        collector.close_all()

    run(story())


@pytest.mark.parametrize(
    ("action", "recipients", "is_vouched", "expected"),
    [
        ("failed", 1, True, False),
        ("failed", 2, True, True),
        ("failed", 2, False, True),
        ("delivered", 2, True, False),  # each crash before it is written delivers the mail twice
        ("delivered", 2, False, True),
        ("delayed", 2, False, True),
        ("delayed", 2, True, True),  # nothing waits for it
    ],
)
def test_who_is_told_together(action, recipients, is_vouched, expected):
    assert is_collected(action, mail_to(recipients, is_vouched=is_vouched)) is expected


def test_where_each_recipient_has_a_transaction_deliveries_are_told_together():
    """With return paths of their own; and no delivery is made again for it (`waits_for_report`)."""
    message = msgspec.structs.replace(mail_to(2, is_vouched=True), return_domain="bounces.example.com")
    assert is_collected("relayed", message)
    event = Recipient(message, 0, "default", "to.example").event("delivered", NOW, "delivered")
    assert not waits_for_report(event, "relayed", message)


def test_a_report_waits_in_the_account_that_has_caused_it():
    """Its bounds count it (`Account_Max_Queued_Recipients`), and it has its turn among that account's mail."""
    message = msgspec.structs.replace(
        mail_to(2), tenant=f"{ACCOUNT_TENANT}7", reverse_path="shop@example.com"
    )
    made, _ = build_report(failure_of(message), b"Subject: x\r\n\r\nx\r\n", parse_config(""))
    assert (account_of(made.tenant), made.account, made.return_domain) == (7, 0, "")


@pytest.mark.parametrize(
    ("action", "is_vouched", "expected"),
    [
        ("failed", True, True),
        ("failed", False, True),
        ("relayed", True, True),
        ("relayed", False, False),
    ],
)
def test_a_delivery_is_written_down_before_a_stranger_hears_of_it(action, is_vouched, expected):
    message = mail_to(2, is_vouched=is_vouched)
    event = Recipient(message, 0, "default", "to.example").event("delivered", NOW, "delivered")
    assert waits_for_report(event, action, message) is expected
