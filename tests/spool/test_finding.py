"""Finding messages in a spool by what is remembered of them, beside its writer and after it is gone."""

import sqlite3
from contextlib import closing

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.errors import AngariumError
from angarium.core.finding import Finding, FoundMessage, Wanted, merge_findings
from angarium.core.ids import format_id, new_id
from angarium.core.options import Options
from angarium.core.records import ForwardPath
from angarium.spool.offline.find import SpoolSource
from angarium.spool.offline.matching import Matcher
from angarium.spool.port import SpoolError
from angarium.testing.spool import NOW, make_message

TEXT = (
    b"From: a@example.org\r\nMessage-ID:\r\n <CAF+one.two@mail.example.org>\r\n"
    b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n\r\nhi\r\n"
)


def message(**fields):
    given = {name: fields.pop(name) for name in ("received_at",) if name in fields}
    return msgspec.structs.replace(make_message(**given), **fields)


def to(*addresses):
    return tuple(ForwardPath(address=address, domain=domain) for address, domain in addresses)


def find(engine, **wanted):
    return SpoolSource(engine.path).find(Wanted(**wanted), lambda done, of: None)


def ids(finding):
    return [row.message for row in finding.rows]


def test_what_waits_in_memory_what_settled_and_what_has_ended_is_found_with_what_became_of_it(play, engine):
    async def day(spool):
        live, settled, done = (
            make_message("a.example"),
            make_message("b.example", "c.example"),
            make_message("d.example"),
        )
        await spool.take(live, TEXT)
        first, second = await spool.take(settled, TEXT)
        await spool.tell(first, "delivered")
        await spool.tell(second, "queued", due_at=NOW + 600)
        await spool.settle(second)
        (ended,) = await spool.take(done, TEXT)
        await spool.tell(ended, "delivered")
        finding = find(engine)
        assert ids(finding) == [format_id(each.id) for each in (done, settled, live)]
        told = [
            [(each.recipient, each.state, each.attempts) for each in row.recipients] for row in finding.rows
        ]
        assert told == [
            [("r0@d.example", "delivered", 1)],
            [("r0@b.example", "delivered", 1), ("r1@c.example", "queued", 1)],
            [("r0@a.example", "queued", 0)],
        ]
        assert finding.rows[1].states == {"delivered": 1, "queued": 1}
        assert (finding.rows[0].subject, finding.rows[0].message_id) == (
            "grüße",
            "<CAF+one.two@mail.example.org>",
        )
        assert (finding.next, finding.complete_since, finding.problems) == (None, None, [])

    play(day)


QUESTIONS = [
    {"recipient": "alice@xn--bcher-kva.example"},
    {"recipient": "Alice@BÜCHER.example"},
    {"recipient": "<alice@bücher.example>"},
    {"recipient": "bücher.example"},
    {"recipient": "@xn--bcher-kva.example"},
    {"recipient": "alice"},
    {"recipient": "ali*@b*.example"},
    {"recipient": "*@xn--bcher-kva.*"},
    {"sender": "news@shop.example"},
    {"sender": "shop.example"},
    {"tag": "Welcome"},
    {"login": "newsletter"},
    {"login": "7"},
    {"message_id": "<CAF+one.two@mail.example.org>"},
    {"message_id": "CAF+one.two@mail.example.org"},
    {"message_id": "CAF+one"},
    {"message_id": "<CAF+one.two@mail"},
    {"words": "CAF+one.two@mail.example.org"},
    {"words": "alice@bücher.example"},
    {"words": "news@shop.example"},
    {"words": "welcome"},
    {"since": NOW - 10, "until": NOW - 4},
    {"recipient": "alice", "sender": "news", "tag": "welcome", "login": "login 7", "since": NOW - 10},
]
WRONG = [
    {"recipient": "lice"},
    {"recipient": "alice@other.example"},
    {"recipient": "example"},
    {"sender": "alice"},
    {"tag": "wel"},
    {"login": "77"},
    {"message_id": "one.two@mail.example.org"},
    {"message_id": "caf+one"},
    {"words": "nobody"},
    {"since": NOW - 4},
    {"until": NOW - 6},
    {"recipient": "alice", "sender": "other.example"},
]
ALICE = {
    "received_at": NOW - 5,
    "reverse_path": "news@Shop.example",
    "recipients": to(
        ("bob@other.example", "other.example"), ("Alice@Bücher.example", "xn--bcher-kva.example")
    ),
    "options": Options(tags=("welcome",)),
    "login": 'login 7 "newsletter"',
}


@pytest.mark.parametrize("wanted", QUESTIONS, ids=str)
def test_a_message_is_found_by_each_thing_that_is_remembered_of_it(wanted):
    assert Matcher(Wanted(**wanted)).match(message(**ALICE), lambda: TEXT)


@pytest.mark.parametrize("wanted", WRONG, ids=str)
def test_a_message_is_not_found_by_what_is_not_true_of_it(wanted):
    assert not Matcher(Wanted(**wanted)).match(message(**ALICE), lambda: TEXT)


@given(st.integers(4, 32), st.booleans(), st.booleans())
def test_every_beginning_of_its_id_finds_a_message_and_no_other_one(size, upper, dashes):
    one = message(**ALICE)
    text = format_id(one.id)[:size]
    if dashes:
        text = "-".join(filter(None, (text[:8], text[8:12], text[12:16], text[16:])))
    matcher = Matcher(Wanted(id=text.upper() if upper else text))
    assert matcher.match(one, lambda: b"")
    other = message(received_at=NOW - 1_000_000_000)
    assert not matcher.match(other, lambda: b"")


@given(st.integers(1, 29))
def test_every_beginning_of_its_message_id_finds_a_message(size):
    assert Matcher(Wanted(message_id="CAF+one.two@mail.example.org"[:size])).match(
        message(**ALICE), lambda: TEXT
    )


def test_a_message_id_that_this_node_put_before_the_text_is_found_too():
    one = message(trace=b"Message-ID: <ours@node.example>\r\n")
    assert Matcher(Wanted(message_id="<ours@node.example>")).match(one, lambda: b"Subject: x\r\n\r\n")


def test_a_message_id_in_the_text_of_a_mail_is_not_its_own():
    assert not Matcher(Wanted(message_id="quoted@x.example")).match(
        message(), lambda: b"Subject: x\r\n\r\nMessage-ID: <quoted@x.example>\r\n"
    )


def test_the_null_sender_is_found_by_its_brackets():
    assert Matcher(Wanted(sender="<>")).match(message(reverse_path=""), lambda: b"")
    assert not Matcher(Wanted(sender="<>")).match(message(), lambda: b"")
    assert not Matcher(Wanted(sender="*")).match(message(reverse_path=""), lambda: b"")


@pytest.mark.parametrize(("field", "text"), [("id", "xyz"), ("id", "12"), ("before", "yesterday")])
def test_what_is_no_id_is_told(field, text):
    with pytest.raises(AngariumError, match=repr(text)):
        Matcher(Wanted(**{field: text}))


def test_pages_follow_each_other_newest_first_over_journal_and_store(play, engine):
    async def day(spool):
        made = [make_message(f"{number}.example") for number in range(25)]
        for number, each in enumerate(made):
            recipients = await spool.take(each, TEXT + b"x" * 4000)
            if number % 3 == 0:
                await spool.settle(*recipients)
        expected = [format_id(each.id) for each in reversed(made)]
        seen, before = [], ""
        while True:
            finding = find(engine, limit=4, before=before)
            assert len(finding.rows) <= 4
            seen += ids(finding)
            if finding.next is None:
                break
            assert finding.next == finding.rows[-1].message
            before = finding.next
        assert seen == expected

    play(day)


def test_what_was_given_up_is_told_and_what_waits_is_found_whatever_its_age(play, engine):
    async def day(spool):
        waits = make_message("waits.example")
        await spool.settle(*await spool.take(waits, TEXT))
        gone = make_message("gone.example")
        (recipient,) = await spool.take(gone, TEXT)
        await spool.tell(recipient, "delivered")
        for _ in range(60):
            (recipient,) = await spool.take(make_message("b.example"), b"x" * 4000)
            await spool.tell(recipient, "delivered")
        finding = find(engine, recipient="waits.example")
        assert [(row.message, row.states) for row in finding.rows] == [(format_id(waits.id), {"queued": 1})]
        assert ids(find(engine, recipient="gone.example")) == []
        oldest = min(row.received_at for row in find(engine, recipient="b.example", limit=100).rows)
        assert finding.complete_since is not None
        assert gone.received_at < finding.complete_since <= oldest

    play(day)


def test_nothing_is_changed_and_the_store_can_be_tidied_meanwhile(play, engine):
    async def day(spool):
        await spool.settle(*await spool.take(make_message("a.example"), TEXT))
        find(engine)
        await spool.settle(*await spool.take(make_message("b.example"), TEXT))
        with closing(sqlite3.connect(engine.path / "settled.db")) as db:
            assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0

    play(day)
    before = {
        p: p.read_bytes() for p in engine.path.rglob("*") if p.is_file() and not p.name.endswith("-shm")
    }
    assert len(find(engine).rows) == 2
    assert before == {
        p: p.read_bytes() for p in engine.path.rglob("*") if p.is_file() and not p.name.endswith("-shm")
    }


def test_a_large_message_is_found_by_its_header(play, engine):
    async def day(spool):
        one = make_message("d.example", size=3000)
        await spool.take(one, await spool.large(one, [TEXT, b"y" * 3000]))
        assert ids(find(engine, message_id="CAF+one")) == [format_id(one.id)]

    play(day)


def test_a_folder_without_a_spool_is_told(tmp_path):
    with pytest.raises(SpoolError, match="no spool partition"):
        SpoolSource(tmp_path).find(Wanted(), lambda done, of: None)


def test_several_sources_are_one_answer():
    def row(at, sender="a@example.org"):
        return FoundMessage(format_id(new_id(at)), at, sender, [], 0, {})

    first, second, third = row(3.0), row(2.0), row(1.0)
    twin = msgspec.structs.replace(second, sender="other@example.org")
    finding = merge_findings(
        [Finding([first, second], None, 10.0), Finding([twin, third], None, 20.0, ["x"])], 2
    )
    assert finding == Finding([first, second], second.message, 20.0, ["x"])
    assert merge_findings([Finding([first]), Finding([second])], 2) == Finding([first, second])
