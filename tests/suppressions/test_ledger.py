"""The ledger: what suppresses, what lifts that, and what is left when something is undone."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select, text

from angarium.core.ids import MessageId
from angarium.identity.store.copying import copy_store
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.sql.database import Database
from angarium.sql.errors import Conflict, Invalid, StoreError
from angarium.suppressions.records import Cause, CauseFilter, NewCause, TakenBack, stream_scope
from angarium.suppressions.store import ledger as ledger_module
from angarium.suppressions.store import schema
from angarium.suppressions.store.following import Following
from angarium.suppressions.store.ledger import Suppressions
from angarium.testing.clock import ManualClock

NOW = 1_795_262_400.0
DAY = 86_400.0
ME = "cli:test"
ANN = "ann@example.com"
MAIL, OTHER = MessageId(b"m" * 16), MessageId(b"n" * 16)
NEWS = stream_scope(7, "news")


def bounce(what: str = ANN, *, account: int | None = 1, at: float = NOW, **more: Any) -> NewCause:
    given = {"reason": "hard_bounce", "origin": "recorder", "message": MAIL, "sent_to": what, **more}
    return NewCause(account=account, what=what, at=at, **given)


def manual(what: str = ANN, *, account: int | None = 1, at: float = NOW, **more: Any) -> NewCause:
    return NewCause(account=account, what=what, at=at, **{"reason": "manual", "origin": "cli", **more})


def holding(ledger: Suppressions, what: str = ANN, account: int = 1) -> list[int]:
    return [cause.id for cause in ledger.standing(what, account)]


def test_an_address_is_suppressed_while_a_cause_stands(ledger: Suppressions, clock: ManualClock) -> None:
    told = bounce(reply="550 5.1.1\r\nno such user", bounce_class=10, provider="google", event=5)
    (first,) = ledger.record([told]).ids
    (second,) = ledger.add([manual("Ann@EXAMPLE.com", expires_at=NOW + DAY)], actor=ME).ids
    assert holding(ledger) == [first, second]
    assert holding(ledger, account=2) == []
    cause = ledger.get(first)
    assert (cause.what, cause.reply, cause.bounce_class, cause.provider, cause.event) == (
        (ANN, "550 5.1.1 no such user", 10, "google", 5)
    )
    assert (cause.actor, cause.made_at, cause.message, cause.sent_to) == ("recorder", NOW, MAIL, ANN)
    clock.at += DAY
    assert holding(ledger) == [first]


def test_an_unsubscription_is_taken_back_and_may_be_said_again(
    ledger: Suppressions, clock: ManualClock
) -> None:
    out = bounce(reason="unsubscribe", scope=NEWS)
    complaint = bounce(reason="complaint", scope=NEWS, message=OTHER)
    (first, second) = ledger.record([out, complaint]).ids
    assert ledger.take_back([TakenBack(1, ANN, NEWS, NOW - 1)]) == 0
    assert ledger.take_back([TakenBack(2, ANN, NEWS, NOW + 1), TakenBack(1, ANN, "7/other", NOW + 1)]) == 0
    assert ledger.take_back([TakenBack(1, "Ann@Example.com", NEWS, NOW + 1)]) == 1
    assert holding(ledger) == [second]
    assert (ledger.get(first).undone_at, ledger.get(first).undone_by) == (NOW + 1, "recipient")
    assert ledger.record([out]).known == 1  # told once more of the same moment
    (third,) = ledger.record([bounce(reason="unsubscribe", scope=NEWS, at=NOW + 2)]).ids
    assert holding(ledger) == [second, third]
    assert ledger.record([bounce(reason="unsubscribe", scope=NEWS, at=NOW + 2)]).known == 1


def test_a_bounce_that_was_undone_is_not_told_anew(ledger: Suppressions, clock: ManualClock) -> None:
    ledger.record([bounce()])
    ledger.undo(CauseFilter(message=MAIL), actor=ME)
    clock.at += DAY
    assert ledger.record([bounce(at=NOW + DAY)]).ids == ()
    assert holding(ledger) == []


def test_what_is_on_the_list_of_the_node_holds_for_all_accounts(ledger: Suppressions) -> None:
    (cause,) = ledger.add([manual(account=None, reason="compliance")], actor=ME).ids
    assert holding(ledger, account=1) == holding(ledger, account=2) == [cause]


def test_a_message_to_an_address_suppresses_once_for_a_reason(ledger: Suppressions) -> None:
    assert len(ledger.record([bounce(), bounce()]).ids) == 1
    again = ledger.record([bounce(at=NOW + 5, event=9), bounce(message=OTHER), bounce(reason="complaint")])
    assert (len(again.ids), again.known) == (2, 1)
    assert len(ledger.record([bounce(sent_to="alias@example.org")]).ids) == 1


def test_what_was_undone_is_not_told_again_by_its_message(ledger: Suppressions) -> None:
    ledger.record([bounce()])
    assert ledger.undo(CauseFilter(message=MAIL), actor=ME) == 1
    assert ledger.record([bounce()]).known == 1
    assert holding(ledger) == []


def test_what_somebody_names_twice_stands_once(ledger: Suppressions) -> None:
    assert ledger.add([manual(), manual("ANN@example.com")], actor=ME).known == 1
    assert ledger.add([manual()], actor=ME).ids == ()
    assert len(ledger.add([manual(scope=NEWS), manual(account=2)], actor=ME).ids) == 2


def test_a_removal_lifts_what_had_happened_and_not_what_happens(
    ledger: Suppressions, clock: ManualClock
) -> None:
    ledger.record([bounce(), bounce(scope=NEWS, reason="complaint")])
    clock.at += 60
    assert ledger.allow([manual(at=clock.now())], actor=ME) == 2
    assert holding(ledger) == []
    late = ledger.record([bounce(message=OTHER, at=NOW + 30)]).ids
    assert (len(late), holding(ledger)) == (1, [])
    new = ledger.record([bounce(message=OTHER, at=NOW + 90, reason="complaint")]).ids
    assert holding(ledger) == list(new)


def test_a_removal_from_one_list_leaves_the_others(ledger: Suppressions) -> None:
    account_wide, in_news, of_other = (
        ledger.record([bounce(**said)]).ids[0]
        for said in ({}, {"scope": NEWS}, {"account": 2})  # type: ignore[arg-type]
    )
    assert ledger.allow([manual(scope=NEWS)], actor=ME) == 1
    assert holding(ledger) == [account_wide]
    assert holding(ledger, account=2) == [of_other]
    assert ledger.get(in_news).holds is False


def test_a_removal_of_what_is_on_no_list_writes_nothing(ledger: Suppressions) -> None:
    assert ledger.allow([manual()], actor=ME) == 0
    assert ledger.count(CauseFilter()) == 0


def test_undoing_restores_exactly_what_a_cause_had_changed(ledger: Suppressions) -> None:
    (bounced,) = ledger.record([bounce()]).ids
    (named,) = ledger.add([manual()], actor=ME).ids
    assert ledger.undo(CauseFilter(ids=(bounced,)), actor=ME) == 1
    assert holding(ledger) == [named]
    assert ledger.undo(CauseFilter(ids=(bounced, named)), actor="cli:other") == 1
    assert holding(ledger) == []
    assert [(cause.undone_by, cause.undone_at) for cause in ledger.page(CauseFilter())] == [
        (ME, NOW),
        ("cli:other", NOW),
    ]


def test_undoing_a_removal_has_what_it_lifted_hold_again(ledger: Suppressions, clock: ManualClock) -> None:
    lifted, gone = ledger.record([bounce(), bounce(message=OTHER)]).ids
    clock.at += 10
    ledger.allow([manual(at=clock.now())], actor=ME)
    ledger.undo(CauseFilter(ids=(gone,)), actor=ME)
    assert ledger.undo(CauseFilter(effect="allow"), actor=ME) == 1
    assert holding(ledger) == [lifted]


def test_two_removals_have_both_to_be_undone(ledger: Suppressions, clock: ManualClock) -> None:
    (late,) = ledger.record([bounce(reason="complaint", at=NOW + 20)]).ids
    ledger.record([bounce()])
    clock.at += 10
    ledger.allow([manual(at=NOW + 10)], actor=ME)
    ledger.allow([manual(at=NOW + 30)], actor=ME)
    assert holding(ledger) == []
    (bounced,) = (cause.id for cause in ledger.page(CauseFilter(reasons=("hard_bounce",))))
    first, second = (cause.id for cause in ledger.page(CauseFilter(effect="allow")))
    ledger.undo(CauseFilter(ids=(first,)), actor=ME)
    assert holding(ledger) == []
    ledger.undo(CauseFilter(ids=(second,)), actor=ME)
    assert holding(ledger) == [late, bounced]


def test_a_burst_is_undone_in_one_go_and_nothing_besides(
    ledger: Suppressions, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "BATCH", 10)
    ledger.record([bounce(f"a{n}@x.example", provider="microsoft") for n in range(5)])
    clock.at += 100
    ledger.record([bounce(f"b{n}@x.example", provider="microsoft") for n in range(35)])
    ledger.record([bounce(f"c{n}@y.example", provider="google") for n in range(5)])
    burst = CauseFilter(provider="microsoft", since=NOW + 100)
    assert ledger.count(burst) == 35
    assert ledger.count(burst, most=20) == 20
    told: list[int] = []
    assert ledger.undo(burst, actor=ME, progress=told.append) == 35
    assert told == [10, 20, 30, 35]
    standing = ledger.page(CauseFilter(standing_at=clock.now()))
    assert {cause.what[0] for cause in standing} == {"a", "c"}


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        (CauseFilter(accounts=(1,)), ["ann@example.com", "bob@example.org", "example.net"]),
        (CauseFilter(accounts=(2, None)), ["ann@example.com", "/^bot/"]),
        (CauseFilter(what="ANN@example.com"), ["ann@example.com", "ann@example.com"]),
        (CauseFilter(domain="Example.org"), ["bob@example.org"]),
        (CauseFilter(text="XAMPLE.NET"), ["example.net"]),
        (CauseFilter(text="b_t"), []),
        (CauseFilter(scopes=(NEWS,)), ["bob@example.org"]),
        (CauseFilter(reasons=("complaint", "compliance")), ["bob@example.org", "/^bot/"]),
        (CauseFilter(origins=("recorder",)), ["ann@example.com", "bob@example.org"]),
        (CauseFilter(run="r1"), ["example.net"]),
        (CauseFilter(bounce_class=10), ["ann@example.com"]),
        (CauseFilter(event=5), ["bob@example.org"]),
    ],
)
def test_causes_are_chosen_by_what_they_have(
    ledger: Suppressions, chosen: CauseFilter, found: list[str]
) -> None:
    ledger.record(
        [bounce(bounce_class=10), bounce("bob@example.org", scope=NEWS, reason="complaint", event=5)]
    )
    ledger.add([manual("example.net", run="r1"), manual(account=2)], actor=ME)
    ledger.add([manual("/^bot/", account=None, reason="compliance")], actor=ME)
    assert [cause.what for cause in ledger.page(chosen)] == found
    assert ledger.count(chosen) == len(found)


def test_pages_go_on_behind_a_cause_in_either_direction(ledger: Suppressions) -> None:
    ids = ledger.add([manual(f"a{n}@x.example") for n in range(5)], actor=ME).ids

    def page(**said: Any) -> tuple[int, ...]:
        return tuple(cause.id for cause in ledger.page(CauseFilter(), limit=2, **said))

    assert page() == ids[:2]
    assert page(after=ids[1]) == ids[2:4]
    assert page(newest_first=True) == (ids[4], ids[3])
    assert page(newest_first=True, after=ids[3]) == (ids[2], ids[1])


def test_all_of_a_batch_is_written_or_nothing(ledger: Suppressions) -> None:
    with pytest.raises(Invalid, match="is no address"):
        ledger.add([manual(), manual("ann lee@example.com")], actor=ME)
    with pytest.raises(Invalid, match="expires before it begins"):
        ledger.add([manual(), manual("b@example.com", expires_at=NOW)], actor=ME)
    with pytest.raises(StoreError):
        ledger.add([manual(), manual(account=99)], actor=ME)
    assert ledger.count(CauseFilter()) == 0


def test_there_are_only_so_many_patterns(ledger: Suppressions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "MOST_PATTERNS", 2)
    ledger.add([manual("/a/"), manual("/b/"), manual("/a/", account=2)], actor=ME)
    with pytest.raises(Conflict, match="there may be 2 patterns at most"):
        ledger.add([manual("/c/")], actor=ME)
    ledger.undo(CauseFilter(what="/a/"), actor=ME)
    ledger.add([manual("/c/")], actor=ME)


def test_each_change_raises_the_number_and_marks_its_rows(ledger: Suppressions, database: Database) -> None:
    following = Following(database)
    epoch, before = following.number()
    (cause,) = ledger.record([bounce()]).ids
    ledger.add([manual("bob@example.com")], actor=ME)
    ledger.undo(CauseFilter(ids=(cause,)), actor=ME)
    assert following.number() == (epoch, before + 3)
    with database.reading() as connection:
        changed = dict(connection.execute(select(schema.causes.c.what, schema.causes.c.changed)).all())
    assert changed == {ANN: before + 3, "bob@example.com": before + 2}


def test_what_people_do_is_in_the_audit_log_of_the_account(store: IdentityStore) -> None:
    ledger = store.suppressions
    ledger.record([bounce()])
    ledger.add([manual("bob@example.com"), manual("eve@example.com"), manual(account=2)], actor=ME)
    ledger.allow([manual("bob@example.com")], actor="cli:other")
    told = [(change.actor, change.action, change.what, change.account) for change in store.audit.page()]
    assert told[2:] == [
        (ME, "suppress", "2 suppressions", 1),
        (ME, "suppress", f"suppression {ANN}", 2),
        ("cli:other", "allow", "suppression bob@example.com", 1),
    ]


def test_what_an_account_had_goes_with_it(store: IdentityStore) -> None:
    store.suppressions.add([manual(), manual(account=2), manual(account=None)], actor=ME)
    store.accounts.delete(1, actor=ME)
    assert [cause.account for cause in store.suppressions.page(CauseFilter())] == [2, None]


def test_the_whole_store_is_copied_with_its_suppressions(
    store: IdentityStore, database: Database, tmp_path: Path
) -> None:
    store.suppressions.record([bounce()])
    target = open_database(f"sqlite:///{tmp_path}/copy/identity.db")
    target.migrate()
    copied = copy_store(
        database, target, replace=False, actor=ME, now=lambda: NOW, progress=lambda done: None
    )
    assert copied.rows["suppression_causes"] == 1
    for table in schema.metadata.sorted_tables:
        with database.reading() as old, target.reading() as new:
            assert old.execute(select(table)).all() == new.execute(select(table)).all()
    target.close()


def test_migrations_make_the_tables_of_the_schema(database: Database) -> None:
    def described() -> dict[str, object]:
        with database.reading() as connection:
            looking = inspect(connection)
            return {
                name: (
                    [
                        (each["name"], str(each["type"]), each["nullable"])
                        for each in looking.get_columns(name)
                    ],
                    looking.get_pk_constraint(name),
                    looking.get_unique_constraints(name),
                    sorted(looking.get_indexes(name), key=str),
                )
                for name in schema.metadata.tables
            }

    migrated = described()
    with database.writing() as connection:
        schema.metadata.drop_all(connection)
        schema.metadata.create_all(connection)
    assert migrated == described()


def test_the_number_begins_with_an_epoch_of_its_own(database: Database) -> None:
    with database.reading() as connection:
        ((id, number, epoch),) = connection.execute(
            text("SELECT id, number, epoch FROM suppression_changes")
        ).all()
    assert (id, number, len(epoch)) == (1, 0, 16)


def test_a_cause_that_expires_stands_until_then(ledger: Suppressions) -> None:
    (cause,) = ledger.add([manual(expires_at=NOW + DAY)], actor=ME).ids
    kept: Cause = ledger.get(cause)
    assert [kept.stands(NOW + DAY - 1), kept.stands(NOW + DAY)] == [True, False]
