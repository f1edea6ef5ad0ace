"""The sentences that answer "why is my mail not moving": pure, from the merged answers."""

from collections.abc import Iterator, Mapping
from typing import Final

from angarium.cli.output import amount
from angarium.cli.tables import Cell, Column, Row, Tone, Toned
from angarium.cli.times import brief, relative, span, upcoming, when
from angarium.core.operations import Health, Lately, QueueRow, QueueTotals, RecipientRow, Severity
from angarium.core.reasons import HoldReason

QUEUE_COLUMNS = (
    Column("DOMAIN", flexible=True),
    Column("BINDING", flexible=True),
    Column("ACTIVE", numeric=True),
    Column("DELAYED", numeric=True),
    Column("HELD", numeric=True),
    Column("FLIGHT", numeric=True),
    Column("CONN", numeric=True),
    Column("OLDEST", numeric=True),
    Column("NEXT TRY"),
)

STATE_TONES: Final[Mapping[str, Tone]] = {
    "queued": "warn",
    "held": "warn",
    "delivered": "good",
    "bounced": "bad",
    "expired": "bad",
    "cancelled": "bad",
    "suppressed": "bad",
}
"""How much the state of a recipient matters, and so an event of that name."""


def headline(totals: QueueTotals, now: float) -> list[str]:
    """Say how much waits, until when, and what holds most of it."""
    flight = f", {totals.in_flight} in flight" if totals.in_flight else ""
    if not totals.waiting:
        return [f"No mail is waiting{flight}."]
    verb = "waits" if totals.waiting == 1 else "wait"
    first = f"{amount(totals.waiting, 'recipient')} {verb} in {amount(totals.waited_in, 'queue')}{flight}"
    if totals.next_try is not None:
        first += f", next try {when(totals.next_try, now)} ({upcoming(totals.next_try, now)})"
    return [_with_reason(first, totals, now), *(_reason(each, now) for each in totals.reasons[1:])]


def _with_reason(first: str, totals: QueueTotals, now: float) -> str:
    if not totals.reasons:
        return f"{first}. Nothing holds it."
    heaviest = totals.reasons[0]
    if heaviest.waiting == totals.waiting:
        return f"{first}. Why: {why(heaviest, now)}"
    return f"{first}. Why {heaviest.waiting} of them: {why(heaviest, now)}"


def _reason(reason: HoldReason, now: float) -> str:
    queues = f" ({_domains(reason)})" if reason.domains else ""
    return f"Why {reason.waiting} in {amount(reason.queues, 'queue')}{queues}: {why(reason, now)}"


def _domains(reason: HoldReason) -> str:
    more = ", …" if reason.queues > len(reason.domains) else ""
    return ", ".join(reason.domains) + more


def why(reason: HoldReason, now: float) -> str:
    """Return the sentence of *reason*, since when it is so, and when it goes on by itself."""
    return f"{_cause(reason, now)}{_next(reason, now)}"


def _cause(reason: HoldReason, now: float) -> str:
    since = f", since {span(now - reason.since)}" if reason.since is not None else ""
    return f"{reason}{since}"


def _next(reason: HoldReason, now: float) -> str:
    first, last = reason.next_try, reason.last_try
    if first is None:
        return ""
    begin, end = when(first, now), when(last, now) if last is not None else ""
    return f"; next try {begin}" + (f" – {end}" if end and end != begin else "")


def queue_rows(rows: list[QueueRow], now: float) -> list[Row]:
    """Return each queue as a row of `QUEUE_COLUMNS` with what holds it and what was said last."""
    return [Row(_numbers(row, now), _details(row, now)) for row in rows]


def _numbers(row: QueueRow, now: float) -> list[Cell]:
    counts = (row.active, row.delayed, row.held, row.in_flight, row.connections)
    oldest = brief(span(now - row.oldest)) if row.oldest is not None else "-"
    next_try = brief(upcoming(row.next_try, now))
    return [
        Toned(row.domain, "bright"),
        row.binding,
        *map(_count, counts),
        oldest,
        next_try,
    ]


def _count(count: int) -> Cell:
    return str(count) if count else Toned("0", "dim")


def _details(row: QueueRow, now: float) -> list[Cell]:
    several = len(row.held_by) > 1
    lines: list[Cell] = [
        Toned(f"why{f' {each.waiting}' if several else ''}: {why(each, now)}", "warn") for each in row.held_by
    ]
    if row.last_reply and all(each.reply != row.last_reply for each in row.held_by):
        at = f"{when(row.last_reply_at, now)} ({relative(row.last_reply_at, now)})"
        lines.append(Toned(f"last reply at {at}: {row.last_reply}"))
    if row.plan is not None:
        lines.append(f"route: {': '.join(filter(None, (row.plan.why, ', '.join(row.plan.addresses))))}")
    return lines


_CALLED: Final[Mapping[Severity, str]] = {"not_ready": "Not ready", "unwell": "Unwell", "note": "Note"}


def conditions_told(health: Health) -> Iterator[Toned]:
    """Say whether mail is taken, and of what is the matter what to do."""
    if not health.not_ready:
        yield Toned("Ready: takes mail.", "good")
    for each in health.conditions:
        yield Toned(f"{_CALLED[each.severity]}: {each.text}", "warn" if each.severity == "note" else "bad")
        yield Toned(f"    {each.advice} ({each.doc})", "dim")


def health_told(health: Health) -> list[Toned]:
    """Say whether mail is taken, and what a person must look at, in short."""
    lines = [Toned(f"Not ready: {reason}", "bad") for reason in health.not_ready]
    lines = lines or [Toned("Ready: takes mail.", "good")]
    lines += [Toned(f"Unwell: {reason}", "bad") for reason in health.unwell]
    return lines + [Toned(f"Note: {note}", "warn") for note in health.notes or ()]


def lately_told(lately: Lately) -> str:
    """Say how much mail came and went just now, and how long a 250 took."""
    counts = (
        f"{lately.received:.0f} received, {lately.refused:.0f} refused, {lately.delivered:.0f} delivered, "
        f"{lately.delayed:.0f} delayed, {lately.bounced:.0f} bounced"
    )
    line = f"Last {lately.over_s:.0f} s: {counts}"
    if lately.half_within_s is None or lately.most_within_s is None:
        return line
    return f"{line}; 250 within {_short(lately.half_within_s)}, 99 % within {_short(lately.most_within_s)}"


def _short(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def next_try(row: RecipientRow, now: float) -> str:
    """Return how soon a recipient is tried, `-` if that is not known, as a table has it."""
    at = row.due_at if row.held_by is None and row.state == "queued" else row.next_try
    return brief(upcoming(at, now))


def recipient_lines(row: RecipientRow, now: float) -> list[Cell]:
    """Say of a recipient why it waits, what was said last, and what comes next."""
    reason = row.held_by
    lines: list[Cell] = [] if reason is None else [Toned(f"why: {_cause(reason, now)}", "warn")]
    if row.last_reply and (reason is None or row.last_reply != reason.reply):
        lines.append(Toned(_last_reply(row, now)))
    if reason is not None:
        lines.append(f"next: {_what_comes(row, reason, now)}")
    return lines


def _last_reply(row: RecipientRow, now: float) -> str:
    if row.last_reply_at is None:
        return row.last_reply
    by = f" by {row.last_host}" if row.last_host else ""
    at = f"{when(row.last_reply_at, now)} ({relative(row.last_reply_at, now)})"
    return f"last reply at {at}{by}: {row.last_reply}"


def _what_comes(row: RecipientRow, reason: HoldReason, now: float) -> str:
    if row.state == "held":
        words = "nothing by itself"
    elif reason.kind == "delivering":
        words = "the peer's answer, or the end of its time"
    else:
        words = f"{_moment(row, now)}, {_way(row)}"
    if row.expires_at is None:
        return words
    return f"{words}; given up {when(row.expires_at, now)} ({relative(row.expires_at, now)})"


def _moment(row: RecipientRow, now: float) -> str:
    if row.next_try is None:
        return "as soon as that is over"
    return f"{when(row.next_try, now)} ({upcoming(row.next_try, now)})"


def _way(row: RecipientRow) -> str:
    if row.plan is None:
        return f"to the hosts that DNS then names for {row.domain}"
    return f"to {', '.join(row.plan.addresses)} ({row.plan.why})"
