"""What is the matter with a node: from facts to conditions, each with a sentence, what to do, where to read on. Pure.

`angarium status`, `/readyz`, `/healthz`, the metrics and `angarium config check` say what is decided here.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from angarium.config.model import Config
from angarium.core.descriptors import ENOUGH, Descriptors
from angarium.core.operations import Condition, ConditionName, Health, Severity

_PAGE: Final = "docs/operations.md"
_BASE: Final = 256
"""Descriptors of a worker besides those for mail: spool, identity store, DNS, links, certificates."""
_HTTP: Final = 512
"""Connections of HTTP clients, and what they are passed on by."""
_LIMIT: Final = "raise it: LimitNOFILE in the service's unit, or `ulimit -n` before the start"


class ConditionKind(NamedTuple):
    """Of a condition: how bad it is, and what to do about it."""

    severity: Severity
    advice: str


KINDS: Final[dict[ConditionName, ConditionKind]] = {
    "draining": ConditionKind(
        "not_ready", "wait for its end, or send SIGTERM once more: then no peer is waited for"
    ),
    "worker_away": ConditionKind(
        "not_ready",
        "wait: a spool is read, or a worker is started again; the log's `worker` says how one ended",
    ),
    "not_listening": ConditionKind("not_ready", "wait; if it stays so, look for `bug` in the log"),
    "refusing": ConditionKind(
        "not_ready", "do as the reply says: free space, or let mail leave; it ends by itself"
    ),
    "disk_failed": ConditionKind(
        "unwell",
        "look at the disk (`dmesg`), then run `angarium spool check`; new mail goes to a fresh segment",
    ),
    "descriptors_out": ConditionKind("not_ready", _LIMIT),
    "identity_store_silent": ConditionKind(
        "not_ready", "start its database, or look at the disk it is on; logins go on by themselves then"
    ),
    "suppressions_unknown": ConditionKind(
        "note", "wait, the recorder makes their file; if it stays so, do as `recorder_stands` says"
    ),
    "descriptors_short": ConditionKind("note", f"{_LIMIT}, or lower the option"),
    "no_name_server": ConditionKind(
        "note", "write a `nameserver` line, or set DNS_Servers and reload; then `angarium flush --all`"
    ),
    "name_servers_silent": ConditionKind(
        "note",
        "start the name server, or set DNS_Servers to one that answers, reload, `angarium flush --all`",
    ),
    "recorder_stands": ConditionKind(
        "note", "do as it says; the log's `recorder` has more. Nothing is lost: it reads on where it stopped"
    ),
    "events_dropped": ConditionKind(
        "note", "raise Event_Store_Max_Size, or keep fewer days (Event_Retention)"
    ),
    "suppressions_held": ConditionKind(
        "note",
        "look at `angarium bounces held`, then let them suppress (`angarium bounces release`), or `… discard` them",
    ),
    "suppressions_stand": ConditionKind(
        "note", "start its database, or look at the disk it is on; it goes on by itself where it stopped"
    ),
    "webhooks_stand": ConditionKind(
        "note",
        "do as it says; the log's `webhooks` has more. Nothing is lost: they are told as soon as it goes on",
    ),
    "webhooks_off": ConditionKind(
        "note",
        "look at `angarium webhooks list`, then `angarium webhooks change ID --enabled`, or delete them",
    ),
    "hostname": ConditionKind(
        "note",
        'write the name that the address of this machine has in the DNS: Hostname = "mail.example.com"',
    ),
    "log_unread": ConditionKind(
        "note", "read it, or have it written elsewhere: to a file, or to the journal of a service"
    ),
}
"""All conditions there are, the worst first."""


class WorkerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker says of itself. Texts are empty where all is well.

    *accepting* is the reply that new mail gets. *note* says that no name server is known, *name_servers_silent* that
    none answers. *identity_silent_s* is how long the identity store has been silent, *suppressions_unknown* why nobody
    knows who must not get mail, *log_lost* how many lines of the log were lost since it is not read.
    """

    recovered: bool = True
    listening: int = 1
    accepting: str = ""
    unwell: str = ""
    note: str = ""
    name_servers_silent: str = ""
    identity_silent_s: float | None = None
    suppressions_unknown: str = ""
    descriptors: Descriptors | None = None
    log_lost: int = 0


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor knows. *needs* are the descriptors that the limits in force can take of one worker,
    *recorder* is why the recorder does not read, empty where it does. *held* suppressions wait for somebody's word;
    *unsuppressed* is why nothing is suppressed, empty where it is. *event_day_dropped* is the day that was given up for
    want of room, empty where none was. *webhooks* is why webhooks are not told, empty where they are, *webhooks_off*
    how many were switched off since they failed.
    """

    hostname: str
    needs: "Needs"
    descriptors: Descriptors
    draining: bool = False
    log_lost: int = 0
    recorder: str = ""
    held: int = 0
    unsuppressed: str = ""
    event_day_dropped: str = ""
    webhooks: str = ""
    webhooks_off: int = 0


class Needs(msgspec.Struct, frozen=True):
    """So many *descriptors* a worker can need; *why* names the options that make most of it."""

    descriptors: int
    why: str


def needs_of(config: Config) -> Needs:
    """Return what the limits of *config* can take of one worker, which may have all of the node's connections."""
    out = config.globals.server_max_outbound_connections
    sessions = sum(
        config.inbound(listener.name, listen.name, "").listener_sessions
        for listener in config.listeners
        for listen in listener.listens
    )
    why = f"Server_Max_Outbound_Connections = {out}"
    if sessions:
        why += f" and Listener_Sessions = {sessions}"
    return Needs(out + sessions + _HTTP + _BASE, why)


def conditions(
    node: NodeFacts, workers: Mapping[int, WorkerFacts], away: Mapping[int, str]
) -> list[Condition]:
    """Return what is the matter, the worst first. *away* are the workers that say nothing, each with the reason."""
    found = [*_of_node(node, workers), *_of_workers(node, workers, away)]
    order = list(KINDS)
    return sorted(found, key=lambda each: order.index(each.name))


def around(hostname: str, most_descriptors: int, needs: Needs, note: str = "") -> list[Condition]:
    """Return what is the matter with what a node finds around it, as can be said before it runs."""
    facts = NodeFacts(hostname=hostname, needs=needs, descriptors=Descriptors(ENOUGH, most_descriptors))
    return conditions(facts, {0: WorkerFacts(note=note)}, {})


def health_of(found: list[Condition]) -> Health:
    """Return *found* as it is told."""

    def told(severity: Severity) -> list[str]:
        return [each.text for each in found if each.severity == severity]

    return Health(told("not_ready"), told("unwell"), told("note") or msgspec.UNSET, found)


def _of_node(node: NodeFacts, workers: Mapping[int, WorkerFacts]) -> Iterator[Condition]:
    if node.draining:
        yield _condition("draining", "the node is draining: it takes no more mail and ends")
    yield from _descriptors("the supervisor", node.descriptors)
    if node.descriptors.most < node.needs.descriptors:
        yield _condition(
            "descriptors_short",
            f"a process may open {node.descriptors.most} files and connections, and {node.needs.why} can need "
            f"{node.needs.descriptors}",
        )
    if "." not in node.hostname.strip("."):
        yield _condition(
            "hostname",
            f"Hostname is {node.hostname!r}, which is no full name: many hosts refuse mail of one who greets so",
        )
    if node.recorder and not node.draining:
        yield _condition(
            "recorder_stands", f"what has happened to mail is not recorded: {node.recorder}; mail goes on"
        )
    if node.event_day_dropped:
        yield _condition(
            "events_dropped",
            f"what has happened to mail of {node.event_day_dropped} was given up: Event_Store_Max_Size is reached",
        )
    if node.held:
        text = f"{node.held} suppressions are held: very much of what a provider was sent failed at once"
        yield _condition("suppressions_held", text)
    if node.unsuppressed and not node.draining:
        yield _condition("suppressions_stand", f"nobody is suppressed for what fails: {node.unsuppressed}")
    if node.webhooks and not node.draining:
        yield _condition(
            "webhooks_stand", f"webhooks are not told of what happens: {node.webhooks}; mail goes on"
        )
    if node.webhooks_off:
        text = f"{node.webhooks_off} webhooks were switched off, since they took nothing for long or are gone"
        yield _condition("webhooks_off", text)
    lost = node.log_lost + sum(worker.log_lost for worker in workers.values())
    if lost:
        yield _condition("log_unread", f"nobody reads the log: {lost} lines are lost")
    yield from _of_all(workers)


def _of_all(workers: Mapping[int, WorkerFacts]) -> Iterator[Condition]:
    """Say what concerns all workers alike once."""
    for note in dict.fromkeys(worker.note for worker in workers.values() if worker.note):
        yield _condition("no_name_server", note)
    silent = dict.fromkeys(
        worker.name_servers_silent for worker in workers.values() if worker.name_servers_silent
    )
    for note in list(silent)[:1]:
        yield _condition(
            "name_servers_silent", f"no name server answers ({note}); mail is taken, and what needs DNS waits"
        )
    for why in list(filter(None, (worker.suppressions_unknown for worker in workers.values())))[:1]:
        yield _condition("suppressions_unknown", f"mail of accounts is taken and not sent: {why}")
    seconds = [
        worker.identity_silent_s for worker in workers.values() if worker.identity_silent_s is not None
    ]
    if seconds:
        yield _condition(
            "identity_store_silent",
            f"the identity store has not answered for {max(seconds):.0f} s: logins, and mail of those who have "
            "logged in, are answered 454",
        )


def _of_workers(
    node: NodeFacts, workers: Mapping[int, WorkerFacts], away: Mapping[int, str]
) -> Iterator[Condition]:
    for index, why in sorted(away.items()):
        if not node.draining:
            yield _condition("worker_away", f"worker {index}: {why}")
    for index, worker in sorted(workers.items()):
        name = f"worker {index}"
        if not worker.recovered:
            yield _condition("worker_away", f"{name}: still reading its spool")
        elif not worker.listening and not node.draining:
            yield _condition("not_listening", f"{name}: not listening")
        if worker.accepting:
            yield _condition("refusing", f"{name}: refuses mail: {worker.accepting}")
        if worker.unwell:
            yield _condition("disk_failed", f"{name}: {worker.unwell}")
        if worker.descriptors is not None:
            yield from _descriptors(name, worker.descriptors)


def _descriptors(who: str, found: Descriptors) -> Iterator[Condition]:
    if found.left < ENOUGH:
        text = f"{who}: {found.left or 'none'} of the {found.most} files and connections that it may open are left"
        yield _condition("descriptors_out", text)


def _condition(name: ConditionName, text: str) -> Condition:
    severity, advice = KINDS[name]
    return Condition(name, severity, text, advice, f"{_PAGE}#{name.replace('_', '-')}")
