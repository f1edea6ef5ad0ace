"""Whatever comes in whatever order: nothing is lost, nothing is delivered twice, no limit is exceeded."""

from collections import Counter
from itertools import chain

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import to_builtins

from angarium.config.load import parse_config
from angarium.core.records import TERMINAL, Recipient
from angarium.core.reply import Reply
from angarium.engine.shown import describe_queue
from angarium.node.merge import Answers, merge_queues
from angarium.queue.causes import Silence
from angarium.queue.explain import Seen
from angarium.queue.states import may_happen
from angarium.spool.port import Selection
from angarium.testing.simulation import REFUSED, TOO_MANY, SimulatedPeer, Simulation, plan_to

CONFIGS = (
    "",
    "Max_Outbound_Connections = 1\nRetry_Interval = 50\nMax_Retries = 2",
    "Max_Outbound_Connections = 3\nServer_Max_Outbound_Connections = 2\nMax_Recipients_Per_Batch = 2",
    "Scope_Max_Outbound_Connections = 2\nOutbound_Throttle_Messages = 5/10\nMax_Resident_Active_Queue = 4",
    "Outbound_Throttle_Connections = 2/5\nMax_Deliveries_Per_Connection = 2\nAmbiguous_Delivery = hold",
    'Domain "a.example" { Suspend_Delivery = true }\nMessage_Expiration = 400\nRetry_Interval = 30',
    'Outbound_Throttle_Messages = 1/60\nHost "/example$/" { Outbound_Throttle_Messages = 3/100 }\nIdle_Timeout = 2',
    'Host "shared.example" { Max_Outbound_Connections = 1 }\nMX_Failures_To_Delay = 2\nHost_Failure_Retry = 5',
    'Host "/./" { Rollup_MX = true }\nDomain "mx.a.example" { Outbound_Throttle_Messages = 5/10 }',
)
DOMAINS = st.sampled_from(["a.example", "b.example", "c.example"])
ANSWERS = {
    "delivered": Reply(250, "2.0.0", "ok"),
    "transient": Reply(451, "4.3.0", "later"),
    "permanent": Reply(550, "5.1.1", "no"),
    "ambiguous": Reply(451, "4.4.2", "lost"),
    "untried": Reply(421, "4.3.2", "closing"),
}


class Interleavings(RuleBasedStateMachine):
    """Random inputs to two workers with one authority and randomly behaving peers."""

    @initialize(config=st.sampled_from(CONFIGS), seed=st.integers(0, 99), resident=st.sampled_from([5, 1000]))
    def begin(self, config: str, seed: int, resident: int) -> None:
        def route(queue, now):
            hosts = [["shared.example", f"mx.{queue.domain}"], ["backup.example"]]
            return plan_to(hosts if queue.domain != "c.example" else [["c.example"]], now=now, lifetime_s=60)

        self.config = parse_config(config)
        self.sim = Simulation(self.config, workers=2, seed=seed, max_resident=resident, route=route)
        self.gone: dict[object, Recipient] = {}
        self.seen = 0
        self.states = {}
        for host in ("shared.example", "mx.a.example", "mx.b.example", "backup.example", "c.example"):
            self.sim.peers[host] = SimulatedPeer(answer=self.answer)
        self.mood = ["delivered"]

    def answer(self, recipient, now):
        verdict = self.sim.rng.choice(self.mood)
        return verdict, ANSWERS[verdict]

    @rule(domain=DOMAINS, count=st.integers(1, 12), worker=st.integers(0, 1), lane=st.integers(0, 1))
    def send(self, domain, count, worker, lane):
        self.sim.send(domain, domain, count=count, worker=worker, lane=lane, tenant=f"s{count % 3}")

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.06, 1.0, 7.0, 130.0]))
    def pass_time(self, seconds):
        self.sim.run(seconds)

    @rule(mood=st.lists(st.sampled_from(sorted(ANSWERS)), min_size=1, max_size=3))
    def peers_change_their_mind(self, mood):
        self.mood = mood

    @rule(
        host=st.sampled_from(["shared.example", "mx.a.example", "backup.example", "c.example"]),
        up=st.booleans(),
    )
    def a_host_goes_or_comes(self, host, up):
        self.sim.peers[host].refuses = None if up else REFUSED

    @rule(
        fault=st.sampled_from(["address", "host", "site", "local"]),
        on_terms=st.booleans(),
        hangs_up=st.booleans(),
        goodbye_s=st.sampled_from([0.0, 0.5, 20.0]),
    )
    def hosts_behave_differently(self, fault, on_terms, hangs_up, goodbye_s):
        for peer in self.sim.peers.values():
            peer.fault, peer.on_terms, peer.hangs_up = fault, on_terms, hangs_up
            peer.goodbye_s = goodbye_s

    @rule(
        host=st.sampled_from(["shared.example", "backup.example", "c.example"]),
        takes=st.integers(0, 3),
        lets_in=st.booleans(),
        word=st.sampled_from([TOO_MANY, ANSWERS["transient"], ANSWERS["untried"]]),
    )
    def a_host_takes_only_so_many(self, host, takes, lets_in, word):
        peer = self.sim.peers[host]
        peer.takes, peer.lets_in, peer.too_many = takes, lets_in, word

    @rule(config=st.sampled_from(CONFIGS))
    def the_configuration_changes(self, config):
        self.config = parse_config(config)
        for worker, scheduler in enumerate(self.sim.workers):
            scheduler.reconfigure(self.config)
            self.sim.obey(worker)
        self.sim.run(0.0)

    @rule(domain=DOMAINS, worker=st.integers(0, 1))
    def an_operator_takes_a_domain_away(self, domain, worker):
        for recipient in self.sim.workers[worker].evict(Selection(domain=domain), self.sim.now):
            self.gone[recipient.key] = recipient
        self.sim.obey(worker)

    @rule(worker=st.integers(0, 1))
    def and_gives_it_back(self, worker):
        recipients = [r for r in self.gone.values() if self.owner(r) == worker]
        for recipient in recipients:
            del self.gone[recipient.key]
        self.sim.workers[worker].add(recipients, self.sim.now)
        self.sim.obey(worker)

    @rule(domain=DOMAINS)
    def an_operator_flushes(self, domain):
        for worker, scheduler in enumerate(self.sim.workers):
            scheduler.flush(Selection(domain=domain), self.sim.now)
            self.sim.obey(worker)

    def owner(self, recipient):
        return self.sim.owner[recipient.key]

    @invariant()
    def every_event_is_a_known_transition_and_counts_on(self):
        for event in self.sim.events[self.seen :]:
            before, seq = self.states.get((event.message, event.index), ("queued", 0))
            assert may_happen(before, event.type, event.state), (before, event)
            assert event.seq == seq + 1
            self.states[event.message, event.index] = (event.state, event.seq)
        self.seen = len(self.sim.events)

    @invariant()
    def each_recipient_is_in_one_place(self):
        places = Counter(list(self.gone))
        for scheduler, store in zip(self.sim.workers, self.sim.stores, strict=True):
            state = scheduler._state
            for queue in state.queues.values():
                places.update(recipient.key for recipient in queue.ready)
                assert queue.in_flight + len(queue.ready) == queue.resident
            for connection in state.connections.values():
                places.update(recipient.key for recipient in connection.batch)
            for rows in store.flows.values():
                places.update(recipient.key for _, _, recipient in rows)
            places.update(list(store.held))
        places.update(self.sim.on_their_way())
        live = {key for key, recipient in self.sim.sent.items() if recipient.state not in TERMINAL}
        assert places == Counter(live)

    @invariant()
    def connections_are_counted_as_they_are(self):
        for worker, scheduler in enumerate(self.sim.workers):
            state = scheduler._state
            assert set(state.connections) == {conn for owner, conn in self.sim.open if owner == worker}
            for holding in state.holdings.by_key.values():
                held = sum(
                    holding in connection.holdings + connection.claims
                    for connection in state.connections.values()
                )
                assert holding.used == held
                closing = [each for each in state.connections.values() if each.state == "closing"]
                assert holding.closing == sum(holding in connection.holdings for connection in closing)
                assert holding.free >= 0

    @invariant()
    def a_queue_with_mail_is_held_by_something_or_moves(self):
        for scheduler in self.sim.workers:
            for row in scheduler.status(self.sim.now):
                if row.active and not row.in_flight:
                    assert row.hold is not None, row

    @invariant()
    def each_waiting_recipient_is_under_one_cause_of_its_queue_and_of_the_node(self):
        said = [
            scheduler.status(self.sim.now, Seen(self.silences(n)))
            for n, scheduler in enumerate(self.sim.workers)
        ]
        for row in chain.from_iterable(said):
            waiting = row.active + row.stored + row.held
            assert sum(reason.waiting for reason in row.held_by) == waiting, row
            assert all(reason.waiting and reason.text and reason.domains for reason in row.held_by)
            assert len({reason.cause for reason in row.held_by}) == len(row.held_by)
        parts = {n: to_builtins([describe_queue(row) for row in rows]) for n, rows in enumerate(said)}
        for limit in (None, 1):
            totals = merge_queues(Answers(parts), limit).totals
            assert sum(reason.waiting for reason in totals.reasons) == totals.waiting
            assert len({reason.cause for reason in totals.reasons}) == len(totals.reasons)

    def silences(self, worker):
        """Every other connection has said nothing for a while."""
        connections = [conn for owner, conn in self.sim.open if owner == worker and conn % 2]
        return {
            conn: Silence("the banner", self.sim.now - conn, "Banner_Timeout", self.sim.now)
            for conn in connections
        }

    def teardown(self):
        """With peers that accept, everything that may go goes."""
        if not hasattr(self, "sim"):
            return
        self.mood = ["delivered"]
        for peer in self.sim.peers.values():
            peer.refuses, peer.hangs_up, peer.takes = None, False, 1000
        for worker in range(2):
            self.and_gives_it_back(worker)
            self.sim.workers[worker].reconfigure(parse_config(""))
        self.sim.run_until_quiet(most_s=3e6)
        self.each_recipient_is_in_one_place()
        left = [r for r in self.sim.sent.values() if r.state == "queued"]
        assert left == []
        for scheduler in self.sim.workers:
            assert not scheduler._state.queues
            assert not scheduler._state.holdings.by_key
            assert not scheduler._memory.residence.total


Interleavings.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.filter_too_much],
)
TestInterleavings = Interleavings.TestCase
