"""Which limits a connection or a message falls under, as rules with the key that those who share them have in
common.
"""

from typing import NamedTuple, Protocol

from angarium.config.model import GlobalOptions, HostOptions, OutboundOptions
from angarium.config.values import SharedLimit, Throttle, Where
from angarium.core.records import QueueKey
from angarium.queue.limits import Limit
from angarium.queue.plan import RoutePlan


class Policy(Protocol):
    """What the scheduler asks the configuration; `config.model.Config` is one."""

    @property
    def globals(self) -> GlobalOptions: ...

    def outbound(self, binding: str, domain: str) -> OutboundOptions: ...

    def host(self, binding: str, domain: str, host: str) -> HostOptions: ...

    def where(
        self, option: str, *, binding: str | None = None, domain: str | None = None, host: str | None = None
    ) -> Where | None: ...


class Rule(NamedTuple):
    """One limit in force for a queue.

    *key* names the counter. *option* and *scope* say to people which limit it is; *where* may be None for a
    plain limit, whose place is looked up only on request (`explain`). *is_learnt*: a peer has set it
    (`crowding`), so that it is this worker's own, and not leased. *is_shared*: several queues have it. *stated* is the
    limit as the option has it, where *limit* is derived from that.
    """

    key: str
    limit: Limit
    option: str
    scope: str
    where: Where | None = None
    is_learnt: bool = False
    is_shared: bool = False
    stated: Limit | None = None


Rules = tuple[Rule, ...]


def counted_as(queue: QueueKey, plan: RoutePlan, config: Policy) -> QueueKey:
    """The queue whose limits hold for *queue*: its own, or the one that the hosts of *plan* are rolled up to.

    All hosts of the best preference must agree. Without a name that is the first of them, so that domains with the
    same MX set count as one.
    """
    hosts = sorted({address.host for address in plan.levels[0].addresses})
    options = [config.host(*queue, host) for host in hosts]
    names = {each.rollup_mx_name or hosts[0] if each.rollup_mx else queue.domain for each in options}
    return QueueKey(queue.binding, names.pop()) if len(names) == 1 else queue


def connection_rules(queue: QueueKey, options: OutboundOptions, options_of_all: GlobalOptions) -> Rules:
    """The limits that a new connection of *queue* falls under, whatever its address; rates last, slowest
    first.
    """
    rules = []
    if options.max_outbound_connections >= 0:
        rules.append(
            Rule(
                f"connections of {queue.binding} to {queue.domain}",
                Limit(options.max_outbound_connections, is_path=True),
                "Max_Outbound_Connections",
                f"{queue.binding}::{queue.domain}",
            )
        )
    rules += _shared("Scope_Max_Outbound_Connections", "", options.scope_max_outbound_connections)
    rules += _per_binding(queue.binding, options.server_max_outbound_connections)
    total = options_of_all.server_max_outbound_connections
    if total > 0:
        rules.append(
            Rule(
                "connections of the server",
                Limit(total),
                "Server_Max_Outbound_Connections",
                "global",
                is_shared=True,
            )
        )
    return (*rules, *_throttle("Outbound_Throttle_Connections", "", options.outbound_throttle_connections))


def message_rules(options: OutboundOptions) -> Rules:
    """The limits that each message of a queue falls under."""
    return _throttle("Outbound_Throttle_Messages", "", options.outbound_throttle_messages)


def opening_rules(message_rules: Rules) -> Rules:
    """What new connections fall under because of the limits on their messages: only so many may be without their first
    message as there are messages that may go soon. They are counted, whichever queues share the limits.
    """
    return tuple(
        rule._replace(
            key=f"connections for {rule.key}",
            limit=Limit(rule.limit.ahead),
            is_shared=False,
            stated=rule.limit,
        )
        for rule in message_rules
    )


def host_connection_rules(binding: str, host: str, ip: str, options: HostOptions) -> Rules:
    """The limits of a new connection to one address of *host*, on top of `connection_rules`."""
    rules: Rules = ()
    if options.max_outbound_connections >= 0:
        rules = (
            Rule(
                f"connections of {binding} to address {ip}",
                Limit(options.max_outbound_connections),
                "Max_Outbound_Connections",
                f"host {host}",
                is_shared=True,
            ),
        )
    shared = _shared("Scope_Max_Outbound_Connections", "host ", options.scope_max_outbound_connections)
    return (
        *rules,
        *shared,
        *_throttle("Outbound_Throttle_Connections", "host ", options.outbound_throttle_connections),
    )


def host_message_rules(options: HostOptions) -> Rules:
    """The limits of each message to one host, on top of `message_rules`."""
    return _throttle("Outbound_Throttle_Messages", "host ", options.outbound_throttle_messages)


def slowest_first(rules: Rules) -> Rules:
    """Order rules so that a quickly lapsing unit is asked for last."""
    return tuple(sorted(rules, key=lambda rule: -rule.limit.lease_s if rule.limit.is_rate else float("-inf")))


def _shared(option: str, what: str, shared: SharedLimit | None) -> Rules:
    if shared is None or shared.limit < 0:
        return ()
    key = f"{what}connections in {shared.scope}"
    return (Rule(key, Limit(shared.limit), option, shared.scope, shared.where, is_shared=True),)


def _per_binding(binding: str, most: int | None) -> Rules:
    """A binding's own total. Plain limits are by value: one set in the group holds for each binding by
    itself.
    """
    if most is None or most <= 0:
        return ()
    option = "Server_Max_Outbound_Connections"
    key = f"connections of binding {binding}"
    return (Rule(key, Limit(most), option, f"binding {binding}", is_shared=True),)


def _throttle(option: str, what: str, throttle: Throttle | None) -> Rules:
    if throttle is None or throttle.count <= 0:
        return ()
    limit = Limit(throttle.count, float(throttle.seconds))
    return (Rule(f"{what}{option} of {throttle.scope}", limit, option, throttle.scope, throttle.where),)
