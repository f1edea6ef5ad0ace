"""What one host says is its own word: the next is asked, and only what all have said is said of the domain."""

from collections.abc import Callable

import pytest

from angarium.core.address import Address
from angarium.core.reply import Reply
from angarium.queue.commands import Fault
from angarium.queue.plan import Level, RoutePlan
from angarium.testing.simulation import REFUSED, SimulatedPeer, Simulation, plan_to

Simulate = Callable[..., Simulation]
LISTED = Reply(554, "5.7.1", "your address is on a list")
NO_MAIL = Reply(521, "5.3.2", "this host takes no mail")
NEVER = Reply(556, "5.1.10", "takes no mail")
HELO = Reply(550, "5.7.1", "I do not like your name")
BUSY = Reply(451, "4.3.2", "later")
NO_TLS = Reply(451, "4.7.6", "[internal] STARTTLS required but not advertised")
WRONG = Reply(535, "5.7.8", "wrong password")
NO_FILE = Reply(451, "4.7.5", "[internal] TLS_Key: no such file")
HANG_UP = Reply(421, "4.4.2", "[internal] connection lost while waiting for the banner")


def two_hosts(simulate: Simulate, text: str = "") -> Simulation:
    return simulate(text, route=lambda queue, now: plan_to([["best.example"], ["next.example"]], now=now))


def several_addresses(simulate: Simulate, text: str = "") -> Simulation:
    """One host with two addresses, and a worse one with one."""
    best = tuple(Address("best.example", ip, 25) for ip in ("127.0.0.1", "127.0.0.2"))
    levels = (Level(10, best), Level(20, (Address("next.example", "127.0.0.3", 25),)))
    return simulate(text, route=lambda queue, now: RoutePlan(levels, "ESMTP", "site", now + 3600, "a script"))


@pytest.mark.parametrize("word", [LISTED, NO_MAIL, NEVER, HELO, BUSY, REFUSED, HANG_UP], ids=str)
def test_the_next_host_is_asked_at_once(simulate: Simulate, word: Reply) -> None:
    sim = two_hosts(simulate)
    sim.peers["best.example"] = SimulatedPeer(refuses=word)
    (recipient,) = sim.send("x.example")
    sim.run(1)
    assert (recipient.state, recipient.attempts) == ("delivered", 1)
    assert [address.host for _, _, address in sim.opened] == ["best.example", "next.example"]


@pytest.mark.parametrize("word", [LISTED, NO_MAIL], ids=str)
def test_another_address_of_the_same_host_may_be_another_machine(simulate: Simulate, word: Reply) -> None:
    sim = several_addresses(simulate)
    sim.peers["127.0.0.1"] = SimulatedPeer(refuses=word)
    for _ in range(4):
        sim.send("x.example")
        sim.run(10)
    assert sim.states() == {"delivered": 4}
    assert {delivery.address.ip for delivery in sim.deliveries} == {"127.0.0.2"}


@pytest.mark.parametrize(
    ("best", "other", "state"),
    [
        (NO_MAIL, NO_MAIL, "bounced"),
        (NO_MAIL, NEVER, "bounced"),
        (NO_MAIL, LISTED, "queued"),
        (LISTED, NO_MAIL, "queued"),
        (LISTED, LISTED, "queued"),
        (BUSY, NO_MAIL, "queued"),
        (NO_MAIL, BUSY, "queued"),
        (REFUSED, NO_MAIL, "queued"),
        (NO_MAIL, REFUSED, "queued"),
        (HANG_UP, NO_MAIL, "queued"),
    ],
    ids=str,
)
def test_the_domain_takes_no_mail_only_if_all_its_hosts_say_so(
    simulate: Simulate, best: Reply, other: Reply, state: str
) -> None:
    sim = two_hosts(simulate)
    sim.peers["best.example"], sim.peers["next.example"] = (
        SimulatedPeer(refuses=best),
        SimulatedPeer(refuses=other),
    )
    (recipient,) = sim.send("x.example")
    sim.run(1)
    assert (recipient.state, recipient.attempts) == (state, 1)
    assert len(sim.opened) == 2


def test_what_a_host_said_to_another_queue_counts_as_well(simulate: Simulate) -> None:
    """It rests, and is not asked again for each domain."""
    sim = two_hosts(simulate)
    sim.peers["best.example"], sim.peers["next.example"] = (
        SimulatedPeer(refuses=BUSY),
        SimulatedPeer(refuses=NO_MAIL),
    )
    (first,) = sim.send("x.example")
    sim.run(1)
    sim.send("y.example")
    sim.run(1)
    assert (first.state, len(sim.opened)) == ("queued", 2)
    sim.peers["best.example"].refuses = None
    sim.run(130)
    assert sim.sent[next(key for key in sim.sent if key != first.key)].state == "delivered"


def test_one_who_takes_a_login_is_found_behind_one_who_does_not(simulate: Simulate) -> None:
    """A password that was refused is not tried on each address of that host: they ask the same accounts."""
    sim = several_addresses(simulate)
    for ip in ("127.0.0.1", "127.0.0.2"):
        sim.peers[ip] = SimulatedPeer(refuses=WRONG, fault="host", on_terms=True)
    (recipient,) = sim.send("x.example")
    sim.run(1)
    assert recipient.state == "delivered"
    assert [address.host for _, _, address in sim.opened] == ["best.example", "next.example"]


def test_no_login_is_a_reason_to_wait_and_never_bounces(simulate: Simulate) -> None:
    sim = several_addresses(simulate)
    for ip in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
        sim.peers[ip] = SimulatedPeer(refuses=WRONG, fault="host", on_terms=True)
    (recipient,) = sim.send("x.example")
    sim.run(60)
    assert (recipient.state, recipient.attempts, len(sim.opened)) == ("queued", 1, 2)


@pytest.mark.parametrize(
    ("word", "fault"), [(NO_TLS, "address"), (WRONG, "host"), (NO_FILE, "site")], ids=["tls", "login", "file"]
)
def test_what_one_domains_options_ask_for_is_not_missed_by_others(
    simulate: Simulate, word: Reply, fault: Fault
) -> None:
    sim = simulate(
        'Domain "strict.example" { Max_Deliveries_Per_Connection = 7 }',
        route=lambda queue, now: plan_to([["mx.example"]], now=now),
    )
    sim.peers["mx.example"] = SimulatedPeer(refuses=word, fault=fault, on_terms=True)
    (strict,) = sim.send("strict.example")
    sim.run(1)
    sim.peers["mx.example"].refuses = None
    (other,) = sim.send("other.example")
    (again,) = sim.send("strict.example")
    sim.run(5)
    assert (strict.state, other.state, again.state) == ("queued", "delivered", "queued")
    assert "resting" in str(next(row.hold for row in sim.scheduler.status(sim.now) if row.active))
    sim.run(130)
    assert again.state == "delivered"


def test_domains_with_the_same_options_need_not_find_it_out_each_by_itself(simulate: Simulate) -> None:
    sim = simulate(route=lambda queue, now: plan_to([["mx.example"]], now=now))
    sim.peers["mx.example"] = SimulatedPeer(refuses=NO_TLS, on_terms=True)
    for number in range(10):
        sim.send(f"d{number}.example")
        sim.run(1)
    assert len(sim.opened) == 1


@pytest.mark.parametrize("word", [Reply(421, "4.3.2", "shutting down"), HANG_UP], ids=str)
def test_a_session_that_ends_before_a_recipient_was_named_has_tried_nobody(
    simulate: Simulate, word: Reply
) -> None:
    sim = two_hosts(simulate)
    sim.peers["best.example"] = SimulatedPeer(takes=0, lets_in=True, too_many=word)
    recipients = sim.send("x.example", count=3)
    sim.run(2)
    assert {(recipient.state, recipient.attempts) for recipient in recipients} == {("delivered", 1)}
    assert {event.type for event in sim.events} == {"delivered"}


def test_such_a_session_everywhere_is_an_attempt(simulate: Simulate) -> None:
    sim = two_hosts(simulate)
    for host in ("best.example", "next.example"):
        sim.peers[host] = SimulatedPeer(takes=0, lets_in=True, too_many=Reply(421, "4.3.2", "shutting down"))
    recipients = sim.send("x.example", count=3)
    sim.run(2)
    assert {(recipient.state, recipient.attempts) for recipient in recipients} == {("queued", 1)}
    assert {event.type for event in sim.events} == {"delayed"}


def test_hosts_that_take_longer_to_fail_than_they_rest_do_not_keep_mail_for_ever(simulate: Simulate) -> None:
    """When the last has failed, the first may be tried again: all have failed all the same."""
    sim = two_hosts(simulate, "Host_Failure_Retry = 20")
    for host in ("best.example", "next.example"):
        sim.peers[host] = SimulatedPeer(refuses=REFUSED, connect_s=60)
    (recipient,) = sim.send("x.example")
    sim.run(121)
    assert (recipient.state, recipient.attempts) == ("queued", 1)
    assert len(sim.opened) == 2
