"""What every engine of the spool does. Written against the port only: another joins in the `engine` of conftest.py."""

import asyncio

import pytest

from angarium.core.records import Flow, FlowSummary, Origin
from angarium.spool.port import Selection, SpoolError
from angarium.spool.settings import SpoolSettings
from angarium.testing.spool import NOW, make_message

LATER = NOW + 1_000_000


def keys(recipients):
    return [r.key for r in recipients]


# -- acceptance and recovery


def test_an_accepted_message_is_there_after_a_restart_with_its_body(play):
    message = make_message("a.example", "b.example")

    async def day(spool):
        assert await spool.accept(message, b"Subject: x\r\n\r\nbody\r\n") is None
        assert spool.spool.body_now(message) == b"Subject: x\r\n\r\nbody\r\n"

    async def next_day(spool):
        assert keys(spool.recovered) == [(message.id, 0), (message.id, 1)]
        assert spool.recovered[0].message == message
        assert spool.report.messages == 1
        assert spool.report.recipients == 2
        assert await spool.body(message) == b"Subject: x\r\n\r\nbody\r\n"

    play(day, next_day, next_day)


def test_recipients_come_back_in_the_order_of_acceptance_in_the_state_of_their_last_event(play):
    messages = [make_message(f"d{n}.example") for n in range(5)]

    async def day(spool):
        for message in messages:
            (recipient,) = await spool.take(message, b"x")
            await spool.tell(recipient, "queued", due_at=LATER)
        await spool.tell(recipient, "held")

    async def next_day(spool):
        assert [r.message.id for r in spool.recovered] == [m.id for m in messages]
        assert [(r.seq, r.attempts, r.state, r.due_at) for r in spool.recovered[:4]] == [
            (1, 1, "queued", LATER)
        ] * 4
        assert (spool.recovered[4].state, spool.recovered[4].seq) == ("held", 2)

    play(day, next_day)


def test_a_finished_recipient_does_not_come_back_and_frees_the_body_with_the_last(play):
    message = make_message("a.example", "b.example")

    async def day(spool):
        first, second = await spool.take(message, b"body")
        await spool.tell(first, "delivered")
        assert spool.spool.body_now(message) == b"body"
        await spool.tell(second, "bounced")
        assert spool.spool.body_now(message) is None
        with pytest.raises(SpoolError):
            await spool.spool.load_body(message)

    async def next_day(spool):
        assert spool.recovered == []

    play(day, next_day)


def test_events_without_a_callback_ride_on_the_next_sync(play):
    message = make_message()

    async def day(spool):
        (recipient,) = await spool.take(message, b"x")
        spool.spool.record([recipient.event("delivered", NOW, "delivered")])
        await spool.accept(make_message("other.example"), b"y")

    async def next_day(spool):
        assert [r.domain for r in spool.recovered] == ["other.example"]

    play(day, next_day)


def test_callbacks_come_in_the_order_of_the_calls(play):
    async def day(spool):
        answers, done = [], asyncio.get_running_loop().create_future()
        message = make_message()
        for n in range(10):
            spool.spool.accept(make_message(), b"x" * n, lambda error, n=n: answers.append((n, error)))
        spool.spool.accept(message, b"", lambda error: done.set_result(error))
        assert await done is None
        assert answers == [(n, None) for n in range(10)]

    play(day)


def test_a_callback_that_raises_does_not_take_the_others_answers(play):
    async def day(spool):
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        spool.spool.accept(make_message(), b"x", lambda error: 1 / 0)
        assert await spool.accept(make_message(), b"y") is None

    play(day)


def test_a_large_body_is_kept_as_long_as_somebody_needs_it(play):
    message = make_message("a.example", "b.example", size=3000)

    async def day(spool):
        large = await spool.large(message, [b"a" * 1000, b"b" * 1000, b"c" * 1000])
        assert large.size == 3000
        first, second = await spool.take(message, large)
        await spool.tell(first, "delivered")
        await spool.settle(second)

    async def next_day(spool):
        (second,) = await spool.spool.page(next(iter(spool.spool.flows())), LATER, 1)
        assert await spool.body(message) == b"a" * 1000 + b"b" * 1000 + b"c" * 1000
        next_day.path = (await spool.spool.load_body(message)).path
        assert next_day.path.exists()
        await spool.tell(second, "delivered")
        assert await spool.spool.count(Selection()) == 0

    async def third_day(spool):
        assert spool.recovered == []
        assert not next_day.path.exists()

    play(day, next_day, third_day)


def test_a_discarded_large_body_leaves_nothing(play):
    async def day(spool):
        writer = spool.spool.large_body(make_message().id)
        await writer.write(b"x" * 5000)
        writer.discard()
        writer.discard()

    async def next_day(spool):
        assert spool.recovered == []

    play(day, next_day)


# -- mail to us


def test_feedback_is_kept_over_restarts_is_handed_to_nobody_and_goes_when_it_was_read(play):
    feedback = make_message("bounces.example", fate="feedback")
    waiting = Selection(message=feedback.id)

    async def day(spool):
        assert await spool.accept(feedback, b"Subject: failed\r\n\r\n", settled=True) is None

    async def next_day(spool):
        assert spool.recovered == []
        (flow,) = spool.spool.flows()
        assert spool.spool.flows()[flow] == FlowSummary(0, 1, None, feedback.received_at)
        assert await spool.spool.page(flow, LATER, 10) == []
        (recipient,) = await spool.spool.select(waiting, None, 10)
        assert (recipient.state, recipient.message) == ("held", feedback)
        assert await spool.body(feedback) == b"Subject: failed\r\n\r\n"

    async def read(spool):
        (recipient,) = await spool.spool.select(waiting, None, 10)
        await spool.tell(recipient, "delivered")

    async def last_day(spool):
        assert await spool.spool.count(Selection()) == 0

    play(day, next_day, next_day, read, last_day)


# -- settling


def test_settled_recipients_are_told_by_flow_and_not_recovered_into_memory(play):
    messages = [make_message("a.example", "b.example") for _ in range(3)]
    told = {}

    async def day(spool):
        spool.spool.on_flow(told.__setitem__)
        recipients = [r for m in messages for r in await spool.take(m, b"x")]
        await spool.settle(*recipients)
        assert told == dict(spool.spool.flows())

    async def next_day(spool):
        assert spool.recovered == []
        assert spool.report.settled_recipients == 6
        received = [m.received_at for m in messages]
        summary = FlowSummary(3, 0, min(received), min(received))
        assert dict(spool.spool.flows()) == {
            Flow("default", "a.example", 0, "tenant"): summary,
            Flow("default", "b.example", 0, "tenant"): summary,
        }
        assert await spool.body(messages[0]) == b"x"

    play(day, next_day)


def test_accepting_as_settled_goes_straight_to_the_store(play):
    message = make_message("a.example", "b.example")

    async def day(spool):
        flows = asyncio.Event()
        spool.spool.on_flow(lambda flow, summary: flows.set())
        assert await spool.accept(message, b"body", settled=True) is None
        await flows.wait()
        assert {f.domain: s.queued for f, s in spool.spool.flows().items()} == {
            "a.example": 1,
            "b.example": 1,
        }

    async def next_day(spool):
        assert spool.recovered == []
        assert await spool.spool.count(Selection()) == 2
        assert await spool.body(message) == b"body"

    play(day, next_day)


def test_a_page_takes_what_is_due_earliest_first_and_only_once(play):
    async def day(spool):
        recipients = [(await spool.take(make_message(), b"x"))[0] for _ in range(6)]
        for n, recipient in enumerate(recipients):
            await spool.tell(recipient, "queued", due_at=NOW + 100 - n)
        await spool.settle(*recipients)
        flow = recipients[0].flow
        assert await spool.spool.page(flow, NOW + 94, 10) == []
        first = await spool.spool.page(flow, NOW + 97, 2)
        assert [r.due_at for r in first] == [NOW + 95, NOW + 96]
        assert all(r.settled and r.attempts == 1 for r in first)
        assert spool.spool.flows()[flow][:3] == (4, 0, NOW + 97)
        second = await spool.spool.page(flow, NOW + 200, 10)
        assert [r.due_at for r in second] == [NOW + n for n in (97, 98, 99, 100)]
        assert flow not in spool.spool.flows()

    async def next_day(spool):
        assert spool.report.settled_recipients == 6

    play(day, next_day)


def test_what_was_paged_is_given_back_with_its_new_state(play):
    message = make_message()

    async def day(spool):
        (recipient,) = await spool.take(message, b"x")
        await spool.settle(recipient)
        (paged,) = await spool.spool.page(recipient.flow, LATER, 10)
        await spool.tell(paged, "queued", due_at=LATER + 5)
        await spool.settle(paged)
        assert spool.spool.flows()[recipient.flow].next_due == LATER + 5

    async def next_day(spool):
        (flow,) = spool.spool.flows()
        (paged,) = await spool.spool.page(flow, LATER + 5, 10)
        assert (paged.seq, paged.attempts, paged.due_at) == (1, 1, LATER + 5)
        await spool.tell(paged, "delivered")

    async def third_day(spool):
        assert spool.report.settled_recipients == 0
        assert not spool.spool.flows()

    play(day, next_day, third_day)


def test_a_paged_recipient_that_is_in_memory_at_the_end_is_queued_again_after_a_restart(play):
    async def day(spool):
        (recipient,) = await spool.take(make_message(), b"x")
        await spool.settle(recipient)
        (paged,) = await spool.spool.page(recipient.flow, LATER, 10)
        await spool.tell(paged, "queued", due_at=LATER + 7)

    async def next_day(spool):
        (summary,) = spool.spool.flows().values()
        assert summary[:3] == (1, 0, LATER + 7)

    play(day, next_day)


def test_an_operators_event_reaches_a_settled_recipient(play):
    async def day(spool):
        recipients = [(await spool.take(make_message(), b"x"))[0] for _ in range(3)]
        await spool.settle(*recipients)
        held, moved, ended = await spool.spool.select(Selection(), None, 10)
        await spool.record(
            held.event("held", NOW, "held"),
            moved.event("rebound", NOW, "queued", binding="other", domain="elsewhere.example"),
            ended.event("cancelled", NOW, "cancelled"),
        )
        assert await spool.spool.page(recipients[0].flow, LATER, 10) == []
        (paged,) = await spool.spool.page(Flow("other", "elsewhere.example", 0, "tenant"), LATER, 10)
        assert paged.key == moved.key

    async def next_day(spool):
        assert {(f.binding, f.domain): s[:2] for f, s in spool.spool.flows().items()} == {
            ("default", "to.example"): (0, 1),
            ("other", "elsewhere.example"): (1, 0),
        }

    play(day, next_day)


def test_a_page_never_returns_what_an_event_has_ended_meanwhile(play):
    async def day(spool):
        (recipient,) = await spool.take(make_message(), b"x")
        await spool.settle(recipient)
        (selected,) = await spool.spool.select(Selection(), None, 10)
        spool.spool.record([selected.event("cancelled", NOW, "cancelled")])
        assert await spool.spool.page(recipient.flow, LATER, 10) == []

    play(day)


def test_selection_and_count_by_domain_binding_message_and_state(play):
    async def day(spool):
        messages = [
            make_message("a.example", "b.example"),
            make_message("a.example", binding="two"),
            make_message("c.example"),
        ]
        recipients = [r for m in messages for r in await spool.take(m, b"x")]
        await spool.tell(recipients[3], "held")
        await spool.settle(*recipients)
        selections = {
            Selection(): recipients,
            Selection(domain="a.example"): [recipients[0], recipients[2]],
            Selection(binding="two"): [recipients[2]],
            Selection(message=messages[0].id): recipients[:2],
            Selection(message=messages[0].id, domain="b.example"): [recipients[1]],
            Selection(state="held"): [recipients[3]],
            Selection(state="queued", binding="default"): recipients[:2],
            Selection(domain="none.example"): [],
        }
        for selection, wanted in selections.items():
            assert keys(await spool.spool.select(selection, None, 100)) == sorted(keys(wanted))
            assert await spool.spool.count(selection) == len(wanted)

    play(day)


def test_a_look_at_a_flow_tells_what_is_due_and_of_the_others_their_last_events(play):
    async def day(spool):
        recipients = await spool.take(make_message(*["a.example"] * 6), b"body")
        now_due, first, second, third, held, leased = recipients
        for each, due_at in (
            (now_due, NOW),
            (first, NOW + 60),
            (second, NOW + 61),
            (third, NOW + 90),
            (leased, NOW),
        ):
            await spool.tell(each, "queued", due_at=due_at)
        await spool.tell(held, "held")
        flow = now_due.flow
        assert await spool.spool.look([flow], NOW + 5, 10) == {}
        await spool.settle(*recipients)
        [paged] = await spool.spool.page(flow, NOW, 1)
        look = (await spool.spool.look([flow, flow._replace(domain="b.example")], NOW + 5, 2))[flow]
        assert (look.due, look.last_due) == (1, NOW + 90)
        later = [(row.due_at, row.event.index) for row in look.later]
        assert later == [(NOW + 60, first.index), (NOW + 61, second.index)]
        assert [(row.event.type, row.event.index) for row in look.held] == [("held", held.index)]
        events = await spool.spool.last_events([paged.key, third.key, (paged.key[0], 99)])
        assert {key: event.type for key, event in events.items()} == {
            paged.key: "delayed",
            third.key: "delayed",
        }

    play(day)


def test_selecting_in_pieces_gives_each_row_once(play):
    async def day(spool):
        recipients = [
            r for _ in range(4) for r in await spool.take(make_message("a.example", "a.example", "b.example"))
        ]
        await spool.settle(*recipients)
        found, after = [], None
        while piece := await spool.spool.select(Selection(domain="a.example"), after, 3):
            found += keys(piece)
            after = found[-1]
        assert found == sorted(r.key for r in recipients if r.domain == "a.example")

    play(day)


def test_what_is_in_memory_is_neither_selected_nor_counted(play):
    async def day(spool):
        recipients = [(await spool.take(make_message(), b"x"))[0] for _ in range(3)]
        await spool.settle(*recipients)
        await spool.spool.page(recipients[0].flow, LATER, 1)
        assert await spool.spool.count(Selection()) == 2
        assert len(await spool.spool.select(Selection(), None, 10)) == 2

    play(day)


def test_history_is_kept_across_settling_and_restarts(play):
    message = make_message()

    async def day(spool):
        (recipient,) = await spool.take(message, b"x")
        await spool.tell(recipient, "queued", due_at=LATER)
        await spool.settle(recipient)
        for _ in range(60):  # more than the journal keeps
            (other,) = await spool.take(make_message("other.example"), b"y" * 8000)
            await spool.tell(other, "delivered")
        (paged,) = await spool.spool.page(recipient.flow, LATER, 1)
        await spool.tell(paged, "queued", due_at=LATER)
        known, events = await spool.spool.history(message.id)
        assert known == message
        assert [e.seq for e in events] == [1, 2]

    async def next_day(spool):
        known, events = await spool.spool.history(message.id)
        assert known == message
        assert [e.seq for e in events] == [1, 2]
        assert await spool.spool.history(make_message().id) == (None, [])

    play(day, next_day)


def test_flow_summaries_follow_every_change(play):
    """The summaries told are those that a count of what was done would give."""

    async def day(spool):
        told = {}
        spool.spool.on_flow(told.__setitem__)
        recipients = [r for _ in range(5) for r in await spool.take(make_message("a.example", "b.example"))]
        await spool.settle(*recipients)
        a, b = recipients[0].flow, recipients[1].flow
        assert (told[a][:2], told[b][:2]) == ((5, 0), (5, 0))
        paged = await spool.spool.page(a, LATER, 3)
        assert told[a][:2] == (2, 0)
        await spool.tell(paged[0], "delivered")
        await spool.tell(paged[1], "held")
        await spool.settle(*paged[1:])
        assert told[a][:2] == (3, 1)

    play(day)


def test_order_a_bounce_message_is_never_missing_when_its_cause_is_recorded(play):
    async def day(spool):
        (cause,) = await spool.take(make_message(), b"x")
        bounce = make_message("from.example", origin=Origin())
        spool.spool.accept(bounce, b"bounce", lambda error: None)
        await spool.tell(cause, "bounced")
        spool.spool.record([])

    async def next_day(spool):
        assert [r.domain for r in spool.recovered] == ["from.example"]

    play(day, next_day)


def test_status_says_what_is_held(play):
    async def day(spool):
        assert spool.spool.status().accepting is None
        (recipient,) = await spool.take(make_message(), b"x" * 100)
        assert spool.spool.status().resident_bodies_bytes == 100
        await spool.settle(recipient)
        status = spool.spool.status()
        assert (status.settled_recipients, status.unwell) == (1, "")
        await spool.spool.close()
        assert isinstance(await spool.accept(make_message(), b"x"), SpoolError)

    play(day)


# -- expiry


def test_all_that_is_due_to_expire_is_yielded_once_whatever_becomes_of_it(play):
    messages = [make_message() for _ in range(5)]

    async def day(spool):
        for message in messages:
            await spool.settle(*await spool.take(message))
        batches = [keys(rows) async for rows in spool.spool.due_to_expire(LATER, 2)]
        assert [len(batch) for batch in batches] == [2, 2, 1]
        assert [key for batch in batches for key in batch] == [(message.id, 0) for message in messages]
        assert [rows async for rows in spool.spool.due_to_expire(messages[0].received_at - 1, 2)] == []

    play(day, settings=SpoolSettings(min_free_bytes=0, expires_at=lambda each: each.message.received_at))


def test_nobody_is_handed_a_recipient_whose_end_is_still_to_be_recorded(play):
    async def day(spool):
        (recipient,) = await spool.take(make_message())
        await spool.settle(recipient)
        event = recipient.event("bounced", NOW, "bounced")
        spool.spool.expect([event])
        assert await spool.spool.page(recipient.flow, LATER, 1) == []
        assert await spool.spool.select(Selection(), None, 1) == []
        assert [rows async for rows in spool.spool.due_to_expire(LATER, 2)] == []
        assert await spool.record(event) is None
        assert await spool.spool.count(Selection()) == 0

    async def next_day(spool):
        assert (spool.recovered, dict(spool.spool.flows())) == ([], {})

    play(day, next_day, settings=SpoolSettings(min_free_bytes=0, expires_at=lambda each: 0.0))
