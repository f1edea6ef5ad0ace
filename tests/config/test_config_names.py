"""What stanzas and lists of domains are named by: what could never match is refused with what to write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.config.load import parse_config
from angarium.config.patterns import read_pattern
from angarium.config.problems import ConfigErrors
from angarium.config.reading import BadValue, is_host_name
from angarium.config.sites import domain_glob, is_pattern, site_name
from angarium.config.values import DomainSet

FOR_ALL = "what holds for all stands outside of such stanzas"


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        parse_config(text)
    return [f"{p.line}:{p.column} {p.message} | {p.hint}" for p in caught.value.problems]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("*.outlook.com", r'matches nothing: it is no pattern | write "/\.outlook\.com$/"'),
        ("*outlook.com", r'matches nothing: it is no pattern | write "/outlook\.com$/"'),
        ("yahoo.*", r'matches nothing: it is no pattern | write "/^yahoo\./"'),
        ("*yahoo*", 'matches nothing: it is no pattern | write "/yahoo/"'),
        ("mx?.x.com", r'matches nothing: it is no pattern | write "/^mx.\.x\.com$/"'),
        ("*.bücher.de", r'matches nothing: it is no pattern | write "/\.xn--bcher-kva\.de$/"'),
        (".example.com", r'matches nothing: it is no pattern | write "/\.example\.com$/"'),
        ("*", f"matches nothing: it is no pattern | {FOR_ALL}"),
        ("*.*", f"matches nothing: it is no pattern | {FOR_ALL}"),
        ("example.com.", 'matches nothing: names are without the dot at the end | write "example.com"'),
        ("BÜCHER.de.", 'matches nothing: names are without the dot at the end | write "xn--bcher-kva.de"'),
        ("user@example.com", 'is the address of a mailbox, and no domain | write "example.com"'),
        ("@example.com", 'is the address of a mailbox, and no domain | write "example.com"'),
        ("*@example.com", r'is the address of a mailbox, and no domain | write "example.com"'),
        ("<a@example.com>", 'is the address of a mailbox, and no domain | write "example.com"'),
        ("mailto:a@x.com", 'is the address of a mailbox, and no domain | write "x.com"'),
        ("http://x.com", 'is a URL, and no domain | write "x.com"'),
        ("smtp://u:p@x.com:25/y", 'is a URL, and no domain | write "x.com"'),
        ("mx.x.com:25", 'matches nothing: names are without a port | write "mx.x.com"'),
        ("192.0.2.1:25", 'matches nothing: names are without a port | write "192.0.2.1"'),
        ("[2001:db8::1]:25", 'matches nothing: names are without a port | write "2001:db8::1"'),
        ("2001:db8:::1", 'is neither a domain nor an address | write "example.com" or "192.0.2.1"'),
        ("[192.0.2.0/24]", "is a range of addresses, and no domain | write one address"),
        ("10.0.0.0/8", "is a range of addresses, and no domain | write one address"),
        ("x.com/path", 'is not a domain | write "x.com"'),
        ("127.1", "is not a domain | an address is written in full, as 192.0.2.1"),
        ("192.0.2.999", "is not a domain | an address is written in full, as 192.0.2.1"),
        ("[x.com]", 'has brackets and no address in them | write "x.com"'),
        (
            "a.com, b-c.com",
            r'is not one domain | write a stanza for each, or name it "/^(a\.com|b-c\.com)$/"',
        ),
        (
            "mx1.a.com., mx2.a.com.",
            r'is not one domain | write a stanza for each, or name it "/^(mx1\.a\.com|mx2\.a\.com)$/"',
        ),
        ("a.com|b.com", r'is not one domain | write a stanza for each, or name it "/^(a\.com|b\.com)$/"'),
        ("x com", "is not a domain | write one name, without spaces, commas and bars"),
        (" x.com", 'is not a domain | write "x.com"'),
        (r"^x\.com$", r'matches nothing: it is no pattern without slashes | write "/^x\.com$/"'),
        (r"(a|b)\.com", r'matches nothing: it is no pattern without slashes | write "/(a|b)\.com/"'),
        (r".*\.com$", r'matches nothing: it is no pattern without slashes | write "/.*\.com$/"'),
        ("a..b", "is not a domain | a domain has labels of 1 to 63 characters, and 253 in all"),
        (f"{'a' * 64}.com", "is not a domain | a domain has labels of 1 to 63 characters, and 253 in all"),
        ("x!y", "is not a domain | domains have letters, digits, - and _, between dots"),
        ("${domain}", "is not a domain: nothing is put in for variables here | write the name itself"),
        ("/x", 'begins as a pattern | write a pattern as "/…/"'),
        ("//", 'begins as a pattern | write a pattern as "/…/"'),
        (r"/x\.com$/i", r'begins as a pattern | write "/x\.com$/"; case never counts'),
    ],
)
@pytest.mark.parametrize("stanza", ["Domain", "Host"])
def test_a_name_that_can_never_match_is_refused_with_what_to_write(
    stanza: str, name: str, expected: str
) -> None:
    column = len(stanza) + 2
    assert problems(f'{stanza} "{name}" {{ }}') == [f'1:{column} {stanza}: "{name}" {expected}']


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"/@x\.com$/", r'matches nothing: no domain has an @ | write "/x\.com$/"'),
        ("/bücher/", "matches nothing: names are held against it as A-labels | write xn--… in it"),
        (r"/*.x.com/", r'is wrong: it begins with *, which repeats nothing | write "/\.x\.com$/"'),
        (r"/*\.x\.com$/", r'is wrong: it begins with *, which repeats nothing | write "/\.x\.com$/"'),
    ],
)
def test_a_pattern_that_can_never_match_is_refused_with_what_to_write(pattern: str, expected: str) -> None:
    assert problems(f'Domain "{pattern}" {{ }}') == [f'1:8 Domain: the pattern "{pattern}" {expected}']


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Binding "*" { }', f'1:9 Binding: "*" is not one name | {FOR_ALL}'),
        ('Binding_Group "/x/" { }', f'1:15 Binding_Group: "/x/" is not one name | {FOR_ALL}'),
        ('Binding "a b" { }', '1:9 Binding: "a b" cannot be a name | names have no spaces and no colons'),
        (
            'ESMTP_Listener { Listen "localhost:25" { } }',
            '1:25 Listen: "localhost:25": names are not looked up here | write "127.0.0.1:25" or "[::1]:25"',
        ),
        (
            'ESMTP_Listener { Listen "mx.x.com:25" { } }',
            '1:25 Listen: "mx.x.com" is not an IP address | '
            'write "192.0.2.1:25", "*:25", "[2001:db8::1]:25" or "/path"',
        ),
        ('ESMTP_Listener { Listen "*:smtp" { } }', '1:25 Listen: "*:smtp" names a service | write "*:25"'),
        (
            'ESMTP_Listener { Listen "unix:/run/x" { } }',
            '1:25 Listen: "unix:/run/x" is not an address | write "/run/x"',
        ),
        (
            'ESMTP_Listener { Peer "0.0.0.0" { } }',
            '1:23 Peer: "0.0.0.0" is no address that a peer has | write 0.0.0.0/0 for all peers',
        ),
        (
            'ESMTP_Listener { Peer "::" { } }',
            '1:23 Peer: "::" is no address that a peer has | write ::/0 for all peers',
        ),
    ],
)
def test_other_stanzas_have_names_of_their_own_forms(text: str, expected: str) -> None:
    assert problems(text) == [expected]


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("*", "write 0.0.0.0/0 and ::/0"),
        ("any", "write 0.0.0.0/0 and ::/0"),
        ("localhost", "write 127.0.0.0/8 and ::1"),
        ("10/8", "write 10.0.0.0/8"),
        ("10.1/16", "write 10.1.0.0/16"),
        ("10.", "write 10.0.0.0/8"),
        ("192.168.", "write 192.168.0.0/16"),
        ("10.0.0.*", "write 10.0.0.0/24"),
        ("10.0.*.*", "write 10.0.0.0/16"),
        ("192.0.2.1-192.0.2.4", "write 192.0.2.1/32 192.0.2.2/31 192.0.2.4/32"),
        ("10.0.0.1:25", "write 10.0.0.1"),
        ("[::1]", "write it without brackets"),
        ("mx.x.com", "names are not looked up here: write their addresses"),
        ("10.0.0.1, 10.0.0.2", "write each address or range by itself"),
        ("10.0.0.300", "write 192.0.2.0/24 or 2001:db8::/32"),
        ("10.0.0.0/33", "a prefix is 0 to 32 bits for IPv4, and 0 to 128 for IPv6"),
        ("10.0.0.1-9", "write 192.0.2.0/24 or 2001:db8::/32"),
    ],
)
def test_ranges_as_other_programs_write_them_are_told(written: str, hint: str) -> None:
    expected = f'"{written}" is not an address range | {hint}'
    assert problems(f'ESMTP_Listener {{ Peer "{written}" {{ }} }}') == [f"1:23 Peer: {expected}"]
    assert problems(f'Relay_Hosts = ( "{written}" )') == [f"1:17 Relay_Hosts: {expected}"]


def test_every_wrong_item_of_a_list_is_told_at_its_place() -> None:
    text = 'Relay_Domains = ( "a@x.com" good.example ".x.com" "x.com." "/x/" "192.0.2.1" "a.com,b.com" )'
    assert problems(text) == [
        '1:19 Relay_Domains: "a@x.com" is the address of a mailbox, and no domain | write "x.com"',
        '1:42 Relay_Domains: ".x.com" matches no domain | write "*.x.com"',
        '1:51 Relay_Domains: "x.com." matches nothing: names are without the dot at the end | write "x.com"',
        '1:60 Relay_Domains: "/x/": a list takes no patterns | '
        'write names and globs: example.com "*.example.com"',
        '1:66 Relay_Domains: "192.0.2.1" is an address, and no domain | '
        'write "[192.0.2.1]" for mail to that address',
        '1:78 Relay_Domains: "a.com,b.com" is not one domain | write "a.com" "b.com"',
    ]


def test_a_rule_tells_each_wrong_item_too() -> None:
    text = 'Binding_Rule r { Use_Binding = default Sender_Domain = ( "@a.com" x.com "b." ) }'
    assert problems(text) == [
        '1:58 Sender_Domain: "@a.com" is the address of a mailbox, and no domain | write "a.com"',
        '1:73 Sender_Domain: "b." matches nothing: names are without the dot at the end | write "b"',
    ]


@pytest.mark.parametrize(
    "name",
    [
        "192.0.2.1",
        "[192.0.2.1]",
        "2001:db8::1",
        "[2001:db8::1]",
        "[IPv6:2001:DB8:0::1]",
        "[ipv6:2001:db8::1]",
    ],
)
def test_an_address_may_be_written_as_momentum_and_rfc_5321_have_it(name: str) -> None:
    config = parse_config(
        f'Domain "{name}" {{ Retry_Interval = 7 }} Host "{name}" {{ Max_Outbound_Connections = 3 }}'
    )
    literal, bare = (
        ("[IPv6:2001:db8::1]", "2001:db8::1")
        if "8::" in name or ":" in name
        else ("[192.0.2.1]", "192.0.2.1")
    )
    gateway = f"[{bare}]:25" if ":" in bare else f"{bare}:25"
    for domain in (literal, gateway):
        assert config.outbound("default", domain).retry_interval == 7
    assert config.outbound("default", "[192.0.2.9]").retry_interval != 7
    assert config.host("default", "x", bare).max_outbound_connections == 3
    assert config.resolve("Retry_Interval", domain=literal).value == 7


@pytest.mark.parametrize("name", ["gmail", "default", "all"])
def test_a_domain_without_a_dot_is_a_warning(name: str) -> None:
    (warning,) = parse_config(f"Domain {name} {{ TLS = no }}").warnings
    assert (
        str(warning)
        == f'angarium.conf:1:8: Domain "{name}" has no dot: it is one domain, and no part of others'
    )
    assert warning.hint == "write example.com in full; what holds for all domains stands outside of Domain"
    assert parse_config("Domain localhost { } Domain x.com { } Domain /x/ { } Domain ::1 { }").warnings == ()


names = st.from_regex(r"[a-z0-9_-]{1,9}(\.[a-z0-9_-]{1,9}){0,3}", fullmatch=True)


@given(st.text(max_size=30) | names | names.map("*.{}".format) | st.text("*?.ab@/:[]0", max_size=12))
def test_a_name_is_one_that_can_match_or_refused(text: str) -> None:
    try:
        name = site_name(text)
    except BadValue:
        return
    assert is_pattern(name) or is_host_name(name) or "." in name or ":" in name
    assert site_name(name) == name


@given(names, st.sampled_from(["*.{}", "*{}", "{}.*", "*{}*", ".{}"]))
def test_the_pattern_that_is_offered_for_a_glob_means_the_same(name: str, form: str) -> None:
    glob = form.format(name)
    with pytest.raises(BadValue) as caught:
        site_name(glob)
    offered = caught.value.hint.removeprefix('write "/').removesuffix('/"')
    if offered == caught.value.hint:
        return
    pattern, globs = read_pattern(offered), DomainSet((glob if glob[0] != "." else f"*{glob}",))
    for domain in (name, f"a.{name}", f"a{name}", f"{name}.a", f"x.{name}.y", "else.where"):
        assert pattern.is_in(domain) == globs.contains(domain)


@given(st.text(max_size=30) | names | names.map("*.{}".format))
def test_an_item_of_a_list_of_domains_is_one_that_can_match_or_refused(text: str) -> None:
    try:
        name = domain_glob(text)
    except BadValue:
        return
    DomainSet((name,)).contains("example.com")
