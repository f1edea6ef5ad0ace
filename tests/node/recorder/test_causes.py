"""From what the recorder has stored to what suppresses: each cause once, whatever fails on the way."""

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from angarium.config.records import GlobalOptions
from angarium.core.records import Attempt, Event, Origin
from angarium.core.reply import Reply
from angarium.events.port import ReceivedMail, Told
from angarium.events.sqlite.store import SqliteEventStore
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.node.recorder.causes import CauseWriter
from angarium.node.recorder.deliveries import Deliveries
from angarium.sql.errors import StoreError
from angarium.suppressions.notes import NoteFilter
from angarium.suppressions.records import CauseFilter
from angarium.testing.clock import ManualClock
from angarium.testing.happenings import DAY_S, START, event, fact, reception

UNKNOWN = Reply(550, "5.1.1", "no such user")
GONE = Reply(554, "5.4.4", "[internal] the domain example.com does not exist")


class Node:
    """An event store and an identity store with one account, and who reads the one and writes to the other."""

    def __init__(self, folder: Path) -> None:
        self.events = SqliteEventStore(folder / "events")
        database = open_database(f"sqlite:///{folder}/identity/identity.db")
        self.clock = ManualClock(START)
        self.store = IdentityStore(database, KeyRing.load_or_create(folder / "keys"), self.clock.now)
        self.store.accounts.create("shop", actor="test")
        self.options = GlobalOptions()
        self.kept: Callable[[], int] = self.events.last
        self.close = database.close
        self.start()

    def start(self) -> None:
        """Begin anew, as after a kill."""
        self.deliveries = Deliveries()
        self.writer = CauseWriter(
            self.events, self.store, self.deliveries, lambda: self.options,
            reader="here", kept=lambda: self.kept(), now=self.clock.now,
        )  # fmt: skip

    def take(self, *told: Told) -> None:
        self.events.take(told)
        self.deliveries.note(told)

    def act(self) -> None:
        while self.writer.step():
            pass

    def causes(self) -> list[tuple[str, str]]:
        return [
            (each.what, each.reason) for each in self.store.suppressions.page(CauseFilter(), limit=10_000)
        ]

    def notes(self, state: str) -> list[str]:
        page = self.store.suppression_notes.page(NoteFilter(state=state), limit=10_000)  # type: ignore[arg-type]
        return [each.what for each in page]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An identity store with its tables."""
    folder = tmp_path_factory.mktemp("template")
    database = open_database(f"sqlite:///{folder}/identity/identity.db")
    database.migrate()
    database.close()
    return folder / "identity"


@pytest.fixture
def node(tmp_path: Path, template: Path) -> Iterator[Node]:
    shutil.copytree(template, tmp_path / "identity")
    made = Node(tmp_path)
    yield made
    made.events.close()
    made.close()


def mail(number: int, at: float = START, **said: Any) -> ReceivedMail:
    return reception(number, at, **{"account": 1, "server": 1, "to": (f"r{number}@example.com",), **said})


def bounced(of: ReceivedMail, reply: Reply = UNKNOWN, *, host: str = "mx.example.com", index: int = 0,
            after_s: float = 1.0) -> Event:  # fmt: skip
    at = of.message.received_at + after_s
    attempt = Attempt(started_at=at, stage="rcpt", host=host)
    return event(of, "bounced", "bounced", reply=reply, attempt=attempt, index=index, after_s=after_s)


def no_host(of: ReceivedMail) -> Event:
    return event(of, "bounced", "bounced", reply=GONE)


def delivered(of: ReceivedMail, host: str = "mx.example.com") -> Event:
    attempt = Attempt(started_at=of.message.received_at, stage="final", host=host)
    return event(of, "delivered", "delivered", reply=Reply(250, "", "ok"), attempt=attempt)


def test_a_hard_bounce_suppresses_with_its_evidence(node: Node) -> None:
    one = mail(1)
    node.take(one, bounced(one, host="gmail-smtp-in.l.google.com"))
    node.act()
    (cause,) = node.store.suppressions.page(CauseFilter())
    assert (cause.account, cause.what, cause.reason, cause.origin) == (
        1,
        "r1@example.com",
        "hard_bounce",
        "recorder",
    )
    assert (cause.reply, cause.bounce_class, cause.provider) == ("550 5.1.1 no such user", 10, "google")
    assert (cause.message, cause.sent_to, cause.at) == (one.message.id, "r1@example.com", START + 1)
    assert cause.note == "hard bounce: there is no such mailbox"


def test_only_the_recipient_that_failed_is_blamed(node: Node) -> None:
    several = mail(1, to=("a@example.com", "b@example.com", "c@example.com"))
    full = Reply(552, "5.2.2", "mailbox is full")
    node.take(several, bounced(several, index=1), bounced(several, full, index=2))
    node.act()
    assert node.causes() == [("b@example.com", "hard_bounce")]


def test_what_this_node_has_failed_itself_suppresses_nobody(node: Node) -> None:
    one, two = mail(1), mail(2)
    node.take(one, event(one, "bounced", "bounced", reply=UNKNOWN))
    node.take(two, event(two, "expired", "expired", reply=Reply(554, "5.4.7", "[internal] no such user")))
    node.act()
    assert node.causes() == []


def test_mail_of_nobodys_account_suppresses_nobody(node: Node) -> None:
    one = mail(1, account=0)
    node.take(one, bounced(one))
    node.act()
    assert node.causes() == []


def test_who_gets_no_delivery_report_is_not_suppressed_for_that(node: Node) -> None:
    one = mail(1)
    made_here = ReceivedMail(structs.replace(one.message, origin=Origin()), one.summary)
    node.take(made_here, bounced(made_here))
    node.act()
    assert node.causes() == []


def test_complaints_and_unsubscriptions_suppress(node: Node) -> None:
    one, two = mail(1, stream="news"), mail(2)
    node.take(one, two, fact("unsubscribe", one, 1), fact("complaint", two, 2, type="abuse"))
    node.act()
    assert sorted(node.causes()) == [("r1@example.com", "unsubscribe"), ("r2@example.com", "complaint")]
    (left,) = node.store.suppressions.page(CauseFilter(reasons=("unsubscribe",)))
    assert left.scope == "1/news"


def test_unsigned_feedback_for_several_recipients_suppresses_nobody(node: Node) -> None:
    several, single = mail(1, to=("a@example.com", "b@example.com")), mail(2)
    node.take(several, fact("complaint", several, 1, type="abuse", by="message_id"))
    node.take(single, fact("complaint", single, 2, type="abuse", by="message_id"))
    node.act()
    assert node.causes() == [("r2@example.com", "complaint")]


def test_what_comes_back_later_is_judged_by_the_same_rules(node: Node) -> None:
    """A delay that was given up, an own fault of the mail, and an address that is gone."""
    said = {
        1: ("550 5.1.1 no such user", "5.1.1", "no_such_recipient"),
        2: ("NXDOMAIN", "4.0.0", "no_such_host"),
        3: ("552 5.3.4 message too large", "5.3.4", "too_large"),
    }
    for number, (reply, status, reason) in said.items():
        one = mail(number, to=(f"r{number}@example.com", "other@example.com"))
        late = fact("late_bounce", one, number, reply=reply, status=status, reason=reason, by="return_path")
        node.take(one, delivered(one), late)
    node.act()
    assert (node.causes(), node.notes("noted")) == ([("r1@example.com", "hard_bounce")], [])


def test_it_is_scored_once_per_message_and_address(node: Node) -> None:
    one = mail(1)
    node.take(one, bounced(one), bounced(one))
    node.act()
    node.take(fact("late_bounce", one, 7, reply="550 5.1.1 no such user", status="5.1.1"))
    node.act()
    assert len(node.causes()) == 1


def test_a_domain_that_does_not_exist_suppresses_on_the_second_day(node: Node) -> None:
    first, same, next_day = (mail(n, at, to=("bob@example.com",)) for n, at in
                             ((1, START), (2, START + 60), (3, START + DAY_S)))  # fmt: skip
    node.take(first, no_host(first), same, no_host(same))
    node.act()
    assert (node.causes(), node.notes("noted")) == ([], ["bob@example.com"] * 2)
    node.start()
    node.take(next_day, no_host(next_day))
    node.act()
    assert node.causes() == [("bob@example.com", "hard_bounce")]


def test_a_delivery_in_between_begins_anew(node: Node) -> None:
    first, taken, then = (mail(n, START + (n - 1) * DAY_S, to=("bob@example.com",)) for n in (1, 2, 3))
    node.take(first, no_host(first), taken, delivered(taken), then, no_host(then))
    node.act()
    assert node.causes() == []


def test_failures_in_a_row_suppress_where_that_is_asked_for(node: Node) -> None:
    node.options = replace(node.options, suppress_after_failures=3)
    full = Reply(552, "5.2.2", "mailbox is full")
    for number in range(3):
        one = mail(number, START + number * 60, to=("bob@example.com",))
        assert node.causes() == []
        node.take(one, bounced(one, full))
        node.act()
    assert node.causes() == [("bob@example.com", "hard_bounce")]


def burst(node: Node, count: int, delivered_count: int, *, first: int = 0) -> None:
    host = "gmail-smtp-in.l.google.com"
    for number in range(first, first + delivered_count):
        one = mail(number)
        node.take(one, delivered(one, host))
    told: list[Told] = []
    for number in range(first + delivered_count, first + delivered_count + count):
        one = mail(number)
        told += [one, bounced(one, host=host)]
    node.take(*told)
    node.act()


def test_a_burst_from_one_provider_is_held_and_told(node: Node) -> None:
    burst(node, 25, 50)
    assert (node.causes(), len(node.notes("held"))) == ([], 25)
    (held,) = node.store.suppression_notes.held()
    assert (held.burst, held.count) == ("google", 25)
    other = mail(900)
    node.take(other, bounced(other, host="mx.yahoodns.net"))
    node.act()
    assert node.causes() == [("r900@example.com", "hard_bounce")]
    assert node.store.suppression_notes.release(NoteFilter(burst="google"), actor="cli:test") == 25
    assert len(node.causes()) == 26


def test_what_is_read_together_is_judged_together(node: Node) -> None:
    """A burst goes over minutes: what failed at its beginning is known to belong to it by now."""
    told: list[Told] = []
    for number in range(30):
        one = mail(number, START + number * 10)
        told += [one, bounced(one, host="gmail-smtp-in.l.google.com")]
    node.take(*told)
    node.act()
    assert (node.causes(), len(node.notes("held"))) == ([], 30)


def test_a_share_that_is_common_is_no_burst(node: Node) -> None:
    burst(node, 25, 200)
    assert (len(node.causes()), node.notes("held")) == (25, [])


def test_a_burst_goes_on_over_a_restart(node: Node) -> None:
    burst(node, 25, 0)
    node.start()
    burst(node, 3, 0, first=100)
    assert (node.causes(), len(node.notes("held"))) == ([], 28)


def test_nothing_is_passed_that_a_power_cut_may_take(node: Node) -> None:
    """What was not synced may come again under other numbers."""
    node.kept = lambda: 1
    one = mail(1)
    node.take(one, bounced(one))
    node.act()
    assert node.store.suppression_notes.place("here") == 1
    assert len(node.causes()) == 1


def test_an_event_store_that_begins_anew_is_read_from_its_beginning(node: Node) -> None:
    node.store.suppression_notes.write([], "here", 1_000)
    one = mail(1)
    node.take(one, bounced(one))
    node.act()
    assert len(node.causes()) == 1


class KilledError(Exception):
    """The process is gone."""


@pytest.mark.parametrize("seed", range(2))
def test_each_cause_is_written_once_whenever_it_is_killed(
    node: Node, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before and after each of its writes, at random; then all that was to be written is there once."""
    chance = random.Random(seed)
    ledger, notebook = node.store.suppressions, node.store.suppression_notes

    def deadly(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **named: Any) -> Any:
            if chance.random() < 0.3:
                raise KilledError
            result = call(*args, **named)
            if chance.random() < 0.3:
                raise KilledError
            return result

        return called

    monkeypatch.setattr(ledger, "record", deadly(ledger.record))
    monkeypatch.setattr(notebook, "write", deadly(notebook.write))
    wanted = set()
    for number in range(30):
        one = mail(number, START + number * 700.0, to=(f"r{number}@example.com",))
        gone = number % 3 == 0
        node.take(one, no_host(one) if gone else bounced(one))
        wanted.add((f"r{number}@example.com", gone))
        try:
            node.act()
        except KilledError:
            node.start()
    while True:
        try:
            node.act()
            break
        except KilledError:
            node.start()
    assert sorted(node.causes()) == sorted((what, "hard_bounce") for what, gone in wanted if not gone)
    assert sorted(node.notes("noted")) == sorted(what for what, gone in wanted if gone)


def test_mail_of_an_account_that_was_deleted_stands_in_nobodys_way(node: Node) -> None:
    node.store.accounts.create("club", actor="test")
    node.store.accounts.delete(2, actor="test")
    gone, one = mail(1, account=2), mail(2)
    node.take(gone, bounced(gone), one, bounced(one))
    node.act()
    assert node.causes() == [("r2@example.com", "hard_bounce")]


def test_a_store_that_does_not_answer_is_asked_again(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often, one bounce does not become a burst."""
    one = mail(1)
    node.take(one, bounced(one))

    def silent(*_: Any, **__: Any) -> None:
        raise StoreError("the identity store does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(node.store.suppressions, "record", silent)
        for _ in range(30):
            with pytest.raises(StoreError):
                node.writer.step()
    node.act()
    assert (len(node.causes()), node.notes("held")) == (1, [])


# -- what was let through before there were enough to be a burst


def standing(node: Node) -> list[str]:
    found = node.store.suppressions.page(CauseFilter(standing_at=node.clock.now()), limit=10_000)
    return sorted({each.what for each in found})


def bounces_one_by_one(node: Node, numbers: range) -> list[str]:
    """Have the mails with these numbers bounce, each acted upon before the next; return the addresses."""
    for number in numbers:
        burst(node, 1, 0, first=number)
    return sorted(f"r{number}@example.com" for number in numbers)


def test_those_that_suppressed_before_a_burst_was_seen_are_held_with_it(node: Node) -> None:
    addresses = bounces_one_by_one(node, range(19))
    assert standing(node) == addresses
    addresses = sorted([*addresses, *bounces_one_by_one(node, range(19, 25))])
    assert (standing(node), sorted(node.notes("held"))) == ([], addresses)
    assert node.store.suppression_notes.release(NoteFilter(burst="google"), actor="cli:test") == 25
    assert standing(node) == addresses
    bounces_one_by_one(node, range(25, 27))
    assert standing(node) == addresses  # what was released is not held once more


def test_what_failed_long_before_or_elsewhere_and_what_somebody_has_decided_stays(node: Node) -> None:
    early, elsewhere = mail(900, START - 900), mail(901)
    node.take(early, bounced(early, host="gmail-smtp-in.l.google.com"), elsewhere)
    node.take(bounced(elsewhere, host="mx.yahoodns.net"))
    node.act()
    bounces_one_by_one(node, range(10))
    node.store.suppressions.undo(CauseFilter(what="r3@example.com"), actor="cli:test")
    bounces_one_by_one(node, range(10, 20))
    assert standing(node) == ["r900@example.com", "r901@example.com"]
    assert len(node.notes("held")) == 19
    assert "r3@example.com" not in node.notes("held")


def test_a_restart_in_the_middle_of_a_burst_lets_nobody_slip(node: Node) -> None:
    bounces_one_by_one(node, range(15))
    node.start()
    bounces_one_by_one(node, range(15, 40))
    assert (standing(node), len(node.notes("held"))) == ([], 40)


@pytest.mark.parametrize("fails", ["write", "undo"])
def test_what_is_held_afterwards_is_so_though_a_store_fails_or_the_process_is_killed(
    node: Node, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounces_one_by_one(node, range(19))
    of = node.store.suppression_notes if fails == "write" else node.store.suppressions
    with monkeypatch.context() as patch:

        def refuse(*args: Any, **named: Any) -> Any:
            raise StoreError("stopped")

        patch.setattr(of, fails, refuse)
        with pytest.raises(StoreError):
            bounces_one_by_one(node, range(19, 20))
        with pytest.raises(StoreError):
            node.act()
    if fails == "undo":
        node.start()
    node.act()
    assert (standing(node), len(node.notes("held"))) == ([], 20)
