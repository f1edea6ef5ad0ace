"""What holds mail: that which is due, by what its queue waits for; that which was put off, by what was said of it last.

Changes nothing.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from angarium.config.model import OutboundOptions
from angarium.config.values import Where
from angarium.core.reasons import HoldReason, Kind
from angarium.core.records import Event, QueueKey
from angarium.core.reply import Reply
from angarium.queue.plan import DNS_SILENT
from angarium.queue.queues import Holding, PooledConnection, Queue, Said
from angarium.queue.reachability import Reachability
from angarium.queue.shaping import Rule
from angarium.queue.state import State

SILENT_S = 5.0
"""A peer that has said nothing for so long is named; before that it is only taking its time."""

_NO_SESSION = ("connect", "banner", "ehlo", "tls", "auth", "xclient")
"""Stages of an attempt in which there was no session for mail."""
_ROUTING = frozenset((DNS_SILENT, "4.4.4", "4.4.6"))
_REMEDIES = (
    (
        re.compile(
            r"\b(?:Use_IPv6|Skip_Hosts|Prohibited_Hosts|Outbound_SMTP_AUTH_(?:User|Pass_File|Pass))\b"
        ),
        "",
    ),
    (re.compile(r"\bTLS_(?:Certificate|Key|CA|Ciphers)\b"), ""),
    (re.compile(r"\b(?:STARTTLS|TLS|certificate)\b"), "TLS"),
    (re.compile(r"\bXCLIENT\b"), "XCLIENT"),
    (re.compile(r"\bAUTH\b"), "Outbound_SMTP_AUTH_Type"),
)
"""What our own words speak of, and the option that would change it; the one that they name where none is given."""


class Silence(NamedTuple):
    """What is awaited of a peer, in words, and since when; the option that ends the wait, and when it does."""

    awaited: str
    since: float
    option: str
    until: float


Silences = Mapping[int, Silence]
"""By connection; of those whose peer is waited for."""


class Causes:
    """Finds them for one look at the scheduler's records, at *now*."""

    def __init__(self, state: State, reachability: Reachability, silences: Silences, now: float) -> None:
        self._state = state
        self._reachability = reachability
        self._silences = silences
        self._now = now
        self._places: dict[tuple[str, int], tuple[OutboundOptions, str]] = {}
        self._of_queue: dict[Queue, list[PooledConnection]] = {}
        self._of_holding: dict[Holding, list[PooledConnection]] = {}
        for connection in state.connections.values():
            self._of_queue.setdefault(connection.queue, []).append(connection)
            if self._is_silent(connection):
                for holding in connection.holdings:
                    self._of_holding.setdefault(holding, []).append(connection)

    def connections(self, queue: Queue) -> list[PooledConnection]:
        """Those of *queue*."""
        return self._of_queue.get(queue, [])

    # -- mail that is due

    def of_unknown(self, key: QueueKey) -> HoldReason:
        """What holds due mail of a queue none of which is in memory."""
        if self._state.config.outbound(*key).suspend_delivery:
            return self.suspended(key)
        return self._paused(key) if self._state.paused else self._moving(key, "due", "is about to be tried")

    def of_due(self, queue: Queue) -> HoldReason:
        """What holds the due mail of *queue*."""
        kind, key = queue.hold, queue.key
        if self._state.paused:
            return self._paused(key)
        if queue.options.suspend_delivery:
            return self.suspended(key)
        if kind == "limit":
            return self._limit(queue)
        if kind == "delayed" or (not kind and queue.delayed_until is not None):
            return self._delayed(queue)
        if kind == "resting":
            return self._resting(queue)
        if kind == "local":
            return self._local(queue)
        if kind == "route":
            return self._no_route(queue)
        if kind == "memory":
            return self._reason(key, "memory", "Max_Resident_Messages", detail="memory is full")
        if kind == "draining":
            return self._reason(key, "draining")
        if kind == "resolving":
            return self._resolving(queue)
        if kind == "connecting" or kind == "busy":
            return self._under_way(queue)
        if not kind and queue.due and queue.resident:
            return self._share_in_use(queue)
        return self._moving(key, kind or "due", _PASSING.get(kind, "is about to be tried"))

    def suspended(self, key: QueueKey) -> HoldReason:
        """`Suspend_Delivery`."""
        return self._reason(key, "suspended", "Suspend_Delivery")

    def delivering(self, connection: PooledConnection) -> HoldReason:
        """What a recipient that *connection* has waits for."""
        silence = self._silences.get(connection.id)
        option = silence.option if silence is not None else ""
        made = self._reason(connection.queue.key, "delivering", option)
        return replace(
            made,
            host=connection.address.host,
            address=str(connection.address),
            detail=silence.awaited if silence is not None else "",
            since=silence.since if silence is not None else connection.busy_since,
        )

    # -- mail that was set aside

    def held(self, key: QueueKey, event: Event | None = None, *, is_feedback: bool = False) -> HoldReason:
        """Why mail is held whose last event was *event*, None if that is not known."""
        if is_feedback:
            return self._reason(key, "held_feedback")
        if event is None or event.type not in ("ambiguous", "intent"):
            return replace(self._reason(key, "held"), since=event.at if event is not None else None)
        made = self._reason(key, "held_ambiguous", "Ambiguous_Delivery", said=said_in(event))
        return replace(made, since=event.at)

    def _paused(self, key: QueueKey) -> HoldReason:
        return self._reason(key, "paused", detail=self._state.paused)

    def _moving(self, key: QueueKey, what: str, detail: str) -> HoldReason:
        return self._reason(key, "moving", scope=what, detail=detail)

    def _resolving(self, queue: Queue) -> HoldReason:
        if self._now - queue.asked_at < SILENT_S:
            return self._moving(queue.key, "resolving", "not resolved yet")
        return replace(self._reason(queue.key, "dns", "DNS_Servers"), since=queue.asked_at)

    def _under_way(self, queue: Queue) -> HoldReason:
        """Connections are being opened, or at work: which is no news unless a peer is silent."""
        silent = [each for each in self.connections(queue) if self._is_silent(each)]
        if not silent:
            words = "{0.opening} being opened" if queue.hold == "connecting" else "{0.open} at work"
            return self._moving(queue.key, queue.hold, f"waits for its connections, {words.format(queue)}")
        longest = min(silent, key=lambda each: self._silences[each.id].since)
        silence = self._silences[longest.id]
        made = self._reason(
            queue.key, "silent", silence.option, host=longest.address.host, detail=silence.awaited
        )
        until = silence.until
        return replace(made, address=_place(longest), since=silence.since, next_try=until, last_try=until)

    def _is_silent(self, connection: PooledConnection) -> bool:
        silence = self._silences.get(connection.id)
        return silence is not None and self._now - silence.since >= SILENT_S

    def _no_route(self, queue: Queue) -> HoldReason:
        said = queue.no_route
        kind: Kind = "dns" if said is not None and said.reply.enhanced == DNS_SILENT else "route"
        option = "DNS_Servers" if kind == "dns" or said is None else _remedy(said.reply, "Retry_Interval")
        made = self._reason(queue.key, kind, option, said=said)
        return replace(made, next_try=queue.route_retry_at, last_try=queue.route_retry_at)

    def _share_in_use(self, queue: Queue) -> HoldReason:
        share = queue.options.max_resident_active_queue
        text = f"its share of memory, {share} recipients, is in use; more come as these leave"
        return self._reason(queue.key, "memory", "Max_Resident_Active_Queue", detail=text)

    def _limit(self, queue: Queue) -> HoldReason:
        if not queue.waits_for:
            return self._moving(queue.key, "limit", "a limit on messages is asked for")
        holding = queue.waits_for[-1]
        rule = holding.rule
        if rule.is_learnt:
            return self._crowded(queue, rule)
        made = self._reason(
            queue.key, "limit", rule.option, scope=rule.scope, detail=self._detail(queue, holding)
        )
        until = holding.retry_at if rule.limit.is_rate and holding.retry_at else None
        return replace(
            made,
            where=self._where_of(queue, rule),
            limit=str(rule.stated or rule.limit),
            next_try=until,
            last_try=until,
        )

    def _where_of(self, queue: Queue, rule: Rule) -> str:
        """Where a limit was set. The node's own is looked up by itself: a binding's option has the same name."""
        if rule.where is not None:
            return str(rule.where)
        if rule.scope == "global":
            return _text(self._state.config.where(rule.option))
        if rule.scope.startswith("host "):
            host = rule.scope.removeprefix("host ")
            binding, domain = queue.counted_as
            return _text(self._state.config.where(rule.option, binding=binding, domain=domain, host=host))
        return self._where(rule.option, queue.counted_as)

    def _detail(self, queue: Queue, holding: Holding) -> str:
        rule = holding.rule
        words = []
        if rule.stated is not None:
            words.append("as many connections as it lets messages pass soon are open for them already")
        if holding.closing:
            words.append(f"{holding.closing} of them said goodbye and are not closed yet")
        left = holding.left_by(holding.waits_as(queue))
        if left:
            whom = (
                "kept for transactional mail" if rule.limit.is_path else "left to queues without a connection"
            )
            words.append(f"{left} of them are {whom}")
        silent = self._of_holding.get(holding, [])
        if silent:
            peers = ", ".join(dict.fromkeys(f"{_place(each)} ({each.address.host})" for each in silent[:3]))
            words.append(f"{len(silent)} of them with silent peers: {peers}")
        return "; ".join(words)

    def _crowded(self, queue: Queue, rule: Rule) -> HoldReason:
        """An address takes no more sessions, or none of ours for now."""
        made = self._reason(queue.key, "crowded", address=rule.scope)
        for address in self._reachability.addresses(queue):
            crowd = self._reachability.crowding.known(queue.key.binding, address)
            if crowd is not None and crowd.rule.key == rule.key:
                return replace(
                    made,
                    host=address.host,
                    limit=str(crowd.most or ""),
                    reply=str(crowd.reply),
                    reply_at=crowd.refused_at,
                    next_try=crowd.more_at,
                    last_try=crowd.more_at,
                )
        return made

    def _delayed(self, queue: Queue) -> HoldReason:
        option = "MX_Failures_To_Delay"
        if not 0 < queue.options.mx_failures_to_delay <= queue.failures:
            option = "Connect_Timeout_To_Delay"
        made = self._reason(
            queue.key, "delayed", option, said=queue.last_reply, detail=f"{queue.failures} failures in a row"
        )
        until = queue.delayed_until or None
        return replace(made, since=queue.failing_since, next_try=until, last_try=until)

    def _resting(self, queue: Queue) -> HoldReason:
        addresses = list(self._reachability.addresses(queue))
        found = [(a, self._reachability.resting(queue, a, self._now)) for a in addresses]
        rests = [(address, rest) for address, rest in found if rest is not None]
        hosts = _hosts(address.host for address in addresses)
        if not rests:
            return self._reason(queue.key, "resting", "Host_Failure_Retry", host=hosts)
        address, last = max(rests, key=lambda each: each[1].since)
        made = self._reason(queue.key, "resting", _remedy(last.reply, "Host_Failure_Retry"), host=hosts)
        until = min(rest.until for _, rest in rests)
        return replace(
            made,
            address=str(address) if len(rests) == 1 else "",
            reply=str(last.reply),
            reply_at=last.since,
            since=min(rest.since for _, rest in rests),
            next_try=until,
            last_try=until,
        )

    def _local(self, queue: Queue) -> HoldReason:
        rest = self._reachability.local_rest(queue, self._now)
        has_run_out = rest is not None and "too many open files" in rest.reply.text
        made = self._reason(queue.key, "local", "" if has_run_out else "Bind_Address")
        if rest is None:
            return made
        return replace(
            made, reply=str(rest.reply), reply_at=rest.since, next_try=rest.until, last_try=rest.until
        )

    # -- mail that was put off

    def of_event(self, key: QueueKey, event: Event | None) -> HoldReason:
        """Why mail waits for its time whose last event was *event*, None if there was none."""
        if event is None:
            return self._reason(key, "scheduled")
        made = self.of_put_off(key, said_in(event), is_ambiguous=event.type == "ambiguous")
        return replace(made, since=event.at)

    def of_put_off(self, key: QueueKey, said: Said | None, is_ambiguous: bool = False) -> HoldReason:
        """Why mail waits of which *said* was said last, None if nothing is known to have been."""
        if said is None or said.reply.code < 300:
            return self._reason(key, "put_off", "Retry_Interval")
        reply = said.reply
        if is_ambiguous:
            return self._reason(key, "ambiguous", "Ambiguous_Delivery", said=said)
        if not said.stage and reply.enhanced in _ROUTING and reply.text.startswith("[internal]"):
            kind: Kind = "dns" if reply.enhanced == DNS_SILENT else "route"
            option = "DNS_Servers" if kind == "dns" else _remedy(reply, "Retry_Interval")
            return self._reason(key, kind, option, said=said)
        kind = "unreachable" if said.stage in _NO_SESSION else "put_off"
        return self._reason(key, kind, _remedy(reply, "Retry_Interval"), said=said)

    # -- helpers

    def _reason(
        self,
        key: QueueKey,
        kind: Kind,
        option: str = "",
        *,
        host: str = "",
        address: str = "",
        scope: str = "",
        said: Said | None = None,
        detail: str = "",
    ) -> HoldReason:
        return HoldReason(
            kind=kind,
            option=option,
            where=self._where(option, key) if option else "",
            scope=scope,
            host=host or (said.host if said is not None else ""),
            address=address,
            binding=key.binding,
            domains=[key.domain],
            reply=str(said.reply) if said is not None else "",
            reply_at=said.at if said is not None else None,
            detail=detail,
        )

    def _where(self, option: str, key: QueueKey) -> str:
        """The place that set *option* for a queue; looked up once for all queues with the same options."""
        options = self._state.config.outbound(*key)
        known = self._places.get((option, id(options)))
        if known is None:
            where = self._state.config.where(option, binding=key.binding, domain=key.domain)
            known = self._places[option, id(options)] = options, _text(where)
        return known[1]


def said_in(event: Event) -> Said | None:
    """Return what was said in *event*, None if nothing was."""
    if event.reply is None:
        return None
    attempt = event.attempt
    return (
        Said(event.at, event.reply, attempt.host, attempt.stage) if attempt else Said(event.at, event.reply)
    )


_PASSING = {"paging": "is being read from the settled store"}


def _text(where: Where | None) -> str:
    return str(where) if where is not None else ""


def _place(connection: PooledConnection) -> str:
    return str(connection.address)


def _hosts(hosts: Iterable[str]) -> str:
    """Return the names of up to three hosts."""
    return ", ".join(list(dict.fromkeys(hosts))[:3])


def _remedy(reply: Reply, otherwise: str) -> str:
    """Return the option that changes what this node says in *reply*; *otherwise* if there is none or a peer spoke."""
    if reply.text.startswith("[internal]"):
        for words, option in _REMEDIES:
            found = words.search(reply.text)
            if found is not None:
                return option or found[0]
    return otherwise
