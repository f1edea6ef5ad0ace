"""Which value is in force: the order of scopes, per option, and what is shared."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.config.load import load_config, parse_config
from angarium.config.values import Throttle, Where

# Most specific first: what sets the option, its value, and the scope that is told.
GROUPED = (
    ("Domain example.com {{ {} = 6 }}", "binding_group g::binding b::domain example.com"),
    ("Domain example.com {{ {} = 5 }}", "binding_group g::domain example.com"),
    ("{} = 4", "binding_group g::binding b"),
    ("{} = 3", "binding_group g"),
    ("Domain example.com {{ {} = 2 }}", "domain example.com"),
    ("{} = 1", "global"),
)


def grouped(levels: set[int], option: str = "Max_Outbound_Connections") -> str:
    """Write a configuration in which exactly *levels* (0 most specific) set the option."""
    part = [text.format(option) if index in levels else "" for index, (text, _) in enumerate(GROUPED)]
    return (
        f"{part[5]} {part[4]} Binding_Group g {{ {part[3]} {part[1]} Binding b {{ {part[2]} {part[0]} }} }}"
    )


@pytest.mark.parametrize("levels", [set(s) for n in range(1, 7) for s in itertools.combinations(range(6), n)])
def test_in_a_group_the_most_specific_scope_that_sets_an_option_wins(levels: set[int]) -> None:
    config = parse_config(grouped(levels))
    winner = min(levels)
    assert config.outbound("b", "example.com").max_outbound_connections == 6 - winner
    found = config.resolve("max_outbound_connections", binding="b", domain="example.com")
    assert (found.value, found.scope) == (6 - winner, GROUPED[winner][1])


def test_without_a_group_a_binding_goes_before_a_global_domain() -> None:
    text = "Retry_Interval = 1 Domain x.com { Retry_Interval = 2 }"
    assert parse_config(text).outbound("b", "x.com").retry_interval == 2
    text += " Binding b { Retry_Interval = 3 }"
    assert parse_config(text).outbound("b", "x.com").retry_interval == 3
    text += " Binding b { Domain x.com { Retry_Interval = 4 } }"
    assert parse_config(text).outbound("b", "x.com").retry_interval == 4
    assert parse_config(text).outbound("b", "y.com").retry_interval == 3
    assert parse_config(text).outbound("default", "x.com").retry_interval == 2
    assert parse_config(text).outbound("default", "y.com").retry_interval == 1


def test_a_groups_own_value_goes_before_the_global_one() -> None:
    config = parse_config(
        "Max_Outbound_Connections = 30 Binding_Group g { Max_Outbound_Connections = 5 Binding b { } }"
    )
    assert config.outbound("b", "example.com").max_outbound_connections == 5
    assert config.outbound("default", "example.com").max_outbound_connections == 30


def test_a_groups_domain_goes_before_the_bindings_own_value() -> None:
    config = parse_config(
        "Binding_Group g { Domain x.com { TLS = no Retry_Interval = 7 } Binding b { Retry_Interval = 9 } }"
    )
    assert config.outbound("b", "x.com").retry_interval == 7
    assert config.outbound("b", "y.com").retry_interval == 9


def test_a_throttle_in_a_group_is_one_bucket_for_its_bindings() -> None:
    config = parse_config('Binding_Group { Outbound_Throttle_Messages = "10" Binding a { } Binding b { } }')
    a, b = (config.outbound(name, "x.com").outbound_throttle_messages for name in "ab")
    assert a == b == Throttle(10, 1, "binding_group default", Where("angarium.conf", 1))


def test_a_throttle_restated_in_a_binding_is_a_bucket_of_its_own() -> None:
    config = parse_config(
        'Binding_Group g { Outbound_Throttle_Messages = "10" Binding a { } '
        'Binding b { Outbound_Throttle_Messages = "10" } }'
    )
    a, b = (config.outbound(name, "x.com").outbound_throttle_messages for name in "ab")
    assert a is not None
    assert b is not None
    assert (a.scope, b.scope) == ("binding_group g", "binding_group g::binding b")


def test_a_pattern_domain_is_one_bucket_for_all_it_matches_but_one_limit_for_each() -> None:
    config = parse_config(
        'Domain "/\\.fr$/" { Outbound_Throttle_Messages = "5/60" Max_Outbound_Connections = 3 }'
    )
    one, other = config.outbound("default", "a.fr"), config.outbound("default", "b.fr")
    assert one.outbound_throttle_messages == other.outbound_throttle_messages
    assert one.outbound_throttle_messages is not None
    assert one.outbound_throttle_messages.scope == r"domain /\.fr$/"
    assert one.max_outbound_connections == 3


def test_a_scope_limit_names_the_scope_that_shares_it() -> None:
    config = parse_config("Domain x.com { Scope_Max_Outbound_Connections = 9 }")
    limit = config.outbound("default", "x.com").scope_max_outbound_connections
    assert limit is not None
    assert (limit.limit, limit.scope) == (9, "domain x.com")


def test_a_throttle_of_zero_cancels_an_inherited_one() -> None:
    config = parse_config("Outbound_Throttle_Messages = 5 Binding b { Outbound_Throttle_Messages = 0 }")
    assert config.outbound("b", "x.com").outbound_throttle_messages is None
    assert config.outbound("default", "x.com").outbound_throttle_messages is not None


def test_a_gateway_of_none_cancels_an_inherited_one() -> None:
    config = parse_config("Gateway = relay.example.com Domain x.com { Gateway = none }")
    assert config.outbound("default", "x.com").gateway is None
    assert str(config.outbound("default", "y.com").gateway) == "relay.example.com"


def test_an_exact_domain_goes_before_patterns_and_patterns_by_declaration() -> None:
    config = parse_config(
        'Domain "/b/" { Retry_Interval = 1 Max_Retries = 1 }'
        'Domain "/a/" { Retry_Interval = 2 Max_Retries = 2 Message_Expiration = 2 }'
        "Domain ab.com { Retry_Interval = 3 }"
    )
    options = config.outbound("default", "ab.com")
    assert (options.retry_interval, options.max_retries, options.message_expiration) == (3, 1, 2)
    assert config.outbound("default", "a.com").retry_interval == 2


def test_a_pattern_inside_the_binding_goes_before_an_exact_global_domain() -> None:
    config = parse_config(
        'Domain x.com { Retry_Interval = 1 } Binding b { Domain "/x/" { Retry_Interval = 2 } }'
    )
    assert config.outbound("b", "x.com").retry_interval == 2


def test_patterns_are_not_anchored() -> None:
    config = parse_config('Domain "/x.com/" { Retry_Interval = 1 }')
    assert config.outbound("default", "badx.community").retry_interval == 1


def test_a_stanza_may_be_reopened_and_later_values_win() -> None:
    config = parse_config(
        "Domain x.com { Retry_Interval = 1 Max_Retries = 1 } Retry_Interval = 5 Domain X.COM { "
        "Retry_Interval = 2 }"
    )
    options = config.outbound("default", "x.com")
    assert (options.retry_interval, options.max_retries) == (2, 1)


def test_a_list_replaces_the_wider_one() -> None:
    config = parse_config("Relay_Hosts = ( 10.0.0.0/8 ) ESMTP_Listener { Relay_Hosts = ( 192.0.2.0/24 ) }")
    relay = config.inbound("default", "127.0.0.1:2525", "192.0.2.1").relay_hosts
    assert relay.contains("192.0.2.1")
    assert not relay.contains("10.1.1.1")


def test_names_of_options_and_scopes_have_no_case_but_bindings_have() -> None:
    config = parse_config("BINDING_group G { retry_INTERVAL = 4 bInDiNg b { } } Binding B { }")
    assert config.outbound("b", "x.com").retry_interval == 4
    assert config.outbound("B", "x.com").retry_interval == 1200
    assert set(config.groups) == {"default", "G"}
    assert config.bindings["b"].group == "G"


def test_ungrouped_bindings_and_unassigned_mail_are_in_the_group_default() -> None:
    config = parse_config("Binding_Group default { Retry_Interval = 4 } Binding b { }")
    assert config.bindings["b"].group == "default"
    assert config.groups == {"default": ("default", "b")}
    assert config.outbound("b", "x.com").retry_interval == 4
    assert config.outbound("default", "x.com").retry_interval == 4


def test_mail_of_a_binding_that_is_gone_has_the_options_of_default() -> None:
    config = parse_config("Binding default { Retry_Interval = 8 }")
    assert config.outbound("gone", "x.com").retry_interval == 8


def test_a_host_without_a_limit_is_unlimited_whatever_wider_hosts_say() -> None:
    config = parse_config(
        "Max_Outbound_Connections = 3 Host mx.x.com { Max_Outbound_Connections = 5 }"
        'Binding b { Host mx.x.com { Outbound_Throttle_Messages = "9" } }'
    )
    assert config.host("default", "x.com", "mx.x.com").max_outbound_connections == 5
    assert config.host("b", "x.com", "mx.x.com").max_outbound_connections == -1
    assert config.host("b", "x.com", "mx.y.com").max_outbound_connections == -1
    assert config.resolve("max_outbound_connections", binding="b", host="mx.x.com").value == -1


@pytest.mark.parametrize(
    ("levels", "scope"),
    [
        ({0, 1, 3}, "binding_group g::binding b::host mx.x.com"),
        ({1, 3}, "binding_group g::host mx.x.com"),
        ({3}, "host mx.x.com"),
    ],
)
def test_host_throttles_fall_back_from_binding_to_group_to_global(levels: set[int], scope: str) -> None:
    host = 'Host mx.x.com { Outbound_Throttle_Messages = "1" }'
    part = [host if level in levels else "" for level in range(4)]
    config = parse_config(f"{part[3]} Binding_Group g {{ {part[1]} Binding b {{ {part[0]} }} }}")
    throttle = config.host("b", "x.com", "mx.x.com").outbound_throttle_messages
    assert throttle is not None
    assert throttle.scope == scope


def test_a_host_inside_an_ungrouped_binding_goes_before_the_global_one() -> None:
    host = 'Host "/^mx/" {{ Outbound_Throttle_Messages = "{}" }}'
    config = parse_config(f"{host.format(1)} Binding b {{ {host.format(2)} }}")
    throttle = config.host("b", "x.com", "mx.x.com").outbound_throttle_messages
    assert throttle is not None
    assert throttle.count == 2


INBOUND = (
    ("Peer 10.0.0.0/8 {{ {} = 5 }}", "esmtp_listener in::listen :25::peer 10.0.0.0/8"),
    ("{} = 4", "esmtp_listener in::listen :25"),
    ("Peer 10.0.0.0/8 {{ {} = 3 }}", "esmtp_listener in::peer 10.0.0.0/8"),
    ("{} = 2", "esmtp_listener in"),
    ("{} = 1", "global"),
)


@pytest.mark.parametrize("levels", [set(s) for n in range(1, 6) for s in itertools.combinations(range(5), n)])
def test_inbound_options_fall_back_from_peer_to_listen_to_listener_to_global(levels: set[int]) -> None:
    part = [text.format("Idle_Time") if i in levels else "" for i, (text, _) in enumerate(INBOUND)]
    config = parse_config(
        f'{part[4]} ESMTP_Listener in {{ {part[3]} {part[2]} Listen ":25" {{ {part[1]} {part[0]} }} }}'
    )
    assert config.inbound("in", ":25", "10.1.2.3").idle_time == 5 - min(levels)
    found = config.resolve("Idle_Time", listener="in", listen=":25", peer="10.1.2.3")
    assert found.scope == INBOUND[min(levels)][1]
    others = levels & {1, 3, 4}
    assert config.inbound("in", ":25", "11.1.2.3").idle_time == (5 - min(others) if others else 300)


def test_of_several_peers_the_longest_prefix_alone_counts() -> None:
    config = parse_config(
        "ESMTP_Listener { Peer 10.0.0.0/8 { Open_Relay = true Idle_Time = 1 } Peer 10.1.0.0/16 { "
        "Lane = bulk } }"
    )
    wide, narrow = (config.inbound("default", "127.0.0.1:2525", ip) for ip in ("10.2.0.1", "10.1.0.1"))
    assert (wide.open_relay, wide.lane, wide.idle_time) == (True, 0, 1)
    assert (narrow.open_relay, narrow.lane, narrow.idle_time) == (False, 1, 300)
    assert config.inbound("default", "127.0.0.1:2525", "::ffff:10.1.0.1").lane == 1


def test_a_unix_socket_has_no_peer() -> None:
    config = parse_config('ESMTP_Listener in { Listen "/run/a.sock" { } Peer 0.0.0.0/0 { Idle_Time = 1 } }')
    assert config.inbound("in", "/run/a.sock", "").idle_time == 300
    assert not config.inbound("in", "/run/a.sock", "").relay_hosts.contains("")


def test_without_a_file_the_defaults_serve_a_laptop() -> None:
    config = load_config(None)
    (listener,) = config.listeners
    assert (listener.name, str(listener.listens[0])) == ("default", "127.0.0.1:2525")
    assert [str(listen) for listen in config.http_listens] == ["127.0.0.1:8080"]
    inbound = config.inbound("default", "127.0.0.1:2525", "127.0.0.1")
    assert inbound.relay_hosts.contains("127.3.2.1")
    assert inbound.relay_hosts.contains("::1")
    assert not inbound.relay_hosts.contains("192.0.2.1")
    assert str(config.globals.data_directory) == "data"


def test_own_name_stands_where_names_are_asked_for() -> None:
    config = parse_config("Hostname = mta.example.com Binding b { EHLO_Hostname = out.example.com }")
    assert config.outbound("default", "x.com").ehlo_hostname == "mta.example.com"
    assert config.outbound("b", "x.com").ehlo_hostname == "out.example.com"
    assert config.outbound("b", "x.com").mailerdaemon == "mailer-daemon@mta.example.com"
    assert config.inbound("default", "127.0.0.1:2525", "127.0.0.1").banner_hostname == "mta.example.com"
    assert config.resolve("Received_Hostname").value == "mta.example.com"


def test_a_name_that_means_two_things_is_read_by_its_scope() -> None:
    config = parse_config(
        "Server_Max_Outbound_Connections = 50 Binding b { Server_Max_Outbound_Connections = 5 }"
        "Max_Recipients_Per_Connection = 7 ESMTP_Listener { Max_Recipients_Per_Connection = 8 }"
    )
    assert config.globals.server_max_outbound_connections == 50
    assert config.outbound("b", "x.com").server_max_outbound_connections == 5
    assert config.outbound("default", "x.com").server_max_outbound_connections is None
    assert config.outbound("b", "x.com").max_recipients_per_connection == 7
    assert config.inbound("default", "127.0.0.1:2525", "127.0.0.1").max_recipients_per_connection == 8
    assert config.resolve("Server_Max_Outbound_Connections").value == 50
    assert config.resolve("Server_Max_Outbound_Connections", binding="b").value == 5


def test_equal_answers_are_one_object_and_what_is_remembered_is_bounded() -> None:
    config = parse_config("Match_Cache_Size = 16 Domain x0.com { Retry_Interval = 9 }")
    common = config.outbound("default", "a.com")
    for number in range(100):
        found = config.outbound("default", f"x{number}.com")
        assert (found is common) == (number != 0)
        assert len(config._outbound) <= 16


DOMAINS = ("a.com", "b.com", "ab.com")
STANZAS = st.lists(
    st.tuples(
        st.sampled_from([*DOMAINS, "/a/", "/b/"]), st.sampled_from(["g", "b", "top"]), st.integers(1, 99)
    ),
    max_size=6,
)


@given(STANZAS, st.sampled_from(DOMAINS))
def test_what_is_resolved_is_what_is_in_force(stanzas: list[tuple[str, str, int]], domain: str) -> None:
    wrap = {"g": "Binding_Group g {{ {} }}", "b": "Binding_Group g {{ Binding b {{ {} }} }}", "top": "{}"}
    lines = ["Binding_Group g { Binding b { } }"]
    lines += [wrap[place].format(f'Domain "{name}" {{ Retry_Interval = {n} }}') for name, place, n in stanzas]
    config = parse_config("\n".join(lines))
    assert (
        config.resolve("Retry_Interval", binding="b", domain=domain).value
        == config.outbound("b", domain).retry_interval
    )
