"""Files of large bodies: gone as soon as their message is finished, whichever way it went."""

from angarium.spool.files.reader import FileJournalReader
from angarium.testing.spool import NOW, make_message


def files(engine):
    return list((engine.path / "large").iterdir())


def test_the_file_of_a_message_that_was_settled_goes_with_its_last_recipient(play, engine):
    async def day(spool):
        message = make_message("a.example", "b.example", size=5000)
        first, second = await spool.take(message, await spool.large(message, [b"x" * 5000]))
        for recipient in (first, second):
            await spool.tell(recipient, "queued", due_at=NOW)
        await spool.settle(first, second)
        for recipient in (first, second):
            (paged,) = await spool.spool.page(recipient.flow, NOW * 2, 10)
            assert len(files(engine)) == 1
            await spool.tell(paged, "delivered")

    play(day)
    assert files(engine) == []


def test_the_file_goes_when_one_recipient_ends_in_the_store_and_the_other_in_memory(play, engine):
    async def day(spool):
        message = make_message("a.example", "b.example", size=5000)
        first, second = await spool.take(message, await spool.large(message, [b"x" * 5000]))
        await spool.tell(first, "queued", due_at=NOW)
        await spool.settle(first)
        (paged,) = await spool.spool.page(first.flow, NOW * 2, 10)
        await spool.tell(paged, "delivered")
        assert len(files(engine)) == 1
        await spool.tell(second, "delivered")

    play(day)
    assert files(engine) == []


def test_a_body_that_is_held_stays_for_its_reader_though_its_message_has_ended(play, engine):
    message = make_message("a.example", size=5000)

    async def day(spool):
        large = await spool.large(message, [b"x" * 5000])
        await spool.spool.large_body(message.id).hold()
        (recipient,) = await spool.take(message, large)
        await spool.tell(recipient, "delivered")

    play(day)
    assert files(engine) == []
    reader = FileJournalReader(engine.path)
    (body,) = [entry.body for entry in reader.entries() if entry.message is not None]
    assert body.read_bytes() == b"x" * 5000
    reader.let_go(message.id)
    reader.let_go(message.id)
    assert [entry.body for entry in FileJournalReader(engine.path).entries() if entry.message] == [None]


def test_what_is_held_of_a_message_that_was_never_accepted_is_given_up(play, engine):
    refused, gone = make_message("a.example", size=5000), make_message("a.example", size=5000)

    async def day(spool):
        for message in (refused, gone):
            await spool.large(message, [b"x" * 5000])
            await spool.spool.large_body(message.id).hold()
        spool.spool.large_body(refused.id).discard()

    play(day)
    unread = engine.path / "unread"
    assert [path.name for path in unread.iterdir()] == [gone.id.hex()]
    held_at = (unread / gone.id.hex()).stat().st_ctime
    reader = FileJournalReader(engine.path)
    reader.sweep(held_at)
    assert len(list(unread.iterdir())) == 1
    reader.sweep(held_at + 1)
    assert list(unread.iterdir()) == []
