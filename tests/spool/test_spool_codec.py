"""Records survive any cut of the tail as a prefix, and damage in the middle costs one record only."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.records import Event, Message
from angarium.core.reply import Reply
from angarium.spool import groups
from angarium.spool.codec import (
    ACCEPT,
    EVENT,
    Damage,
    End,
    Record,
    decode_event,
    decode_message,
    encode,
    frame,
    position,
)
from angarium.spool.files.scan import Scan
from angarium.testing.spool import make_message

SALT, GENERATION = 0x1234, 7

payloads = st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=200)), max_size=8)


def segment(records, batch=1, size=0):
    """Lay records out as the journal does, syncing after every *batch* of them."""
    data, synced = bytearray(), 0
    for number, (meta, body) in enumerate(records):
        if number % batch == 0:
            synced = len(data)
        data += frame(EVENT, 0, meta, body, GENERATION, SALT, len(data), synced) + meta + body
    return bytes(data).ljust(size, b"\0")


def scan(data, generation=GENERATION, salt=SALT, **known):
    """Read *data* in blocks that are smaller than most records."""
    return Scan(
        lambda at, size: bytes(data[at : at + size]), generation, salt, **{"block_bytes": 50, **known}
    )


def read(data, end=None, **known):
    return list(scan(data, **known).read(0, end))


def contents(items):
    return [(bytes(r.meta), bytes(r.body)) for r in items if isinstance(r, Record)]


@given(payloads, st.integers(1, 4))
def test_what_was_written_is_read(records, batch):
    data = segment(records, batch)
    *items, end = read(data + bytes(100))
    assert contents(items) == records
    assert end == End(len(data), 0)


@given(payloads, st.data())
def test_any_cut_of_the_tail_leaves_a_prefix(records, draw):
    data = segment(records)
    cut = draw.draw(st.integers(0, len(data)))
    image = data[:cut].ljust(len(data) + 64, b"\0")
    *items, end = read(image)
    assert contents(items) == records[: len(items)]
    assert image.startswith(data[: end.offset])
    assert all(isinstance(item, Record) for item in items)


@given(payloads, st.integers(1, 4), st.data())
def test_an_unsynced_batch_of_which_any_part_is_missing_ends_where_the_first_hole_is(records, batch, draw):
    """A write that was cut off may have reached the disk in any order: what lies behind a hole does not count."""
    data = segment(records, batch)
    last = len(segment(records[: (len(records) - 1) // batch * batch])) if records else 0
    hole = draw.draw(st.integers(last, len(data)))
    size = draw.draw(st.integers(0, len(data) - hole))
    image = data[:hole] + bytes(size) + data[hole + size :]
    *items, end = read(image)
    assert contents(items) == records[: len(items)]
    assert end.offset <= (hole if image != data else len(data))
    assert not [item for item in items if isinstance(item, Damage)]


@given(payloads.filter(lambda records: len(records) >= 3), st.data())
def test_damage_to_what_was_durable_costs_that_record_only(records, draw):
    data = bytearray(segment(records))
    victim = draw.draw(st.integers(0, len(records) - 2))
    start, size = len(segment(records[:victim])), len(segment(records[victim : victim + 1]))
    data[start + draw.draw(st.integers(0, size - 1))] ^= 0x55
    *items, end = read(bytes(data))
    assert contents(items) == records[:victim] + records[victim + 1 :]
    assert [item for item in items if isinstance(item, Damage)] == [Damage(start, size)]
    assert end.offset == len(data)


@given(payloads, st.data())
def test_a_known_end_makes_every_hole_damage_and_hides_what_is_behind(records, draw):
    data = segment(records, 100)
    count = draw.draw(st.integers(0, len(records)))
    known = len(segment(records[:count], 100))
    assert contents(read(data, known)) == records[:count]
    *items, end = read(bytes(len(data)), known)
    assert (items, end.offset) == ([Damage(0, known)] if known else [], known)


@given(payloads)
def test_records_of_another_generation_salt_or_place_are_not_read(records):
    data = segment(records)
    assert read(data, generation=GENERATION + 1) == [End(0, 0)]
    assert not contents(read(data, salt=SALT + 1))
    assert not contents(scan(bytes(8) + data).read(8, None))


def test_a_mail_that_contains_a_record_does_not_become_one():
    inner = segment([(b"meta", b"forged")])
    data = bytearray(segment([(b"a", inner), (b"b", b"")]))
    data[10] ^= 1
    assert contents(read(bytes(data))) == [(b"b", b"")]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(data):
    assert isinstance(read(b"\xa5Ang" + GENERATION.to_bytes(4, "little") + data)[-1], End)
    assert isinstance(read(data)[-1], End)


def test_a_torn_last_write_is_measured():
    data = segment([(b"meta", b"body" * 100)])
    *_, end = read(data[:-5] + bytes(5))
    assert end == End(0, len(data))


@given(payloads, st.integers(0, 8), st.data())
def test_a_hole_before_what_is_known_to_have_been_durable_is_damage(records, count, draw):
    """Also when nothing behind it can tell."""
    durable = len(segment(records[:count], 100))
    data = segment(records, 100)
    hole = draw.draw(st.integers(0, len(data)))
    image = data[:hole] + bytes(len(data) - hole + 64)
    *items, end = read(image, durable=durable)
    damaged = [item for item in items if isinstance(item, Damage)]
    assert bool(damaged) == (image[:durable] != data[:durable])
    assert end.offset >= durable
    assert contents(items) == records[: len(contents(items))]


@given(payloads, st.data())
def test_behind_the_horizon_nothing_is_searched(records, draw):
    data = segment(records)
    asked = []

    def fetch(at, size):
        asked.append(at)
        return (data + bytes(10_000))[at : at + size]

    *items, end = Scan(fetch, GENERATION, SALT, horizon=len(data), block_bytes=50).read(0, None)
    assert (contents(items), end) == (records, End(len(data), 0))
    assert max(asked) <= len(data)


def test_records_that_follow_are_read_whatever_the_horizon_says():
    data = segment([(b"a", b""), (b"b", b""), (b"c", b"")])
    assert contents(read(data + bytes(100), horizon=10)) == [(b"a", b""), (b"b", b""), (b"c", b"")]


@given(st.integers(0, 40), st.integers(0, 600))
def test_the_records_of_a_message_are_found_wherever_blocks_begin(others, size):
    wanted = make_message()
    event = Event(
        type="delayed",
        at=1.5,
        message=wanted.id,
        index=1,
        seq=3,
        state="queued",
        binding="default",
        domain="b.example",
        attempts=2,
        due_at=9.5,
        note="why",
    )
    noise = [(encode(make_message()), bytes(size)) for _ in range(others)]
    data = segment([*noise, (encode(wanted), b"body"), *noise[:3], (encode(event), b"")])
    found = scan(data, block_bytes=400).containing(wanted.id, 0, len(data))
    assert [bytes(record.meta) for record in found] == [encode(wanted), encode(event)]


def test_positions_order_records_across_segments():
    assert position(1, 0xFFFFFFFF) < position(2, 0) < position(2, 1)


@given(st.lists(st.integers(1, 5), max_size=5), st.data())
def test_of_groups_that_a_cut_leaves_torn_nothing_is_read(sizes, draw):
    """Each group is one write, synced before the next."""
    data, ends = grouped(sizes)
    cut = draw.draw(st.integers(0, len(data)))
    image = data[:cut].ljust(len(data) + 64, b"\0")
    *items, end = read(image)
    last = max(each for each in ends if each <= cut)
    assert end.offset == last
    assert contents(items) == contents(read(data[:last] + bytes(64)))
    assert all(isinstance(item, Record) for item in items)


@given(st.lists(st.integers(2, 5), min_size=2, max_size=4), st.data())
def test_damage_in_a_group_that_was_durable_costs_that_record_only(sizes, draw):
    data, _ = grouped(sizes)
    records = [item for item in read(data) if isinstance(item, Record)]
    victim = draw.draw(
        st.integers(0, sum(sizes[:-1]) - 1)
    )  # behind the last group nothing proves that it was durable
    image = bytearray(data)
    image[records[victim].offset + draw.draw(st.integers(0, 40))] ^= 0x55
    *items, end = read(bytes(image))
    assert contents(items) == contents(records[:victim] + records[victim + 1 :])
    assert [type(item) for item in items].count(Damage) == 1
    assert end.offset == len(data)


def grouped(sizes):
    """Lay groups of so many records out, each synced before the next; return them and where each ends."""
    data, ends = bytearray(), [0]
    for number, size in enumerate(sizes):
        synced = len(data)
        for member, flags in enumerate(groups.marks(size)):
            meta, body = bytes((number, member)), b"x" * 40
            data += frame(ACCEPT, flags, meta, body, GENERATION, SALT, len(data), synced) + meta + body
        ends.append(len(data))
    return bytes(data), ends


def test_a_message_of_format_1_with_a_refusal_was_taken_to_fail():
    """Its record ends before the fate; what a record does not say has its default."""
    message = msgspec.structs.replace(make_message(), refusal=Reply(550, "5.1.1", "no"))
    fields = msgspec.msgpack.decode(encode(message))
    before = msgspec.msgpack.encode(fields[: Message.__struct_fields__.index("fate")])
    assert decode_message(before).fate == "fail"
    assert decode_message(encode(make_message())).fate == "deliver"
    feedback = make_message(fate="feedback")
    assert decode_message(encode(feedback)) == feedback


def test_messages_and_events_are_what_they_were():
    message = make_message("a.example", "b.example")
    event = Event(
        type="delayed",
        at=1.5,
        message=message.id,
        index=1,
        seq=3,
        state="queued",
        binding="default",
        domain="b.example",
        attempts=2,
        due_at=9.5,
        note="why",
    )
    assert decode_message(encode(message)) == message
    assert decode_event(encode(event)) == event
