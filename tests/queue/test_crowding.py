"""An address that takes only so many sessions gets so many, for all domains together, and no silence."""

from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from angarium.core.reply import Reply
from angarium.queue.crowding import says_too_many
from angarium.spool.port import Selection
from angarium.testing.simulation import TOO_MANY, SimulatedPeer, Simulation, plan_to

Simulate = Callable[..., Simulation]
LATER = Reply(451, "4.3.2", "try again later")
CLOSING = Reply(421, "4.3.2", "service not available")
HANG_UP = Reply(421, "4.4.2", "[internal] connection lost while waiting for the banner")
NO = Reply(554, "5.7.1", "no more from you")


def one_address(simulate: Simulate, text: str = "", *, sites: str = "same", **kwargs: object) -> Simulation:
    """All domains lead to the address `mx`; with *sites* "own" each under another name."""
    sim = simulate(
        text,
        route=lambda queue, now: plan_to(
            [["mx"]], now=now, site="" if sites == "same" else f"{queue.domain} site"
        ),
        **kwargs,
    )
    sim.peers["mx"] = SimulatedPeer(takes=3, transaction_s=0.2)
    return sim


def domains(count: int) -> Iterable[str]:
    return (f"d{number}.example" for number in range(count))


@pytest.mark.parametrize("sites", ["same", "own"])
@pytest.mark.parametrize(
    ("word", "lets_in"),
    [(word, False) for word in (TOO_MANY, LATER, CLOSING, HANG_UP, NO)]
    + [(word, True) for word in (TOO_MANY, CLOSING, HANG_UP)],
    ids=lambda value: str(value) if isinstance(value, Reply) else "to MAIL" if value else "as banner",
)
def test_twenty_domains_are_served_as_fast_as_three_sessions_can(
    simulate: Simulate, word: Reply, lets_in: bool, sites: str
) -> None:
    sim = one_address(simulate, sites=sites)
    peer = sim.peers["mx"]
    peer.too_many, peer.lets_in = word, lets_in
    for domain in domains(20):
        sim.send(domain, count=4)
    sim.run(80 * 0.2 / 3 + 1.0)
    assert sim.states() == {"delivered": 80}
    assert {event.type for event in sim.events} == {"delivered"}
    assert len(sim.refused) <= 25


@pytest.mark.parametrize("word", [LATER, CLOSING, HANG_UP], ids=str)
def test_a_host_that_counts_a_session_for_a_moment_longer_has_not_failed(
    simulate: Simulate, word: Reply
) -> None:
    sim = one_address(simulate, sites="own")
    peer = sim.peers["mx"]
    peer.takes, peer.too_many, peer.late_s = 1, word, 0.3
    for domain in domains(20):
        sim.send(domain, count=2)
    sim.run(60)
    assert sim.states() == {"delivered": 40}
    assert {event.type for event in sim.events} == {"delivered"}


@pytest.mark.slow
def test_a_long_backlog_is_not_an_occasion_to_knock_all_the_time(simulate: Simulate) -> None:
    sim = one_address(simulate)
    for domain in domains(20):
        sim.send(domain, count=2700)
    sim.run(3600)
    assert sim.states()["delivered"] >= 0.98 * 3 * 3600 / 0.2
    assert len([at for at, _, _ in sim.refused if at > sim.now - 1800]) <= 4


def test_what_ends_leaves_its_place_to_the_next_at_once(simulate: Simulate) -> None:
    """The busy one, too: a domain with much mail does not keep the others from the three sessions."""
    sim = one_address(simulate, sites="own")
    sim.send("big.example", count=500)
    sim.run(20)
    for domain in domains(5):
        sim.send(domain)
    sim.run(5)
    assert {recipient.state for recipient in sim.sent.values() if recipient.domain != "big.example"} == {
        "delivered"
    }


def test_the_number_grows_when_the_peer_takes_more(simulate: Simulate) -> None:
    sim = one_address(simulate)
    for domain in domains(20):
        sim.send(domain, count=1000)
    sim.run(60)
    assert sim.peers["mx"].taken == 3
    sim.peers["mx"].takes = 8
    sim.run(150)
    assert sim.peers["mx"].taken == 8


def test_it_shrinks_with_the_peer(simulate: Simulate) -> None:
    sim = one_address(simulate, "Max_Deliveries_Per_Connection = 5")
    for domain in domains(20):
        sim.send(domain, count=100)
    sim.run(20)
    sim.peers["mx"].takes = 1
    sim.run(30)
    assert sim.peers["mx"].taken == 1
    before = sim.states()["delivered"]
    sim.run(60)
    assert sim.states()["delivered"] - before >= 0.9 * 60 / 0.25


def test_the_operator_is_told_what_the_peer_said(simulate: Simulate) -> None:
    sim = one_address(simulate)
    for domain in domains(20):
        sim.send(domain, count=40)
    sim.run(5)
    holds = {str(row.hold).partition("; ")[0] for row in sim.scheduler.status(sim.now) if not row.connections}
    assert holds == {"mx:25 takes no more than 3 sessions: 421 4.7.0 too many connections from your address"}


def test_another_host_is_used_beside_the_one_that_is_full(simulate: Simulate) -> None:
    sim = simulate(route=lambda queue, now: plan_to([["mx"], ["backup"]], now=now))
    sim.peers["mx"] = SimulatedPeer(takes=2, transaction_s=1.0)
    sim.peers["backup"] = SimulatedPeer(transaction_s=1.0)
    for domain in domains(10):
        sim.send(domain)
    sim.run(3)
    assert sim.states() == {"delivered": 10}
    hosts = Counter(delivery.address.host for delivery in sim.deliveries)
    assert hosts["mx"] >= 2
    assert hosts["backup"] >= 5


def test_each_binding_learns_for_itself(simulate: Simulate) -> None:
    """They come from other addresses: what is too many from one is not from another."""
    sim = one_address(simulate, "Binding a { }\nBinding b { }")
    for domain in domains(20):
        sim.send(domain, count=40, binding="a")
    sim.run(5)
    sim.peers["mx"].takes = 1000
    for domain in domains(20):
        sim.send(domain, binding="b")
    sim.run(0.5)
    assert len([1 for delivery in sim.deliveries if delivery.queue.binding == "b"]) == 20


def test_who_has_no_session_there_asks_again_shortly(simulate: Simulate) -> None:
    """Others have them all: other workers, or other senders behind the same address."""
    sim = one_address(simulate)
    sim.peers["mx"].takes = 0
    (recipient,) = sim.send("x.example")
    sim.run(10)
    assert (recipient.state, recipient.attempts) == ("queued", 0)
    assert "mx:25 takes no session for now: 421 4.7.0 too many" in str(sim.scheduler.status(sim.now)[0].hold)
    assert 3 <= len(sim.opened) <= 6
    sim.peers["mx"].takes = 1
    sim.run(10)
    assert (recipient.state, recipient.attempts) == ("delivered", 1)


def test_if_that_does_not_help_it_is_a_failure_like_any_other(simulate: Simulate) -> None:
    sim = one_address(simulate)
    sim.peers["mx"].takes = 0
    recipients = [sim.send(domain)[0] for domain in domains(5)]
    sim.run(200)
    assert [recipient.attempts for recipient in recipients] == [1] * 5
    assert len(sim.opened) <= 15
    for _ in range(10):
        sim.send("late.example")
        sim.run(60)
    assert len(sim.opened) <= 20
    assert {recipient.state for recipient in sim.sent.values()} == {"queued"}
    assert all(recipient.attempts for recipient in list(sim.sent.values())[:-3])


def test_words_that_do_not_speak_of_sessions_are_a_failure_when_there_is_none(simulate: Simulate) -> None:
    sim = one_address(simulate)
    sim.peers["mx"].takes, sim.peers["mx"].too_many = 0, CLOSING
    (recipient,) = sim.send("x.example")
    sim.run(30)
    assert (recipient.state, recipient.attempts, len(sim.opened)) == ("queued", 1, 1)
    assert not sim.scheduler.status(sim.now)[0].active


def test_many_domains_that_are_refused_together_have_all_failed_when_the_last_has(simulate: Simulate) -> None:
    sim = one_address(simulate)
    sim.peers["mx"].takes, sim.peers["mx"].too_many = 0, CLOSING
    recipients = [sim.send(domain)[0] for domain in domains(20)]
    sim.run(10)
    assert {(recipient.state, recipient.attempts) for recipient in recipients} == {("queued", 1)}
    assert len(sim.opened) == 20


def test_a_session_that_is_refused_while_another_opens_waits_for_that(simulate: Simulate) -> None:
    sim = one_address(simulate)
    sim.peers["mx"].takes, sim.peers["mx"].too_many = 1, CLOSING
    recipients = [sim.send(domain)[0] for domain in domains(20)]
    sim.run(20)
    assert {(recipient.state, recipient.attempts) for recipient in recipients} == {("delivered", 1)}


def test_two_workers_share_by_turns_what_neither_knows_of_the_other(simulate: Simulate) -> None:
    sim = one_address(simulate, workers=2)
    for domain in domains(20):
        for worker in (0, 1):
            sim.send(domain, count=4, worker=worker)
    sim.run(20)
    assert sim.states() == {"delivered": 160}
    assert {event.type for event in sim.events} == {"delivered"}


def test_an_operator_who_flushes_wants_it_tried_now(simulate: Simulate) -> None:
    sim = one_address(simulate)
    sim.peers["mx"].takes = 0
    (recipient,) = sim.send("x.example")
    sim.run(60)
    sim.peers["mx"].takes = 1
    sim.scheduler.flush(Selection(domain="x.example"), sim.now)
    sim.obey(0)
    sim.run(1)
    assert recipient.state == "delivered"


def test_one_session_at_a_time_that_is_ended_after_each_mail(simulate: Simulate) -> None:
    sim = one_address(simulate)
    sim.peers["mx"].takes, sim.peers["mx"].hangs_up = 1, True
    for domain in domains(10):
        sim.send(domain, count=2)
    sim.run(20 * 0.25 + 1)
    assert sim.states() == {"delivered": 20}


def test_nothing_is_left_when_all_is_over(simulate: Simulate) -> None:
    sim = one_address(simulate)
    for domain in domains(20):
        sim.send(domain, count=4)
    sim.run_until_quiet(most_s=7200)
    state = sim.scheduler._state
    assert [*state.queues, *state.holdings.by_key, *state.connections, *state.sites] == []


@pytest.mark.parametrize(
    "text",
    [
        "too many connections from 192.0.2.1",
        "Too many concurrent SMTP connections; please try again later.",
        "Error: too many connections from 192.0.2.1",
        "The maximum number of concurrent connections has exceeded a limit, closing transmission channel",
        "Too many open connections.",
        "Connection rate limit exceeded.",
        "too many sessions opened from your address",
        "Concurrent connections limit exceeded",
        "Maximum number of connections for your address reached",
        "Trop de connexions, veuillez verifier votre configuration",
    ],
)
def test_words_about_how_many_sessions_there_are(text: str) -> None:
    assert says_too_many(Reply(421, "4.7.0", text))


@pytest.mark.parametrize(
    "text",
    [
        "service not available",
        "too many messages in this session",
        "Max message per connection reached",
        "too many errors on this connection",
        "too many recipients",
        "message limit for this connection exceeded",
        "[internal] connection lost while waiting for the banner",
        "[internal] cannot connect: connection refused",
        "mailbox size limit exceeded",
    ],
)
def test_words_about_something_else(text: str) -> None:
    assert not says_too_many(Reply(421, "4.7.0", text))
