"""What each kind of value takes, what it refuses, and what it says then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.config import kinds
from angarium.config.kinds import Kind
from angarium.config.load import parse_config
from angarium.config.options import Option
from angarium.config.parser import parse
from angarium.config.problems import ConfigErrors, ProblemList, SourceText
from angarium.config.reading import BadValue
from angarium.config.syntax import Assignment, Value
from angarium.config.tables import OPTIONS, options_named
from angarium.config.values import CidrSet, Gateway, Route, SocketAddress, Throttle, Where, cidrs, domains


def written(text: str) -> Value:
    problems = ProblemList()
    (item,) = parse(SourceText("t", f"A = {text}"), problems)
    assert isinstance(item, Assignment)
    assert not problems
    return item.value


def option_kind(name: str) -> Kind:
    return options_named(name)[0].kind


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (kinds.BOOL, "true", True),
        (kinds.BOOL, "ON", True),
        (kinds.BOOL, '"yes"', True),
        (kinds.BOOL, "enabled", True),
        (kinds.BOOL, "1", True),
        (kinds.BOOL, "disabled", False),
        (kinds.BOOL, "0", False),
        (kinds.INT, '"42"', 42),
        (kinds.INT, "-1", -1),
        (kinds.PERMS, "0640", 0o640),
        (kinds.RETRIES, "auto", None),
        (kinds.RETRIES, "none", None),
        (kinds.RETRIES, "7", 7),
        (kinds.THROTTLE, '"10"', Throttle(10, 1)),
        (kinds.THROTTLE, '"100/3600"', Throttle(100, 3600)),
        (kinds.THROTTLE, "0", None),
        (kinds.SOURCE_ADDRESS, "*", None),
        (kinds.SOURCE_ADDRESS, '"2001:DB8::1"', "2001:db8::1"),
        (kinds.GATEWAY, "Relay.Example.com", Gateway("relay.example.com")),
        (kinds.GATEWAY, '"192.0.2.1:2525"', Gateway("192.0.2.1", 2525)),
        (kinds.GATEWAY, '"[2001:db8::1]:25"', Gateway("2001:db8::1", 25)),
        (kinds.GATEWAY, '""', None),
        (kinds.ROUTES, "( __mx__ mx.x.com )", (Route("__mx__"), Route("mx.x.com"))),
        (
            kinds.ROUTES,
            '( "smtp://[2001:db8::1]?pref=5&port=26&ttl=60&type=a" "192.0.2.1:24" )',
            (Route("2001:db8::1", 26, 5, 60, "a"), Route("192.0.2.1", 24)),
        ),
        (kinds.ROUTES, '( "smtp://__mx__?pref=1" )', (Route("__mx__", None, 1),)),
        (
            kinds.SOCKETS,
            '( "127.0.0.1:5353" "[::1]" )',
            (SocketAddress("127.0.0.1", 5353), SocketAddress("::1", 53)),
        ),
        (kinds.OWN_NAME, "MTA.Example.com", "mta.example.com"),
        (kinds.OWN_NAME, '"[IPv6:2001:db8::1]"', "[IPv6:2001:db8::1]"),
        (kinds.BANNER, '"220 mta ESMTP"', "mta ESMTP"),
        (kinds.CIDRS, '( 127.0.0.0/8 "::1" )', cidrs("127.0.0.0/8", "::1")),
        (
            kinds.HOSTS,
            '( Private "link-local" 10.0.0.0/8 )',
            CidrSet(("private", "link-local", "10.0.0.0/8")),
        ),
        (kinds.HOSTS, "( )", CidrSet()),
        (kinds.CIDRS, "10.0.0.0/8", cidrs("10.0.0.0/8")),
        (kinds.DOMAINS, "*", domains("*")),
        (kinds.GATEWAY, "relay:25", Gateway("relay", 25)),
        (kinds.THROTTLE, "-1", None),
        (kinds.THROTTLE, "unlimited", None),
        (kinds.SHARED_LIMIT, "-1", None),
        (kinds.RETRIES, "-1", None),
        (kinds.MX_FAILURES, "-1", 1),
        (option_kind("RFC2822_Date_Header"), "ignore", "no"),
        (option_kind("RFC2822_Max_Line_Length"), "pedantic", "reject"),
        (option_kind("Starttls_Injection_Policy"), "ignore", "discard"),
        (kinds.BOOL_OR_WITHOUT_LOGIN, "Without_Login", None),
        (kinds.BOOL_OR_WITHOUT_LOGIN, "on", True),
        (
            kinds.DOMAINS,
            '( Example.com "*.x.com" münchen.de )',
            domains("example.com", "*.x.com", "xn--mnchen-3ya.de"),
        ),
        (option_kind("Lane"), "bulk", 1),
        (option_kind("Delivery_Method"), "lmtp", "LMTP"),
        (option_kind("Transform_8BitMime_Content"), "strict", "ifneeded"),
        (option_kind("SMTP_Extensions"), "( size Pipelining )", frozenset(("SIZE", "PIPELINING"))),
    ],
)
def test_a_value_is_read(kind: Kind, text: str, value: object) -> None:
    assert kind.read(written(text)) == value


@pytest.mark.parametrize(
    ("kind", "text", "message", "hint"),
    [
        (kinds.BOOL, "maybe", '"maybe" is neither true nor false', "write true or false"),
        (kinds.BOOL, "( yes )", "takes one value, not a list", "write true or false"),
        (kinds.INT, "1.5", '"1.5" is not a whole number', "write a whole number"),
        (kinds.INT, "٣", '"٣" is not a whole number', "write a whole number"),
        (kinds.INT, "9" * 30, f"{'9' * 20}… is too large", "write at most 18 digits"),
        (kinds.SECONDS, "1h30m", "takes a number of seconds", "write 5400"),
        (kinds.PATH, "~/x", '"~/x": nothing is put in for ~ and variables here', "write the path in full"),
        (kinds.PATHS, "$X/y", '"$X/y": nothing is put in for ~ and variables here', "write the path in full"),
        (kinds.ROUTES, '( "[x.com]:25" )', '"[x.com]:25" is not host:port', 'write "x.com:25"'),
        (kinds.SIZE, "10M", "takes a number of bytes", "write 10485760"),
        (kinds.SECONDS, '"4 hours"', "takes a number of seconds", "write 14400"),
        (kinds.SECONDS, "soon", '"soon" is not a number of seconds', "write a whole number of seconds"),
        (
            kinds.THROTTLE,
            "10/0",
            '"10/0" is not a throttle',
            'write "N" for N per second, "N/S" for N per S seconds',
        ),
        (kinds.CIDRS, '"10.0.0.0/8, ::1"', "takes a list", "write ( 10.0.0.0/8 ::1 )"),
        (kinds.CIDRS, "none", "takes a list", "write ( ) or ( 192.0.2.0/24 ::1 )"),
        (kinds.CIDRS, "[ a = b ]", "takes a list, not a dictionary", "write ( 192.0.2.0/24 ::1 )"),
        (kinds.INT, "−1", '"−1" is not a whole number', "write -1"),
        (kinds.INT, '"1,000"', '"1,000" is not a whole number', "write 1000"),
        (kinds.INT, "1_000_000", '"1_000_000" is not a whole number', "write 1000000"),
        (kinds.SECONDS, '"1,000"', '"1,000" is not a number of seconds', "write 1000"),
        (kinds.SECONDS, '"2 weeks"', "takes a number of seconds", "write 1209600"),
        (kinds.SIZE, "10MiB", "takes a number of bytes", "write 10485760"),
        (kinds.THROTTLE, "10/s", '"10/s" is not a throttle', 'write "10/1"'),
        (kinds.THROTTLE, "100/hour", '"100/hour" is not a throttle', 'write "100/3600"'),
        (kinds.THROTTLE, '"10 per 5 min"', '"10 per 5 min" is not a throttle', 'write "10/300"'),
        (
            kinds.SOURCE_ADDRESS,
            "my.host.name",
            '"my.host.name": names are not looked up here',
            "write an address of this machine",
        ),
        (kinds.GATEWAY, '"[x.com]:587"', '"[x.com]:587" is not host:port', 'write "x.com:587"'),
        (kinds.GATEWAY, '"smtp://x.com:25"', '"smtp://x.com:25" is not host:port', 'write "x.com:25"'),
        (
            option_kind("RFC2822_Max_Line_Length"),
            "2048",
            '"2048" is not one of ignore | fix | reject',
            "write Max_Line_Length = 2048",
        ),
        (
            option_kind("Starttls_Injection_Policy"),
            "allow",
            '"allow" would take as encrypted what anybody on the way can add (CVE-2011-0411)',
            "write reject | discard",
        ),
        (
            option_kind("Transform_8BitMime_Content"),
            "strip",
            '"strip" would damage what is sent: bits are never stripped here',
            "write ifneeded | bounce | no",
        ),
        (
            kinds.CIDRS,
            "( private )",
            '"private" is not an address range',
            "names are not looked up here: write their addresses",
        ),
        (
            kinds.HOSTS,
            "( privat )",
            '"privat" is no address range, nor a word for some',
            "the words are link-local loopback metadata private unspecified",
        ),
        (kinds.HOSTS, "( 10.1.2.3/8 )", '"10.1.2.3/8" has bits set behind its prefix', "write 10.0.0.0/8"),
        (kinds.CIDRS, "( 10.1.2.3/8 )", '"10.1.2.3/8" has bits set behind its prefix', "write 10.0.0.0/8"),
        (kinds.CIDRS, '( "[::1]" )', '"[::1]" is not an address range', "write it without brackets"),
        (kinds.GATEWAY, '"2001:db8::1"', '"2001:db8::1" is not host:port', 'write "[2001:db8::1]"'),
        (kinds.GATEWAY, '"a b"', '"a b" does not begin with the name or address of a host', ""),
        (kinds.GATEWAY, "x:70000", "70000 is not a port", "ports are 1 to 65535"),
        (
            kinds.ROUTES,
            '( "http://x" )',
            '"http://x" is not a route',
            'write "host", "__mx__" or "smtp://host?pref=10&port=25"',
        ),
        (
            kinds.ROUTES,
            '( "smtp://x?prio=1" )',
            '"prio" in "smtp://x?prio=1" is unknown',
            "a route knows pref, ttl, port and type",
        ),
        (
            kinds.SENDERS,
            "( )",
            "an empty list would let everyone relay",
            "name the domains, or write Open_Relay = true",
        ),
        (
            option_kind("Delivery_Method"),
            "http",
            '"http" is known, but not supported yet',
            "write ESMTP | SMTP | LMTP",
        ),
        (
            option_kind("Delivery_Method"),
            "ecstream",
            '"ecstream" is known, but not supported yet',
            "write ESMTP | SMTP | LMTP",
        ),
        (kinds.OWN_NAME, '"a b"', '"a b" is not the name of a host', "write mta.example.com"),
        (kinds.BANNER, '"héllo"', "a greeting is one line of up to 500 ASCII characters", ""),
        (kinds.SIZE, "ten", '"ten" is not a number of bytes', "write a whole number of bytes"),
        (kinds.PERMS, "rw", '"rw" is not a file mode', "write three octal digits, as 0660"),
        (kinds.PATH, '""', "the path is empty", 'write "/path"'),
        (kinds.SOCKETS, '( "localhost:53" )', '"localhost" is not an IP address', ""),
        (
            kinds.ROUTES,
            '( "smtp://x?type=aaaa" )',
            'type "aaaa" in "smtp://x?type=aaaa" is unknown',
            "write type=mx or type=a",
        ),
        (kinds.ROUTES, '( "smtp://x?pref=-1" )', '"smtp://x?pref=-1" has a negative number', ""),
        (kinds.MAILBOX, '"a@b\\"c"', '"a@b"c" is not an address', "write name@example.com"),
    ],
)
def test_a_wrong_value_says_what_to_write(kind: Kind, text: str, message: str, hint: str) -> None:
    with pytest.raises(BadValue) as caught:
        kind.read(written(text))
    assert (str(caught.value), caught.value.hint) == (message, hint)


def test_a_range_set_knows_both_families_and_mapped_addresses() -> None:
    found = cidrs("10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "192.0.2.7")
    longest = {
        "10.2.0.1": "10.0.0.0/8",
        "10.1.0.1": "10.1.0.0/16",
        "::ffff:10.1.0.1": "10.1.0.0/16",
        "2001:db8::5": "2001:db8::/32",
        "192.0.2.7": "192.0.2.7/32",
    }
    assert {ip: found.match(ip) for ip in longest} == longest
    assert [found.contains(ip) for ip in ("11.0.0.1", "2001:db9::1", "192.0.2.8", "", "x")] == [False] * 5


def test_a_range_of_mapped_addresses_is_one_of_ipv4() -> None:
    found = cidrs("::ffff:10.0.0.0/104", "::ffff:192.0.2.7", "::/0")
    assert found.match("10.1.2.3") == found.match("::ffff:10.1.2.3") == "::ffff:a00:0/104"
    assert [found.contains(ip) for ip in ("192.0.2.7", "11.0.0.1", "2001:db8::1")] == [True, False, True]


def test_a_domain_pattern_with_a_dot_leaves_the_domain_itself_out() -> None:
    dotted, bare = domains("*.x.com"), domains("*x.com")
    assert [dotted.contains(name) for name in ("a.x.com", "x.com", "badx.com")] == [True, False, False]
    assert [bare.contains(name) for name in ("a.x.com", "x.com", "badx.com")] == [True, True, True]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: f"{option.family}-{option.name}")
def test_every_default_is_a_value_of_its_option_and_reads_back(option: Option) -> None:
    text = option.show(option.default)
    if text:
        assert option.read(written(text)) == option.default


hosts = st.sampled_from(["mx.x.com", "192.0.2.1", "2001:db8::1", "__mx__"])
routes = st.builds(
    Route,
    hosts,
    st.none() | st.integers(1, 65_535),
    st.none() | st.integers(0, 100),
    st.none() | st.integers(0, 100),
    st.sampled_from([None, "mx", "a"]),
)


@given(st.lists(routes, max_size=3).map(tuple))
def test_routes_read_back_as_they_were_written(found: tuple[Route, ...]) -> None:
    assert kinds.ROUTES.read(written(kinds.ROUTES.show(found))) == found


def test_a_name_that_would_change_with_every_message_is_told_apart_from_a_slip() -> None:
    with pytest.raises(BadValue, match="known, not supported yet"):
        option_kind("EHLO_Hostname").read(written('"__message__"'))


NO_LIMIT = [option for option in OPTIONS if option.no_limit is not None]


@pytest.mark.parametrize("option", NO_LIMIT, ids=lambda option: f"{option.family}-{option.name}")
def test_no_limit_is_written_as_people_write_it_and_reads_back(option: Option) -> None:
    assert option.no_limit is not None
    for text in ("-1", "none", "Unlimited", *["0"][: option.no_limit.by_zero]):
        assert option.read(written(text)) == option.no_limit.value
    assert option.read(written(option.show(option.no_limit.value))) == option.no_limit.value


@pytest.mark.parametrize(
    "name",
    [
        *("Max_Outbound_Connections", "Scope_Max_Outbound_Connections", "Server_Max_Outbound_Connections"),
        *("Max_Resident_Active_Queue", "Max_DNS_TTL"),
    ],
)
def test_where_none_at_all_could_be_meant_0_is_refused(name: str) -> None:
    with pytest.raises(BadValue, match="0 is too small") as caught:
        options_named(name)[0].read(written("0"))
    assert caught.value.hint == "write 1 or more, or -1 for no limit"


@pytest.mark.parametrize(
    "text",
    [
        *('Bind_Address = "10.0.0.1"', 'Bind_Address = "fe80::a00:1"', 'bounces_inline_original = "all"'),
        *('Delivery_Method = "LMTP"', 'EHLO_Hostname = "__hostname__"', 'Gateway = "[fe80::a00]:1"'),
        *("max_dns_ttl = 4294967295", "max_resident_active_queue = -1", 'max_retries = "none"'),
        *(
            'Max_Retry_Interval = "43200"',
            'Never_Attempt_Expired_Messages = "false"',
            "max_resident_messages = 0",
        ),
        *('outbound_throttle_messages = "1/60"', 'prohibited_hosts = ("127.0.0.1" "fe80::a00:1")'),
        *('relay_domains = ( "*.example.com" "example.net" )', 'relay_hosts = ( "10.0.0.1" )'),
        *(
            'Remote_SMTP_Port = "25"',
            'rfc2822_date_header = "ignore"',
            'rfc2822_lone_lf_in_body = "pedantic"',
        ),
        *('rfc2822_max_line_length = "pedantic"', 'rfc2822_messageid_header = "ignore"'),
        *(
            'rfc2822_trace_headers = "true"',
            'transform_8bitmime_content = "strict"',
            "mx_failures_fallback_to_a = -1",
        ),
        'Routes = ( "smtp://my.local.smart.host?pref=1" "__mx__" "smtp://1.2.3.4?pref=10&ttl=300&type=mx" )',
        *('skip_hosts = ("127.0.0.1" "fe80::a00:1")', 'Suspend_Delivery = "false"', 'opendkim_sign = "true"'),
        *('xclient = "ifavailable"', 'TLS_Verify = "optional"', 'Static_Banner = "220 my.mail.server ESMTP"'),
        'TLS_Protocols = "+ALL:-SSLv3:-TLSv1.0:-TLSv1.1"',
        "ESMTP_Listener { relay_for_sending_domains = * Starttls_Injection_Policy = ignore Listener_Sessions = 0 }",
        'ESMTP_Listener { TLS_Verify_Mode = "require" max_message_size = 0 Max_Recipients_Per_Message = 0 }',
    ],
)
def test_what_momentums_pages_write_is_understood(text: str) -> None:
    parse_config(text)


def test_extensions_name_mechanisms_as_momentum_has_it() -> None:
    text = 'ESMTP_Listener {\n SMTP_Extensions = ( PIPELINING "AUTH PLAIN LOGIN" STARTTLS )\n}'
    config = parse_config(text)
    found = config.inbound("default", "127.0.0.1:2525", "192.0.2.1")
    assert found.smtp_extensions == {"PIPELINING", "AUTH", "STARTTLS"}
    assert found.auth_mechanisms == {"PLAIN", "LOGIN"}
    assert config.resolve("Auth_Mechanisms", listener="default").where == Where("angarium.conf", 2)
    assert config.warnings == ()


def test_a_list_of_extensions_that_leaves_out_what_momentum_does_not_name_is_a_warning() -> None:
    (warning,) = parse_config('SMTP_Extensions = ( ENHANCEDSTATUSCODES "AUTH LOGIN" )').warnings
    assert "does not offer 8BITMIME, CHUNKING, DSN" in warning.message
    assert warning.hint == "name them as well where they are wanted"
    assert parse_config("SMTP_Extensions = ( SIZE )").warnings == ()


def test_an_unknown_mechanism_is_told_at_its_place() -> None:
    with pytest.raises(ConfigErrors) as caught:
        parse_config('SMTP_Extensions = ( SIZE "AUTH PLAIN NTLM" )')
    (problem,) = caught.value.problems
    assert (problem.column, problem.message) == (
        26,
        'Auth_Mechanisms: "NTLM" is known, but not supported yet',
    )
