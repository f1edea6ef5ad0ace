"""What endpoints hear, and when: the deliverer over a log in memory, under a virtual clock."""

from collections.abc import Awaitable, Callable
from email.utils import formatdate
from pathlib import Path
from random import Random

import pytest

from angarium.fetch.answer import HttpAnswer, Unanswered
from angarium.testing.log import text_of
from angarium.testing.virtual_loop import VirtualClock, run_virtually
from angarium.testing.webhook_lab import DAY_S, WebhookLab
from angarium.webhooks.records import LetterCounts

Story = Callable[[WebhookLab], Awaitable[None]]


@pytest.fixture
def play(quick_path: Path) -> Callable[[Story], None]:
    def play(story: Story) -> None:
        async def work(clock: VirtualClock) -> None:
            lab = WebhookLab(clock, quick_path)
            await story(lab)

        run_virtually(work)

    return play


def refused(status: int, **headers: str) -> HttpAnswer:
    return HttpAnswer(status, tuple(headers.items()), b"no", False, "192.0.2.1")


def test_what_happens_is_told_once_and_in_order(play: Callable[[Story], None]) -> None:
    async def story(lab: WebhookLab) -> None:
        lab.add(1)
        await lab.start()
        for number in range(300):
            lab.log.add("delivered", number % 7)
        await lab.rest()
        assert sorted(lab.numbers(1)) == list(range(1, 301))
        for message in range(7):
            of_message = [event.number for event in lab.heard[1] if int(event.message, 16) == message]
            assert of_message == sorted(of_message)

    play(story)


def test_a_webhook_is_told_of_what_it_wants_of_its_own_account(play: Callable[[Story], None]) -> None:
    async def story(lab: WebhookLab) -> None:
        lab.add(1, types=("bounced",))
        lab.add(2, server=2)
        lab.add(3, server=1, stream="broadcast")
        lab.add(4, account=2)
        lab.add(5)
        await lab.start()
        lab.log.add("delivered")
        lab.log.add("bounced")
        lab.log.add("bounced", server=2)
        lab.log.add("delivered", stream="broadcast")
        lab.log.add("delivered", account=2)
        lab.log.add("login_failed")
        await lab.rest()
        assert {id: sorted(lab.numbers(id)) for id in range(1, 6)} == {
            1: [2, 3], 2: [3], 3: [4], 4: [5], 5: [1, 2, 3, 4]
        }  # fmt: skip

    play(story)


def test_of_several_openings_the_first_is_told_where_only_that_is_wanted(
    play: Callable[[Story], None],
) -> None:
    async def story(lab: WebhookLab) -> None:
        lab.add(1, first_opens=True)
        lab.add(2)
        await lab.start()
        for _ in range(3):
            lab.log.add("open", 1)
        lab.log.add("open", 2)
        await lab.rest()
        assert sorted(lab.numbers(1)) == [1, 4]
        assert sorted(lab.numbers(2)) == [1, 2, 3, 4]

    play(story)


def test_what_was_before_a_webhook_is_not_told(play: Callable[[Story], None]) -> None:
    async def story(lab: WebhookLab) -> None:
        await lab.start()
        lab.log.add("delivered")
        await lab.rest(100)
        lab.add(1, created_at=lab.clock.now())
        lab.log.add("delivered")  # at once, before anybody has looked at the store
        await lab.rest()
        lab.log.add("delivered")
        await lab.rest()
        assert lab.numbers(1) == [2, 3]

    play(story)


def test_an_event_has_one_id_over_all_tries_and_no_other_has_it(play: Callable[[Story], None]) -> None:
    async def story(lab: WebhookLab) -> None:
        lab.add(1)
        lab.answers[1] = lambda asked: 500 if asked <= 3 else 200
        await lab.start()
        lab.log.add("delivered", 1)
        await lab.rest(600)
        assert len({id for _, id, _ in lab.tries}) == 1
        assert len(lab.tries) == 4
        lab.answers[1] = lambda asked: 200
        for kind in ("open", "click", "open", "click"):
            lab.log.add(kind, 1)  # within a second, of one message
        await lab.rest()
        assert len({event.id for event in lab.heard[1]}) == 5

    play(story)


def test_ids_stay_when_the_log_is_numbered_anew(play: Callable[[Story], None]) -> None:
    async def story(lab: WebhookLab) -> None:
        lab.add(1)
        await lab.start()
        lab.log.add("open", 1, sequence=77)
        lab.log.add("open", 1, sequence=78)
        await lab.rest()
        before = [event.id for event in lab.heard[1]]
        lab.log.happenings.clear()
        lab.heard[1].clear()
        lab.log.add("nothing", 5)
        for number in range(5):
            lab.log.add("delivered", 3 + number)
        lab.log.add("open", 1, sequence=78)
        lab.log.add("open", 1, sequence=77)
        await lab.rest()
        assert [event.id for event in lab.heard[1] if event.type == "open"] == before[::-1]

    play(story)


def test_what_fails_is_told_again_and_what_is_of_the_same_message_waits_for_it(
    play: Callable[[Story], None],
) -> None:
    async def story(lab: WebhookLab) -> None:
        lab.add(1, parallel=1)
        lab.answers[1] = lambda asked: 400 if asked in (1, 2) else 200
        await lab.start()
        lab.log.add("received", 1)
        lab.log.add("delivered", 1)
        lab.log.add("received", 2)
        lab.log.add("delivered", 2)
        await lab.rest(200)
        assert sorted(lab.numbers(1)) == [1, 2, 3, 4]
        assert lab.numbers(1).index(1) < lab.numbers(1).index(2)
        assert lab.numbers(1).index(3) < lab.numbers(1).index(4)
        assert lab.numbers(1)[:1] != [2]

    play(story)


def test_one_event_that_is_never_taken_holds_up_nothing_else_and_ends_as_a_dead_letter(
    play: Callable[[Story], None],
) -> None:
    async def story(lab: WebhookLab) -> None:
        lab.add(1)
        await lab.start()
        poison = lab.log.add("bounced", 66)
        lab.answers[1] = lambda asked: 422 if lab.tries[-1][1] == poison_id else 200
        poison_id = ""
        lab.answers[1] = lambda asked: 422
        await lab.rest(1)
        poison_id = lab.tries[0][1]
        lab.answers[1] = lambda asked: 422 if lab.tries[-1][1] == poison_id else 200
        for number in range(50):
            lab.log.add("delivered", number)
        await lab.rest(2)
        assert len(lab.heard[1]) == 50
        await lab.kill()
        await lab.start(look_s=600.0)
        await lab.rest(3 * DAY_S)
        (dead,) = lab.ledger.letters(1, "dead")
        assert (dead.numbers, dead.tries, dead.status, dead.answer) == ([poison.number], 6, 422, "")
        assert dead.error == "it answered 422"
        assert poison_id in text_of(lab.records)
        lab.answers[1] = lambda asked: 200
        assert lab.ledger.revive(1, [poison_id], lab.clock.now()) == 1
        await lab.kill()  # a connection of its own wakes the process; here it is started anew
        await lab.start()
        await lab.rest(1)
        assert lab.numbers(1)[-1] == poison.number
        assert lab.ledger.counts() == {}

    play(story)


def test_waits_between_tries_grow_by_the_table_and_have_full_jitter(play: Callable[[Story], None]) -> None:
    async def story(lab: WebhookLab) -> None:
        for id in range(1, 41):
            lab.add(id)
            lab.answers[id] = lambda asked: 422
        await lab.start()
        lab.log.add("delivered")
        await lab.rest(400)
        firsts: dict[int, list[float]] = {}
        for webhook, _, at in lab.tries:
            firsts.setdefault(webhook, []).append(at)
        waits = sorted(each[1] - each[0] for each in firsts.values())
        assert waits[0] < 2 < 8 < waits[-1] < 10.5  # from nothing to all of the first wait
        assert max(each[2] - each[1] for each in firsts.values() if len(each) > 2) > 30

    play(story)


def test_an_endpoint_that_is_down_is_left_alone_and_catches_up_after(play: Callable[[Story], None]) -> None:
    async def story(lab: WebhookLab) -> None:
        lab.add(1)
        lab.answers[1] = lambda asked: Unanswered("connect", "Connection refused")
        await lab.start(look_s=30.0)
        for number in range(500):
            lab.log.add("delivered", number)
        await lab.rest(3_600)
        assert lab.asked[1] < 40  # and not once for each event
        (row,) = lab.ledger.cursors().values()
        assert row.error == "Connection refused"
        assert row.failing_since is not None
        assert row.open_until is not None
        lab.answers[1] = lambda asked: 200
        await lab.rest(310)
        assert sorted(lab.numbers(1)) == list(range(1, 501))
        assert lab.ledger.counts().get(1, LetterCounts()) == LetterCounts()
        assert lab.ledger.cursors()[1].failing_since is None

    play(story)


def test_one_that_fails_for_days_is_switched_off_told_why_and_catches_up_when_it_is_on_again(
    play: Callable[[Story], None],
) -> None:
    async def story(lab: WebhookLab) -> None:
        lab.add(1)
        lab.answers[1] = lambda asked: 503
        await lab.start(look_s=30.0)
        lab.log.add("delivered", 1)
        await lab.rest(4.5 * DAY_S)
        assert lab.webhook(1).enabled
        await lab.rest(2 * DAY_S)
        assert not lab.webhook(1).enabled
        assert lab.webhook(1).off_reason == "nothing was taken for 5.0 days; the last time it answered 503"
        asked = lab.asked[1]
        lab.log.add("bounced", 2)
        await lab.rest(DAY_S)
        assert lab.asked[1] == asked
        lab.answers[1] = lambda asked: 200
        lab.change(1, enabled=True, off_reason="")
        await lab.rest(100)
        assert sorted(lab.numbers(1)) == [1, 2]

    play(story)


def test_one_that_is_gone_is_switched_off_at_once(play: Callable[[Story], None]) -> None:
    async def story(lab: WebhookLab) -> None:
        lab.add(1)
        lab.answers[1] = lambda asked: 410
        await lab.start()
        lab.log.add("delivered", 1)
        await lab.rest()
        assert lab.webhook(1).off_reason == "it answered 410: it is gone for good"

    play(story)


def test_a_redirect_is_a_failure_that_is_shown(play: Callable[[Story], None]) -> None:
    async def story(lab: WebhookLab) -> None:
        lab.add(1)
        lab.answers[1] = lambda asked: refused(301, location="https://elsewhere.test/")
        await lab.start()
        lab.log.add("delivered")
        await lab.rest()
        assert (
            lab.ledger.cursors()[1].error
        ) == "it answered 301 and sends elsewhere, where nobody goes: 'https://elsewhere.test/'"

    play(story)


@pytest.mark.parametrize("is_date", [False, True])
def test_an_endpoint_that_asks_for_time_gets_it(play: Callable[[Story], None], is_date: bool) -> None:
    async def story(lab: WebhookLab) -> None:
        wanted = formatdate(lab.clock.now() + 120.5, usegmt=True) if is_date else "120"
        lab.add(1)
        lab.answers[1] = lambda asked: refused(429, **{"retry-after": wanted}) if asked == 1 else 200
        await lab.start()
        lab.log.add("delivered", 1)
        lab.log.add("delivered", 2)
        await lab.rest(115)
        assert lab.asked[1] <= 2
        assert not lab.heard[1]
        await lab.rest(20)
        assert sorted(lab.numbers(1)) == [1, 2]

    play(story)


def test_no_more_requests_are_under_way_than_are_allowed(play: Callable[[Story], None]) -> None:
    async def story(lab: WebhookLab) -> None:
        lab.add(1, parallel=1)
        lab.add(2, parallel=6)
        lab.answers[1] = lab.answers[2] = lambda asked: 0.1
        await lab.start()
        for number in range(100):
            lab.log.add("delivered", number)
        await lab.rest(60)
        assert (lab.most_under_way[1], lab.most_under_way[2]) == (1, 6)
        assert lab.numbers(1) == list(range(1, 101))

    play(story)


def test_a_slow_one_and_a_dead_one_delay_nobody_else(play: Callable[[Story], None]) -> None:
    """A thousand endpoints of as many accounts, a tenth slow, a tenth dead: of the healthy ones 99 of 100 events are
    heard within two seconds.
    """

    async def story(lab: WebhookLab) -> None:
        chance = Random(5)
        for id in range(1_000):
            lab.add(id + 1, account=id + 1)
            if id % 10 == 0:
                lab.answers[id + 1] = lambda asked: 10.0
            elif id % 10 == 1:
                lab.answers[id + 1] = lambda asked: Unanswered("connect", "Connection refused")
            else:
                lab.answers[id + 1] = lambda asked: chance.uniform(0.02, 0.2)
        await lab.start()
        for number in range(3_000):
            lab.log.add("delivered", number, account=chance.randrange(1_000) + 1)
            await lab.rest(0.01)
        await lab.rest(20)
        waits = sorted(
            heard_at - event.at
            for id in range(1_000)
            if id % 10 > 1
            for event, heard_at in zip(lab.heard[id + 1], lab.heard_at[id + 1], strict=True)
        )
        wanted = [each for each in lab.log.happenings if (each.account - 1) % 10 > 1]
        assert len(waits) == len(wanted)
        assert waits[len(waits) * 99 // 100] < 2.0

    play(story)


def test_many_endpoints_that_take_nothing_hold_little_in_memory(play: Callable[[Story], None]) -> None:
    async def story(lab: WebhookLab) -> None:
        for id in range(1, 101):
            lab.add(id)
            lab.answers[id] = lambda asked: 500
        await lab.start()
        for number in range(2_000):
            lab.log.add("delivered", number)
        await lab.rest(200)
        waiting = [served.endpoint.waiting + served.endpoint.parked for served in lab.deliverer.served]
        assert max(waiting) < 20
        assert all(not served.endpoint.is_live for served in lab.deliverer.served)

    play(story)


def test_killed_at_random_every_event_is_heard_and_of_a_kill_at_most_one_twice(
    play: Callable[[Story], None],
) -> None:
    async def story(lab: WebhookLab) -> None:
        chance = Random(11)
        lab.add(1, parallel=1)
        lab.answers[1] = lambda asked: 500 if chance.random() < 0.05 else chance.uniform(0.01, 0.3)
        kills = 60
        await lab.start()
        for _ in range(kills):
            for _ in range(chance.randrange(30)):
                lab.log.add("delivered", chance.randrange(1_000))
                await lab.rest(chance.uniform(0.0, 0.1))
            await lab.kill()
            await lab.start()
        await lab.kill()
        await lab.start(look_s=10.0)
        await lab.rest(4_000)
        assert set(lab.numbers(1)) == {each.number for each in lab.log.happenings}
        assert len(lab.numbers(1)) - len(set(lab.numbers(1))) <= kills

    play(story)


def test_killed_with_several_under_way_each_of_them_at_most_is_heard_twice(
    play: Callable[[Story], None],
) -> None:
    async def story(lab: WebhookLab) -> None:
        chance = Random(12)
        lab.add(1, parallel=8)
        lab.answers[1] = lambda asked: 503 if chance.random() < 0.02 else chance.uniform(0.01, 0.3)
        twice = 0
        await lab.start()
        for _ in range(40):
            for _ in range(100):
                lab.log.add("delivered", chance.randrange(500))
                await lab.rest(chance.uniform(0.0, 0.02))
            twice += lab.under_way[1]
            await lab.kill()
            await lab.start()
        await lab.kill()
        await lab.start(look_s=10.0)
        await lab.rest(4_000)
        assert set(lab.numbers(1)) == {each.number for each in lab.log.happenings}
        assert len(lab.numbers(1)) - len(set(lab.numbers(1))) <= twice

    play(story)


def test_after_a_power_cut_what_had_not_reached_the_disk_is_told_again(play: Callable[[Story], None]) -> None:
    """The last events may have other numbers then: nothing that came with one of these is taken for told."""

    async def story(lab: WebhookLab) -> None:
        lab.add(1)
        await lab.start()
        for number in range(10):
            lab.log.add("delivered", number)
        await lab.rest(120)
        for number in range(10, 20):
            lab.log.add("delivered", number)
        await lab.rest(5)
        await lab.kill()
        del lab.log.happenings[10:]
        # they were never synced, and are read again from the journals, in another order
        for number in (25, *range(19, 9, -1)):
            lab.log.add("delivered", number)
        lab.heard[1].clear()
        lab.boot = "boot 2"
        await lab.start()
        await lab.rest(5)
        assert {int(event.message, 16) for event in lab.heard[1]} == {25, *range(10, 20)}

    play(story)


def test_what_is_in_the_log_is_read_on_where_a_restart_left_it(play: Callable[[Story], None]) -> None:
    async def story(lab: WebhookLab) -> None:
        lab.add(1, types=("bounced",))
        lab.add(2, account=2)
        await lab.start()
        lab.log.add("bounced")
        await lab.rest()
        for _ in range(5):
            lab.log.add("delivered")
        await lab.rest()
        await lab.kill()
        lab.log.add("bounced")
        lab.log.add("delivered", account=2)
        await lab.start()
        await lab.rest()
        assert (lab.numbers(1), lab.numbers(2)) == ([1, 7], [8])

    play(story)


def test_a_window_of_the_past_is_told_again(play: Callable[[Story], None]) -> None:
    async def story(lab: WebhookLab) -> None:
        lab.add(1, types=("delivered",))
        await lab.start()
        for number in range(600):
            lab.log.add("delivered" if number % 2 else "received", number)
            await lab.rest(1)
        await lab.rest()
        assert len(lab.heard[1]) == 300
        lab.heard[1].clear()
        begin = lab.log.happenings[0].at
        lab.ledger.add_replay(1, begin + 100, begin + 500, (0, lab.log.last()), lab.clock.now())
        await lab.rest(60)
        assert sorted(lab.numbers(1)) == [number for number in range(101, 501) if number % 2 == 0]
        (replay,) = lab.ledger.replays(1, done=True)
        assert (replay.found, replay.done_at is not None) == (200, True)
        await lab.rest(60)
        assert len(lab.numbers(1)) == 200

    play(story)


def test_what_waits_and_is_not_kept_any_more_is_given_up_with_the_reason(
    play: Callable[[Story], None],
) -> None:
    async def story(lab: WebhookLab) -> None:
        lab.add(1)
        lab.answers[1] = lambda asked: 422
        await lab.start()
        lab.log.add("delivered")
        await lab.rest(1)
        await lab.kill()
        lab.log.happenings.clear()
        lab.log.add("delivered", 9, number=50)
        lab.answers[1] = lambda asked: 200
        await lab.start()
        await lab.rest(20)
        (dead,) = lab.ledger.letters(1, "dead")
        assert dead.error == "what it tells of is not kept any more"
        assert lab.numbers(1) == [50]

    play(story)


def test_a_webhook_that_is_deleted_hears_nothing_more_and_its_letters_are_forgotten(
    play: Callable[[Story], None],
) -> None:
    async def story(lab: WebhookLab) -> None:
        lab.add(1)
        lab.answers[1] = lambda asked: 422
        await lab.start(look_s=30.0)
        lab.log.add("delivered")
        await lab.rest(60)
        lab.remove(1)
        await lab.rest(60)
        asked = lab.asked[1]
        await lab.rest(2 * 3_600)
        assert lab.asked[1] == asked
        assert lab.ledger.counts() == {}

    play(story)
