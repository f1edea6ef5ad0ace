"""Domains with the same mail hosts count as one, where the host stanza says so (Rollup_MX)."""

from collections.abc import Callable

import pytest

from angarium.config.load import parse_config
from angarium.testing.simulation import SimulatedPeer, Simulation, plan_to

Simulate = Callable[..., Simulation]
ROLLED_UP = 'Host "mx.big.example" { Rollup_MX = true }\n'


def at_one_host(simulate: Simulate, text: str, host: str = "mx.big.example") -> Simulation:
    sim = simulate(text, route=lambda queue, now: plan_to([[host]], now=now))
    sim.peers[host] = SimulatedPeer(transaction_s=0.5)
    return sim


def send_to_ten(sim: Simulation, count: int = 3) -> None:
    for number in range(10):
        sim.send(f"d{number}.example", count=count)


def hold(sim: Simulation) -> str:
    return next(str(row.hold) for row in sim.scheduler.status(sim.now) if not row.connections and row.active)


def test_without_it_each_domain_has_its_own_count(simulate: Simulate) -> None:
    sim = at_one_host(simulate, "Max_Outbound_Connections = 1")
    send_to_ten(sim)
    sim.run(0.4)
    assert sim.counts["ip mx.big.example"] == 10


def test_connections_are_counted_once_for_all_domains(simulate: Simulate) -> None:
    sim = at_one_host(simulate, ROLLED_UP + "Max_Outbound_Connections = 2")
    send_to_ten(sim)
    sim.run(1)
    assert hold(sim) == "Max_Outbound_Connections 2 of default::mx.big.example (angarium.conf:2)"
    sim.run(30 * 0.5 / 2)
    assert sim.peak["ip mx.big.example"] == 2
    assert sim.states() == {"delivered": 30}


def test_the_limits_are_those_of_the_name(simulate: Simulate) -> None:
    sim = at_one_host(
        simulate,
        'Host "/big/" { Rollup_MX = true Rollup_MX_Name = big.example }\n'
        'Domain "big.example" { Max_Outbound_Connections = 3 }\n'
        'Domain "d1.example" { Max_Outbound_Connections = 1 }',
    )
    send_to_ten(sim)
    sim.run(1)
    assert sim.peak["ip mx.big.example"] == 3
    assert hold(sim) == "Max_Outbound_Connections 3 of default::big.example (angarium.conf:2)"
    assert {row.route for row in sim.scheduler.status(sim.now)} == {
        "a script; limits of big.example (Rollup_MX)"
    }


def test_a_throttle_of_the_name_is_one_for_all(simulate: Simulate) -> None:
    sim = at_one_host(
        simulate,
        'Host "/big/" { Rollup_MX = true Rollup_MX_Name = big.example }\n'
        'Domain "big.example" { Outbound_Throttle_Messages = 5/1 }',
    )
    send_to_ten(sim, count=20)
    sim.run(10)
    assert sim.busiest([delivery.at for delivery in sim.deliveries], 1.0) <= 5
    assert len(sim.deliveries) >= 45


def test_it_counts_per_binding(simulate: Simulate) -> None:
    sim = at_one_host(simulate, ROLLED_UP + "Max_Outbound_Connections = 2\nBinding a { }\nBinding b { }")
    for binding in ("a", "b"):
        for number in range(5):
            sim.send(f"d{number}.example", binding=binding)
    sim.run(0.4)
    assert sim.counts["ip mx.big.example"] == 4


def test_whatever_else_is_set_for_a_domain_stays_its_own(simulate: Simulate) -> None:
    sim = at_one_host(
        simulate, ROLLED_UP + 'Max_Outbound_Connections = 2\nDomain "d1.example" { Suspend_Delivery = true }'
    )
    send_to_ten(sim)
    sim.run(20)
    assert {recipient.domain for recipient in sim.sent.values() if recipient.state == "queued"} == {
        "d1.example"
    }


@pytest.mark.parametrize(
    ("levels", "counted_once"),
    [
        ([["mx1.big.example", "mx2.big.example"]], True),
        ([["mx1.big.example"], ["backup.example"]], True),
        ([["mx1.big.example", "mx.small.example"]], False),
        ([["mx.small.example"], ["mx1.big.example"]], False),
    ],
)
def test_all_hosts_of_the_best_preference_must_agree(
    simulate: Simulate, levels: list[list[str]], counted_once: bool
) -> None:
    sim = simulate(
        'Host "/big/" { Rollup_MX = true }\nMax_Outbound_Connections = 1',
        route=lambda queue, now: plan_to(levels, now=now),
    )
    for host in (host for level in levels for host in level):
        sim.peers[host] = SimulatedPeer(transaction_s=1.0)
    send_to_ten(sim)
    sim.run(0.9)
    assert sim.peak["all"] == (1 if counted_once else 10)


def test_a_reload_takes_it_back(simulate: Simulate) -> None:
    sim = at_one_host(simulate, ROLLED_UP + "Max_Outbound_Connections = 1")
    send_to_ten(sim, count=20)
    sim.run(2)
    sim.scheduler.reconfigure(parse_config("Max_Outbound_Connections = 1"))
    sim.run(2)
    assert sim.counts["ip mx.big.example"] == 10


def test_a_reload_changes_the_throttle_that_is_shared(simulate: Simulate) -> None:
    text = ROLLED_UP + 'Domain "mx.big.example" { Outbound_Throttle_Messages = %d/1 }'
    sim = at_one_host(simulate, text % 1)
    send_to_ten(sim, count=20)
    sim.run(5)
    slow = len(sim.deliveries)
    sim.scheduler.reconfigure(parse_config(text % 50))
    sim.run(5)
    assert slow <= 6
    assert len(sim.deliveries) - slow >= 100
