"""How a routing domain becomes levels of addresses, told as: zone, options, plan."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.config.records import GlobalOptions, OutboundOptions
from angarium.config.values import NOWHERE, Gateway, Route, cidrs
from angarium.dns.records import Answer, Mx, Question
from angarium.queue.hosts import MAX_HOSTS
from angarium.queue.levels import MAX_ADDRESSES_PER_HOST
from angarium.queue.plan import Level, RouteFailure, RoutePlan
from angarium.queue.routing import Ourselves, Planning, plan_route
from angarium.testing.dns import answer_question, parse_zone

NOW = 1_000_000.0

ZONE = """
example.com        MX 10 mx1.example.com
example.com        MX 10 mx2.example.com
example.com        MX 20 backup.example.com
mx1.example.com    60 A 192.0.2.1
mx1.example.com    AAAA 2001:db8::1
mx2.example.com    A 192.0.2.2
backup.example.com A 192.0.2.3
sibling.test       MX 5 mx2.example.com
sibling.test       MX 5 mx1.example.com
sibling.test       MX 9 backup.example.com
plain.test         A 192.0.2.10
plain.test         AAAA 2001:db8::10
six.test           AAAA 2001:db8::66
null.test          MX 0 .
text.test          TXT "no mail here"
literal.test       MX 10 192.0.2.77
alias.test         MX 10 cname.test
cname.test         CNAME mx1.example.com
gone.test          MX 10 nowhere.test
half.test          MX 10 broken.test
half.test          MX 20 mx2.example.com
broken.test        A !servfail
broken.test        MX !servfail
broken.test        A 192.0.2.99
silent.test        MX !drop
silent.test        A 192.0.2.98
hang.test          !drop
odd.test           MX 10 a\\010b.test
odd.test           MX 20 mx1.example.com
oursisbest.test    MX 10 me.test
oursisbest.test    MX 20 mx1.example.com
weareback.test     MX 10 mx1.example.com
weareback.test     MX 20 me.test
weareback.test     MX 20 mx2.example.com
weareback.test     MX 30 backup.example.com
looped.test        MX 10 loop.test
loop.test          A 127.0.0.1
inside.test        MX 10 inner.test
inside.test        MX 20 mx1.example.com
inner.test         A 10.0.0.1
nowhere4.test      MX 10 zero.test
zero.test          A 0.0.0.0
zero.test          A 224.0.0.5
relay.test         A 192.0.2.50
mxrelay.test       MX 10 mx2.example.com
mxrelay.test       A 192.0.2.51
"""

ME = Ourselves(frozenset({"me.test"}), frozenset({("127.0.0.1", 25)}), frozenset())


def drive(planning: Planning, zone: str = ZONE) -> tuple[RoutePlan | RouteFailure, list[Question]]:
    parsed, asked = parse_zone(zone), []
    try:
        questions = next(planning)
        while True:
            asked += questions
            questions = planning.send(tuple(answer_question(parsed, question) for question in questions))
    except StopIteration as end:
        return end.value, asked


def route(
    domain: str,
    *,
    zone: str = ZONE,
    settings: GlobalOptions | None = None,
    mx_failures: int = 0,
    **options: object,
) -> RoutePlan | RouteFailure:
    planning = plan_route(
        domain,
        OutboundOptions(**options),  # type: ignore[arg-type]
        settings or GlobalOptions(),
        NOW,
        Random(7),
        ourselves=ME,
        mx_failures=mx_failures,
    )
    return drive(planning, zone)[0]


def show(outcome: RoutePlan | RouteFailure) -> str:
    """Write a plan as `10 host=address:port …; 20 …`, a failure as its code and enhanced code."""
    if isinstance(outcome, RouteFailure):
        return f"{outcome.reply.code} {outcome.reply.enhanced}"
    return "; ".join(
        f"{level.preference} {' '.join(sorted(f'{each.host}={each}' for each in level.addresses))}"
        for level in outcome.levels
    )


ANYWHERE = GlobalOptions(prohibited_hosts=NOWHERE)
SIX = GlobalOptions(use_ipv6=True)
SIX_FIRST = GlobalOptions(use_ipv6=True, prefer_ipv6_mxs=True)


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        (
            "example.com",
            "10 mx1.example.com=192.0.2.1:25 mx2.example.com=192.0.2.2:25; "
            "20 backup.example.com=192.0.2.3:25",
        ),
        ("plain.test", "0 plain.test=192.0.2.10:25"),
        ("alias.test", "10 cname.test=192.0.2.1:25"),
        ("literal.test", "10 192.0.2.77=192.0.2.77:25"),
        ("[192.0.2.8]", "0 192.0.2.8=192.0.2.8:25"),
        ("[IPv6:2001:db8::8]", "0 2001:db8::8=[2001:db8::8]:25"),
        ("[ipv6:2001:db8::8]", "0 2001:db8::8=[2001:db8::8]:25"),
        ("192.0.2.8:2525", "0 192.0.2.8=192.0.2.8:2525"),
        ("[2001:db8::8]:2525", "0 2001:db8::8=[2001:db8::8]:2525"),
        ("relay.test:587", "0 relay.test=192.0.2.50:587"),
        ("mxrelay.test:587", "10 mx2.example.com=192.0.2.2:587"),
        ("localhost", "0 localhost=127.0.0.1:26"),
        ("half.test", "20 mx2.example.com=192.0.2.2:25"),
        ("odd.test", "20 mx1.example.com=192.0.2.1:25"),
    ],
)
def test_a_domain_leads_to_its_hosts(domain: str, expected: str) -> None:
    port = 26 if domain == "localhost" else 25
    assert show(route(domain, settings=ANYWHERE, remote_smtp_port=port)) == expected


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("null.test", "550 5.4.4"),
        ("does-not-exist.test", "554 5.4.4"),
        ("text.test", "454 4.4.4"),
        ("gone.test", "454 4.4.4"),
        ("six.test", "454 4.4.4"),
        ("broken.test", "451 4.4.3"),
        ("hang.test", "451 4.4.3"),
        ("nowhere4.test", "454 4.4.4"),
        ("", "554 5.1.2"),
        ("a..b", "554 5.1.2"),
        ("[x400:whatever]", "554 5.1.2"),
        ("[192.0.2.300]", "554 5.1.2"),
        ("[IPv6:fe80::1%lo]", "554 5.1.2"),
        ("example.com:99999", "554 5.1.2"),
        ("line\nbreak.test", "554 5.1.2"),
    ],
)
def test_a_domain_without_a_way_says_why_and_whether_it_may_come_back(domain: str, expected: str) -> None:
    outcome = route(domain)
    assert show(outcome) == expected
    assert isinstance(outcome, RouteFailure)
    assert outcome.retry_at > NOW
    assert outcome.reply.text.startswith("[internal] ")
    assert "\n" not in outcome.reply.text


@pytest.mark.parametrize(
    ("domain", "text"),
    [
        ("six.test", "six.test has only IPv6 addresses, and Use_IPv6 is off"),
        ("gone.test", "no host of the domain has an address: nowhere.test"),
    ],
)
def test_where_no_host_can_be_used_it_is_said_which_and_why(domain: str, text: str) -> None:
    outcome = route(domain)
    assert isinstance(outcome, RouteFailure)
    assert outcome.reply.text == f"[internal] {text}"


def test_ipv6_addresses_are_asked_for_only_when_wanted() -> None:
    _, asked = drive(plan_route("plain.test", OutboundOptions(), GlobalOptions(), NOW, Random(1)))
    assert asked == [Question("plain.test", "MX"), Question("plain.test", "A")]
    assert (
        show(route("plain.test", settings=SIX)) == "0 plain.test=192.0.2.10:25 plain.test=[2001:db8::10]:25"
    )
    assert show(route("six.test", settings=SIX)) == "0 six.test=[2001:db8::66]:25"


def test_preferring_ipv6_acts_inside_one_preference() -> None:
    assert show(route("example.com", settings=SIX_FIRST)) == (
        "10 mx1.example.com=[2001:db8::1]:25; "
        "10 mx1.example.com=192.0.2.1:25 mx2.example.com=192.0.2.2:25; "
        "20 backup.example.com=192.0.2.3:25"
    )


def test_hosts_of_equal_preference_come_in_random_order() -> None:
    orders = set()
    for seed in range(20):
        plan, _ = drive(plan_route("example.com", OutboundOptions(), GlobalOptions(), NOW, Random(seed)))
        assert isinstance(plan, RoutePlan)
        orders.add(tuple(address.ip for address in plan.levels[0].addresses))
    assert orders == {("192.0.2.1", "192.0.2.2"), ("192.0.2.2", "192.0.2.1")}


def test_a_plan_lasts_as_long_as_the_shortest_answer_it_was_made_from() -> None:
    plan = route("example.com")
    assert isinstance(plan, RoutePlan)
    assert plan.expires_at == NOW + 60


def test_domains_with_the_same_mail_hosts_share_a_site() -> None:
    one, other, third = route("example.com"), route("sibling.test"), route("alias.test")
    assert isinstance(one, RoutePlan)
    assert isinstance(other, RoutePlan)
    assert isinstance(third, RoutePlan)
    assert one.site == other.site != third.site


def test_a_long_site_name_is_cut_but_stays_unique() -> None:
    def site(last: str) -> str:
        hosts = [f"mx{number}.a-rather-long-name.test" for number in range(20)] + [last]
        lines = [f"many.test MX 10 {host}\n{host} A 192.0.2.{number}" for number, host in enumerate(hosts, 1)]
        plan = route("many.test", zone="\n".join(lines))
        assert isinstance(plan, RoutePlan)
        return plan.site

    assert len(site("x.test")) < 200
    assert site("x.test") == site("x.test") != site("y.test")


@pytest.mark.parametrize(
    ("mx_failures", "allowed", "expected"),
    [
        (0, 0, "451 4.4.3"),
        (99, 0, "451 4.4.3"),
        (1, 3, "451 4.4.3"),
        (2, 3, "0 silent.test=192.0.2.98:25"),
        (0, 1, "0 silent.test=192.0.2.98:25"),
    ],
)
def test_after_so_many_failed_mx_look_ups_the_addresses_are_tried(
    mx_failures: int, allowed: int, expected: str
) -> None:
    assert show(route("silent.test", mx_failures=mx_failures, mx_failures_fallback_to_a=allowed)) == expected


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([Route("192.0.2.200")], "0 192.0.2.200=192.0.2.200:25"),
        ([Route("2001:db8::200", port=26)], "0 2001:db8::200=[2001:db8::200]:26"),
        ([Route("relay.test")], "0 relay.test=192.0.2.50:25"),
        ([Route("mxrelay.test")], "10 mx2.example.com=192.0.2.2:25"),
        ([Route("mxrelay.test", type="mx")], "10 mx2.example.com=192.0.2.2:25"),
        ([Route("mxrelay.test", type="a")], "0 mxrelay.test=192.0.2.51:25"),
        (
            [Route("192.0.2.200"), Route("192.0.2.201")],
            "0 192.0.2.200=192.0.2.200:25; 1 192.0.2.201=192.0.2.201:25",
        ),
        (
            [Route("192.0.2.200", preference=10), Route("192.0.2.201", preference=10)],
            "10 192.0.2.200=192.0.2.200:25 192.0.2.201=192.0.2.201:25",
        ),
        (
            [Route("192.0.2.200", preference=1), Route("__mx__")],
            "1 192.0.2.200=192.0.2.200:25; 2 mx1.example.com=192.0.2.1:25 mx2.example.com=192.0.2.2:25; "
            "2 backup.example.com=192.0.2.3:25",
        ),
        ([Route("nowhere.test"), Route("relay.test")], "1 relay.test=192.0.2.50:25"),
        ([Route("nowhere.test")], "454 4.4.4"),
        ([Route("hang.test"), Route("nowhere.test")], "451 4.4.3"),
    ],
)
def test_routes_stand_in_place_of_the_mx_set(routes: list[Route], expected: str) -> None:
    assert show(route("example.com", routes=tuple(routes))) == expected


def test_a_route_with_a_ttl_sets_how_long_the_plan_lasts() -> None:
    plan = route("example.com", routes=(Route("192.0.2.200", ttl_s=42),))
    assert isinstance(plan, RoutePlan)
    assert plan.expires_at == NOW + 42


def test_a_gateway_queue_named_with_a_port_does_not_take_routes_meant_for_domains() -> None:
    assert show(route("192.0.2.8:2525", routes=(Route("relay.test"),))) == "0 192.0.2.8=192.0.2.8:2525"


def test_the_delivery_method_decides_the_port_unless_one_is_named() -> None:
    plan = route("plain.test", delivery_method="LMTP", lmtp_port=24)
    assert isinstance(plan, RoutePlan)
    assert (plan.method, show(plan)) == ("LMTP", "0 plain.test=192.0.2.10:24")
    assert show(route("plain.test", remote_smtp_port=26)) == "0 plain.test=192.0.2.10:26"
    routes = (Route("192.0.2.9", port=2004), Route("192.0.2.10"))
    assert show(route("plain.test", delivery_method="LMTP", routes=routes)) == (
        "0 192.0.2.9=192.0.2.9:2004; 1 192.0.2.10=192.0.2.10:2003"
    )


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("oursisbest.test", "554 5.4.6"),
        ("weareback.test", "10 mx1.example.com=192.0.2.1:25"),
        ("looped.test", "554 5.4.6"),
        ("[127.0.0.1]", "554 5.4.6"),
        ("127.0.0.1:25", "451 4.4.6"),
        ("127.0.0.1:26", "0 127.0.0.1=127.0.0.1:26"),
    ],
)
def test_mail_is_never_sent_to_ourselves_or_to_worse_hosts_than_ourselves(domain: str, expected: str) -> None:
    assert show(route(domain)) == expected


def test_listening_on_all_addresses_covers_all_of_loopback() -> None:
    everywhere = Ourselves(ports=frozenset({25}))
    assert everywhere.listen_at("127.9.9.9", 25)
    assert everywhere.listen_at("::1", 25)
    assert not everywhere.listen_at("127.9.9.9", 26)
    assert not everywhere.listen_at("192.0.2.1", 25)


def test_one_prohibited_address_fails_the_whole_domain() -> None:
    settings = GlobalOptions(prohibited_hosts=cidrs("10.0.0.0/8"))
    assert show(route("inside.test", settings=settings)) == "551 5.4.6"
    assert show(route("[10.1.2.3]", settings=settings)) == "551 5.4.6"
    assert show(route("10.1.2.3", settings=settings)) == "551 5.4.6"
    assert show(route("[IPv6:::ffff:10.1.2.3]", settings=settings)) == "551 5.4.6"


def test_an_address_written_in_the_configuration_is_not_prohibited() -> None:
    settings = GlobalOptions(prohibited_hosts=cidrs("10.0.0.0/8"), skip_hosts=cidrs("10.0.0.0/8"))
    assert show(route("10.1.2.3:25", settings=settings)) == "0 10.1.2.3=10.1.2.3:25"
    assert (
        show(route("example.com", routes=(Route("10.1.2.3"),), settings=settings)) == "0 10.1.2.3=10.1.2.3:25"
    )
    assert show(route("example.com", routes=(Route("inner.test"),), settings=settings)) == "454 4.4.4"


@pytest.mark.parametrize("host", ["nowhere.test", "null.test", "oursisbest.test"])
def test_a_relay_that_cannot_be_used_bounces_nobodys_mail(host: str) -> None:
    plain, relayed = route(host), route(host, gateway=Gateway(host))
    assert isinstance(plain, RouteFailure)
    assert plain.reply.is_permanent
    for outcome in (relayed, route(f"{host}:25"), route("example.com", routes=(Route(host),))):
        assert isinstance(outcome, RouteFailure)
        assert outcome.reply.is_transient


def test_an_address_in_a_relays_mx_record_is_not_one_that_the_configuration_writes() -> None:
    settings = GlobalOptions(prohibited_hosts=cidrs("192.0.2.77"))
    assert show(route("literal.test:25", settings=settings)) == "454 4.4.4"


def test_a_skipped_address_leaves_the_others() -> None:
    settings = GlobalOptions(skip_hosts=cidrs("192.0.2.1", "192.0.2.3"))
    assert show(route("example.com", settings=settings)) == "10 mx2.example.com=192.0.2.2:25"
    assert show(route("alias.test", settings=settings)) == "454 4.4.4"


def test_an_address_named_twice_is_kept_in_its_best_place() -> None:
    zone = "twice.test MX 20 b.test\ntwice.test MX 10 a.test\na.test A 192.0.2.1\nb.test A 192.0.2.1\n"
    assert show(route("twice.test", zone=zone)) == "10 a.test=192.0.2.1:25"


def test_thousands_of_hosts_and_addresses_are_cut_to_a_bound() -> None:
    records = tuple(Mx(number, f"mx{number}.flood.test") for number in range(1000))
    planning = plan_route("flood.test", OutboundOptions(), GlobalOptions(), NOW, Random(1))
    assert next(planning) == (Question("flood.test", "MX"),)
    questions = planning.send((Answer("found", records, 300),))
    assert [question.name for question in questions] == [
        f"mx{number}.flood.test" for number in range(MAX_HOSTS)
    ]
    many = Answer("found", tuple(f"198.51.{number // 250}.{number % 250 + 1}" for number in range(1000)), 300)
    with pytest.raises(StopIteration) as end:
        planning.send((many,) * len(questions))
    levels: tuple[Level, ...] = end.value.value.levels
    assert all(len(level.addresses) <= MAX_ADDRESSES_PER_HOST for level in levels)


def test_the_plan_says_how_it_came_about() -> None:
    def why(domain: str, **options: object) -> str:
        planning = plan_route(
            domain,
            OutboundOptions(**options),  # type: ignore[arg-type]
            GlobalOptions(),
            NOW,
            Random(1),
            why="Routes at a.conf:3" if options else "",
        )
        plan, _ = drive(planning)
        assert isinstance(plan, RoutePlan)
        return plan.why

    assert why("example.com") == "MX of example.com"
    assert why("plain.test") == "address of plain.test"
    assert why("[192.0.2.1]") == "address"
    assert why("plain.test", routes=(Route("relay.test"),)) == "Routes at a.conf:3"


hosts = st.one_of(
    st.sampled_from(
        ["", "a.test", "me.test", "127.0.0.1", "::1", "a\\010.test", "x" * 300, "-", "localhost"]
    ),
    st.text(max_size=20),
)
answers = st.one_of(
    st.builds(
        Answer,
        st.just("found"),
        st.lists(st.builds(Mx, st.integers(0, 65_535), hosts)).map(tuple),
        st.integers(0, 9),
    ),
    st.builds(Answer, st.just("found"), st.lists(hosts).map(tuple), st.integers(0, 9)),
    st.builds(Answer, st.sampled_from(["nodata", "nxdomain", "failure"])),
)


@given(
    domain=st.one_of(
        st.sampled_from(["example.com", "[127.0.0.1]", "a:1", "[::1]:25"]), st.text(max_size=30)
    ),
    data=st.data(),
    routes=st.lists(
        st.builds(
            Route,
            st.sampled_from(["__mx__", "r.test", "127.0.0.1"]),
            st.none(),
            st.none() | st.integers(0, 3),
        )
    ),
    settings=st.sampled_from(
        [GlobalOptions(), SIX, SIX_FIRST, GlobalOptions(prohibited_hosts=cidrs("127.0.0.0/8"))]
    ),
)
def test_whatever_dns_says_there_is_a_plan_with_addresses_or_a_failure(
    domain: str, data: st.DataObject, routes: list[Route], settings: GlobalOptions
) -> None:
    options = OutboundOptions(routes=tuple(routes))
    planning = plan_route(domain, options, settings, NOW, Random(3), ourselves=ME)
    try:
        questions = next(planning)
        while True:
            assert questions
            questions = planning.send(tuple(data.draw(answers) for _ in questions))
    except StopIteration as end:
        outcome = end.value
    if isinstance(outcome, RoutePlan):
        assert outcome.levels
        assert all(level.addresses for level in outcome.levels)
        assert not any(
            ME.listen_at(each.ip, each.port) for level in outcome.levels for each in level.addresses
        )
    else:
        assert outcome.reply.code in (451, 454, 550, 551, 554)
        assert outcome.retry_at > NOW
