"""A virtual world for the scheduler: its very code, with a clock that jumps and peers that follow a script.

Nothing here sleeps or opens a socket. A `Simulation` runs one or more schedulers that share one authority,
keeps what they settle, answers their commands after the delays that the script gives, and notes all that
happened.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, NamedTuple

from angarium.core.address import Address
from angarium.core.ids import MessageId
from angarium.core.records import (
    BULK,
    Attempt,
    Event,
    Flow,
    ForwardPath,
    Lane,
    Message,
    QueueKey,
    Recipient,
    Stage,
)
from angarium.core.reply import Reply
from angarium.queue.authority import Authority, Grant
from angarium.queue.commands import (
    Command,
    Connect,
    ConnectFailure,
    Deliver,
    Fault,
    GiveBack,
    Lease,
    PageIn,
    Quit,
    Resolve,
    Result,
    Settle,
    Verdict,
    WriteEvents,
)
from angarium.queue.plan import Level, RouteFailure, RoutePlan
from angarium.queue.scheduler import Scheduler
from angarium.queue.shaping import Policy
from angarium.testing.memory_store import MemoryStore

ACCEPTED = Reply(250, "2.0.0", "taken")
REFUSED = Reply(451, "4.4.1", "[internal] connection refused")
TOO_MANY = Reply(421, "4.7.0", "too many connections from your address")

Answer = tuple[Verdict, Reply]


@dataclass
class SimulatedPeer:
    """How one address behaves. Change its fields at any time.

    *refuses* is the failure of each new connection, None while it listens: 4.4.1 if there was none, another stands in
    the banner. With *takes*, further sessions than so many get *too_many*: as banner, or,
    with *lets_in*, to their first MAIL. *answer* judges each recipient. *hangs_up* ends the connection after each
    transaction, by its own fault unless *is_used_up*.
    *taken* counts its sessions. *goodbye_s* is how long the peer counts a session that has ended for us, *late_s* how
    long it does so when the connection is closed as well.
    """

    connect_s: float = 0.05
    goodbye_s: float = 0.0
    transaction_s: float = 0.05
    refuses: Reply | None = None
    fault: Fault = "address"
    on_terms: bool = False
    answer: Callable[[Recipient, float], Answer] = lambda recipient, now: ("delivered", ACCEPTED)
    hangs_up: bool = False
    is_used_up: bool = False
    takes: int = 1_000_000
    too_many: Reply = TOO_MANY
    lets_in: bool = False
    late_s: float = 0.0
    taken: int = 0

    def refusal(self) -> Reply | None:
        """What a further session is told."""
        if self.refuses is not None or self.lets_in:
            return self.refuses
        return self.too_many if self.taken >= self.takes else None

    def forget(self) -> None:
        """Count a session no longer."""
        self.taken -= 1


class Delivery(NamedTuple):
    """A recipient handed to a peer: when the transaction began, and on which connection of which worker."""

    at: float
    worker: int
    conn: int
    address: Address
    queue: QueueKey
    recipient: Recipient


def plan_to(
    levels: Iterable[Iterable[str]], *, now: float, lifetime_s: float = 3600.0, site: str = ""
) -> RoutePlan:
    """Make a plan from host names, best level first. A host's address is its name."""
    made = tuple(
        Level(10 * preference, tuple(Address(host, host, 25) for host in hosts))
        for preference, hosts in enumerate(levels, 1)
    )
    site = site or ",".join(address.host for level in made for address in level.addresses)
    return RoutePlan(made, "ESMTP", site, now + lifetime_s, "a script")


class Simulation:
    """Schedulers, a clock, peers. Feed it with `send`, let time pass with `run`, look at what it noted.

    *route* answers `Resolve`; by default each domain has one host of the same name. *peers* maps addresses
    (`ip`) to their behaviour; one that is not named accepts everything. *lease_s* is how long a word takes to the
    authority, and from it.
    """

    def __init__(
        self,
        config: Policy,
        *,
        workers: int = 1,
        seed: int = 0,
        start: float = 1_800_000_000.0,
        max_resident: int = 65_536,
        route: Callable[[QueueKey, float], RoutePlan | RouteFailure] | None = None,
    ) -> None:
        self.now = start
        self.rng = Random(seed)
        self.peers: dict[str, SimulatedPeer] = {}
        self.route = route or (lambda queue, now: plan_to([[queue.domain]], now=now))
        self.dns_s = self.page_s = self.settle_s = 0.01
        self.lease_s = 0.0
        self.authority = Authority()
        self.workers = [
            Scheduler(config, Random(seed + n), workers=workers, max_resident=max_resident)
            for n in range(workers)
        ]
        self.stores = [MemoryStore() for _ in range(workers)]
        self.events: list[Event] = []
        self.deliveries: list[Delivery] = []
        self.opened: list[tuple[float, QueueKey, Address]] = []
        self.open: dict[tuple[int, int], Connect] = {}
        self.counts: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()
        self.sent: dict[tuple[MessageId, int], Recipient] = {}
        self.owner: dict[tuple[MessageId, int], int] = {}
        self.refused: list[tuple[float, Address, Reply]] = []
        self._taken: dict[tuple[int, int], bool] = {}
        self._pages: dict[int, list[Recipient]] = {}
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._made = 0
        self._messages = 0

    @property
    def scheduler(self) -> Scheduler:
        """The first worker's."""
        return self.workers[0]

    # --- what a test does

    def mail(
        self,
        *domains: str,
        tenant: str = "a",
        lane: Lane = BULK,
        binding: str = "default",
        received_at: float | None = None,
    ) -> list[Recipient]:
        """Make one message with a recipient in each of *domains*, without sending it."""
        self._messages += 1
        at = self.now if received_at is None else received_at
        message_id = MessageId(self._messages.to_bytes(16, "big"))
        paths = tuple(
            ForwardPath(address=f"u{n}@{domain}", domain=domain) for n, domain in enumerate(domains)
        )
        message = Message(
            id=message_id,
            received_at=at,
            reverse_path="s@example.org",
            recipients=paths,
            binding=binding,
            lane=lane,
            tenant=tenant,
            trace=b"",
            body_size=1000,
        )
        return [Recipient(message, index, binding, path.domain) for index, path in enumerate(paths)]

    def send(
        self,
        *domains: str,
        count: int = 1,
        worker: int = 0,
        tenant: str = "a",
        lane: Lane = BULK,
        binding: str = "default",
    ) -> list[Recipient]:
        """Accept *count* messages, each with a recipient in each of *domains*."""
        everyone = []
        for _ in range(count):
            recipients = self.mail(*domains, tenant=tenant, lane=lane, binding=binding)
            everyone += recipients
            self.sent.update((recipient.key, recipient) for recipient in recipients)
            self.owner.update((recipient.key, worker) for recipient in recipients)
            self.workers[worker].add(recipients, self.now)
        self.obey(worker)
        return everyone

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Call *act* at *when*, in epoch seconds of the virtual clock."""
        self._made += 1
        heapq.heappush(self._agenda, (when, self._made, act))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while True:
            at = self.next_at()
            if at is None or at > end:
                break
            self.step()
        self.now = end

    def run_until_quiet(self, most_s: float = 1e9) -> None:
        """Let time pass until nothing is left to happen, at most *most_s*."""
        end = self.now + most_s
        while (at := self.next_at()) is not None and at <= end:
            self.step()

    def next_at(self) -> float | None:
        """When something happens next."""
        times = [at for scheduler in self.workers if (at := scheduler.wake_at) is not None]
        if self._agenda:
            times.append(self._agenda[0][0])
        return min(times, default=None)

    def step(self) -> None:
        """Let the next thing happen."""
        at = self.next_at()
        assert at is not None
        self.now = max(self.now, at)
        while self._agenda and self._agenda[0][0] <= self.now:
            heapq.heappop(self._agenda)[2]()
        for worker, scheduler in enumerate(self.workers):
            wake_at = scheduler.wake_at
            if wake_at is not None and wake_at <= self.now:
                scheduler.tick(self.now)
                self.obey(worker)

    # --- what it noted

    def states(self) -> Counter[str]:
        """How many of the recipients sent are in each state."""
        return Counter(recipient.state for recipient in self.sent.values())

    def on_their_way(self) -> list[tuple[MessageId, int]]:
        """Recipients taken out of a store and not yet given to its scheduler."""
        return [recipient.key for page in self._pages.values() for recipient in page]

    def busiest(self, times: Iterable[float], window_s: float) -> int:
        """The largest number of *times* in any half-open window of *window_s*."""
        ordered = sorted(times)
        first = most = 0
        for last, at in enumerate(ordered):
            while at - ordered[first] >= window_s - 1e-6:
                first += 1
            most = max(most, last - first + 1)
        return most

    # --- obeying

    def obey(self, worker: int) -> None:
        """Carry out a scheduler's commands. Only needed after calling the scheduler directly."""
        commands = self.workers[worker].take_commands()
        while commands:
            for command in commands:
                self._obey(worker, command)
            self._pass_on()
            commands = self.workers[worker].take_commands()

    def _obey(self, worker: int, command: Command) -> None:
        match command:
            case Resolve(queue):
                self._later(self.dns_s, worker, "resolved", queue, lambda: self.route(queue, self.now))
            case Connect():
                self._connect(worker, command)
            case Deliver(conn, queue, recipients):
                self._deliver(worker, conn, queue, recipients)
            case Quit(conn):
                self._gone(worker, conn)
            case PageIn(flow, limit):
                self._page(worker, flow, limit)
            case Settle(recipients):
                self._settle(worker, recipients)
            case WriteEvents(events, _):
                self.events += events
            case Lease() | GiveBack() if self.lease_s:
                self.at(self.now + self.lease_s, lambda: self._ask_authority(worker, command))
            case Lease() | GiveBack():
                self._ask_authority(worker, command)

    def _ask_authority(self, worker: int, command: Lease | GiveBack) -> None:
        key = command.key
        if isinstance(command, GiveBack):
            self.authority.release(worker, key, command.count)
        else:
            terms = (key, command.want, command.limit, self.now, command.rank)
            answer = (key, *self.authority.acquire(worker, *terms))
            left = self.authority.left(key)
            if self.lease_s:
                self.at(self.now + self.lease_s, lambda: self._granted(worker, *answer, left))
            else:
                self.workers[worker].granted(*answer, self.now, left)
        self._pass_on()

    def _later(self, delay_s: float, worker: int, method: str, *args: Any) -> None:
        def act() -> None:
            ready = [arg() if callable(arg) else arg for arg in args]
            getattr(self.workers[worker], method)(*ready, self.now)
            self.obey(worker)

        self.at(self.now + delay_s, act)

    def _pass_on(self) -> None:
        """Take what the authority has to say to the workers, each of which obeys in its turn."""
        for message in self.authority.take_messages():
            worker = message.holder
            assert isinstance(worker, int)
            if isinstance(message, Grant):
                answer = (message.key, message.units, None, self.authority.left(message.key))
                self.at(self.now + self.lease_s, partial(self._granted, worker, *answer))
            else:
                self._later(self.lease_s, worker, "recall", message.key, message.units, message.rank)

    def _granted(self, worker: int, key: str, count: int, retry_at: float | None, left: int) -> None:
        self.workers[worker].granted(key, count, retry_at, self.now, left)
        self.obey(worker)

    def _connect(self, worker: int, command: Connect) -> None:
        peer = self.peers.setdefault(command.address.ip, SimulatedPeer())
        self.opened.append((self.now, command.queue, command.address))
        self._count(worker, command, 1)

        def act() -> None:
            scheduler = self.workers[worker]
            refusal = peer.refusal()
            if refusal is None:
                peer.taken += 1
                self._taken[worker, command.conn] = peer.taken > peer.takes
                scheduler.opened(command.conn, self.now)
            else:
                stage: Stage = "connect" if refusal.enhanced == "4.4.1" else "banner"
                attempt = Attempt(
                    started_at=self.now, stage=stage, host=command.address.host, peer=str(command.address)
                )
                self.refused.append((self.now, command.address, refusal))
                failure = ConnectFailure(refusal, attempt, peer.fault, peer.on_terms)
                scheduler.connect_failed(command.conn, failure, self.now)
                self._gone(worker, command.conn)
            self.obey(worker)

        self.at(self.now + peer.connect_s, act)

    def _deliver(self, worker: int, conn: int, queue: QueueKey, recipients: list[Recipient]) -> None:
        connect = self.open[worker, conn]
        peer = self.peers[connect.address.ip]
        for recipient in recipients:
            delivery = Delivery(self.now, worker, conn, connect.address, queue, recipient)
            self.deliveries.append(delivery)

        def act() -> None:
            address, crowded = connect.address, self._taken[worker, conn]
            attempt = Attempt(
                started_at=self.now,
                stage="mail" if crowded else "final",
                host=address.host,
                peer=str(address),
            )
            if crowded:
                answers: list[tuple[Recipient, Verdict, Reply]] = [
                    (recipient, "transient", peer.too_many) for recipient in recipients
                ]
            else:
                answers = [(recipient, *peer.answer(recipient, self.now)) for recipient in recipients]
            lost = peer.hangs_up and not peer.is_used_up
            results = [
                Result(recipient, verdict, reply, attempt, crowded or (lost and verdict == "untried"))
                for recipient, verdict, reply in answers
            ]
            usable = not (peer.hangs_up or crowded) and all(
                verdict != "ambiguous" for _, verdict, _ in answers
            )
            self.workers[worker].finished(conn, results, usable, self.now)
            if not usable:
                self._gone(worker, conn)
            self.obey(worker)

        self.at(self.now + peer.transaction_s, act)

    def _page(self, worker: int, flow: Flow, limit: int) -> None:
        recipients = self.stores[worker].page(flow, self.now, limit)
        self._made += 1
        page = self._made
        self._pages[page] = recipients

        def act() -> None:
            del self._pages[page]
            self.workers[worker].paged(flow, recipients, self.now)
            self._tell(worker, {flow})
            self.obey(worker)

        self.at(self.now + self.page_s, act)

    def _settle(self, worker: int, recipients: list[Recipient]) -> None:
        changed = self.stores[worker].settle(recipients)

        def act() -> None:
            self._tell(worker, changed)
            self.obey(worker)

        self.at(self.now + self.settle_s, act)

    def _tell(self, worker: int, flows: set[Flow]) -> None:
        for flow in sorted(flows):
            self.workers[worker].flow_changed(flow, self.stores[worker].summary(flow), self.now)

    def _gone(self, worker: int, conn: int) -> None:
        """The connection is over for us; for its peer some time later."""
        connect = self.open[worker, conn]
        peer = self.peers[connect.address.ip]

        def end() -> None:
            if (worker, conn) in self._taken:
                del self._taken[worker, conn]
                self._forget(peer)
            self._count(worker, connect, -1)
            self.workers[worker].ended(conn, self.now)

        def act() -> None:
            end()
            self.obey(worker)

        if peer.goodbye_s:
            self.at(self.now + peer.goodbye_s, act)
        else:
            end()

    def _forget(self, peer: SimulatedPeer) -> None:
        if peer.late_s:
            self.at(self.now + peer.late_s, peer.forget)
        else:
            peer.forget()

    def _count(self, worker: int, connect: Connect, step: int) -> None:
        """Keep the number of connections, now and at most: in all, by queue, binding and address."""
        if step > 0:
            self.open[worker, connect.conn] = connect
        else:
            del self.open[worker, connect.conn]
        binding, domain = connect.queue
        for name in ("all", f"{binding} {domain}", f"binding {binding}", f"ip {connect.address.ip}"):
            self.counts[name] += step
            self.peak[name] = max(self.peak[name], self.counts[name])
