"""Files of large bodies: gone as soon as their message is finished, whichever way it went."""

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
