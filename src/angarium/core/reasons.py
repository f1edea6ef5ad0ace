"""Why mail waits: one record for a cause, how records of one cause become one, and the sentence that is made of it.

A cause is a kind, the option that would change it, the place that set that option, and the host. Nothing in it tells
the time; instants, replies, domains and counts stand beside it, so that what many queues and workers say of one cause
adds up.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, Literal

import msgspec

Kind = Literal[
    "suspended",  # Suspend_Delivery
    "limit",  # a limit or throttle has no unit free
    "crowded",  # the host takes no more sessions
    "silent",  # the peer has said nothing for a while
    "resting",  # every address has failed lately
    "delayed",  # the whole queue waits, after failures in a row
    "local",  # the binding cannot open connections here
    "dns",  # DNS gives no answer
    "route",  # there is no way to the domain
    "memory",  # memory, or the queue's share of it, is full
    "paused",  # the node begins nothing for now
    "draining",  # the node is stopping
    "put_off",  # the peer has answered 4xx: each recipient waits for its own time
    "unreachable",  # likewise, but there was no session
    "ambiguous",  # likewise, since it may have been delivered
    "scheduled",  # it was never tried, and is not due yet
    "held",  # set aside by an operator
    "held_ambiguous",  # set aside, since it may have been delivered
    "held_feedback",  # mail to this node
    "delivering",  # a connection has it; only said of a recipient, since it does not wait
    "moving",  # it waits for nothing but its turn
    "others",  # causes that a list has no room for
]
"""What sort of cause holds a recipient."""

MOST_DOMAINS: Final = 3
_INTERNAL: Final = "[internal] "


class HoldReason(msgspec.Struct, frozen=True, kw_only=True):
    """So many recipients *waiting* in so many *queues* wait for one cause.

    *option* is the one whose change would help, empty without any, and *where* (`file:line`) its value was set, empty
    for its default. *scope* says who shares it, *limit* its value where it is one. *host* and *address* (`ip:port`) are
    those it is about. *domains* are the routing domains with most of that mail, at most three. *reply* is what was
    said last, by the peer or, with `[internal]` in its text, by this node, at *reply_at*. It has been so since *since*.
    The first of the mail goes on by itself at *next_try*, the last of it at *last_try*; None when that is not known.
    *detail* is the rest of the sentence, and *text* that sentence, without any time in it. Times are epoch seconds.
    """

    kind: Kind
    option: str = ""
    where: str = ""
    scope: str = ""
    limit: str = ""
    host: str = ""
    address: str = ""
    binding: str = ""
    domains: list[str] = []
    reply: str = ""
    reply_at: float | None = None
    since: float | None = None
    next_try: float | None = None
    last_try: float | None = None
    detail: str = ""
    waiting: int = 0
    queues: int = 1
    text: str = ""

    @property
    def cause(self) -> tuple[str, ...]:
        """What is the same for all that wait for one cause."""
        return self.kind, self.option, self.where, self.scope, self.host

    def __str__(self) -> str:
        """The sentence, with the option that would help and its place."""
        text, place = self.text or sentence(self), self.where or "default"
        if not self.option:
            return text
        is_named = re.search(rf"\b{re.escape(self.option)}\b", text) is not None
        return f"{text} ({place if is_named else f'{self.option}, {place}'})"


def merged(reasons: Iterable[HoldReason], *, of_one_queue: bool = False) -> list[HoldReason]:
    """Put those of one cause together, those that hold most mail first. What they count is added up."""
    given = list(reasons)
    if len(given) < 2:
        return [each if each.text else worded(each) for each in given]
    groups: dict[tuple[str, ...], list[HoldReason]] = {}
    for reason in given:
        groups.setdefault(reason.cause, []).append(reason)
    made = [_together(group, of_one_queue) for group in groups.values()]
    return sorted(made, key=lambda reason: (-reason.waiting, reason.cause, reason.domains))


def most(reasons: list[HoldReason], count: int) -> list[HoldReason]:
    """Return the first *count* of them; if there are more, the last one stands for all that are left."""
    if len(reasons) <= count:
        return reasons
    rest = reasons[count - 1 :]
    others = HoldReason(
        kind="others",
        detail=f"{len(rest)} other causes",
        since=_earliest(each.since for each in rest),
        next_try=_earliest(each.next_try for each in rest),
        last_try=_latest(each.last_try for each in rest),
        waiting=sum(each.waiting for each in rest),
        queues=sum(each.queues for each in rest),
    )
    return [*reasons[: count - 1], worded(others)]


def worded(reason: HoldReason) -> HoldReason:
    """Return *reason* with its sentence."""
    return msgspec.structs.replace(reason, text=sentence(reason))


def _together(reasons: list[HoldReason], of_one_queue: bool) -> HoldReason:
    if len(reasons) == 1:
        return reasons[0] if reasons[0].text and reasons[0].queues == 1 else worded(reasons[0])
    heaviest = max(reasons, key=lambda reason: reason.waiting)
    said = max(reasons, key=lambda reason: reason.reply_at or 0.0)
    ordered = sorted(reasons, key=lambda reason: -reason.waiting)
    domains = list(dict.fromkeys(domain for reason in ordered for domain in reason.domains))
    bindings = {reason.binding for reason in reasons}
    return worded(
        msgspec.structs.replace(
            heaviest,
            binding=heaviest.binding if len(bindings) == 1 else "",
            domains=domains[:MOST_DOMAINS],
            reply=said.reply,
            reply_at=said.reply_at,
            since=_earliest(reason.since for reason in reasons),
            next_try=_earliest(reason.next_try for reason in reasons),
            last_try=_latest(reason.last_try for reason in reasons),
            waiting=sum(reason.waiting for reason in reasons),
            queues=1 if of_one_queue else sum(reason.queues for reason in reasons),
        )
    )


def _earliest(times: Iterable[float | None]) -> float | None:
    return min((at for at in times if at is not None), default=None)


def _latest(times: Iterable[float | None]) -> float | None:
    return max((at for at in times if at is not None), default=None)


# -- the sentence


def sentence(reason: HoldReason) -> str:
    """Say why, in words without any time in them. The only place where that is worded."""
    return _SENTENCES[reason.kind](reason)


def _limit(reason: HoldReason) -> str:
    return f"{reason.option} {reason.limit} of {reason.scope}{_then(reason)}"


def _crowded(reason: HoldReason) -> str:
    takes = f"no more than {reason.limit} sessions" if reason.limit else "no session for now"
    return f"{reason.address} takes {takes}{_said(reason)}"


def _silent(reason: HoldReason) -> str:
    return f"silent at {_peer(reason)}: {reason.detail} is awaited"


def _delivering(reason: HoldReason) -> str:
    awaited = f": {reason.detail} is awaited" if reason.detail else ""
    return f"being delivered at {_peer(reason)}{awaited}"


def _resting(reason: HoldReason) -> str:
    return f"all addresses of {_host(reason)} are resting{_said(reason)}"


def _delayed(reason: HoldReason) -> str:
    at = f" at {reason.host}" if reason.host else ""
    return f"delayed after {reason.detail}{at}{_said(reason)}"


def _local(reason: HoldReason) -> str:
    return f"binding {reason.binding} cannot open connections here{_said(reason)}"


def _route(reason: HoldReason) -> str:
    return f"no route{_said(reason)}{_further(reason)}" if reason.reply else "no route"


def _dns(reason: HoldReason) -> str:
    if not reason.reply:
        return f"DNS is asked about {_domains(reason)}"
    return f"{_words(reason.reply)}{_further(reason)}"


def _put_off(reason: HoldReason) -> str:
    """A host puts mail off; where the words are our own, it only happened there."""
    who = "at" if _words(reason.reply) != reason.reply else "by"
    return f"put off{f' {who} {reason.host}' if reason.host else ''}{_said(reason)}"


def _unreachable(reason: HoldReason) -> str:
    return f"put off: {_host(reason)} could not be reached{_said(reason)}"


def _ambiguous(reason: HoldReason) -> str:
    return f"put off, since it may have been delivered{_said(reason)}"


def _held_ambiguous(reason: HoldReason) -> str:
    return f"held, since it may have been delivered{_said(reason)}; `angarium release` tries again, `fail` does not"


def _detail(reason: HoldReason) -> str:
    return reason.detail


_SENTENCES: Final[dict[Kind, Callable[[HoldReason], str]]] = {
    "suspended": lambda reason: "suspended",
    "limit": _limit,
    "crowded": _crowded,
    "silent": _silent,
    "resting": _resting,
    "delayed": _delayed,
    "local": _local,
    "dns": _dns,
    "route": _route,
    "memory": _detail,
    "paused": lambda reason: f"delivery pauses: {reason.detail}",
    "draining": lambda reason: "the node is stopping",
    "put_off": _put_off,
    "unreachable": _unreachable,
    "ambiguous": _ambiguous,
    "scheduled": lambda reason: "not due yet",
    "held": lambda reason: "held; `angarium release` lets it go",
    "held_ambiguous": _held_ambiguous,
    "held_feedback": lambda reason: "mail to this node, kept for its reader",
    "delivering": _delivering,
    "moving": _detail,
    "others": _detail,
}


def _words(reply: str) -> str:
    """Return *reply* as it is quoted: what this node itself has found out without code and mark."""
    before, mark, text = reply.partition(_INTERNAL)
    return text if mark and len(before) <= len("550 5.1.10 ") else reply


def _said(reason: HoldReason) -> str:
    return f": {_words(reason.reply)}" if reason.reply else ""


def _then(reason: HoldReason) -> str:
    return f"; {reason.detail}" if reason.detail else ""


def _host(reason: HoldReason) -> str:
    return reason.host or _domains(reason)


def _peer(reason: HoldReason) -> str:
    return f"{reason.address} ({reason.host})" if reason.host else reason.address


def _domains(reason: HoldReason) -> str:
    return f"{reason.domains[0] if reason.domains else 'the domain'}{_further(reason)}"


def _further(reason: HoldReason) -> str:
    """Say of how many more queues the same is true as of the one that the words before are about."""
    more = reason.queues - 1
    return f", and so of {more} more queue{'s' if more > 1 else ''}" if more > 0 else ""
