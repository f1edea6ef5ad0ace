"""Why mail waits: each recipient under one cause, and each cause by what an operator needs to know of it."""

from collections.abc import Callable

import pytest

from angarium.core.reasons import HoldReason
from angarium.core.reply import Reply
from angarium.queue.causes import Silence
from angarium.queue.explain import Seen
from angarium.queue.plan import RouteFailure
from angarium.testing.simulation import REFUSED, SimulatedPeer, Simulation, plan_to

Simulate = Callable[..., Simulation]
GREYLISTED = Reply(451, "4.7.1", "greylisted")
SERVFAIL = Reply(451, "4.4.3", "[internal] DNS gives no answer about the mail hosts of x.example: SERVFAIL")


def causes(sim: Simulation) -> list[HoldReason]:
    return [reason for row in sim.scheduler.status(sim.now) for reason in row.held_by]


def by_kind(sim: Simulation) -> dict[str, HoldReason]:
    found = {reason.kind: reason for reason in causes(sim)}
    assert len(found) == len(causes(sim))
    return found


def test_mail_that_was_put_off_and_mail_that_waits_for_its_probe_are_two_causes(simulate: Simulate) -> None:
    sim = simulate("MX_Failures_To_Delay = 3\nHost_Failure_Retry = 10\nRetry_Interval = 160")
    sim.peers["x.example"] = SimulatedPeer(refuses=REFUSED)
    for _ in range(3):
        sim.send("x.example", count=5, tenant="old")
        sim.run(11)
    sim.send("x.example", count=7, tenant="new")
    sim.run(11)
    assert sim.states() == {"queued": 22}
    sim.send("x.example", count=4, tenant="newest")
    sim.run(1)
    found = by_kind(sim)
    assert (found["unreachable"].waiting, found["unreachable"].host) == (22, "x.example")
    assert (found["delayed"].waiting, found["delayed"].option) == (4, "MX_Failures_To_Delay")
    assert found["delayed"].text == "delayed after 4 failures in a row at x.example: connection refused"
    assert found["delayed"].where == "angarium.conf:1"


def test_the_nodes_own_limit_names_the_line_that_sets_it(simulate: Simulate) -> None:
    sim = simulate(
        "Retry_Interval = 50\nServer_Max_Outbound_Connections = 1\n"
        'Binding "other" { Server_Max_Outbound_Connections = 5 }'
    )
    sim.peers["a.example"] = SimulatedPeer(transaction_s=60)
    sim.send("a.example", count=3)
    sim.run(10)
    [held] = [reason for reason in causes(sim) if reason.kind == "limit"]
    assert (held.limit, held.scope, held.where) == ("1", "global", "angarium.conf:2")


def test_dns_that_fails_is_one_cause_whether_the_mail_was_tried_or_waits_for_the_next_answer(
    simulate: Simulate,
) -> None:
    sim = simulate("", route=lambda queue, now: RouteFailure(SERVFAIL, now + 60))
    sim.send("x.example", count=3)
    sim.run(1)
    sim.send("x.example", count=59)
    sim.run(1)
    [failing] = causes(sim)
    assert (failing.kind, failing.waiting, failing.option) == ("dns", 62, "DNS_Servers")
    assert failing.text == "DNS gives no answer about the mail hosts of x.example: SERVFAIL"
    assert failing.next_try is not None
    assert failing.last_try is not None
    assert failing.next_try < sim.now + 60 < failing.last_try


def test_what_a_peer_said_is_no_reason_for_a_missing_route(simulate: Simulate) -> None:
    """The plan has run out, and DNS is silent, while a session of before ends."""
    plans = [plan_to([["mx.x.example"]], now=0.0, lifetime_s=1.8e9 + 5)]
    sim = simulate("", route=lambda queue, now: plans.pop() if plans else RouteFailure(SERVFAIL, now + 60))
    slow = SimulatedPeer(transaction_s=9, answer=lambda recipient, now: ("transient", GREYLISTED))
    sim.peers["mx.x.example"] = slow
    sim.send("x.example")
    sim.run(6)
    sim.send("x.example", count=3)
    sim.run(1)
    sim.send("x.example", count=2)
    sim.run(5)
    found = by_kind(sim)
    assert found["dns"].waiting == 1  # the other is tried over the old session
    assert found["dns"].text == "DNS gives no answer about the mail hosts of x.example: SERVFAIL"


@pytest.mark.parametrize(
    ("reply", "option"),
    [
        ("mx.x.example has only IPv6 addresses, and Use_IPv6 is off", "Use_IPv6"),
        ("all addresses of the domain's hosts are in Skip_Hosts", "Skip_Hosts"),
        ("no host of the domain has an address", "Retry_Interval"),
    ],
)
def test_no_way_to_a_domain_names_the_option_that_closes_it(simulate, reply, option) -> None:
    failure = Reply(454, "4.4.4", f"[internal] {reply}")
    sim = simulate("", route=lambda queue, now: RouteFailure(failure, now + 300))
    sim.send("x.example", count=2)
    sim.run(1)
    [held] = causes(sim)
    assert (held.kind, held.option, held.text) == ("route", option, f"no route: {reply}")


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("[internal] STARTTLS required but not advertised", "TLS"),
        ("[internal] TLS negotiation failed: certificate has expired", "TLS"),
        ("[internal] TLS_Certificate of the client: expired on 2026-01-01", "TLS_Certificate"),
        ("[internal] AUTH PLAIN is configured but the peer offers no AUTH", "Outbound_SMTP_AUTH_Type"),
        ("[internal] Outbound_SMTP_AUTH_User is not set; name who logs in", "Outbound_SMTP_AUTH_User"),
        ("[internal] XCLIENT required but not advertised", "XCLIENT"),
        ("[internal] cannot connect: connection refused", "Host_Failure_Retry"),
        ("we want STARTTLS and AUTH first", "Host_Failure_Retry"),
    ],
)
def test_a_failure_that_an_option_of_ours_brings_about_names_it(simulate, words, option) -> None:
    sim = simulate("")
    sim.peers["x.example"] = SimulatedPeer(refuses=Reply(451, "4.7.6", words))
    sim.send("x.example", count=2)
    sim.run(1)
    sim.send("x.example")
    sim.run(1)
    found = by_kind(sim)
    assert (found["resting"].option, found["resting"].waiting) == (option, 1)
    expected = "Retry_Interval" if option == "Host_Failure_Retry" else option
    assert (found["unreachable"].option, found["unreachable"].waiting) == (expected, 2)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("cannot connect: too many open files", ""),
        ("cannot connect: cannot assign requested address", "Bind_Address"),
    ],
)
def test_a_failure_of_this_machine_names_the_binding_and_the_option_if_one_helps(
    simulate, words, option
) -> None:
    sim = simulate("")
    sim.peers["x.example"] = SimulatedPeer(refuses=Reply(451, "4.4.1", f"[internal] {words}"), fault="local")
    sim.send("x.example", count=2)
    sim.run(1)
    [held] = causes(sim)
    assert (held.kind, held.option, held.waiting) == ("local", option, 2)
    assert held.text == f"binding default cannot open connections here: {words}"


def test_a_silent_peer_is_named_with_what_is_awaited_of_it_and_since_when(simulate: Simulate) -> None:
    sim = simulate("Banner_Timeout = 100\nServer_Max_Outbound_Connections = 1")
    sim.peers["tarpit.example"] = SimulatedPeer(connect_s=1000)
    sim.send("tarpit.example", count=3)
    sim.run(1)
    sim.send("fast.example", count=2)
    sim.run(30)
    ((_, conn),) = sim.open
    silences = {conn: Silence("the banner", sim.now - 31, "Banner_Timeout", sim.now + 69)}
    tarpit, fast = (row.held_by[0] for row in sim.scheduler.status(sim.now, Seen(silences)))
    assert (tarpit.kind, tarpit.option, tarpit.where) == ("silent", "Banner_Timeout", "angarium.conf:1")
    assert (tarpit.host, tarpit.address) == ("tarpit.example", "tarpit.example:25")
    assert (tarpit.since, tarpit.next_try, tarpit.waiting) == (sim.now - 31, sim.now + 69, 3)
    assert tarpit.text == "silent at tarpit.example:25 (tarpit.example): the banner is awaited"
    assert fast.text == (
        "Server_Max_Outbound_Connections 1 of global; 1 of them with silent peers: "
        "tarpit.example:25 (tarpit.example)"
    )
    just_now = {conn: Silence("the banner", sim.now - 1, "Banner_Timeout", sim.now + 99)}
    assert sim.scheduler.status(sim.now, Seen(just_now))[0].held_by[0].kind == "moving"


def test_what_a_peer_said_is_told_with_its_host(simulate: Simulate) -> None:
    sim = simulate("", route=lambda queue, now: plan_to([["mx.x.example"]], now=now))
    sim.peers["mx.x.example"] = SimulatedPeer(answer=lambda recipient, now: ("transient", GREYLISTED))
    sim.send("x.example", count=3)
    sim.run(5)
    [held] = causes(sim)
    assert (held.kind, held.host, held.domains) == ("put_off", "mx.x.example", ["x.example"])
    assert held.text == "put off by mx.x.example: 451 4.7.1 greylisted"
