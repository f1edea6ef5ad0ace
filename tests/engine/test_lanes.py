"""How many transactions begin in a turn of the event loop."""

import asyncio

import msgspec

from angarium.core.records import BULK, TRANSACTIONAL, Lane, QueueKey, Recipient
from angarium.engine.lanes import BULK_STARTS_A_TURN, BulkStarts
from angarium.queue.commands import Deliver
from angarium.testing.caller import a_message


def command_of(lane: Lane) -> Deliver:
    message = msgspec.structs.replace(a_message().message, lane=lane)
    return Deliver(1, QueueKey("default", "to.test"), [Recipient(message, 0, "default", "to.test")])


def turns_of(lanes: list[Lane]) -> list[list[Lane]]:
    """Hand over a command of each lane in one turn; return what began in that turn and in each of the next."""

    async def play() -> list[list[Lane]]:
        turns: list[list[Lane]] = [[]]
        starts = BulkStarts(lambda command: turns[-1].append(command.recipients[0].message.lane))
        for lane in lanes:
            starts.deliver(command_of(lane))
        while sum(map(len, turns)) < len(lanes):
            turns.append([])
            await asyncio.sleep(0)
        return turns

    return asyncio.run(play())


def test_bulk_begins_a_few_at_a_time_and_in_order() -> None:
    assert [len(turn) for turn in turns_of([BULK] * (2 * BULK_STARTS_A_TURN + 1))] == [
        BULK_STARTS_A_TURN,
        BULK_STARTS_A_TURN,
        1,
    ]


def test_transactional_mail_begins_at_once_however_much_bulk_waits() -> None:
    turns = turns_of([BULK] * 10 + [TRANSACTIONAL] * 10)
    assert turns[0].count(TRANSACTIONAL) == 10
