"""Includes, rules and listeners: what several stanzas and files make together."""

import os
from pathlib import Path

import pytest

from angarium.config.load import load_config, parse_config
from angarium.config.problems import ConfigErrors
from angarium.config.values import Where

LEFTOVERS = (
    *("b.conf~", "b.conf.bak", "b.conf.orig", "b.conf.rej", "b.conf.old", "b.conf.save", "b.conf.disabled"),
    *("b.conf.dpkg-old", "b.conf.dpkg-dist", "b.conf.ucf-dist", "b.conf.rpmsave"),
    *("#b.conf#", ".b.conf", ".b.conf.swp"),
)


def write(folder: Path, **files: str) -> Path:
    """Write files, named by their stem, and return the path of `main`."""
    for stem, text in files.items():
        path = folder / f"{stem.replace('__', '/')}.conf"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "main.conf"


def messages(path: Path) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        load_config(path)
    return [str(problem) for problem in caught.value.problems]


def test_an_included_file_stands_in_place_of_its_include(tmp_path: Path) -> None:
    main = write(
        tmp_path,
        main="Retry_Interval = 1\ninclude inner.conf\nBinding b {\n include inner.conf\n Max_Retries "
        "= 3\n}\n",
        inner="Retry_Interval = 2\nMax_Retries = 9\n",
    )
    config = load_config(main)
    assert config.outbound("default", "x.com").retry_interval == 2
    assert config.outbound("b", "x.com").max_retries == 3
    assert config.where("Retry_Interval", binding="b") == Where(str(tmp_path / "inner.conf"), 1)


def test_a_folder_is_included_file_by_file_in_order_of_names(tmp_path: Path) -> None:
    main = write(
        tmp_path, main='include "parts"', parts__a="Retry_Interval = 1", parts__b="Retry_Interval = 2"
    )
    (tmp_path / "parts" / ".hidden").write_text("Nonsense")
    (tmp_path / "parts" / "deeper").mkdir()
    config = load_config(main)
    assert config.outbound("default", "x.com").retry_interval == 2
    assert [warning.message for warning in config.warnings] == [f"{tmp_path}/parts: left out .hidden, deeper"]


def test_an_include_is_relative_to_the_file_it_stands_in(tmp_path: Path) -> None:
    main = write(
        tmp_path,
        main="include parts/a.conf",
        parts__a="readonly_include b.conf",
        parts__b="Retry_Interval = 2",
    )
    assert load_config(main).outbound("default", "x.com").retry_interval == 2


def test_a_missing_file_says_which_path_was_tried(tmp_path: Path) -> None:
    main = write(tmp_path, main="include other.conf")
    tried = tmp_path / "other.conf"
    assert messages(main) == [f"{main}:1:9: cannot read {tried}: No such file or directory"]
    assert messages(tried) == [f"{tried}: cannot read {tried}: No such file or directory"]


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    main = tmp_path / "main.conf"
    main.write_bytes(b"Hostname = m\xfcnchen.de")
    assert messages(main) == [f"{main}: cannot read {main}: byte 12 is not UTF-8"]


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    main = tmp_path / "main.conf"
    main.write_bytes(b"\xef\xbb\xbfRetry_Interval = 3")
    assert load_config(main).outbound("default", "x.com").retry_interval == 3


def test_a_circle_of_includes_is_told(tmp_path: Path) -> None:
    main = write(tmp_path, main="include a.conf", a="include main.conf")
    a = tmp_path / "a.conf"
    assert messages(main) == [f"{a}:1:9: {main} includes itself: {main} → {a} → {main}"]


def test_a_circle_through_a_link_is_told_with_the_link(tmp_path: Path) -> None:
    main = write(tmp_path, main="include conf.d")
    folder = tmp_path / "conf.d"
    folder.mkdir()
    link = folder / "again.conf"
    link.symlink_to(main)
    assert messages(main) == [f"{main}:1:9: {main} includes itself: {main} → {link} (a link to {main})"]


def test_a_link_to_itself_is_told_with_its_way(tmp_path: Path) -> None:
    main, one, two = write(tmp_path, main="include one.conf"), tmp_path / "one.conf", tmp_path / "two.conf"
    one.symlink_to("two.conf")
    two.symlink_to("one.conf")
    way = f"it is a link that leads back to itself: {one} → {two} → {one}"
    assert messages(main) == [f"{main}:1:9: cannot read {one}: {way}"]
    assert messages(one) == [f"{one}: cannot read {one}: {way}"]


@pytest.mark.parametrize(
    "name",
    LEFTOVERS,
)
@pytest.mark.parametrize("include", ["parts", "parts/*"])
def test_what_editors_and_packages_leave_behind_is_not_read(tmp_path: Path, name: str, include: str) -> None:
    main = write(tmp_path, main=f'include "{include}"', parts__b="Retry_Interval = 1")
    (tmp_path / "parts" / name).write_text("Retry_Interval = 2")
    config = load_config(main)
    assert config.outbound("default", "x.com").retry_interval == 1
    unseen = include == "parts/*" and name.startswith(".")  # as in a shell, * matches no hidden file
    told = [f"{main}:1:9: {tmp_path / include}: left out {name}"]
    assert [str(warning) for warning in config.warnings] == ([] if unseen else told)


def test_many_files_left_out_are_counted(tmp_path: Path) -> None:
    main = write(tmp_path, main="include parts", parts__b="")
    for name in "abcdefg":
        (tmp_path / "parts" / name).touch()
    (warning,) = load_config(main).warnings
    assert warning.message.endswith("left out a, b, c, d, e and 2 more")
    assert warning.hint == "of a folder *.conf is read, and no hidden files, backups and folders"


def test_an_include_may_be_a_pattern(tmp_path: Path) -> None:
    main = write(
        tmp_path, main='include "p*/[ab].conf"', p1__b="Retry_Interval = 1", p2__a="Retry_Interval = 2"
    )
    (tmp_path / "p2" / "c.conf").write_text("Retry_Interval = 3")
    assert load_config(main).outbound("default", "x.com").retry_interval == 2
    assert load_config(main).warnings == ()


def test_a_pattern_that_matches_nothing_is_a_warning(tmp_path: Path) -> None:
    main = write(tmp_path, main='include "p/*.conf"')
    assert [str(warning) for warning in load_config(main).warnings] == [
        f"{main}:1:9: nothing matches {tmp_path}/p/*.conf"
    ]


@pytest.mark.parametrize(
    ("include", "problem"),
    [
        ('include ""', '"" is not a file'),
        ("include http://x.com/y.conf", '"http://x.com/y.conf" is not a file'),
        (f"include {'x' * 300}", f"cannot read {{folder}}/{'x' * 300}: File name too long"),
        ("include gone/x.conf", "cannot read {folder}/gone/x.conf: No such file or directory"),
        ("include dangling.d", "cannot read {folder}/dangling.d/a.conf: No such file or directory"),
        ("include pipe", "cannot read {folder}/pipe: it is no file"),
        ("include latin.conf", "cannot read {folder}/latin.conf: byte 9 is not UTF-8"),
    ],
)
def test_what_cannot_be_included_is_told_at_the_include(tmp_path: Path, include: str, problem: str) -> None:
    main = write(tmp_path, main=include)
    (tmp_path / "dangling.d").mkdir()
    (tmp_path / "dangling.d" / "a.conf").symlink_to("gone")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin.conf").write_bytes("# one\n# Mü".encode("latin-1"))
    assert messages(main) == [f"{main}:1:9: {problem.format(folder=tmp_path)}"]


def test_a_file_may_be_named_as_momentum_names_it(tmp_path: Path) -> None:
    main = write(tmp_path, main="", a="Retry_Interval = 2")
    main.write_text(f'readonly_include "file://{tmp_path}/a.conf"')
    assert load_config(main).outbound("default", "x.com").retry_interval == 2


def test_includes_that_multiply_end(tmp_path: Path) -> None:
    files = {f"f{n}": f"include f{n + 1}.conf\ninclude f{n + 1}.conf" for n in range(15)}
    main = write(tmp_path, main="include f0.conf", f15="Retry_Interval = 3", **files)
    assert all("the configuration has more than 1000 files" in message for message in messages(main))


def test_problems_of_all_files_are_told_together(tmp_path: Path) -> None:
    main = write(tmp_path, main="Foo = 1\ninclude a.conf\nBar = 2", a="Baz = 3")
    assert [message.split(": ", 1)[1] for message in messages(main)] == [
        "unknown option Foo",
        "unknown option Bar",
        "unknown option Baz",
    ]


RULES = """
ESMTP_Listener in { Listen :25 { } }
Binding_Group pool { Binding a { } Binding b { } }
Binding news { }
Binding_Rule campaign { Header = [ X-Campaign = "^news" "X-Kind" = "." ] Use_Binding = news }
Binding_Rule inside { Peer = ( 10.0.0.0/8 ) Sender_Domain = ( x.com "*.x.com" ) Use_Binding_Group = pool }
Binding_Rule rest { Listener = in Use_Binding = default }
"""


@pytest.mark.parametrize(
    ("peer", "sender", "headers", "rule"),
    [
        ("10.0.0.1", "x.com", {}, "inside"),
        ("10.0.0.1", "a.x.com", {"x-campaign": "news 7"}, "inside"),
        ("10.0.0.1", "x.com", {"x-campaign": "news 7", "x-kind": "a"}, "campaign"),
        ("10.0.0.1", "", {}, "rest"),
        ("11.0.0.1", "x.com", {}, "rest"),
        ("11.0.0.1", "x.com", {"x-campaign": "old news", "x-kind": "a"}, "rest"),
    ],
)
def test_the_first_rule_whose_conditions_all_hold_gives_the_binding(
    peer: str, sender: str, headers: dict[str, str], rule: str
) -> None:
    config = parse_config(RULES)
    matching = [found.name for found in config.binding_rules if found.matches("in", peer, sender, headers)]
    assert matching[0] == rule
    assert config.rule_headers == {"x-campaign", "x-kind"}
    assert config.groups["pool"] == ("a", "b")


def test_a_rule_for_a_listener_leaves_others_alone() -> None:
    config = parse_config(RULES)
    assert not any(rule.matches("other", "11.0.0.1", "x.com", {}) for rule in config.binding_rules)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (":25", "0.0.0.0:25"),
        ("*:25", "0.0.0.0:25"),
        ("[*]:25", "[::]:25"),
        ("[2001:DB8::1]:25", "[2001:db8::1]:25"),
        ("192.0.2.1:0", "192.0.2.1:0"),
        ("/run/in.sock", "/run/in.sock"),
    ],
)
def test_a_socket_is_an_address_or_a_path(name: str, shown: str) -> None:
    (listener,) = parse_config(f'ESMTP_Listener in {{ Listen "{name}" {{ }} }}').listeners
    assert [(listen.name, str(listen)) for listen in listener.listens] == [(name, shown)]


def test_a_disabled_socket_or_listener_is_not_opened() -> None:
    config = parse_config(
        "ESMTP_Listener in { Listen :25 { Enable = no } Listen :26 { } }"
        "ESMTP_Listener off { Enable = no Listen :27 { } } HTTP_Listener { Enable = no }"
    )
    assert [
        (listener.name, [listen.port for listen in listener.listens]) for listener in config.listeners
    ] == [("in", [26])]
    assert config.http_listens == ()


def test_a_file_without_listeners_keeps_the_default_ones() -> None:
    config = parse_config("Retry_Interval = 1")
    assert [str(listen) for listener in config.listeners for listen in listener.listens] == ["127.0.0.1:2525"]
    assert [str(listen) for listen in config.http_listens] == ["127.0.0.1:8080"]


BASE = (
    "ESMTP_Listener in { Listen :25 { } Peer 10.0.0.0/8 { Idle_Time = 9 } } ESMTP_Listener out { "
    "Listen :26 { } } "
)


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ("", set()),
        ("Retry_Interval = 3 Binding b { }", set()),
        ("Idle_Time = 300", set()),
        ("ESMTP_Listener in { Idle_Time = 3 }", {"in"}),
        ("ESMTP_Listener in { Peer 10.0.0.0/8 { Idle_Time = 8 } }", {"in"}),
        ("ESMTP_Listener out { Listen :26 { Max_Errors_Per_Connection = 1 } }", {"out"}),
        ("Max_Message_Size = 100", {"in", "out"}),
        ("Relay_Hosts = ( 10.0.0.0/8 )", {"in", "out"}),
        ("Hostname = other.example.com", {"in", "out"}),
    ],
)
def test_the_digest_of_a_listener_changes_with_what_its_sessions_notice(
    change: str, changed: set[str]
) -> None:
    before, after = parse_config(BASE), parse_config(BASE + change, generation=2)
    pairs = zip(before.listeners, after.listeners, strict=True)
    assert {old.name for old, new in pairs if old.digest != new.digest} == changed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            'Gateway = relay.example:587\nDomain "x.com" { TLS = no }',
            'angarium.conf:2:1: Domain "x.com" has no effect: '
            "its mail queues under the name of the gateway relay.example (angarium.conf:1)",
        ),
        ('Gateway = relay.example\nDomain "relay.example" { TLS = no }', None),
        ("Gateway = relay.example\nDomain x.com { Gateway = none TLS = no }", None),
        ("Gateway = relay.example\nDomain x.com { Routes = ( y.com ) TLS = no }", None),
        ("Gateway = relay.example\nDomain x.com { }", None),
        ("Gateway = relay.example\nDomain /x/ { Gateway = none } Domain x.com { TLS = no }", None),
        ("Gateway = relay.example\nDomain x.com { TLS = no } Binding b { Gateway = none }", None),
        ("Domain x.com { TLS = no } Binding b { Gateway = relay.example }", None),
    ],
)
def test_a_domain_that_a_gateway_hides_is_a_warning(text: str, told: str | None) -> None:
    assert [str(warning) for warning in parse_config(text).warnings] == ([told] if told else [])
