"""What DNS said is used while it holds, but not after all it led to has failed, nor against an operator's word."""

from collections.abc import Callable

from angarium.core.records import QueueKey
from angarium.core.reply import Reply
from angarium.queue.commands import Resolve
from angarium.queue.plan import RouteFailure, RoutePlan
from angarium.spool.port import Selection
from angarium.testing.simulation import REFUSED, SimulatedPeer, Simulation, plan_to

Simulate = Callable[..., Simulation]
SILENT = RouteFailure(Reply(451, "4.4.3", "[internal] DNS gives no answer"), 0.0)
DAY_S = 86_400.0


class Dns:
    """Says where each domain is, for a day, and counts who asks."""

    def __init__(self, host: str) -> None:
        self.host: str | None = host
        self.asked: list[float] = []

    def __call__(self, queue: QueueKey, now: float) -> RoutePlan | RouteFailure:
        self.asked.append(now)
        if self.host is None:
            return RouteFailure(SILENT.reply, now + 60)
        return plan_to([[self.host]], now=now, lifetime_s=DAY_S)


def test_a_plan_whose_addresses_have_all_failed_is_asked_for_anew_long_before_it_ends(
    simulate: Simulate,
) -> None:
    dns = Dns("old.example")
    sim = simulate("Retry_Interval = 600", route=dns)
    sim.peers["old.example"] = SimulatedPeer(refuses=REFUSED)
    (recipient,) = sim.send("x.example")
    sim.run(5)
    dns.host = "new.example"
    sim.run(2000)
    assert recipient.state == "delivered"
    assert len(dns.asked) == 2


def test_mail_that_comes_while_the_old_address_rests_leaves_at_once_by_the_new_one(
    simulate: Simulate,
) -> None:
    dns = Dns("old.example")
    sim = simulate("Retry_Interval = 600\nHost_Failure_Retry = 300", route=dns)
    sim.peers["old.example"] = SimulatedPeer(refuses=REFUSED)
    sim.send("x.example")
    sim.run(5)
    dns.host = "new.example"
    (second,) = sim.send("x.example")
    sim.run(5)
    assert second.state == "delivered"


def test_a_destination_that_stays_down_is_asked_about_once_for_each_time_that_it_fails(
    simulate: Simulate,
) -> None:
    dns = Dns("old.example")
    sim = simulate("Retry_Interval = 100\nHost_Failure_Retry = 10", route=dns)
    sim.peers["old.example"] = SimulatedPeer(refuses=REFUSED)
    sim.send("x.example", count=20)
    sim.run(3600)
    assert 2 < len(dns.asked) <= len(sim.opened)


def test_while_one_address_works_nothing_is_asked(simulate: Simulate) -> None:
    asked: list[float] = []

    def route(queue: QueueKey, now: float) -> RoutePlan:
        asked.append(now)
        return plan_to([["bad.example"], ["good.example"]], now=now, lifetime_s=DAY_S)

    sim = simulate("Max_Deliveries_Per_Connection = 1\nMax_Outbound_Connections = 1", route=route)
    sim.peers["bad.example"] = SimulatedPeer(refuses=REFUSED)
    sim.send("x.example", count=5)
    sim.run(60)
    assert len(sim.opened) == 6
    assert sim.states() == {"delivered": 5}
    assert len(asked) == 1


def test_an_operator_has_the_way_looked_up_before_anything_is_tried(simulate: Simulate) -> None:
    dns = Dns("old.example")
    sim = simulate(route=dns)
    sim.send("x.example", count=2)
    sim.run(5)
    dns.host = "new.example"
    sim.scheduler.ask_anew({"x.example"}, sim.now)
    sim.scheduler.flush(Selection(domain="x.example"), sim.now)
    sim.run(60)  # the idle connection has ended
    sim.send("x.example")
    sim.run(5)
    assert [address.host for _, _, address in sim.opened] == ["old.example", "new.example"]


def test_the_resolver_is_told_how_new_its_answers_must_be(simulate: Simulate) -> None:
    sim = simulate()
    for domain in ("x.example", "y.example"):
        sim.peers[domain] = SimulatedPeer(transaction_s=100.0)
        sim.send(domain)
    sim.run(5)
    sim.scheduler.ask_anew({"x.example"}, sim.now)
    for domain in ("x.example", "y.example"):
        sim.scheduler.add(sim.mail(domain), sim.now)
    asked = [command for command in sim.scheduler.take_commands() if isinstance(command, Resolve)]
    assert asked == [Resolve(QueueKey("default", "x.example"), sim.now)]


def test_silence_of_dns_does_not_take_a_plan_away_that_still_holds(simulate: Simulate) -> None:
    dns = Dns("good.example")
    sim = simulate("Idle_Timeout = 1", route=dns)
    sim.send("x.example", count=2)
    sim.run(0.02)
    dns.host = None
    sim.scheduler.ask_anew((), sim.now)
    sim.obey(0)
    sim.run(5)
    assert sim.states() == {"delivered": 2}


def test_an_answer_that_was_under_way_when_dns_was_to_be_asked_anew_bounces_nothing(
    simulate: Simulate,
) -> None:
    answers = [RouteFailure(Reply(554, "5.4.4", "the domain does not exist"), 0.0)]
    sim = simulate(route=lambda queue, now: answers.pop() if answers else plan_to([["a.example"]], now=now))
    sim.dns_s = 2.0
    (recipient,) = sim.send("x.example")
    sim.run(1)
    sim.scheduler.ask_anew({"x.example"}, sim.now)
    sim.run(10)
    assert answers == []
    assert recipient.state == "delivered"
