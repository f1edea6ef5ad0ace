"""The router: planner and resolver together over loopback, and how long plans are kept."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from angarium.config.load import parse_config
from angarium.config.records import GlobalOptions, ListenerConfig, OutboundOptions
from angarium.config.values import Gateway, ListenAddress, Route, Where, stanza_domain
from angarium.core.records import QueueKey
from angarium.delivery.router import Router, RouterConfig, local_addresses, ourselves_of
from angarium.dns.records import Answer, RecordType
from angarium.dns.resolver import Resolver, ResolverSettings
from angarium.queue.plan import RouteFailure, RoutePlan
from angarium.testing.dns import ScriptedDns

ZONE = """
example.com      MX 10 mx.example.com
mx.example.com   60 A 192.0.2.1
lost.test        A 192.0.2.2
lost.test        MX !servfail
relay.test       A 127.0.0.2
inside.test      A 127.0.0.2
"""


@dataclass
class Resolved:
    scope: str = "domain example.com"
    where: Where | None = Where("a.conf", 12)  # noqa: RUF009


@dataclass
class Config:
    options: dict[str, OutboundOptions] = field(default_factory=dict)
    globals: GlobalOptions = field(default_factory=GlobalOptions)
    listeners: tuple[ListenerConfig, ...] = ()
    http_listens: tuple[ListenAddress, ...] = ()
    gateways: frozenset[str] = frozenset()

    def outbound(self, binding: str, domain: str) -> OutboundOptions:
        return self.options.get(stanza_domain(domain), OutboundOptions())

    def resolve(self, option: str, *, binding: str | None = None, domain: str | None = None) -> Resolved:
        return Resolved()


def with_router(
    config: RouterConfig, scenario: Callable[[Router, ScriptedDns], Awaitable[None]], max_plans: int = 100
) -> None:
    async def run() -> None:
        async with ScriptedDns(ZONE) as server:
            settings = ResolverSettings(servers=(server.address,), cache_entries=0)
            resolver = Resolver(settings)
            await scenario(Router(resolver, config, Random(1), max_plans=max_plans), server)
            await resolver.close()

    asyncio.run(run())


def test_a_plan_is_kept_until_it_expires_or_the_configuration_changes() -> None:
    async def scenario(router: Router, server: ScriptedDns) -> None:
        queue = QueueKey("default", "example.com")
        plan = await router.resolve(queue, 0.0)
        assert isinstance(plan, RoutePlan)
        assert str(plan.levels[0].addresses[0]) == "192.0.2.1:25"
        assert await router.resolve(queue, 59.0) is plan
        assert len(server.questions) == 2
        assert await router.resolve(queue, 60.0) is not plan
        changed = Config({"example.com": OutboundOptions(remote_smtp_port=26)})
        router.reconfigure(changed)
        plan = await router.resolve(queue, 61.0)
        assert isinstance(plan, RoutePlan)
        assert str(plan.levels[0].addresses[0]) == "192.0.2.1:26"
        assert router.forget("example.com") == 1
        assert router.forget() == 0

    with_router(Config(), scenario)


def test_what_was_learnt_before_a_moment_is_used_no_longer_for_those_who_say_so() -> None:
    async def scenario(router: Router, server: ScriptedDns) -> None:
        queue, other = QueueKey("default", "example.com"), QueueKey("b", "example.com")
        plan = await router.resolve(queue, 10.0)
        assert await router.resolve(queue, 20.0, since=10.0) is plan
        newer = await router.resolve(queue, 20.0, since=15.0)
        assert newer is not plan
        assert await router.resolve(queue, 21.0) is newer
        assert router.forget("example.com", "elsewhere.test", since=22.0) == 1
        await router.resolve(other, 23.0)
        assert router.forget(since=24.0) == 1
        assert isinstance(await router.resolve(queue, 25.0), RoutePlan)
        assert len(server.questions) == 8

    with_router(Config(), scenario)


def test_the_resolver_is_asked_for_answers_as_new_as_the_plan_must_be() -> None:
    async def scenario() -> None:
        asked: list[float] = []

        class Asked:
            async def query(self, name: str, type: RecordType, since: float = 0.0) -> Answer:
                asked.append(since)
                return Answer("nodata", ttl_s=60)

        router = Router(Asked(), Config(), Random(1))
        for since, domain in ((0.0, "a.test"), (3.0, "b.test"), (0.0, "c.test"), (0.0, "d.test")):
            if domain == "c.test":
                router.forget("c.test", since=4.0)
            if domain == "d.test":
                router.forget(since=5.0)
            await router.resolve(QueueKey("default", domain), 9.0, since)
        assert asked == [0.0] * 3 + [3.0] * 3 + [4.0] * 3 + [5.0] * 3  # MX, A, and AAAA for the words

    asyncio.run(scenario())


def test_a_gateway_of_a_single_domain_is_meant_wherever_it_leads() -> None:
    config = parse_config(
        'Domain "a.test" { Gateway = "relay.test" }\nDomain "b.test" { Gateway = "[::1]:24" }'
    )
    assert config.gateways == {"relay.test", "[::1]:24"}

    async def scenario(router: Router, _: ScriptedDns) -> None:
        plan = await router.resolve(QueueKey("default", "relay.test"), 0.0)
        assert isinstance(plan, RoutePlan)
        assert str(plan.levels[0].addresses[0]) == "127.0.0.2:25"
        for stranger in ("inside.test", "127.0.0.2", "[127.0.0.2]"):
            failure = await router.resolve(QueueKey("default", stranger), 0.0)
            assert isinstance(failure, RouteFailure)
            assert failure.reply.code == 551

    with_router(config, scenario)


def test_addresses_that_the_machine_gets_later_are_its_own_too() -> None:
    async def scenario(router: Router, _: ScriptedDns) -> None:
        queue = QueueKey("default", "[192.0.2.25]")
        assert isinstance(await router.resolve(queue, 0.0), RoutePlan)
        router.reconfigure(config, ["192.0.2.25"])
        failure = await router.resolve(queue, 0.0)
        assert isinstance(failure, RouteFailure)
        assert str(failure.reply).startswith("554 5.4.6 ")

    config = parse_config('ESMTP_Listener { Listen "*:25" { } }')
    with_router(config, scenario)


def test_plans_are_bounded_in_number() -> None:
    async def scenario(router: Router, _: ScriptedDns) -> None:
        for number in range(10):
            await router.resolve(QueueKey("default", f"[192.0.2.{number}]"), 0.0)
        assert router.forget() == 3

    with_router(Config(), scenario, max_plans=3)


def test_repeated_silence_about_mx_leads_to_the_addresses_after_the_configured_number() -> None:
    async def scenario(router: Router, _: ScriptedDns) -> None:
        queue = QueueKey("default", "lost.test")
        outcomes = [await router.resolve(queue, float(number)) for number in range(3)]
        assert [type(outcome) for outcome in outcomes] == [RouteFailure, RouteFailure, RoutePlan]

    with_router(Config({"lost.test": OutboundOptions(mx_failures_fallback_to_a=3)}), scenario)


def test_the_gateways_stanza_holds_for_a_queue_named_with_its_port() -> None:
    async def scenario(router: Router, _: ScriptedDns) -> None:
        plan = await router.resolve(QueueKey("default", "192.0.2.7:24"), 0.0)
        assert isinstance(plan, RoutePlan)
        assert plan.method == "LMTP"

    with_router(Config({"192.0.2.7": OutboundOptions(delivery_method="LMTP")}), scenario)


def test_the_plan_says_where_the_option_stands_that_made_it() -> None:
    async def scenario(router: Router, _: ScriptedDns) -> None:
        for queue, why in [
            ("routed.test", "Routes at a.conf:12"),
            ("192.0.2.7:25", "address, Gateway at a.conf:12"),
            ("example.com", "MX of example.com"),
        ]:
            plan = await router.resolve(QueueKey("default", queue), 0.0)
            assert isinstance(plan, RoutePlan)
            assert plan.why == why

    options = {
        "routed.test": OutboundOptions(routes=(Route("192.0.2.9"),)),
        "192.0.2.7": OutboundOptions(gateway=Gateway("192.0.2.7")),
    }
    with_router(Config(options), scenario)


def test_our_own_sockets_are_known_also_where_we_listen_on_all_addresses() -> None:
    listens = (
        ListenAddress("127.0.0.1:2525", "127.0.0.1", 2525),
        ListenAddress("*:25", "0.0.0.0", 25),
        ListenAddress("/run/x", path="/run/x"),
    )
    config = Config(
        globals=GlobalOptions(hostname="Me.Test"),
        listeners=(ListenerConfig("default", listens, "d"),),
        http_listens=(ListenAddress("*:8025", "0.0.0.0", 8025),),
    )
    ourselves = ourselves_of(config, ["192.0.2.5"])
    assert ourselves.names == {"me.test"}
    assert ourselves.listen_at("127.0.0.1", 2525)
    assert ourselves.listen_at("192.0.2.5", 25)
    assert ourselves.listen_at("192.0.2.5", 8025)
    assert ourselves.listen_at("127.3.3.3", 25)
    assert not ourselves.listen_at("192.0.2.5", 2525)


def test_this_machines_addresses_are_those_of_its_interfaces() -> None:
    found = local_addresses()
    assert found[:2] == ("127.0.0.1", "::1")
    for ip in found:
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((ip, 0))  # which the kernel allows for its own
    assert all(not ip.startswith("fe80") for ip in found)
