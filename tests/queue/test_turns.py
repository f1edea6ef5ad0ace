"""Who has no connection goes before who wants another, whatever limit they share."""

from collections.abc import Callable

import pytest

from angarium.core.records import BULK, TRANSACTIONAL, Lane
from angarium.testing.simulation import SimulatedPeer, Simulation, plan_to

Simulate = Callable[..., Simulation]

TARPITS = [f"tarpit{n}.example" for n in range(12)]
SHARED = {
    "server": "Server_Max_Outbound_Connections = 20",
    "binding": "Binding default { Server_Max_Outbound_Connections = 20 }",
    "group": "Binding_Group g { Server_Max_Outbound_Connections = 20 Binding default { } }",
    "scope": "Scope_Max_Outbound_Connections = 20",
    "domains": 'Domain "/example$/" { Scope_Max_Outbound_Connections = 20 }',
    "host": 'Host "mx.example" { Max_Outbound_Connections = 20 }',
    "hosts": 'Host "/example$/" { Scope_Max_Outbound_Connections = 20 }',
}


def tarpits(sim: Simulation, *, seconds: float = 40.0, lane: Lane = BULK) -> None:
    """Mail for peers that take that long for each message, come in over all workers."""
    for domain in TARPITS:
        sim.peers[domain] = SimulatedPeer(transaction_s=seconds)
        for worker in range(len(sim.workers)):
            sim.send(domain, count=100, worker=worker, lane=lane)


def waited(sim: Simulation, domain: str) -> float:
    """How long the last mail for *domain* waited for its transaction."""
    return max(
        delivery.at - delivery.recipient.message.received_at
        for delivery in sim.deliveries
        if delivery.queue.domain == domain
    )


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("limit", [name for name in SHARED if name != "host"])
def test_tarpits_leave_a_good_domain_its_connection(simulate: Simulate, limit: str, workers: int) -> None:
    sim = simulate(SHARED[limit], workers=workers)
    tarpits(sim)
    for number in range(10):
        sim.run(10)
        sim.send("good.example", worker=number % workers)
    sim.run(2)
    assert sim.states()["delivered"] >= 10
    assert waited(sim, "good.example") <= 0.5
    assert sim.peak["all"] <= 20


def test_tarpits_behind_one_host_leave_a_good_domain_its_connection(simulate: Simulate) -> None:
    """The peer is one address; which of its domains it takes its time for, only mail shows."""
    sim = simulate(
        SHARED["host"], route=lambda queue, now: plan_to([["mx.example"]], now=now, site=queue.domain)
    )
    sim.peers["mx.example"] = SimulatedPeer(transaction_s=40.0)
    for domain in TARPITS:
        sim.send(domain, count=100)
    sim.run(30)
    sim.send("good.example")
    sim.run(1)
    assert waited(sim, "good.example") <= 0.5
    assert sim.peak["all"] <= 20


@pytest.mark.parametrize("workers", [1, 2])
def test_transactional_tarpits_do_so_as_well(simulate: Simulate, workers: int) -> None:
    sim = simulate(SHARED["server"], workers=workers)
    tarpits(sim, lane=TRANSACTIONAL)
    sim.run(60)
    sim.send("good.example", lane=BULK)
    sim.run(2)
    assert waited(sim, "good.example") <= 0.5


@pytest.mark.parametrize("workers", [1, 2])
def test_who_has_none_goes_before_who_wants_another(simulate: Simulate, workers: int) -> None:
    """A fast destination has all there is; each newcomer gets a connection when its next transaction ends."""
    sim = simulate("Server_Max_Outbound_Connections = 8\nMax_Outbound_Connections = 8", workers=workers)
    sim.peers["big.example"] = SimulatedPeer(transaction_s=0.4)
    for worker in range(workers):
        sim.send("big.example", count=5000, worker=worker)
    sim.run(20)
    assert sim.counts["all"] == 8
    for n in range(6):
        sim.peers[f"d{n}.example"] = SimulatedPeer(transaction_s=0.4)
        sim.send(f"d{n}.example", count=100, worker=n % workers)
    sim.run(0.6)
    assert all(sim.counts[f"default d{n}.example"] == 1 for n in range(6))
    assert sim.counts["default big.example"] == 2


def test_what_is_shared_is_used_up_by_who_moves(simulate: Simulate) -> None:
    sim = simulate("Server_Max_Outbound_Connections = 10")
    sim.peers["x.example"] = SimulatedPeer(transaction_s=0.5)
    sim.send("x.example", count=2000)
    sim.run(30)
    assert sim.peak["all"] == 10


def test_two_units_are_both_used_by_one_slow_queue(simulate: Simulate) -> None:
    sim = simulate("Server_Max_Outbound_Connections = 2")
    sim.peers["x.example"] = SimulatedPeer(transaction_s=30.0)
    sim.send("x.example", count=20)
    sim.run(60)
    assert sim.peak["all"] == 2


def test_a_queue_that_leaves_a_share_says_so(simulate: Simulate) -> None:
    sim = simulate("Server_Max_Outbound_Connections = 10")
    sim.peers["x.example"] = SimulatedPeer(transaction_s=40.0)
    sim.send("x.example", count=100)
    sim.run(30)
    [row] = sim.scheduler.status(sim.now)
    assert row.connections == 2
    assert row.hold is not None
    assert row.hold.option == "Server_Max_Outbound_Connections"
    assert "8 of them are left to queues without a connection" in row.hold.text


def test_transactional_mail_is_asked_for_although_bulk_has_just_been(simulate: Simulate) -> None:
    """The authority hears at once of a better lane, not when the worker asks again."""
    sim = simulate("Max_Outbound_Connections = 2", workers=2)
    sim.lease_s = 0.001
    sim.peers["x.example"] = SimulatedPeer(transaction_s=0.2)
    sim.send("x.example", count=1000, worker=0)
    sim.run(10)
    sim.send("x.example", count=100, worker=1)
    sim.run(0.02)
    sim.send("x.example", worker=1, lane=TRANSACTIONAL)
    sim.run(2)
    [mine] = [d for d in sim.deliveries if d.recipient.message.lane == TRANSACTIONAL]
    assert mine.at - mine.recipient.message.received_at <= 0.3
