"""The resolver against scripted servers, over real loopback sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import dns.message
import pytest
import uvloop

from angarium.config.records import GlobalOptions
from angarium.config.values import SocketAddress
from angarium.dns.records import Answer, Mx
from angarium.dns.resolver import (
    Resolver,
    ResolverConfigError,
    ResolverSettings,
    resolver_settings,
    servers_of,
)
from angarium.testing.clock import ManualClock
from angarium.testing.dns import ScriptedDns
from angarium.testing.programs import PATIENCE_S

ZONE = """
example.com      MX 10 mx1.Example.COM
example.com      MX 20 mx2.example.com
mx1.example.com  60 A 192.0.2.1
mx1.example.com  60 AAAA 2001:db8::1
null.test        MX 0 .
text.test        TXT "v=one; " "two"
_25._tcp.mx.test TLSA 3 1 0 aabb
"""


@asynccontextmanager
async def resolver_for(
    zone: str, clock: ManualClock | None = None, **settings: object
) -> AsyncIterator[tuple[Resolver, ScriptedDns]]:
    async with ScriptedDns(zone) as server:
        defaults: dict[str, object] = {
            "servers": (server.address,),
            "timeout_s": PATIENCE_S,
            "deadline_s": PATIENCE_S,
        }
        resolver = Resolver(ResolverSettings(**(defaults | settings)), clock)  # type: ignore[arg-type]
        try:
            yield resolver, server
        finally:
            await resolver.close()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())  # type: ignore[arg-type]


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_it_answers_what_the_server_says_on_either_event_loop(runner: Callable[..., None]) -> None:
    async def scenario() -> None:
        async with resolver_for(ZONE) as (resolver, _):
            answer = await resolver.query("Example.com.", "MX")
            assert sorted(answer.mx) == [Mx(10, "mx1.example.com"), Mx(20, "mx2.example.com")]
            assert (answer.status, answer.ttl_s) == ("found", 300)
            assert (await resolver.query("mx1.example.com", "A")).texts == ("192.0.2.1",)
            assert (await resolver.query("mx1.example.com", "AAAA")).texts == ("2001:db8::1",)
            assert (await resolver.query("null.test", "MX")).mx == (Mx(0, ""),)
            assert (await resolver.query("text.test", "TXT")).texts == ("v=one; two",)
            assert (await resolver.query("_25._tcp.mx.test", "TLSA")).texts == ("3 1 0 aabb",)

    runner(scenario())


def test_no_such_records_and_no_such_name_are_told_apart() -> None:
    async def scenario() -> None:
        async with resolver_for(ZONE) as (resolver, _):
            assert (await resolver.query("example.com", "AAAA")).status == "nodata"
            assert (await resolver.query("elsewhere.test", "MX")).status == "nxdomain"

    run(scenario)


def test_answers_are_kept_for_their_ttl_and_asked_again_afterwards() -> None:
    async def scenario() -> None:
        clock = ManualClock(1000.0)
        async with resolver_for(ZONE, clock) as (resolver, server):
            await resolver.query("mx1.example.com", "A")
            clock.at += 59
            assert (await resolver.query("mx1.example.com", "A")).ttl_s == 1
            assert server.counts["mx1.example.com", "A"] == 1
            clock.at += 2
            await resolver.query("mx1.example.com", "A")
            assert server.counts["mx1.example.com", "A"] == 2

    run(scenario)


def test_a_negative_answer_is_kept_no_longer_than_its_soa_and_our_limit_say() -> None:
    async def scenario() -> None:
        async with resolver_for(ZONE, negative_ttl_s=3600) as (resolver, _):
            assert (await resolver.query("nowhere.test", "A")).ttl_s == 30
        async with resolver_for(ZONE, negative_ttl_s=7) as (resolver, _):
            assert (await resolver.query("nowhere.test", "A")).ttl_s == 7

    run(scenario)


@pytest.mark.parametrize(("limits", "ttl_s"), [({"min_ttl_s": 90}, 90), ({"max_ttl_s": 20}, 20)])
def test_ttls_are_held_within_the_configured_limits(limits: dict[str, int], ttl_s: int) -> None:
    async def scenario() -> None:
        async with resolver_for(ZONE, **limits) as (resolver, _):
            assert (await resolver.query("mx1.example.com", "A")).ttl_s == ttl_s

    run(scenario)


def test_many_who_ask_the_same_at_once_share_one_query() -> None:
    async def scenario() -> None:
        async with resolver_for(ZONE) as (resolver, server):
            asking = [asyncio.create_task(resolver.query("example.com", "MX")) for _ in range(20)]
            asking[0].cancel()
            answers = await asyncio.gather(*asking[1:])
            assert {answer.status for answer in answers} == {"found"}
            assert server.counts["example.com", "MX"] == 1

    run(scenario)


def test_one_asker_who_gives_up_does_not_take_the_answer_from_the_others() -> None:
    async def scenario() -> None:
        async with resolver_for(ZONE) as (resolver, _):
            first = asyncio.create_task(resolver.query("example.com", "MX"))
            second = asyncio.create_task(resolver.query("example.com", "MX"))
            await asyncio.sleep(0)
            first.cancel()
            assert (await second).status == "found"
            assert first.cancelled()

    run(scenario)


def test_a_truncated_answer_is_asked_for_over_tcp() -> None:
    many = "\n".join(f"big.test A 10.0.{number // 250}.{number % 250}" for number in range(800))

    async def scenario() -> None:
        async with resolver_for(f"{many}\nsmall.test A 192.0.2.7\nsmall.test !truncate") as (
            resolver,
            server,
        ):
            assert len((await resolver.query("big.test", "A")).records) == 800
            assert (await resolver.query("small.test", "A")).texts == ("192.0.2.7",)
            assert [server.counts[name, "A"] for name in ("big.test", "small.test")] == [2, 2]

    run(scenario)


@pytest.mark.slow
def test_a_lost_query_is_sent_again() -> None:
    async def scenario() -> None:
        async with resolver_for(ZONE + "example.com !drop 1", timeout_s=1.0) as (resolver, server):
            assert (await resolver.query("example.com", "MX")).status == "found"
            assert server.counts["example.com", "MX"] == 2

    run(scenario)


def test_a_silent_server_ends_in_a_failure_at_the_deadline_and_the_failure_is_remembered() -> None:
    async def scenario() -> None:
        settings = {"timeout_s": 10.0, "deadline_s": 0.1}
        async with resolver_for("lost.test !drop", **settings) as (resolver, server):
            answer = await resolver.query("lost.test", "MX")
            assert (answer.status, answer.note) == ("failure", "no answer within 0.1 s")
            assert (await resolver.query("lost.test", "MX")).status == "failure"
            assert server.counts["lost.test", "MX"] == 1

    run(scenario)


def test_servers_are_silent_from_a_question_without_an_answer_to_the_next_answer() -> None:
    async def scenario() -> None:
        clock = ManualClock(1000.0)
        async with ScriptedDns("lost.test !drop\nbroken.test !servfail") as server:
            settings = ResolverSettings(servers=(server.address,), timeout_s=0.05, deadline_s=0.5)
            resolver = Resolver(settings, clock)
            assert resolver.silent == ""
            await resolver.query("lost.test", "MX")
            assert "did not answer within 0.05 s" in resolver.silent
            clock.at += 10
            await resolver.query("broken.test", "MX")  # which is an answer
            assert resolver.silent == ""
            clock.at += 10
            await asyncio.gather(resolver.query("lost.test", "A"), resolver.query("broken.test", "A"))
            assert resolver.silent == ""  # it is the name, not the server

    run(scenario)


def test_other_servers_are_not_silent_before_they_were_asked() -> None:
    async def scenario() -> None:
        async with ScriptedDns() as server:
            gone = server.address
        resolver = Resolver(ResolverSettings(servers=(gone,), timeout_s=1, deadline_s=1))
        await resolver.query("example.com", "MX")
        assert str(gone.port) in resolver.silent
        resolver.reconfigure(ResolverSettings(servers=(gone, gone)))
        assert resolver.silent == ""

    run(scenario)


@pytest.mark.parametrize("trouble", ["servfail", "refused", "notimp"])
def test_a_server_that_refuses_is_a_failure_that_says_why(trouble: str) -> None:
    async def scenario() -> None:
        async with resolver_for(f"broken.test !{trouble}") as (resolver, _):
            answer = await resolver.query("broken.test", "MX")
            assert answer.status == "failure"
            assert trouble.upper() in answer.note

    run(scenario)


def test_the_next_server_is_asked_when_the_first_fails_and_stays_the_first_choice() -> None:
    async def scenario() -> None:
        async with ScriptedDns("example.com !servfail") as bad, resolver_for(ZONE) as (_, good):
            resolver = Resolver(ResolverSettings(servers=(bad.address, good.address)))
            assert (await resolver.query("example.com", "MX")).status == "found"
            assert (await resolver.query("mx1.example.com", "A")).status == "found"
            assert len(bad.questions) == 1

    run(scenario)


def test_a_closed_port_is_a_failure_at_once() -> None:
    async def scenario() -> None:
        async with ScriptedDns() as server:
            gone = server.address
        resolver = Resolver(
            ResolverSettings(servers=(gone,), timeout_s=2 * PATIENCE_S, deadline_s=2 * PATIENCE_S)
        )
        async with asyncio.timeout(PATIENCE_S):
            assert (await resolver.query("example.com", "MX")).status == "failure"

    run(scenario)


def test_cnames_are_followed_also_where_the_server_does_not() -> None:
    zone = "a.test CNAME b.test\nb.test 20 CNAME c.test\nc.test A 192.0.2.3\n"

    async def scenario() -> None:
        for trouble in ("", "a.test !bare\nb.test !bare"):
            async with resolver_for(zone + trouble) as (resolver, _):
                answer = await resolver.query("a.test", "A")
                assert (answer.texts, answer.ttl_s) == (("192.0.2.3",), 20)
                assert (await resolver.query("a.test", "MX")).status == "nodata"

    run(scenario)


def test_cnames_in_a_circle_are_a_failure() -> None:
    async def scenario() -> None:
        zone = "a.test CNAME b.test\nb.test CNAME a.test\na.test !bare\nb.test !bare"
        async with resolver_for(zone) as (resolver, _):
            assert (await resolver.query("a.test", "A")).status == "failure"

    run(scenario)


@pytest.mark.parametrize(
    ("name", "type_", "expected"),
    [
        ("localhost", "A", ("127.0.0.1",)),
        ("LOCALHOST.", "AAAA", ("::1",)),
        ("localhost", "MX", ()),
        ("192.0.2.5", "A", ("192.0.2.5",)),
        ("2001:db8::5", "AAAA", ("2001:db8::5",)),
        ("192.0.2.5", "MX", ()),
    ],
)
def test_localhost_and_addresses_are_never_asked(name: str, type_: str, expected: tuple[str, ...]) -> None:
    async def scenario() -> None:
        async with resolver_for(ZONE) as (resolver, server):
            answer: Answer = await resolver.query(name, type_)  # type: ignore[arg-type]
            assert answer.texts == expected
            assert not server.questions

    run(scenario)


@pytest.mark.parametrize(
    "name", ["a..b", "x" * 64 + ".test", ".".join(["abcdefgh"] * 32), "bücher.test", "\\999.test", "\0"]
)
def test_a_name_that_cannot_be_one_does_not_exist(name: str) -> None:
    async def scenario() -> None:
        async with resolver_for(ZONE) as (resolver, _):
            assert (await resolver.query(name, "MX")).status == "nxdomain"

    run(scenario)


class Liar(asyncio.DatagramProtocol):
    """Answers with lies first, then truly."""

    def __init__(self, lies: Callable[[dns.message.Message], list[bytes]], truth: str) -> None:
        self.lies, self.truth = lies, truth

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        for lie in self.lies(query):
            self.transport.sendto(lie, addr)
        self.transport.sendto(_answer(query, self.truth), addr)


def _answer(query: dns.message.Message, ip: str, *, name: str | None = None, id_shift: int = 0) -> bytes:
    response = dns.message.make_response(query)
    owner = name or query.question[0].name.to_text()
    if name:
        response.question = [dns.rrset.from_text(name, 0, "IN", "A")]
    response.answer = [dns.rrset.from_text(owner, 300, "IN", "A", ip)]
    response.id = (query.id + id_shift) % 65_536
    return response.to_wire()


@pytest.mark.parametrize(
    "lies",
    [
        lambda query: [_answer(query, "6.6.6.6", id_shift=1)],
        lambda query: [_answer(query, "6.6.6.6", name="other.test.")],
        lambda query: [b"", b"\0", b"junk" * 100, query.to_wire()],
        lambda query: [_answer(query, "6.6.6.6")[:-3]],
    ],
    ids=["wrong id", "wrong question", "junk", "cut short"],
)
def test_what_does_not_answer_the_question_is_ignored(
    lies: Callable[[dns.message.Message], list[bytes]],
) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Liar(lies, "192.0.2.9"), local_addr=("127.0.0.1", 0)
        )
        resolver = Resolver(ResolverSettings(servers=(SocketAddress(*transport.get_extra_info("sockname")),)))
        assert (await resolver.query("true.test", "A")).texts == ("192.0.2.9",)
        transport.close()

    run(scenario)


def test_each_query_has_its_own_source_port_and_id() -> None:
    seen: list[tuple[int, int]] = []

    class Recorder(Liar):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            seen.append((addr[1], dns.message.from_wire(data).id))
            super().datagram_received(data, addr)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Recorder(lambda _: [], "192.0.2.9"), local_addr=("127.0.0.1", 0)
        )
        resolver = Resolver(ResolverSettings(servers=(SocketAddress(*transport.get_extra_info("sockname")),)))
        await asyncio.gather(*(resolver.query(f"n{number}.test", "A") for number in range(30)))
        transport.close()

    run(scenario)
    assert len({port for port, _ in seen}) > 20
    assert len({id_ for _, id_ in seen}) > 20


def test_a_host_name_with_odd_bytes_arrives_escaped() -> None:
    async def scenario() -> None:
        async with resolver_for("odd.test MX 10 a\\010b\\.c.test") as (resolver, _):
            assert (await resolver.query("odd.test", "MX")).mx == (Mx(10, "a\\010b\\.c.test"),)

    run(scenario)


def test_closing_gives_waiting_askers_a_failure() -> None:
    async def scenario() -> None:
        async with resolver_for("lost.test !drop", deadline_s=60.0) as (resolver, _):
            asking = asyncio.create_task(resolver.query("lost.test", "MX"))
            await asyncio.sleep(0)
            await resolver.close()
            assert (await asking).status == "failure"
            assert (await resolver.query("other.test", "MX")).status == "failure"

    run(scenario)


def test_other_servers_can_be_asked_after_a_reload() -> None:
    async def scenario() -> None:
        async with ScriptedDns("moved.test A 192.0.2.1") as new, resolver_for(ZONE) as (resolver, old):
            assert (await resolver.query("moved.test", "A")).status == "nxdomain"
            resolver.reconfigure(ResolverSettings(servers=(new.address,)))
            assert (await resolver.query("moved.test", "A")).texts == ("192.0.2.1",)
            assert len(old.questions) == 1

    run(scenario)


def test_what_was_learnt_before_a_moment_is_asked_again_by_who_says_so() -> None:
    async def scenario() -> None:
        clock = ManualClock(1000.0)
        async with resolver_for("moved.test 3600 A 192.0.2.1", clock) as (resolver, server):
            await resolver.query("moved.test", "A")
            await resolver.query("gone.test", "A")
            server.set_zone("moved.test 3600 A 192.0.2.2\ngone.test A 192.0.2.3")
            clock.at += 1.0
            assert (await resolver.query("moved.test", "A")).texts == ("192.0.2.1",)
            now = clock.now()
            assert (await resolver.query("moved.test", "A", now)).texts == ("192.0.2.2",)
            assert (await resolver.query("gone.test", "A", now)).texts == ("192.0.2.3",)
            assert (await resolver.query("moved.test", "A", now)).texts == ("192.0.2.2",)
            assert server.counts["moved.test", "A"] == 2

    run(scenario)


def test_a_question_under_way_is_not_shared_with_who_wants_a_newer_answer() -> None:
    async def scenario() -> None:
        clock = ManualClock(1000.0)
        async with resolver_for("a.test A 192.0.2.1", clock) as (resolver, server):
            old = asyncio.create_task(resolver.query("a.test", "A"))
            await asyncio.sleep(0)
            clock.at += 1.0
            new = asyncio.create_task(resolver.query("a.test", "A", clock.now()))
            newest = asyncio.create_task(resolver.query("a.test", "A", clock.now()))
            assert {answer.status for answer in await asyncio.gather(old, new, newest)} == {"found"}
            assert server.counts["a.test", "A"] == 2
            await resolver.query("a.test", "A", clock.now())
            assert server.counts["a.test", "A"] == 2

    run(scenario)


def test_an_answer_of_servers_that_are_asked_no_longer_is_not_kept() -> None:
    async def scenario() -> None:
        zone = "a.test A 192.0.2.1\na.test !delay 0.05"
        async with ScriptedDns("a.test A 192.0.2.2") as new, resolver_for(zone) as (resolver, _):
            under_way = asyncio.create_task(resolver.query("a.test", "A"))
            for _ in range(3):  # until it is sent
                await asyncio.sleep(0)
            resolver.reconfigure(ResolverSettings(servers=(new.address,)))
            assert (await under_way).texts == ("192.0.2.1",)
            assert (await resolver.query("a.test", "A")).texts == ("192.0.2.2",)

    run(scenario)


def test_without_a_server_every_question_fails_and_says_why() -> None:
    async def scenario() -> None:
        resolver = Resolver(ResolverSettings(servers=()))
        answer = await resolver.query("example.com", "MX")
        assert (answer.status, answer.note) == ("failure", "no name server is known")

    run(scenario)


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_a_server_may_be_named_with_the_zone_of_its_link(runner: Callable[..., None]) -> None:
    async def scenario() -> None:
        async with ScriptedDns("a.test A 192.0.2.1", host="::1") as server:
            loopback = SocketAddress(f"::1%{socket.if_nametoindex('lo')}", server.address.port)
            resolver = Resolver(ResolverSettings(servers=(loopback,)))
            assert (await resolver.query("a.test", "A")).texts == ("192.0.2.1",)

    runner(scenario())


@pytest.mark.slow
def test_the_number_of_questions_under_way_is_bounded() -> None:
    async def scenario() -> None:
        zone = "*.slow.test A 192.0.2.1\nn0.slow.test A 192.0.2.1\nn0.slow.test !drop 1"
        async with resolver_for(zone, max_in_flight=1, timeout_s=1.0) as (resolver, server):
            names = [f"n{number}.slow.test" for number in range(5)]
            answers = await asyncio.gather(*(resolver.query(name, "A") for name in names))
            assert {answer.status for answer in answers} == {"found"}
            asked = [name for name, _ in server.questions]
            assert asked == ["n0.slow.test", *names]

    run(scenario)


def test_servers_come_from_the_options_or_from_resolv_conf(tmp_path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("# comment\nnameserver 192.0.2.53\nnameserver 2001:db8::53\noptions rotate\n")
    assert servers_of(path) == (SocketAddress("192.0.2.53", 53), SocketAddress("2001:db8::53", 53))
    assert resolver_settings(GlobalOptions(resolv_conf=path)).servers == servers_of(path)
    own = (SocketAddress("127.0.0.1", 5353),)
    assert resolver_settings(GlobalOptions(dns_servers=own)).servers == own
    with pytest.raises(ResolverConfigError, match="DNS_Servers"):
        servers_of(tmp_path / "missing")
