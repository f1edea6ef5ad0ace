"""From what is recorded to what suppresses: reads the event store's log, decides, writes causes and notes.

It has a place of its own in the log, which is written with what it has done, and no further than the log is sure to
survive a power cut: numbers behind that may be given to other events then. What it reads a second time, the ledger and
the notes know by message and address. So each cause is written once, whenever it is killed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, NamedTuple

from msgspec import structs

from angarium.config.records import GlobalOptions
from angarium.core.ids import MessageId, made_at, parse_id
from angarium.core.records import Origin
from angarium.events.days import day_at
from angarium.events.port import EventStore, Happening, Whose
from angarium.feedback.burst import BurstGuard, BurstLimits
from angarium.feedback.consequences import (
    GONE,
    Consequence,
    Earlier,
    Occurrence,
    SuppressionRules,
    follows,
)
from angarium.feedback.occurrences import TYPES, is_signed, occurrence_of
from angarium.identity.store.store import IdentityStore
from angarium.node.recorder.deliveries import Deliveries
from angarium.node.recorder.let_through import LetThrough, note_of
from angarium.query.nodes import Between, Equal, Everything, Phrase
from angarium.query.parser import all_of
from angarium.query.words import folded, words
from angarium.sql.errors import Invalid, NotFound
from angarium.suppressions.address import address_of
from angarium.suppressions.notes import NewNote, Note, NoteFilter, NoteState
from angarium.suppressions.records import EVERYTHING, CauseFilter, NewCause, TakenBack, stream_scope

BATCH: Final = 500
_AHEAD: Final = 100_000
"""So many numbers without anything of interest are passed before the place is written anew."""
_SWEEP_S: Final = 86_400.0
_NEAR_S: Final = 3_600.0
_WRITTEN: Final = CauseFilter(origins=("recorder",), reasons=("hard_bounce",), run="", standing_at=0.0)
"""What hard bounces have suppressed by themselves, and not since somebody has released it."""


class _Finding(NamedTuple):
    """One happening with all that is to be known of it."""

    happening: Happening
    what: str
    message: MessageId
    occurrence: Occurrence


@dataclass(slots=True)
class _Decided:
    """What is to be done, in the order in which it came: who unsubscribes again means it."""

    acts: list[NewCause | TakenBack] = field(default_factory=list)
    notes: list[NewNote] = field(default_factory=list)
    let_through: list[NewNote] = field(default_factory=list)
    """Those of *acts* that are hard bounces, as the notes that they would be."""
    bursts: dict[str, float] = field(default_factory=dict)
    """The keys of what is held now, with the time at which that failed first."""
    held_later: list[NewNote] = field(default_factory=list)
    """Those of *notes* that have suppressed before."""


class CauseWriter:
    """Acts upon what *events* has, for *reader*, the name of that store. *options* are those in force, *kept* returns
    the number up to which the log is sure to be kept. Blocking, for one thread.
    """

    def __init__(
        self,
        events: EventStore,
        store: IdentityStore,
        deliveries: Deliveries,
        options: Callable[[], GlobalOptions],
        *,
        reader: str,
        kept: Callable[[], int],
        now: Callable[[], float],
    ) -> None:
        self._events = events
        self._accounts = store.accounts
        self._causes = store.suppressions
        self._notes = store.suppression_notes
        self._deliveries = deliveries
        self._options = options
        self._reader = reader
        self._kept = kept
        self._now = now
        self._guard = BurstGuard(_limits(options()))
        self._let_through = LetThrough()
        self._held_later: list[NewNote] = []
        """What had suppressed, is held by now, and is to be undone."""
        self._upto = 0.0
        self._counted = 0
        self._place: int | None = None
        self._written = 0
        self._swept_at = now()

    def step(self) -> bool:
        """Act upon what came next; return whether there was anything. Raises EventStoreError, StoreError: then nothing
        of it is sure to be written, and it is done again.
        """
        place = self._begin() if self._place is None else self._place
        self._undo_held()
        last = self._events.last()
        if last < place:  # another store, which counts anew
            place = self._written = self._counted = 0
        page = self._events.log(Everything(), Whose(), after=place, limit=BATCH, types=TYPES)
        found = [each for each in page if each.number <= last]
        reached = found[-1].number if len(page) == BATCH and found else last
        decided = self._decide(list(self._findings(found)))
        self._hold_earlier(decided)
        self._write(decided, reached)
        self._undo_held()
        self._place = reached
        self._sweep()
        return bool(found)

    def _begin(self) -> int:
        """Return where to go on. What is held of late has been counted before, and what has suppressed of late may
        still turn out to be of a burst.
        """
        since = self._now() - self._guard.limits.window_s
        for note in self._notes.page(NoteFilter(state="held", since=since), limit=10_000):
            self._guard.failed(note.burst, note.at)
            self._held_later.append(_as_new(note))
        for cause in self._causes.page(structs.replace(_WRITTEN, since=since), limit=10_000):
            self._let_through.add(note_of(cause))
        self._written = self._notes.place(self._reader)
        return self._written

    def _write(self, decided: _Decided, reached: int) -> None:
        for kind, acts in groupby(decided.acts, type):
            if kind is NewCause:
                self._causes.record([act for act in acts if isinstance(act, NewCause)])
            else:
                self._causes.take_back([act for act in acts if isinstance(act, TakenBack)])
        place = max(self._written, min(reached, self._kept()))
        if decided.notes or decided.acts or place - self._written >= _AHEAD:
            self._notes.write(decided.notes, self._reader, place)
            self._written = place
        self._held_later += decided.held_later
        for note in decided.let_through:
            self._let_through.add(note)

    def _sweep(self) -> None:
        if self._now() - self._swept_at >= _SWEEP_S:
            self._swept_at = self._now()
            self._notes.sweep()

    # -- what is to be judged

    def _findings(self, found: Sequence[Happening]) -> Iterator[_Finding]:
        """Yield what belongs to somebody's mail and to one recipient."""
        for each in found:
            recipients = self._recipients(each) if each.index is None or not is_signed(each) else 1
            one = self._one(each) if each.index is None else each
            if one is None or one.message is None or not self._is_there(one.account):
                continue
            try:
                what = address_of(one.address)
            except Invalid:
                continue
            yield _Finding(one, what, parse_id(one.message), occurrence_of(one, recipients))

    def _is_there(self, account: int) -> bool:
        """Whether there is such an account. What is told of one that was deleted would stand in the way of all else."""
        try:
            return account > 0 and bool(self._accounts.get(account))
        except NotFound:
            return False

    def _recipients(self, happening: Happening) -> int:
        """Return how many recipients the message had."""
        timeline = self._events.timeline(parse_id(happening.message), Whose()) if happening.message else None
        return len(timeline.recipients) if timeline is not None else 1

    def _one(self, happening: Happening) -> Happening | None:
        """Return what is about all of a message as about its only recipient; None where it has several."""
        timeline = self._events.timeline(parse_id(happening.message), Whose()) if happening.message else None
        if timeline is None or len(timeline.recipients) != 1:
            return None
        (only,) = timeline.recipients
        return structs.replace(happening, index=only.index, address=only.address, domain=only.domain)

    # -- what follows

    def _decide(self, findings: Sequence[_Finding]) -> _Decided:
        self._guard.limits = _limits(self._options())
        for key, at, count in self._deliveries.take():
            self._guard.delivered(key, at, count)
        self._let_through.forget(self._now() - 2 * self._guard.limits.window_s)
        self._count(findings)
        self._upto = max((each.happening.at for each in findings), default=0.0)
        decided = _Decided()
        known = self._notes.known([_key_of(each) for each in findings]) if findings else set()
        for each in findings:
            if each.occurrence.verdict is None or _key_of(each) not in known:
                self._follow(each, decided)
        return decided

    def _count(self, findings: Sequence[_Finding]) -> None:
        """Tell the guard of hard bounces, each once: what could not be written is judged again."""
        for each in findings:
            verdict = each.occurrence.verdict
            if verdict is not None and verdict.is_hard and each.happening.number > self._counted:
                self._guard.failed(self._key(each), each.happening.at)
        self._counted = max([self._counted, *(each.happening.number for each in findings)])

    def _follow(self, finding: _Finding, decided: _Decided) -> None:
        then = follows(finding.occurrence, self._earlier(finding, decided), self._rules())
        if then.effect == "nothing" or self._is_report(finding):
            return
        if then.effect == "note":
            decided.notes.append(_note(finding, then, "noted"))
        elif self._is_held(finding, then):
            key = self._key(finding)
            decided.notes.append(_note(finding, then, "held", key))
            decided.bursts[key] = min(finding.happening.at, decided.bursts.get(key, finding.happening.at))
        elif then.effect == "lift":
            decided.acts.append(_taken_back(finding, then))
        else:
            decided.acts.append(_cause(finding, then))
            if then.reason == "hard_bounce":
                decided.let_through.append(_note(finding, then, "held", self._key(finding)))

    def _hold_earlier(self, decided: _Decided) -> None:
        """Hold what has suppressed in the window before what is held now: it was the beginning of the same burst. What
        somebody has undone or lifted since is left as it is.
        """
        for key, at in decided.bursts.items():
            for note in self._let_through.of(key, at - self._guard.limits.window_s):
                if self._standing(note):
                    decided.notes.append(note)
                    decided.held_later.append(note)

    def _undo_held(self) -> None:
        """Undo what has suppressed and is held by now, as far as that is not done."""
        ids = [cause for note in self._held_later for cause in self._standing(note)]
        for start in range(0, len(ids), BATCH):
            self._causes.undo(CauseFilter(ids=tuple(ids[start : start + BATCH])), actor="recorder")
        self._let_through.remove(self._held_later)
        self._held_later.clear()

    def _standing(self, note: NewNote) -> list[int]:
        """Return the causes that stand of what *note* says."""
        same = {"message": note.message, "what": note.what, "accounts": (note.account,)}
        return [cause.id for cause in self._causes.page(structs.replace(_WRITTEN, **same))]

    def _is_report(self, finding: _Finding) -> bool:
        """Whether the mail was made here: who gets no delivery reports has sent mail, and may get other mail."""
        made = made_at(finding.message)
        near = Between("date", made - _NEAR_S, made + _NEAR_S)  # so that one day is asked
        node = all_of([near, Equal("id", finding.message.hex()), Equal("listener", Origin().listener)])
        return self._events.count(node, Whose(), most=1) > 0

    def _is_held(self, finding: _Finding, then: Consequence) -> bool:
        """Whether it fails in a burst, and has not suppressed before."""
        if then.reason != "hard_bounce":
            return False
        # what has failed since, and was read together with it, is known by now
        at = max(
            finding.happening.at, min(self._upto, finding.happening.at + 0.9 * self._guard.limits.window_s)
        )
        if self._guard.burst(self._key(finding), at) is None:
            return False
        before = CauseFilter(
            message=finding.message, what=finding.what, accounts=(finding.happening.account,)
        )
        return not self._causes.count(before, most=1)

    def _key(self, finding: _Finding) -> str:
        verdict = finding.occurrence.verdict
        return self._deliveries.key(finding.happening, verdict.reason.name if verdict is not None else "")

    def _rules(self) -> SuppressionRules:
        options = self._options()
        return SuppressionRules(
            gone_domain_days=options.suppress_gone_domains_after, in_a_row=options.suppress_after_failures
        )

    def _earlier(self, finding: _Finding, decided: _Decided) -> Earlier:
        """Return what was remembered of the address, where that may matter: a failure that is no hard bounce yet."""
        verdict, rules = finding.occurrence.verdict, self._rules()
        if verdict is None or not (verdict.reason.name == GONE or rules.in_a_row):
            return Earlier()
        happening = finding.happening
        mine = (happening.account, finding.what)
        noted: list[Note | NewNote] = [*self._notes.of(*mine), *decided.notes]
        before = [
            each
            for each in noted
            if (each.account, each.what, each.state) == (*mine, "noted") and each.at <= happening.at
        ]
        return self._since_delivery(finding, before) if before else Earlier()

    def _since_delivery(self, finding: _Finding, before: Sequence[Note | NewNote]) -> Earlier:
        delivered_at = self._delivered_at(finding)
        left = [each for each in before if each.at > delivered_at]
        verdict = finding.occurrence.verdict
        assert verdict is not None
        days = {each.day for each in left if each.failure == GONE} - {day_at(finding.happening.at)}
        in_a_row = 0
        for each in reversed(left):
            if each.bounce_class != verdict.reason.number:
                break
            in_a_row += 1
        return Earlier(len(days), in_a_row)

    def _delivered_at(self, finding: _Finding) -> float:
        """Return when something was delivered to the address last, 0.0 for never."""
        node = all_of([Phrase("to", tuple(words(finding.what))), Equal("status", "delivered")])
        page = self._events.search(node, Whose(finding.happening.account), limit=50)
        times = [mail.changed_at for mail in page.found if folded(mail.address) == folded(finding.what)]
        return max(times, default=0.0)


def _limits(options: GlobalOptions) -> BurstLimits:
    return BurstLimits(
        options.bounce_burst_percent, options.bounce_burst_minimum, options.bounce_burst_window
    )


def _key_of(finding: _Finding) -> tuple[int, bytes, str]:
    return finding.happening.account, finding.message, finding.happening.address


def _scope(finding: _Finding, then: Consequence) -> str:
    happening = finding.happening
    if then.scope != "stream" or not happening.stream:
        return EVERYTHING
    return stream_scope(happening.server, happening.stream)


def _class_of(finding: _Finding) -> int:
    verdict = finding.occurrence.verdict
    return verdict.reason.number if verdict is not None else 0


def _cause(finding: _Finding, then: Consequence) -> NewCause:
    assert then.reason is not None
    happening = finding.happening
    return NewCause(
        account=happening.account,
        what=finding.what,
        reason=then.reason,
        origin="recorder",
        at=happening.at,
        scope=_scope(finding, then),
        message=finding.message,
        sent_to=happening.address,
        event=happening.number,
        reply=happening.reply,
        bounce_class=_class_of(finding) or None,
        provider=happening.provider,
        note=f"{then.rule}: {then.why}",
    )


def _taken_back(finding: _Finding, then: Consequence) -> TakenBack:
    happening = finding.happening
    return TakenBack(happening.account, finding.what, _scope(finding, then), happening.at)


def _note(finding: _Finding, then: Consequence, state: NoteState, burst: str = "") -> NewNote:
    assert then.reason is not None
    happening, verdict = finding.happening, finding.occurrence.verdict
    return NewNote(
        state=state,
        account=happening.account,
        what=finding.what,
        scope=_scope(finding, then),
        reason=then.reason,
        at=happening.at,
        day=day_at(happening.at),
        message=finding.message,
        sent_to=happening.address,
        event=happening.number,
        rule=then.rule,
        why=then.why,
        failure=verdict.reason.name if verdict is not None else "",
        bounce_class=_class_of(finding),
        reply=happening.reply,
        provider=happening.provider,
        burst=burst,
    )


def _as_new(note: Note) -> NewNote:
    return NewNote(**{name: getattr(note, name) for name in NewNote.__struct_fields__})
