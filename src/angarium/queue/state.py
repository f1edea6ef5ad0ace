"""What the parts of the scheduler share: its records, the commands to give, and the queues to look at."""

from random import Random

from angarium.config.model import OutboundOptions
from angarium.core.records import Event, QueueKey, Recipient
from angarium.queue.alarms import Alarms
from angarium.queue.commands import Command, WriteEvents
from angarium.queue.leases import Holdings
from angarium.queue.plan import RoutePlan
from angarium.queue.queues import Holding, PooledConnection, Queue, Said, Site
from angarium.queue.shaping import (
    Policy,
    Rules,
    connection_rules,
    counted_as,
    message_rules,
    opening_rules,
    slowest_first,
)

LAST_REPLIES = 20_000
"""Queues of which the last reply is remembered while none of their mail is in memory."""


class State:
    """The records. *todo* are queues to advance, *freed* holdings whose waiting queues may go on. *paused* says
    why nothing is to begin, empty when it may.
    """

    def __init__(self, config: Policy, rng: Random, workers: int) -> None:
        self.config = config
        self.rng = rng
        self.generation = 0
        self.draining = False
        self.paused = ""
        self.commands: list[Command] = []
        self.queues: dict[tuple[str, str], Queue] = {}
        self.sites: dict[tuple[str, str, str], Site] = {}
        self.connections: dict[int, PooledConnection] = {}
        self.idle: dict[PooledConnection, None] = {}
        self.alarms: Alarms[Queue | PooledConnection | Holding] = Alarms()
        self.holdings = Holdings(self.emit, self.alarms.set, workers)
        self.todo: dict[Queue, None] = {}
        self.freed: dict[Holding, None] = {}
        self.last_replies: dict[tuple[str, str], Said] = {}
        self._record: WriteEvents | None = None

    # --- commands

    def emit(self, command: Command) -> None:
        """Add *command* to what is to be done."""
        self.commands.append(command)

    def apply(self, recipient: Recipient, event: Event) -> None:
        """Let *event* happen: applied to its recipient, and recorded with the others of this input."""
        record = self._record
        if record is None:
            record = self._record = WriteEvents([], [])
            self.commands.append(record)
        record.add(recipient, event)

    def take_commands(self) -> list[Command]:
        """Return, once, what is to be done, in order."""
        commands = self.commands[:]
        self.commands.clear()
        self._record = None
        return commands

    # --- queues

    def queue(self, binding: str, domain: str) -> Queue:
        """The queue of that name, made if it is not known."""
        queue = self.queues.get((binding, domain))
        if queue is None:
            queue = self.queues[binding, domain] = Queue(QueueKey(binding, domain))
            queue.last_reply = self.last_replies.pop((binding, domain), None)
            self.renew(queue)
        return queue

    def revisit(self, queue: Queue) -> None:
        """Look at *queue* again, unless it has been forgotten."""
        if self.queues.get(queue.key) is queue:
            self.todo[queue] = None

    def renew(self, queue: Queue) -> None:
        """Take over the configuration in force. If that changes anything, the route is forgotten."""
        options = self.config.outbound(*queue.key)
        known = queue.generation >= 0
        queue.generation = self.generation
        queue.plan = None
        if not known or options != queue.options:
            self.leave_site(queue)
            queue.options = options
        self._set_rules(queue)

    def rules(self, queue: Queue) -> Rules:
        """The limits on the connections of *queue*."""
        rules = queue.connection_rules
        if rules is None:
            limits = self._limits(queue)
            rules = slowest_first(connection_rules(queue.counted_as, limits, self.config.globals))
            queue.connection_rules = rules
        return rules

    def routed(self, queue: Queue, plan: RoutePlan) -> None:
        """*queue* goes by *plan* from now on, and falls under the limits that hold for that."""
        queue.plan = plan
        self.enter_site(queue, (queue.key.binding, plan.site, plan.method))
        counted = counted_as(queue.key, plan, self.config)
        if counted != queue.counted_as:
            queue.counted_as = counted
            self._set_rules(queue)

    def _set_rules(self, queue: Queue) -> None:
        queue.connection_rules = None
        queue.message_rules = slowest_first(message_rules(self._limits(queue)))
        queue.opening_rules = opening_rules(queue.message_rules)

    def _limits(self, queue: Queue) -> OutboundOptions:
        return self.config.outbound(*queue.counted_as) if queue.counted_as != queue.key else queue.options

    def forget(self, queue: Queue) -> None:
        """*queue* is empty: drop it, but for its last reply."""
        self.leave_site(queue)
        self.holdings.leave(queue)
        queue.alarm_at = float("inf")
        del self.queues[queue.key]
        if queue.last_reply is not None:
            self.last_replies[queue.key] = queue.last_reply
            if len(self.last_replies) > LAST_REPLIES:
                del self.last_replies[next(iter(self.last_replies))]

    # --- sites

    def enter_site(self, queue: Queue, key: tuple[str, str, str]) -> None:
        """*queue* leads to the site named *key* from now on."""
        site = self.sites.get(key)
        if site is None:
            site = self.sites[key] = Site(key, [], ({}, {}))
        if site is not queue.site:
            self.leave_site(queue)
            queue.site = site
            site.queues += 1

    def leave_site(self, queue: Queue) -> None:
        """*queue* leads nowhere until it is routed again."""
        site = queue.site
        if site is None:
            return
        queue.note_wants(-1)
        queue.site = None
        site.queues -= 1
        self.forget_site(site)

    def forget_site(self, site: Site) -> None:
        """Drop *site* if nothing leads or is connected to it."""
        if not site.queues and not site.load:
            self.sites.pop(site.key, None)
