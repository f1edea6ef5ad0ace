"""What of whom the settled store holds at a start: what the limits of accounts begin with."""

from angarium.spool.sqlite.stored_mail import StoredMail
from angarium.testing.spool import NOW, make_message


def sums(engine, prefix="account-"):
    return StoredMail(engine.path / "settled.db").by_tenant(prefix)


def test_recipients_and_the_bytes_to_be_sent_to_them_are_summed_up_by_tenant(play, engine):
    async def day(spool):
        for tenant, domains in (("account-7", ("a.example", "b.example")), ("account-71", ("a.example",))):
            await spool.settle(*await spool.take(make_message(*domains, tenant=tenant, size=100), b"x" * 100))
        await spool.settle(*await spool.take(make_message("a.example", tenant="192.0.2.1", size=5), b"xxxxx"))
        large = make_message("a.example", "b.example", tenant="account-7", size=5000)
        await spool.settle(*await spool.take(large, await spool.large(large, [b"x" * 5000])))
        await spool.take(make_message("a.example", tenant="account-7", size=9), b"in memory")
        assert sums(engine) == {"account-7": (4, 10_200), "account-71": (1, 100)}

    async def next_day(spool):
        assert sums(engine) == {"account-7": (4, 10_200), "account-71": (1, 100)}
        assert len([r for r in spool.recovered if r.message.tenant == "account-7"]) == 1

    play(day, next_day)


def test_the_picture_is_of_the_moment_in_which_it_was_taken(play, engine):
    async def day(spool):
        first = await spool.take(make_message("a.example", tenant="account-7", size=10), b"x" * 10)
        await spool.settle(*first)
        picture = StoredMail(engine.path / "settled.db")
        await spool.settle(
            *await spool.take(make_message("a.example", tenant="account-7", size=10), b"x" * 10)
        )
        (paged, _) = await spool.spool.page(first[0].flow, NOW * 2, 10)
        await spool.tell(paged, "delivered")
        assert picture.by_tenant("account-") == {"account-7": (1, 10)}

    play(day)


def test_an_empty_store_has_nothing(play, engine):
    async def day(spool):
        assert sums(engine) == {}

    play(day)
