"""No statement of the settled store goes through a table: it holds millions of rows, and each statement runs for some.

The statements are those that a store runs, not copies of them: a day in its life is traced.
"""

import re

import pytest

from angarium.core.records import Recipient
from angarium.spool.codec import encode
from angarium.spool.disk import RealDisk
from angarium.spool.port import Selection
from angarium.spool.sqlite.store import MANY_FLOWS, SqliteStore
from angarium.spool.store import BEFORE_ALL, KEPT_EVENTS, NewMessage, Settling
from angarium.testing.spool import NOW, make_message

LATER = NOW + 1_000_000
DOMAINS = [f"d{n}.example" for n in range(MANY_FLOWS + 1)]


def recipients_of(message):
    return [Recipient(message, n, "default", path.domain) for n, path in enumerate(message.recipients)]


def settle(store, messages):
    """Put all recipients of messages into the store; return them."""
    recipients = [each for message in messages for each in recipients_of(message)]
    store.begin()
    store.settle(
        [NewMessage(message, b"body") for message in messages], [Settling(r, LATER) for r in recipients]
    )
    store.take_changes()
    store.commit()
    return recipients


def tell(store, recipients, kind, state, **changes):
    """Have the store apply an event of each recipient."""
    events = [each.event(kind, NOW, state, **changes) for each in recipients]
    for recipient, event in zip(recipients, events, strict=True):
        recipient.apply(event)
    store.begin()
    store.apply([(event, encode(event)) for event in events])
    store.take_changes()
    store.commit()


def a_day(store):
    """All that a store is asked for."""
    messages = [make_message(*DOMAINS) for _ in range(3)]
    recipients = settle(store, messages)
    tell(store, recipients, "delayed", "queued", due_at=LATER)
    for _ in range(KEPT_EVENTS):
        tell(store, recipients[:1], "delayed", "queued", due_at=LATER)
    tell(store, recipients[::2], "held", "held")
    tell(store, recipients[:3], "rebound", "queued", binding="other")
    tell(store, recipients[4:8], "cancelled", "cancelled")
    tell(store, recipients_of(messages[2]), "cancelled", "cancelled")
    store.begin()
    assert store.page(recipients[9].flow, LATER, 5)
    store.take_changes()
    store.commit()
    look(store, recipients)


def look(store, recipients):
    """All that only reads."""
    one = recipients[10]
    some = [recipients[0].message.id, one.message.id]
    for domain in (None, one.domain):
        for binding in (None, "default"):
            for message in (None, one.message.id):
                for state in (None, "queued", "held"):
                    for after in (None, recipients[8].key):
                        store.select(Selection(domain, binding, message, state), after, 2)
                    store.count(Selection(domain, binding, None, state))
    place = store.due_to_expire(LATER, BEFORE_ALL, 3)[1]
    assert place is not None
    store.due_to_expire(LATER, place, 3)
    store.known(some), store.known_keys(some), store.messages(some)
    store.body(one.message.id), store.events(one.message.id), store.summaries()


@pytest.fixture
def traced(tmp_path):
    """A store, and the statements that it has run."""
    store = SqliteStore(tmp_path / "settled.db", RealDisk())
    statements: list[str] = []
    store.db.set_trace_callback(statements.append)
    yield store, statements
    store.close()


def plan(store, statement):
    """Return the steps by which SQLite carries a statement out."""
    readable = statement.replace("-Inf", "-9e999")  # as the trace writes it, SQLite does not read it
    return [step for *_, step in store.db.execute(f"EXPLAIN QUERY PLAN {readable}")]


def shape(statement):
    """Return a statement without its values."""
    return re.sub(r"x'[0-9a-f]*'|'[^']*'|\d[\d.e]*", "", statement)


def faults(store, statement):
    """Return the steps of a statement that would look at all rows, or at all that are left.

    One that goes through the rows in their order may: it ends at its limit.
    """
    large = re.compile(r"SCAN (message|recipient|event)\b|.*TEMP B-TREE")
    walks = re.search(r"ORDER BY message, idx LIMIT \d+$", statement) is not None
    return [
        step
        for step in plan(store, statement)
        if large.match(step) and not (walks and step == "SCAN recipient")
    ]


def test_every_statement_finds_its_rows_by_a_key_or_walks_them_in_order(traced):
    store, statements = traced
    a_day(store)
    store.db.set_trace_callback(None)
    wanted = {shape(each): each for each in statements if re.match(r"(SELECT|UPDATE|DELETE|INSERT)\b", each)}
    assert len(wanted) > 50
    assert {each: found for each in wanted.values() if (found := faults(store, each))} == {}


def test_the_leases_of_the_last_run_are_found_by_their_index(traced):
    store, _ = traced
    assert plan(store, "UPDATE recipient SET leased = 0 WHERE leased = 1") == [
        "SCAN recipient USING INDEX by_lease"
    ]


def test_a_statement_that_goes_through_a_table_would_be_seen(traced):
    store, _ = traced
    assert faults(store, "SELECT idx FROM recipient WHERE (message, idx) IN (VALUES (x'00', 1), (x'01', 1))")
    assert faults(store, "SELECT id FROM message WHERE body IS NULL")
    assert faults(
        store, "SELECT idx FROM recipient WHERE flow > 1 AND leased = 0 ORDER BY message, idx LIMIT 9"
    )


def test_a_page_of_many_flows_is_that_of_one_walk(tmp_path):
    """What is asked flow by flow comes in the order of keys, without a gap and without a row twice."""
    store = SqliteStore(tmp_path / "settled.db", RealDisk())
    recipients = settle(
        store, [make_message("a.example", "b.example", tenant=f"s{n % 5}") for n in range(20)]
    )
    for selection in (Selection("a.example"), Selection(binding="default")):
        wanted = [each.key for each in recipients if selection.domain in (None, each.domain)]
        for limit in (1, 3, 7, 100):
            found, after = [], None
            while page := store.select(selection, after, limit):
                found += [each.key for each in page]
                after = found[-1]
            assert found == sorted(wanted)
    store.close()
