"""What has come back, as a list: each failure, complaint and unsubscription with its verdict; counted by what one asks.
Pure, but for whoever is asked.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal

import msgspec
from msgspec import structs

from angarium.core.ids import parse_id
from angarium.events.port import EventStore, Happening, Whose
from angarium.feedback.consequences import Consequence, Earlier, SuppressionRules, follows
from angarium.feedback.occurrences import BOUNCE_TYPES, occurrence_of, verdict_of
from angarium.feedback.sections import ANY_ADDRESS
from angarium.feedback.vendors import bounce_class, postmark_type
from angarium.query.nodes import Node
from angarium.suppressions.notes import NoteFilter
from angarium.suppressions.records import Cause, CauseFilter
from angarium.suppressions.store.ledger import Suppressions
from angarium.suppressions.store.notebook import Notebook

GROUPS: Final = ("class", "reason", "rule", "provider", "domain", "reply", "stream", "type")
"""What they are counted by."""
Group = Literal["class", "reason", "rule", "provider", "domain", "reply", "stream", "type"]

_AT_ONCE = 500
_NUMBERS = re.compile(r"\b(?=\w*\d)[\w.:-]{9,}\b|\b\d+\.\d+\.\d+\.\d+\b")


class Bounce(msgspec.Struct, frozen=True):
    """One thing that has come back about one recipient. *id* is the number of the happening.

    *reason* is what the reply means, with Momentum's *class_number* and its *class_name* and *category* (0 and empty
    for a complaint), *rule* the rule that says so; *postmark* is Postmark's type. *follows* is what follows from it by
    itself, and *why* (`consequences`): not what has followed, which may depend on others.
    """

    id: int
    type: str
    at: float
    message: str | None
    index: int | None
    address: str
    domain: str
    provider: str
    account: int
    server: int
    stream: str
    reply: str
    reason: str
    class_number: int
    class_name: str
    category: str
    rule: str
    postmark: str
    follows: str
    why: str


class BounceCount(msgspec.Struct, frozen=True):
    """How many have the same *key*, when the last of them was, and a reply of one as an example."""

    key: str
    count: int
    last_at: float
    example: str


class BounceSummary(msgspec.Struct, frozen=True):
    """How many there were, by their key, the most first. *is_cut*: not all were looked at, only the latest."""

    total: int
    groups: list[BounceCount]
    is_cut: bool


def bounce_of(happening: Happening) -> Bounce:
    """Return what is told of a happening of `BOUNCE_TYPES`."""
    verdict = verdict_of(happening) if happening.reply else None
    reason = verdict.reason.name if verdict is not None else happening.reason
    class_, postmark = bounce_class(happening.type, reason), postmark_type(happening.type, reason)
    then: Consequence = follows(occurrence_of(happening), Earlier(), SuppressionRules())
    return Bounce(
        id=happening.number,
        type=happening.type,
        at=happening.at,
        message=happening.message,
        index=happening.index,
        address=happening.address,
        domain=happening.address.rpartition("@")[2].lower() or happening.domain,
        provider=happening.provider,
        account=happening.account,
        server=happening.server,
        stream=happening.stream,
        reply=happening.reply,
        reason=reason,
        class_number=class_.number if class_ is not None else 0,
        class_name=class_.name if class_ is not None else "",
        category=class_.category if class_ is not None else "",
        rule=verdict.rule if verdict is not None else "",
        postmark=postmark.name if postmark is not None else "",
        follows=then.effect,
        why=then.why,
    )


def undo(
    bounce: Bounce, what: str, causes: Suppressions, notes: Notebook, *, actor: str
) -> tuple[int, list[Cause]]:
    """Undo what has followed from *bounce* for the address *what*, as it is compared. Return how much that was, and
    what suppresses it all the same.
    """
    if bounce.message is None:
        return 0, []
    message = parse_id(bounce.message)
    mine = CauseFilter(what=what, accounts=(bounce.account,), message=message)
    undone = causes.undo(mine, actor=actor)
    undone += notes.discard(NoteFilter(account=bounce.account, what=what, message=message), actor=actor)
    return undone, causes.standing(what, bounce.account)


def bounce_numbered(store: EventStore, everything: Node, scope: Whose, number: int) -> Happening | None:
    """Return the happening of that number, None where it is none of these, or not in *scope*."""
    found = store.log(everything, scope, after=number - 1, limit=1, types=BOUNCE_TYPES)
    return found[0] if found and found[0].number == number else None


def newest_first(
    store: EventStore,
    node: Node,
    scope: Whose,
    *,
    since: float = 0.0,
    types: Sequence[str] = (),
    before: int | None = None,
) -> Iterator[Happening]:
    """Yield what has come back since then of mail that *node* asks for. Raises EventStoreError."""
    asked = tuple(types) or BOUNCE_TYPES
    while page := store.latest(node, scope, limit=_AT_ONCE, types=asked, before=before):
        yield from (each for each in reversed(page) if each.at >= since)
        before = page[0].number
        if len(page) < _AT_ONCE or page[0].at < since:
            return


def summarise(
    happenings: Iterable[Happening], by: Group, most: int, progress: Callable[[int], None] = lambda done: None
) -> BounceSummary:
    """Count up to *most* of what has come back, the newest first, by what they have in common."""
    counts: dict[str, BounceCount] = {}
    total, is_cut = 0, False
    for happening in happenings:
        if total == most:
            is_cut = True
            break
        total += 1
        bounce = bounce_of(happening)
        key = key_of(bounce, by)
        before = counts.get(key) or BounceCount(key, 0, bounce.at, bounce.reply)
        counts[key] = structs.replace(before, count=before.count + 1)
        if total % _AT_ONCE == 0:
            progress(total)
    groups = sorted(counts.values(), key=lambda each: (-each.count, each.key))
    return BounceSummary(total, groups, is_cut)


def key_of(bounce: Bounce, by: Group) -> str:
    """Return what *bounce* is counted under."""
    if by == "class":
        return f"{bounce.class_number} {bounce.class_name}" if bounce.class_number else bounce.type
    if by == "reply":
        return _NUMBERS.sub("*", ANY_ADDRESS.sub("*", bounce.reply))[:200] or f"({bounce.type})"
    return str(getattr(bounce, by)) or "-"
