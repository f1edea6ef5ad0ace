"""Every problem of a configuration at once, each with its place and what to write instead."""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.config.build import NAMES, RULE
from angarium.config.known import KNOWN_OPTIONS, KNOWN_STANZAS
from angarium.config.load import load_config, parse_config
from angarium.config.options import RECORDS, Option
from angarium.config.problems import ConfigErrors, Position, SourceText
from angarium.config.reading import BadValue
from angarium.config.syntax import Scalar
from angarium.config.tables import OPTIONS, family


def problems(text: str) -> list[str]:
    """Return `line:column message | hint` of every problem."""
    with pytest.raises(ConfigErrors) as caught:
        parse_config(text)
    return [f"{p.line}:{p.column} {p.message} | {p.hint}" for p in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Max_Outbound_Conections = 3",
            "1:1 unknown option Max_Outbound_Conections | did you mean Max_Outbound_Connections?",
        ),
        ("Qwertyuiop = 3", "1:1 unknown option Qwertyuiop | "),
        ("Foo_Body_Timeout = 3", "1:1 unknown option Foo_Body_Timeout | "),
        ("BodyTimeout = 3", "1:1 unknown option BodyTimeout | did you mean Body_Timeout?"),
        ("TLS_Cert = x", "1:1 unknown option TLS_Cert | did you mean TLS_Certificate?"),
        ("Connections_Max_Outbound = 3", "1:1 unknown option Connections_Max_Outbound | "),
        (
            "adaptive_enabled = yes",
            "1:1 Adaptive_Enabled is known from Momentum and not served: "
            "no option adapts itself to what peers answer yet | leave it out",
        ),
        (
            "adaptive_body_timeout = ( 60 600 )",
            "1:1 Adaptive_Body_Timeout is known from Momentum and not served: "
            "no option adapts itself to what peers answer yet | write Body_Timeout itself",
        ),
        (
            "match_cache_life = 60",
            "1:1 Match_Cache_Life is known from Momentum and not served: what is remembered of a configuration goes "
            "with it, at a reload | leave it out; its size is Match_Cache_Size",
        ),
        (
            "Debug_Flags { ERROR = ( ALL ) }",
            "1:1 Debug_Flags is known from Momentum and not served: the log is one stream, on standard error | "
            "write Log_Level and Log_Format",
        ),
        (
            "Force_Fsync = yes",
            "1:1 Force_Fsync is known from Momentum and not served: "
            "mail is always synced before it is acknowledged | leave it out",
        ),
        (
            'Pathway "x" { Anything = 1 }',
            "1:1 Pathway is known from Momentum and not served: there are no pathways | "
            "write their options into ESMTP_Listener, Listen or Peer",
        ),
        ("Domian x { }", "1:1 unknown stanza Domian | did you mean Domain?"),
        (
            "Gateway x { }",
            '1:1 Gateway is an option, not a stanza | write Gateway = "host" | "host:port" | none',
        ),
        ("Domain = x.com", '1:1 Domain is a stanza, not an option | write Domain "…" { … }'),
        ("Domain { }", '1:1 Domain: needs a name | write Domain "…" { … }'),
        (
            "Domain x.com { Relay_Hosts = ( ) }",
            "1:16 Relay_Hosts cannot stand in Domain | "
            "it belongs into the global scope, ESMTP_Listener, Listen or Peer",
        ),
        (
            "Open_Relay = true",
            "1:1 Open_Relay cannot stand in the global scope | it belongs into ESMTP_Listener, "
            "Listen or Peer",
        ),
        (
            "Binding b { Use_IPv6 = yes }",
            "1:13 Use_IPv6 cannot stand in Binding | it belongs into the global scope",
        ),
        (
            "Domain x { Binding b { } }",
            "1:12 Binding cannot stand in Domain | it belongs into the global scope or Binding_Group",
        ),
        (
            "HTTP_Listener { Listen :80 { Peer 10.0.0.0/8 { } } }",
            "1:30 Peer cannot stand in Listen | it belongs into ESMTP_Listener or Listen",
        ),
        (
            "HTTP_Listener { Listen :80 { Idle_Time = 3 } }",
            "1:30 Idle_Time cannot stand in Listen of HTTP_Listener | it belongs into the global scope, "
            "ESMTP_Listener, Listen or Peer",
        ),
        ("Retry_Interval = 10m", "1:18 Retry_Interval: takes a number of seconds | write 600"),
        ("Remote_SMTP_Port = 0", "1:20 Remote_SMTP_Port: 0 is too small | write 1 or more"),
        ("Remote_SMTP_Port = 65536", "1:20 Remote_SMTP_Port: 65536 is too large | write 65535 or less"),
        (
            "Scope_Max_Outbound_Connections = 0",
            "1:34 Scope_Max_Outbound_Connections: 0 is too small | write 1 or more, or -1 for no limit",
        ),
        (
            'Delivery_Method = "ecstream"',
            '1:19 Delivery_Method: "ecstream" is known, but not supported yet | write ESMTP | SMTP | LMTP',
        ),
        (
            'Domain "/(/" { }',
            '1:8 Domain: the pattern "(" is wrong: missing ): ( | ',
        ),
        ('Domain "/x" { }', '1:8 Domain: "/x" begins as a pattern | write a pattern as "/…/"'),
        ('Binding "a:b" { }', '1:9 Binding: "a:b" cannot be a name | names have no spaces and no colons'),
        (
            "Binding_Group g { Binding b { } } Binding b { }",
            "1:35 binding b is in the group g already (angarium.conf:1) | put its options there, or "
            "choose another name",
        ),
        (
            "ESMTP_Listener in { Idle_Time = 3 }",
            '1:1 esmtp_listener in has no socket | write Listen "192.0.2.1:25" { } in it',
        ),
        (
            'ESMTP_Listener { Listen "25" { } }',
            '1:25 Listen: "25" has no port | write "192.0.2.1:25", "*:25", "[2001:db8::1]:25" or "/path"',
        ),
        (
            "ESMTP_Listener { Listen *:25 { } Listen 127.0.0.1:25 { } }",
            "1:34 127.0.0.1:25 is taken by esmtp_listener default::listen *:25 (angarium.conf:1) | "
            "give one of them up",
        ),
        (
            "ESMTP_Listener { Peer 10.0.0.1/8 { } }",
            '1:23 Peer: "10.0.0.1/8" has bits set behind its prefix | write 10.0.0.0/8',
        ),
        (
            "Binding_Rule r { }",
            "1:1 Binding_Rule r has no target | write either Use_Binding or Use_Binding_Group",
        ),
        (
            "Binding b { Binding_Rule r { Use_Binding = b } }",
            "1:13 Binding_Rule cannot stand inside a stanza | write it at the top level",
        ),
        (
            "Binding_Rule r { Use_Binding = default Use_Binding_Group = default }",
            "1:1 Binding_Rule r has two targets | write either Use_Binding or Use_Binding_Group",
        ),
        (
            'Binding_Rule r { Use_Binding = default Header = [ "X-A" = "(" ] }',
            '1:49 Header: the pattern "(" is wrong: missing ): ( | ',
        ),
        (
            'Binding_Rule r { Use_Binding = default Header = [ "X A" = "a" ] }',
            '1:49 Header: "X A" is not the name of a header field | ',
        ),
        ('Domain "" { }', '1:8 Domain: "" is not a domain | write "example.com"'),
        (
            "Binding_Group g { } Binding_Rule r { Use_Binding_Group = g }",
            "1:58 the binding group g has no bindings | declare one in it",
        ),
        (
            'Binding_Rule r { Use_Binding = default Header = [ "X-A" = "/^news/" ] }',
            '1:49 Header: the pattern "/^news/" matches nothing: slashes are part of it here | write "^news"',
        ),
        (
            'Binding_Rule r { Use_Binding = default Header = [ "X-A:" = "news" ] }',
            '1:49 Header: "X-A:" is not the name of a header field | write "X-A"',
        ),
        (
            'Binding_Rule r { Use_Binding = default Header = ( "X-A" "news" ) }',
            '1:49 Header: takes a dictionary | write [ "X-Campaign" = "^news" ]',
        ),
        (
            "Binding_Rule r { Use_Binding = ( a b ) }",
            "1:32 Use_Binding: takes one value, not a list | ",
        ),
        (
            "Binding_Rule r { Use_Binding = default Sender = x }",
            "1:40 Sender cannot stand in Binding_Rule | "
            "it takes Listener, Peer, Sender_Domain, Header, Use_Binding, Use_Binding_Group",
        ),
        ("Binding_Rule { }", '1:1 Binding_Rule needs a name | write Binding_Rule "…" { … }'),
        (
            "Binding warm { } Binding_Rule r { Use_Binding = wrm }",
            "1:49 there is no binding wrm | did you mean warm?",
        ),
        (
            "Binding_Rule r { Use_Binding = default Listener = out }",
            "1:51 there is no listener out | declare it, or use default",
        ),
        (
            "Binding_Rule r { Use_Binding = default Peer = ( ) }",
            "1:47 Peer: is empty | leave the condition out, or write what it asks for",
        ),
    ],
)
def test_a_problem_is_told_with_its_place_and_what_to_write(text: str, expected: str) -> None:
    assert problems(text) == [expected]


def test_all_problems_are_told_at_once_in_order_of_place() -> None:
    text = "Foo_ = 1\nRetry_Interval = x\nDomain y {\n  Bar__ = 2\n  Baz = (\n}\nBinding_Rule r { }\n"
    assert [line.split(" ")[0] for line in problems(text)] == ["1:1", "2:18", "4:3", "5:9", "7:1"]


def test_many_problems_are_counted_but_not_all_told() -> None:
    with pytest.raises(ConfigErrors) as caught:
        parse_config("Foo = 1\n" * 1000)
    assert len(caught.value.problems) + caught.value.dropped == 1000
    assert caught.value.render().endswith(f"… and {caught.value.dropped} more\n1000 problems")


def test_the_table_and_the_records_have_the_same_options() -> None:
    for name, record in RECORDS.items():
        assert {option.field for option in family(name)} == {field.name for field in fields(record)}


def test_an_option_is_either_served_or_known() -> None:
    assert not {option.field for option in OPTIONS} & set(KNOWN_OPTIONS)


def momentum_names() -> list[str]:
    return (Path(__file__).parent / "momentum_options.txt").read_text().split()


@pytest.mark.parametrize("form", ["{} = 1", "{} x {{ }}"])
def test_every_name_of_momentum_is_served_or_told_what_takes_its_place(form: str) -> None:
    unknown = []
    for name in momentum_names():
        try:
            parse_config(form.format(name))
        except ConfigErrors as errors:
            unknown += [
                str(p) for p in errors.problems if "unknown " in p.message[:8] or "did you mean" in p.hint
            ]
    assert unknown == []


def test_what_takes_the_place_of_an_option_is_one() -> None:
    names = {name.lower() for name in [*NAMES.values(), RULE]} | {option.name.lower() for option in OPTIONS}
    for known in (*KNOWN_OPTIONS.values(), *KNOWN_STANZAS.values()):
        told = re.findall(r"\b[A-Z][A-Za-z0-9]+(?:_[A-Za-z0-9]+)+\b", f"{known.reason} {known.instead}")
        assert {name.lower() for name in told} <= names, known


def test_a_name_means_one_option_in_each_scope() -> None:
    seen = [(option.field, scope) for option in OPTIONS for scope in option.scopes]
    assert len(seen) == len(set(seen))


PIECES = [
    "Domain",
    "Binding",
    "Binding_Group",
    "Host",
    "Listen",
    "Peer",
    "ESMTP_Listener",
    "Binding_Rule",
    "Routes",
]
PIECES += [
    "Gateway",
    "Relay_Hosts",
    "Retry_Interval",
    "Use_Binding",
    "Header",
    "Max_Retries",
    "TLS",
    "Bind_Address",
]
PIECES += [
    "{",
    "{",
    "}",
    "}",
    "=",
    "=",
    "(",
    ")",
    "[",
    "]",
    "x",
    "1",
    '"/a/"',
    '"/(/"',
    "::1",
    "1.2.3.4/8",
    ":25",
]
PIECES += [
    '"smtp://x?pref=1"',
    '"[::1]:25"',
    "none",
    "include",
    "\n",
    '"\u00fc.de"',
    '"\u0131.\u200d"',
    '"x" {',
    "0",
]


@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_whatever_is_written_there_is_a_configuration_or_problems(pieces: list[str]) -> None:
    try:
        config = parse_config(" ".join(pieces))
    except ConfigErrors:
        return
    assert config.outbound("default", "x").retry_interval > 0


names = st.sampled_from([*(option.name for option in OPTIONS), *NAMES.values(), "include"])
marks = st.sampled_from([*"{}()[]=,;:#\"'“”’\n\t \\/*-–−0159.@$%\x00\u200b\u00a0é", "/*", "*/", "//", "://"])
values = st.sampled_from(["true", "-1", "9" * 20, "none", "x.com", "*.x.com", "::1", "10/8", "/(/", "AUTH X"])


def told(read: Callable[[], object]) -> ConfigErrors | None:
    try:
        read()
    except ConfigErrors as errors:
        return errors
    return None


@given(st.lists(names | marks | values | st.characters(), max_size=40).map("".join) | st.text(max_size=200))
def test_any_text_is_a_configuration_or_problems_with_their_places(text: str) -> None:
    errors = told(lambda: parse_config(text))
    for problem in errors.problems if errors else ():
        assert 1 <= problem.line <= text.count("\n") + 1
        assert problem.column >= 1
        assert problem.message
        assert problem.render()


@given(st.binary(max_size=200))
def test_any_file_is_a_configuration_or_problems(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "any.conf"
        path.write_bytes(data)
        errors = told(lambda: load_config(path))
    assert errors is None or errors.render()


@given(st.sampled_from([option for option in OPTIONS if option.family != "listen"]), st.text(max_size=30))
def test_any_value_is_taken_and_shown_or_refused(option: Option, text: str) -> None:
    with suppress(BadValue):
        value = option.read(Scalar(text, True, Position(SourceText("", ""), 0)))
        assert option.show(value) is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        "Foo{} = 1\n",
        "Domain x{}.com {{ }}\n",
        'Domain "*.{}.com" {{ }}\n',
        "A = “{}”\n",
        "Binding_Group g{0} {{ Binding b{0} {{ }} }}\n",
    ],
)
def test_checking_takes_time_linear_in_the_text(piece: str) -> None:
    def seconds(count: int) -> float:
        text = "".join(piece.format(number) for number in range(count))
        started = time.thread_time()
        with suppress(ConfigErrors):
            parse_config(text)
        return time.thread_time() - started

    # a disturbed machine makes one measurement longer; time that grows with the square makes all of them
    assert min(seconds(5_000) for _ in range(3)) < 20 * max(seconds(500) for _ in range(3)) + 0.5
