"""What a throttle on messages lets pass decides how many connections are opened: as many as messages, and no more."""

from collections.abc import Callable

import pytest

from angarium.core.records import TRANSACTIONAL
from angarium.testing.simulation import REFUSED, SimulatedPeer, Simulation, plan_to

Simulate = Callable[..., Simulation]

HOUR = 3600.0
SCOPES = {
    "node": "{0}",
    "domain": 'Domain "/example$/" {{ {0} }}',
    "binding": "Binding a {{ {0} }} Binding b {{ }}",
    "group": "Binding_Group g {{ {0} Binding a {{ }} Binding b {{ }} }}",
    "group's domain": 'Binding_Group g {{ Domain "/example$/" {{ {0} }} Binding a {{ }} Binding b {{ }} }}',
    "host": 'Host "/example$/" {{ {0} }}',
}
SHARED_BY_BINDINGS = ("node", "domain", "group", "group's domain", "host")


def run_an_hour(
    sim: Simulation,
    *,
    domains: int,
    bindings: tuple[str, ...],
    connect_s: float = 0.3,
    hours: float = 1.0,
    count: int = 400,
) -> None:
    """Let more mail wait than any limit lets pass, in each queue of each worker."""
    for number in range(domains):
        sim.peers[f"d{number}.example"] = SimulatedPeer(connect_s=connect_s, transaction_s=0.2)
        for binding in bindings:
            for worker in range(len(sim.workers)):
                sim.send(f"d{number}.example", count=count, worker=worker, binding=binding)
    sim.run(hours * HOUR)


@pytest.mark.slow
@pytest.mark.parametrize(("domains", "workers"), [(1, 1), (6, 2)])
@pytest.mark.parametrize("throttle", ["1/60", "10/60", "100/3600"])
@pytest.mark.parametrize("scope", SCOPES)
def test_no_more_connections_than_messages_in_an_hour(
    simulate: Simulate, scope: str, throttle: str, domains: int, workers: int
) -> None:
    option = f'Outbound_Throttle_Messages = "{throttle}"'
    shared = scope in SHARED_BY_BINDINGS
    text = "" if scope.startswith(("binding", "group")) else "Binding a { } Binding b { }\n"
    sim = simulate(text + SCOPES[scope].format(option), workers=workers)
    run_an_hour(sim, domains=domains, bindings=("a", "b") if shared else ("a",), count=700 // domains)
    count, window_s = map(float, throttle.split("/"))
    times = [delivery.at for delivery in sim.deliveries]
    assert len(sim.opened) <= len(times) + 1
    assert sim.busiest(times, window_s) <= count
    assert len(times) >= 0.9 * count * HOUR / window_s - 1


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("throttle", ["1/60", "10/60", "100/3600", "2/1"])
def test_a_throttle_on_connections_is_used_and_kept(simulate: Simulate, throttle: str, workers: int) -> None:
    sim = simulate(
        f'Outbound_Throttle_Connections = "{throttle}"\nMax_Deliveries_Per_Connection = 1', workers=workers
    )
    run_an_hour(sim, domains=3, bindings=("default",), hours=0.2 if throttle == "2/1" else 1.0, count=800)
    count, window_s = map(float, throttle.split("/"))
    times = [at for at, _, _ in sim.opened]
    assert sim.busiest(times, window_s) <= count
    assert len(times) >= 0.9 * count * (0.2 if throttle == "2/1" else 1.0) * HOUR / window_s - 1
    assert len(sim.deliveries) >= len(times) - 2


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("order", ["{0}/60 {1}/60", "{1}/60 {0}/60"])
def test_throttles_of_both_kinds_go_together(simulate: Simulate, order: str, workers: int) -> None:
    messages, connections = order.format(1, 2).split()
    sim = simulate(
        f'Outbound_Throttle_Messages = "{messages}"\nOutbound_Throttle_Connections = "{connections}"',
        workers=workers,
    )
    run_an_hour(sim, domains=3, bindings=("default",))
    assert len(sim.opened) <= len(sim.deliveries) + 1
    assert len(sim.deliveries) >= 0.85 * 60


@pytest.mark.parametrize("connect_s", [0.01, 1.0, 5.0, 20.0])
def test_a_peer_that_is_slow_to_greet_gets_its_message_nevertheless(
    simulate: Simulate, connect_s: float
) -> None:
    sim = simulate('Outbound_Throttle_Messages = "1/60"')
    run_an_hour(sim, domains=2, bindings=("default",), connect_s=connect_s)
    assert len(sim.opened) <= len(sim.deliveries) + 1
    assert len(sim.deliveries) >= 0.9 * HOUR / (61.2 + connect_s)
    assert sim.busiest([delivery.at for delivery in sim.deliveries], 60.0) <= 1


def test_mail_that_comes_now_and_then_is_sent_at_once(simulate: Simulate) -> None:
    """A unit that is granted for a connection, and lapses while that is made, is not lost."""
    sim = simulate('Outbound_Throttle_Messages = "1/60"', workers=2)
    sim.peers["x.example"] = SimulatedPeer(connect_s=4.0)
    for number in range(10):
        sim.send("x.example", worker=number % 2)
        sim.run(70)
    waits = [delivery.at - delivery.recipient.message.received_at for delivery in sim.deliveries]
    assert len(waits) == 10
    assert max(waits) <= 5.0
    assert len(sim.opened) == 10


def test_a_unit_that_came_back_is_had_by_who_is_ready_for_it(simulate: Simulate) -> None:
    """Although another worker was told to ask again before: not before then is it its turn."""
    sim = simulate('Outbound_Throttle_Messages = "1/60"', workers=2)
    sim.peers["slow.example"] = SimulatedPeer(connect_s=8.0)
    sim.send("slow.example", worker=0)
    sim.run(0.5)
    sim.send("other.example", worker=1)
    sim.run(15)
    assert sim.states()["delivered"] == 1
    sim.run(60)
    assert sim.states()["delivered"] == 2
    assert len(sim.opened) == 2


def test_an_address_that_refuses_costs_no_message(simulate: Simulate) -> None:
    sim = simulate(
        'Outbound_Throttle_Messages = "1/60"\nHost_Failure_Retry = 30',
        route=lambda queue, now: plan_to([["bad.example"], ["good.example"]], now=now),
    )
    sim.peers["bad.example"] = SimulatedPeer(refuses=REFUSED)
    sim.send("x.example", count=100)
    sim.run(HOUR)
    assert len(sim.deliveries) >= 55
    assert sum(address.host == "good.example" for _, _, address in sim.opened) <= len(sim.deliveries) + 1


def test_a_tarpit_holds_a_slow_throttle_for_half_a_message_only(simulate: Simulate) -> None:
    sim = simulate('Outbound_Throttle_Messages = "1/60"')
    sim.peers["tarpit.example"] = SimulatedPeer(connect_s=600.0)
    sim.send("tarpit.example", count=100)
    sim.run(1)
    sim.send("good.example")
    sim.run(60)
    assert sim.states()["delivered"] == 1


def test_transactional_mail_goes_first_whoever_has_a_connection(simulate: Simulate) -> None:
    sim = simulate('Outbound_Throttle_Messages = "10/60"')
    run_an_hour(sim, domains=3, bindings=("default",), hours=0.1)
    sim.send("d0.example", lane=TRANSACTIONAL)
    sim.send("fresh.example", lane=TRANSACTIONAL)
    sim.run(20)
    waits = [
        delivery.at - delivery.recipient.message.received_at
        for delivery in sim.deliveries
        if delivery.recipient.message.lane == TRANSACTIONAL
    ]
    assert len(waits) == 2
    assert max(waits) <= 14


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_quick_throttle_is_used_with_a_connection_for_each_message(
    simulate: Simulate, workers: int
) -> None:
    sim = simulate('Outbound_Throttle_Messages = "10/1"\nMax_Deliveries_Per_Connection = 1', workers=workers)
    run_an_hour(sim, domains=30, bindings=("default",), connect_s=0.5, hours=0.02)
    times = [delivery.at for delivery in sim.deliveries]
    assert sim.busiest(times, 1.0) <= 10
    assert len(times) >= 0.85 * 10 * 72
    assert len(sim.opened) <= len(times) + 40


def test_a_queue_without_a_connection_says_which_throttle_it_waits_for(simulate: Simulate) -> None:
    sim = simulate('Outbound_Throttle_Messages = "1/60"')
    sim.send("a.example")
    sim.run(1)
    sim.send("b.example")
    sim.run(10)
    [row] = [row for row in sim.scheduler.status(sim.now) if row.queue.domain == "b.example"]
    assert row.connections == row.opening == 0
    assert row.hold is not None
    assert row.hold.option == "Outbound_Throttle_Messages"
    assert row.hold.text.startswith("Outbound_Throttle_Messages 1/60 of")
    assert row.hold.next_try == pytest.approx(sim.now + 50.3, abs=1)
