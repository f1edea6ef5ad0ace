"""The router: planner and resolver together over loopback, and how long plans are kept."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from angarium.config.records import GlobalOptions, ListenerConfig, OutboundOptions
from angarium.config.values import Gateway, ListenAddress, Route, Where, stanza_domain
from angarium.core.records import QueueKey
from angarium.delivery.router import Router, local_addresses, ourselves_of
from angarium.dns.resolver import Resolver, ResolverSettings
from angarium.queue.plan import RouteFailure, RoutePlan
from angarium.testing.dns import ScriptedDns

ZONE = """
example.com      MX 10 mx.example.com
mx.example.com   60 A 192.0.2.1
lost.test        A 192.0.2.2
lost.test        MX !servfail
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
    gateways: frozenset[str] = frozenset()

    def outbound(self, binding: str, domain: str) -> OutboundOptions:
        return self.options.get(stanza_domain(domain), OutboundOptions())

    def resolve(self, option: str, *, binding: str | None = None, domain: str | None = None) -> Resolved:
        return Resolved()


def with_router(
    config: Config, scenario: Callable[[Router, ScriptedDns], Awaitable[None]], max_plans: int = 100
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
        globals=GlobalOptions(hostname="Me.Test"), listeners=(ListenerConfig("default", listens, "d"),)
    )
    ourselves = ourselves_of(config, ["192.0.2.5"])
    assert ourselves.names == {"me.test"}
    assert ourselves.listen_at("127.0.0.1", 2525)
    assert ourselves.listen_at("192.0.2.5", 25)
    assert ourselves.listen_at("127.3.3.3", 25)
    assert not ourselves.listen_at("192.0.2.5", 2525)
    assert "127.0.0.1" in local_addresses()
