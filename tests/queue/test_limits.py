"""No limit is ever exceeded, and what it allows is used."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.records import BULK, TRANSACTIONAL
from angarium.core.reply import Reply
from angarium.queue.authority import Authority, Grant, Recall
from angarium.queue.limits import Limit, Meter
from angarium.queue.turns import RANKS, rank_of
from angarium.testing.simulation import REFUSED, SimulatedPeer, Simulation

Simulate = Callable[..., Simulation]


@given(
    capacity=st.integers(1, 5000),
    window_s=st.sampled_from([1.0, 2.0, 60.0, 3600.0]),
    steps=st.lists(st.tuples(st.floats(0, 0.2), st.integers(1, 100)), max_size=300),
)
def test_a_rate_is_kept_in_every_window(
    capacity: int, window_s: float, steps: list[tuple[float, int]]
) -> None:
    limit, meter, now = Limit(capacity, window_s), Meter(), 1e9
    taken: list[tuple[float, int]] = []
    for step, want in steps:
        now += step * window_s
        units, _ = meter.take(want, limit, now)
        assert 0 <= units <= want
        taken.append((now, units))
    strict_s = window_s + limit.lease_s - 1e-3
    for start, _ in taken:
        assert sum(units for at, units in taken if start <= at < start + strict_s) <= capacity


@pytest.mark.parametrize("capacity", [1, 10, 99, 1000])
def test_a_rate_that_is_wanted_is_used(capacity: int) -> None:
    limit, meter, now, total = Limit(capacity, 10.0), Meter(), 0.0, 0
    while now < 100.0:
        units, retry_at = meter.take(1000, limit, now)
        total += units
        assert retry_at is not None
        assert retry_at > now
        now = retry_at
    assert total >= 0.95 * capacity * 10


def test_a_holder_that_waits_is_granted_what_another_gives_back() -> None:
    authority, limit = Authority(), Limit(2)
    assert authority.acquire("a", "k", 2, limit, 0.0) == (2, None)
    units, retry_at = authority.acquire("b", "k", 2, limit, 0.0)
    assert units == 0
    assert retry_at is not None
    assert Recall("a", "k", 1, rank=0) in authority.take_messages()
    authority.release("a", "k", 1)
    assert Grant("b", "k", 1) in authority.take_messages()
    assert authority.held("k") == {"a": 1, "b": 1}


def test_transactional_mail_is_granted_first() -> None:
    authority, limit = Authority(), Limit(1)
    authority.acquire("a", "k", 1, limit, 0.0)
    authority.acquire("bulk", "k", 1, limit, 0.0, rank=rank_of(BULK))
    authority.acquire("transactional", "k", 1, limit, 0.0, rank=rank_of(TRANSACTIONAL))
    authority.take_messages()
    authority.release("a", "k", 1)
    assert authority.take_messages()[0] == Grant("transactional", "k", 1)


def test_the_units_of_a_holder_that_died_are_free() -> None:
    authority, limit = Authority(), Limit(3)
    authority.acquire("a", "k", 3, limit, 0.0)
    authority.holder_gone("a")
    assert authority.acquire("b", "k", 3, limit, 2.0) == (3, None)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-3, 3), st.integers(0, RANKS - 1)), max_size=60)
)
def test_never_more_is_leased_than_there_is(steps: list[tuple[str, int, int]]) -> None:
    authority, limit = Authority(), Limit(4)
    believed = dict.fromkeys("abc", 0)
    for holder, count, rank in steps:
        if count > 0:
            believed[holder] += authority.acquire(holder, "k", count, limit, 0.0, rank)[0]
        elif believed[holder]:
            back = min(-count, believed[holder])
            believed[holder] -= back
            authority.release(holder, "k", back)
        for message in authority.take_messages():
            if isinstance(message, Grant):
                believed[str(message.holder)] += message.units
        assert sum(believed.values()) <= 4
        assert authority.held("k") == {name: units for name, units in believed.items() if units}


def slow(sim: Simulation, *hosts: str, seconds: float = 1.0) -> None:
    for host in hosts:
        sim.peers[host] = SimulatedPeer(transaction_s=seconds)


def test_a_queue_fills_its_connections_and_never_exceeds_them(simulate: Simulate) -> None:
    sim = simulate("Max_Outbound_Connections = 7")
    slow(sim, "x.example")
    sim.send("x.example", count=300)
    sim.run(30)
    assert sim.peak["default x.example"] == 7
    assert len(sim.deliveries) >= 0.95 * 7 * 30 - 7


def test_a_scope_limit_is_one_counter_for_all_domains_below_it(simulate: Simulate) -> None:
    sim = simulate('Domain "/example$/" { Scope_Max_Outbound_Connections = 3 }')
    slow(sim, "a.example", "b.example", "c.test")
    for domain in ("a.example", "b.example", "c.test"):
        sim.send(domain, count=40)
    sim.run(10)
    assert sim.peak["default a.example"] + sim.peak["default b.example"] >= 3
    assert sim.peak["all"] <= 3 + sim.peak["default c.test"]
    assert {delivery.queue.domain for delivery in sim.deliveries} == {"a.example", "b.example", "c.test"}


def test_the_server_limit_totals_all_queues_and_each_gets_its_turn(simulate: Simulate) -> None:
    sim = simulate("Server_Max_Outbound_Connections = 2")
    for n in range(6):
        slow(sim, f"d{n}.example", seconds=0.3)
        sim.send(f"d{n}.example", count=100)
    sim.run(40)
    assert sim.peak["all"] == 2
    assert len({delivery.queue for delivery in sim.deliveries}) == 6


def test_a_host_limit_counts_connections_to_each_address(simulate: Simulate) -> None:
    sim = simulate('Host "x.example" { Max_Outbound_Connections = 2 }')
    slow(sim, "x.example")
    sim.send("x.example", count=50)
    sim.run(10)
    assert sim.peak["ip x.example"] == 2


def broken_off(recipient: object, now: float) -> tuple[str, Reply]:
    return "ambiguous", Reply(451, "4.4.2", "lost")


ENDS = {
    "it has done its deliveries": SimulatedPeer(),
    "the peer hangs up": SimulatedPeer(hangs_up=True),
    "it is lost": SimulatedPeer(answer=broken_off),
    "it is refused": SimulatedPeer(refuses=REFUSED),
}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    ("limit", "counts"),
    [
        ("Max_Outbound_Connections = 2", "default x.example"),
        ("Scope_Max_Outbound_Connections = 2", "all"),
        ("Server_Max_Outbound_Connections = 2", "all"),
        ("Binding default { Server_Max_Outbound_Connections = 2 }", "binding default"),
        ('Host "x.example" { Max_Outbound_Connections = 2 }', "ip x.example"),
        ('Host "x.example" { Scope_Max_Outbound_Connections = 2 }', "ip x.example"),
    ],
)
def test_a_connection_counts_until_its_peer_counts_it_no_more(
    simulate: Simulate, limit: str, counts: str, end: str, workers: int
) -> None:
    sim = simulate(
        f"{limit}\nMax_Deliveries_Per_Connection = 1\nHost_Failure_Retry = 0\nRetry_Interval = 1",
        workers=workers,
    )
    sim.peers["x.example"] = replace(ENDS[end], goodbye_s=3.0)
    for worker in range(workers):
        sim.send("x.example", count=20, worker=worker)
    sim.run(40)
    assert sim.peak[counts] <= 2
    assert len(sim.opened) >= 15


def test_mail_goes_on_over_other_connections_while_one_is_closing(simulate: Simulate) -> None:
    sim = simulate("Max_Deliveries_Per_Connection = 1")
    sim.peers["x.example"] = SimulatedPeer(goodbye_s=60.0)
    sim.send("x.example", count=20)
    sim.run(2)
    assert sim.states() == {"delivered": 20}


def test_a_queue_whose_limit_is_used_by_closing_connections_says_so(simulate: Simulate) -> None:
    sim = simulate("Max_Deliveries_Per_Connection = 1\nMax_Outbound_Connections = 1")
    sim.peers["x.example"] = SimulatedPeer(goodbye_s=60.0)
    sim.send("x.example", count=2)
    sim.run(2)
    [row] = sim.scheduler.status(sim.now)
    assert row.hold is not None
    assert row.hold.option == "Max_Outbound_Connections"
    assert "1 of them said goodbye and are not closed yet" in row.hold.text


def test_for_one_that_waits_one_idle_connection_is_ended(simulate: Simulate) -> None:
    sim = simulate("Server_Max_Outbound_Connections = 4\nIdle_Timeout = 600")
    for n in range(4):
        sim.peers[f"d{n}.example"] = SimulatedPeer(goodbye_s=5.0)
        sim.send(f"d{n}.example")
    sim.run(1)
    sim.send("x.example", count=3)
    for _ in range(3):
        sim.run(0.5)
        sim.send("x.example")
    assert len(sim.scheduler._state.idle) == 3


@pytest.mark.parametrize("workers", [1, 2])
def test_a_message_throttle_holds_in_every_window_and_is_used(simulate: Simulate, workers: int) -> None:
    sim = simulate("Outbound_Throttle_Messages = 10/1", workers=workers)
    for worker in range(workers):
        sim.send("x.example", count=400, worker=worker)
    sim.run(20)
    times = [delivery.at for delivery in sim.deliveries]
    assert sim.busiest(times, 1.0) <= 10
    assert len(times) >= 0.95 * 10 * 19
    assert sim.counts["all"] <= 4


def test_a_connection_throttle_holds_in_every_window(simulate: Simulate) -> None:
    sim = simulate("Outbound_Throttle_Connections = 5/10\nMax_Deliveries_Per_Connection = 1")
    sim.send("x.example", count=200)
    sim.run(100)
    times = [at for at, _, _ in sim.opened]
    assert sim.busiest(times, 10.0) <= 5
    assert len(times) >= 0.95 * 50


@pytest.mark.parametrize("lease_s", [0.0, 0.001, 0.03, 0.05])
def test_a_throttle_of_a_group_is_shared_by_its_bindings(simulate: Simulate, lease_s: float) -> None:
    sim = simulate('Binding_Group g { Outbound_Throttle_Messages = "10" Binding a { } Binding b { } }')
    sim.lease_s = lease_s
    for binding in ("a", "b"):
        sim.send("x.example", count=200, binding=binding)
    sim.run(10)
    assert sim.busiest([delivery.at for delivery in sim.deliveries], 1.0) <= 10
    shares = [sum(delivery.queue.binding == binding for delivery in sim.deliveries) for binding in "ab"]
    assert min(shares) >= 0.4 * sum(shares)


def test_a_limit_of_one_serves_both_workers(simulate: Simulate) -> None:
    sim = simulate("Max_Outbound_Connections = 1", workers=2)
    for worker in range(2):
        sim.send("x.example", count=400, worker=worker)
    sim.run(30)
    assert sim.peak["default x.example"] == 1
    shares = [sum(delivery.worker == worker for delivery in sim.deliveries) for worker in range(2)]
    assert min(shares) >= 0.3 * sum(shares)
    assert sum(shares) >= 0.7 * 30 / 0.05


def test_an_unused_lease_goes_to_the_worker_that_needs_it(simulate: Simulate) -> None:
    sim = simulate("Max_Outbound_Connections = 4", workers=2)
    slow(sim, "x.example")
    sim.send("x.example", count=8, worker=0)
    sim.run(3.5)
    sim.send("x.example", count=100, worker=1)
    sim.run(5)
    assert sum(worker == 1 for worker, _ in sim.open) == 4
