"""Lanes, tenants, sites, preferences: who goes first, and who shares what."""

from collections import Counter
from collections.abc import Callable

import pytest

from angarium.core.records import BULK, TRANSACTIONAL
from angarium.testing.simulation import REFUSED, SimulatedPeer, Simulation, plan_to

Simulate = Callable[..., Simulation]


def waits(sim: Simulation, lane: int) -> list[float]:
    return sorted(
        delivery.at - delivery.recipient.message.received_at
        for delivery in sim.deliveries
        if delivery.recipient.message.lane == lane
    )


@pytest.mark.slow
def test_transactional_mail_does_not_wait_for_a_campaign(simulate: Simulate) -> None:
    sim = simulate("Max_Outbound_Connections = 10\nServer_Max_Outbound_Connections = 20")
    domains = [f"d{n}.example" for n in range(5)]
    for domain in domains:
        sim.peers[domain] = SimulatedPeer(transaction_s=0.1)
        sim.send(domain, count=4000, lane=BULK)
    begun = sim.now
    for n in range(500):
        sim.at(begun + 5 + n * 0.1, lambda n=n: sim.send(domains[n % 5], lane=TRANSACTIONAL))
    sim.run(60)
    mine = waits(sim, TRANSACTIONAL)
    assert len(mine) == 500
    assert mine[int(len(mine) * 0.99)] <= 0.25
    assert len(waits(sim, BULK)) >= 0.8 * 60 * 20 / 0.1 * 0.9


def test_transactional_mail_passes_a_campaign_under_a_throttle(simulate: Simulate) -> None:
    sim = simulate("Outbound_Throttle_Messages = 10/1")
    sim.send("x.example", count=1000, lane=BULK)
    sim.run(5)
    for n in range(20):
        sim.at(sim.now + n, lambda: sim.send("x.example", lane=TRANSACTIONAL))
    sim.run(30)
    assert max(waits(sim, TRANSACTIONAL)) <= 0.4


def test_transactional_mail_has_room_in_memory_that_a_campaign_fills(simulate: Simulate) -> None:
    sim = simulate(max_resident=100)
    sim.peers["x.example"] = SimulatedPeer(transaction_s=10.0)
    sim.send("x.example", count=500, lane=BULK)
    sim.run(1)
    residence = sim.scheduler._memory.residence
    before = residence.total
    sim.send("x.example", lane=TRANSACTIONAL)
    assert residence.total == before + 1


def test_tenants_take_turns_whatever_each_has_waiting(simulate: Simulate) -> None:
    sim = simulate("Max_Outbound_Connections = 4")
    sim.peers["x.example"] = SimulatedPeer(transaction_s=0.5)
    sim.send("x.example", count=500, tenant="big")
    sim.run(1)
    sim.send("x.example", count=20, tenant="small")
    sim.run(6)
    small = [d for d in sim.deliveries if d.recipient.message.tenant == "small"]
    assert len(small) == 20


def test_a_tenant_that_fills_memory_leaves_room_for_others(simulate: Simulate) -> None:
    sim = simulate(max_resident=100)
    sim.peers["x.example"] = SimulatedPeer(connect_s=1e6)
    sim.send("x.example", count=85, tenant="big")
    assert not sim.scheduler.has_room("big")
    assert sim.scheduler.has_room("small")


def test_domains_with_the_same_hosts_share_connections(simulate: Simulate) -> None:
    sim = simulate(route=lambda queue, now: plan_to([["mx.shared.example"]], now=now))
    for domain in ("a.example", "b.example", "c.example"):
        sim.send(domain)
        sim.run(1)
    assert sim.states() == {"delivered": 3}
    assert len(sim.opened) == 1


def test_connections_are_not_shared_between_bindings(simulate: Simulate) -> None:
    sim = simulate("Binding a { }\nBinding b { }", route=lambda queue, now: plan_to([["mx"]], now=now))
    for binding in ("a", "b"):
        sim.send("x.example", binding=binding)
        sim.run(1)
    assert len(sim.opened) == 2


def test_a_shared_connection_counts_for_the_queue_that_uses_it(simulate: Simulate) -> None:
    text = "Max_Outbound_Connections = 1"
    sim = simulate(text, route=lambda queue, now: plan_to([["mx.shared.example"]], now=now))
    sim.peers["mx.shared.example"] = SimulatedPeer(transaction_s=1.0)
    sim.send("a.example")
    sim.run(2)
    sim.send("b.example")
    sim.send("a.example", count=2)
    sim.run(1.5)
    assert sim.counts["all"] == 2
    sim.run(5)
    assert sim.states() == {"delivered": 4}


def test_a_worse_preference_is_used_only_when_the_better_cannot_be_reached(simulate: Simulate) -> None:
    levels = [["best1.example", "best2.example"], ["backup.example"]]
    sim = simulate("Host_Failure_Retry = 60", route=lambda queue, now: plan_to(levels, now=now))
    sim.send("x.example", count=20)
    sim.run(10)
    used = Counter(address.host for _, _, address in sim.opened)
    assert set(used) == {"best1.example", "best2.example"}
    assert abs(used["best1.example"] - used["best2.example"]) <= 1
    for host in ("best1.example", "best2.example"):
        sim.peers[host].refuses = REFUSED
    sim.send("x.example")
    sim.run(5)
    assert sim.opened[-1][2].host == "backup.example"
    assert sim.states() == {"delivered": 21}
    for host in ("best1.example", "best2.example"):
        sim.peers[host].refuses = None
    sim.run(70)
    sim.send("x.example")
    sim.run(5)
    assert sim.opened[-1][2].host in ("best1.example", "best2.example")


def test_a_better_host_at_its_limit_lets_mail_go_to_the_next(simulate: Simulate) -> None:
    levels = [["best.example"], ["backup.example"]]
    sim = simulate(
        'Host "best.example" { Max_Outbound_Connections = 1 }',
        route=lambda queue, now: plan_to(levels, now=now),
    )
    sim.peers["best.example"] = SimulatedPeer(transaction_s=5.0)
    sim.send("x.example", count=4)
    sim.run(4)
    assert Counter(address.host for _, _, address in sim.opened)["best.example"] == 1
    assert sim.counts["ip backup.example"] >= 1


def test_no_connection_is_opened_per_message_for_thirty_busy_sessions(simulate: Simulate) -> None:
    sim = simulate()
    sim.peers["sink.example"] = SimulatedPeer(connect_s=0.001, transaction_s=0.002)
    start = sim.now
    for n in range(30 * 20):
        sim.at(start + (n // 30) * 0.005, lambda: sim.send("sink.example"))
    sim.run(2)
    assert len(sim.deliveries) == 600
    assert len(sim.opened) <= 32
    assert waits(sim, BULK)[-1] <= 0.05


def test_mail_behind_a_connection_that_hangs_gets_another(simulate: Simulate) -> None:
    sim = simulate()
    sim.peers["x.example"] = SimulatedPeer(transaction_s=600.0)
    sim.send("x.example", lane=TRANSACTIONAL)
    sim.run(1)
    sim.send("x.example", lane=TRANSACTIONAL)
    sim.run(0.5)
    assert len(sim.deliveries) == 2


def test_words_with_the_authority_that_take_time_leave_no_mail_behind(simulate: Simulate) -> None:
    """Whenever mail comes while one worker's use of a limit ends and another's begins."""
    for pause_ms in range(500, 3000, 10):
        sim = simulate("Max_Outbound_Connections = 1", workers=2)
        sim.lease_s = 0.02
        for worker in (0, 1, 0):
            sim.send("x.example", worker=worker)
            sim.run(pause_ms / 1000)
        sim.run(5)
        assert sim.states() == {"delivered": 3}, pause_ms


def campaign(sim: Simulation, most: int, *, seconds: float = 0.2, workers: tuple[int, ...] = (0,)) -> None:
    """Bulk mail that has all *most* connections to one slow destination, over these workers, and out of step."""
    sim.peers["x.example"] = SimulatedPeer(transaction_s=seconds, connect_s=0.21)
    for number in range(80):
        later = sim.now + number * 0.017
        sim.at(later, lambda: [sim.send("x.example", count=5 * most, worker=worker) for worker in workers])
    sim.run(10)
    assert sim.counts["all"] == most


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_connections_are_kept_for_the_better_lane(simulate: Simulate, workers: int) -> None:
    sim = simulate("Max_Outbound_Connections = 20", workers=workers)
    campaign(sim, 20, workers=tuple(range(workers)))
    before = len(sim.deliveries), len(sim.opened)
    for n in range(600):
        sim.at(sim.now + n * 0.1, lambda n=n: sim.send("x.example", lane=TRANSACTIONAL, worker=n % workers))
    sim.run(70)
    mine = waits(sim, TRANSACTIONAL)
    assert len(mine) == 600
    assert mine[int(600 * 0.95)] <= 0.02
    assert mine[-1] <= 0.2 + 0.21
    assert len(sim.deliveries) - before[0] >= 0.75 * 70 * 20 / 0.2, "bulk mail leaves a fifth, not more"
    assert len(sim.opened) - before[1] <= 40, "what is kept is not opened to be kept"


def test_bulk_mail_has_all_connections_when_no_transactional_mail_came_for_long(simulate: Simulate) -> None:
    sim = simulate("Max_Outbound_Connections = 10")
    campaign(sim, 10, seconds=2.0)
    sim.send("x.example", lane=TRANSACTIONAL)
    sim.run(30)
    assert len(sim.scheduler._state.idle) + 10 - sim.counts["all"] == 2
    [row] = sim.scheduler.status(sim.now)
    assert row.hold is not None
    assert "2 of them are kept for transactional mail" in row.hold.text
    sim.run(620)
    assert len(sim.scheduler._state.idle) + 10 - sim.counts["all"] == 0


@pytest.mark.parametrize("worker", [0, 1])
def test_of_one_connection_the_lane_is_decided_anew_before_each_message(
    simulate: Simulate, worker: int
) -> None:
    """Also when another worker has it: it is given up after the mail under way, not after its time."""
    sim = simulate("Max_Outbound_Connections = 1", workers=2)
    sim.lease_s = 0.001
    campaign(sim, 1, seconds=0.5)
    for n in range(20):
        sim.at(sim.now + 5.0 * n, lambda: sim.send("x.example", lane=TRANSACTIONAL, worker=worker))
    sim.run(120)
    mine = waits(sim, TRANSACTIONAL)
    assert len(mine) == 20
    assert mine[-1] <= 0.5 + 0.21 + 0.05
