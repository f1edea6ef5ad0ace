"""What holds a message now, told beside what was recorded of it: by those who deliver, within a bounded time."""

import asyncio

import pytest

from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId
from angarium.core.operations import MessageHistory, Plan, RecipientRow
from angarium.core.reasons import HoldReason
from angarium.http.manage import waiting
from angarium.http.manage.waiting import waits_of

MESSAGE = MessageId(bytes(16))
LIMIT = HoldReason(
    kind="limit", option="Max_Outbound_Connections", limit="2", scope="google", where="x.conf:3"
)
ROWS = [
    RecipientRow(message="0" * 32, recipient="done@example.com", state="delivered"),
    RecipientRow(
        message="0" * 32,
        recipient="ann@example.com",
        attempts=2,
        held_by=LIMIT,
        next_try=1_796_000_000.0,
        expires_at=1_796_400_000.0,
        plan=Plan("MX", ["192.0.2.1:25"]),
    ),
]


def asked(answer, *, is_operator=True):
    async def asking(message):
        assert message == MESSAGE
        if isinstance(answer, Exception):
            raise answer
        return answer if answer is not None else await asyncio.get_running_loop().create_future()

    return asyncio.run(waits_of(asking, MESSAGE, is_operator=is_operator))


def test_who_waits_is_told_with_the_cause_and_what_comes_next():
    (wait,), problems = asked(MessageHistory(recipients=ROWS))
    assert problems == []
    assert (wait.address, wait.status, wait.kind, wait.attempts) == ("ann@example.com", "queued", "limit", 2)
    assert wait.why == "Max_Outbound_Connections 2 of google (x.conf:3)"
    assert (wait.next_try_at.isoformat(), wait.route) == ("2026-11-30T00:53:20+00:00", ["192.0.2.1:25"])
    assert wait.expires_at.isoformat() == "2026-12-04T16:00:00+00:00"


def test_an_account_is_not_told_of_the_nodes_files_and_addresses():
    (wait,), _ = asked(MessageHistory(recipients=ROWS), is_operator=False)
    assert (wait.why, wait.route) == ("Max_Outbound_Connections 2 of google", [])


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (MessageHistory(problems=["worker 1: no answer within 2 s"]), "worker 1: no answer within 2 s"),
        (AngariumError("it is gone"), "what holds it now is not known: it is gone"),
        (None, "what holds it now is not known: no answer within 0 s"),
    ],
)
def test_who_does_not_answer_is_told_of_and_not_waited_for(answer, problem, monkeypatch):
    monkeypatch.setattr(waiting, "PATIENCE_S", 0)
    assert asked(answer) == ([], [problem])
