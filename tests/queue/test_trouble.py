"""Destinations that are down, operators' hands, reloads and stops."""

from collections.abc import Callable, Iterable
from random import Random

from angarium.config.load import parse_config
from angarium.core.records import BULK, Flow, FlowSummary, Recipient
from angarium.core.reply import Reply
from angarium.queue.commands import Connect, Deliver, PageIn, Resolve, Settle
from angarium.queue.plan import RouteFailure
from angarium.queue.scheduler import Scheduler
from angarium.queue.stored import RECHECK_S
from angarium.spool.port import Selection
from angarium.testing.simulation import ACCEPTED, REFUSED, Answer, SimulatedPeer, Simulation, plan_to

Simulate = Callable[..., Simulation]
GREETING = Reply(521, "5.3.2", "no mail here")


def hold(sim: Simulation) -> str:
    (row,) = sim.scheduler.status(sim.now)
    assert row.hold is not None
    return str(row.hold)


def test_a_dead_destination_is_probed_ever_more_rarely_and_counts_no_attempts(simulate: Simulate) -> None:
    sim = simulate("MX_Failures_To_Delay = 3\nHost_Failure_Retry = 10\nRetry_Interval = 160")
    sim.peers["x.example"] = SimulatedPeer(refuses=REFUSED)
    for _ in range(3):
        sim.send("x.example", count=5)
        sim.run(11)
    assert hold(sim) == (
        "put off: x.example could not be reached: connection refused (Retry_Interval, angarium.conf:3)"
    )
    attempts = [recipient.attempts for recipient in sim.sent.values()]
    probes = len(sim.opened)
    sim.send("x.example", count=500)
    sim.run(2000)
    assert 5 <= len(sim.opened) - probes <= 20
    assert sim.scheduler._memory.residence.total == 0
    assert [recipient.attempts for recipient in list(sim.sent.values())[:15]] == attempts
    sim.peers["x.example"].refuses = None
    sim.run(400)
    assert sim.states() == {"delivered": 515}


def test_a_dead_destination_with_a_million_stored_is_cheap() -> None:
    now, flow = 1.8e9, Flow("default", "x.example", BULK, "a")
    scheduler = Scheduler(parse_config("Host_Failure_Retry = 10"), Random(1))
    summary = FlowSummary(1_000_000, 0, now - 5, now - 5)
    sim = Simulation(parse_config(""))
    scheduler.flow_changed(flow, summary, now)
    seen = []
    sim.workers[0] = scheduler
    sim.peers["x.example"] = SimulatedPeer(refuses=REFUSED)
    sim.stores[0].summary = lambda flow: summary  # type: ignore[method-assign]
    sim.stores[0].page = lambda flow, now, limit: [sim.mail("x.example")[0] for _ in range(limit)]  # type: ignore[method-assign]
    sim.now = now
    sim.obey(0)
    for _ in range(24 * 60):
        sim.run(60)
        seen.append(scheduler._memory.residence.total)
    assert len(sim.opened) < 200
    assert max(seen) <= 5000
    assert len(sim.events) <= 5000


def test_a_hundred_thousand_small_queues_each_cost_little() -> None:
    sim = Simulation(parse_config(""))
    scheduler, now = sim.scheduler, sim.now
    for n in range(20_000):
        flow = Flow("default", f"d{n}.example", BULK, "a")
        scheduler.flow_changed(flow, FlowSummary(1, 0, now + 100 + n, now), now)
    assert not scheduler._state.queues
    wake_at = scheduler.wake_at
    assert wake_at == now + 100
    scheduler.tick(now + 100.5)
    assert [type(command) for command in scheduler.take_commands()] == [PageIn]
    assert len(scheduler._state.queues) == 1


def test_a_page_that_could_not_be_read_is_asked_for_again() -> None:
    """Although the store says nothing new: to it nothing has changed."""
    scheduler, now, flow = (
        Scheduler(parse_config(""), Random(1)),
        1.8e9,
        Flow("default", "x.example", BULK, "a"),
    )
    scheduler.flow_changed(flow, FlowSummary(5, 0, now - 5, now - 5), now)
    for attempt in range(3):
        assert scheduler.take_commands() == [PageIn(flow, 5)], attempt
        scheduler.paged(flow, [], now)
        assert scheduler.take_commands() == []
        now += RECHECK_S
        assert scheduler.wake_at == now
        scheduler.tick(now)


def test_no_route_for_now_counts_an_attempt_and_no_route_at_all_bounces(simulate: Simulate) -> None:
    answer = RouteFailure(Reply(451, "4.4.3", "[internal] DNS"), 0.0)
    sim = simulate(route=lambda queue, now: RouteFailure(answer.reply, now + 30))
    (recipient,) = sim.send("x.example")
    sim.run(1)
    assert (recipient.state, recipient.attempts) == ("queued", 1)
    sim = simulate(route=lambda queue, now: RouteFailure(Reply(550, "5.4.4", "null MX"), now + 30))
    (recipient,) = sim.send("x.example")
    sim.run(1)
    assert recipient.state == "bounced"


def test_a_greeting_that_says_never_bounces_and_another_refusal_does_not(simulate: Simulate) -> None:
    for reply, state in ((GREETING, "bounced"), (Reply(554, "5.7.1", "you are listed"), "queued")):
        sim = simulate()
        sim.peers["x.example"] = SimulatedPeer(refuses=reply, fault="site")
        (recipient,) = sim.send("x.example")
        sim.run(1)
        assert recipient.state == state


def test_a_failure_of_our_own_speaks_against_no_address(simulate: Simulate) -> None:
    sim = simulate()
    sim.peers["x.example"] = SimulatedPeer(refuses=Reply(451, "4.3.0", "no descriptors"), fault="local")
    (recipient,) = sim.send("x.example")
    sim.run(2)
    assert recipient.attempts == 0
    assert "binding default cannot open" in hold(sim)
    sim.peers["x.example"].refuses = None
    sim.run(5)
    assert recipient.state == "delivered"


def test_a_session_lost_before_anything_was_tried_leads_to_the_next_host(simulate: Simulate) -> None:
    sim = simulate(route=lambda queue, now: plan_to([["bad.example"], ["good.example"]], now=now))
    sim.peers["bad.example"] = SimulatedPeer(answer=lambda r, now: ("untried", REFUSED), hangs_up=True)
    (recipient,) = sim.send("x.example")
    sim.run(2)
    assert (recipient.state, recipient.attempts) == ("delivered", 1)


def test_hosts_that_accept_a_session_and_drop_it_do_not_keep_mail_for_ever(simulate: Simulate) -> None:
    sim = simulate("Message_Expiration = 3000\nRetry_Interval = 100")
    sim.peers["x.example"] = SimulatedPeer(answer=lambda r, now: ("untried", REFUSED), hangs_up=True)
    sim.send("x.example", count=3)
    sim.run(6000)
    assert sim.states() == {"expired": 3}
    assert len(sim.opened) < 100


def test_a_session_that_is_used_up_speaks_against_nobody(simulate: Simulate) -> None:
    """Whom it has not tried is tried at once, at the same host, also where nothing was delivered in it."""
    sim = simulate("Host_Failure_Retry = 600")
    answers: list[Answer] = [("untried", REFUSED), ("permanent", REFUSED), ("untried", REFUSED)]
    sim.peers["x.example"] = SimulatedPeer(
        answer=lambda recipient, now: answers.pop() if answers else ("delivered", ACCEPTED),
        hangs_up=True,
        is_used_up=True,
    )
    sim.send("x.example", count=2)
    sim.run(2)
    assert sim.states() == {"bounced": 1, "delivered": 1}
    assert {recipient.attempts for recipient in sim.sent.values()} == {1}


def test_an_ambiguous_recipient_is_held_where_that_is_set(simulate: Simulate) -> None:
    sim = simulate("Ambiguous_Delivery = hold")
    sim.peers["x.example"] = SimulatedPeer(answer=lambda r, now: ("ambiguous", REFUSED))
    sim.send("x.example")
    sim.run(100)
    assert sim.states() == {"held": 1}
    assert "held" in hold(sim)


def test_mail_behind_a_limit_still_expires(simulate: Simulate) -> None:
    sim = simulate("Outbound_Throttle_Messages = 1/3600\nMessage_Expiration = 7200")
    sim.send("x.example", count=100)
    sim.run(4 * 3600)
    assert sim.states()["expired"] >= 95
    assert not sim.states()["queued"]


def test_a_suspended_queue_leaves_memory_and_goes_on_after_a_reload(simulate: Simulate) -> None:
    sim = simulate('Domain "x.example" { Suspend_Delivery = true }')
    sim.send("x.example", count=10)
    sim.run(10)
    assert sim.scheduler._memory.residence.total == 0
    assert hold(sim) == "suspended (Suspend_Delivery, angarium.conf:1)"
    sim.scheduler.reconfigure(parse_config(""))
    sim.run(1)
    assert sim.states() == {"delivered": 10}


def test_a_reload_changes_limits_and_route_of_mail_that_waits(simulate: Simulate) -> None:
    hosts = ["old.example"]
    sim = simulate("Max_Outbound_Connections = 1", route=lambda queue, now: plan_to([hosts], now=now))
    sim.peers["old.example"] = SimulatedPeer(transaction_s=1.0)
    sim.send("x.example", count=50)
    sim.run(3)
    hosts[0] = "new.example"
    sim.scheduler.reconfigure(parse_config("Max_Outbound_Connections = 4"))
    sim.run(10)
    assert sim.states() == {"delivered": 50}
    assert sim.peak["ip old.example"] == 1
    assert sim.counts["ip old.example"] == 0
    assert 2 <= sim.peak["ip new.example"] <= 4


def test_a_drain_finishes_what_is_in_flight_and_begins_nothing(simulate: Simulate) -> None:
    sim = simulate("Max_Outbound_Connections = 2")
    sim.peers["x.example"] = SimulatedPeer(transaction_s=1.0)
    sim.send("x.example", count=10)
    sim.run(0.5)
    begun = len(sim.deliveries)
    sim.scheduler.drain(sim.now)
    sim.obey(0)
    sim.send("x.example")
    sim.run(10)
    assert len(sim.deliveries) == begun
    assert sim.states()["delivered"] == begun
    assert sim.counts["all"] == 0
    assert hold(sim) == "the node is stopping"


def test_while_paused_what_is_in_flight_ends_and_nothing_begins_until_it_goes_on(simulate: Simulate) -> None:
    sim = simulate("Max_Outbound_Connections = 2")
    sim.peers["x.example"] = SimulatedPeer(transaction_s=1.0)
    sim.send("x.example", count=10)
    sim.run(0.5)
    begun, opened = len(sim.deliveries), len(sim.opened)
    sim.scheduler.pause("the journal cannot be written", sim.now)
    sim.obey(0)
    sim.send("x.example")
    sim.send("y.example")
    sim.run(30)
    assert (len(sim.deliveries), len(sim.opened)) == (begun, opened)
    assert sim.states()["delivered"] == begun
    rows = sim.scheduler.status(sim.now)
    assert [row.queue.domain for row in rows] == ["x.example", "y.example"]
    assert {str(row.hold) for row in rows} == {"delivery pauses: the journal cannot be written"}
    sim.scheduler.pause(None, sim.now)
    sim.obey(0)
    sim.run(30)
    assert sim.states() == {"delivered": 12}


def test_stored_mail_that_became_due_in_a_pause_is_read_when_it_ends(simulate: Simulate) -> None:
    sim = simulate("Retry_Interval = 60")
    sim.peers["x.example"] = SimulatedPeer(answer=lambda recipient, now: ("transient", REFUSED))
    sim.send("x.example", count=5)
    sim.run(2)
    sim.scheduler.pause("a reason", sim.now)
    sim.peers["x.example"].answer = SimulatedPeer().answer
    sim.run(300)
    assert sim.states() == {"queued": 5}
    assert hold(sim) == "delivery pauses: a reason"
    sim.scheduler.pause(None, sim.now)
    sim.obey(0)
    sim.run(2)
    assert sim.states() == {"delivered": 5}


def test_evicting_takes_what_matches_and_leaves_what_is_in_flight(simulate: Simulate) -> None:
    sim = simulate("Max_Outbound_Connections = 1")
    sim.peers["x.example"] = SimulatedPeer(transaction_s=1.0)
    sent = sim.send("x.example", count=5)
    sim.send("y.example", count=2)
    sim.run(0.5)
    one = sim.scheduler.evict(Selection(message=sent[3].message.id), sim.now)
    assert one == [sent[3]]
    rest = sim.scheduler.evict(Selection(domain="x.example", binding="default"), sim.now)
    assert rest == [sent[1], sent[2], sent[4]]
    assert sim.scheduler.evict(Selection(state="held"), sim.now) == []
    sim.run(5)
    assert sim.states() == {"delivered": 3, "queued": 4}


def test_a_flush_tries_resting_addresses_at_once(simulate: Simulate) -> None:
    sim = simulate("Host_Failure_Retry = 1000")
    sim.peers["x.example"] = SimulatedPeer(refuses=REFUSED)
    sim.send("x.example")
    sim.run(1)
    sim.peers["x.example"].refuses = None
    (later,) = sim.send("x.example")
    sim.run(1)
    assert hold(sim).startswith("all addresses of x.example are resting: connection refused")
    sim.scheduler.flush(Selection(domain="x.example"), sim.now)
    sim.obey(0)
    sim.run(1)
    assert later.state == "delivered"


def test_a_throttle_is_named_with_its_scope_and_place(simulate: Simulate) -> None:
    sim = simulate('Binding_Group g {\n Outbound_Throttle_Messages = "1/100"\n Binding b { }\n}')
    sim.send("x.example", count=3, binding="b")
    sim.run(5)
    assert "Outbound_Throttle_Messages 1/100 of " in hold(sim)
    assert hold(sim).endswith("(angarium.conf:2)")


def test_a_limit_on_connections_is_named_with_its_place(simulate: Simulate) -> None:
    sim = simulate('\nDomain "x.example" {\n Max_Outbound_Connections = 1\n}')
    sim.peers["x.example"] = SimulatedPeer(transaction_s=100.0)
    sim.send("x.example", count=5)
    sim.run(5)
    assert hold(sim) == "Max_Outbound_Connections 1 of default::x.example (angarium.conf:3)"


def test_mail_that_is_not_due_or_does_not_fit_is_settled(simulate: Simulate) -> None:
    sim = simulate("Max_Resident_Active_Queue = 3")
    early = sim.mail("x.example")
    early[0].due_at = sim.now + 100
    crowd: Iterable[Recipient] = [sim.mail("x.example")[0] for _ in range(5)]
    sim.scheduler.add([*early, *crowd], sim.now)
    commands = sim.scheduler.take_commands()
    settled = [r for command in commands if isinstance(command, Settle) for r in command.recipients]
    assert early[0] in settled
    assert len(settled) == 3
    assert [type(command) for command in commands if not isinstance(command, Settle)] == [Resolve]


def test_answers_about_connections_that_are_gone_are_ignored(simulate: Simulate) -> None:
    sim = simulate("Idle_Timeout = 1")
    sim.send("x.example")
    sim.run(5)
    sim.scheduler.closed(1, sim.now)
    sim.scheduler.opened(1, sim.now)
    sim.scheduler.finished(1, [], True, sim.now)
    assert sim.scheduler.take_commands() == []


def test_a_peer_that_ends_an_idle_connection_is_noticed(simulate: Simulate) -> None:
    sim = simulate()
    sim.send("x.example")
    sim.run(1)
    sim.scheduler.closed(1, sim.now)
    sim.open.clear()
    sim.scheduler.add(sim.mail("x.example"), sim.now)
    commands = sim.scheduler.take_commands()
    assert not [command for command in commands if isinstance(command, Deliver)]
    assert [command for command in commands if isinstance(command, Connect | Resolve)]
