"""The plain way of a recipient through the scheduler."""

from collections import Counter
from collections.abc import Callable

from angarium.core.reply import Reply
from angarium.testing.simulation import REFUSED, SimulatedPeer, Simulation

Simulate = Callable[..., Simulation]


def later(recipient: object, now: float) -> tuple[str, Reply]:
    return "transient", Reply(450, "4.2.0", "try later")


def never(recipient: object, now: float) -> tuple[str, Reply]:
    return "permanent", Reply(550, "5.1.1", "no such user")


def test_fresh_mail_is_routed_connected_and_delivered(simulate: Simulate) -> None:
    sim = simulate()
    sim.send("x.example")
    sim.run(1)
    assert sim.states() == {"delivered": 1}
    assert [event.type for event in sim.events] == ["delivered"]


def test_an_idle_connection_is_used_again_and_ends_after_its_idle_time(simulate: Simulate) -> None:
    sim = simulate("Idle_Timeout = 5")
    sim.send("x.example")
    sim.run(4)
    sim.send("x.example")
    sim.run(4)
    assert len(sim.opened) == 1
    sim.run(2)
    assert sim.counts["all"] == 0


def test_a_refused_recipient_bounces_at_once(simulate: Simulate) -> None:
    sim = simulate()
    sim.peers["x.example"] = SimulatedPeer(answer=never)
    sim.send("x.example")
    sim.run(1)
    assert sim.states() == {"bounced": 1}


def test_a_temporary_failure_settles_and_is_paged_in_when_it_is_due(simulate: Simulate) -> None:
    sim = simulate("Retry_Interval = 100")
    sim.peers["x.example"] = SimulatedPeer(answer=later)
    (recipient,) = sim.send("x.example")
    sim.run(1)
    assert recipient.attempts == 1
    assert [len(rows) for rows in sim.stores[0].flows.values()] == [1]
    sim.peers["x.example"] = SimulatedPeer()
    sim.run(99)
    assert recipient.attempts == 1
    sim.run(25)
    assert recipient.state == "delivered"


def test_recipients_of_one_message_share_a_transaction_up_to_the_batch_limit(simulate: Simulate) -> None:
    sim = simulate("Max_Recipients_Per_Batch = 3")
    sim.send(*["x.example"] * 7)
    sim.run(2)
    batches = Counter((delivery.at, delivery.conn) for delivery in sim.deliveries)
    assert sorted(batches.values()) == [1, 3, 3]
    assert sim.states() == {"delivered": 7}


def test_when_no_host_can_be_reached_those_who_waited_are_put_off(simulate: Simulate) -> None:
    sim = simulate()
    sim.peers["x.example"] = SimulatedPeer(refuses=REFUSED)
    sim.send("x.example", count=3)
    sim.run(1)
    assert [(event.type, event.attempts, event.reply) for event in sim.events] == [
        ("delayed", 1, REFUSED)
    ] * 3


def test_nothing_is_kept_of_a_queue_that_is_empty(simulate: Simulate) -> None:
    sim = simulate()
    for n in range(50):
        sim.send(f"d{n}.example")
    sim.run_until_quiet()
    state = sim.scheduler._state
    assert not state.queues
    assert not state.sites
    assert not state.connections
    assert not state.holdings.by_key
    assert sim.scheduler._memory.residence.total == 0
