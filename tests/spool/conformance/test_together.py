"""Messages that are accepted together or not at all, and contents that they share. Against the port only."""

import asyncio
from dataclasses import replace

import pytest

from angarium.core.records import Origin
from angarium.spool.port import Selection, SpoolError
from angarium.testing.spool import NOW, SMALL, make_content, make_message, recipients_of

LATER = NOW + 1_000_000
BODY = b"Subject: to all of you\r\n\r\nhello\r\n"


def naming(shared, *domains, **fields):
    return make_message(*domains, content=shared.content.id, size=shared.content.size, **fields)


def ids(recipients):
    return [r.message.id for r in recipients]


# -- together


def test_any_number_of_messages_is_accepted_with_one_answer_and_outlives_a_restart(play):
    messages = [make_message(f"d{n}.example") for n in range(50)]

    async def day(spool):
        assert await spool.accept_all(*[(m, m.id) for m in messages]) is None
        assert spool.spool.body_now(messages[7]) == messages[7].id

    async def next_day(spool):
        assert ids(spool.recovered) == [m.id for m in messages]
        for message in messages:
            assert await spool.body(message) == message.id

    play(day, next_day, next_day)


def test_a_group_that_the_rest_of_a_segment_has_no_room_for_goes_whole_into_the_next(play):
    groups = [[make_message() for _ in range(4)] for _ in range(9)]

    async def day(spool):
        answers = [
            asyncio.ensure_future(spool.accept_all(*[(m, b"x" * 1500) for m in some])) for some in groups
        ]
        assert await asyncio.gather(*answers) == [None] * 9

    async def next_day(spool):
        assert ids(spool.recovered) == [m.id for some in groups for m in some]

    play(day, next_day, settings=replace(SMALL, segment_bytes=16 << 10))


def test_what_does_not_fit_in_a_segment_is_refused_as_a_whole(play):
    large = make_message(size=3000)

    async def day(spool):
        body = await spool.large(large, [b"y" * 3000])
        many = [(make_message(), b"x" * 1000) for _ in range(40)]
        assert isinstance(await spool.accept_all((large, body), *many), SpoolError)
        assert await spool.accept(make_message("one.example"), b"x") is None

    async def next_day(spool):
        assert [r.domain for r in spool.recovered] == ["one.example"]
        with pytest.raises(SpoolError):
            await spool.spool.load_body(large)

    play(day, next_day)


def test_a_group_of_one_is_a_message_like_any(play):
    message = make_message()

    async def day(spool):
        assert await spool.accept_all((message, b"x")) is None

    async def next_day(spool):
        assert ids(spool.recovered) == [message.id]

    play(day, next_day)


def test_a_group_can_settle_straight_away(play):
    async def day(spool):
        messages = [(make_message("a.example"), b"x") for _ in range(3)]
        assert await spool.accept_all(*messages, settled=True) is None

    async def next_day(spool):
        assert spool.recovered == []
        assert await spool.spool.count(Selection()) == 3

    play(day, next_day)


def test_a_group_of_which_one_was_made_here_is_kept_like_it(play):
    async def day(spool):
        messages = [(make_message(), b"x"), (make_message(origin=Origin()), b"report")]
        assert await spool.accept_all(*messages) is None

    async def next_day(spool):
        assert len(spool.recovered) == 2

    play(day, next_day)


# -- contents


def test_messages_share_a_content_and_each_has_data_of_its_own(play):
    shared = make_content(BODY)
    messages = [naming(shared, f"d{n}.example") for n in range(3)]

    async def day(spool):
        assert await spool.accept_all(*[(m, m.id) for m in messages], content=shared) is None
        assert spool.spool.body_now(messages[2]) == BODY
        assert spool.spool.data_now(messages[1]) == messages[1].id
        await look(spool)

    async def look(spool):
        for message in messages:
            assert await spool.body(message) == BODY
            assert await spool.spool.load_data(message) == message.id

    async def next_day(spool):
        assert ids(spool.recovered) == [m.id for m in messages]
        assert spool.spool.body_now(messages[0]) is spool.spool.data_now(messages[0]) is None
        await look(spool)
        # others will ask for them soon
        assert (spool.spool.body_now(messages[0]), spool.spool.data_now(messages[0])) == (
            BODY,
            messages[0].id,
        )

    play(day, next_day, next_day)


def test_a_content_lives_as_long_as_a_message_names_it(play):
    shared = make_content(BODY)
    first, second = naming(shared, "a.example"), naming(shared, "b.example")

    async def day(spool):
        assert await spool.accept_all((first, b"1"), (second, b"2"), content=shared) is None
        await spool.tell(recipients_of(first)[0], "delivered")
        assert await spool.body(second) == BODY

    async def next_day(spool):
        assert ids(spool.recovered) == [second.id]
        assert await spool.body(second) == BODY
        await spool.tell(spool.recovered[0], "delivered")
        with pytest.raises(SpoolError):
            await spool.body(second)

    play(day, next_day)


def test_a_later_message_may_name_a_content_that_is_here_and_none_that_is_not(play):
    shared = make_content(BODY)
    first, later, too_late = (naming(shared) for _ in range(3))

    async def day(spool):
        assert isinstance(await spool.accept(first, b""), SpoolError)
        assert await spool.accept_all((first, b""), content=shared) is None
        assert await spool.accept(later, b"its own") is None
        await spool.tell(recipients_of(first)[0], "delivered")
        assert await spool.body(later) == BODY
        await spool.tell(recipients_of(later)[0], "delivered")
        assert isinstance(await spool.accept_all((too_late, b"")), SpoolError)

    async def next_day(spool):
        assert spool.recovered == []

    play(day, next_day)


def test_a_content_is_given_once(play):
    shared = make_content(BODY)
    first, again = naming(shared), naming(shared)

    async def day(spool):
        assert await spool.accept_all((first, b""), content=shared) is None
        with pytest.raises(ValueError, match="must be new"):
            await spool.accept_all((again, b""), content=shared)
        assert await spool.body(first) == BODY
        await spool.tell(recipients_of(first)[0], "delivered")
        with pytest.raises(ValueError, match="no message names"):
            await spool.accept_all((make_message(), b""), content=make_content(BODY))

    async def next_day(spool):
        assert spool.recovered == []

    play(day, next_day)


def test_a_content_settles_once_with_its_messages_and_goes_with_the_last(play):
    shared = make_content(BODY)
    messages = [naming(shared, "a.example") for _ in range(3)]

    async def day(spool):
        assert await spool.accept_all(*[(m, m.id) for m in messages], content=shared) is None
        recipients = [r for m in messages for r in recipients_of(m)]
        await spool.settle(recipients[0])
        await spool.settle(*recipients[1:])
        assert await spool.body(messages[0]) == BODY
        assert await spool.spool.load_data(messages[1]) == messages[1].id

    async def next_day(spool):
        assert spool.recovered == []
        (flow,) = spool.spool.flows()
        paged = await spool.spool.page(flow, LATER, 9)
        assert await spool.body(paged[0].message) == BODY
        for recipient in paged[:2]:
            await spool.tell(recipient, "delivered")
        assert await spool.body(paged[2].message) == BODY
        next_day.last = paged[2]

    async def third_day(spool):
        (flow,) = spool.spool.flows()
        (last,) = await spool.spool.page(flow, LATER, 9)
        assert await spool.body(last.message) == BODY
        await spool.tell(last, "delivered")
        assert await spool.spool.count(Selection()) == 0

    async def fourth_day(spool):
        with pytest.raises(SpoolError):
            await spool.body(messages[2])

    play(day, next_day, third_day, fourth_day)


def test_half_of_the_messages_settle_and_end_and_the_others_keep_the_content(play):
    shared = make_content(BODY)
    settled, live = naming(shared, "a.example"), naming(shared, "b.example")

    async def day(spool):
        assert await spool.accept_all((settled, b""), (live, b""), content=shared) is None
        await spool.settle(*recipients_of(settled))
        (recipient,) = await spool.spool.page(recipients_of(settled)[0].flow, LATER, 9)
        await spool.tell(recipient, "delivered")
        assert await spool.spool.count(Selection()) == 0
        assert await spool.body(live) == BODY

    async def next_day(spool):
        assert ids(spool.recovered) == [live.id]
        assert await spool.body(live) == BODY

    play(day, next_day, next_day)


def test_a_content_does_not_hold_the_journal_up(play):
    """Later messages name it while its segment is long to be used again: the store takes it."""
    shared = make_content(BODY * 100)
    small = replace(SMALL, segment_bytes=16 << 10, journal_segments=8, history_segments=0)

    async def day(spool):
        keeper = naming(shared)
        assert await spool.accept_all((keeper, b""), content=shared) is None
        for _ in range(30):
            follower = naming(shared)
            assert await spool.accept(follower, b"") is None
            await spool.tell(recipients_of(keeper)[0], "delivered")
            keeper = follower
            (noise,) = await spool.take(make_message(), b"x" * 6000)
            await spool.tell(noise, "delivered")
            await spool.spool.count(Selection())  # by then the store has what it was given
        assert spool.spool.status().segments <= 8
        assert await spool.body(keeper) == BODY * 100
        day.keeper = keeper

    async def next_day(spool):
        assert ids(spool.recovered) + ids(await spool.spool.select(Selection(), None, 9)) == [day.keeper.id]
        assert await spool.body(day.keeper) == BODY * 100

    play(day, next_day, next_day, settings=small)


def test_a_large_content_is_one_file_for_all_and_goes_with_the_last(play):
    shared = make_content(bytes(3000))
    first, second = naming(shared, "a.example"), naming(shared, "b.example")

    async def day(spool):
        large = await spool.large(shared.content, [b"a" * 1000, b"b" * 2000])
        assert (
            await spool.accept_all((first, b""), (second, b""), content=shared._replace(body=large)) is None
        )
        await spool.tell(recipients_of(first)[0], "delivered")
        assert await spool.body(second) == b"a" * 1000 + b"b" * 2000
        await spool.settle(*recipients_of(second))

    async def next_day(spool):
        (recipient,) = await spool.spool.page(next(iter(spool.spool.flows())), LATER, 1)
        assert await spool.body(second) == b"a" * 1000 + b"b" * 2000
        next_day.path = (await spool.spool.load_body(second)).path
        await spool.tell(recipient, "delivered")
        assert await spool.spool.count(Selection()) == 0

    async def third_day(spool):
        assert spool.recovered == []
        assert not next_day.path.exists()

    play(day, next_day, third_day)


def test_a_content_that_was_refused_leaves_nothing(play):
    shared = make_content(bytes(3000))

    async def day(spool):
        large = await spool.large(shared.content, [b"a" * 3000])
        day.path = large.path
        many = [(naming(shared), b"x" * 1000) for _ in range(40)]
        assert isinstance(await spool.accept_all(*many, content=shared._replace(body=large)), SpoolError)

    async def next_day(spool):
        assert not day.path.exists()

    play(day, next_day)
